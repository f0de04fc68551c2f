"""Requests and answers are shaped as Avalara's Swagger says, where the file is at hand; other names are mistakes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import aiohttp
import jsonschema_rs
import pytest
import pytest_asyncio

from connectors.avatax.connector import CONNECTOR
from connectors.avatax.samples import BILLED, SALE, SAMPLES
from connectors.avatax.sandbox.app import sandbox
from connectors.avatax.sandbox.refusals import CODES
from connectors.avatax.sandbox.sales import RECORDED, TEMPORARY
from hub.sandbox.server import running
from hub.sdk.connector import ReadOperation, WriteOperation
from hub.sdk.errors import NoSuchRecord
from hub.sdk.exact_json import dumps, loads
from hub.sdk.testing.invented import live_settings
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey, Request, Response
from tests.connectors.avatax.test_sandbox import COMPANY, IRVINE, Client, model

FILE = os.environ.get("CONCORD_AVATAX_SWAGGER")
pytestmark = pytest.mark.skipif(not FILE, reason="CONCORD_AVATAX_SWAGGER names no file with AvaTax's Swagger")


@pytest.fixture(scope="module")
def swagger() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(Path(str(FILE)).read_text(encoding="utf-8"))
    return found


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with running(sandbox) as served, aiohttp.ClientSession() as http:
        yield Client(served, http)


def mistakes(swagger: Mapping[str, Any], definition: str, value: Any) -> list[str]:
    """Tell where a value differs from a definition; nulls count as left out, as everywhere at AvaTax."""
    plain = json.loads(dumps(value))
    schema = {"$ref": f"#/definitions/{definition}", "definitions": swagger["definitions"]}
    found = [
        error.message[:200]
        for error in jsonschema_rs.Draft4Validator(schema, validate_formats=False).iter_errors(_without_nulls(plain))
    ]
    return found + list(_unknown(swagger["definitions"], definition, plain, definition))


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _unknown(definitions: Mapping[str, Any], name: str, value: Any, where: str) -> list[str]:
    known = {each.lower(): schema for each, schema in definitions[name].get("properties", {}).items()}
    found = []
    for field, item in value.items() if isinstance(value, dict) else ():
        schema = known.get(field.lower())
        if schema is None:
            found.append(f"{where}.{field} is not known")
            continue
        inner = schema.get("$ref") or schema.get("items", {}).get("$ref")
        if inner:
            for part in item if isinstance(item, list) else [item]:
                found += _unknown(definitions, inner.rpartition("/")[2], part, f"{where}.{field}")
    return found


async def test_answers(client: Client, swagger: Mapping[str, Any]) -> None:
    every = {"$include": "Lines,Details,Summary,Addresses"}
    checked = {
        "TransactionModel": [
            await client.call("POST", "transactions/create", model(100, -20), **every),
            await client.call(
                "POST",
                "transactions/create",
                model(code="A", addresses={"singleLocation": {**IRVINE, "region": "OR"}}),
                **every,
            ),
            await client.call("POST", "transactions/create", model(code="B", entityUseCode="G"), **every),
            await client.call(
                "POST",
                "transactions/create",
                model(code="F", taxOverride={"type": "TaxAmount", "taxAmount": 7, "reason": "Tax as billed"}),
                **every,
            ),
            await client.call(
                "POST", f"{COMPANY}/INV-1/refund", {"refundTransactionCode": "C", "refundDate": "2026-02-01"}, **every
            ),
            await client.call("GET", f"{COMPANY}/INV-1", **every),
            await client.call("POST", f"{COMPANY}/INV-1/void", {"code": "DocVoided"}),
        ],
        "AddressResolutionModel": [
            await client.call("POST", "addresses/resolve", IRVINE),
            await client.call("POST", "addresses/resolve", {"country": "DE"}),
        ],
        "PingResultModel": [await client.call("GET", "utilities/ping")],
    }
    checked["TransactionModel"] += [
        await client.call("POST", "transactions/create", model(code="D", type="SalesOrder"), **every),
        await client.call("GET", f"{COMPANY}/B/types/SalesInvoice", **every),
        await client.call("POST", f"{COMPANY}/B/verify", {"verifyTotalTax": 0}),
        await client.call("POST", f"{COMPANY}/B/uncommit"),
        await client.call("POST", f"{COMPANY}/B/changecode", {"newCode": "E"}),
        await client.call("POST", f"{COMPANY}/E/settle", {"commit": {"commit": True}}),
        await client.call(
            "POST",
            f"{COMPANY}/E/adjust",
            {"adjustmentReason": "Other", "adjustmentDescription": "x", "newTransaction": model(7)},
            **every,
        ),
        await client.call("POST", f"{COMPANY}/E/lock", {"isLocked": True}),
        await client.call("POST", f"{COMPANY}/INV-1/unvoid"),
        await client.call("POST", f"{COMPANY}/INV-1/commit", {"commit": True}),
    ]
    place = {"line1": "1 Main Street", "region": "CA", "postalCode": "92614", "country": "US"}
    checked["TaxRateModel"] = [await client.call("GET", "taxrates/byaddress", **place)]
    checked["TransactionModelFetchResult"] = [
        await client.call("GET", COMPANY, **{"$filter": "date ge '2026-01-01'", "$top": "1", **every})
    ]
    checked["CompanyModelFetchResult"] = [await client.call("GET", "companies")]
    checked["TaxCodeModelFetchResult"] = [await client.call("GET", "definitions/taxcodes")]
    for definition, answers in checked.items():
        for status, answer in answers:
            assert status in {200, 201}, answer
            assert mistakes(swagger, definition, answer) == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "transactions/create", {}),
        ("POST", "transactions/create", model(customerCode="x" * 51)),
        ("GET", f"{COMPANY}/nobody", None),
        ("GET", f"{COMPANY}?$filter=nothing", None),
        ("GET", "companies/NOBODY/transactions", None),
        ("POST", "addresses/resolve", {"planet": "Mars"}),
    ],
)
async def test_refusals(client: Client, swagger: Mapping[str, Any], method: str, path: str, body: Any) -> None:
    status, answer = await client.call(method, path, body)
    assert status >= 400
    (detail,) = answer["error"]["details"]
    assert mistakes(swagger, "ErrorDetail", detail) == []


def test_every_code_of_a_refusal_is_known(swagger: Mapping[str, Any]) -> None:
    assert set(CODES) <= set(swagger["definitions"]["ErrorDetail"]["properties"]["code"]["enum"])


def test_every_type_of_a_document_is_known(swagger: Mapping[str, Any]) -> None:
    told = swagger["definitions"]["CreateTransactionModel"]["properties"]["type"]["enum"]
    assert set(told) - {"Any"} == RECORDED | TEMPORARY


def test_requests(swagger: Mapping[str, Any]) -> None:
    settings = CONNECTOR.settings.model_validate(dict(SAMPLES.settings))
    taken = {
        "tax.commit": "CreateTransactionModel",
        "tax.void": "VoidTransactionModel",
        "tax.adjust": "AdjustTransactionModel",
        "tax.refund": "RefundTransactionModel",
    }
    more = {
        **SALE,
        "tax_date": "2026-01-01",
        "customer_tax_id": "DE1",
        "exemption": {"reason": "resale", "number": "1"},
    }
    for sample in SAMPLES.writes:
        operation = CONNECTOR.operation(sample.operation)
        assert isinstance(operation, WriteOperation)
        for record in (sample.input, more, BILLED) if sample.operation == "tax.commit" else (sample.input,):
            request = operation.request(settings, record, EffectKey("a" * 32))
            assert mistakes(swagger, taken[sample.operation], loads(request.body)) == []
            path = request.url.partition("/api/v2")[2].partition("?")[0]
            action = path.rpartition("/")[2]
            assert any(each.endswith(f"/{action}") and "post" in calls for each, calls in swagger["paths"].items())


async def test_questions(client: Client, swagger: Mapping[str, Any]) -> None:
    """What the connector asks without recording anything has the shape of a call of the Swagger too."""
    settings = CONNECTOR.settings.model_validate(live_settings(CONNECTOR, SAMPLES, client.served.announcement))
    asked: list[Request] = []

    class Listening(Connected):
        async def send(self, request: Request) -> Response:
            asked.append(request)
            return await super().send(request)

    await client.served.world.books.seed(SAMPLES.seed)
    listening = Listening(CONNECTOR, settings)
    try:
        for sample in SAMPLES.reads:
            read = CONNECTOR.operation(sample.operation)
            assert isinstance(read, ReadOperation)
            with suppress(NoSuchRecord):
                await read.read(listening, sample.input)
    finally:
        await listening.close()
    bodies = {"/transactions/create": "CreateTransactionModel", "/addresses/resolve": "AddressValidationInfo"}
    taken = set()
    for request in asked:
        address = urlsplit(request.url)
        path = address.path.partition("/api/v2")[2]
        known = [
            calls[request.method.lower()]
            for each, calls in swagger["paths"].items()
            if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each), address.path) and request.method.lower() in calls
        ]
        assert known, path
        names = {one["name"] for one in known[0]["parameters"] if one["in"] == "query"}
        assert set(dict(parse_qsl(address.query))) <= names
        if request.body:
            taken.add(path)
            assert mistakes(swagger, bodies[path], loads(request.body)) == []
    assert taken == set(bodies)
