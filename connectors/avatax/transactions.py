"""A tax document on the wire: what is asked for, and what of the answer the hub keeps.

Amounts are exact decimals in major units of the document's currency, and a line's amount is the line's total. Tax is
taken as the engine gives it and never computed again: a company may round each line or the whole document.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.avatax.client import read_object
from connectors.avatax.settings import AvataxSettings
from hub.sdk.connector import JsonSchema, Record
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.schemas import load
from hub.sdk.values import Response

#: Recorded and counted in returns; the kind that never is, is `SalesOrder`.
INVOICE = "SalesInvoice"
ORDER = "SalesOrder"
#: Lines with their tax by jurisdiction; without it the reply has no lines when a document is read.
INCLUDE = "Details"

#: The connector's schemas by name; what they name of an answer is kept.
SCHEMAS = load(Path(__file__).parent / "schemas")

_DOCUMENT = SCHEMAS["avatax.transaction@v2"]
_LINE = _DOCUMENT["$defs"]["line"]
_DETAIL = _DOCUMENT["$defs"]["detail"]
_MESSAGE = _DOCUMENT["properties"]["messages"]["items"]


def model(settings: AvataxSettings, record: Record, *, kind: str, reference: str | None = None) -> dict[str, object]:
    """Form the body of a create call.

    The kind is always sent: a document without one becomes an unrecorded order, silently.
    """
    body: dict[str, object] = {
        **record,
        "type": kind,
        "companyCode": settings.company_code,
        "commit": kind == INVOICE,
    }
    if reference is not None:
        body["referenceCode"] = reference
    return body


def read_transaction(response: Response) -> Record:
    """Read the document of a create or get call."""
    return normal(read_object(response))


def normal(transaction: Mapping[str, Any]) -> Record:
    """Keep the fields that the schema `avatax.transaction@v2` names, in the vendor's words.

    Raises `OutcomeUnknown` when this is not a document: then it cannot be told what was recorded.
    """
    totals = [transaction.get(name) for name in ("totalAmount", "totalTax")]
    lines = transaction.get("lines") or []
    if not all(_is_number(total) for total in totals) or not isinstance(transaction.get("status"), str):
        raise OutcomeUnknown("The answer is not a tax document.", code="unreadable-answer")
    if not isinstance(lines, list) or not all(isinstance(line, dict) and _is_number(line.get("tax")) for line in lines):
        raise OutcomeUnknown("The answer's lines cannot be read.", code="unreadable-answer")
    # Older accounts name the customer `customerVendorCode` only; newer ones give both, with one value.
    customer = transaction.get("customerCode") or transaction.get("customerVendorCode")
    return {
        **_pick({**transaction, "customerCode": customer}, _DOCUMENT),
        "lines": [
            {**_pick(line, _LINE), "details": [_pick(detail, _DETAIL) for detail in _objects(line.get("details"))]}
            for line in lines
        ],
        "messages": [_pick(message, _MESSAGE) for message in _objects(transaction.get("messages"))],
    }


def _pick(value: Mapping[str, Any], schema: JsonSchema) -> dict[str, Any]:
    """Keep what the schema names and what is there; AvaTax gives null or leaves a field out as it likes."""
    return {name: value[name] for name in schema["properties"] if value.get(name) is not None}


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _is_number(value: object) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
