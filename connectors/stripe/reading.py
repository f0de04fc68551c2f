"""How objects are read at Stripe: one by its id, and lists of them, as operations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from connectors.stripe.client import PAGE_SIZE, pages, read_object, reading, settings_of
from connectors.stripe.settings import StripeSettings
from connectors.stripe.versions import DESCRIBED, NEWEST, pinned, release_of, schema_of
from hub.sdk.answers import read_object as answered_object
from hub.sdk.connector import JsonSchema, ReadOperation, Record
from hub.sdk.errors import FixConnection, OutcomeUnknown
from hub.sdk.session import Session
from hub.sdk.values import Response

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
#: What stands around objects.
_OTHERS = frozenset({"list", "search_result"})
#: What is read with all its lines, page by page.
_WITH_LINES = frozenset({"invoice", "credit_note"})
#: How many items a list gives when the caller does not say, and at most.
_LIMIT, _MOST = 100, 10_000
#: Keys of metadata that may stand between quotes in a query, and how many conditions Stripe takes in one.
_SEARCHED, _CLAUSES = r"""^[^\[\]"'\\]{1,40}$""", 10
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
        claim=_unread(kind) if versioned else None,
    )


def _unread(kind: str) -> Callable[[Response], tuple[str, Record]]:
    """Give what says of what shape an object is that cannot be read any more: what of it has changed is named so.

    One that can be read is compared as what the read gives, with all its lines.
    """

    def claim(response: Response) -> tuple[str, Record]:
        answer, version = answered_object(response), response.headers.get("stripe-version")
        named, numbered = answer.get("object"), isinstance(answer.get("id"), str)
        is_whole = named == kind and numbered and (kind not in _WITH_LINES or _has_lines(answer))
        another = isinstance(named, str) and named != kind and named in _OTHERS | DESCRIBED
        if version is None or is_whole or another or not (named == kind or numbered):
            raise OutcomeUnknown(f"It is no {kind} that cannot be read.", code="unreadable-answer")
        return f"stripe.{kind}@{schema_of(kind, version)}", answer

    return claim


def _has_lines(answer: Record) -> bool:
    lines = answer.get("lines")
    return isinstance(lines, dict) and isinstance(lines.get("data"), list)


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
        output=_listed(kind),
        read=lister(path),
    )


def search_of(kind: str, path: str, *, title: str) -> ReadOperation:
    """Declare `KIND.search`: up to `limit` objects whose metadata has all of these values, newest first.

    Stripe shows what was written within a minute, or within an hour when something is wrong there. It does not tell
    small letters from capitals; what differs in them is left out.
    """
    return ReadOperation(
        name=f"{kind}.search",
        title=title,
        input={
            "type": "object",
            "properties": {
                "metadata": {
                    "type": "object",
                    "propertyNames": {"pattern": _SEARCHED},
                    "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 500},
                    "minProperties": 1,
                    "maxProperties": _CLAUSES,
                },
                "limit": {"type": "integer", "minimum": 1, "maximum": PAGE_SIZE},
            },
            "required": ["metadata"],
            "additionalProperties": False,
        },
        output=_listed(kind),
        read=searcher(kind, path),
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


def searcher(kind: str, path: str) -> Reader:
    """Give what finds objects by their metadata; raises `OutcomeUnknown` when something else was found."""

    async def search(session: Session, wanted: Record) -> Record:
        metadata: Record = wanted["metadata"]
        clauses = [f'metadata["{name}"]:"{_quoted(value)}"' for name, value in sorted(metadata.items())]
        query = {"query": " AND ".join(clauses), "limit": wanted.get("limit", PAGE_SIZE)}
        request = reading(settings_of(session), *path.split("/"), "search", query=query)
        answer = read_object(await session.send(request), "search_result")
        found, more = answer.get("data"), answer.get("has_more")
        if not isinstance(found, list) or not isinstance(more, bool):
            raise OutcomeUnknown("The answer is not a Stripe search.", code="unreadable-answer")
        same = [one for one in found if _carried(one, kind, metadata) == metadata]
        return {"data": same, "has_more": more}

    return search


def _carried(found: Any, kind: str, wanted: Record) -> Record:
    """Give what an object that was found has of the metadata that was asked for; it must have that but for its case."""
    whole = isinstance(found, dict) and found.get("object") == kind and isinstance(found.get("id"), str)
    held = found["metadata"] if whole and "metadata" in found else None
    if isinstance(held, dict) and all(isinstance(held.get(name), str) for name in wanted):
        carried: Record = {name: held[name] for name in wanted}
        if all(carried[name].lower() == wanted[name].lower() for name in wanted):
            return carried
    raise OutcomeUnknown("The search found something else.", code="foreign-answer")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _listed(kind: str) -> JsonSchema:
    return {
        "type": "object",
        "properties": {"data": {"type": "array", "items": _object(kind)}, "has_more": {"type": "boolean"}},
        "required": ["data", "has_more"],
    }


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
