"""OData v4: the same orders as in v2, with v4's options, numbers, links, ETags and errors."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.connectors.s4hana.conftest import ORDERS, V4, Answer, Plain


async def get(plain: Plain, path: str, **headers: str) -> Answer:
    return await plain.call("GET", V4 + path, **headers)


def order(**more: Any) -> dict[str, Any]:
    return {
        "SalesOrderType": "OR",
        "SalesOrganization": "1010",
        "DistributionChannel": "10",
        "OrganizationDivision": "00",
        "SoldToParty": "10100001",
        "_Item": [{"Product": "SUBSCRIPTION", "RequestedQuantity": 2, "RequestedQuantitySAPUnit": "PC"}],
        **more,
    }


async def test_both_versions_show_the_same_order(plain: Plain) -> None:
    made = await plain.write("POST", f"{V4}SalesOrder", order(PurchaseOrderByCustomer="PO-9"))
    assert made.status == 201 and made.headers["odata-version"] == "4.0"
    number = made.body["SalesOrder"]
    assert made.headers["Location"].endswith(f"SalesOrder('{number}')")
    old = (await plain.get(f"{ORDERS}('{number}')?$expand=to_Item")).d
    assert (old["PurchaseOrderByCustomer"], old["TotalNetAmount"]) == ("PO-9", "200.00")
    assert old["to_Item"]["results"][0]["Material"] == "SUBSCRIPTION"
    assert made.body["_Item"][0]["Product"] == "SUBSCRIPTION"


async def test_numbers_are_numbers_unless_somebody_asks_for_texts(plain: Plain) -> None:
    shown = (await get(plain, "SalesOrder('1')")).body
    assert shown["TotalNetAmount"] == Decimal("200.00") and str(shown["TotalNetAmount"]) == "200.00"
    assert shown["@odata.context"] == "$metadata#SalesOrder/$entity"
    assert shown["CreationDate"].count("-") == 2 and shown["LastChangeDateTime"].endswith("Z")
    assert shown["SAP__Messages"] == []
    exact = await get(plain, "SalesOrder('1')", Accept="application/json;IEEE754Compatible=true")
    assert exact.body["TotalNetAmount"] == "200.00"
    assert "IEEE754Compatible=true" in exact.headers["Content-Type"]
    assert (await get(plain, "SalesOrder('2')")).body["TotalNetAmount"] == 960


@pytest.mark.parametrize(
    ("condition", "orders"),
    [
        ("TotalNetAmount eq 200.00 or TotalNetAmount eq 960", ["1", "2"]),
        ("TotalNetAmount in (200.00,1)", ["1"]),
        ("CreationDate ge 2026-01-01 and CustomerPurchaseOrderDate eq null", ["1", "2"]),
        ("LastChangeDateTime lt 2020-01-01T00:00:00Z", []),
        ("contains(PurchaseOrderByCustomer,'-2') or not startswith(PurchaseOrderByCustomer,'PO')", ["2"]),
        ("TransactionCurrency in ('JPY','USD')", ["2"]),
        ("SoldToParty eq '0010100001'", ["1"]),
        ("date(LastChangeDateTime) gt 2020-01-01", ["1", "2"]),
    ],
)
async def test_filters_are_worked_out(plain: Plain, condition: str, orders: list[str]) -> None:
    found = await get(plain, f"SalesOrder?$filter={condition}&$count=true")
    assert [each["SalesOrder"] for each in found.rows] == orders
    assert found.body["@odata.count"] == len(orders)
    assert (await get(plain, f"SalesOrder/$count?$filter={condition}")).text == str(len(orders))


@pytest.mark.parametrize(
    "query",
    [
        "$filter=TotalNetAmount gt 1M",
        "$filter=TotalNetAmount gt 1",
        "$filter=-TotalNetAmount eq 1",
        "$expand=_Text($filter=LongText eq 'x')",
        "$expand=_Text($orderby=LongText)",
        "$filter=substringof('a',SalesOrder)",
        "$filter=CreationDate eq datetime'2026-01-01T00:00:00'",
        "$inlinecount=allpages",
        "$count=yes",
        "$expand=_Item($select=Nothing)",
        "$expand=_Item(",
        "$select=Nothing",
    ],
)
async def test_what_only_the_older_version_says_is_refused(plain: Plain, query: str) -> None:
    answer = await get(plain, f"SalesOrder?{query}")
    status, code, message = answer.error
    assert status == 400 and code and isinstance(answer.body["error"]["message"], str) and message


async def test_expansions_have_options_of_their_own(plain: Plain) -> None:
    items = "$select=Product;$filter=NetAmount eq 200;$count=true;$expand=_ItemPricingElement($top=1)"
    query = f"$expand=_Item({items}),_Partner"
    shown = (await get(plain, f"SalesOrder('1')?{query}&$select=SalesOrder")).body
    assert set(shown) == {"@odata.context", "@odata.etag", "SalesOrder", "_Item", "_Item@odata.count", "_Partner"}
    (item,) = shown["_Item"]
    assert shown["_Item@odata.count"] == 1 and item["Product"] == "SUBSCRIPTION"
    (element,) = item["_ItemPricingElement"]
    assert (element["ConditionType"], element["ConditionRateAmount"]) == ("PPR0", Decimal(100))
    assert sorted(each["PartnerFunction"] for each in shown["_Partner"]) == ["BP", "PY", "SH", "SP"]
    back = (await get(plain, "SalesOrderItem(SalesOrder='1',SalesOrderItem='000010')/_SalesOrder")).body
    assert back["SalesOrder"] == "1"


async def test_links_lead_through_all_pages(plain: Plain) -> None:
    await plain.seed(settings={"page_size": 1})
    page = await get(plain, "SalesOrder?$select=SalesOrder")
    found = [each["SalesOrder"] for each in page.rows]
    while "@odata.nextLink" in page.body:
        page = await get(plain, page.body["@odata.nextLink"])
        found += [each["SalesOrder"] for each in page.rows]
    assert found == ["1", "2"]
    await plain.seed(settings={"page_size": 100})
    small = await get(plain, "SalesOrder", Prefer="odata.maxpagesize=1")
    assert len(small.rows) == 1 and "@odata.nextLink" in small.body


async def test_parts_have_the_etag_of_their_order(plain: Plain) -> None:
    head = await get(plain, "SalesOrder('2')")
    item = await get(plain, "SalesOrderItem(SalesOrder='2',SalesOrderItem='10')")
    etag = head.headers["Etag"]
    assert etag == head.body["@odata.etag"] == item.body["@odata.etag"]
    path = f"{V4}SalesOrderItem(SalesOrder='2',SalesOrderItem='10')"
    change = {"RequestedQuantity": 7}
    assert (await plain.write("PATCH", path, change)).error[:2] == (428, "/IWBEP/CM_V4_APPS/017")
    done = await plain.write("PATCH", path, change, If_Match=etag)
    assert done.status == 200 and done.body["NetAmount"] == 56
    assert (await plain.write("PATCH", path, change, If_Match=etag)).error[0] == 412
    silent = await plain.write("PATCH", path, change, If_Match="*", Prefer="return=minimal")
    assert (silent.status, silent.headers["preference-applied"]) == (204, "return=minimal")
    assert (await plain.write("DELETE", path, If_Match=silent.headers["Etag"])).status == 204
    assert (await get(plain, "SalesOrder('2')")).body["TotalNetAmount"] == 0


async def test_minimal_answers_say_where_the_order_is(plain: Plain) -> None:
    made = await plain.write("POST", f"{V4}SalesOrder", order(), Prefer="return=minimal")
    assert made.status == 204 and made.headers["odata-entityid"] == made.headers["Location"]
    assert (await plain.call("GET", made.headers["Location"])).status == 200


async def test_warnings_stand_in_the_messages(plain: Plain) -> None:
    await plain.seed(settings={"duplicate_orders": "warn"})
    made = await plain.write("POST", f"{V4}SalesOrder", order(PurchaseOrderByCustomer="PO-1"))
    (message,) = made.body["SAP__Messages"]
    assert (message["code"], message["numericSeverity"]) == ("V4/115", 3)


async def test_errors_are_plain_texts(plain: Plain) -> None:
    refused = await plain.write("POST", f"{V4}SalesOrder", order(SoldToParty="999"))
    assert refused.error[:2] == (400, "VP/199")
    assert refused.body["error"]["target"] == "SoldToParty"
    assert refused.body["error"]["@SAP__common.ExceptionCategory"] == "Client_Error"
    assert (await get(plain, "SalesOrder('999')")).error[0] == 404
    unknown = await plain.call("GET", "/sap/opu/odata4/sap/api_nothing/srvd_a2x/sap/nothing/0001/Nothing")
    assert unknown.error[:2] == (404, "/IWFND/MED/170")
    assert (await get(plain, "$metadata")).headers["Content-Type"] == "application/xml"
    assert "SalesOrder" in [each["name"] for each in (await get(plain, "")).body["value"]]
    assert (await plain.write("POST", f"{V4}SalesOrder", order(_Item=[{"Material": "USAGE"}]))).error[0] == 400


async def test_what_is_expanded_comes_in_pages_where_the_tenant_cuts_it(plain: Plain, make_order: Any) -> None:
    item = {"Material": "SUBSCRIPTION", "RequestedQuantity": "1"}
    await plain.seed(sales_orders=[make_order(item, item, item)], settings={"expanded_rows": 2})
    whole = (await plain.call("GET", f"{V4}SalesOrder('3')?$expand=_Item")).body
    assert [row["SalesOrderItem"] for row in whole["_Item"]] == ["10", "20"]
    rest = (await plain.call("GET", V4 + whole["_Item@odata.nextLink"])).body
    assert [row["SalesOrderItem"] for row in rest["value"]] == ["30"]
    assert "@odata.nextLink" not in rest
