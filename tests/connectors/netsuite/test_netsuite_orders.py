"""The sandbox's sales orders: approval, billing in parts, closing, and how SuiteQL and the catalog show them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

RECORDS = "/services/rest/record/v1"


def order(*lines: tuple[str, str], **more: Any) -> dict[str, Any]:
    """Give an approved order with a line for each quantity and rate."""
    items = [
        {"line": number, "item": {"id": "101"}, "quantity": float(quantity), "rate": float(rate)}
        for number, (quantity, rate) in enumerate(lines, start=1)
    ]
    return {
        "entity": {"externalId": "cus_1"},
        "tranDate": "2026-01-10",
        "orderStatus": "B",
        "item": {"items": items},
        **more,
    }


async def patch(plain: Any, path: str, body: Any, query: str = "") -> Any:
    headers = {"X-NetSuite-PropertyNameValidation": "error"}
    return await plain.call("PATCH", f"{RECORDS}{path}{query}", body, headers=headers)


async def shown(plain: Any, key: str) -> dict[str, Any]:
    answer = await plain.get(f"/salesOrder/{key}?expandSubResources=true")
    assert answer.status == 200, answer.body
    return dict(answer.body)


async def lines_of(plain: Any, key: str, kind: str = "salesOrder") -> list[dict[str, Any]]:
    whole = (await plain.get(f"/{kind}/{key}?expandSubResources=true")).body
    return list(whole["item"]["items"])


def only(*wanted: tuple[int, float]) -> dict[str, Any]:
    return {"item": {"items": [{"orderLine": line, "quantity": quantity} for line, quantity in wanted]}}


async def test_order_is_numbered_and_posts_nothing(plain: Any) -> None:
    body = order(("12", "100"), ("1", "-15.50"), otherRefNum="PO-1", startDate="2026-01-01", endDate="2026-12-31")
    made = await plain.put("/salesOrder/eid:ct_1?replace=item", body)
    assert (await plain.put("/salesOrder/eid:ct_1?replace=item", body)).id == made.id
    whole = await shown(plain, "eid:ct_1")
    assert (whole["tranId"], whole["subtotal"], whole["total"]) == ("SO00001", Decimal("1184.5"), Decimal("1184.5"))
    assert (whole["otherRefNum"], whole["startDate"], whole["endDate"]) == ("PO-1", "2026-01-01", "2026-12-31")
    assert whole["status"] == whole["orderStatus"] == {"id": "F", "refName": "Pending Billing"}
    assert whole["currency"]["refName"] == "Euro"
    assert "postingPeriod" not in whole
    line = whole["item"]["items"][0]
    assert (line["line"], line["amount"], line["quantityBilled"], line["isClosed"]) == (1, 1200, 0, False)
    books = await plain.books()
    assert books["balances"] == {}
    assert [(one["externalId"], one["status"]) for one in books["salesOrders"]] == [("ct_1", "F")]
    assert books["salesOrders"][0]["item"][0]["quantityBilled"] == "0"
    assert (await plain.get("/customer/1001")).body["balance"] == 0


async def test_closed_period_does_not_matter(plain: Any) -> None:
    await plain.seed({"close": ["Jan 2026"]})
    assert (await plain.put("/salesOrder/eid:ct_1", order(("1", "10")))).status == 204


async def test_order_waits_for_approval_unless_the_account_says_otherwise(plain: Any) -> None:
    body = order(("1", "10"))
    del body["orderStatus"]
    made = await plain.put("/salesOrder/eid:ct_1", body)
    assert (await shown(plain, made.id))["orderStatus"] == {"id": "A", "refName": "Pending Approval"}
    refused = await plain.post(f"/salesOrder/{made.id}/!transform/invoice", {})
    assert (refused.status, refused.error["o:errorCode"]) == (400, "USER_ERROR")
    assert (await patch(plain, f"/salesOrder/{made.id}", {"orderStatus": {"id": "B"}})).id == made.id
    assert (await shown(plain, made.id))["status"]["id"] == "F"
    # What is read may be written back, and a write that does not name it leaves it.
    assert (await patch(plain, f"/salesOrder/{made.id}", {"orderStatus": {"id": "F"}, "memo": "x"})).id == made.id
    assert (await plain.put("/salesOrder/eid:ct_1?replace=item", body)).id == made.id
    assert (await shown(plain, made.id))["status"]["id"] == "F"
    assert (await patch(plain, f"/salesOrder/{made.id}", {"orderStatus": "A"})).id == made.id
    assert (await shown(plain, made.id))["status"]["id"] == "A"
    assert (await patch(plain, f"/salesOrder/{made.id}", {"orderStatus": "H"})).error["o:errorPath"] == "orderStatus"
    assert (await plain.seed({"settings": {"sales_order_status": "B"}})).status == 200
    second = await plain.put("/salesOrder/eid:ct_2", body)
    assert (await shown(plain, second.id))["status"]["id"] == "F"
    assert (await plain.seed({"settings": {"sales_order_status": "G"}})).status == 400


async def test_whole_order_becomes_an_invoice(plain: Any) -> None:
    tax = {"taxDetailsReference": "L1", "taxType": "VAT", "taxCode": {"id": "202"}, "taxRate": 19, "taxAmount": 19.0}
    body = order(("1", "100"), ("2", "50"), taxDetailsOverride=True, taxDetails={"items": [tax]}, otherRefNum="PO-1")
    body["item"]["items"][0] |= {
        "taxDetailsReference": "L1",
        "revRecStartDate": "2026-01-01",
        "revRecEndDate": "2026-12-31",
    }
    made = await plain.put("/salesOrder/eid:ct_1", body)
    change = {"tranDate": "2026-01-31", "externalId": "in_1"}
    bill = (await plain.post(f"/salesOrder/{made.id}/!transform/invoice", change)).id
    invoice = (await plain.get(f"/invoice/{bill}?expandSubResources=true")).body
    assert (invoice["total"], invoice["taxTotal"], invoice["externalId"]) == (219, 19, "in_1")
    assert (invoice["createdFrom"]["id"], invoice["createdFrom"]["refName"]) == (made.id, "Sales Order #SO00001")
    assert (invoice["otherRefNum"], invoice["entity"]["id"], invoice["status"]["id"]) == ("PO-1", "1001", "Open")
    assert [(one["orderDoc"]["id"], one["orderLine"]) for one in invoice["item"]["items"]] == [
        (made.id, 1),
        (made.id, 2),
    ]
    assert invoice["item"]["items"][0]["revRecEndDate"] == "2026-12-31"
    whole = await shown(plain, made.id)
    assert whole["status"] == {"id": "G", "refName": "Billed"}
    assert [one["quantityBilled"] for one in whole["item"]["items"]] == [1, 2]
    assert (await plain.books())["balances"]["EUR"] == {"119": "219.00", "54": "-200.00", "98": "-19.00"}
    again = await plain.post(f"/salesOrder/{made.id}/!transform/invoice", {})
    assert "invalid reference" in again.error["detail"]
    # An arrangement gathers the order's invoices, and what takes them back.
    await plain.post(f"/invoice/{bill}/!transform/creditMemo", {})
    found = await plain.query("SELECT id, totalrevenueamount FROM revenuearrangement")
    assert [(row["id"], row["totalrevenueamount"]) for row in found.body["items"]] == [(made.id, "0")]


async def test_an_order_is_billed_in_parts(plain: Any) -> None:
    made = await plain.put("/salesOrder/eid:ct_1", order(("3", "33.335"), ("2", "10")))
    assert (await shown(plain, made.id))["total"] == Decimal("120.01")
    path = f"/salesOrder/{made.id}/!transform/invoice"
    first = (await plain.post(path, only((1, 1), (2, 0)))).id
    assert [(one["orderLine"], one["amount"]) for one in await lines_of(plain, first, "invoice")] == [
        (1, Decimal("33.34"))
    ]
    whole = await shown(plain, made.id)
    assert (whole["status"]["id"], [one["quantityBilled"] for one in whole["item"]["items"]]) == ("F", [1, 0])
    for refused, place in (
        (only((1, 3)), "item.items[0].quantity"),
        (only((7, 1)), "item.items.orderLine"),
        (only((1, 1), (1, 1)), "item.items[1].orderLine"),
    ):
        assert (await plain.post(path, refused)).error["o:errorPath"] == place
    second = (await plain.post(path, only((1, 1), (2, 0)))).id
    # The last invoice has what rounding has left of the line: 100.01 in all.
    third = (await plain.post(path, {})).id
    assert [(one["orderLine"], one["amount"]) for one in await lines_of(plain, third, "invoice")] == [
        (1, Decimal("33.33")),
        (2, 20),
    ]
    assert (await shown(plain, made.id))["status"]["id"] == "G"
    totals = [Decimal(one["total"]) for one in (await plain.books())["invoices"]]
    assert sum(totals) == Decimal("120.01")
    # An invoice that is deleted gives its part back.
    assert (await plain.call("DELETE", f"{RECORDS}/invoice/{second}")).status == 204
    whole = await shown(plain, made.id)
    assert (whole["status"]["id"], [one["quantityBilled"] for one in whole["item"]["items"]]) == ("F", [2, 2])
    refused = await patch(plain, f"/invoice/{third}", {"item": {"items": [{"line": 1, "quantity": 3}]}})
    assert refused.error["o:errorPath"] == "item.items[0].quantity"
    refused = await patch(plain, f"/invoice/{third}", {"currency": {"id": "1"}})
    assert refused.error["o:errorPath"] == "currency"


async def test_the_bill_of_a_part_says_its_own_price(plain: Any) -> None:
    made = await plain.put("/salesOrder/eid:ct_1", order(("3", "10")))
    path = f"/salesOrder/{made.id}/!transform/invoice"
    own = {"item": {"items": [{"orderLine": 1, "quantity": 1, "amount": 9}, {"item": {"id": "105"}, "quantity": 1}]}}
    first = (await plain.post(path, own)).id
    found = [(one["item"]["id"], one["amount"]) for one in await lines_of(plain, first, "invoice")]
    assert found == [("101", 9), ("105", 150)]
    second = (await plain.post(path, {"item": {"items": [{"orderLine": 1, "rate": 8}]}})).id
    assert [(one["quantity"], one["amount"]) for one in await lines_of(plain, second, "invoice")] == [(2, 16)]


async def test_what_is_billed_stays_in_the_order(plain: Any) -> None:
    made = await plain.put("/salesOrder/eid:ct_1", order(("3", "10"), ("1", "5")))
    await plain.post(f"/salesOrder/{made.id}/!transform/invoice", only((1, 2), (2, 0)))
    path = f"/salesOrder/{made.id}"

    async def refused(body: Any, query: str = "") -> str:
        return str((await patch(plain, path, body, query)).error["o:errorPath"])

    assert await refused({"item": {"items": [{"line": 1, "quantity": 1}]}}) == "item.items[0].quantity"
    lines = [{"line": 1, "quantity": -3}, {"line": 2, "quantity": 9}]
    assert await refused({"item": {"items": lines}}) == "item.items[0].quantity"
    assert await refused({"item": {"items": [{"line": 1, "item": {"id": "102"}}]}}) == "item.items[0].item"
    assert await refused({"item": {"items": [{"item": {"id": "101"}, "amount": 5}]}}, "?replace=item") == "item"
    other = {"externalId": "cus_4", "companyName": "Bee", "subsidiary": {"id": "2"}, "currency": "EUR"}
    assert (await plain.seed({"customers": [other]})).status == 200
    assert await refused({"entity": {"externalId": "cus_4"}}) == "entity"
    assert await refused({"currency": {"id": "1"}}) == "currency"
    assert await refused({"orderStatus": "A"}) == "orderStatus"
    assert (await plain.call("DELETE", RECORDS + path)).error["o:errorCode"] == "USER_ERROR"
    # Down to what is billed, and without the line that is not, it is allowed.
    change = {"item": {"items": [{"line": 1, "quantity": 2}]}}
    assert (await patch(plain, path, change, "?replace=item")).id == made.id
    assert (await shown(plain, made.id))["status"]["id"] == "G"


async def test_closed_lines_are_not_billed(plain: Any) -> None:
    made = await plain.put("/salesOrder/eid:ct_1", order(("3", "10"), ("1", "5"), ("1", "7")))
    path = f"/salesOrder/{made.id}"
    # As Oracle's use case writes it: capitals do not matter.
    assert (await patch(plain, path, {"item": {"items": [{"line": 2, "isclosed": True}]}})).id == made.id
    bill = (await plain.post(f"{path}/!transform/invoice", only((1, 1)))).id
    assert [one["orderLine"] for one in await lines_of(plain, bill, "invoice")] == [1, 3]
    assert (await plain.post(f"{path}/!transform/invoice", only((2, 1)))).error["o:errorPath"] == "item.items.orderLine"
    whole = await shown(plain, made.id)
    assert (whole["total"], whole["status"]["id"]) == (42, "F")
    rest = {"item": {"items": [{"line": 1, "isClosed": True}]}}
    assert (await patch(plain, path, rest)).id == made.id
    assert (await shown(plain, made.id))["status"]["id"] == "G"
    assert (await patch(plain, path, {"item": {"items": [{"line": 3, "isClosed": True}]}})).id == made.id
    assert (await shown(plain, made.id))["status"] == {"id": "H", "refName": "Closed"}
    # A line that was closed by mistake may be opened again, one that is billed may not.
    reopened = {"item": {"items": [{"line": 1, "isClosed": False}]}}
    assert (await patch(plain, path, reopened)).error["o:errorPath"] == "item.items[0].isClosed"
    assert (await patch(plain, path, {"item": {"items": [{"line": 2, "isClosed": False}]}})).id == made.id
    assert (await shown(plain, made.id))["status"]["id"] == "F"


async def test_order_that_nothing_is_billed_of_can_be_deleted(plain: Any) -> None:
    made = await plain.put("/salesOrder/eid:ct_1", order(("1", "10")))
    assert (await plain.call("DELETE", f"{RECORDS}/customer/1001")).status == 400
    assert (await plain.call("DELETE", f"{RECORDS}/salesOrder/{made.id}")).status == 204
    books = await plain.books()
    assert (books["salesOrders"], [one["type"] for one in books["deleted"]]) == ([], ["salesOrder"])


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"entity": None}, "entity"),
        ({"subsidiary": {"id": "1"}}, "subsidiary"),
        ({"currency": {"id": "5"}}, "currency"),
        ({"item": {"items": []}}, "item"),
        ({"item": {"items": [{"item": {"id": "101"}, "amount": -1}]}}, "total"),
        ({"item": {"items": [{"quantity": 1, "rate": 1}]}}, "item.items[0].item"),
        ({"orderStatus": "Z"}, "orderStatus"),
        ({"postingPeriod": {"id": "37"}}, "postingPeriod"),
    ],
)
async def test_wrong_orders_are_refused(plain: Any, change: dict[str, Any], path: str) -> None:
    answer = await plain.put("/salesOrder/eid:ct_1", {**order(("1", "10")), **change})
    assert (answer.status, answer.error["o:errorPath"]) == (400, path)
    assert (await plain.books())["salesOrders"] == []


async def test_suiteql_shows_orders_that_do_not_post(plain: Any) -> None:
    made = await plain.put("/salesOrder/eid:ct_1", order(("3", "10"), ("1", "5")))
    bill = (await plain.post(f"/salesOrder/{made.id}/!transform/invoice", only((1, 2), (2, 0)))).id
    await patch(plain, f"/salesOrder/{made.id}", {"item": {"items": [{"line": 2, "isClosed": True}]}})
    found = await plain.query(
        "SELECT id, type, tranid, status, BUILTIN.DF(status) AS said, posting, foreigntotal "
        "FROM transaction ORDER BY id"
    )
    assert [[row.get(name) for name in row if name != "links"] for row in found.body["items"]] == [
        [made.id, "SalesOrd", "SO00001", "F", "Sales Order : Pending Billing", "F", "35"],
        [bill, "CustInvc", "INV00001", "A", "Invoice : Open", "T", "20"],
    ]
    found = await plain.query(
        "SELECT id, mainline, quantity, quantitybilled, isclosed, foreignamount FROM transactionline "
        "WHERE transaction = ? ORDER BY id",
        made.id,
    )
    assert [{name: row[name] for name in row if name != "links"} for row in found.body["items"]] == [
        {"id": "0", "mainline": "T", "isclosed": "F", "foreignamount": "35"},
        {
            "id": "1",
            "mainline": "F",
            "quantity": "-3",
            "quantitybilled": "2",
            "isclosed": "F",
            "foreignamount": "-30",
        },
        {"id": "2", "mainline": "F", "quantity": "-1", "quantitybilled": "0", "isclosed": "T", "foreignamount": "-5"},
    ]
    found = await plain.query("SELECT DISTINCT createdfrom FROM transactionline WHERE transaction = ?", bill)
    assert found.body["items"][0]["createdfrom"] == made.id
    found = await plain.query("SELECT amount FROM transactionaccountingline WHERE transaction = ?", made.id)
    assert found.body["items"] == []


async def test_catalog_and_lists_know_orders(plain: Any) -> None:
    await plain.put("/salesOrder/eid:ct_1", order(("1", "10"), otherRefNum="PO-1"))
    headers = {"Accept": "application/schema+json"}
    schema = (await plain.call("GET", f"{RECORDS}/metadata-catalog/salesOrder", headers=headers)).body
    assert schema["properties"]["orderStatus"]["title"] == "orderStatus"
    assert schema["properties"]["item"]["properties"]["items"]["items"]["properties"]["quantityBilled"]["readOnly"]
    found = (await plain.get('/salesOrder?q=otherRefNum IS "PO-1"')).body
    assert found["totalResults"] == 1
    taken = await plain.put("/invoice/eid:ct_1", order(("1", "10")))
    # Transactions share one space of external ids.
    assert taken.status == 400


async def test_customers_have_parents_but_no_circles(plain: Any) -> None:
    # A subcustomer may belong to another subsidiary than its parent.
    assert (await patch(plain, "/customer/1001", {"parent": {"id": "1002"}})).status == 204
    assert (await patch(plain, "/customer/1002", {"parent": {"externalId": "cus_3"}})).status == 204
    assert (await plain.get("/customer/1001")).body["parent"]["refName"] == "Sakura"
    for customer, parent in (("1001", "1001"), ("1003", "1001"), ("1002", "1001"), ("1001", "999")):
        refused = await patch(plain, f"/customer/{customer}", {"parent": {"id": parent}})
        assert (refused.error["o:errorCode"], refused.error["o:errorPath"]) == ("INVALID_CONTENT", "parent")
    assert (await plain.call("DELETE", f"{RECORDS}/customer/1003")).status == 400
    found = await plain.query("SELECT id, parent, BUILTIN.DF(parent) AS called FROM customer ORDER BY id")
    assert [(row.get("parent"), row.get("called")) for row in found.body["items"]] == [
        ("1002", "Sakura"),
        ("1003", "Dune"),
        (None, None),
    ]
    assert (await patch(plain, "/customer/1002", {"parent": None})).status == 204
    assert (await plain.call("DELETE", f"{RECORDS}/customer/1003")).status == 204
