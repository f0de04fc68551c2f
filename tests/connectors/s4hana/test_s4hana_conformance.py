"""Every OData request of the connector beside the metadata: the sandbox's own, which is beside facts of SAP's.

With `CONCORD_SAP_SPECS` the facts and the requests are compared with SAP's own documents too.
"""

from __future__ import annotations

from typing import Any

import pytest

from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.odata.model import services
from connectors.s4hana.samples import SAMPLES
from hub.sandbox.main import find
from hub.sandbox.request_log import Entry
from hub.sandbox.server import running
from hub.sdk.connector import WriteOperation
from hub.sdk.testing.invented import live_settings
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey
from tests.connectors.s4hana.conformance import Asked, Judge, judged, of_log, published
from tests.connectors.s4hana.conftest import V2, V4, Plain
from tests.connectors.s4hana.facts import differing, facts
from tests.connectors.s4hana.metadata import read
from tests.connectors.s4hana.test_s4hana_specs import FILES, FOLDER, file
from tests.connectors.tried import every_call

KEY = EffectKey("a" * 32)
#: Beside the samples: what is not there yet, made with a change, and what is cleared.
CHANGES: list[tuple[str, dict[str, Any]]] = [
    (
        "business_partner.update",
        {
            "BusinessPartner": "10100001",
            "SearchTerm1": "",
            "to_BusinessPartnerTax": [{"BPTaxType": "DE0", "BPTaxNumber": "DE987654321"}],
            "to_Customer": {
                "to_CustomerCompany": [
                    {"CompanyCode": "1710", "ReconciliationAccount": "12100000", "PaymentTerms": "0003"}
                ]
            },
        },
    ),
    (
        "sales_order.update",
        {
            "SalesOrder": "2",
            "RequestedDeliveryDate": "2026-03-01",
            "to_Item": [
                {"SalesOrderItem": "20", "Material": "USAGE", "RequestedQuantity": "2.5"},
                {
                    "SalesOrderItem": "30",
                    "Material": "SUBSCRIPTION",
                    "RequestedQuantity": "1",
                    "to_PricingElement": [
                        {"ConditionType": "PMP0", "ConditionRateValue": "7", "ConditionCurrency": "JPY"}
                    ],
                },
            ],
            "to_Partner": [{"PartnerFunction": "VE", "Customer": "10100001"}],
        },
    ),
    (
        "sales_order_v4.update",
        {
            "SalesOrder": "2",
            "PurchaseOrderByShipToParty": None,
            "_Item": [{"SalesOrderItem": "40", "Product": "USAGE", "RequestedQuantity": "2.5"}],
            "_Partner": [{"PartnerFunction": "VE", "Customer": "10100002"}],
        },
    ),
    ("product.update", {"Product": "USAGE", "to_Description": [{"Language": "EN", "ProductDescription": "Use"}]}),
]


async def sent(v4_batch: str) -> list[Entry]:
    """Give the log of a sandbox at which everything was called that the connector has a sample of."""
    async with running(find("s4hana")) as served:
        await served.world.books.seed(SAMPLES.seed)
        told = {**live_settings(CONNECTOR, SAMPLES, served.announcement), "v4_batch": v4_batch}
        connected = Connected(CONNECTOR, CONNECTOR.settings.model_validate(told))
        try:
            await every_call(connected, CONNECTOR, SAMPLES, KEY)
            for name, record in CHANGES:
                await bound(connected, name, record)
        finally:
            await connected.close()
        return served.world.requests.since(0)


async def bound(connected: Connected, name: str, record: dict[str, Any]) -> None:
    """Write as a hub does: bound to what a look has seen, with what is missing made."""
    operation = CONNECTOR.operation(name)
    assert isinstance(operation, WriteOperation)
    request = operation.request(connected.settings, record, KEY)
    guard: Any = operation.guard
    standing, _ = await connected.stand(guard.look, request)
    operation.result(await connected.send(guard.bind(request, standing) if hasattr(guard, "bind") else request))


@pytest.mark.parametrize("service", sorted(services()))
async def test_the_metadata_says_what_sap_s_says(plain: Plain, service: str) -> None:
    root = V4 if published(service).v4 else f"{V2}{service}/"
    document = read((await plain.call("GET", f"{root}$metadata")).text.encode())
    assert list(differing(service, document)) == []


def test_there_are_facts_of_all_that_the_connector_names() -> None:
    for service, sets in services().items():
        assert facts()[service].keys() == sets.keys()
        for name, entity_set in sets.items():
            assert facts()[service][name].keys == entity_set.keys
            assert facts()[service][name].shapes.keys() >= entity_set.properties.keys(), name


@pytest.mark.parametrize("v4_batch", ["multipart", "json"])
async def test_no_request_has_what_is_not_declared(v4_batch: str) -> None:
    entries = await sent(v4_batch)
    assert judged(entries, published) == []
    assert {service for service, _ in of_log(entries)} >= services().keys() - {"API_JOURNALENTRYITEMBASIC_SRV"}
    assert len(list(of_log(entries))) > 70


@pytest.mark.skipif(not FOLDER, reason="CONCORD_SAP_SPECS names no folder with SAP's EDMX and WSDL files")
@pytest.mark.parametrize("v4_batch", ["multipart", "json"])
async def test_no_request_has_what_sap_does_not_declare(v4_batch: str) -> None:
    assert judged(await sent(v4_batch), lambda service: read(file(FILES[service]))) == []


@pytest.mark.skipif(not FOLDER, reason="CONCORD_SAP_SPECS names no folder with SAP's EDMX and WSDL files")
@pytest.mark.parametrize("service", sorted(FILES))
def test_the_facts_are_sap_s(service: str) -> None:
    assert list(differing(service, read(file(FILES[service])))) == []


ORDERS = "API_SALES_ORDER_SRV"
NEW = "CE_SALESORDER_0001"


@pytest.mark.parametrize(
    ("service", "method", "address", "body", "told"),
    [
        (ORDERS, "GET", "A_Nothing", "", "A_Nothing is not declared"),
        (ORDERS, "GET", "A_SalesOrder('12345678901')", "", "longer than 10"),
        (ORDERS, "GET", "A_SalesOrder(1)", "", "no text"),
        (ORDERS, "GET", "A_SalesOrder(Nothing='1')", "", "the key of A_SalesOrder"),
        (ORDERS, "GET", "A_SalesOrder('1')/to_Nothing", "", "has no to_Nothing"),
        (ORDERS, "GET", "A_SalesOrder?$select=Nothing", "", "Nothing is selected"),
        (ORDERS, "GET", "A_SalesOrder?$select=to_Item/Material", "", "selected and not expanded"),
        (ORDERS, "GET", "A_SalesOrder?$expand=to_Item/to_Nothing", "", "to_Item/to_Nothing is expanded"),
        (ORDERS, "GET", "A_SalesOrder?$filter=Nothing%20eq%20'1'", "", "Nothing cannot be filtered by"),
        (ORDERS, "GET", "A_SalesOrder?$filter=SalesOrderDate%20eq%20'1'", "", "no Date"),
        (ORDERS, "GET", "A_SalesOrder?$filter=TotalNetAmount%20eq%201", "", "no Decimal"),
        (ORDERS, "GET", "A_SalesOrder?$filter=contains(SoldToParty,'1')", "", "not understood"),
        (ORDERS, "GET", "A_SalesOrderText?$filter=LongText%20eq%20'x'", "", "LongText cannot be filtered by"),
        (ORDERS, "GET", "A_SalesOrderText?$orderby=LongText", "", "LongText cannot be sorted by"),
        (ORDERS, "GET", "A_SalesOrder?$count=true", "", "options ['$count']"),
        (ORDERS, "POST", "A_SalesOrder", '{"Nothing": "1"}', "has no Nothing"),
        (ORDERS, "POST", "A_SalesOrder", '{"SalesOrganization": "10100"}', "cannot be '10100'"),
        (ORDERS, "POST", "A_SalesOrder", '{"TotalNetAmount": "1"}', "TotalNetAmount is read-only"),
        (ORDERS, "POST", "A_SalesOrder", '{"SalesOrderDate": "2026-01-31"}', "cannot be '2026-01-31'"),
        (ORDERS, "POST", "A_SalesOrder", '{"SalesOrderDate": "/Date(1)/"}', "cannot be '/Date(1)/'"),
        (ORDERS, "POST", "A_SalesOrder", '{"SalesOrder": null}', "cannot be None"),
        (ORDERS, "POST", "A_SalesOrder", '{"to_Item": [{"RequestedQuantity": 1}]}', "cannot be 1"),
        (ORDERS, "POST", "A_SalesOrder", '{"to_Item": [{"RequestedQuantity": "1.2345"}]}', "cannot be '1.2345'"),
        (ORDERS, "POST", "A_SalesOrder", '{"to_Item": {"Material": "X"}}', "to_Item is given as"),
        (ORDERS, "POST", "A_SalesOrderItem", '{"SalesOrder": "1"}', "SalesOrder is read-only"),
        (ORDERS, "PATCH", "A_SalesOrder('1')", "{}", "names no version"),
        (ORDERS, "PUT", "A_SalesOrder('1')", "{}", "not understood"),
        ("API_BUSINESS_PARTNER", "DELETE", "A_BusinessPartner('1')", "", "not deletable"),
        ("API_BUSINESS_PARTNER", "POST", "A_Customer", "{}", "not creatable"),
        ("API_BILLING_DOCUMENT_SRV", "GET", "Cancel?BillingDocument='1'", "", "called by GET"),
        ("API_BILLING_DOCUMENT_SRV", "POST", "Cancel?Document='1'", "", "called with ['Document']"),
        ("API_BILLING_DOCUMENT_SRV", "POST", "Cancel?BillingDocument=1", "", "no text"),
        (NEW, "GET", "SalesOrder?$filter=TotalNetAmount%20gt%201", "", "cannot be compared by gt"),
        (NEW, "GET", "SalesOrder?$filter=SoldToParty%20eq%20null", "", "never null"),
        (NEW, "GET", "SalesOrder?$filter=SalesOrderDate%20eq%20datetime'2026-01-31T00:00:00'", "", "no Date"),
        (NEW, "GET", "SalesOrder?$expand=_Item($select=Nothing)", "", "Nothing is selected"),
        (NEW, "GET", "SalesOrder?$inlinecount=allpages", "", "options ['$inlinecount']"),
        (NEW, "POST", "SalesOrder", "{}", "needs ['SalesOrderType']"),
        (NEW, "POST", "SalesOrderItem", "{}", "not creatable"),
        (NEW, "POST", "SalesOrderItem(SalesOrder='1',SalesOrderItem='10')/_ScheduleLine", "{}", "not creatable"),
        (NEW, "POST", "SalesOrder('1')/_Item", '{"_ScheduleLine": []}', "_ScheduleLine is given as []"),
        (NEW, "PATCH", "SalesOrder('1')", '{"SalesOrderType": "OR"}', "SalesOrderType is read-only"),
        (NEW, "PATCH", "SalesOrder('1')", '{"SoldToParty": null}', "cannot be None"),
        (NEW, "DELETE", "SalesOrder('1')", "", "not deletable"),
    ],
)
def test_what_is_not_declared_is_told(service: str, method: str, address: str, body: str, told: str) -> None:
    path, _, query = address.partition("?")
    headers = {"accept": "application/json", "content-type": "application/json"}
    asked = Asked(method=method, path=path, query=query, headers=headers, body=body.encode())
    assert told in "; ".join(Judge(published(service)).findings(asked))


def test_a_batch_is_judged_part_by_part() -> None:
    parts = ["PATCH A_SalesOrder('1') HTTP/1.1", "Accept: application/json", "", '{"Nothing": "1"}', ""]
    inner = ["--c", "Content-Type: application/http", "", *parts, "--c--", ""]
    body = "\r\n".join(["--b", "Content-Type: multipart/mixed; boundary=c", "", *inner, "--b--", ""])
    kind = {"content-type": "multipart/mixed; boundary=b"}
    found = list(
        Judge(published(ORDERS)).findings(Asked(method="POST", path="$batch", headers=kind, body=body.encode()))
    )
    assert found == [
        "PATCH A_SalesOrder('1'): it names no version",
        "PATCH A_SalesOrder('1'): A_SalesOrder has no Nothing",
    ]
