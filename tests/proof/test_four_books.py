"""The judgement over the books of Salesforce, NetSuite and S/4HANA: whatever is wrong in one of them turns it red."""

from __future__ import annotations

import copy
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from hub.proof import four_books
from hub.proof.invariants import Invariant
from hub.proof.oracle import find, judge
from tests.proof.two_erps import BRITISH, GERMAN, PAYMENT, PAYOUT, Raw, again, gone, in_company, judged, world

Spoil = Callable[[dict[str, Raw]], object]


def _items(books: dict[str, Raw]) -> list[Any]:
    items: list[Any] = books["s4hana"]["tables"]["JournalItem"]
    return items


def _statuses(books: dict[str, Raw]) -> list[Any]:
    records: list[Any] = books["salesforce"]["records"]["Invoice__c"]
    return records


def _stray(books: dict[str, Raw]) -> None:
    again(books, "100000000", "100000001")
    for item in _items(books):
        if item["AccountingDocument"] == "100000001":
            item["DocumentItemText"] = "Rent"


def test_in_books_that_agree_nothing_is_found() -> None:
    judgement = judge(judged(world()))
    assert judgement.findings == []
    assert judgement.wanted["invoice"] == judgement.posted["invoice"] == 2
    assert judgement.wanted["invoice status"] == 2
    assert {currency: row["difference"] for currency, row in judgement.totals.items()} == {
        "EUR": Decimal(0),
        "GBP": Decimal(0),
    }


#: What is spoiled → the invariant that must break, and what the finding must name.
WRONG: dict[str, tuple[Spoil, Invariant, tuple[str, ...]]] = {
    "an invoice is posted twice": (
        lambda books: again(books, "1800000000", "1800000001"),
        Invariant.NOTHING_TWICE,
        ("2 times invoice", GERMAN),
    ),
    "an invoice and its payment are not posted": (
        lambda books: gone(books, "1800000000", "1400000000"),
        Invariant.NOTHING_LOST,
        ("invoice A-0001 is not in s4hana",),
    ),
    "an invoice is posted in another company": (
        lambda books: in_company(books, "1800000000", "1110"),
        Invariant.BOOKS_AGREE,
        ("invoice A-0001: books is 1110 in s4hana", "1010"),
    ),
    "an invoice has another amount": (
        lambda books: (
            _items(books)[0].update(AmountInTransactionCurrency="-110.00", AmountInCompanyCodeCurrency="-110.00"),
            _items(books)[1].update(AmountInTransactionCurrency="129.00", AmountInCompanyCodeCurrency="129.00"),
        ),
        Invariant.BOOKS_AGREE,
        ("invoice A-0001: amount is 12900", "11900"),
    ),
    "an invoice has another tax": (
        lambda books: (
            _items(books)[0].update(AmountInTransactionCurrency="-101.00", AmountInCompanyCodeCurrency="-101.00"),
            _items(books)[2].update(AmountInTransactionCurrency="-18.00", AmountInCompanyCodeCurrency="-18.00"),
        ),
        Invariant.BOOKS_AGREE,
        ("invoice A-0001: tax is 1800", "1900"),
    ),
    "an invoice stands under another customer": (
        lambda books: _items(books)[1].update(Customer="1001"),
        Invariant.BOOKS_AGREE,
        ("invoice A-0001: customer is 1001", "1000"),
    ),
    "revenue is on another account": (
        lambda books: _items(books)[0].update(GLAccount="41000500"),
        Invariant.BOOKS_AGREE,
        ("account of line 1 is 41000500", "41000000"),
    ),
    "a line bears no tax code": (
        lambda books: _items(books)[0].update(TaxCode=""),
        Invariant.BOOKS_AGREE,
        ("tax code of line 1",),
    ),
    "a payment is posted twice": (
        lambda books: again(books, "1400000000", "1400000001"),
        Invariant.NOTHING_TWICE,
        ("2 times payment", PAYMENT),
    ),
    "a payment is not posted": (
        lambda books: gone(books, "1400000000"),
        Invariant.NOTHING_LOST,
        (f"payment {PAYMENT} of A-0001 is not in s4hana",),
    ),
    "a payment names no invoice": (
        lambda books: _items(books)[4].update(InvoiceReference=""),
        Invariant.BOOKS_AGREE,
        (f"payment {PAYMENT}", "application"),
    ),
    "a payment clears nothing": (
        lambda books: _items(books)[1].update(IsCleared=False),
        Invariant.BOOKS_AGREE,
        ("invoice A-0001: cleared is False", "True"),
    ),
    "a payment is on the account of the bank": (
        lambda books: _items(books)[3].update(GLAccount="11001060"),
        Invariant.BOOKS_AGREE,
        ("account is 11001060 in s4hana", "11002080"),
    ),
    "a payout lacks its fees": (
        lambda books: (
            _items(books)[5].update(AmountInTransactionCurrency="119.00", AmountInCompanyCodeCurrency="119.00"),
            _items(books)[6].update(AmountInTransactionCurrency="0.00", AmountInCompanyCodeCurrency="0.00"),
        ),
        Invariant.BOOKS_AGREE,
        (f"payout {PAYOUT}", "s4hana"),
    ),
    "a payout is not posted": (
        lambda books: gone(books, "100000000"),
        Invariant.NOTHING_LOST,
        (f"payout {PAYOUT} is not in s4hana",),
    ),
    "somebody posts what nobody asked for": (_stray, Invariant.BOOKS_AGREE, ("s4hana has journal entry",)),
    "books do not balance in the company's own currency": (
        lambda books: _items(books)[0].update(AmountInCompanyCodeCurrency="-99.99"),
        Invariant.BOOKS_AGREE,
        ("trial balance 1010 in its own currency", "1"),
    ),
    "a customer is there twice": (
        lambda books: books["s4hana"]["tables"]["A_BusinessPartner"].append(
            {**books["s4hana"]["tables"]["A_BusinessPartner"][0], "BusinessPartner": "1001"}
        ),
        Invariant.NOTHING_TWICE,
        ("2 times customer cus_german",),
    ),
    "a customer has another name": (
        lambda books: books["s4hana"]["tables"]["A_BusinessPartner"][0].update(OrganizationBPName1="Hamburg"),
        Invariant.BOOKS_AGREE,
        ("customer Hamburg Works: name is Hamburg in s4hana",),
    ),
    "a customer is in another company": (
        lambda books: books["s4hana"]["tables"]["A_CustomerCompany"][0].update(CompanyCode="1510"),
        Invariant.BOOKS_AGREE,
        ("customer Hamburg Works: companies is 1510 in s4hana", "1010"),
    ),
    "how an invoice stands is not told": (
        lambda books: _statuses(books).pop(0),
        Invariant.NOTHING_LOST,
        ("invoice status A-0001 is not in salesforce",),
    ),
    "an older standing is told": (
        lambda books: _statuses(books)[0].update(Status__c="Open", Open_Amount__c="119"),
        Invariant.BOOKS_AGREE,
        ("invoice status A-0001: status is Open in salesforce", "Paid"),
    ),
    "an invoice is told of another account": (
        lambda books: _statuses(books)[1].update(Account__c="001G"),
        Invariant.BOOKS_AGREE,
        ("invoice status B-0001: account is 001G in salesforce", "001B"),
    ),
    "an invoice is told with another amount": (
        lambda books: _statuses(books)[1].update(Total__c="50.01"),
        Invariant.BOOKS_AGREE,
        ("invoice status B-0001: amount is 5001 in salesforce", "5000"),
    ),
    "an invoice is told twice": (
        lambda books: _statuses(books).append({**_statuses(books)[0], "Id": "a0I9"}),
        Invariant.NOTHING_TWICE,
        ("2 times invoice status",),
    ),
    "an account has become two customers": (
        lambda books: books["stripe"]["customers"].append({**books["stripe"]["customers"][1], "id": "cus_more"}),
        Invariant.NOTHING_TWICE,
        ("2 times customer of an account 001B",),
    ),
    "an account has become nobody": (
        lambda books: books["stripe"]["customers"][1]["metadata"].clear(),
        Invariant.NOTHING_LOST,
        ("customer of an account Leeds Works is not in stripe",),
    ),
    "an account's change is not carried over": (
        lambda books: books["salesforce"]["records"]["Account"][1].update(Name="Leeds and Sons"),
        Invariant.BOOKS_AGREE,
        ("name is Leeds Works in stripe", "Leeds and Sons"),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_whatever_is_wrong_is_seen(name: str) -> None:
    """Each mistake turns its own invariant red, and the finding names book and document."""
    spoil, broken, told = WRONG[name]
    books = copy.deepcopy(world())
    spoil(books)
    findings = find(judged(books))
    texts = [finding.detail for finding in findings if finding.invariant is broken]
    assert any(all(part in text for part in told) for text in texts), findings


def test_an_invoice_in_both_erps_is_seen() -> None:
    """The other ERP's invoice is one that its source knows nothing of."""
    findings = find(judged(world(), in_netsuite=(BRITISH, GERMAN)))
    assert [(finding.invariant, finding.detail) for finding in findings] == [
        (Invariant.BOOKS_AGREE, "netsuite has invoice A-0001, of which its source knows nothing")
    ]


def test_an_invoice_in_the_other_erp_alone_is_seen() -> None:
    """It is one too many there, and missing where it belongs."""
    books = world()
    gone(books, "1800000000")
    findings = {finding.detail for finding in find(judged(books, in_netsuite=(BRITISH, GERMAN)))}
    assert "netsuite has invoice A-0001, of which its source knows nothing" in findings


def test_a_document_that_bears_another_mark_is_seen() -> None:
    """What the hub holds a write to have made must bear that write's mark."""
    books = world()
    books["s4hana"]["tables"]["JournalEntry"][0]["Reference1InDocumentHeader"] = "A" * 20
    findings = find(judged(books))
    assert [finding.invariant for finding in findings] == [Invariant.RECORDED_IS_TRUE]


def test_the_books_stand_side_by_side() -> None:
    """Each with its documents and their sum, as they must be and as they are."""
    told = four_books.to_json(judged(world()))
    assert told["EUR"]["s4hana"] == {
        "expected": 3,
        "expected_total": "354.00",
        "posted": 3,
        "posted_total": "354.00",
    }
    assert told["EUR"]["salesforce"]["posted_total"] == "119.00"
    assert "netsuite" not in told["EUR"]
    assert told["GBP"]["netsuite"]["posted_total"] == told["GBP"]["salesforce"]["posted_total"] == "50.00"
