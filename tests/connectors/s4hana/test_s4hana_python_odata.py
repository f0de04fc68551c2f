"""An independent client of OData v4, `python-odata`, speaks to the sandbox by the sandbox's own metadata."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from odata import ODataService
from odata.exceptions import ODataError
from odata.flags import ODataServerFlags

from tests.connectors.s4hana.conftest import ORDERS, V4, Plain
from tests.connectors.s4hana.test_s4hana_pyodata import session_of

AREA = {"SalesOrganization": "1010", "DistributionChannel": "10", "OrganizationDivision": "00"}


def client_of(plain: Plain) -> Any:
    """Give a client that has read the metadata of the service of sales orders."""
    flags = ODataServerFlags(skip_null_properties=True, provide_odata_type_annotation=False)
    session = session_of(plain)
    url = plain.served.url + V4
    client = ODataService(url, session=session, reflect_entities=True, quiet_progress=True, server_flags=flags)
    session.headers["X-CSRF-Token"] = session.head(url, headers={"X-CSRF-Token": "Fetch"}).headers["x-csrf-token"]
    return client


def order(client: Any, **more: str) -> Any:
    """Give an order with one item that is not saved yet."""
    made, item = client.entities["SalesOrder"](), client.entities["SalesOrderItem"]()
    for name, value in {"SalesOrderType": "OR", **AREA, "SoldToParty": "10100001", **more}.items():
        setattr(made, name, value)
    item.Product, item.RequestedQuantity = "SUBSCRIPTION", 2
    made._Item = [item]
    return made


async def test_the_library_knows_what_the_metadata_declares(plain: Plain) -> None:
    client = await asyncio.to_thread(client_of, plain)
    service = plain.served.world.books.services["CE_SALESORDER_0001"]  # type: ignore[attr-defined]
    assert client.entities.keys() == service.sets.keys()
    for name, entity_set in service.sets.items():
        declared = {each["name"] for each in client.entities[name].__odata_schema__["properties"]}
        assert declared - {"SAP__Messages"} == entity_set.properties.keys()


async def test_it_follows_the_pages_of_a_filter_with_what_is_expanded(plain: Plain) -> None:
    await plain.seed(settings={"page_size": 1})

    def work() -> Any:
        client = client_of(plain)
        orders = client.entities["SalesOrder"]
        query = client.query(orders).filter(orders.SalesOrganization >= "1010").order_by(orders.SalesOrder.desc())
        found = [(each.SalesOrder, [item.Product for item in each._Item]) for each in query.expand(orders._Item)]
        alone = client.query(orders).filter(orders.PurchaseOrderByCustomer.startswith("PO-1")).all()
        return found, [each.TotalNetAmount for each in alone], client.query(orders).get("2").TransactionCurrency

    found, amounts, currency = await asyncio.to_thread(work)
    assert found == [("2", ["USAGE"]), ("1", ["SUBSCRIPTION"])]
    assert (amounts, currency) == ([200], "JPY")
    # Two pages of the one query, and one of each of the others.
    asked = [entry.path for entry in plain.served.world.requests.since(0) if "SalesOrder?" in entry.path]
    assert (len(asked), sum("$skiptoken" in each for each in asked)) == (4, 1)


async def test_it_makes_an_order_and_changes_it_in_the_version_that_it_knows(plain: Plain) -> None:
    def work() -> Any:
        client = client_of(plain)
        made = order(client, PurchaseOrderByCustomer="PO-9")
        client.save(made)
        made.PurchaseOrderByCustomer = "PO-10"
        with pytest.raises(ODataError) as refused:
            client.save(made)
        session = client.default_context.connection.session
        path = f"{client.url}SalesOrder('{made.SalesOrder}')"
        version = session.get(path, headers={"Accept": "application/json"}).headers["etag"]
        client.default_context.save(made, extra_headers={"If-Match": version})
        made.PurchaseOrderByCustomer = "PO-11"
        with pytest.raises(ODataError) as stale:
            client.default_context.save(made, extra_headers={"If-Match": version})
        return made.SalesOrder, made.TotalNetAmount, refused.value, stale.value

    number, amount, refused, stale = await asyncio.to_thread(work)
    assert amount == 200
    assert (refused.status_code, refused.code) == ("HTTP 428", "/IWBEP/CM_V4_APPS/017")
    assert stale.status_code == "HTTP 412"
    shown = (await plain.get(f"{ORDERS}('{number}')?$expand=to_Item")).d
    assert (shown["PurchaseOrderByCustomer"], shown["to_Item"]["results"][0]["RequestedQuantity"]) == ("PO-10", "2")


async def test_it_reads_refusals(plain: Plain) -> None:
    def work() -> Any:
        client = client_of(plain)
        with pytest.raises(ODataError) as refused:
            client.save(order(client, SoldToParty="999"))
        orders = client.entities["SalesOrder"]
        with pytest.raises(ODataError) as wrong:
            client.query(orders).filter(orders.TotalNetAmount > 1).all()
        return refused.value, wrong.value

    refused, wrong = await asyncio.to_thread(work)
    assert (refused.code, refused.message) == ("VP/199", "Sold-to party 999 not maintained for sales area")
    assert "can be compared with 'eq' only" in wrong.message
