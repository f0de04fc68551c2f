"""Records as outbound messages bring them: texts, and only those fields that an admin has put into the message.

What a message leaves out is empty, or hidden, or was never among its fields: nobody can tell. So nothing is missed in
it; all else is compared as in a record that was read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.salesforce.amounts import CURRENCY, SCHEMAS, has_amounts
from connectors.salesforce.kinds import KINDS, VERSION, Kind
from connectors.salesforce.settings import SalesforceSettings
from hub.sdk.connector import JsonSchema
from hub.sdk.errors import UnreadableWebhook
from hub.sdk.values import InboundEvent

_BY_OBJECT = {kind.object: kind for kind in KINDS}
_TRUTHS = {"true": True, "false": False}


def schema_of(object: str) -> str | None:
    """Name the schema of what messages say of an object; None for one of an org's own."""
    kind = _BY_OBJECT.get(object)
    return None if kind is None else _name(kind)


def schemas() -> Mapping[str, JsonSchema]:
    """Give the schemas of what messages say: each field as in a record that was read, and none that must be there."""
    return {_name(kind): _partial(SCHEMAS[kind.schema], kind) for kind in KINDS}


def _name(kind: Kind) -> str:
    return f"salesforce.{kind.name}_sent@{VERSION}"


def _partial(document: JsonSchema, kind: Kind) -> JsonSchema:
    lists = {of.relation for of in kind.lines} | {"Orders"}
    kept = {name: value for name, value in document.items() if name not in ("required", "x-answered", "x-shown")}
    fields = {name: field for name, field in document["properties"].items() if name not in lists}
    title = f"{document['title']} in an outbound message"
    return {**kept, "title": title, "properties": fields, "required": ["Id"]}


def typed(object: str, fields: Mapping[str, str | None]) -> dict[str, Any]:
    """Give the values of a message as they are read by themselves; one that is none of its type stays a text."""
    kind = _BY_OBJECT.get(object)
    if kind is None:
        return dict(fields)
    known = SCHEMAS[kind.schema]["properties"]
    return {name: _value(text, known.get(name, {})) for name, text in fields.items()}


def _value(text: str | None, field: Mapping[str, Any]) -> Any:
    types = field.get("type", ())
    kinds = {types} if isinstance(types, str) else set(types)
    if text is None or "string" in kinds:
        return text
    if "boolean" in kinds:
        return _TRUTHS.get(text, text)
    return _number(text) if kinds & {"number", "integer"} else text


def _number(text: str) -> Decimal | str:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite() or abs(number.adjusted()) > 400:
        return text
    # A large one comes as `9.12260031E8`.
    return Decimal(f"{number:f}")


def complete(settings: SalesforceSettings, events: Sequence[InboundEvent]) -> Sequence[InboundEvent]:
    """Give events whose amounts have a currency: the one that a record names, else the only one of the org.

    Raises `UnreadableWebhook` as `no-currency` or `wrong-currency`; the message is kept.
    """
    return [_with_currency(settings, event) for event in events]


def _with_currency(settings: SalesforceSettings, event: InboundEvent) -> InboundEvent:
    record, object = event.record or {}, str(event.data["object"])
    named = record.get(CURRENCY)
    if named and settings.currency and named != settings.currency:
        raise UnreadableWebhook(
            "A record in the message has another currency than the only one that the setting `currency` knows.",
            code="wrong-currency",
            currency=str(named)[:40],
            expected=settings.currency,
            record=event.subject,
        )
    if named or not has_amounts(settings, object, record):
        return event
    learned = settings.learned
    own = None if learned.several else settings.currency or learned.currency
    if not own:
        raise UnreadableWebhook(
            f"The message does not name the currency of its amounts: add {CURRENCY} to its fields, or set `currency` "
            "where the org has one.",
            code="no-currency",
            object=object,
            record=event.subject,
        )
    return replace(event, record={**record, CURRENCY: own})
