"""CloudEvents 1.0 as JSON: pure, event by event, so that one that cannot be taken keeps no other from being taken.

An event is kept whole, as canonical JSON with exact numbers, and named by the hash of that. What only tells of the way
that it came is left out: it may differ when the same event is sent again.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import msgspec

from hub.errors import FixData
from hub.model.ambient import to_micros
from hub.model.sender import Sender
from hub.sdk import exact_json

#: The longest event, in bytes of canonical JSON; CloudEvents asks everybody to pass on 64 KiB.
MAX_EVENT = 256 * 1024
#: The longest attribute, in characters: sources and ids stand in an index.
MAX_ATTRIBUTE = 500
#: A schema that the hub knows, as a sender names it in `dataschema`.
SCHEMA_URN = "urn:concord:schema:"

_OWN = frozenset({"specversion", "id", "source", "type", "subject", "time", "dataschema", "datacontenttype", "data"})
#: What nearly every event has, and what of it is looked at by itself.
_USUAL = frozenset({"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"})
_JSON = "application/json"
_TOLD_SELDOM = ("dataschema", "datacontenttype")
_OPTIONAL = ("subject", "time", *_TOLD_SELDOM)
#: Set or changed by those who pass events on, so that the same event may bear others when it is sent again.
_OF_THE_WAY = frozenset({"traceparent", "tracestate", "knativearrivaltime"})
_EXTENSION = re.compile(r"[a-z0-9]{1,100}")
#: What no attribute may hold (CloudEvents 1.0, 3.1): control characters, halves of characters, and what is none.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
_SPACE = re.compile(r"\s")
_BLANKS = re.compile(r"[ \t\n\r]*")
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:-]{0,190}")
_SCHEMA = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,80}@[A-Za-z0-9][A-Za-z0-9._-]{0,30}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,20})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_LEAST, _MOST = -(2**31), 2**31 - 1


class Received(msgspec.Struct, frozen=True, gc=False):
    """One event that may be taken: its id, its name among all (`external_id`), and what routing needs of it.

    `text` is the event with all its attributes as canonical JSON, and `content` the SHA-256 of that. `occurred_at` is
    in microseconds, None where the event does not say. `has_data` tells whether it has any that is JSON.
    """

    id: str
    external_id: str
    type: str
    subject: str
    occurred_at: int | None
    schema: str | None
    text: str
    content: str
    has_data: bool


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an event is not taken: a stable code, what is wrong and what to do, and its id as far as it has one."""

    code: str
    detail: str
    id: str | None = None


class _Wrong(Exception):
    """Something of an event is not as it must be; it carries the code and the sentence."""


def values_of(body: bytes, *, batch: bool) -> list[Any]:
    """Read the values that should be events; one that cannot be read is a `Refusal` in its place.

    Raises `FixData` when the body as a whole is no JSON, or no list where it should be one.
    """
    if not batch:
        return [exact_json.loads(body)]
    try:
        values = exact_json.loads(body)
    except FixData as error:
        return _one_by_one(body, error)
    if not isinstance(values, list):
        raise FixData("A batch is a JSON array of events.", code="not-a-batch")
    return values


def _one_by_one(body: bytes, error: FixData) -> list[Any]:
    """Tell what can be read from what cannot, such as a number of a thousand digits or half of a character."""
    values: list[Any] = []
    try:
        for part in _parts(body.decode()):
            try:
                values.append(exact_json.loads(part))
            except FixData as wrong:
                values.append(Refusal("not-json", f"The event cannot be read: {wrong.facts['reason']}."))
    except (ValueError, IndexError, RecursionError):
        raise error from None
    return values


#: Finds where a value ends, and takes for one what others may write; nothing of what it reads is used.
_finder = json.JSONDecoder(parse_float=str, parse_int=str)


def _parts(text: str) -> Iterator[str]:
    """Give the values of an array as they are written; raises ValueError or IndexError where there is none."""
    at, expected = _after(text, 0), "["
    while text[at] == expected:
        start = _after(text, at + 1)
        _, end = _finder.raw_decode(text, start)
        yield text[start:end]
        at, expected = _after(text, end), ","
    if text[at] != "]" or _after(text, at + 1) != len(text):
        raise ValueError(at)


def _after(text: str, at: int) -> int:
    """Give where the blanks end that stand at a place."""
    found = _BLANKS.match(text, at)
    return at if found is None else found.end()


class Reader:
    """Checks the events of one sender; what it may send, and has sent before in a delivery, is asked only once."""

    def __init__(self, sender: Sender) -> None:
        """Take who sends."""
        self._sender = sender
        self._sources: set[str] = set()
        self._types: set[str] = set()

    def receive(self, value: Any) -> Received | Refusal:
        """Check one event and what its sender may send; what it lacks or has too much is told."""
        if isinstance(value, Refusal):
            return value
        try:
            return self._received(value)
        except _Wrong as wrong:
            code, detail = wrong.args
            return Refusal(code, detail, _id_of(value))
        except (RecursionError, UnicodeEncodeError, OverflowError) as error:
            return Refusal("not-json", f"The event cannot be kept: {str(error)[:200]}.", _id_of(value))

    def _received(self, event: Any) -> Received:
        if not isinstance(event, dict):
            raise _Wrong("not-an-event", "An event is a JSON object with the attributes of CloudEvents 1.0.")
        if event.get("specversion") != "1.0":
            raise _Wrong("wrong-specversion", '`specversion` must be "1.0".')
        identity = _text("id", event.get("id"))
        source, kind = event.get("source"), event.get("type")
        if not isinstance(source, str) or source not in self._sources:
            source = self._source(source)
        if not isinstance(kind, str) or kind not in self._types:
            kind = self._type(kind)
        subject, time = event.get("subject"), event.get("time")
        as_usual = _USUAL.issuperset(event) and event.get("datacontenttype", _JSON) == _JSON
        if subject is None or time is None or not as_usual:
            _look_at_the_rest(event)
        if subject is not None:
            _text("subject", subject)
        moment = None if time is None else _moment(time)
        text = exact_json.canonical(event)
        if len(text) > MAX_EVENT:
            raise _Wrong("event-too-large", f"An event has at most {MAX_EVENT} bytes; this one has {len(text)}.")
        # Each level has two brackets; as many as that may well stand beside each other.
        if len(text) > 2 * exact_json.MAX_DEPTH and _has_many_brackets(text) and _depth(event) > exact_json.MAX_DEPTH:
            raise _Wrong("too-deep", f"An event is at most {exact_json.MAX_DEPTH} levels deep.")
        return Received(
            identity,
            # A source has no blank in it, so that no two events have one name.
            f"{source} {identity}",
            kind,
            subject or "",
            moment,
            self._sender.schemas.get(kind) or _schema(event.get("dataschema")),
            text.decode(),
            sha256(text).hexdigest(),
            event.get("data") is not None,
        )

    def _source(self, value: Any) -> str:
        source = _text("source", value)
        if not source.isprintable() or _SPACE.search(source):
            raise _Wrong("invalid-attribute", "`source` must be a URI reference, without blanks.")
        if source not in self._sender.sources:
            raise _Wrong("source-not-allowed", f"This sender may not send events of the source `{source[:200]}`.")
        self._sources.add(source)
        return source

    def _type(self, value: Any) -> str:
        kind = _text("type", value)
        if _TYPE.fullmatch(kind) is None:
            message = (
                "`type` must begin with a letter or digit, and go on with letters, digits, `.`, `_`, `/`, `:` or `-`."
            )
            raise _Wrong("invalid-attribute", message)
        if kind not in self._sender.types:
            raise _Wrong("type-not-allowed", f"This sender may not send events of the type `{kind}`.")
        self._types.add(kind)
        return kind


def _id_of(value: Any) -> str | None:
    found = value.get("id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and len(found) <= MAX_ATTRIBUTE and found.isprintable() else None


def _text(name: str, value: Any) -> str:
    """Give a value that may be an attribute which is text; raises when it may not."""
    if not isinstance(value, str) or not value:
        raise _Wrong("invalid-attribute", f"`{name}` must be there, as text that is not empty.")
    if len(value) > MAX_ATTRIBUTE:
        raise _Wrong("invalid-attribute", f"`{name}` has more than {MAX_ATTRIBUTE} characters.")
    if not value.isprintable() and _FORBIDDEN.search(value):
        raise _Wrong("invalid-attribute", f"`{name}` has characters in it that CloudEvents forbids.")
    return value


def _look_at_the_rest(event: dict[str, Any]) -> None:
    """Check the attributes that not every event has; one that is null is none."""
    for name in _OPTIONAL:
        if name in event and event[name] is None:
            del event[name]
    for name in _TOLD_SELDOM:
        if name in event:
            _text(name, event[name])
    if not _OWN.issuperset(event):
        _look_at_extensions(event)


def _look_at_extensions(event: dict[str, Any]) -> None:
    """Check what an event has besides, and leave out what only tells of its way."""
    if "data_base64" in event:
        _look_at_bytes(event)
    for name in event.keys() - _OWN - {"data_base64"}:
        value = event[name]
        if name in _OF_THE_WAY or value is None:
            del event[name]
        elif _EXTENSION.fullmatch(name) is None:
            message = f"`{name[:100]}` is no attribute: names are small letters and digits. Put it into `data`."
            raise _Wrong("invalid-extension", message)
        elif isinstance(value, str):
            if not value.isprintable() and _FORBIDDEN.search(value):
                raise _Wrong("invalid-extension", f"`{name}` has characters in it that CloudEvents forbids.")
        elif not isinstance(value, bool) and not (isinstance(value, int) and _LEAST <= value <= _MOST):
            message = f"`{name}` must be text, true or false, or a whole number of 32 bits. Put it into `data`."
            raise _Wrong("invalid-extension", message)


def _look_at_bytes(event: dict[str, Any]) -> None:
    encoded = event["data_base64"]
    if encoded is None:
        del event["data_base64"]
        return
    if "data" in event:
        raise _Wrong("invalid-data", "An event has `data` or `data_base64`, and not both.")
    try:
        base64.b64decode(encoded if isinstance(encoded, str) else "-", validate=True)
    except (binascii.Error, ValueError):
        raise _Wrong("invalid-data", "`data_base64` must be text in Base64 (RFC 4648).") from None


def _schema(claimed: str | None) -> str | None:
    """Give the schema that an event claims, where it is one that the hub could know."""
    if claimed is None or not claimed.startswith(SCHEMA_URN):
        return None
    name = claimed.removeprefix(SCHEMA_URN)
    return name if _SCHEMA.fullmatch(name) else None


def _moment(text: Any) -> int:
    """Give a moment in microseconds, from its words in RFC 3339."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    try:
        if found is None:
            raise ValueError(text)
        return to_micros(datetime.fromisoformat(text.upper()))
    except ValueError:
        message = "`time` must be a moment as RFC 3339 writes it, such as 2026-11-05T14:30:00Z."
        raise _Wrong("invalid-attribute", message) from None


def _has_many_brackets(text: bytes) -> bool:
    return text.count(b"{") + text.count(b"[") > exact_json.MAX_DEPTH


def _depth(value: Any) -> int:
    """Give how deep a value is, without going deeper by itself."""
    depth, level = 0, [value]
    while level:
        depth += 1
        inner = [
            list(each.values()) if isinstance(each, dict) else each for each in level if isinstance(each, dict | list)
        ]
        level = [one for some in inner for one in some]
    return depth
