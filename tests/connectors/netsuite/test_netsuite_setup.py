"""The sandbox's set-up: periods and their locks, legal entities, currencies and rates, terms, and items."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

RECORDS = "/services/rest/record/v1"
RECEIVABLE, UNDEPOSITED, SALES, DEFERRED, ROUNDING, REALIZED = "119", "122", "54", "97", "57", "58"


async def _base(plain: Any, subsidiary: str = "2") -> dict[str, Decimal]:
    found = (await plain.books())["baseBalances"].get(subsidiary, {})
    return {account: Decimal(amount) for account, amount in found.items() if Decimal(amount)}


async def _locked(plain: Any, **flags: bool) -> None:
    assert (await plain.seed({"references": {"accountingPeriod": [{"id": "37", **flags}]}})).status == 200


async def test_period_tells_its_state(plain: Any) -> None:
    period = (await plain.get("/accountingPeriod/37")).body
    assert (period["periodName"], period["startDate"], period["endDate"]) == ("Jan 2026", "2026-01-01", "2026-01-31")
    assert [period[flag] for flag in ("closed", "arLocked", "apLocked", "allLocked")] == [False] * 4
    await plain.seed({"close": ["Jan 2026"]})
    await _locked(plain, arLocked=True)
    period = (await plain.get("/accountingPeriod/37")).body
    assert (period["closed"], period["arLocked"]) == (True, True)
    found = await plain.query("SELECT closed, arlocked, alllocked FROM accountingperiod WHERE periodname = 'Jan 2026'")
    assert found.body["items"] == [{"links": [], "closed": "T", "arlocked": "T", "alllocked": "F"}]


@pytest.mark.parametrize(
    ("flags", "invoice_status", "journal_status"),
    [
        ({"arLocked": True}, 400, 204),
        ({"apLocked": True}, 204, 204),
        ({"allLocked": True}, 400, 400),
        ({"closed": True}, 400, 400),
    ],
)
async def test_locks_are_per_kind_of_transaction(
    plain: Any, make_invoice: Any, flags: dict[str, bool], invoice_status: int, journal_status: int
) -> None:
    await _locked(plain, **flags)
    assert (await plain.put("/invoice/eid:in_1", make_invoice("10.00"))).status == invoice_status
    lines = [{"account": {"id": "60"}, "debit": 1}, {"account": {"id": "1"}, "credit": 1}]
    journal = {"subsidiary": {"id": "2"}, "tranDate": "2026-01-31", "line": {"items": lines}}
    answer = await plain.put("/journalEntry/eid:je_1", journal)
    assert answer.status == journal_status
    if journal_status == 400:
        assert (answer.error["o:errorCode"], answer.error["o:errorPath"]) == ("USER_ERROR", "postingPeriod")
    lines[0] = {"account": {"id": RECEIVABLE}, "debit": 1, "entity": {"id": "1001"}}
    assert (await plain.put("/journalEntry/eid:je_2", journal)).status == invoice_status


async def test_money_that_came_in_later_settles_what_a_closed_period_holds(plain: Any, make_invoice: Any) -> None:
    invoice = await plain.put("/invoice/eid:in_1", make_invoice("10.00"))
    await plain.seed({"close": ["Jan 2026"]})
    body = {"customer": {"id": "1001"}, "tranDate": "2026-02-01", "apply": {"items": [{"doc": {"id": invoice.id}}]}}
    assert (await plain.put("/customerPayment/eid:pay_1", body)).status == 204
    assert (await plain.get(f"/invoice/{invoice.id}")).body["amountRemaining"] == 0


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/subsidiary/2", {"name": "Europe GmbH", "isElimination": False}),
        ("/currency/6", {"symbol": "KWD", "currencyPrecision": 3, "exchangeRate": Decimal("3.25")}),
        ("/account/119", {"acctName": "Accounts Receivable", "acctType": {"id": "AcctRec", "refName": "AcctRec"}}),
        ("/term/2", {"name": "Net 30", "daysUntilNetDue": 30}),
        ("/department/1", {"name": "Sales"}),
        ("/classification/1", {"name": "Software"}),
        ("/location/1", {"name": "Headquarters"}),
        ("/serviceSaleItem/105", {"itemId": "Professional Services", "rate": 150}),
    ],
)
async def test_reference_data_can_be_read(plain: Any, path: str, shown: dict[str, Any]) -> None:
    record = (await plain.get(path)).body
    assert {name: record[name] for name in shown} == shown
    kind = path.split("/")[1]
    listed = (await plain.get(f"/{kind}")).body
    assert record["id"] in [item["id"] for item in listed["items"]]
    if kind != "serviceSaleItem":
        for method, address in (("POST", f"/{kind}"), ("PATCH", path), ("PUT", f"/{kind}/eid:x"), ("DELETE", path)):
            answer = await plain.call(method, RECORDS + address, {})
            assert (answer.status, answer.error["o:errorCode"]) == (403, "INSUFFICIENT_PERMISSION")


async def test_subsidiary_has_a_base_currency(plain: Any) -> None:
    assert (await plain.get("/subsidiary/3")).body["currency"]["refName"] == "Japanese Yen"
    await plain.seed({"references": {"subsidiary": [{"id": "9", "externalId": "nordic", "name": "Nordic AB",
                                                     "currency": "SEK"}]}})  # fmt: skip
    assert (await plain.get("/subsidiary/eid:nordic")).body["currency"]["id"] == "9"


async def test_foreign_amounts_post_in_the_books_currency(plain: Any, make_invoice: Any) -> None:
    invoice = await plain.put("/invoice/eid:in_1", make_invoice("33.33", "33.33", currency={"id": "1"}))
    shown = (await plain.get(f"/invoice/{invoice.id}")).body
    assert shown["exchangeRate"] == Decimal("0.92592593")
    # Each line is rounded by itself: 61.72 stands against twice 30.86.
    assert await _base(plain) == {RECEIVABLE: Decimal("61.72"), SALES: Decimal("-61.72")}
    await plain.put("/invoice/eid:in_2", make_invoice("0.55", "0.55", currency={"id": "1"}, exchangeRate=0.9))
    # 1.10 is 0.99, but each half is 0.495 and becomes 0.50.
    base = await _base(plain)
    assert base[ROUNDING] == Decimal("0.01")
    assert base[SALES] == Decimal("-62.72")
    assert sum(base.values()) == 0


async def test_rate_of_the_day_comes_before_the_default_one(plain: Any, make_invoice: Any) -> None:
    rates = [
        {
            "id": "1",
            "baseCurrency": "4",
            "transactionCurrency": "1",
            "effectiveDate": "2026-01-15",
            "exchangeRate": "0.8",
        },
        {
            "id": "2",
            "baseCurrency": "4",
            "transactionCurrency": "1",
            "effectiveDate": "2026-02-15",
            "exchangeRate": "0.7",
        },
    ]
    await plain.seed({"references": {"currencyRate": rates}})
    body = make_invoice("10.00", currency={"id": "1"})
    for day, rate in (("2026-01-14", "0.92592593"), ("2026-01-31", "0.8"), ("2026-02-15", "0.7")):
        made = await plain.put(f"/invoice/eid:in_{day}", {**body, "tranDate": day})
        assert (await plain.get(f"/invoice/{made.id}")).body["exchangeRate"] == Decimal(rate)


async def test_change_of_the_rate_is_realized_when_an_invoice_is_paid(plain: Any, make_invoice: Any) -> None:
    invoice = await plain.put("/invoice/eid:in_1", make_invoice("100.00", currency={"id": "1"}, exchangeRate=0.9))
    payment = {
        "customer": {"id": "1001"},
        "currency": {"id": "1"},
        "exchangeRate": 0.95,
        "apply": {"items": [{"doc": {"id": invoice.id}}]},
    }
    await plain.put("/customerPayment/eid:pay_1", payment)
    assert await _base(plain) == {UNDEPOSITED: 95, SALES: -90, REALIZED: -5}
    moved = await plain.put("/invoice/eid:in_1?replace=item",
                            make_invoice("100.00", currency={"id": "1"}, exchangeRate=0.8))  # fmt: skip
    assert (moved.status, moved.error["o:errorPath"]) == (400, "exchangeRate")


async def test_items_are_sold_once_they_are_there(plain: Any) -> None:
    body = {"itemId": "Seats", "incomeAccount": {"id": "55"}, "rate": 12.5, "displayName": "Seats, monthly"}
    made = await plain.put("/serviceSaleItem/eid:price_1", body)
    again = await plain.put("/serviceSaleItem/eid:price_1", {**body, "rate": 15.0})
    assert made.id == again.id
    shown = (await plain.get("/serviceSaleItem/eid:price_1")).body
    assert (shown["itemId"], shown["rate"], shown["incomeAccount"]["refName"]) == ("Seats", 15, "Usage Revenue")
    line = {"item": {"externalId": "price_1"}, "quantity": 3}
    invoice = await plain.put("/invoice/eid:in_1", {"entity": {"id": "1001"}, "item": {"items": [line]}})
    assert (await plain.get(f"/invoice/{invoice.id}")).body["total"] == 45
    assert (await plain.books())["balances"]["EUR"]["55"] == "-45.00"
    assert (await plain.call("DELETE", f"{RECORDS}/serviceSaleItem/{made.id}")).status == 400
    await plain.put("/serviceSaleItem/eid:price_1", {"isInactive": True})
    refused = await plain.put("/invoice/eid:in_2", {"entity": {"id": "1001"}, "item": {"items": [line]}})
    assert (refused.status, refused.error["o:errorPath"]) == (400, "item.items[0].item")


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"itemId": None}, "itemId"),
        ({"itemId": "Subscription"}, "itemId"),
        ({"incomeAccount": None}, "incomeAccount"),
        ({"incomeAccount": {"id": "9999"}}, "incomeAccount"),
        ({"price": 1}, "price"),
    ],
)
async def test_bad_items_are_refused(plain: Any, changed: dict[str, Any], path: str) -> None:
    body = {"itemId": "Seats", "incomeAccount": {"id": "55"}, **changed}
    answer = await plain.put("/serviceSaleItem/eid:price_1", body)
    assert (answer.status, answer.error["o:errorPath"]) == (400, path)


async def test_first_items_can_be_changed(plain: Any) -> None:
    changed = await plain.call("PATCH", f"{RECORDS}/serviceSaleItem/105", {"rate": 175.0, "externalId": "pro"})
    assert changed.id == "105"
    assert (await plain.get("/serviceSaleItem/eid:pro")).body["rate"] == 175
    items = (await plain.get("/serviceSaleItem")).body["items"]
    assert sorted(item["id"] for item in items) == ["101", "102", "103", "104", "105"]


async def test_revenue_over_a_time_is_deferred_where_the_item_says_so(plain: Any, make_invoice: Any) -> None:
    await plain.seed({"references": {"item": [{"id": "101", "deferredRevenueAccount": DEFERRED}]}})
    body = make_invoice("120.00", "10.00")
    body["item"]["items"][0] |= {"revRecStartDate": "2026-01-01", "revRecEndDate": "2026-12-31"}
    await plain.put("/invoice/eid:in_1", body)
    assert await _base(plain) == {RECEIVABLE: 130, DEFERRED: -120, SALES: -10}
    body["item"]["items"][0]["revRecEndDate"] = "2025-12-31"
    assert (await plain.put("/invoice/eid:in_2", body)).error["o:errorPath"] == "item.items[0].revRecEndDate"
    del body["item"]["items"][0]["revRecEndDate"]
    assert (await plain.put("/invoice/eid:in_2", body)).error["o:errorPath"] == "item.items[0].revRecEndDate"


async def test_invoice_has_its_customer_s_terms(plain: Any, make_invoice: Any) -> None:
    await plain.call("PATCH", f"{RECORDS}/customer/1001", {"terms": {"id": "2"}})
    made = await plain.put("/invoice/eid:in_1", make_invoice("10.00"))
    shown = (await plain.get(f"/invoice/{made.id}")).body
    assert (shown["terms"]["refName"], shown["dueDate"]) == ("Net 30", "2026-03-02")
    own = await plain.put("/invoice/eid:in_2", make_invoice("10.00", terms={"id": "4"}))
    assert (await plain.get(f"/invoice/{own.id}")).body["dueDate"] == "2026-01-31"
