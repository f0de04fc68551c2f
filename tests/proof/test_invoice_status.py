"""How invoices stand in the CRM: what is due after payments, credits and voids, and only of whom it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import pytest

from hub.proof import crm_checks
from hub.proof.credits import Credit
from hub.proof.invariants import Invariant
from hub.proof.simulation import campaign, playing
from hub.proof.simulation.case import Books, Crm, Stage
from hub.proof.simulation.case_scenario import one_invoice
from hub.proof.simulation.cases import CASES
from hub.proof.simulation.playing import Played

PAID = next(case for case in CASES if case.name == "invoice-status-to-crm")


@pytest.fixture(autouse=True)
def quiet() -> None:
    campaign.be_quiet()


def played(happen: Callable[[Stage], Awaitable[None]], **more: object) -> Played:
    return playing.play(replace(PAID, happen=happen, story="of a test", **more), None)  # type: ignore[arg-type]


def test_a_credit_note_lowers_what_is_due() -> None:
    async def happen(stage: Stage) -> None:
        await stage.invoice(paid=False)
        await stage.credit()

    credited = one_invoice(credits=(Credit(after=0, lines=((0, 2),)),))
    assert played(happen, scenario=credited).findings == []


def test_what_is_given_up_stays_due() -> None:
    async def happen(stage: Stage) -> None:
        await stage.invoice(paid=False)
        await stage.rested()
        await stage.stripe("/v1/invoices/{invoice}/mark_uncollectible")

    assert played(happen, scenario=one_invoice(), notice=True).findings == []


def test_of_a_customer_that_is_no_account_nothing_is_told() -> None:
    async def happen(stage: Stage) -> None:
        await stage.invoice(paid=True)

    told = played(happen, crm=Crm(invoiced=True))
    assert told.findings == []
    assert "invoice-status-due: tied" in told.reached
    assert "invoice-status-to-crm: full" not in told.reached


def test_a_void_invoice_is_due_no_more() -> None:
    """What it left in the books is another flow's matter: here the CRM alone is looked at."""

    async def happen(stage: Stage) -> None:
        await stage.invoice(paid=False)
        await stage.rested()
        await stage.stripe("/v1/invoices/{invoice}/void")

    found = played(happen, scenario=one_invoice(), books=Books.POSTED).findings
    assert [finding.detail for finding in found if "the CRM" in finding.detail] == []


#: What of an invoice was credited while it was open.
CREDITED = one_invoice(credits=(Credit(after=0, lines=((0, 2),)),))


async def credited_and_paid(stage: Stage, first: Mapping[str, str], then: Mapping[str, str]) -> None:
    """Let an invoice be finalised, credited and paid, with webhooks that come in some order and some number."""
    await stage.deliver(**first)
    await stage.invoice(paid=False)
    await stage.credit()
    await stage.deliver(**then)
    await stage.stripe("/v1/invoices/{invoice}/pay", "paid_out_of_band=true")
    # What is late is so by two minutes at most.
    await asyncio.sleep(130)
    await stage.rested()
    for _ in range(2):
        await stage.read()
        await stage.rested()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        # The note was told of and the payment has come in; nothing but the stream tells of that.
        ({"webhook_shuffle": "finalized"}, {"webhook_lost": "paid"}),
        ({"webhook_lost": "finalized"}, {"webhook_lost": "paid"}),
        ({"webhook_lost": "finalized|credit_note"}, {"webhook_duplicate": "."}),
        ({"webhook_shuffle": ".", "webhook_duplicate": "."}, {"webhook_shuffle": ".", "webhook_duplicate": "."}),
    ],
)
def test_events_that_come_late_or_doubled_leave_the_crm_as_billing_is(
    first: Mapping[str, str], then: Mapping[str, str]
) -> None:
    """What is written is how the invoice stands when it is read, whenever that happened which the run began with."""
    told = played(lambda stage: credited_and_paid(stage, first, then), scenario=CREDITED)
    # A payment outside of Stripe has no document of its own: the ERP goes on to claim it.
    assert [finding.detail for finding in told.findings if "remaining is" not in finding.detail] == []


def test_the_oracle_sees_what_the_crm_has_wrong() -> None:
    invoice = {"id": "in_1", "number": "N-1", "customer": "cus_1", "status": "open", "currency": "eur", "total": 11900}
    stripe = {"invoices": [{**invoice, "amount_remaining": 900}]}
    right = {
        "Key__c": "in_1",
        "Name": "N-1",
        "Account__c": "001",
        "Status__c": "Open",
        "Total__c": "119.00",
        "Open_Amount__c": "9.0",
    }

    def seen(*there: dict[str, str]) -> list[Invariant]:
        told = crm_checks.invoices({"records": {"Invoice__c": [*there]}}, stripe, {"001": "cus_1"})
        return [finding.invariant for finding in told]

    assert seen(right) == []
    assert seen() == [Invariant.NOTHING_LOST]
    assert seen(right, right) == [Invariant.NOTHING_TWICE]
    assert (
        seen({**right, "Status__c": "Paid"}) == seen({**right, "Open_Amount__c": "119.00"}) == [Invariant.BOOKS_AGREE]
    )
    assert [finding.invariant for finding in crm_checks.invoices({"records": {"Invoice__c": [right]}}, stripe, {})] == [
        Invariant.BOOKS_AGREE
    ]
