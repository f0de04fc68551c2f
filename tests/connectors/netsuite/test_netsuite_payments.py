"""The sandbox's payments and credits: what is due, what may be applied, and to whom."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.netsuite.standing import holds
from hub.sdk.exact_json import dumps
from hub.sdk.values import Request, Response

RECORDS = "/services/rest/record/v1"


def _payment(doc: str, amount: float | None = None, **more: Any) -> dict[str, Any]:
    line: dict[str, Any] = {"doc": {"id": doc}, "apply": True}
    if amount is not None:
        line["amount"] = amount
    return {"customer": {"id": "1001"}, "tranDate": "2026-02-01", "apply": {"items": [line]}, **more}


async def test_partial_payments_settle_an_invoice(plain: Any, make_invoice: Any) -> None:
    made = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    first = await plain.post("/customerPayment", _payment(made.id, 40.25, payment=40.25, memo="first"))
    invoice = (await plain.get(f"/invoice/{made.id}")).body
    assert (invoice["amountPaid"], invoice["amountRemaining"]) == (Decimal("40.25"), Decimal("59.75"))
    await plain.post("/customerPayment", _payment(made.id))
    invoice = (await plain.get(f"/invoice/{made.id}")).body
    assert invoice["amountRemaining"] == 0
    assert invoice["status"]["id"] == "Paid In Full"
    payment = (await plain.get(f"/customerPayment/{first.id}?expandSubResources=true")).body
    assert (payment["payment"], payment["applied"], payment["unapplied"]) == (Decimal("40.25"), Decimal("40.25"), 0)
    line = payment["apply"]["items"][0]
    assert (line["doc"]["id"], line["amount"], line["apply"], line["refNum"]) == (
        made.id,
        Decimal("40.25"),
        True,
        invoice["tranId"],
    )
    assert payment["memo"] == "first"
    assert (await plain.get("/customer/1001")).body["balance"] == 0


async def test_remainder_may_stay_unapplied(plain: Any, make_invoice: Any) -> None:
    made = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    paid = await plain.post("/customerPayment", _payment(made.id, payment=130))
    payment = (await plain.get(f"/customerPayment/{paid.id}")).body
    assert (payment["applied"], payment["unapplied"]) == (100, 30)
    assert (await plain.get("/customer/1001")).body["balance"] == -30
    assert (await plain.post("/customerPayment", {"customer": {"id": "1001"}, "payment": 5})).status == 204


@pytest.mark.parametrize(
    "changed",
    [
        {"apply": {"items": [{"doc": {"id": "5001"}, "amount": 100.01}]}},
        {"apply": {"items": [{"doc": {"id": "5001"}, "amount": -1}]}},
        {"apply": {"items": [{"doc": {"id": "5001"}, "amount": 0.005}]}},
        {"apply": {"items": [{"doc": {"id": "9999"}}]}},
        {"apply": {"items": [{"amount": 1}]}},
        {"apply": {"items": [{"doc": {"id": "5001"}, "amount": 1}, {"doc": {"id": "5001"}, "amount": 1}]}},
        {"customer": {"id": "1002"}},
        {"customer": None},
        {"currency": {"id": "1"}},
        {"payment": 1, "apply": {"items": [{"doc": {"id": "5001"}, "amount": 2}]}},
        {"payment": -1},
        {"apply": {"items": []}},
        {"entity": {"id": "1001"}},
    ],
)
async def test_bad_payments_are_refused(plain: Any, make_invoice: Any, changed: dict[str, Any]) -> None:
    made = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    assert made.id == "5001"
    answer = await plain.post("/customerPayment", {**_payment("5001"), **changed})
    assert answer.status == 400, answer.body
    books = await plain.books()
    assert not books["payments"]
    assert books["invoices"][0]["amountRemaining"] == "100.00"


async def test_paid_invoice_takes_no_more_and_keeps_its_worth(plain: Any, make_invoice: Any) -> None:
    made = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    await plain.post("/customerPayment", _payment(made.id))
    assert (await plain.post("/customerPayment", _payment(made.id, 1))).status == 400
    assert (await plain.put("/invoice/eid:in_1?replace=item", make_invoice("99.99"))).status == 400
    assert (await plain.put("/invoice/eid:in_1?replace=item", make_invoice("100.01"))).status == 204
    assert (await plain.call("DELETE", f"{RECORDS}/invoice/{made.id}")).status == 400


async def test_deleted_payment_opens_the_invoice_again(plain: Any, make_invoice: Any) -> None:
    made = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    paid = await plain.post("/customerPayment", _payment(made.id))
    assert (await plain.call("DELETE", f"{RECORDS}/customerPayment/{paid.id}")).status == 204
    assert (await plain.get(f"/invoice/{made.id}")).body["amountRemaining"] == 100
    books = await plain.books()
    assert [one["type"] for one in books["deleted"]] == ["customerPayment"]
    assert books["balances"]["EUR"] == {"119": "100.00", "54": "-100.00"}


async def test_changed_payment_is_applied_anew(plain: Any, make_invoice: Any) -> None:
    made = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    paid = await plain.post("/customerPayment", _payment(made.id, 100, payment=100))
    change = {"apply": {"items": [{"doc": {"id": made.id}, "amount": 60}]}}
    assert (await plain.call("PATCH", f"{RECORDS}/customerPayment/{paid.id}", change)).status == 204
    assert (await plain.get(f"/invoice/{made.id}")).body["amountRemaining"] == 40
    assert (await plain.get(f"/customerPayment/{paid.id}")).body["unapplied"] == 40
    off = {"apply": {"items": [{"doc": {"id": made.id}, "apply": False}]}}
    await plain.call("PATCH", f"{RECORDS}/customerPayment/{paid.id}", off)
    assert (await plain.get(f"/invoice/{made.id}")).body["amountRemaining"] == 100


async def test_auto_apply_takes_the_oldest_first(plain: Any, make_invoice: Any) -> None:
    for name in ("in_1", "in_2"):
        await plain.put(f"/invoice/eid:{name}", make_invoice("100.00"))
    await plain.post("/customerPayment", {"customer": {"id": "1001"}, "payment": 150, "autoApply": True})
    assert [one["amountRemaining"] for one in (await plain.books())["invoices"]] == ["0.00", "50.00"]


async def test_credit_memo_takes_an_invoice_back(plain: Any, make_invoice: Any) -> None:
    made = await plain.put("/invoice/eid:in_1", make_invoice("100.00", "7.00", tax="19.00"))
    await plain.post("/customerPayment", _payment(made.id, 26, payment=26))
    credit = await plain.post(f"/invoice/{made.id}/!transform/creditMemo", {"memo": "back", "tranDate": "2026-02-02"})
    memo = (await plain.get(f"/creditMemo/{credit.id}?expandSubResources=true")).body
    assert (memo["total"], memo["taxTotal"], memo["memo"]) == (126, 19, "back")
    assert (memo["applied"], memo["amountRemaining"]) == (100, 26)
    assert memo["createdFrom"]["id"] == made.id
    assert (await plain.get(f"/invoice/{made.id}")).body["amountRemaining"] == 0
    balances = (await plain.books())["balances"]["EUR"]
    assert {account: Decimal(amount) for account, amount in balances.items()} == {
        "119": -26,
        "54": 0,
        "98": 0,
        "122": 26,
    }
    unknown = await plain.post(f"/invoice/{made.id}/!transform/creditMemo", {"mmo": "x"})
    assert unknown.status == 400
    assert (await plain.post(f"/invoice/{made.id}/!transform/cashSale", {})).status == 400


async def test_a_payment_of_what_is_settled_already_stands_as_it_was_written(plain: Any, make_invoice: Any) -> None:
    made = await plain.put("/invoice/eid:in_1", make_invoice("100.00"))
    await plain.post("/customerPayment", _payment(made.id))
    body = {"customer": {"id": "1001"}, "payment": 30, "apply": {"items": [{"doc": {"id": made.id}, "apply": True}]}}
    late = await plain.put("/customerPayment/eid:inpay_1?replace=apply", body)
    shown = await plain.get(f"/customerPayment/{late.id}?expandSubResources=true")
    assert (shown.body["applied"], shown.body["unapplied"], shown.body["apply"]["items"]) == (0, 30, [])

    def stands(written: Any) -> bool:
        request = Request(method="PUT", url="https://example.test/eid:inpay_1", body=dumps(written))
        return holds(request, Response(status=200, headers={}, body=dumps(shown.body)))

    assert stands(body)
    # A sum that was meant to be applied and is not stands otherwise than it was written.
    assert not stands({**body, "apply": {"items": [{"doc": {"id": made.id}, "apply": True, "amount": 30}]}})
    assert not stands({**body, "payment": 31})
