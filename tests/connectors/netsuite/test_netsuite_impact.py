"""What SuiteQL tells of the sandbox's books: lines, GL impact, revenue arrangements and their elements."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

LINES = "SELECT id, foreignamount, mainline FROM transactionline WHERE transaction = ? ORDER BY id"
IMPACT = (
    "SELECT transactionline, account, amount, debit, credit FROM transactionaccountingline "
    "WHERE transaction = ? ORDER BY transactionline"
)
JOURNAL = {
    "subsidiary": {"id": "2"},
    "currency": {"id": "1"},
    "exchangeRate": 0.9,
    "line": {
        "items": [{"account": {"id": "60"}, "debit": 10.0, "memo": "fee"}, {"account": {"id": "1"}, "credit": 10.0}]
    },
}


async def _rows(plain: Any, query: str, *params: str) -> list[dict[str, str]]:
    answer = await plain.query(query, *params)
    assert answer.status == 200, answer.body
    return [{name: value for name, value in row.items() if name != "links"} for row in answer.body["items"]]


async def test_invoice_posts_in_the_currency_of_the_books(plain: Any, make_invoice: Any) -> None:
    body = make_invoice("0.55", "0.55", tax="0.20", currency={"id": "1"}, exchangeRate=0.9)
    made = await plain.put("/invoice/eid:in_1", body)
    assert await _rows(plain, LINES, made.id) == [
        {"id": "0", "foreignamount": "1.3", "mainline": "T"},
        {"id": "1", "foreignamount": "-0.55", "mainline": "F"},
        {"id": "2", "foreignamount": "-0.55", "mainline": "F"},
        {"id": "3", "foreignamount": "-0.2", "mainline": "F"},
        # What rounding each line has left stands in the books' currency alone, behind the lines of tax and discount.
        {"id": "5", "foreignamount": "0", "mainline": "F"},
    ]
    assert await _rows(plain, IMPACT, made.id) == [
        {"transactionline": "0", "account": "119", "amount": "1.17", "debit": "1.17"},
        {"transactionline": "1", "account": "54", "amount": "-0.5", "credit": "0.5"},
        {"transactionline": "2", "account": "54", "amount": "-0.5", "credit": "0.5"},
        {"transactionline": "3", "account": "98", "amount": "-0.18", "credit": "0.18"},
        {"transactionline": "5", "account": "57", "amount": "0.01", "debit": "0.01"},
    ]


async def test_impact_of_all_transactions_is_the_balance_of_the_books(plain: Any, make_invoice: Any) -> None:
    invoice = await plain.put("/invoice/eid:in_1", make_invoice("100.00", currency={"id": "1"}, exchangeRate=0.9))
    paid = {"customer": {"id": "1001"}, "currency": {"id": "1"}, "exchangeRate": 0.95}
    await plain.put("/customerPayment/eid:pay_1", {**paid, "apply": {"items": [{"doc": {"id": invoice.id}}]}})
    await plain.put("/journalEntry/eid:je_1", JOURNAL)
    rows = await _rows(plain, "SELECT account, SUM(amount) total FROM transactionaccountingline GROUP BY account")
    books = (await plain.books())["baseBalances"]["2"]
    assert {row["account"]: Decimal(row["total"]) for row in rows} == {
        account: Decimal(amount) for account, amount in books.items()
    }
    assert sum(Decimal(row["total"]) for row in rows) == 0


async def test_lines_of_a_journal_and_of_what_awaits_approval(plain: Any, make_invoice: Any) -> None:
    made = await plain.put("/journalEntry/eid:je_1", JOURNAL)
    query = "SELECT id, foreignamount, memo FROM transactionline WHERE transaction = ? ORDER BY id"
    assert await _rows(plain, query, made.id) == [
        {"id": "1", "foreignamount": "10", "memo": "fee"},
        {"id": "2", "foreignamount": "-10"},
    ]
    pending = await plain.put("/invoice/eid:in_1", make_invoice("7.00", approvalStatus={"id": "1"}))
    assert await _rows(plain, LINES, pending.id) == [{"id": "1", "foreignamount": "-7", "mainline": "F"}]
    assert await _rows(plain, IMPACT, pending.id) == []
    types = await _rows(plain, "SELECT type, foreigntotal FROM transaction ORDER BY id")
    assert types == [{"type": "Journal", "foreigntotal": "10"}, {"type": "CustInvc", "foreigntotal": "7"}]


async def test_lines_with_dates_make_a_revenue_arrangement(plain: Any, make_invoice: Any) -> None:
    await plain.seed({"references": {"item": [{"id": "101", "deferredRevenueAccount": "97"}]}})
    body = make_invoice("120.00", "10.00", "60.00", "5.00")
    lines = body["item"]["items"]
    lines[0] |= {"revRecStartDate": "2026-01-01", "revRecEndDate": "2026-12-31"}
    lines[2] |= {"revRecStartDate": "2026-02-01", "revRecEndDate": "2026-03-31"}
    lines[3] |= {"revRecStartDate": "2026-02-01", "revRecEndDate": "2026-03-31", "doNotCreateRevenueElement": True}
    made = await plain.put("/invoice/eid:in_1", body)
    await plain.put("/invoice/eid:in_2", make_invoice("10.00"))
    shown = (await plain.get(f"/invoice/{made.id}")).body
    assert (shown["deferredRevenue"], shown["recognizedRevenue"]) == (180, 0)
    assert (await plain.books())["balances"]["EUR"] == {"119": "205.00", "97": "-180.00", "54": "-25.00"}
    query = "SELECT id, totalrevenueamount, entity FROM revenuearrangement"
    assert await _rows(plain, query) == [{"id": made.id, "totalrevenueamount": "180", "entity": "1001"}]
    query = (
        "SELECT referenceline, salesamount, revrecstartdate, revrecenddate, deferralaccount, recognitionaccount "
        "FROM revenueelement WHERE revenuearrangement = ? ORDER BY referenceline"
    )
    first, second = await _rows(plain, query, made.id)
    assert first == {
        "referenceline": "1",
        "salesamount": "120",
        "revrecstartdate": "1/1/2026",
        "revrecenddate": "12/31/2026",
        "deferralaccount": "97",
        "recognitionaccount": "54",
    }
    assert (second["referenceline"], second["salesamount"]) == ("3", "60")
    await plain.post(f"/invoice/{made.id}/!transform/creditMemo", {})
    assert (await _rows(plain, "SELECT id, totalrevenueamount FROM revenuearrangement")) == [
        {"id": made.id, "totalrevenueamount": "0"}
    ]
