"""What must hold of a demo as a whole, and when a mutant counts as caught."""

from __future__ import annotations

import base64
from dataclasses import replace
from decimal import Decimal

import pytest

from hub.proof import faults
from hub.proof.conductor import Course
from hub.proof.faults import Profile
from hub.proof.invariants import Invariant
from hub.proof.judging import every_fault_injected, killed_in_flight, needles, queue_drained
from hub.proof.mutants import Verdict
from hub.proof.mutations import truncated
from hub.proof.vendor_books import erp_payments, requests, stripe_invoices
from tests.proof.books import BAD, GOOD, with_hub, world


def test_a_kind_of_fault_that_never_struck_is_named() -> None:
    injected = {
        vendor: dict.fromkeys(faults.expected_kinds(Profile.STORM, vendor, faults.OUTAGES), 1)
        for vendor in ("stripe", "netsuite", "tax")
    }
    course = Course(gusts=list(faults.OUTAGES))
    assert list(every_fault_injected(Profile.STORM, course, injected)) == []
    injected["tax"]["outage"] = 0
    assert [finding.detail for finding in every_fault_injected(Profile.STORM, course, injected)] == [
        "tax never had a fault of the kind outage"
    ]
    assert list(every_fault_injected(Profile.STANDARD, course, injected)) == []


def test_a_kill_that_met_nothing_is_named() -> None:
    assert list(killed_in_flight(Course(kills=2, open_at_kill=[3, 1]))) == []
    assert [finding.detail for finding in killed_in_flight(Course(kills=2, open_at_kill=[3, 0]))] == [
        "kill 2 met no write under way"
    ]


def test_only_what_waits_for_an_exception_may_be_left() -> None:
    sound = world()
    assert list(queue_drained(sound.evidence)) == []
    first = sound.hub.runs[0]
    waiting = replace(first, state="waiting", wait_kind="event")
    for run, left in (
        (replace(waiting, family=BAD), 0),
        (replace(first, state="queued", family=BAD), 0),
        (waiting, 1),
        (replace(waiting, wait_kind="timer", family=BAD), 1),
        (replace(first, state="queued"), 1),
    ):
        assert len(list(queue_drained(with_hub(sound, runs=[run, *sound.hub.runs[1:]]).evidence))) == left, run
    unknown = replace(sound.hub.effects[0], state="unknown")
    assert len(list(queue_drained(with_hub(sound, effects=[unknown]).evidence))) == 1


def test_a_secret_is_known_by_its_lines_also_in_base64() -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\nshort\n-----END PRIVATE KEY-----\n"
    found = set(needles(pem))
    assert b"MIGHAgEAMBMGByqGSM49AgEG" in found
    assert not any(b"PRIVATE KEY" in needle or needle == b"short" for needle in found)
    header = base64.b64encode(b"2000000001:SANDBOX0123456789ABCDEF")
    assert any(needle in header for needle in needles("SANDBOX0123456789ABCDEF"))


@pytest.mark.parametrize(
    ("verdict", "as_named"),
    [
        (Verdict(name="m", does="", must_break=Invariant.NOTHING_TWICE, broken=(Invariant.NOTHING_TWICE,)), True),
        (Verdict(name="m", does="", must_break=Invariant.NOTHING_TWICE), False),
        (
            Verdict(
                name="m",
                does="",
                must_break=Invariant.NOTHING_TWICE,
                broken=(Invariant.NOTHING_TWICE, Invariant.NOTHING_LOST),
            ),
            False,
        ),
        (Verdict(name="m", does="", must_break=Invariant.NOTHING_TWICE, failure="it crashed"), False),
        (Verdict(name="the hub", does="", must_break=None), True),
        (Verdict(name="the hub", does="", must_break=None, broken=(Invariant.NOTHING_LOST,)), False),
    ],
)
def test_a_mutant_is_caught_by_exactly_its_invariant(verdict: Verdict, *, as_named: bool) -> None:
    assert verdict.as_named is as_named


def test_the_floats_of_the_mutant_lose_cents() -> None:
    """It is not enough that a mutant is a mutant: the amounts it meets must show it."""
    lines = {"item": [{"amount": Decimal("19.99"), "quantity": Decimal("2.50")}, {"amount": Decimal(1500)}]}
    assert truncated(lines) == {
        "item": [{"amount": Decimal("19.98"), "quantity": Decimal("2.50")}, {"amount": Decimal(1500)}]
    }


def test_a_request_that_nobody_served_is_known_by_its_address() -> None:
    entry = {
        "method": "PUT",
        "marker": None,
        "sha256": "aa",
        "path": "/services/rest/record/v1/invoice/eid:in_1?replace=item",
    }
    found = requests("netsuite", [entry, {**entry, "method": "GET"}, {**entry, "path": "/services/rest/other"}])
    assert [(write.marker, write.address) for write in found] == [("in_1", "/services/rest/record/v1/invoice/eid:in_1")]


def test_amounts_are_in_minor_units_whatever_the_book() -> None:
    """Stripe's are minor already, NetSuite's have a point; drafts do not count."""
    raw = {
        "id": "in_1", "number": "N-1", "status": "paid", "currency": "kwd", "total": 12340, "amount_remaining": 0,
        "total_taxes": [{"amount": 340}], "metadata": {"erp_id": "7"}, "effective_at": None,
        "status_transitions": {"finalized_at": 1767225600},
        "lines": [
            {
                "id": "il_1", "amount": 13000, "discount_amounts": [{"amount": 1000}], "taxes": [{"amount": 340}],
                "pricing": {"price_details": {"product": "prod_usage"}},
            },
        ],
        "payments": [
            {"id": "inpay_1", "amount_paid": 12340, "status": "paid", "status_transitions": {"paid_at": 1767311999}},
            {"id": "inpay_2", "amount_paid": 0, "status": "canceled"},
        ],
    }  # fmt: skip
    (invoice,) = stripe_invoices({"invoices": [raw, {**raw, "status": "draft"}]})
    assert (invoice.currency, invoice.total, invoice.lines[0].amount) == ("KWD", Decimal(12340), Decimal(12000))
    assert [(payment.id, payment.day) for payment in invoice.payments] == [("inpay_1", "2026-01-01")]
    assert (invoice.day, invoice.lines[0].item) == ("2026-01-01", "102")
    (payment,) = erp_payments(
        {
            "accepted": [
                {"type": "customerPayment", "id": "9", "n": 4},
                {"type": "customerPayment", "id": "9", "n": 6},
            ],
            "payments": [
                {
                    "id": "9",
                    "checkNumber": "inpay_1",
                    "currency": "KWD",
                    "customer": "77",
                    "payment": "12.340",
                    "tranDate": "2026-01-01",
                    # What charges a voided note again has no id elsewhere.
                    "apply": [
                        {"externalId": GOOD, "doc": "5001", "amount": "11.340"},
                        {"externalId": None, "doc": "5008", "amount": "0.400"},
                        {"externalId": None, "doc": "5009", "amount": "0.600"},
                    ],
                }
            ],
        }
    )
    assert (payment.amount, payment.accepted) == (Decimal(12340), 4)
    assert payment.applied == {GOOD: Decimal(11340), "5008": Decimal(400), "5009": Decimal(600)}
