"""What a contract needs of S/4HANA: products, found by their number elsewhere, and sold where they have the data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.s4hana.samples import PRODUCT
from hub.sdk.errors import FixData
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
