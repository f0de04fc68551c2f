"""Metering at Stripe: meters, and what they counted."""

from __future__ import annotations

from connectors.stripe.billing import TEXT, shape
from connectors.stripe.client import pages, read_object, reading, settings_of
from connectors.stripe.meter_events import NAME
from connectors.stripe.reading import ID, SECONDS, list_of, read_by_id
from connectors.stripe.writing import creates
from hub.sdk.connector import JsonSchema, Operation, ReadOperation, Record
from hub.sdk.session import Session

_METERS = "billing/meters"
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
            "event_name": NAME,
            "event_time_window": {"enum": ["day", "hour"]},
            "default_aggregation": shape({"formula": {"enum": ["count", "last", "sum"]}}, "formula"),
            "customer_mapping": shape({"type": {"const": "by_id"}, "event_payload_key": NAME}, "event_payload_key"),
            "value_settings": shape({"event_payload_key": NAME}, "event_payload_key"),
        },
        required=("display_name", "event_name", "default_aggregation"),
        gives=("event_name", "status"),
        kind="billing.meter",
        listed_by=(),
        known_by=("event_name", "display_name"),
    ),
)
