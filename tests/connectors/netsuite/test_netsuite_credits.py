"""The sandbox's credit memos, deposits and refunds: what they settle, what is left of them, and what they post."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

RECORDS = "/services/rest/record/v1"
RECEIVABLE, BANK, UNDEPOSITED, DEPOSITS, SALES, TAX = "119", "1", "122", "99", "54", "98"


def _memo(*amounts: str, **more: Any) -> dict[str, Any]:
    lines = [{"item": {"id": "101"}, "amount": float(amount)} for amount in amounts]
    return {"entity": {"id": "1001"}, "tranDate": "2026-02-01", "item": {"items": lines}, **more}


def _apply(*pairs: tuple[str, str | None]) -> dict[str, Any]:
    items = [{"doc": {"id": doc}, **({} if amount is None else {"amount": float(amount)})} for doc, amount in pairs]
    return {"items": items}


def _deposit(amount: str, **more: Any) -> dict[str, Any]:
    return {"customer": {"id": "1001"}, "tranDate": "2026-01-15", "payment": float(amount), **more}


def _refund(**more: Any) -> dict[str, Any]:
    return {"customer": {"id": "1001"}, "tranDate": "2026-02-10", "account": {"id": BANK}, **more}


async def _balances(plain: Any) -> dict[str, Decimal]:
    found = (await plain.books())["balances"].get("EUR", {})
    return {account: Decimal(amount) for account, amount in found.items() if Decimal(amount)}


async def _patch(plain: Any, path: str, body: Any, query: str = "") -> Any:
    return await plain.call("PATCH", f"{RECORDS}{path}{query}", body)


async def test_own_credit_memo_is_applied_to_invoices(plain: Any, make_invoice: Any) -> None:
    one = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    two = await plain.put("/invoice/eid:in_2", make_invoice("30.00"))
    body = _memo("80.00", apply=_apply((one.id, "50.00"), (two.id, None)))
    made = await plain.put("/creditMemo/eid:cn_1?replace=item,apply", body)
    memo = (await plain.get(f"/creditMemo/{made.id}?expandSubResources=true")).body
    assert (memo["total"], memo["applied"], memo["unapplied"], memo["status"]["id"]) == (80, 80, 0, "B")
    shown = [(line["doc"]["id"], line["amount"], line["due"], line["total"]) for line in memo["apply"]["items"]]
    assert shown == [(one.id, 50, 100, 100), (two.id, 30, 30, 30)]
    assert (await plain.get(f"/invoice/{one.id}")).body["amountRemaining"] == 50
    assert (await plain.get(f"/invoice/{two.id}")).body["status"]["id"] == "Paid In Full"
    assert await _balances(plain) == {RECEIVABLE: 50, SALES: -50}
    again = await plain.put("/creditMemo/eid:cn_1?replace=item,apply", body)
    assert again.id == made.id
    assert await _balances(plain) == {RECEIVABLE: 50, SALES: -50}


async def test_applications_are_merged_by_their_document_or_replaced(plain: Any, make_invoice: Any) -> None:
    one = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    two = await plain.put("/invoice/eid:in_2", make_invoice("100.00"))
    made = await plain.put("/creditMemo/eid:cn_1", _memo("80.00", apply=_apply((one.id, "50.00"))))

    async def applied() -> dict[str, Decimal]:
        lines = (await plain.get(f"/creditMemo/{made.id}/apply?expandSubResources=true")).body["items"]
        return {line["doc"]["id"]: line["amount"] for line in lines}

    await _patch(plain, f"/creditMemo/{made.id}", {"apply": _apply((two.id, "20.00"))})
    assert await applied() == {one.id: 50, two.id: 20}
    await _patch(plain, f"/creditMemo/{made.id}", {"apply": _apply((two.id, "30.00"))})
    assert await applied() == {one.id: 50, two.id: 30}
    await _patch(plain, f"/creditMemo/{made.id}", {"apply": _apply((two.id, "10.00"))}, "?replace=apply")
    assert await applied() == {two.id: 10}
    await _patch(plain, f"/creditMemo/{made.id}", {"apply": {"items": [{"doc": {"id": two.id}, "apply": False}]}})
    assert await applied() == {}
    assert (await plain.get(f"/creditMemo/{made.id}")).body["unapplied"] == 80


async def test_credit_memo_applies_itself_to_the_oldest(plain: Any, make_invoice: Any) -> None:
    await plain.put("/invoice/eid:later", make_invoice("100.00", tranDate="2026-03-01"))
    await plain.put("/invoice/eid:first", make_invoice("100.00", tranDate="2026-01-01"))
    made = await plain.put("/creditMemo/eid:cn_1", _memo("120.00", autoApply=True))
    left = {one["externalId"]: one["amountRemaining"] for one in (await plain.books())["invoices"]}
    assert left == {"later": "80.00", "first": "0.00"}
    assert "autoApply" not in (await plain.get(f"/creditMemo/{made.id}")).body


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"apply": _apply(("5001", "100.01"))}, "apply.items[0].amount"),
        ({"apply": _apply(("5001", "90.00"), ("5002", "20.00"))}, "apply"),
        ({"apply": _apply(("5003", None))}, "apply.items[0].doc"),
        ({"apply": _apply(("9999", None))}, "apply.items[0].doc"),
        ({"item": {"items": []}}, "item"),
        ({"entity": None}, "entity"),
        ({"dueDate": "2026-03-01"}, "dueDate"),
    ],
)
async def test_bad_credit_memos_are_refused(plain: Any, make_invoice: Any, changed: dict[str, Any], path: str) -> None:
    await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    await plain.put("/invoice/eid:in_2", make_invoice("100.00"))
    await plain.put("/invoice/eid:in_3", make_invoice("1500", customer="cus_2"))
    answer = await plain.put("/creditMemo/eid:cn_1", {**_memo("100.00"), **changed})
    assert (answer.status, answer.error["o:errorPath"]) == (400, path)
    assert not (await plain.books())["creditMemos"]


async def test_external_ids_are_shared_by_all_transactions(plain: Any, make_invoice: Any) -> None:
    invoice = await plain.put("/invoice/eid:doc_1", make_invoice("100.00"))
    taken = await plain.put("/creditMemo/eid:doc_1", _memo("1.00"))
    assert (taken.status, taken.error["o:errorCode"]) == (400, "USER_ERROR")
    assert "already exists" in taken.error["detail"]
    by_name = {"items": [{"doc": {"externalId": "doc_1"}, "amount": 1.0}]}
    made = await plain.put("/creditMemo/eid:doc_2", _memo("1.00", apply=by_name))
    lines = (await plain.get(f"/creditMemo/{made.id}/apply?expandSubResources=true")).body["items"]
    assert lines[0]["doc"]["id"] == invoice.id


async def test_refund_pays_out_credit_memo_overpayment_and_deposit(plain: Any, make_invoice: Any) -> None:
    invoice = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    apply = _apply((invoice.id, "100.00"))
    payment = await plain.post("/customerPayment", {"customer": {"id": "1001"}, "payment": 130.0, "apply": apply})
    memo = await plain.put("/creditMemo/eid:cn_1", _memo("20.00"))
    deposit = await plain.put("/customerDeposit/eid:dep_1", _deposit("50.00"))
    assert (await plain.get("/customer/1001")).body["balance"] == -50
    assert (await plain.get("/customer/1001")).body["depositBalance"] == 50
    lists = {"apply": _apply((payment.id, None), (memo.id, "15.00")), "deposit": _apply((deposit.id, "50.00"))}
    made = await plain.put("/customerRefund/eid:re_1?replace=apply,deposit", _refund(**lists))
    refund = (await plain.get(f"/customerRefund/{made.id}?expandSubResources=true")).body
    assert refund["total"] == 95
    shown = [(line["type"], line["amount"], line["due"]) for line in refund["apply"]["items"]]
    assert shown == [("Payment", 30, 30), ("Credit Memo", 15, 20)]
    assert [(line["amount"], line["remaining"]) for line in refund["deposit"]["items"]] == [(50, 50)]
    assert (await plain.get(f"/customerPayment/{payment.id}")).body["unapplied"] == 0
    assert (await plain.get(f"/creditMemo/{memo.id}")).body["unapplied"] == 5
    assert (await plain.get(f"/customerDeposit/{deposit.id}")).body["status"]["refName"] == "Fully Applied"
    customer = (await plain.get("/customer/1001")).body
    assert (customer["balance"], customer["depositBalance"]) == (-5, 0)
    assert await _balances(plain) == {RECEIVABLE: -5, UNDEPOSITED: 180, BANK: -95, SALES: -80}


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"apply": _apply(("5002", "20.01"))}, "apply.items[0].amount"),
        ({"apply": _apply(("5002", "-1.00"))}, "apply.items[0].amount"),
        ({"apply": _apply(("5001", "1.00"))}, "apply.items[0].doc"),
        ({"apply": _apply(("5003", "1.00"))}, "apply.items[0].doc"),
        ({"apply": _apply(("5002", "1.00"), ("5002", "1.00"))}, "apply.items[1].doc"),
        ({"deposit": _apply(("5002", "1.00"))}, "deposit.items[0].doc"),
        ({"apply": _apply()}, "apply"),
        ({"account": None}, "account"),
        ({"customer": {"id": "1002"}}, "apply.items[0].doc"),
        ({"total": 3, "payment": 3}, "payment"),
    ],
)
async def test_bad_refunds_are_refused(plain: Any, make_invoice: Any, changed: dict[str, Any], path: str) -> None:
    await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    await plain.put("/creditMemo/eid:cn_1", _memo("20.00"))
    await plain.put("/customerDeposit/eid:dep_1", _deposit("50.00"))
    answer = await plain.put("/customerRefund/eid:re_1", {**_refund(apply=_apply(("5002", "20.00"))), **changed})
    assert (answer.status, answer.error["o:errorPath"]) == (400, path)
    books = await plain.books()
    assert not books["refunds"]
    assert books["creditMemos"][0]["unapplied"] == "20.00"


async def test_what_a_refund_has_paid_out_cannot_be_used_again(plain: Any, make_invoice: Any) -> None:
    invoice = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    memo = await plain.put("/creditMemo/eid:cn_1", _memo("20.00"))
    await plain.put("/customerRefund/eid:re_1", _refund(apply=_apply((memo.id, "20.00"))))
    body = {"apply": _apply((invoice.id, "0.01"))}
    assert (await _patch(plain, f"/creditMemo/{memo.id}", body)).status == 400
    less = {"item": {"items": [{"line": 1, "amount": 19.99}]}}
    assert (await _patch(plain, f"/creditMemo/{memo.id}", less)).error["o:errorPath"] == "total"
    assert (await plain.call("DELETE", f"{RECORDS}/creditMemo/{memo.id}")).status == 400
    assert (await plain.call("DELETE", f"{RECORDS}/customerRefund/5003")).status == 204
    assert (await plain.get(f"/creditMemo/{memo.id}")).body["unapplied"] == 20
    assert (await _patch(plain, f"/creditMemo/{memo.id}", body)).status == 204


async def test_deposit_is_no_receivable_until_it_is_applied(plain: Any, make_invoice: Any) -> None:
    deposit = await plain.put("/customerDeposit/eid:dep_1", _deposit("120.00", account={"id": BANK}))
    assert await _balances(plain) == {BANK: 120, DEPOSITS: -120}
    shown = (await plain.get(f"/customerDeposit/{deposit.id}")).body
    assert (shown["payment"], shown["total"], shown["status"]["refName"]) == (120, 120, "Deposited")
    invoice = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    path = f"/customerDeposit/{deposit.id}/!transform/depositApplication"
    applied = await plain.post(path, {"tranDate": "2026-02-01", "apply": _apply((invoice.id, None))})
    application = (await plain.get(f"/depositApplication/{applied.id}?expandSubResources=true")).body
    assert (application["total"], application["depositDate"]) == (100, "2026-01-15")
    assert (application["deposit"]["id"], application["deposit"]["refName"]) == (
        deposit.id,
        "Customer Deposit #DEP00001",
    )
    assert (await plain.get(f"/invoice/{invoice.id}")).body["amountRemaining"] == 0
    assert await _balances(plain) == {BANK: 120, DEPOSITS: -20, SALES: -100}
    too_much = await plain.put("/invoice/eid:in_2", make_invoice("30.00"))
    refused = await plain.post(path, {"apply": _apply((too_much.id, "30.00"))})
    assert (refused.status, refused.error["o:errorPath"]) == (400, "apply")
    assert (await plain.post(path, {})).error["o:errorPath"] == "apply"
    less = await plain.put("/customerDeposit/eid:dep_1", _deposit("99.99"))
    assert less.error["o:errorPath"] == "payment"
    assert (await plain.call("DELETE", f"{RECORDS}/customerDeposit/{deposit.id}")).status == 400
    assert (await plain.call("DELETE", f"{RECORDS}/depositApplication/{applied.id}")).status == 204
    assert (await plain.get(f"/invoice/{invoice.id}")).body["amountRemaining"] == 100
    assert await _balances(plain) == {BANK: 120, DEPOSITS: -120, RECEIVABLE: 130, SALES: -130}


@pytest.mark.parametrize("changed", [{"payment": 0}, {"payment": None}, {"payment": -1}, {"payment": 1.005}])
async def test_bad_deposits_are_refused(plain: Any, changed: dict[str, Any]) -> None:
    answer = await plain.put("/customerDeposit/eid:dep_1", {**_deposit("1.00"), **changed})
    assert (answer.status, answer.error["o:errorPath"]) == (400, "payment")


async def test_what_is_left_is_refunded_by_transform(plain: Any, make_invoice: Any) -> None:
    deposit = await plain.put("/customerDeposit/eid:dep_1", _deposit("120.00", account={"id": BANK}))
    invoice = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    path = f"/customerDeposit/{deposit.id}/!transform"
    await plain.post(f"{path}/depositApplication", {"apply": _apply((invoice.id, None))})
    refund = await plain.post(f"{path}/customerRefund", {"memo": "the rest"})
    assert (await plain.get(f"/customerRefund/{refund.id}")).body["total"] == 20
    assert (await plain.post(f"{path}/customerRefund", {})).status == 400
    memo = await plain.put("/creditMemo/eid:cn_1", _memo("7.00"))
    no_account = await plain.post(f"/creditMemo/{memo.id}/!transform/customerRefund", {})
    assert no_account.error["o:errorPath"] == "account"
    paid = await plain.post(f"/creditMemo/{memo.id}/!transform/customerRefund", {"account": {"id": BANK}})
    assert (await plain.get(f"/customerRefund/{paid.id}")).body["total"] == 7
    assert await _balances(plain) == {BANK: 93, SALES: -93}


async def test_invoice_is_paid_by_transform(plain: Any, make_invoice: Any) -> None:
    invoice = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    paid = await plain.post(f"/invoice/{invoice.id}/!transform/customerPayment", {"tranDate": "2026-02-01"})
    payment = (await plain.get(f"/customerPayment/{paid.id}")).body
    assert (payment["payment"], payment["applied"]) == (100, 100)
    assert (await plain.get(f"/invoice/{invoice.id}")).body["amountRemaining"] == 0
    assert (await plain.post(f"/invoice/{invoice.id}/!transform/customerPayment", {})).status == 400
    assert (await plain.post(f"/customerPayment/{paid.id}/!transform/invoice", {})).status == 400
