"""`pyodata`, `python-odata` and `zeep` make every call of the connector, by the sandbox's own metadata and WSDLs.

What the connector sends is not listed by hand: its operations, streams and listings are tried against a sandbox, whose
log tells the calls.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.samples import SAMPLES
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.testing.invented import live_settings
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey
from tests.connectors.s4hana.conftest import ASYNC, SYNC, Plain, order
from tests.connectors.s4hana.test_s4hana_pyodata import CREDIT, SERVICES
from tests.connectors.s4hana.test_s4hana_pyodata import client_of as odata
from tests.connectors.s4hana.test_s4hana_python_odata import client_of as odata_v4
from tests.connectors.s4hana.test_s4hana_python_odata import order as order_v4
from tests.connectors.s4hana.test_s4hana_zeep import client_of as soap
from tests.connectors.s4hana.test_s4hana_zeep import invoice, message
from tests.connectors.tried import every_call

KEY = EffectKey("a" * 32)
#: A set of each service that the connector reads one of by its key, and that key.
KEYS: dict[str, tuple[str, dict[str, str]]] = {
    "API_COMPANYCODE_SRV": ("A_CompanyCode", {"CompanyCode": "1010"}),
    "API_GLACCOUNTINCHARTOFACCOUNTS_SRV": (
        "A_GLAccountInChartOfAccounts",
        {"ChartOfAccounts": "YCOA", "GLAccount": "41000000"},
    ),
    "API_BILLING_DOCUMENT_SRV": ("A_BillingDocument", {"BillingDocument": "90000000"}),
    "API_BUSINESS_PARTNER": ("A_BusinessPartner", {"BusinessPartner": "10100001"}),
    "API_SALES_ORDER_SRV": ("A_SalesOrder", {"SalesOrder": "1"}),
    "API_CREDIT_MEMO_REQUEST_SRV": ("A_CreditMemoRequest", {"CreditMemoRequest": "60000000"}),
    "API_PRODUCT_SRV": ("A_Product", {"Product": "SUBSCRIPTION"}),
}
#: What of each can be changed by a change set, which needs its ETag where it has one.
CHANGES = {
    "API_BUSINESS_PARTNER": {"SearchTerm1": "ALDER"},
    "API_SALES_ORDER_SRV": {"PurchaseOrderByCustomer": "PO-9"},
    "API_CREDIT_MEMO_REQUEST_SRV": {"PurchaseOrderByCustomer": "PO-9"},
    "API_PRODUCT_SRV": {"ProductGroup": "L002"},
}

#: No library for Python writes batches of OData v4; `python-odata`, the one that is kept up and small, makes all else.
#: What the batches hold is judged by the metadata (`test_s4hana_conformance.py`), and their form by the standard's own
#: rules, written once more in `test_s4hana_batches.py`.
WITHOUT_A_LIBRARY = {("POST", "/sap/opu/odata4/sap/api_salesorder/srvd_a2x/sap/salesorder/0001/$batch")}


def calls(served: Running) -> set[tuple[str, str]]:
    """Give the calls in the sandbox's log, without the keys in their paths."""
    paths = [(entry.method, unquote(urlsplit(entry.path).path)) for entry in served.world.requests.since(0)]
    return {(method, re.sub(r"\(.*?\)", "(…)", path)) for method, path in paths}


async def connector_calls() -> set[tuple[str, str]]:
    """Give the calls that the connector makes."""
    async with running(find("s4hana")) as served:
        await served.world.books.seed(SAMPLES.seed)
        connected = Connected(
            CONNECTOR, CONNECTOR.settings.model_validate(live_settings(CONNECTOR, SAMPLES, served.announcement))
        )
        try:
            await every_call(connected, CONNECTOR, SAMPLES, KEY)
        finally:
            await connected.close()
        return calls(served)


def with_the_libraries(plain: Plain) -> None:
    """List and read of each service, make and change what can be, and post entries in both ways."""
    for service, entity_set in SERVICES.items():
        client = odata(plain, service)
        assert list(getattr(client.entity_sets, entity_set).get_entities().top(1).execute()), service
        if service in KEYS:
            name, key = KEYS[service]
            entities = getattr(client.entity_sets, name)
            found = entities.get_entity(**key).execute()
            assert {part: getattr(found, part) for part in key} == key
            if service in CHANGES:
                _changed(client, entities, key, found.etag, CHANGES[service])
    _made(plain)
    _of_version_4(plain)
    reply = soap(plain, SYNC).service.JournalEntryCreateRequestConfirmation_In(**message(invoice()))
    assert reply.JournalEntryCreateConfirmation[0].Log.MaximumLogItemSeverityCode == "1"
    later = message(invoice(), identity="MSG2")
    assert not soap(plain, ASYNC).service.JournalEntryBulkCreationRequest_In(**later)


def _of_version_4(plain: Plain) -> None:
    """List orders with their items, make one, and read it."""
    client = odata_v4(plain)
    orders = client.entities["SalesOrder"]
    found = client.query(orders).order_by(orders.SalesOrder.asc()).expand(orders._Item)
    assert [each.SalesOrder for each in found][:2] == ["1", "2"]
    made = order_v4(client)
    client.save(made)
    read = client.default_context.connection.execute_get(made.__odata__.instance_url)
    assert read["SalesOrder"] == made.SalesOrder


def _changed(client: Any, entities: Any, key: dict[str, str], etag: str | None, fields: dict[str, str]) -> None:
    """Change one by a change set of a batch, and look."""
    request = entities.update_entity(**key).set(**fields)
    if etag:
        request.add_headers({"If-Match": etag})
    batch, changes = client.create_batch(), client.create_changeset()
    changes.add_request(request)
    batch.add_request(changes)
    batch.execute()
    after = entities.get_entity(**key).execute()
    assert {name: getattr(after, name) for name in fields} == fields


def _made(plain: Plain) -> None:
    """Make one of each, and take a billing document back."""
    partners = odata(plain, "API_BUSINESS_PARTNER").entity_sets.A_BusinessPartner
    assert (
        partners.create_entity().set(BusinessPartnerCategory="2", OrganizationBPName1="Yew").execute().BusinessPartner
    )
    person = partners.create_entity().set(BusinessPartnerCategory="1", LastName="Byron").execute().BusinessPartner
    contacts = odata(plain, "API_BUSINESS_PARTNER").entity_sets.A_BusinessPartnerContact
    body = {"BusinessPartnerCompany": "10100001", "BusinessPartnerPerson": person}
    made = contacts.create_entity().set(**body, ValidityEndDate=datetime(9999, 12, 31, tzinfo=UTC)).execute()
    assert list(contacts.get_entities().filter(f"BusinessPartnerPerson eq '{person}'").execute())
    key = {**body, "RelationshipNumber": made.RelationshipNumber, "ValidityEndDate": made.ValidityEndDate}
    assert contacts.get_entity(**key).execute().BusinessPartnerPerson == person
    contacts.delete_entity(**key).execute()
    assert (
        odata(plain, "API_SALES_ORDER_SRV").entity_sets.A_SalesOrder.create_entity().set(**order()).execute().SalesOrder
    )
    requests = odata(plain, "API_CREDIT_MEMO_REQUEST_SRV").entity_sets.A_CreditMemoRequest
    assert requests.create_entity().set(**CREDIT).execute().CreditMemoRequest
    sets = odata(plain, "API_PRODUCT_SRV").entity_sets
    product = {"Product": "ANVIL", "ProductType": "SERV", "BaseUnit": "EA", "ProductGroup": "L001"}
    assert sets.A_Product.create_entity().set(**product).execute().Product == "ANVIL"
    sold = {"Product": "ANVIL", "ProductSalesOrg": "1010", "ProductDistributionChnl": "10"}
    sets.A_ProductSalesDelivery.create_entity().set(**sold).execute()
    assert sets.A_ProductSalesDelivery.get_entity(**sold).execute().ProductSalesOrg == "1010"
    cancelling = odata(plain, "API_BILLING_DOCUMENT_SRV").functions.Cancel.parameter("BillingDocument", "90000000")
    # A collection of complex values is more than the library can read; what it has sent is what counts.
    with pytest.raises(KeyError):
        cancelling.execute()


async def test_the_libraries_make_every_call_of_the_connector(plain: Plain) -> None:
    wanted = await connector_calls()
    await plain.seed(credit_memo_requests=[CREDIT])
    await asyncio.to_thread(with_the_libraries, plain)
    assert wanted - calls(plain.served) == WITHOUT_A_LIBRARY
    assert len(wanted) > 20
