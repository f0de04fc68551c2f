"""Sales orders: the whole target state written by external id, read back with lines, and closed line by line."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import unquote, urlsplit

from connectors.netsuite.answers import record_of, whole, written
from connectors.netsuite.client import (
    IDEMPOTENCY_KEY,
    has_the_key_asked_for,
    idempotency_key,
    read_key,
    record_url,
    strict_write,
)
from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.standing import current
from connectors.netsuite.upserts import ID_OUTPUT, KEY_INPUT, Kind, read, upsert
from hub.sdk.calls import Calls, Course
from hub.sdk.connector import Record, WriteOperation
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.exact_json import canonical
from hub.sdk.values import EffectKey, Idempotency, Request, Response

KIND = Kind(
    record="salesOrder",
    called="sales order",
    schema="netsuite.sales_order@2026.1",
    sublists=("item", "taxDetails"),
    needed=("item",),
)


def close_request(settings: NetSuiteSettings, record: Record, key: EffectKey) -> Request:
    """Form the address of the order that is closed; which lines are open is read when it is sent.

    NetSuite looks at the key only in asynchronous requests. A repeat is harmless without it: what is closed already is
    not closed again.
    """
    headers = {"content-type": "application/json", IDEMPOTENCY_KEY: idempotency_key(key)}
    return strict_write("PATCH", record_url(settings, KIND.record, read_key(record)), {}, headers)


def close_calls(settings: NetSuiteSettings, request: Request) -> Calls:
    """Read the order, and close each of its lines that is not closed and not billed in full."""
    order = yield from _order(settings, request)
    address = record_url(settings, KIND.record, order["id"])
    lines = _open_lines(order)
    if not lines:
        return Response(status=204, headers={"location": address})
    body = {"item": {"items": [{"line": line, "isClosed": True} for line in lines]}}
    return (yield Request(method="PATCH", url=address, headers=request.headers, body=canonical(body)))


def close_find(settings: NetSuiteSettings, request: Request, _key: EffectKey) -> Course[Record | None]:
    """Give the order when nothing of it is open any more, whoever has closed or billed it; None when something is."""
    order = yield from _order(settings, request)
    return None if _open_lines(order) else {"id": order["id"]}


def _order(settings: NetSuiteSettings, request: Request) -> Course[dict[str, Any]]:
    order = whole(record_of((yield current(settings, request))), *KIND.sublists)
    if not has_the_key_asked_for({"id": _key_of(request)}, order):
        raise OutcomeUnknown("Another order came than was asked for.", code="foreign-answer")
    return order


def _open_lines(order: Record) -> list[int]:
    """Give the numbers of an order's lines of which something is still to be billed."""
    numbers = []
    items = (order.get("item") or {}).get("items")
    for line in items if isinstance(items, list) else [None]:
        if not isinstance(line, dict) or not isinstance(line.get("line"), int):
            raise OutcomeUnknown("The order's lines cannot be read.", code="unreadable-answer")
        if line.get("isClosed") is not True and not _is_billed(line):
            numbers.append(line["line"])
    return numbers


def _is_billed(line: Record) -> bool:
    ordered, billed = line.get("quantity"), line.get("quantityBilled")
    if not isinstance(ordered, int | Decimal):
        # A line without a quantity, such as a text, is billed never, or nobody can tell.
        return False
    return abs(Decimal(ordered)) <= abs(Decimal(billed)) if isinstance(billed, int | Decimal) else not ordered


def _key_of(request: Request) -> str:
    return unquote(urlsplit(request.url).path.rpartition("/")[2])


def _is_the_one_asked_for(request: Request, output: Record) -> bool:
    key = _key_of(request)
    return key.startswith("eid:") or output.get("id") == key


UPSERT = upsert(KIND, name="sales_order.upsert", undo="sales_order.close")
READ = read(KIND, name="sales_order.read", title="Read a sales order with its lines and what is billed of them")
CLOSE = WriteOperation(
    name="sales_order.close",
    title="Close all lines of a sales order that are not billed",
    input=KEY_INPUT,
    output=ID_OUTPUT,
    idempotency=Idempotency.NATIVE,
    request=close_request,
    result=written,
    about=_is_the_one_asked_for,
    calls=close_calls,
    find=close_find,
)
