"""Stripe Tax: what taxes a sale would have, its record for the returns, and taking that back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.stripe.client import pages, read_object, reading, settings_of
from connectors.stripe.reading import ID, Reader, read_by_id
from connectors.stripe.settings import StripeSettings
from connectors.stripe.writing import FOR_EVER, METADATA, creates
from hub.sdk.connector import JsonSchema, Operation, Record
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.session import Session

_TEXT: JsonSchema = {"type": "string", "minLength": 1, "maxLength": 500}
_SECONDS: JsonSchema = {"type": "integer", "minimum": 0}
_AMOUNT: JsonSchema = {"type": "integer"}
_BEHAVIOR: JsonSchema = {"enum": ["exclusive", "inclusive"]}
_CODE: JsonSchema = {"type": "string", "pattern": "^txcd_[0-9]+$"}


def _record(properties: Mapping[str, JsonSchema], *required: str) -> JsonSchema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


_ADDRESS = _record(
    {
        "line1": {"type": "string"},
        "line2": {"type": "string"},
        "city": {"type": "string"},
        "state": {"type": "string"},
        "postal_code": {"type": "string"},
        "country": {"type": "string", "pattern": "^[A-Z]{2}$"},
    },
    "country",
)
_CALCULATION: Mapping[str, JsonSchema] = {
    "currency": {"type": "string", "pattern": "^[a-z]{3}$"},
    "line_items": {
        "type": "array",
        "minItems": 1,
        "items": _record(
            {
                "amount": _AMOUNT,
                "quantity": {"type": "integer", "minimum": 1},
                "reference": _TEXT,
                "tax_behavior": _BEHAVIOR,
                "tax_code": _CODE,
                "product": ID,
            },
            "amount",
        ),
    },
    "customer": ID,
    "customer_details": _record(
        {
            "address": _ADDRESS,
            "address_source": {"enum": ["billing", "shipping"]},
            "tax_ids": {"type": "array", "items": _record({"type": _TEXT, "value": _TEXT}, "type", "value")},
            "taxability_override": {"enum": ["customer_exempt", "none", "reverse_charge"]},
        }
    ),
    "ship_from_details": _record({"address": _ADDRESS}, "address"),
    "shipping_cost": _record({"amount": _AMOUNT, "tax_behavior": _BEHAVIOR, "tax_code": _CODE}, "amount"),
    "tax_date": _SECONDS,
}
_CALCULATED = (
    "amount_total",
    "currency",
    "customer",
    "customer_details",
    "expires_at",
    "line_items",
    "shipping_cost",
    "tax_amount_exclusive",
    "tax_amount_inclusive",
    "tax_breakdown",
    "tax_date",
)
_RECORDED = (
    "currency",
    "customer",
    "line_items",
    "posted_at",
    "reference",
    "reversal",
    "shipping_cost",
    "tax_date",
    "type",
)
#: Not in the words of a record's answer, so that what is taken back whole is not mistaken for parts.
_REVERSAL: Mapping[str, JsonSchema] = {
    "id": {**ID, "description": "The transaction that is taken back."},
    "reversal_reference": {**_TEXT, "description": "The reversal's own reference; `ID-reversed` unless told."},
    "parts": {
        "type": "array",
        "minItems": 1,
        "items": _record(
            {
                "original_line_item": ID,
                "reference": _TEXT,
                "amount": {"type": "integer", "maximum": 0},
                "amount_tax": {"type": "integer", "maximum": 0},
            },
            "original_line_item",
            "reference",
            "amount",
            "amount_tax",
        ),
    },
    "flat_amount": {"type": "integer", "maximum": -1},
    "shipping": _record(
        {"amount": {"type": "integer", "maximum": 0}, "amount_tax": {"type": "integer", "maximum": 0}},
        "amount",
        "amount_tax",
    ),
    "metadata": METADATA,
}


def _with_lines(_: StripeSettings, record: Record) -> Record:
    return {**record, "expand": ["line_items"]}


def _calculated(_: StripeSettings, record: Record) -> Record:
    return {**record, "expand": ["line_items.data.tax_breakdown"]}


def _reversed(_: StripeSettings, record: Record) -> Record:
    """Form a reversal: in parts where amounts are told, else of the whole transaction."""
    words = {"parts": "line_items", "flat_amount": "flat_amount", "shipping": "shipping_cost"}
    amounts = {words[name]: record[name] for name in words if name in record}
    return {
        **amounts,
        **({"metadata": record["metadata"]} if "metadata" in record else {}),
        "expand": ["line_items"],
        "mode": "partial" if amounts else "full",
        "original_transaction": record["id"],
        "reference": record.get("reversal_reference", f"{record['id']}-reversed"),
    }


def _reader(kind: str, path: str, expand: str) -> Reader:
    """Give what reads a document with all its lines, which Stripe shows only when asked."""

    async def read(session: Session, wanted: Record) -> Record:
        settings, identifier = settings_of(session), wanted["id"]
        document = read_object(await session.send(reading(settings, "tax", path, identifier)), kind)
        found: list[dict[str, Any]] = []
        query = {"expand": [expand]} if expand else {}
        async for page in pages(session, "tax", path, identifier, "line_items", query=query):
            found.extend(page)
        if not found:
            raise OutcomeUnknown("The document came without lines.", code="unreadable-answer", id=identifier)
        url = f"/v1/tax/{path}/{identifier}/line_items"
        return {**document, "line_items": {"object": "list", "data": found, "has_more": False, "url": url}}

    return read


TAXES: tuple[Operation, ...] = (
    creates(
        "tax_calculation.create",
        "tax/calculations",
        title="Calculate the taxes of a sale, which records nothing",
        kind="tax.calculation",
        form=_calculated,
        fields=_CALCULATION,
        required=["currency", "line_items"],
        gives=_CALCULATED,
        # It binds nobody: another one is worth as much.
        remembers=FOR_EVER,
    ),
    read_by_id(
        "tax.calculation",
        "tax/calculations",
        name="tax_calculation.read",
        title="Read a calculation with all its lines and their taxes",
        read=_reader("tax.calculation", "calculations", "data.tax_breakdown"),
    ),
    creates(
        "tax_transaction.create",
        "tax/transactions/create_from_calculation",
        title="Record a sale as it was calculated, for the tax returns",
        kind="tax.transaction",
        form=_with_lines,
        fields={"calculation": ID, "reference": _TEXT, "posted_at": _SECONDS, "metadata": METADATA},
        required=["calculation", "reference"],
        gives=_RECORDED,
        # Under one reference there is never a second.
        remembers=FOR_EVER,
        undo="tax_transaction.reverse",
    ),
    creates(
        "tax_transaction.reverse",
        "tax/transactions/create_reversal",
        title="Take a recorded sale back, whole or in parts, by a negative one",
        kind="tax.transaction",
        form=_reversed,
        fields=_REVERSAL,
        required=["id"],
        gives=_RECORDED,
        remembers=FOR_EVER,
    ),
    read_by_id(
        "tax.transaction",
        "tax/transactions",
        name="tax_transaction.read",
        title="Read a recorded sale, or its reversal, with all its lines",
        read=_reader("tax.transaction", "transactions", ""),
    ),
)
