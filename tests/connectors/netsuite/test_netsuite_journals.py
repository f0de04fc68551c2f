"""The sandbox's journal entries: balance, whose receivable they move, what may be applied to them, and reversal."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

RECORDS = "/services/rest/record/v1"
RECEIVABLE, BANK, SALES, FEES = "119", "1", "54", "60"


def _line(account: str, **more: Any) -> dict[str, Any]:
    return {"account": {"id": account}, **more}


def _journal(*lines: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"subsidiary": {"id": "2"}, "tranDate": "2026-02-01", "line": {"items": list(lines)}, **more}


FEE = (_line(FEES, debit=2.5, memo="fee"), _line(BANK, credit=2.5))
OWED = (_line(RECEIVABLE, debit=40.0, entity={"id": "1001"}), _line(BANK, credit=40.0))


async def _balances(plain: Any, currency: str = "EUR") -> dict[str, Decimal]:
    found = (await plain.books())["balances"].get(currency, {})
    return {account: Decimal(amount) for account, amount in found.items() if Decimal(amount)}


async def _patch(plain: Any, path: str, body: Any, query: str = "") -> Any:
    return await plain.call("PATCH", f"{RECORDS}{path}{query}", body)


async def test_journal_posts_its_lines(plain: Any) -> None:
    made = await plain.put("/journalEntry/eid:fee_1?replace=line", _journal(*FEE, memo="payout"))
    shown = (await plain.get(f"/journalEntry/{made.id}?expandSubResources=true")).body
    assert (shown["currency"]["refName"], shown["exchangeRate"], shown["approved"]) == ("Euro", 1, True)
    assert [(line["line"], line.get("debit"), line.get("credit")) for line in shown["line"]["items"]] == [
        (1, Decimal("2.5"), None),
        (2, None, Decimal("2.5")),
    ]
    assert shown["postingPeriod"]["refName"] == "Feb 2026"
    assert "status" not in shown
    again = await plain.put("/journalEntry/eid:fee_1?replace=line", _journal(*FEE))
    assert again.id == made.id
    assert await _balances(plain) == {FEES: Decimal("2.5"), BANK: Decimal("-2.5")}


async def test_without_replace_lines_are_added(plain: Any) -> None:
    made = await plain.put("/journalEntry/eid:fee_1", _journal(*FEE))
    await plain.put("/journalEntry/eid:fee_1", _journal(*FEE))
    assert await _balances(plain) == {FEES: 5, BANK: -5}
    sides = {"line": {"items": [{"line": 1, "credit": 2.5}, {"line": 2, "debit": 2.5}]}}
    assert (await _patch(plain, f"/journalEntry/{made.id}", sides)).status == 204
    assert await _balances(plain) == {}


@pytest.mark.parametrize(
    ("lines", "path"),
    [
        ((_line(FEES, debit=2.5), _line(BANK, credit=2.4)), "line"),
        ((_line(FEES, debit=2.5),), "line"),
        ((), "line"),
        ((_line(FEES, debit=2.5, credit=2.5), _line(BANK, credit=2.5)), "line.items[0]"),
        ((_line(FEES), _line(BANK, credit=2.5)), "line.items[0]"),
        ((_line(FEES, debit=0), _line(BANK, credit=0)), "line.items[0]"),
        ((_line(FEES, debit=-1), _line(BANK, credit=-1)), "line.items[0].debit"),
        ((_line(FEES, debit=1.005), _line(BANK, credit=1.005)), "line.items[0].debit"),
        (({"debit": 1}, _line(BANK, credit=1)), "line.items[0].account"),
        ((_line("9999", debit=1), _line(BANK, credit=1)), "line.items[0].account"),
        ((_line(RECEIVABLE, debit=1), _line(BANK, credit=1)), "line.items[0].entity"),
        ((_line(RECEIVABLE, debit=1, entity={"id": "1002"}), _line(BANK, credit=1)), "line.items[0].entity"),
    ],
)
async def test_bad_lines_are_refused(plain: Any, lines: tuple[dict[str, Any], ...], path: str) -> None:
    answer = await plain.put("/journalEntry/eid:fee_1", _journal(*lines))
    assert (answer.status, answer.error["o:errorPath"]) == (400, path)
    assert not (await plain.books())["journals"]


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"subsidiary": None}, "subsidiary"),
        ({"subsidiary": {"id": "77"}}, "subsidiary"),
        ({"currency": {"id": "1"}, "exchangeRate": -1}, "exchangeRate"),
        ({"exchangeRate": 2}, "exchangeRate"),
        ({"reversalDate": "2026-01-31"}, "reversalDate"),
        ({"tranDate": "1999-01-01"}, "tranDate"),
        ({"customer": {"id": "1001"}}, "customer"),
    ],
)
async def test_bad_journals_are_refused(plain: Any, changed: dict[str, Any], path: str) -> None:
    answer = await plain.put("/journalEntry/eid:fee_1", {**_journal(*FEE), **changed})
    assert (answer.status, answer.error["o:errorPath"]) == (400, path)


async def test_journal_that_awaits_approval_posts_nothing(plain: Any) -> None:
    made = await plain.put("/journalEntry/eid:fee_1", _journal(*OWED, approvalStatus={"id": "1"}))
    assert await _balances(plain) == {}
    assert (await plain.get("/customer/1001")).body["balance"] == 0
    await _patch(plain, f"/journalEntry/{made.id}", {"approvalStatus": {"id": "2"}})
    assert await _balances(plain) == {RECEIVABLE: 40, BANK: -40}
    assert (await plain.get("/customer/1001")).body["balance"] == 40


async def test_payment_moves_from_its_invoice_to_the_journal_that_took_it_back(plain: Any, make_invoice: Any) -> None:
    invoice = await plain.put("/invoice/eid:in_1", make_invoice("40.00"))
    body = {"customer": {"id": "1001"}, "payment": 40.0, "apply": {"items": [{"doc": {"id": invoice.id}}]}}
    payment = await plain.put("/customerPayment/eid:pay_1", body)
    journal = await plain.put("/journalEntry/eid:back_1", _journal(*OWED))
    assert (await plain.get("/customer/1001")).body["balance"] == 40
    body["apply"] = {"items": [{"doc": {"id": journal.id}}]}
    moved = await plain.put("/customerPayment/eid:pay_1?replace=apply", body)
    assert moved.id == payment.id
    line = (await plain.get(f"/customerPayment/{payment.id}?expandSubResources=true")).body["apply"]["items"][0]
    assert (line["doc"]["id"], line["type"], line["amount"], line["due"]) == (journal.id, "Journal", 40, 40)
    assert (await plain.get(f"/invoice/{invoice.id}")).body["amountRemaining"] == 40
    assert (await plain.get("/customer/1001")).body["balance"] == 40
    less = {"line": {"items": [{"line": 1, "debit": 39.0}, {"line": 2, "credit": 39.0}]}}
    assert (await _patch(plain, f"/journalEntry/{journal.id}", less)).error["o:errorPath"] == "line"
    assert (await plain.call("DELETE", f"{RECORDS}/journalEntry/{journal.id}")).status == 400
    over = {**body, "payment": 41.0, "apply": {"items": [{"doc": {"id": journal.id}, "amount": 41.0}]}}
    assert (await plain.put("/customerPayment/eid:pay_1", over)).error["o:errorPath"] == "apply.items[0].amount"


async def test_credit_of_a_journal_is_refunded(plain: Any) -> None:
    lines = (_line(RECEIVABLE, credit=40.0, entity={"id": "1001"}), _line(SALES, debit=40.0))
    journal = await plain.put("/journalEntry/eid:credit_1", _journal(*lines))
    assert (await plain.get("/customer/1001")).body["balance"] == -40
    apply = {"items": [{"doc": {"id": journal.id}, "amount": 30.0}]}
    refund = {"customer": {"id": "1001"}, "account": {"id": BANK}, "apply": apply}
    assert (await plain.put("/customerRefund/eid:re_1", refund)).status == 204
    assert (await plain.get("/customer/1001")).body["balance"] == -10
    apply["items"][0]["amount"] = 40.01
    assert (await plain.put("/customerRefund/eid:re_1", refund)).status == 400


async def test_reversal_is_an_entry_of_its_own(plain: Any) -> None:
    made = await plain.put("/journalEntry/eid:fee_1?replace=line", _journal(*OWED, reversalDate="2026-03-01"))
    original, reversal = (await plain.books())["journals"]
    if original["id"] != made.id:
        original, reversal = reversal, original
    shown = (await plain.get(f"/journalEntry/{reversal['id']}?expandSubResources=true")).body
    assert (shown["isReversal"], shown["createdFrom"]["id"], shown["tranDate"]) == (True, made.id, "2026-03-01")
    assert shown["reversalEntry"] == original["tranId"]
    assert [(line["account"]["id"], line.get("debit"), line.get("credit")) for line in shown["line"]["items"]] == [
        (RECEIVABLE, None, 40),
        (BANK, 40, None),
    ]
    assert (await plain.get(f"/journalEntry/{made.id}")).body["reversalEntry"] == shown["tranId"]
    assert await _balances(plain) == {}
    assert (await plain.get("/customer/1001")).body["balance"] == 0
    assert (await _patch(plain, f"/journalEntry/{reversal['id']}", {"memo": "x"})).status == 400
    assert (await plain.call("DELETE", f"{RECORDS}/journalEntry/{reversal['id']}")).status == 400
    await plain.put("/journalEntry/eid:fee_1?replace=line", _journal(*OWED, reversalDate="2026-04-01"))
    assert (await plain.get(f"/journalEntry/{reversal['id']}")).body["postingPeriod"]["refName"] == "Apr 2026"
    assert len((await plain.books())["journals"]) == 2
    await plain.put("/journalEntry/eid:fee_1?replace=line", _journal(*OWED, reversalDate=None))
    assert await _balances(plain) == {RECEIVABLE: 40, BANK: -40}
    assert [one["id"] for one in (await plain.books())["journals"]] == [made.id]


async def test_reversal_needs_an_open_period(plain: Any) -> None:
    await plain.seed({"close": ["Mar 2026"]})
    answer = await plain.put("/journalEntry/eid:fee_1", _journal(*FEE, reversalDate="2026-03-01"))
    assert (answer.status, answer.error["o:errorPath"]) == (400, "postingPeriod")
    assert not (await plain.books())["journals"]
    made = await plain.put("/journalEntry/eid:fee_1", _journal(*FEE, reversalDate="2026-04-01"))
    await plain.seed({"close": ["Apr 2026"]})
    assert (await plain.call("DELETE", f"{RECORDS}/journalEntry/{made.id}")).status == 400
    await plain.seed({"open": ["Apr 2026"]})
    assert (await plain.call("DELETE", f"{RECORDS}/journalEntry/{made.id}")).status == 204
    assert await _balances(plain) == {}
    assert not (await plain.books())["journals"]


@pytest.mark.parametrize(
    ("account", "currency", "words"),
    [
        ("222", "4", "is kept in CHF; the transaction is in EUR"),
        ("211", "1", "Invalid account reference key 211 for subsidiary 2"),
    ],
)
async def test_a_bank_account_has_one_currency_and_one_subsidiary(
    plain: Any, account: str, currency: str, words: str
) -> None:
    lines = (_line(account, debit=2.5), _line("123", credit=2.5))
    answer = await plain.put("/journalEntry/eid:po_1?replace=line", _journal(*lines, currency={"id": currency}))
    assert (answer.status, answer.error["o:errorPath"]) == (400, "account")
    assert words in answer.error["detail"]
    assert not (await plain.books())["journals"]
    # The clearing account takes every currency of every subsidiary.
    right = (_line("222", debit=2.5), _line("123", credit=2.5))
    assert (await plain.put("/journalEntry/eid:po_1", _journal(*right, currency={"id": "8"}))).status == 204
    assert await _balances(plain, "CHF") == {"222": Decimal("2.5"), "123": Decimal("-2.5")}


async def test_a_payment_goes_to_an_account_of_its_own_currency(plain: Any, make_invoice: Any) -> None:
    made = await plain.post("/invoice", make_invoice("100.00"))
    body = {"customer": {"id": "1001"}, "payment": 5, "apply": {"items": [{"doc": {"id": made.id}, "apply": True}]}}
    refused = await plain.post("/customerPayment", {**body, "account": {"id": "222"}})
    assert (refused.status, refused.error["o:errorPath"]) == (400, "account")
    assert not (await plain.books())["payments"]
    assert (await plain.post("/customerPayment", {**body, "account": {"id": "221"}})).status == 204
    assert (await _balances(plain))["221"] == 5
