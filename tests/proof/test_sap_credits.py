"""The judgement of what is given back of invoices in S/4HANA: whatever its ledger has otherwise turns it red."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from hub.proof.credit_books import Credits, ErpCredit, NoteDue, StripeNote, StripeRefund
from hub.proof.evidence import Case
from hub.proof.invariants import Invariant
from hub.proof.lines import Line
from hub.proof.oracle import find, judge
from tests.proof.two_erps import (
    DAY,
    GERMAN,
    Items,
    Raw,
    again,
    billed,
    gone,
    in_company,
    item,
    judged,
    movement,
    post,
    status,
    whole,
    world,
)

#: Beside the one that is paid: an invoice over 119.00 EUR that is open, and one of which 30.00 were paid before all was
#: given back.
OPEN, PARTLY = "in_open", "in_partly"
#: The documents of S/4HANA's by what they are about.
PAID_INVOICE, OPEN_INVOICE, PARTLY_INVOICE = "1800000000", "1800000001", "1800000002"
CHARGED_AGAIN = "1800000003"
BACK, FAILS, OUT, LOW, VOID, ALL = (f"160000000{number}" for number in range(6))
BACK_PAID, FAILS_PAID, FAILS_BACK, ALL_PAID = (f"140000000{number}" for number in range(2, 6))
ANOTHER_DAY = "2026-02-01"
Books = dict[str, Raw]


def note(name: str, invoice: str, total: int, *, before: int = 0, voided: bool = False, **refunds: int) -> StripeNote:
    """Give a credit note of one line with 19 % of tax, as Stripe has it."""
    tax = Decimal(total) * 19 / 119
    return StripeNote(
        id=f"cn_{name}",
        number=f"N-{name.upper()}",
        invoice=invoice,
        currency="EUR",
        total=Decimal(total),
        tax=tax,
        before=Decimal(before),
        lines=[Line(id=f"cnli_{name}", amount=total - tax, tax=tax, item="101")],
        refunds={refund: Decimal(amount) for refund, amount in refunds.items()},
        taxed=frozenset({f"cnli_{name}"}),
        voided=voided,
        day=DAY,
        voided_on=DAY if voided else "",
    )


def refund(name: str, invoice: str, amount: int, state: str = "succeeded") -> StripeRefund:
    failed_on = DAY if state == "failed" else ""
    return StripeRefund(
        id=name, invoice=invoice, currency="EUR", amount=Decimal(amount), status=state, day=DAY, failed_on=failed_on
    )


#: Paid out, paid out in vain, and otherwise; lowered, lowered in vain, and by what must stop; and paid in part.
CREDITS = Credits(
    notes=[
        note("back", GERMAN, 1_190, re_back=1_190),
        note("fails", GERMAN, 595, re_fails=595),
        note("out", GERMAN, 119),
        note("low", OPEN, 1_190, before=1_190),
        note("void", OPEN, 1_190, before=1_190, voided=True),
        note("flaw", OPEN, 595, before=595),
        note("all", PARTLY, 11_900, before=8_900, re_all=3_000),
    ],
    refunds=[
        refund("re_back", GERMAN, 1_190),
        refund("re_fails", GERMAN, 595, "failed"),
        refund("re_all", PARTLY, 3_000),
        refund("re_alone", GERMAN, 77),
    ],
    due={"cn_flaw": NoteDue(exception="tax-mismatch")},
)
CASES = [Case(run_id="run_1", family=OPEN, reason="tax-mismatch")]


def books() -> Books:
    """Give all books in which everything agrees."""
    made = copy.deepcopy(world())
    stripe, tables = made["stripe"], made["s4hana"]["tables"]
    stripe["invoices"] += [
        billed(OPEN, "A-0002", "cus_german", "eur", 11_900, 10_115, "open"),
        billed(PARTLY, "A-0003", "cus_german", "eur", 11_900, 0, "paid", {"inpay_3": ("pi_3", 3_000)}),
    ]
    made["salesforce"]["records"]["Invoice__c"] += [
        status("a0I3", OPEN, "A-0002", "001G", "Open", "119", "101.15", "EUR"),
        status("a0I4", PARTLY, "A-0003", "001G", "Paid", "119", "0", "EUR"),
    ]
    stripe["charges"].append({"payment_intent": "pi_3", "balance_transaction": "txn_3", "captured": True})
    stripe["balance_transactions"] += [
        movement("txn_3", "charge", 3_000, 0, "ch_3"),
        movement("txn_4", "refund", -1_190, 0, "re_back"),
        movement("txn_5", "refund", -595, 0, "re_fails"),
        movement("txn_6", "refund_failure", 595, 0, "re_fails"),
        movement("txn_7", "refund", -3_000, 0, "re_all"),
        movement("txn_8", "refund", -77, 0, "re_alone"),
    ]
    stripe["refunds"] += [
        {"id": name, "balance_transaction": taken, "failure_balance_transaction": came_back}
        for name, taken, came_back in (
            ("re_back", "txn_4", None),
            ("re_fails", "txn_5", "txn_6"),
            ("re_all", "txn_7", None),
            ("re_alone", "txn_8", None),
        )
    ]
    post(tables, "DR", OPEN_INVOICE, {"DocumentReferenceID": "A-0002"}, sale("-100.00", "119.00", "-19.00"))
    post(tables, "DR", PARTLY_INVOICE, {"DocumentReferenceID": "A-0003"}, even(sale("-100.00", "119.00", "-19.00")))
    post(tables, "DZ", "1400000001", {}, even(money("inpay_3", "30.00", PARTLY_INVOICE)))
    for number, name, items in (
        (BACK, "BACK", even(sale("10.00", "-11.90", "1.90"))),
        (FAILS, "FAILS", even(sale("5.00", "-5.95", "0.95"))),
        (OUT, "OUT", sale("1.00", "-1.19", "0.19")),
        (LOW, "LOW", sale("10.00", "-11.90", "1.90", OPEN_INVOICE)),
        (VOID, "VOID", sale("10.00", "-11.90", "1.90", OPEN_INVOICE)),
        (ALL, "ALL", even(sale("100.00", "-119.00", "19.00", PARTLY_INVOICE))),
    ):
        post(tables, "DG", number, {"DocumentReferenceID": f"N-{name}"}, items)
    charged = sale("-10.00", "11.90", "-1.90", OPEN_INVOICE)
    post(tables, "DR", CHARGED_AGAIN, {"DocumentReferenceID": "N-VOID"}, charged)
    post(tables, "DZ", BACK_PAID, {}, even(money("re_back", "-11.90", BACK)))
    post(tables, "DZ", FAILS_PAID, {}, even(money("re_fails", "-5.95", FAILS)))
    post(tables, "DZ", FAILS_BACK, {}, money("re_fails", "5.95"))
    post(tables, "DZ", ALL_PAID, {}, even(money("re_all", "-30.00", PARTLY_INVOICE)))
    return made


def sale(revenue: str, owed: str, tax: str, refers: str = "") -> Items:
    """Give the items of a sale, or with other signs of what is given back: revenue, customer and tax."""
    return [
        ("41000000", revenue, {"TaxCode": "A1"}),
        ("12100000", owed, {"Customer": "1000", **named(refers)}),
        ("22000000", tax, {"TaxCode": "A1", "AccountingDocumentItemType": "T"}),
    ]


def money(name: str, amount: str, refers: str = "") -> Items:
    """Give the items of a payment, or of a refund: the clearing account, and the customer with the opposite."""
    owed = str(-Decimal(amount))
    text = {"DocumentItemText": name}
    return [("11002080", amount, text), ("12100000", owed, {"Customer": "1000", **text, **named(refers)})]


def named(document: str) -> Raw:
    return {"InvoiceReference": document, "InvoiceReferenceFiscalYear": "2026"} if document else {}


def even(items: Items) -> Items:
    """Let the customer's item be cleared."""
    return [(account, amount, {**more, "IsCleared": "Customer" in more}) for account, amount, more in items]


def refunded_in_vain(made: Books) -> None:
    """Take a refund out, so that what it has evened is open."""
    gone(made, BACK_PAID)
    item(made, BACK, 2, IsCleared=False)


def other_amount(made: Books, number: str, *amounts: str) -> None:
    for place, amount in enumerate(amounts, start=1):
        item(made, number, place, amount=amount)


def test_in_books_that_agree_nothing_is_found() -> None:
    judgement = judge(judged(books(), credits=CREDITS, cases=CASES))
    assert judgement.findings == []
    assert judgement.posted["credit memo"] == judgement.wanted["credit memo"] == 6
    assert judgement.posted["refund"] == judgement.wanted["refund"] == 3
    assert {row["difference"] for row in judgement.totals.values()} == {Decimal(0)}


#: What is spoiled → the invariant that must break, and what the finding must name.
WRONG: dict[str, tuple[Callable[[Books], object], Invariant, tuple[str, ...]]] = {
    "a memo is not posted": (
        lambda made: gone(made, LOW),
        Invariant.NOTHING_LOST,
        ("credit memo N-LOW is not in s4hana",),
    ),
    "a memo is posted twice": (
        lambda made: again(made, OUT, "1600000009"),
        Invariant.NOTHING_TWICE,
        ("2 times credit memo cn_out",),
    ),
    "a memo has another amount": (
        lambda made: other_amount(made, OUT, "1.01", "-1.20", "0.19"),
        Invariant.BOOKS_AGREE,
        ("credit memo N-OUT: amount is 120 in s4hana", "119"),
    ),
    "a memo goes the other way": (
        lambda made: other_amount(made, OUT, "-1.00", "1.19", "-0.19"),
        Invariant.BOOKS_AGREE,
        ("credit memo N-OUT: amount is -119 in s4hana", "119"),
    ),
    "a memo has another tax": (
        lambda made: other_amount(made, OUT, "1.01", "-1.19", "0.18"),
        Invariant.BOOKS_AGREE,
        ("credit memo N-OUT: tax is 18 in s4hana", "19"),
    ),
    "a memo is on another account": (
        lambda made: item(made, OUT, 1, GLAccount="41000500"),
        Invariant.BOOKS_AGREE,
        ("credit memo N-OUT: account of line 1 is 41000500 in s4hana", "41000000"),
    ),
    "a line of a memo bears no tax code": (
        lambda made: item(made, OUT, 1, TaxCode=""),
        Invariant.BOOKS_AGREE,
        ("credit memo N-OUT: tax code of line 1", "A1"),
    ),
    "a memo names no invoice": (
        lambda made: item(made, LOW, 2, InvoiceReference=""),
        Invariant.BOOKS_AGREE,
        ("credit memo N-LOW: application", OPEN),
    ),
    "a memo names an invoice that is paid": (
        lambda made: item(made, OUT, 2, **named(PAID_INVOICE)),
        Invariant.BOOKS_AGREE,
        ("credit memo N-OUT: application is in_german in s4hana",),
    ),
    "a memo stands under another customer": (
        lambda made: item(made, OUT, 2, Customer="1001"),
        Invariant.BOOKS_AGREE,
        ("credit memo N-OUT: customer is 1001 in s4hana", "1000"),
    ),
    "a memo is of another day": (
        lambda made: whole(made, OUT, PostingDate=ANOTHER_DAY),
        Invariant.BOOKS_AGREE,
        (f"credit memo N-OUT: day is {ANOTHER_DAY} in s4hana", DAY),
    ),
    "a memo is posted in another company": (
        lambda made: in_company(made, OUT, "1110"),
        Invariant.BOOKS_AGREE,
        ("credit memo N-OUT: books is 1110 in s4hana", "1010"),
    ),
    "a memo that nothing was paid out of is cleared": (
        lambda made: item(made, OUT, 2, IsCleared=True),
        Invariant.BOOKS_AGREE,
        ("credit memo N-OUT: cleared is True in s4hana", "False"),
    ),
    "a memo is evened by what is none of its refunds": (
        lambda made: post(
            made["s4hana"]["tables"], "SA", "100000002", {}, [("12100000", "1.19", {"Customer": "1000", **named(OUT)})]
        ),
        Invariant.BOOKS_AGREE,
        ("credit memo N-OUT: open is 0 in s4hana", "119"),
    ),
    "a memo of a note that must stop is posted": (
        lambda made: post(
            made["s4hana"]["tables"],
            "DG",
            "1600000009",
            {"DocumentReferenceID": "N-FLAW"},
            sale("5.00", "-5.95", "0.95", OPEN_INVOICE),
        ),
        Invariant.EXCEPTIONS_EXPLAINED,
        ("credit memo N-FLAW is in s4hana although it must not be",),
    ),
    "a refund is not posted": (
        refunded_in_vain,
        Invariant.NOTHING_LOST,
        ("refund re_back of N-BACK is not in s4hana",),
    ),
    "a refund is posted twice": (
        lambda made: again(made, BACK_PAID, "1400000009"),
        Invariant.NOTHING_TWICE,
        ("2 times refund re_back",),
    ),
    "a refund has another amount": (
        lambda made: other_amount(made, BACK_PAID, "-11.89", "11.89"),
        Invariant.BOOKS_AGREE,
        ("refund re_back of N-BACK: amount is 1189 in s4hana", "1190"),
    ),
    "a refund pays out another memo": (
        lambda made: item(made, BACK_PAID, 2, **named(OUT)),
        Invariant.BOOKS_AGREE,
        ("refund re_back of N-BACK: application is cn_out in s4hana", "cn_back"),
    ),
    "a refund beside a payment pays out nothing": (
        lambda made: item(made, ALL_PAID, 2, InvoiceReference=""),
        Invariant.BOOKS_AGREE,
        ("refund re_all of N-ALL: application", PARTLY),
    ),
    "a refund comes from another account": (
        lambda made: item(made, BACK_PAID, 1, GLAccount="11001060"),
        Invariant.BOOKS_AGREE,
        ("refund re_back of N-BACK: account is 11001060 in s4hana", "11002080"),
    ),
    "a refund stays open": (
        lambda made: item(made, BACK_PAID, 2, IsCleared=False),
        Invariant.BOOKS_AGREE,
        ("refund re_back of N-BACK: cleared is False in s4hana", "True"),
    ),
    "a refund that no note explains is posted": (
        lambda made: post(made["s4hana"]["tables"], "DZ", "1400000009", {}, money("re_alone", "-0.77")),
        Invariant.EXCEPTIONS_EXPLAINED,
        ("refund re_alone is in s4hana although it must not be",),
    ),
    "a refund that failed stands": (
        lambda made: gone(made, FAILS_BACK),
        Invariant.NOTHING_LOST,
        ("reversal of a refund re_fails of N-FAILS is not in s4hana",),
    ),
    "a refund that failed is taken back twice": (
        lambda made: again(made, FAILS_BACK, "1400000009"),
        Invariant.NOTHING_TWICE,
        ("2 times reversal of a refund re_fails",),
    ),
    "what takes a refund back is of another day": (
        lambda made: whole(made, FAILS_BACK, PostingDate=ANOTHER_DAY),
        Invariant.BOOKS_AGREE,
        (f"reversal of a refund re_fails of N-FAILS: day is {ANOTHER_DAY} in s4hana", DAY),
    ),
    "what takes a refund back evens a memo": (
        lambda made: item(made, FAILS_BACK, 2, **named(FAILS)),
        Invariant.BOOKS_AGREE,
        ("reversal of a refund re_fails of N-FAILS: application is cn_fails in s4hana",),
    ),
    "a refund that succeeded is taken back": (
        lambda made: post(made["s4hana"]["tables"], "DZ", "1400000009", {}, money("re_back", "11.90")),
        Invariant.EXCEPTIONS_EXPLAINED,
        ("reversal of a refund re_back of N-BACK is in s4hana although it must not be",),
    ),
    "a voided note stands": (
        lambda made: gone(made, CHARGED_AGAIN),
        Invariant.NOTHING_LOST,
        ("reversal of a credit memo N-VOID is not in s4hana",),
    ),
    "a voided note is charged again twice": (
        lambda made: again(made, CHARGED_AGAIN, "1800000009"),
        Invariant.NOTHING_TWICE,
        ("2 times reversal of a credit memo cn_void",),
    ),
    "a voided note is charged again with another amount": (
        lambda made: other_amount(made, CHARGED_AGAIN, "-9.99", "11.89", "-1.90"),
        Invariant.BOOKS_AGREE,
        ("reversal of a credit memo N-VOID: total is 1189 in s4hana", "1190"),
    ),
    "a voided note is charged again on another account": (
        lambda made: item(made, CHARGED_AGAIN, 1, GLAccount="41000500"),
        Invariant.BOOKS_AGREE,
        ("reversal of a credit memo N-VOID: account of line 1 is 41000500 in s4hana",),
    ),
    "a note that is not void is charged again": (
        lambda made: post(
            made["s4hana"]["tables"],
            "DR",
            "1800000009",
            {"DocumentReferenceID": "N-LOW"},
            sale("-10.00", "11.90", "-1.90", OPEN_INVOICE),
        ),
        Invariant.EXCEPTIONS_EXPLAINED,
        ("reversal of a credit memo N-LOW is in s4hana although it must not be",),
    ),
    "an invoice of which all is given back is open": (
        lambda made: item(made, PARTLY_INVOICE, 2, IsCleared=False),
        Invariant.BOOKS_AGREE,
        ("invoice A-0003: cleared is False in s4hana", "True"),
    ),
    "an invoice that was lowered asks for more": (
        lambda made: post(
            made["s4hana"]["tables"],
            "SA",
            "100000002",
            {},
            [("12100000", "0.01", {"Customer": "1000", **named(OPEN_INVOICE)})],
        ),
        Invariant.BOOKS_AGREE,
        ("invoice A-0002: remaining is 10711 in s4hana", "10710"),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_whatever_is_wrong_is_seen(name: str) -> None:
    """Each mistake turns its own invariant red, and the finding names book and document."""
    spoil, broken, told = WRONG[name]
    made = books()
    spoil(made)
    findings = find(judged(made, credits=CREDITS, cases=CASES))
    texts = [finding.detail for finding in findings if finding.invariant is broken]
    assert any(all(part in text for part in told) for text in texts), findings


def test_a_memo_in_the_other_erp_is_seen() -> None:
    made = books()
    gone(made, OUT)
    memo = ErpCredit(
        id="5101",
        external_id="cn_out",
        number="N-OUT",
        currency="EUR",
        customer="77",
        total=Decimal(119),
        open=Decimal(119),
    )
    findings = {finding.detail for finding in find(judged(made, credits=replace(CREDITS, memos=[memo]), cases=CASES))}
    assert "netsuite has credit memo N-OUT, of which its source knows nothing" in findings


def test_what_is_charged_again_may_come_when_all_was_even() -> None:
    """Its invoice and its memo were cleared together with the payments by then, and stay so."""
    made = books()
    for number in (OPEN_INVOICE, LOW, VOID):
        item(made, number, 2, IsCleared=True)
    assert find(judged(made, credits=CREDITS, cases=CASES)) == []
