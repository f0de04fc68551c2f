"""The door for events in batches: CloudEvents of senders, each taken or refused by itself, and durable when told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from hub.access.permissions import Permission
from hub.api.bodies import ENCODINGS, in_time, parts, unpacked
from hub.api.problems import MEDIA_TYPE, BodyTooLarge, TooSlow, WrongEncoding, WrongMediaType, of_error, problem
from hub.errors import FixData, HubError, Refused
from hub.intake.deliveries import MAX_BODY, MOST_EVENTS, Deliveries, Outcome, Result
from hub.sdk import exact_json

PATH = "/api/events"
SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
#: A body that takes longer keeps room from others.
BODY_SECONDS = 30.0
#: A packed body of more bytes is unpacked beside what else goes on.
_LONG = 64 * 1024

#: The status of a single event that is refused, by the code of its refusal; of all others it is 422.
_STATUSES = {"source-not-allowed": 403, "type-not-allowed": 403, "event-too-large": 413}
#: What every problem of an event is called; its detail says more.
_TITLES = {
    "source-not-allowed": "The sender may not send events of this source.",
    "type-not-allowed": "The sender may not send events of this type.",
    "event-too-large": "The event is too large.",
}
_OTHER_CONTENT = {
    "type": "urn:concord:problem:same-id-other-content",
    "title": "An event of this source and id was taken before, with other content.",
    "code": "same-id-other-content",
    "detail": "The first one stays as it is. This one is kept beside it, starts nothing, and waits for a person.",
}
#: What is listed also for who wants to hear only of these.
_PROBLEMS = (Result.REFUSED, Result.CONFLICTING)
_WHAT_TO_DO = f"Send at most {MOST_EVENTS} events and {MAX_BODY} bytes at once: the same events in several requests."

router = APIRouter(prefix="/api")


def _described() -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": 500}
    event = {
        "type": "object",
        "required": ["specversion", "id", "source", "type"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": text,
            "source": {**text, "format": "uri-reference"},
            "type": {**text, "maxLength": 191},
            "subject": text,
            "time": {"type": "string", "format": "date-time"},
            "dataschema": {**text, "format": "uri"},
            "datacontenttype": text,
            "data": {},
            "data_base64": {"type": "string", "contentEncoding": "base64"},
        },
        "additionalProperties": {"type": ["string", "boolean", "integer", "null"]},
    }
    batch = {"type": "array", "maxItems": MOST_EVENTS, "items": event}
    counts = {result.value: {"type": "integer", "minimum": 0} for result in Result}
    outcome = {
        "type": "object",
        "required": ["place", "id", "result"],
        "properties": {
            "place": {"type": "integer", "minimum": 0, "description": "its place in the batch, from 0 on"},
            "id": {"type": ["string", "null"], "description": "the sender's id, where it could be read"},
            "result": {"enum": [result.value for result in Result]},
            "event": {"type": "string", "description": "the hub's id of an event that is new"},
            "problem": {"type": "object", "description": "why it was refused, or conflicts (RFC 9457)"},
        },
    }
    answer = {
        "type": "object",
        "required": [*counts, "events"],
        "properties": {**counts, "events": {"type": "array", "items": outcome}},
    }

    def answered(description: str, media_type: str = MEDIA_TYPE, schema: object = None) -> dict[str, Any]:
        content = {media_type: {"schema": schema or {"type": "object"}}}
        return {"description": description, "content": content}

    later = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
    return {
        "security": [{"sender": []}],
        "requestBody": {
            "required": True,
            "content": {SINGLE: {"schema": event}, BATCH: {"schema": batch}},
        },
        "parameters": [
            {
                "name": "Content-Encoding",
                "in": "header",
                "schema": {"enum": [*ENCODINGS, "identity"]},
                "description": f"how the body is packed; unpacked it has at most {MAX_BODY} bytes",
            },
            {
                "name": "Prefer",
                "in": "header",
                "schema": {"enum": ["return=minimal"]},
                "description": "list only the events that were refused or conflict",
            },
        ],
        "responses": {
            "202": answered("Every event is durable: new, or a repeat.", "application/json", answer),
            "207": answered("Of a batch some were refused or conflict.", "application/json", answer),
            "401": answered("The token is no sender's."),
            "403": answered("A single event that the sender may not send."),
            "408": answered("The body did not come in time."),
            "409": answered("A single event whose id was taken before with other content."),
            "413": answered(_WHAT_TO_DO),
            "415": answered("Another content type or encoding."),
            "422": answered("The body cannot be read, or a single event is no event."),
            "429": {**answered("This sender has too much under way."), "headers": later},
            "503": {**answered("The hub has too much in hand, no room, or is stopping."), "headers": later},
        },
    }


@router.post("/events", status_code=202, summary="Send events", response_class=Response, openapi_extra=_described())
async def send_events(request: Request) -> Response:
    """Take CloudEvents 1.0, one or up to a thousand; what the answer tells of each event is durable.

    The token is that of a sender, which the environment's file names with the sources and types that it may send.
    An event is known by its source and id: sent again with the same content it is a `duplicate`, with other content
    it is `conflicting`, and never takes the place of the first.
    """
    return await _answered(request.app.state.deliveries, request.scope, request.stream())


def is_meant(scope: Scope) -> bool:
    """Tell whether a request sends events."""
    return (scope["type"], scope.get("path"), scope.get("method")) == ("http", PATH, "POST")


async def serve(deliveries: Deliveries, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer as the route does, without what a framework does for a request."""
    try:
        answer = await _answered(deliveries, scope, parts(receive))
    except ClientDisconnect:
        return
    await answer(scope, receive, send)


async def _answered(deliveries: Deliveries, scope: Scope, stream: AsyncIterator[bytes]) -> Response:
    try:
        return await _taken(deliveries, scope, stream)
    except HubError as error:
        return of_error(error)


async def _taken(deliveries: Deliveries, scope: Scope, stream: AsyncIterator[bytes]) -> Response:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    scheme, _, token = headers.get("authorization", "").partition(" ")
    sending = deliveries.sending(token.strip() if scheme.lower() == "bearer" else "")
    sending.require(Permission.SEND_EVENT)
    name = sending.sender.name
    try:
        batch = _is_batch(headers.get("content-type", ""))
        encoding = headers.get("content-encoding", "")
        # Of what is packed nobody knows how long it is.
        told = headers.get("content-length", "")
        size = int(told) if told.isdecimal() and not encoding else MAX_BODY
        with deliveries.holding(sending, min(size, MAX_BODY)):
            body = await in_time(stream, MAX_BODY, BODY_SECONDS)
            if encoding:
                body = await _unpacked(body, encoding)
            outcomes = await deliveries.take(sending, body, batch=batch)
    except BodyTooLarge as error:
        deliveries.count_refusal(name, error.code)
        raise BodyTooLarge(_WHAT_TO_DO, limit=MAX_BODY) from None
    except (FixData, Refused, TooSlow, WrongMediaType, WrongEncoding) as error:
        deliveries.count_refusal(name, error.code)
        raise
    if not batch and outcomes[0].result in _PROBLEMS:
        return _single(outcomes[0])
    return _told(outcomes, minimal="return=minimal" in headers.get("prefer", ""))


def _is_batch(content_type: str) -> bool:
    media_type, _, parameters = content_type.partition(";")
    known = {SINGLE: False, BATCH: True}.get(media_type.strip().lower())
    charset = parameters.strip().lower().replace('"', "")
    if known is None or charset not in ("", "charset=utf-8"):
        raise WrongMediaType(f"Send {SINGLE} for one event, or {BATCH} for a list of them.", sent=content_type[:100])
    return known


async def _unpacked(body: bytes, encoding: str) -> bytes:
    if len(body) < _LONG:
        return unpacked(body, encoding, MAX_BODY)
    return await asyncio.to_thread(unpacked, body, encoding, MAX_BODY)


def _single(outcome: Outcome) -> Response:
    if outcome.refusal is None:
        return problem(409, code=_OTHER_CONTENT["code"], title=_OTHER_CONTENT["title"], detail=_OTHER_CONTENT["detail"])
    code = outcome.refusal.code
    title = _TITLES.get(code, "The event cannot be taken.")
    return problem(_STATUSES.get(code, 422), code=code, title=title, detail=outcome.refusal.detail)


def _told(outcomes: Sequence[Outcome], *, minimal: bool) -> Response:
    results = [outcome.result for outcome in outcomes]
    counted = {result.value: results.count(result) for result in Result}
    all_taken = not counted[Result.REFUSED] and not counted[Result.CONFLICTING]
    listed = [
        _line(place, outcome) for place, outcome in enumerate(outcomes) if not minimal or outcome.result in _PROBLEMS
    ]
    body = exact_json.dumps({**counted, "events": listed})
    return Response(body, status_code=202 if all_taken else 207, media_type="application/json")


class _Line(msgspec.Struct, frozen=True, gc=False):
    """What the answer says of one event."""

    place: int
    id: str | None
    result: Result
    event: str | msgspec.UnsetType = msgspec.UNSET
    problem: Mapping[str, str] | msgspec.UnsetType = msgspec.UNSET


def _line(place: int, outcome: Outcome) -> _Line:
    if outcome.event is not None:
        return _Line(place, outcome.id, outcome.result, outcome.event)
    return _Line(place, outcome.id, outcome.result, msgspec.UNSET, _problem(outcome))


def _problem(outcome: Outcome) -> Mapping[str, str] | msgspec.UnsetType:
    if outcome.result is Result.CONFLICTING:
        return _OTHER_CONTENT
    if outcome.refusal is None:
        return msgspec.UNSET
    code = outcome.refusal.code
    return {
        "type": f"urn:concord:problem:{code}",
        "title": _TITLES.get(code, "The event cannot be taken."),
        "code": code,
        "detail": outcome.refusal.detail,
    }
