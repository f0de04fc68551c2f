"""Events that meters count: in the first API, in the second, and up to a hundred by one request of the stream.

Stripe gives no single event back, so that none can be looked up. What keeps one from counting twice is its
`identifier`, which Stripe takes once within at least 24 hours. The hub makes one of the effect's key where nobody else
has a say in it: one that is taken already then tells that this very event has come through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from connectors.stripe.billing import shape
from connectors.stripe.client import writing, writing_json
from connectors.stripe.reading import SECONDS
from connectors.stripe.settings import StripeSettings
from hub.sdk.calls import Calls, Course, half_way
from hub.sdk.connector import JsonSchema, Operation, Record, WriteOperation
from hub.sdk.errors import FixData, HubError, OutcomeUnknown
from hub.sdk.exact_json import canonical, loads
from hub.sdk.values import EffectKey, Idempotency, Request, Response

#: What meters and their events are called, and what an event is told apart by.
NAME: JsonSchema = {"type": "string", "minLength": 1, "maxLength": 100}
_MONTH = 30 * 86_400.0
#: So many events one request of the stream brings.
_MOST = 100
_FIRST, _SECOND, _STREAM = "billing.meter_event", "v2.billing.meter_event", "v2.billing.meter_event_stream"
#: How a refusal says that an identifier was taken within the last day.
_TAKEN = "duplicate-meter-event"
_KEY = "idempotency-key"
_GIVEN = ("object", "event_name", "timestamp")
#: Stripe takes only texts as values, also for numbers. No name may leave its place in a form.
_PAYLOAD: JsonSchema = {
    "type": "object",
    "propertyNames": {"pattern": r"^[^\[\]]{1,100}$"},
    "additionalProperties": {"type": "string"},
    "minProperties": 1,
}
_MOMENT: JsonSchema = {"type": "string", "format": "date-time"}


# --- the second API ---


def _create(settings: StripeSettings, record: Record, key: EffectKey) -> Request:
    return writing_json(settings, "v2", "billing", "meter_events", body=record, key=key)


def _is_created(request: Request, output: Record) -> bool:
    return bool(loads(request.body)["identifier"] == output["id"])


# --- the first API ---


def _report(settings: StripeSettings, record: Record, key: EffectKey) -> Request:
    return writing(settings, "billing", "meter_events", form=record, key=key)


def _reported(_: StripeSettings, request: Request) -> Calls:
    """Send an event; one without an identifier is given the effect's key, which nobody else can have used."""
    form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    if "identifier" in form:
        return (yield request)
    identifier = _identifier(request)
    try:
        return (yield replace(request, body=request.body + b"&" + urlencode({"identifier": identifier}).encode()))
    except FixData as refusal:
        if refusal.code != _TAKEN:
            raise
        # Stripe has forgotten the key, and still knows the event.
        return _answer({"object": _FIRST, "identifier": identifier, "event_name": form["event_name"]})


def _is_reported(request: Request, output: Record) -> bool:
    return bool(_identifier(request) == output["id"])


def _identifier(request: Request) -> str:
    """Give what the event of a recorded form is told apart by."""
    return dict(parse_qsl(request.body.decode(), keep_blank_values=True)).get("identifier") or request.headers[_KEY]


# --- the stream ---


def _stream(settings: StripeSettings, record: Record, key: EffectKey) -> Request:
    """Form what is recorded; the key is for the hub, of which the identifiers are made when it goes out."""
    return Request(
        method="POST",
        url=settings.meter_stream_address,
        headers={"content-type": "application/json", "stripe-version": settings.api_version, _KEY: key},
        body=canonical(record),
    )


def _streamed(_: StripeSettings, request: Request) -> Calls:
    """Send all events by one request.

    Where Stripe has one of them already, an earlier sending came through. It is not known to take all events of a
    request or none, so that they are brought one by one then: each counts now, or says that it has counted.
    """
    events = _events(request)
    try:
        _assert_taken((yield _bringing(request, events)))
    except FixData as refusal:
        if refusal.code != _TAKEN:
            raise
        try:
            yield from _one_by_one(request, events)
        except HubError as error:
            raise half_way(error) from error
    return _answer({"object": _STREAM, "identifiers": [event["identifier"] for event in events]})


def _one_by_one(request: Request, events: Sequence[Mapping[str, Any]]) -> Course[None]:
    for event in events if len(events) > 1 else ():
        try:
            _assert_taken((yield _bringing(request, [event])))
        except FixData as refusal:
            if refusal.code != _TAKEN:
                raise


def _events(request: Request) -> list[dict[str, Any]]:
    """Give the events of a recorded request, each with its identifier: the effect's key and its place among them."""
    key = request.headers[_KEY]
    return [{**event, "identifier": f"{key}-{place}"} for place, event in enumerate(loads(request.body)["events"])]


def _bringing(request: Request, events: Sequence[Mapping[str, Any]]) -> Request:
    """Form one request of the stream, which knows no keys."""
    headers = {name: value for name, value in request.headers.items() if name != _KEY}
    return replace(request, headers=headers, body=canonical({"events": list(events)}))


def _assert_taken(response: Response) -> None:
    """Raise `OutcomeUnknown` unless the answer is the stream's, which has nothing in it."""
    try:
        empty = not response.body.strip() or loads(response.body) == {}
    except FixData:
        empty = False
    if not empty:
        raise OutcomeUnknown(
            "The answer is not that of Stripe's stream.", code="unreadable-answer", status=response.status
        )


def _all_taken(response: Response) -> Record:
    """Read what the course over the stream gives: the identifiers of the events, in their order."""
    value = _read(response, _STREAM)
    identifiers = value.get("identifiers")
    if not isinstance(identifiers, list) or not all(isinstance(one, str) for one in identifiers):
        raise OutcomeUnknown("The answer does not tell the events.", code="unreadable-answer")
    return {"object": _STREAM, "identifiers": identifiers}


# --- answers ---


def _answer(record: Record) -> Response:
    return Response(status=200, headers={"content-type": "application/json"}, body=canonical(record))


def _taken(response: Response, kind: str) -> Record:
    """Read the answer to one event, whose only id is its identifier."""
    value = _read(response, kind)
    if not isinstance(value.get("identifier"), str):
        raise OutcomeUnknown("The meter event has no identifier.", code="unreadable-answer")
    return {"id": value["identifier"], **{name: value[name] for name in _GIVEN if name in value}}


def _read(response: Response, kind: str) -> Mapping[str, Any]:
    try:
        value = loads(response.body)
    except FixData as error:
        raise OutcomeUnknown("The answer is not JSON.", code="unreadable-answer", status=response.status) from error
    if not isinstance(value, dict) or value.get("object") != kind:
        raise OutcomeUnknown(f"The answer is not a Stripe {kind}.", code="unreadable-answer", status=response.status)
    return value


def _output(kind: str) -> JsonSchema:
    return {
        "type": "object",
        "properties": {"id": {"type": "string"}, "object": {"const": kind}},
        "required": ["id", "object"],
    }


METER_EVENTS: tuple[Operation, ...] = (
    WriteOperation(
        name="meter_event.create",
        title="Send an event that a meter counts; its identifier is counted once within a day",
        input=shape(
            {
                "event_name": NAME,
                "identifier": NAME,
                "payload": {"type": "object", "additionalProperties": {"type": "string"}, "minProperties": 1},
                "timestamp": _MOMENT,
            },
            "event_name",
            "identifier",
            "payload",
        ),
        output=_output(_SECOND),
        idempotency=Idempotency.NATIVE,
        request=_create,
        result=lambda response: _taken(response, _SECOND),
        about=_is_created,
        remembers=_MONTH,
    ),
    WriteOperation(
        name="meter_event.report",
        title="Send an event that a meter counts, in the first API, which says only later what is wrong with it",
        input=shape(
            {"event_name": NAME, "identifier": NAME, "payload": _PAYLOAD, "timestamp": SECONDS},
            "event_name",
            "payload",
        ),
        output=_output(_FIRST),
        idempotency=Idempotency.NATIVE,
        request=_report,
        result=lambda response: _taken(response, _FIRST),
        about=_is_reported,
        calls=_reported,
    ),
    WriteOperation(
        name="meter_event.stream",
        title="Send up to a hundred events that meters count by one request",
        input=shape(
            {
                "events": {
                    "type": "array",
                    "items": shape(
                        {"event_name": NAME, "payload": _PAYLOAD, "timestamp": _MOMENT}, "event_name", "payload"
                    ),
                    "minItems": 1,
                    "maxItems": _MOST,
                }
            },
            "events",
        ),
        output={
            "type": "object",
            "properties": {"object": {"const": _STREAM}, "identifiers": {"type": "array", "items": {"type": "string"}}},
            "required": ["object", "identifiers"],
        },
        idempotency=Idempotency.NATIVE,
        request=_stream,
        result=_all_taken,
        calls=_streamed,
    ),
)
