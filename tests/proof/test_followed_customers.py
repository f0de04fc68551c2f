"""The oracle on customers of the demo: agreeing books hold, and each field that its owner has otherwise is found."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from hub.proof import customers
from hub.proof.customers import CustomerBooks
from hub.proof.evidence import Effect, Event
from hub.proof.invariants import Invariant
from hub.proof.oracle import judge
from hub.proof.scenario import draw
from tests.proof.books import World, with_books, with_hub, world

#: Made by the hub, known from the start, and deleted at Stripe.
NEW, KNOWN, GONE = "cus_new", "cus_known", "cus_gone"
Held = dict[str, Any]


def billed(name: str, **more: Any) -> Held:
    """Give a customer in Stripe's books."""
    address = {"line1": "1 Ring", "line2": None, "city": "Hamburg", "postal_code": "20095", "state": None}
    return {
        "id": name,
        "name": f"Firm {name}",
        "email": "bills@firm.example",
        "phone": None,
        "address": {**address, "country": "DE"},
        "metadata": {},
        "tax_exempt": "none",
        **more,
    }


def recorded(number: str, name: str, **more: Any) -> Held:
    """Give a customer in NetSuite's books."""
    address = {"addr1": "1 Ring", "city": "Hamburg", "zip": "20095", "country": {"id": "DE"}}
    return {
        "id": number,
        "externalId": name,
        "companyName": f"Firm {name}",
        "email": "bills@firm.example",
        "subsidiary": "2",
        "taxable": True,
        "addressBook": [{"defaultBilling": True, "addressBookAddress": address}],
        **more,
    }


def both() -> Held:
    """Give what both vendors and the hub have of three customers."""
    decided = {"terms": "3", "creditHoldOverride": "ON", "taxable": False}
    told = {"metadata": {"erp_terms": "NET60", "erp_status": "blocked", "colour": "green"}, "tax_exempt": "exempt"}
    return {
        "stripe": {
            "customers": [billed(NEW), billed(KNOWN, **told), billed("cus_buyer")],
            "tax_ids": [{"id": "txi_1", "customer": NEW, "value": "DE123456789"}],
        },
        "netsuite": {
            "customers": [
                recorded("1", NEW, vatRegNumber="DE123456789"),
                recorded("2", "own", companyName=f"Firm {KNOWN}", **decided),
                recorded("3", "gone", isInactive=True),
                recorded("9", "buyer"),
            ]
        },
        "ties": {NEW: "1", KNOWN: "2", GONE: "3", "cus_buyer": "9"},
    }


def read(held: Held) -> CustomerBooks:
    return customers.read(
        held["stripe"],
        held["netsuite"],
        followed={NEW: None, KNOWN: "2", GONE: "3"},
        others=frozenset({"9"}),
        ties=held["ties"],
    )


def judged(held: Held) -> World:
    return with_books(world(), customers=read(held))


def broken(world: World) -> list[Invariant]:
    return [invariant for invariant, holds in judge(world.evidence).holds.items() if not holds]


def at_stripe(held: Held, place: int, **fields: Any) -> None:
    held["stripe"]["customers"][place].update(fields)


def in_erp(held: Held, place: int, **fields: Any) -> None:
    held["netsuite"]["customers"][place].update(fields)


def test_agreeing_books_hold() -> None:
    found = judge(judged(both()).evidence)
    assert [str(finding) for finding in found.findings] == []
    assert found.wanted["customer"] == 3
    rows = customers.agreed(judged(both()).evidence.wanted, judged(both()).evidence.documents)
    assert [(row.wanted, row.found, row.different) for row in rows] == [(3, 3, 0), (2, 2, 0)]


def test_a_daughter_stands_below_the_record_of_the_one_above_it() -> None:
    held = both()
    at_stripe(held, 0, metadata={"crm_account": "001", "crm_parent": "002"})
    held["stripe"]["customers"][1]["metadata"]["crm_account"] = "002"
    assert broken(judged(held)) == [Invariant.BOOKS_AGREE]
    in_erp(held, 0, parent="2")
    assert broken(judged(held)) == []


@pytest.mark.parametrize(
    ("spoil", "invariant"),
    [
        (lambda held: in_erp(held, 0, companyName="Firm"), Invariant.BOOKS_AGREE),
        (lambda held: in_erp(held, 0, email="other@firm.example"), Invariant.BOOKS_AGREE),
        (lambda held: in_erp(held, 0, phone="1"), Invariant.BOOKS_AGREE),
        (lambda held: in_erp(held, 0, vatRegNumber=None), Invariant.BOOKS_AGREE),
        (lambda held: in_erp(held, 0, addressBook=[]), Invariant.BOOKS_AGREE),
        (lambda held: in_erp(held, 0, subsidiary="1"), Invariant.BOOKS_AGREE),
        (lambda held: in_erp(held, 2, isInactive=False), Invariant.BOOKS_AGREE),
        (lambda held: in_erp(held, 0, parent="2"), Invariant.BOOKS_AGREE),
        (lambda held: at_stripe(held, 1, tax_exempt="none"), Invariant.BOOKS_AGREE),
        (lambda held: held["stripe"]["customers"][1]["metadata"].pop("erp_terms"), Invariant.BOOKS_AGREE),
        (lambda held: held["stripe"]["customers"][1]["metadata"].pop("erp_status"), Invariant.BOOKS_AGREE),
        (lambda held: at_stripe(held, 0, metadata={"erp_terms": "NET30"}), Invariant.BOOKS_AGREE),
        (lambda held: held["ties"].update({NEW: "9"}), Invariant.BOOKS_AGREE),
        (lambda held: held["netsuite"]["customers"].pop(0), Invariant.NOTHING_LOST),
        (lambda held: held["netsuite"]["customers"].append(recorded("4", NEW)), Invariant.NOTHING_TWICE),
        (lambda held: held["netsuite"]["customers"].append(recorded("4", "cus_other")), Invariant.BOOKS_AGREE),
    ],
    ids=[
        "another name",
        "another address of mail",
        "a telephone number that was taken out",
        "no tax id",
        "no address",
        "another company's",
        "deleted and active",
        "a parent of nobody's",
        "an exemption not told",
        "terms not told",
        "a credit hold not told",
        "terms that nobody gave",
        "tied to another record",
        "lost",
        "there twice",
        "a record of nobody",
    ],
)
def test_what_its_owner_has_otherwise_is_found(spoil: Callable[[Held], object], invariant: Invariant) -> None:
    held = deepcopy(both())
    spoil(held)
    assert broken(judged(held)) == [invariant]


def test_a_reverse_charge_stands_where_the_erp_taxes() -> None:
    held = both()
    at_stripe(held, 0, tax_exempt="reverse")
    assert broken(judged(held)) == []


def test_what_is_told_of_a_customer_and_of_its_tax_id_belongs_to_it() -> None:
    told = judged(both())
    told = with_books(told, subjects={**told.books.subjects, "evt_tax": "txi_1"})
    event = Event(
        id="e", external_id="evt_tax", family=NEW, type="stripe.customer.tax_id.created", subject="txi_1",
        state="accepted", deliveries=1,
    )  # fmt: skip
    without = with_hub(told, events=[*told.hub.events, event])
    assert broken(without) == [Invariant.ONE_RUN_PER_EVENT]
    made = Effect(
        key="key_c", family=NEW, business_key=f"stripe:{NEW}:evt_tax", state="done", run_id="run_0",
        connection="netsuite", operation="customer.upsert", output_id="1",
    )  # fmt: skip
    assert broken(with_hub(told, effects=[*told.hub.effects, made])) == []
    another = with_hub(told, effects=[*told.hub.effects, Effect(**{**_fields(made), "output_id": "2"})])
    assert broken(another) == [Invariant.RECORDED_IS_TRUE]


def _fields(effect: Effect) -> dict[str, Any]:
    return {name: getattr(effect, name) for name in effect.__slots__}


@pytest.mark.parametrize("seed", [1, 2])
def test_customers_are_made_and_changed_on_both_sides_in_every_demo(seed: int) -> None:
    followed = draw(seed, 12, flawed=False).followed
    assert {customer.known for customer in followed} == {True, False}
    early, late, both = (list(give(followed)) for give in (customers.early, customers.late, customers.both))
    # Of a record that the hub has not written yet nothing is changed on both sides.
    assert not {each.customer for each in early if each.form} & {each.customer for each in early if each.erp}
    assert all(each.form and each.erp for each in both)
    assert {each.customer for each in both} == {each.customer for each in early if each.form}
    assert sum(each.deletes for each in late) == 1
    assert any(each.path == "/tax_ids" for each in late)
    assert all(each.customer.known for each in (*early, *both))
