"""Metering at Stripe: meters, what they counted, and the events they count."""

from __future__ import annotations

from connectors.stripe.billing import TEXT, shape
from connectors.stripe.client import pages, read_object, reading, settings_of, writing_json
from connectors.stripe.reading import ID, SECONDS, list_of, read_by_id
from connectors.stripe.settings import StripeSettings
from connectors.stripe.writing import creates
from hub.sdk.connector import JsonSchema, Operation, ReadOperation, Record, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import loads
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request, Response

_METERS = "billing/meters"
_MONTH = 30 * 86_400.0
_NAME: JsonSchema = {"type": "string", "minLength": 1, "maxLength": 100}
_GIVEN = ("object", "event_name", "timestamp")
_COUNTED: JsonSchema = {
    "type": "object",
    "properties": {
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "object": {"const": "billing.meter_event_summary"},
                    "aggregated_value": {"type": "number"},
                    "start_time": SECONDS,
                    "end_time": SECONDS,
                },
                "required": ["id", "object", "aggregated_value", "start_time", "end_time"],
            },
        }
    },
    "required": ["data"],
}


async def _counted(session: Session, wanted: Record) -> Record:
    """Read what a meter counted for a customer, all pages of it."""
    query = {name: value for name, value in wanted.items() if name != "id"}
    found: list[Record] = []
    async for page in pages(session, *_METERS.split("/"), wanted["id"], "event_summaries", query=query):
        found.extend(page)
    return {"data": found}


async def _read_event(session: Session, wanted: Record) -> Record:
    """Read a thin event whole, with its data."""
    request = reading(settings_of(session), "v2", "core", "events", wanted["id"])
    return read_object(await session.send(request), "v2.core.event")


def _send(settings: StripeSettings, record: Record, key: EffectKey) -> Request:
    return writing_json(settings, "v2", "billing", "meter_events", body=record, key=key)


def _sent(response: Response) -> Record:
    """Read the answer to a meter event, whose only id is its identifier."""
    try:
        value = loads(response.body)
    except FixData as error:
        raise OutcomeUnknown("The answer is not JSON.", code="unreadable-answer", status=response.status) from error
    whole = isinstance(value, dict) and value.get("object") == "v2.billing.meter_event"
    if not whole or not isinstance(value.get("identifier"), str):
        raise OutcomeUnknown("The answer is not a Stripe meter event.", code="unreadable-answer")
    return {"id": value["identifier"], **{name: value[name] for name in _GIVEN if name in value}}


def _about(request: Request, output: Record) -> bool:
    return bool(loads(request.body)["identifier"] == output["id"])


METERING: tuple[Operation, ...] = (
    read_by_id("billing.meter", _METERS, name="meter.read", title="Read a meter"),
    list_of(
        "billing.meter",
        _METERS,
        name="meter.list",
        title="List meters, newest first",
        filters={"status": {"enum": ["active", "inactive"]}},
        timed=False,
    ),
    ReadOperation(
        name="meter.counted",
        title="Read what a meter counted for a customer, in all or by hour or day",
        input=shape(
            {
                "id": ID,
                "customer": ID,
                "start_time": SECONDS,
                "end_time": SECONDS,
                "value_grouping_window": {"enum": ["hour", "day"]},
            },
            "id",
            "customer",
            "start_time",
            "end_time",
        ),
        output=_COUNTED,
        read=_counted,
    ),
    ReadOperation(
        name="thin_event.read",
        title="Read a thin event whole: a webhook brings only its id and what it is about",
        input=shape({"id": ID}, "id"),
        output={
            "type": "object",
            "properties": {"id": {"type": "string"}, "object": {"const": "v2.core.event"}, "type": {"type": "string"}},
            "required": ["id", "object", "type"],
        },
        read=_read_event,
    ),
    creates(
        "meter.create",
        _METERS,
        title="Create a meter for events of a name",
        fields={
            "display_name": TEXT,
            "event_name": _NAME,
            "event_time_window": {"enum": ["day", "hour"]},
            "default_aggregation": shape({"formula": {"enum": ["count", "last", "sum"]}}, "formula"),
            "customer_mapping": shape({"type": {"const": "by_id"}, "event_payload_key": _NAME}, "event_payload_key"),
            "value_settings": shape({"event_payload_key": _NAME}, "event_payload_key"),
        },
        required=("display_name", "event_name", "default_aggregation"),
        gives=("event_name", "status"),
        kind="billing.meter",
        listed_by=(),
        known_by=("event_name", "display_name"),
    ),
    WriteOperation(
        name="meter_event.create",
        title="Send an event that a meter counts; its identifier is counted once within a day",
        input=shape(
            {
                "event_name": _NAME,
                "identifier": _NAME,
                "payload": {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
                "timestamp": {"type": "string", "format": "date-time"},
            },
            "event_name",
            "identifier",
            "payload",
        ),
        output={
            "type": "object",
            "properties": {"id": {"type": "string"}, "object": {"const": "v2.billing.meter_event"}},
            "required": ["id", "object"],
        },
        idempotency=Idempotency.NATIVE,
        request=_send,
        result=_sent,
        about=_about,
        remembers=_MONTH,
    ),
)
