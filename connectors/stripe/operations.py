"""What the hub can do at Stripe: read invoices, payments and customers whole, list them, and note things on them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from connectors.stripe.client import pages, read_object, reading, settings_of, writing
from connectors.stripe.settings import StripeSettings
from connectors.stripe.versions import NEWEST, pinned, release_of
from hub.sdk.connector import JsonSchema, Operation, ReadOperation, Record, WriteOperation
from hub.sdk.errors import FixConnection, FixData, OutcomeUnknown
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request, Response

_ID: JsonSchema = {"type": "string", "pattern": "^[A-Za-z0-9_]{1,255}$"}
_BY_ID: JsonSchema = {
    "type": "object",
    "properties": {"id": _ID},
    "required": ["id"],
    "additionalProperties": False,
}
#: Stripe's limits on metadata: 50 keys of 40 characters, values of 500; null removes a key.
_NOTE: JsonSchema = {
    "type": "object",
    "properties": {
        "id": _ID,
        "metadata": {
            "type": "object",
            "propertyNames": {"pattern": r"^[^\[\]]{1,40}$"},
            "additionalProperties": {"type": ["string", "null"], "maxLength": 500},
            "minProperties": 1,
            "maxProperties": 50,
        },
    },
    "required": ["id", "metadata"],
    "additionalProperties": False,
}
_SECONDS: JsonSchema = {"type": "integer", "minimum": 0}
#: How many items a list gives when the caller does not say, and at most.
_LIMIT, _MOST = 100, 10_000


def _listing(kind: str, filters: Mapping[str, JsonSchema]) -> tuple[JsonSchema, JsonSchema]:
    wanted: JsonSchema = {
        "type": "object",
        "properties": {
            **filters,
            "created": {
                "type": "object",
                "properties": {"gte": _SECONDS, "lt": _SECONDS},
                "additionalProperties": False,
            },
            "limit": {"type": "integer", "minimum": 1, "maximum": _MOST},
            "starting_after": _ID,
        },
        "additionalProperties": False,
    }
    given: JsonSchema = {
        "type": "object",
        "properties": {
            "data": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"id": {"type": "string"}, "object": {"const": kind}},
                    "required": ["id", "object"],
                },
            },
            "has_more": {"type": "boolean"},
        },
        "required": ["data", "has_more"],
    }
    return wanted, given


def _reader(kind: str, path: str) -> Callable[[Session, Record], Awaitable[Record]]:
    async def read(session: Session, wanted: Record) -> Record:
        settings = settings_of(session)
        _has(settings, path)
        return read_object(await session.send(reading(settings, path, wanted["id"])), kind)

    return read


def _has(settings: StripeSettings, path: str) -> None:
    """Say in plain words what Stripe would answer with "unrecognized URL"."""
    if path == "invoice_payments" and release_of(settings.api_version) == "acacia":
        detail = f"Stripe has invoice payments from the release basil on; the connection says {settings.api_version}."
        raise FixConnection(detail, code="version-too-old")


def _lister(path: str) -> Callable[[Session, Record], Awaitable[Record]]:
    async def collect(session: Session, wanted: Record) -> Record:
        _has(settings_of(session), path)
        limit = wanted.get("limit", _LIMIT)
        query = {name: value for name, value in wanted.items() if name != "limit"} | {"limit": min(limit, 100)}
        found: list[dict[str, Any]] = []
        async for page in pages(session, path, query=query):
            found.extend(page)
            if len(found) > limit:
                break
        else:
            return {"data": found[:limit], "has_more": False}
        return {"data": found[:limit], "has_more": True}

    return collect


async def _read_invoice(session: Session, wanted: Record) -> Record:
    """Read an invoice with all its lines; Stripe itself embeds only the first ones."""
    invoice = read_object(await session.send(reading(settings_of(session), "invoices", wanted["id"])), "invoice")
    lines = invoice.get("lines")
    if not isinstance(lines, dict) or not isinstance(lines.get("data"), list):
        raise OutcomeUnknown("The invoice came without lines.", code="unreadable-answer", id=wanted["id"])
    if lines.get("has_more") is True:
        found: list[dict[str, Any]] = []
        async for page in pages(session, "invoices", wanted["id"], "lines", query={}):
            found.extend(page)
        if invoice.get("status") == "draft" and len(found) < len(lines["data"]):
            raise FixData("The draft changed while it was read.", code="changed-while-read", id=wanted["id"])
        invoice["lines"] = {**lines, "data": found, "has_more": False}
    return invoice


def _annotation(path: str) -> Callable[[StripeSettings, Record, EffectKey], Request]:
    def request(settings: StripeSettings, note: Record, key: EffectKey) -> Request:
        return writing(settings, path, note["id"], form={"metadata": note["metadata"]}, key=key)

    return request


def _annotated(kind: str) -> Callable[[Response], Record]:
    def result(response: Response) -> Record:
        written = read_object(response, kind)
        if not isinstance(written.get("metadata"), dict):
            raise OutcomeUnknown("The answer shows no metadata.", code="unreadable-answer")
        return {"id": written["id"], "object": kind, "metadata": written["metadata"]}

    return result


def _about(request: Request, output: Record) -> bool:
    return bool(urlsplit(request.url).path.rpartition("/")[2] == output["id"])


def _noted(kind: str) -> JsonSchema:
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "object": {"const": kind},
            "metadata": {"type": "object"},
        },
        "required": ["id", "object", "metadata"],
    }


_INVOICES = _listing(
    "invoice", {"customer": _ID, "status": {"enum": ["draft", "open", "paid", "uncollectible", "void"]}}
)
_CUSTOMERS = _listing("customer", {"email": {"type": "string", "minLength": 1}})
_PAYMENTS = _listing("invoice_payment", {"invoice": _ID, "status": {"enum": ["open", "paid", "canceled"]}})

OPERATIONS: tuple[Operation, ...] = (
    ReadOperation(
        name="invoice.read",
        title="Read an invoice with all its lines",
        input=_BY_ID,
        output={"$ref": f"stripe.invoice@{NEWEST}"},
        gives=pinned("invoice"),
        read=_read_invoice,
    ),
    ReadOperation(
        name="invoice.list",
        title="List invoices, newest first, each with its first lines",
        input=_INVOICES[0],
        output=_INVOICES[1],
        read=_lister("invoices"),
    ),
    ReadOperation(
        name="invoice_payment.read",
        title="Read a payment of an invoice",
        input=_BY_ID,
        output={"$ref": f"stripe.invoice_payment@{NEWEST}"},
        gives=pinned("invoice_payment"),
        read=_reader("invoice_payment", "invoice_payments"),
    ),
    ReadOperation(
        name="invoice_payment.list",
        title="List payments of invoices, newest first",
        input=_PAYMENTS[0],
        output=_PAYMENTS[1],
        read=_lister("invoice_payments"),
    ),
    ReadOperation(
        name="customer.read",
        title="Read a customer",
        input=_BY_ID,
        output={"$ref": f"stripe.customer@{NEWEST}"},
        gives=pinned("customer"),
        read=_reader("customer", "customers"),
    ),
    ReadOperation(
        name="customer.list",
        title="List customers, newest first",
        input=_CUSTOMERS[0],
        output=_CUSTOMERS[1],
        read=_lister("customers"),
    ),
    WriteOperation(
        name="invoice.annotate",
        title="Note something in an invoice's metadata, such as its id in the ERP",
        input=_NOTE,
        output=_noted("invoice"),
        idempotency=Idempotency.NATIVE,
        request=_annotation("invoices"),
        result=_annotated("invoice"),
        about=_about,
    ),
    WriteOperation(
        name="customer.annotate",
        title="Note something in a customer's metadata",
        input=_NOTE,
        output=_noted("customer"),
        idempotency=Idempotency.NATIVE,
        request=_annotation("customers"),
        result=_annotated("customer"),
        about=_about,
    ),
)
