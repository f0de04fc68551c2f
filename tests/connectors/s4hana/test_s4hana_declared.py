"""What `$metadata` does not declare is refused: in bodies, options, keys and parameters, in either version."""

from __future__ import annotations

from typing import Any

import pytest

from tests.connectors.s4hana.conftest import ORDERS, PARTNERS, V2, V4, Plain
from tests.connectors.s4hana.test_s4hana_batches import batch, change_set, part, send

BILLS = "API_BILLING_DOCUMENT_SRV"
ITEM = {"Product": "USAGE", "RequestedQuantity": 1}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"Nothing": "1"}, "Property 'Nothing' is invalid"),
        ({"to_Item": [{"Nothing": "1"}]}, "Property 'Nothing' is invalid"),
        ({"SalesOrganization": "10100"}, "Property 'SalesOrganization' at offset '%' has invalid value '10100'"),
        ({"SalesOrganization": 1010}, "Property 'SalesOrganization' at offset '%' has invalid value '1010'"),
        (
            {"CompleteDeliveryIsDefined": "X"},
            "Property 'CompleteDeliveryIsDefined' at offset '%' has invalid value 'X'",
        ),
        ({"SalesOrder": None}, "Property 'SalesOrder' at offset '%' has invalid value 'None'"),
        (
            {"to_Item": [{"RequestedQuantity": "1.2345"}]},
            "'RequestedQuantity' at offset '%' has invalid value '1.2345'",
        ),
        ({"SalesOrderDate": "31.01.2026"}, "Property 'SalesOrderDate' at offset '%' has invalid value '31.01.2026'"),
        ({"TotalNetAmount": "1.00"}, "Property 'TotalNetAmount' is read-only"),
        ({"to_Item": [{"TransactionCurrency": "EUR"}]}, "Property 'TransactionCurrency' is read-only"),
    ],
)
async def test_bodies_are_as_the_metadata_says(
    plain: Plain, make_order: Any, body: dict[str, Any], message: str
) -> None:
    status, code, told = (await plain.post(ORDERS, make_order(**body))).error
    first, _, second = message.partition("%")
    assert (status, code.startswith("/IWBEP/CM_MGW_RT/")) == (400, True)
    assert first in told
    assert told.endswith(second)
    assert (await plain.books())["counts"]["A_SalesOrder"] == 2


async def test_a_change_gives_nothing_that_only_sap_determines(plain: Plain, make_order: Any) -> None:
    change = {"TotalNetAmount": "1.00"}
    path = f"{ORDERS}('2')"
    assert "read-only" in (await plain.write("PATCH", path, change, If_Match="*")).error[2]
    # Its key repeats what the address says.
    assert (await plain.write("PATCH", path, {"SalesOrder": "2"}, If_Match="*")).status == 204
    await plain.seed(settings={"read_only_properties": "ignore"})
    assert (await plain.write("PATCH", path, change, If_Match="*")).status == 204
    assert (await plain.get(path)).d["TotalNetAmount"] == "960"
    assert (await plain.post(ORDERS, make_order(**change))).d["TotalNetAmount"] == "100.00"


async def test_parts_are_made_below_what_they_belong_to(plain: Plain) -> None:
    """The key that a part has from its order cannot be written."""
    partner = {"PartnerFunction": "VE", "Personnel": "7"}
    named = {"SalesOrder": "2", **partner}
    there = "API_SALES_ORDER_SRV/A_SalesOrderHeaderPartner"
    assert "'SalesOrder' is read-only" in (await plain.post(there, named)).error[2]
    assert (await plain.post(f"{ORDERS}('2')/to_Partner", named)).status == 201


@pytest.mark.parametrize(
    "path",
    [
        f"{ORDERS}?$filter=Nothing eq '1'",
        f"{ORDERS}?$filter=SalesOrder eq 1",
        f"{ORDERS}?$select=Nothing",
        f"{ORDERS}?$expand=to_Nothing",
        f"{ORDERS}?$orderby=Nothing",
        f"{ORDERS}?$apply=x",
        f"{ORDERS}('12345678901')",
        f"{ORDERS}(Nothing='1')",
        f"{ORDERS}('2')/to_Text?$filter=LongText eq 'x'",
        f"{ORDERS}('2')/to_Text?$orderby=LongText",
        "API_GLACCOUNTLINEITEM/GLAccountLineItem?$filter=ID eq 'x'",
        "API_GLACCOUNTLINEITEM/GLAccountLineItem?$orderby=ID",
        "API_GLACCOUNTLINEITEM/GLAccountLineItem?$filter=AmountInCompanyCodeCurrency gt 1M",
        f"{BILLS}/GetPDF?BillingDocument='90000000'&Language='EN'",
        f"{BILLS}/GetPDF",
        f"{BILLS}/GetPDF?BillingDocument=90000000",
    ],
)
async def test_addresses_are_as_the_metadata_says(plain: Plain, path: str) -> None:
    assert (await plain.get(path)).error[0] in (400, 404)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"Nothing": "1"}, "Property 'Nothing' is invalid"),
        ({"SalesOrganization": None}, "has invalid value 'None'"),
        ({"_Item": [{**ITEM, "RequestedQuantity": "1"}]}, "has invalid value '1'"),
        ({"_Item": [{**ITEM, "RequestedQuantity": None}]}, "has invalid value 'None'"),
        ({"_Item": [{**ITEM, "TaxAmount": 1}]}, "Property 'TaxAmount' is read-only"),
        ({"_Item": [{**ITEM, "_ItemPricingElement": [{"ConditionRateAmount": 1}]}]}, "'ConditionType' is required"),
        ({"SalesOrderType": ...}, "Property 'SalesOrderType' is required"),
    ],
)
async def test_bodies_of_version_4_are_as_the_metadata_says(plain: Plain, body: dict[str, Any], message: str) -> None:
    area = {"SalesOrganization": "1010", "DistributionChannel": "10", "OrganizationDivision": "00"}
    given = {"SalesOrderType": "OR", **area, "SoldToParty": "10100001", "_Item": [ITEM], **body}
    made = await plain.write("POST", f"{V4}SalesOrder", {name: each for name, each in given.items() if each is not ...})
    assert made.error[0] == 400
    assert message in made.error[2]


async def test_decimals_of_version_4_are_texts_where_the_content_says_so(plain: Plain) -> None:
    path = f"{V4}SalesOrderItem(SalesOrder='2',SalesOrderItem='10')"
    exact = {"Content_Type": "application/json;IEEE754Compatible=true", "If_Match": "*"}
    assert (await plain.write("PATCH", path, {"RequestedQuantity": "7"}, **exact)).status == 200
    assert (await plain.write("PATCH", path, {"RequestedQuantity": 7}, **exact)).error[0] == 400


async def test_what_a_set_of_version_4_does_not_offer_is_refused(plain: Plain) -> None:
    item = {"SalesOrder": "2", **ITEM}
    assert (await plain.write("POST", f"{V4}SalesOrderItem", item)).error[0] == 405
    assert (await plain.write("POST", f"{V4}SalesOrder('2')/_Item", item)).status == 201
    assert (await plain.write("DELETE", f"{V4}SalesOrder('2')", If_Match="*")).error[0] == 405
    line = f"{V4}SalesOrderScheduleLine(SalesOrder='2',SalesOrderItem='10',ScheduleLine='1')"
    lines = f"{V4}SalesOrderItem(SalesOrder='2',SalesOrderItem='10')/_ScheduleLine"
    assert (await plain.write("POST", lines, {})).error[0] == 405
    deep = {**ITEM, "_ScheduleLine": [{"RequestedDeliveryDate": "2026-01-31"}]}
    assert "'_ScheduleLine' is read-only" in (await plain.write("POST", f"{V4}SalesOrder('2')/_Item", deep)).error[2]
    change = {"RequestedDeliveryDate": "2026-01-31"}
    assert (await plain.write("PATCH", line, change, If_Match="*")).error[0] == 405
    once = {"SalesOrderType": "OR"}
    assert "read-only" in (await plain.write("PATCH", f"{V4}SalesOrder('2')", once, If_Match="*")).error[2]


async def test_changes_of_version_4_have_names(plain: Plain) -> None:
    """SAP's OData v4 takes no change set whose requests have no Content-ID."""
    change = {"PurchaseOrderByCustomer": "PO-9"}
    for identity, status in (("", 400), ("1", 200)):
        sent = batch(change_set(part("PATCH", "SalesOrder('2')", change, identity=identity, If_Match="*")))
        assert (await send(plain, sent, service=V4.rstrip("/"))).status == status
    old = batch(change_set(part("PATCH", "A_SalesOrder('2')", change, If_Match="*")))
    assert (await send(plain, old, service=f"{V2}API_SALES_ORDER_SRV")).status == 202


async def test_nothing_is_shown_where_there_must_be_something(plain: Plain) -> None:
    """What a service of version 4 shows is what its metadata says: nowhere null where that is not allowed."""
    service = plain.served.world.books.services["CE_SALESORDER_0001"]  # type: ignore[attr-defined]
    for name, entity_set in service.sets.items():
        rows = (await plain.call("GET", f"{V4}{name}")).rows
        for each in entity_set.properties.values():
            if not service.nullable(each):
                assert all(row[each.name] is not None for row in rows), (name, each.name)
    assert (await plain.get(PARTNERS)).rows
