"""What a contract needs of S/4HANA: products and orders that are found by an id elsewhere, changed and closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.s4hana.odata.batch import changes_of
from connectors.s4hana.samples import ORDER, PRODUCT
from hub.sdk.errors import FixData, NoSuchRecord, NotBegun
from tests.connectors.s4hana.conftest import ORDERS, Plain
from tests.connectors.s4hana.linking import KEY, OTHER_KEY, Link, linked

PRODUCTS = "API_PRODUCT_SRV/A_Product"
CRM_ID = PRODUCT["ProductOldID"]


async def standing(link: Link, name: str, record: Any) -> Any:
    """Give what an update sees in the place that it would write to."""
    operation = link.writing(name)
    guard: Any = operation.guard
    found, _ = await link.connected.stand(guard.look, operation.request(link.connected.settings, record, KEY))
    return found


async def test_a_product_is_found_by_each_of_its_names() -> None:
    async with linked() as link:
        await link.write("product.create", PRODUCT)
        for wanted in ({"id": "SEATS"}, {"old_id": CRM_ID}, {"id": "SEATS", "old_id": CRM_ID}):
            found = (await link.read("product.find", **wanted))["product"]
            assert found["Product"] == "SEATS"
            assert [row["ProductSalesOrg"] for row in found["to_SalesDelivery"]] == ["1010"]
        for nobody in ({"id": "NOTHING"}, {"old_id": "NOTHING"}, {"id": "USAGE", "old_id": CRM_ID}):
            assert await link.read("product.find", **nobody) == {"product": None}
        await link.write("product.create", {**PRODUCT, "Product": "SEATS-2"}, OTHER_KEY)
        with pytest.raises(FixData) as twice:
            await link.read("product.find", old_id=CRM_ID)
        assert (twice.value.code, twice.value.facts["ids"]) == ("found-twice", "SEATS, SEATS-2")


async def test_a_product_that_nobody_has_touched_since_it_was_made_is_not_newer() -> None:
    async with linked() as link:
        await link.write("product.create", PRODUCT)
        now = datetime.now(UTC)
        change = {"Product": "SEATS", "IsMarkedForDeletion": True}
        assert (await standing(link, "product.update", change)).changed_at < now - timedelta(days=365)
        # One that names no other system was made by people.
        other = await standing(link, "product.update", {**change, "Product": "USAGE"})
        assert other.changed_at > now - timedelta(days=1)
        await link.seed(changes=[{"table": "A_Product", "key": ["SEATS"], "set": {"ProductGroup": "P009"}}])
        assert (await standing(link, "product.update", change)).changed_at > now - timedelta(days=1)


async def test_a_product_is_sold_in_one_more_sales_organisation_once() -> None:
    async with linked() as link:
        await link.write("product.create", PRODUCT)
        further = {"Product": "SEATS", "ProductSalesOrg": "1710", "ProductDistributionChnl": "10"}
        assert await link.find("product.extend", further) is None
        told = {"id": "SEATS", "organisation": "1710"}
        assert await link.write("product.extend", further) == told
        # Whoever comes again finds what stands; what somebody else has said of it is not taken for that.
        assert await link.write("product.extend", further, OTHER_KEY) == told
        assert await link.find("product.extend", further, OTHER_KEY) == told
        with pytest.raises(FixData) as taken:
            await link.find("product.extend", {**further, "ItemCategoryGroup": "LEIS"})
        assert taken.value.code == "taken"
        sold = (await link.read("product.read", id="SEATS"))["to_SalesDelivery"]
        assert [row["ProductSalesOrg"] for row in sold] == ["1010", "1710"]
        with pytest.raises(FixData):
            await link.write("product.extend", {**further, "ProductSalesOrg": "9999"})


async def test_a_product_is_ordered_only_where_it_is_sold(plain: Plain, make_order: Any) -> None:
    body = {"Product": "LOCAL", "ProductType": "SERV", "BaseUnit": "EA", "ProductGroup": "P001"}
    sold = {"ProductSalesOrg": "1710", "ProductDistributionChnl": "10"}
    assert (await plain.post(PRODUCTS, {**body, "to_SalesDelivery": [{**sold, "ProductSalesOrg": "9999"}]})).error[
        0
    ] == 400
    await plain.post(PRODUCTS, {**body, "to_SalesDelivery": [sold]})
    refused = await plain.post(ORDERS, make_order({"Material": "LOCAL", "RequestedQuantity": "1"}))
    assert refused.error[1:] == ("V1/302", "Material LOCAL is not defined for sales org. 1010, distr. chan. 10")
    part = {"Product": "LOCAL", **sold, "ProductSalesOrg": "1010"}
    assert (await plain.post("API_PRODUCT_SRV/A_ProductSalesDelivery", part)).status == 201
    made = await plain.post(ORDERS, make_order({"Material": "LOCAL", "RequestedQuantity": "1"}))
    assert made.status == 201


async def test_day_and_user_of_a_product_s_last_change_stay_empty_until_there_is_one(plain: Plain) -> None:
    body = {"Product": "NEW", "ProductType": "SERV", "BaseUnit": "EA", "ProductGroup": "P001"}
    made = (await plain.post(PRODUCTS, body)).d
    assert (made["LastChangeDate"], made["LastChangedByUser"]) == (None, "")
    assert made["LastChangeDateTime"]
    assert (await plain.write("PATCH", f"{PRODUCTS}('NEW')", {"ProductGroup": "P002"})).status == 204
    changed = (await plain.get(f"{PRODUCTS}('NEW')")).d
    assert changed["LastChangeDate"] and changed["LastChangedByUser"]


REFERENCES = {"PurchaseOrderByCustomer": "00000100", "PurchaseOrderByShipToParty": "800D0000000AbCdIAK"}


def priced(rate: str, quantity: str = "1", **more: Any) -> dict[str, Any]:
    element = {
        "ConditionType": "PMP0",
        "ConditionRateValue": rate,
        "ConditionCurrency": "EUR",
        "ConditionQuantity": "1",
    }
    return {"Material": "SUBSCRIPTION", "RequestedQuantity": quantity, "to_PricingElement": [element], **more}


async def test_an_order_is_found_by_each_of_its_names() -> None:
    async with linked(order_mark="AssignmentReference") as link:
        made = await link.write("sales_order.create", {**ORDER, **REFERENCES})
        names = {"id": made["id"], "reference": "00000100", "ship_to_reference": "800D0000000AbCdIAK"}
        for name, value in names.items():
            found = (await link.read("sales_order.find", **{name: value}))["sales_order"]
            assert (found["SalesOrder"], found["to_Item"][0]["SalesOrderItem"]) == (made["id"], "10")
        # An id of Salesforce's in other capitals is another one.
        nobody = await link.read("sales_order.find", ship_to_reference="800D0000000AbCdIAk")
        assert nobody == {"sales_order": None}
        await link.write("sales_order.create", {**ORDER, **REFERENCES}, OTHER_KEY)
        with pytest.raises(FixData) as twice:
            await link.read("sales_order.find", ship_to_reference="800D0000000AbCdIAK")
        assert twice.value.code == "found-twice"


async def test_an_order_that_nobody_has_touched_since_the_hub_made_it_is_not_newer() -> None:
    async with linked() as link:
        made = await link.write("sales_order.create", ORDER)
        now, change = datetime.now(UTC), {"CustomerPaymentTerms": "0003"}
        own = await standing(link, "sales_order.update", {"SalesOrder": made["id"], **change})
        assert own.changed_at < now - timedelta(days=365)
        other = await standing(link, "sales_order.update", {"SalesOrder": "2", **change})
        assert other.changed_at > now - timedelta(days=1)
        await link.seed(changes=[{"table": "A_SalesOrder", "key": [made["id"]], "set": {"SDDocumentReason": "101"}}])
        touched = await standing(link, "sales_order.update", {"SalesOrder": made["id"], **change})
        assert touched.changed_at > now - timedelta(days=1)


async def test_a_further_item_is_made_with_its_price_in_the_one_change_set() -> None:
    async with linked() as link:
        made = await link.write("sales_order.create", {**ORDER, "to_Item": [priced("12.50", "3")]})
        change = {
            "SalesOrder": made["id"],
            "to_Item": [
                {"SalesOrderItem": "10", "RequestedQuantity": "5", "SalesDocumentRjcnReason": ""},
                priced("10.00", "4", SalesOrderItem="20"),
            ],
        }
        await link.bound("sales_order.update", change)
        sent = changes_of(link.connected.recorded[-1])
        assert [each.method for each in sent] == ["PATCH", "PATCH", "POST"]
        assert sent[-1].path == f"A_SalesOrder('{made['id']}')/to_Item"
        order = await link.read("sales_order.read", id=made["id"])
        assert order["TotalNetAmount"] == "102.50"
        assert [(row["SalesOrderItem"], row["NetAmount"]) for row in order["to_Item"]] == [
            ("10", "62.50"),
            ("20", "40.00"),
        ]
        # What stands is what the recorded write leaves, also as it was before it was bound; another price is not.
        operation = link.writing("sales_order.update")
        guard: Any = operation.guard
        for expected, item in ((True, change["to_Item"][1]), (False, priced("10.01", "4", SalesOrderItem="20"))):
            request = operation.request(link.connected.settings, {**change, "to_Item": [item]}, KEY)
            shown = await link.connected.send(guard.look.current(link.connected.settings, request))
            assert guard.look.holds(request, shown) is expected
        recorded = link.connected.recorded
        batch = next(each for each in reversed(recorded) if each.url.endswith("$batch"))
        assert guard.look.holds(batch, shown)


async def test_a_price_is_not_silently_left_out_of_an_item_that_stands() -> None:
    async with linked() as link:
        change = {"SalesOrder": "2", "to_Item": [priced("9.00", "4", SalesOrderItem="10")]}
        with pytest.raises(FixData) as refused:
            await link.bound("sales_order.update", change)
        assert (refused.value.code, refused.value.facts["navigation"]) == ("no-key", "to_PricingElement")


async def test_a_price_that_stands_is_changed_by_its_whole_key() -> None:
    async with linked() as link:
        made = await link.write("sales_order.create", {**ORDER, "to_Item": [priced("12.50", "2")]})
        element = {"PricingProcedureStep": "11", "PricingProcedureCounter": "1", "ConditionRateValue": "11.00"}
        item = {"SalesOrderItem": "10", "to_PricingElement": [element]}
        await link.bound("sales_order.update", {"SalesOrder": made["id"], "to_Item": [item]})
        assert (await link.read("sales_order.read", id=made["id"]))["TotalNetAmount"] == "22.00"


async def test_an_order_is_closed_by_rejecting_what_is_open_of_it() -> None:
    async with linked() as link:
        items = [priced("12.50"), priced("10.00")]
        id = (await link.write("sales_order.create", {**ORDER, "to_Item": items}))["id"]
        await link.write("sales_order.reject", {"id": id, "items": ["10"], "reason": "61"}, OTHER_KEY)
        assert await link.find("sales_order.close", {"id": id}) is None
        assert await link.write("sales_order.close", {"id": id}) == {"id": id}
        # What somebody has rejected for a reason keeps it.
        reasons = [row["SalesDocumentRjcnReason"] for row in link.rows("A_SalesOrderItem", SalesOrder=id)]
        assert reasons == ["61", "00"]
        (order,) = link.rows("A_SalesOrder", SalesOrder=id)
        assert (order["OverallSDDocumentRejectionSts"], order["TotalNetAmount"]) == ("C", "0")
        assert await link.find("sales_order.close", {"id": id}) == {"id": id}
        before = order["LastChangeDateTime"]
        assert await link.write("sales_order.close", {"id": id}, OTHER_KEY) == {"id": id}
        (order,) = link.rows("A_SalesOrder", SalesOrder=id)
        assert order["LastChangeDateTime"] == before


async def test_what_is_billed_stays_when_an_order_is_closed() -> None:
    async with linked() as link:
        assert await link.write("sales_order.close", {"id": "1"}) == {"id": "1"}
        (item,) = link.rows("A_SalesOrderItem", SalesOrder="1")
        assert not item.get("SalesDocumentRjcnReason")
        with pytest.raises(NoSuchRecord):
            await link.write("sales_order.close", {"id": "4711"})


async def test_an_order_that_changes_while_it_is_closed_is_read_once_more() -> None:
    async with linked() as link:
        operation = link.writing("sales_order.close")
        settings: Any = link.connected.settings
        assert operation.calls is not None
        course = operation.calls(settings, operation.request(settings, {"id": "2"}, KEY))
        read = next(course)
        shown = await link.connected.send(read)
        await link.write("sales_order.update", {"SalesOrder": "2", "CustomerPaymentTerms": "0002"})
        batch = course.send(shown)
        with pytest.raises(NotBegun):
            course.send(await link.connected.send(batch))
        assert not link.rows("A_SalesOrderItem", SalesOrder="2")[0].get("SalesDocumentRjcnReason")
        assert await link.write("sales_order.close", {"id": "2"}) == {"id": "2"}
        assert link.rows("A_SalesOrderItem", SalesOrder="2")[0]["SalesDocumentRjcnReason"] == "00"
