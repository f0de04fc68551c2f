"""What the connector sends, beside SAP's own documents where these are at hand: names, types, keys, and XML schemas.

`CONCORD_SAP_SPECS` names a folder with EDMX and WSDL files under the names that they have in SAP's catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pytest
from lxml import etree

from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.odata.model import EntitySet, Kind, services
from connectors.s4hana.samples import CREDIT_MEMO, INVOICE, JOURNAL, PAYMENT
from connectors.s4hana.shapes import RECORDS
from hub.sdk.connector import WriteOperation
from tests.connectors.s4hana.linking import KEY
from tests.connectors.s4hana.metadata import read
from tests.connectors.s4hana.test_s4hana_specs import FILES, FOLDER, file

pytestmark = pytest.mark.skipif(not FOLDER, reason="CONCORD_SAP_SPECS names no folder with SAP's EDMX and WSDL files")
SETTINGS = CONNECTOR.settings.model_validate({"base_url": "https://x", "user": "U", "password": "p"})
_SFIN = "{http://sap.com/xi/SAPSCORE/SFIN}"
_XSD = "{http://www.w3.org/2001/XMLSchema}"
#: What each type of SAP's is to us.
KINDS = {
    "String": Kind.TEXT,
    "Date": Kind.DATE,
    "DateTimeOffset": Kind.MOMENT,
    "Decimal": Kind.DECIMAL,
    "Boolean": Kind.BOOLEAN,
    "Time": Kind.TIME,
    "TimeOfDay": Kind.TIME,
}
OLD, SYNCHRONOUS, ASYNCHRONOUS = (
    "JOURNALENTRYCREATEREQUESTCONFI.wsdl",
    "2026/JOURNALENTRYCREATEREQUESTCONFI.wsdl",
    "2026/JOURNALENTRYBULKCREATIONREQUES.wsdl",
)
REVERSAL: Mapping[str, Any] = {
    "company_code": "1010",
    "fiscal_year": "2026",
    "id": "1800000000",
    "posting_date": "2026-02-01",
}
ASSIGNED: Mapping[str, Any] = {
    **JOURNAL,
    "lines": [
        {
            "account": "41000000",
            "amount": "-12.50",
            "text": "a & b",
            "assignment": "CONTRACT-7",
            "profit_center": "YB600",
            "segment": "1000_A",
            "cost_center": "10101301",
            "wbs_element": "P-1",
            "sales_order": "1",
            "sales_order_item": "10",
            "functional_area": "YB25",
            "tax_code": "A1",
        },
        {
            "customer": "10100001",
            "amount": "14.88",
            "text": "owed",
            "assignment": "CONTRACT-7",
            "due_from": "2026-01-31",
            "net_days": 30,
            "payment_reference": "PAY-7",
            "special_gl": "A",
        },
    ],
    "taxes": [{"tax_code": "A1", "amount": "-2.38", "base": "-12.50"}],
}


@pytest.mark.parametrize("service", sorted(services()))
def test_every_name_is_one_of_sap_s(service: str) -> None:
    theirs = read(file(FILES[service])).sets
    for name, entity in services()[service].items():
        true = theirs[name]
        assert entity.keys == true.keys, name
        for each, kind in entity.properties.items():
            assert each in true.properties, f"{name} has no {each}"
            assert kind is KINDS[true.properties[each].type], f"{name}.{each}"
        assert entity.navigations.keys() <= true.navigations.keys(), name
        assert entity.aggregate is true.aggregate, name


@pytest.mark.parametrize("service", sorted(services()))
def test_navigations_lead_where_sap_s_do(service: str) -> None:
    theirs = read(file(FILES[service])).sets
    for name, entity in services()[service].items():
        for each in entity.navigations:
            target, many = entity.behind(each)
            assert (theirs[target.name].type, many) == theirs[name].navigations[each], each


#: Of which documents all that they declare must be known: the newest, and those that older tenants still show.
RELEASES = {name: (path,) for name, path in FILES.items()} | {
    name: (f"2026/{name}.edmx", f"{name}.edmx") for name in ("API_PRODUCT_SRV", "API_SALES_ORDER_SRV")
}
#: What a property is in JSON.
JSON = {**dict.fromkeys((*KINDS, "DateTime", "Guid"), "string"), "Boolean": "boolean", "Double": "number"}


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_schemas_know_all_that_sap_declares(name: str) -> None:
    """What a tenant of SAP's has always shown is no drift, at the head of a record and in all its parts."""
    service, entity_set, path = RECORDS[name]
    schema: Any = CONNECTOR.schemas[name]
    for each in path:
        schema = schema["properties"][each]["items"]
    for document in RELEASES[service]:
        _assert_known(schema, services()[service][entity_set], read(file(document)).sets)


def _assert_known(schema: Any, entity: EntitySet, theirs: Mapping[str, Any]) -> None:
    for each, true in theirs[entity.name].properties.items():
        # What begins with YY1_ are a tenant's own fields.
        if not each.startswith(("SAP__", "YY1_")):
            assert each in schema["properties"], f"{entity.name}.{each}"
            assert JSON[true.type] in schema["properties"][each]["type"], f"{entity.name}.{each}"
    for each in entity.navigations:
        target, many = entity.behind(each)
        below = schema["properties"][each]
        _assert_known(below["items"] if many else below, target, theirs)


def schema_of(name: str) -> etree.XMLSchema:
    """Give the XML schema of journal entries in a WSDL; what stands beside it describes faults."""
    found = etree.parse(BytesIO(file(name))).iter(f"{_XSD}schema")
    (schema,) = (each for each in found if f"{{{each.get('targetNamespace')}}}" == _SFIN)
    return etree.XMLSchema(etree.fromstring(etree.tostring(schema)))


@pytest.mark.parametrize(
    ("wsdl", "operation", "record"),
    [
        (OLD, "invoice.post", INVOICE),
        (OLD, "journal_entry.post", ASSIGNED),
        (SYNCHRONOUS, "invoice.post", INVOICE),
        (SYNCHRONOUS, "credit_memo.post", {**CREDIT_MEMO, "invoice": PAYMENT["invoice"]}),
        (SYNCHRONOUS, "payment.post", PAYMENT),
        (SYNCHRONOUS, "journal_entry.post", ASSIGNED),
        (SYNCHRONOUS, "journal_entry.reverse", REVERSAL),
        (ASYNCHRONOUS, "journal_entry.submit", ASSIGNED),
    ],
)
def test_a_message_is_valid_by_sap_s_schema(wsdl: str, operation: str, record: Mapping[str, Any]) -> None:
    write = CONNECTOR.operation(operation)
    assert isinstance(write, WriteOperation)
    request = write.request(SETTINGS, record, KEY)
    body = etree.fromstring(request.body)
    (root,) = body.iter(f"{_SFIN}JournalEntryBulkCreateRequest")
    schema = schema_of(wsdl)
    assert schema.validate(root), schema.error_log
    assert request.headers["soapaction"].strip('"').encode() in file(wsdl)
    assert request.url.removeprefix("https://x").encode() in file(wsdl)
