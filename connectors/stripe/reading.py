"""How objects are read at Stripe: one by its id, and lists of them, as operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from connectors.stripe.client import pages, read_object, reading, settings_of
from connectors.stripe.settings import StripeSettings
from connectors.stripe.versions import DESCRIBED, NEWEST, pinned, release_of
from hub.sdk.connector import JsonSchema, ReadOperation, Record
from hub.sdk.errors import FixConnection
from hub.sdk.session import Session

Reader = Callable[[Session, Record], Awaitable[Record]]

#: An id of Stripe's, and the input of what needs nothing else.
ID: JsonSchema = {"type": "string", "pattern": "^[A-Za-z0-9_]{1,255}$"}
BY_ID: JsonSchema = {
    "type": "object",
    "properties": {"id": ID},
    "required": ["id"],
    "additionalProperties": False,
}
#: Seconds since 1970.
SECONDS: JsonSchema = {"type": "integer", "minimum": 0}
#: How many items a list gives when the caller does not say, and at most.
_LIMIT, _MOST = 100, 10_000
_BETWEEN: JsonSchema = {
    "type": "object",
    "properties": {"gte": SECONDS, "lt": SECONDS},
    "additionalProperties": False,
}


def read_by_id(
    kind: str, path: str, *, title: str, name: str | None = None, read: Reader | None = None
) -> ReadOperation:
    """Declare `KIND.read`: an object by its id, in the schema of its kind where there is one."""
    versioned = kind in DESCRIBED
    return ReadOperation(
        name=name or f"{kind}.read",
        title=title,
        input=BY_ID,
        output={"$ref": f"stripe.{kind}@{NEWEST}"} if versioned else _object(kind),
        gives=pinned(kind) if versioned else None,
        read=read or reader(kind, path),
    )


def list_of(
    kind: str,
    path: str,
    *,
    title: str,
    filters: Mapping[str, JsonSchema],
    required: Sequence[str] = (),
    name: str | None = None,
    timed: bool = True,
) -> ReadOperation:
    """Declare `KIND.list`: up to `limit` objects, newest first; `timed` ones are filtered by their creation too."""
    return ReadOperation(
        name=name or f"{kind}.list",
        title=title,
        input={
            "type": "object",
            "properties": {
                **filters,
                **({"created": _BETWEEN} if timed else {}),
                "limit": {"type": "integer", "minimum": 1, "maximum": _MOST},
                "starting_after": ID,
            },
            "required": list(required),
            "additionalProperties": False,
        },
        output={
            "type": "object",
            "properties": {"data": {"type": "array", "items": _object(kind)}, "has_more": {"type": "boolean"}},
            "required": ["data", "has_more"],
        },
        read=lister(path),
    )


def reader(kind: str, path: str) -> Reader:
    """Give what reads one object of a kind."""

    async def read(session: Session, wanted: Record) -> Record:
        settings = settings_of(session)
        _has(settings, path)
        return read_object(await session.send(reading(settings, *path.split("/"), wanted["id"])), kind)

    return read


def lister(path: str) -> Reader:
    """Give what collects pages of a list until there is as much as was asked for."""

    async def collect(session: Session, wanted: Record) -> Record:
        _has(settings_of(session), path)
        limit = wanted.get("limit", _LIMIT)
        query = {name: value for name, value in wanted.items() if name != "limit"} | {"limit": min(limit, 100)}
        found: list[dict[str, Any]] = []
        async for page in pages(session, *path.split("/"), query=query):
            found.extend(page)
            if len(found) > limit:
                break
        else:
            return {"data": found[:limit], "has_more": False}
        return {"data": found[:limit], "has_more": True}

    return collect


def _object(kind: str) -> JsonSchema:
    return {
        "type": "object",
        "properties": {"id": {"type": "string"}, "object": {"const": kind}},
        "required": ["id", "object"],
    }


def _has(settings: StripeSettings, path: str) -> None:
    """Say in plain words what Stripe would answer with "unrecognized URL"."""
    if path == "invoice_payments" and release_of(settings.api_version) == "acacia":
        detail = f"Stripe has invoice payments from the release basil on; the connection says {settings.api_version}."
        raise FixConnection(detail, code="version-too-old")
