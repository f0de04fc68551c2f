"""The connector's schemas, as its files have them and with all that SAP's metadata knows beside.

A file describes what is read and written. What a record shows besides is declared once, in the catalogue, and added
here as `readOnly`: so a field that SAP has always shown is no drift, and one that a release or somebody at the tenant
adds is. Schemas of events are made here too: of the keys that a business event has, and of a record's head, which is
what a stream of changes reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.s4hana.odata.model import EntitySet, entity_set
from hub.sdk.connector import JsonSchema
from hub.sdk.schemas import load

#: Which set the records of a schema are of, and under which lists of the schema they stand.
RECORDS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "s4hana.billing_document@1": ("API_BILLING_DOCUMENT_SRV", "A_BillingDocument", ()),
    "s4hana.business_partner@1": ("API_BUSINESS_PARTNER", "A_BusinessPartner", ()),
    "s4hana.company_code@1": ("API_COMPANYCODE_SRV", "A_CompanyCode", ()),
    "s4hana.contact_person@1": ("API_BUSINESS_PARTNER", "A_BusinessPartnerContact", ()),
    "s4hana.contact_persons@1": ("API_BUSINESS_PARTNER", "A_BusinessPartnerContact", ("contacts",)),
    "s4hana.credit_memo_request@1": ("API_CREDIT_MEMO_REQUEST_SRV", "A_CreditMemoRequest", ()),
    "s4hana.gl_account@1": ("API_GLACCOUNTINCHARTOFACCOUNTS_SRV", "A_GLAccountInChartOfAccounts", ()),
    "s4hana.items@1": ("API_OPLACCTGDOCITEMCUBE_SRV", "A_OperationalAcctgDocItemCube", ("items",)),
    "s4hana.journal_entries@1": (
        "API_OPLACCTGDOCITEMCUBE_SRV",
        "A_OperationalAcctgDocItemCube",
        ("journal_entries", "lines"),
    ),
    "s4hana.journal_entry@1": ("API_OPLACCTGDOCITEMCUBE_SRV", "A_OperationalAcctgDocItemCube", ("lines",)),
    "s4hana.product@1": ("API_PRODUCT_SRV", "A_Product", ()),
    "s4hana.sales_order@1": ("API_SALES_ORDER_SRV", "A_SalesOrder", ()),
    "s4hana.sales_order_v4@1": ("CE_SALESORDER_0001", "SalesOrder", ()),
}
#: Of which records a stream reads the heads alone.
_STREAMED = ("billing_document", "business_partner", "credit_memo_request", "gl_account", "product", "sales_order")
#: What a head always tells although its record need not: none where a partner was never changed.
NONE_YET = ("LastChangeDate", "LastChangeTime")


def head_of(called: str) -> str:
    """Name the schema of a record's head, which a stream of changes reads."""
    return f"s4hana.{called}_head@1"


def keys_of(called: str, version: str) -> str:
    """Name the schema of a business event about a record."""
    return f"s4hana.{called}_event@{version}"


def schemas(folder: Path, events: Mapping[str, tuple[str, ...]]) -> Mapping[str, JsonSchema]:
    """Give all schemas; `events` are the keys of business events by what they are about, in the hub's words."""
    found = dict(load(folder))
    for name, (service, entity, path) in RECORDS.items():
        found[name] = _at(found[name], path, entity_set(service, entity))
    for called in _STREAMED:
        service, entity, _ = RECORDS[f"s4hana.{called}@1"]
        found[head_of(called)] = _head(found[f"s4hana.{called}@1"], entity_set(service, entity))
    return found | {keys_of(called, "1"): _keys(called, keys) for called, keys in events.items()}


def _at(schema: JsonSchema, path: tuple[str, ...], entity: EntitySet) -> dict[str, Any]:
    """Complete the records that stand under lists of a schema."""
    if not path:
        whole = _complete(schema, entity)
        # Rows of an aggregate have no key that lasts.
        keys = () if entity.aggregate else entity.keys
        return {**whole, "x-answered": list(dict.fromkeys([*schema.get("x-answered", ()), *keys]))}
    rows = schema["properties"][path[0]]
    inner = {**rows, "items": _at(rows["items"], path[1:], entity)}
    return {**schema, "properties": {**schema["properties"], path[0]: inner}}


def _complete(schema: JsonSchema, entity: EntitySet) -> dict[str, Any]:
    """Add what is known of a set, and of all below it that the schema describes."""
    properties: dict[str, Any] = {
        **{name: {"type": kinds, "readOnly": True} for name, kinds in entity.further.items()},
        **schema["properties"],
    }
    for name in properties.keys() & entity.navigations.keys():
        target, many = entity.behind(name)
        below = properties[name]
        properties[name] = {**below, "items": _complete(below["items"], target)} if many else _complete(below, target)
    return {**schema, "properties": properties}


def _head(schema: JsonSchema, entity: EntitySet) -> dict[str, Any]:
    """Describe a record without what belongs to it."""
    head = {name: each for name, each in schema["properties"].items() if name not in entity.navigations}
    answered = [name for name in schema.get("x-answered", entity.keys) if name in head]
    if set(NONE_YET) <= head.keys():
        answered += NONE_YET
        head |= {name: {**head[name], "type": ["string", "null"]} for name in NONE_YET}
    title = f"{schema['title'].partition(' with ')[0]} without what belongs to it, as a stream of changes shows it"
    return {"title": title, "type": "object", "x-answered": answered, "properties": head}


def _keys(called: str, keys: tuple[str, ...]) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1}
    return {
        "title": f"A business event about a {called.replace('_', ' ')}: its keys, and which system tells of it",
        "type": "object",
        "properties": {**dict.fromkeys(keys, text), "source": text},
        "required": [*keys, "source"],
    }
