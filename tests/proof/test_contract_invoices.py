"""Invoices of contracts in a demo with two ERPs: the judge sees what billing, the ERPs or the CRM have otherwise."""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from hub.proof import contract_invoices
from hub.proof.conductor import Course
from hub.proof.crm import Account, Contract
from hub.proof.invariants import Invariant
from hub.proof.judging import invoices_due
from hub.proof.lines import item_of
from hub.proof.markets import BY_CURRENCY
from hub.proof.oracle import judge
from hub.proof.vendor_books import stripe_invoices
from hub.proof.vendor_documents import Due
from tests.proof.two_erps import BRITISH, GERMAN, PAYMENT, Raw, again, gone, in_company, judged, world

Spoil = Callable[[Raw], object]

CRM_IDS = {"contract-a": "800A", "Seats": "01tS", "Storage": "01tU"}
STRIPE_IDS = {"account-a": "cus_german"}
COURSE = Course(stripe_ids=STRIPE_IDS, crm_ids=CRM_IDS)
#: Three seats and ten of storage, in francs: 35.70 and 7.20 before 8.1 % of tax.
SIGNED = Contract(
    key="contract-a",
    account=Account(key="account-a", number=1, name="Works", market=BY_CURRENCY["CHF"]),
    sold={"Seats": 3, "Storage": 10},
    more={"Seats": 2},
)


def line(product: str, amount: int, tax: int) -> Raw:
    """Give a line of an invoice of Stripe's."""
    priced = {"price_details": {"product": product}}
    return {"id": f"il_{product}", "amount": amount, "taxes": [{"amount": tax}], "pricing": priced}


def stripe() -> Raw:
    """Give the contract's subscription and its first invoice, beside an invoice of no contract."""
    first: Raw = {
        "id": "in_first",
        "number": "A-0001",
        "customer": "cus_german",
        "currency": "chf",
        "status": "open",
        "total": 4637,
        "parent": {"subscription_details": {"subscription": "sub_a", "metadata": {"contract": "800A"}}},
        "lines": [line("01tS", 3570, 289), line("01tU", 720, 58)],
    }
    return {
        "products": [{"id": product, "metadata": {"crm_product": product}} for product in ("01tS", "01tU")],
        "subscriptions": [
            {"id": "sub_a", "metadata": {"contract": "800A"}},
            {"id": "sub_other", "metadata": {}},
        ],
        "invoices": [
            first,
            {**first, "id": "in_other", "parent": None},
            {**first, "id": "in_third", "parent": {"subscription_details": {"subscription": "sub_other"}}},
        ],
    }


def found(spoil: Spoil = lambda _books: None) -> list[tuple[Invariant, str]]:
    """Give what billing has billed otherwise, once its books are spoilt."""
    books = copy.deepcopy(stripe())
    spoil(books)
    findings = contract_invoices.find([SIGNED], books, crm_ids=CRM_IDS, stripe_ids=STRIPE_IDS)
    return [(finding.invariant, finding.detail) for finding in findings]


def first(**changed: object) -> Spoil:
    """Change the contract's invoice."""
    return lambda books: books["invoices"][0].update(changed)


@pytest.mark.parametrize(
    ("spoil", "broken", "told"),
    [
        (lambda books: books["invoices"].pop(0), Invariant.NOTHING_LOST, "has 0 invoices, must have 1"),
        (lambda books: books.update(subscriptions=[]), Invariant.NOTHING_LOST, "has 0 invoices"),
        (first(status="draft"), Invariant.NOTHING_LOST, "is a draft"),
        (
            lambda books: books["invoices"].append({**books["invoices"][0], "id": "in_again"}),
            Invariant.NOTHING_TWICE,
            "has 2 invoices, must have 1",
        ),
        (first(currency="eur"), Invariant.BOOKS_AGREE, "currency of A-0001"),
        (first(customer="cus_other"), Invariant.BOOKS_AGREE, "customer of A-0001"),
        (first(lines=[line("01tS", 5950, 482), line("01tU", 720, 58)], total=7210), Invariant.BOOKS_AGREE, "amounts"),
        (first(lines=[line("01tS", 3570, 289)], total=3859), Invariant.BOOKS_AGREE, "amounts"),
        (first(lines=[line("01tS", 3570, 0), line("01tU", 720, 58)], total=4348), Invariant.BOOKS_AGREE, "tax of 01tS"),
        (first(total=4638), Invariant.BOOKS_AGREE, "total of A-0001"),
    ],
)
def test_the_judge_sees_what_a_contract_is_billed_otherwise(spoil: Spoil, broken: Invariant, told: str) -> None:
    assert found() == []
    ((invariant, detail),) = found(spoil)
    assert invariant is broken
    assert told in detail


def test_an_invoice_of_a_contract_must_stand_under_who_has_signed_it() -> None:
    """In the books of the ERP that has the company's, and no exception is expected of it."""
    partner = {"BusinessPartner": "1000", "BusinessPartnerIDByExtSystem": "cus_german"}
    read = {
        "stripe": stripe(),
        "netsuite": {"customers": [{"id": "77", "externalId": "cus_german"}]},
        "s4hana": {"tables": {"A_BusinessPartner": [partner, {**partner, "BusinessPartner": "1001"}]}},
    }
    read["s4hana"]["tables"]["A_BusinessPartner"][1]["BusinessPartnerIDByExtSystem"] = "cus_other"
    due = invoices_due([SIGNED], COURSE, read)
    assert due == {"in_first": Due(customers=frozenset({"1000"}))}
    assert invoices_due((), COURSE, read) == {}


def test_products_of_contracts_are_items_of_their_own() -> None:
    assert [item_of(one, {"01tS": "901"}) for one in (line("01tS", 1, 0), line("prod_services", 1, 0))] == [
        "901",
        "105",
    ]


# --- the books of a world in which the invoices come from contracts ------------------------------


def of_contracts() -> dict[str, Raw]:
    """Give books in which both invoices bill a contract, the German company's paid by card."""
    books = world()
    for invoice in books["stripe"]["invoices"]:
        metadata = {"contract": f"800-{invoice['id']}"}
        invoice["parent"] = {"subscription_details": {"subscription": f"sub_{invoice['id']}", "metadata": metadata}}
    return books


def statuses(books: Raw) -> list[Any]:
    """Give what the CRM knows of invoices."""
    records: list[Any] = books["salesforce"]["records"]["Invoice__c"]
    return records


@pytest.mark.parametrize(
    ("spoil", "in_netsuite", "broken", "told"),
    [
        (
            lambda books: gone(books, "1800000000", "1400000000"),
            (BRITISH,),
            Invariant.NOTHING_LOST,
            "A-0001 is not in s4hana",
        ),
        (lambda _: None, (), Invariant.NOTHING_LOST, "B-0001 is not in netsuite"),
        (lambda books: again(books, "1800000000", "1800000001"), (BRITISH,), Invariant.NOTHING_TWICE, GERMAN),
        (lambda _: None, (BRITISH, BRITISH), Invariant.NOTHING_TWICE, BRITISH),
        (lambda _: None, (BRITISH, GERMAN), Invariant.BOOKS_AGREE, "netsuite"),
        (lambda books: in_company(books, "1800000000", "1510"), (BRITISH,), Invariant.BOOKS_AGREE, "books is 1510"),
        (lambda books: statuses(books).pop(0), (BRITISH,), Invariant.NOTHING_LOST, "A-0001 is not in salesforce"),
        (
            lambda books: statuses(books)[1].update(Status__c="Draft"),
            (BRITISH,),
            Invariant.BOOKS_AGREE,
            "status is Draft",
        ),
        (
            lambda books: statuses(books)[0].update(Account__c="001B"),
            (BRITISH,),
            Invariant.BOOKS_AGREE,
            "account is 001B",
        ),
        (lambda books: gone(books, "1400000000"), (BRITISH,), Invariant.NOTHING_LOST, f"payment {PAYMENT}"),
    ],
)
def test_a_hub_that_takes_a_contracts_invoice_another_way_is_seen(
    spoil: Spoil, in_netsuite: tuple[str, ...], broken: Invariant, told: str
) -> None:
    """Not posted, posted twice, by the other entity, not told to the CRM, or told otherwise."""
    assert judge(judged(of_contracts())).findings == []
    books = of_contracts()
    spoil(books)
    findings = judge(judged(books, in_netsuite=in_netsuite)).findings
    assert broken in {finding.invariant for finding in findings}
    assert any(told in finding.detail for finding in findings if finding.invariant is broken), findings


def test_an_invoice_of_a_contract_is_known_by_its_subscription() -> None:
    whole = {
        **stripe()["invoices"][0],
        "total_taxes": [{"amount": 347}],
        "amount_remaining": 4637,
        "payments": [],
        "metadata": {},
        "effective_at": 1_769_860_800,
        "status_transitions": {"finalized_at": 1_769_860_800},
    }
    whole["lines"] = [{**one, "discount_amounts": []} for one in whole["lines"]]
    read = stripe_invoices({"invoices": [whole, {**whole, "id": "in_other", "parent": None}]}, {"01tS": "901"})
    assert [one.of_contract for one in read] == [True, False]
    assert [one.item for one in read[0].lines] == ["901", "104"]
    assert sum((one.tax for one in read[0].lines), Decimal(0)) == read[0].tax
