"""Whatever is asked, a service answers or refuses in its own words: no address, option, body or message breaks it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.s4hana.sandbox.odata.batch import Batch
from connectors.s4hana.sandbox.odata.errors import Refusal
from connectors.s4hana.sandbox.odata.exchange import Call, Reply
from connectors.s4hana.sandbox.odata.v2 import ServiceV2
from connectors.s4hana.sandbox.odata.v4 import ServiceV4
from connectors.s4hana.sandbox.soap.service import ASYNCHRONOUS, SYNCHRONOUS, answer
from connectors.s4hana.sandbox.tenant import Tenant
from hub.sandbox.world import World

JSON = {"accept": "application/json", "content-type": "application/json"}
#: A request is tried against this many tenants' worth of luck.
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def tenant() -> Iterator[Tenant]:
    """Give a tenant with the sample, without a network."""
    world = World(name="s4hana", seed=1)
    made = Tenant(world)
    asyncio.run(made.seed({"sample": True}))
    yield made
    made.inbox.forget()


def handler(tenant: Tenant, name: str) -> ServiceV2 | ServiceV4:
    service = tenant.services[name]
    return ServiceV4(tenant, service) if service.v4 else ServiceV2(tenant, service)


def run(tenant: Tenant, name: str, call: Call) -> Reply:
    """Execute a call as the front does, without its sessions."""
    found = handler(tenant, name)
    try:
        reply = found.answer(call)
    except Refusal as refusal:
        reply = found.refuse(refusal, call)
    assert reply.status < 500 or reply.status == 501
    if "json" in reply.headers.get("content-type", ""):
        json.loads(reply.body)
    return reply


services = st.sampled_from(
    ["API_BUSINESS_PARTNER", "API_SALES_ORDER_SRV", "API_BILLING_DOCUMENT_SRV", "CE_SALESORDER_0001"]
)
words = [
    "A_BusinessPartner",
    "A_SalesOrder",
    "A_SalesOrderItem",
    "SalesOrder",
    "A_BillingDocument",
    "Cancel",
    "GetPDF",
    "$metadata",
]
words += [
    "$count",
    "$value",
    "$batch",
    "$links",
    "to_Item",
    "_Item",
    "to_Customer",
    "BusinessPartner",
    "'",
    "''",
    "(",
    ")",
    "('1')",
]
words += [
    "('10100001')",
    "(SalesOrder='1',SalesOrderItem='10')",
    "(",
    "=",
    ",",
    "/",
    "//",
    "%2F",
    "%27",
    "%",
    "%zz",
    " ",
    "null",
    "guid'x'",
]
paths = st.one_of(
    st.lists(st.sampled_from(words), max_size=6).map("".join),
    st.lists(st.sampled_from(words), max_size=6).map("/".join),
    st.text(max_size=30).map(quote),
)
names = [
    "$filter",
    "$select",
    "$expand",
    "$orderby",
    "$top",
    "$skip",
    "$skiptoken",
    "$inlinecount",
    "$count",
    "$format",
    "BusinessPartner",
]
contents = [
    "BusinessPartner",
    "SalesOrder eq '1'",
    "to_Item",
    "_Item($top=1)",
    "_Item($expand=_SalesOrder($select=SalesOrder))",
    "1",
    "0",
    "-1",
]
contents += [
    "allpages",
    "true",
    "json",
    "'1'",
    "*",
    "a/b/c",
    "to_Item/to_PricingElement",
    "TotalNetAmount desc,SalesOrder",
    "MHwx",
    "(",
    ";",
]
queries = st.lists(
    st.tuples(st.sampled_from(names), st.one_of(st.sampled_from(contents), st.text(max_size=12))), max_size=4
).map(lambda pairs: "&".join(f"{name}={quote(value)}" for name, value in pairs))
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.text(max_size=12),
        st.sampled_from(
            ["1", "10100001", "USAGE", "OR", "1010", "/Date(0)/", "/Date(99999999999999999)/", "2026-01-31"]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["results", "Material", "RequestedQuantity", "Country", "__deferred"]), inner, max_size=3
        ),
    ),
    max_leaves=6,
)
fields = st.sampled_from(
    "BusinessPartnerCategory OrganizationBPName1 to_Customer to_BusinessPartnerAddress SalesOrderType "
    "SalesOrganization DistributionChannel OrganizationDivision SoldToParty to_Item _Item TransactionCurrency "
    "SalesOrderDate Nothing PurchaseOrderByCustomer to_Partner LastChangeDateTime d __metadata".split()
)
bodies = st.one_of(
    st.dictionaries(fields, values, max_size=6).map(lambda each: json.dumps(each).encode()), st.binary(max_size=20)
)


@given(name=services, path=paths, query=queries)
@QUICK
def test_no_address_breaks_a_service(tenant: Tenant, name: str, path: str, query: str) -> None:
    run(tenant, name, Call(method="GET", path=path, query=query, headers=JSON))


@given(
    name=services,
    method=st.sampled_from(["POST", "PATCH", "PUT", "MERGE", "DELETE"]),
    path=st.sampled_from(
        [
            "A_BusinessPartner",
            "A_BusinessPartner('10100001')",
            "A_SalesOrder",
            "A_SalesOrder('2')",
            "SalesOrder",
            "SalesOrder('2')",
            "A_SalesOrder('2')/to_Item",
            "SalesOrder('2')/_Item",
            "A_SalesOrderItem(SalesOrder='2',SalesOrderItem='10')",
        ]
    ),
    body=bodies,
)
@QUICK
def test_no_body_breaks_a_service_or_what_it_keeps(
    tenant: Tenant, name: str, method: str, path: str, body: bytes
) -> None:
    before = {table.name: table.count() for table in tenant.store}
    reply = run(tenant, name, Call(method=method, path=path, headers={**JSON, "if-match": "*"}, body=body))
    if reply.status >= 400:
        assert {table.name: table.count() for table in tenant.store} == {**before, **_empty(tenant, before)}


def _empty(tenant: Tenant, before: dict[str, int]) -> dict[str, int]:
    """Give the tables that are there only since somebody looked for them."""
    return {table.name: 0 for table in tenant.store if table.name not in before}


parts = st.lists(
    st.sampled_from(
        [
            "--b",
            "--b--",
            "--cs",
            "Content-Type: application/http",
            "Content-Type: multipart/mixed; boundary=cs",
            "",
            "",
            "GET A_SalesOrder HTTP/1.1",
            "POST A_SalesOrder HTTP/1.1",
            "Content-ID: 1",
            "PATCH $1 HTTP/1.1",
            "{}",
            "Content-Length: x",
            "x",
        ]
    ),
    max_size=16,
)


@given(lines=parts, ending=st.sampled_from(["\r\n", "\n"]))
@QUICK
def test_no_batch_breaks_a_service(tenant: Tenant, lines: list[str], ending: str) -> None:
    headers = {"content-type": "multipart/mixed; boundary=b", "accept": "application/json"}
    call = Call(method="POST", path="$batch", headers=headers, body=ending.join(lines).encode())
    found = handler(tenant, "API_SALES_ORDER_SRV")
    try:
        reply = Batch(tenant, found, "/sap/opu/odata/sap/API_SALES_ORDER_SRV", call).multipart(status=202)
    except Refusal:
        return
    assert b" 500 " not in reply.body


requests = st.one_of(
    values,
    st.fixed_dictionaries(
        {
            "requests": st.lists(
                st.one_of(
                    values,
                    st.fixed_dictionaries(
                        {
                            "id": st.sampled_from(["1", "2", 3]),
                            "method": st.sampled_from(["GET", "POST", "x"]),
                            "url": st.sampled_from(["SalesOrder", "$1", "SalesOrder('1')", "http://x/y", ""]),
                        },
                        optional={
                            "atomicityGroup": st.sampled_from(["g", 1]),
                            "dependsOn": values,
                            "headers": values,
                            "body": values,
                        },
                    ),
                ),
                max_size=4,
            )
        }
    ),
)


@given(body=requests)
@QUICK
def test_no_json_batch_breaks_a_service(tenant: Tenant, body: Any) -> None:
    call = Call(method="POST", path="$batch", headers=JSON, body=json.dumps(body).encode())
    try:
        reply = Batch(tenant, handler(tenant, "CE_SALESORDER_0001"), "/sap/opu/odata4/sap/x", call).json()
    except Refusal:
        return
    assert all(each["status"] < 500 for each in json.loads(reply.body)["responses"])


elements = [
    "MessageHeader",
    "ID",
    "CreationDateTime",
    "JournalEntryCreateRequest",
    "JournalEntry",
    "CompanyCode",
    "PostingDate",
    "DocumentDate",
]
elements += [
    "Item",
    "DebtorItem",
    "ProductTaxItem",
    "GLAccount",
    "Debtor",
    "AmountInTransactionCurrency",
    "ReversalReferenceDocument",
    "TaxCode",
]
elements += [
    "CreatedByUser",
    "BusinessTransactionType",
    "AccountingDocumentType",
    "OriginalReferenceDocumentType",
    "NetPaymentDays",
    "ExchangeRate",
]
texts = st.sampled_from(
    [
        "",
        "1",
        "1010",
        "0041000000",
        "-1.00",
        "2026-01-31",
        "2026-01-31T10:00:00Z",
        "P10D",
        "SA",
        "BKPFF",
        "x" * 40,
        "0001-01-01",
        "9999-12-31",
    ]
)
trees = st.recursive(
    st.tuples(st.sampled_from(elements), texts).map(
        lambda each: f'<{each[0]} currencyCode="EUR">{each[1]}</{each[0]}>'
    ),
    lambda inner: st.tuples(st.sampled_from(elements), st.lists(inner, max_size=5)).map(
        lambda each: f"<{each[0]}>{''.join(each[1])}</{each[0]}>"
    ),
    max_leaves=14,
)
WHOLE = (
    "<MessageHeader><ID>1</ID></MessageHeader><JournalEntryCreateRequest><JournalEntry>{}<CompanyCode>1010</CompanyCode>"
    "<OriginalReferenceDocumentType>BKPFF</OriginalReferenceDocumentType><BusinessTransactionType>RFBU</BusinessTransactionType>"
    "<AccountingDocumentType>SA</AccountingDocumentType><CreatedByUser>X</CreatedByUser><DocumentDate>2026-01-31</DocumentDate>"
    "<PostingDate>2026-01-31</PostingDate></JournalEntry></JournalEntryCreateRequest>"
)


@given(
    inner=st.one_of(trees, st.lists(trees, max_size=4).map(lambda each: WHOLE.format("".join(each)))),
    name=st.sampled_from([SYNCHRONOUS, ASYNCHRONOUS]),
)
@QUICK
def test_no_message_breaks_the_ledger(tenant: Tenant, inner: str, name: str) -> None:
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:s="http://sap.com/xi/SAPSCORE/SFIN"><e:Body>'
        f"<s:JournalEntryBulkCreateRequest>{inner}</s:JournalEntryBulkCreateRequest></e:Body></e:Envelope>"
    )
    reply = answer(tenant, name, Call(method="POST", path="", body=body.encode(), user="X"))
    assert reply.status in (200, 202) or b"Fault" in reply.body
    tenant.world.clock.advance(10)
    tenant.inbox.work()
    for currencies in tenant.snapshot()["balances"].values():
        for accounts in currencies.values():
            assert not sum(round(float(each) * 1000) for each in accounts.values())
