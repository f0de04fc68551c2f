"""Answers that are not what the vendor gave: cut off, changed, endless, or somebody else's in its place."""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from hub.sandbox.exact_json import dumps, json_answer, loads

#: An answer that never ends is given up after this many seconds, or this many bytes.
LONGEST_SECONDS, MOST_BYTES = 60.0, 256 * 1024 * 1024
#: Fields that say which thing an answer is about, and those that take one of a few values.
_NAMES = frozenset({"id", "Id", "code", "externalId", "external_id", "number"})
_CHOICES = frozenset({"status", "Status", "state", "type"})
#: Headers that are about the body as it was.
_OF_THE_BODY = frozenset({"content-length", "content-encoding", "etag"})
_QUOTED = re.compile(r"'([^']*)'")
#: Takes what was asked for, the fields that name things, and an answer's JSON; gives it changed, or None.
Change = Callable[[AbstractSet[str], AbstractSet[str], Any], Any]
_LOGIN_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form action='/login' method='post'>"
    b"<input name='user'><input name='password' type='password'></form></body></html>"
)


def in_place_of(kind: str, *, to: str) -> web.Response:
    """Answer as somebody who is not the vendor: a login page, an error under 200, or a redirect that leads `to`."""
    if kind == "login_page":
        return web.Response(body=_LOGIN_PAGE, content_type="text/html")
    if kind == "redirect":
        # 307 asks a client to send the same request, its body and all, to the other place.
        return web.Response(status=307, headers={"Location": to})
    return json_answer({"success": False, "error": {"code": "temporarily_unavailable", "message": "Try again."}})


async def spoil(
    kind: str, request: web.Request, answer: web.StreamResponse, names: AbstractSet[str] = frozenset()
) -> web.StreamResponse | None:
    """Give the answer as it arrives; None where it cannot be spoilt in this way, so that it goes out as it is.

    `names` are fields that say which thing an answer is about, beside the usual ones.
    """
    body = body_of(answer)
    if kind in _CHANGES:
        known = _NAMES | names
        value, envelope = _opened(_json(body))
        changed = _CHANGES[kind](_asked(request, await request.read(), known), known, value)
        return (
            None if changed is None else with_body(answer, dumps(changed if envelope is None else {envelope: changed}))
        )
    if kind == "malformed_body":
        half = body[: len(body) // 2] or b"<html><body>upstream"
        status = 200 if answer.status == 204 else answer.status
        return web.Response(body=half, status=status, content_type="application/json")
    if kind == "empty_body":
        return with_body(answer, b"") if body else None
    if kind == "bad_gzip":
        spoilt = with_body(answer, b"\x1f\x8b" + body)
        spoilt.headers["Content-Encoding"] = "gzip"
        return spoilt
    if kind == "huge_headers":
        spoilt = with_body(answer, body)
        spoilt.headers["X-Trace"] = "x" * 200_000
        return spoilt
    return await _SENDING[kind](request, answer, body)


def body_of(answer: web.StreamResponse) -> bytes:
    """Give what an answer says, unpacked: what is changed in it is the answer, and not its packing."""
    body = answer.body if isinstance(answer, web.Response) and isinstance(answer.body, bytes) else b""
    return gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body


def with_body(answer: web.StreamResponse, body: bytes) -> web.Response:
    """Give the same answer with another body; whatever names a place stays as it was."""
    kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_THE_BODY}
    return web.Response(body=body, status=answer.status, headers=kept)


async def _half(request: web.Request, answer: web.StreamResponse, body: bytes) -> web.StreamResponse:
    return await _broken_off(request, answer, body[: len(body) // 2], length=max(len(body), 2))


async def _wrong_length(request: web.Request, answer: web.StreamResponse, body: bytes) -> web.StreamResponse:
    return await _broken_off(request, answer, body, length=len(body) + 7)


async def _broken_off(
    request: web.Request, answer: web.StreamResponse, part: bytes, *, length: int
) -> web.StreamResponse:
    sending = web.StreamResponse(status=_with_body(answer), headers={"Content-Type": "application/json"})
    sending.content_length = length
    await sending.prepare(request)
    await sending.write(part)
    if request.transport is not None:
        request.transport.close()
    return sending


async def _slow(request: web.Request, answer: web.StreamResponse, body: bytes) -> web.StreamResponse:
    """Send one byte after the other, so slowly that nobody waits for the last."""
    sending = web.StreamResponse(status=_with_body(answer), headers={"Content-Type": "application/json"})
    await sending.prepare(request)
    loop = asyncio.get_running_loop()
    ends = loop.time() + LONGEST_SECONDS
    while loop.time() < ends and await _written(sending, b" "):
        await asyncio.sleep(0.05)
    return sending


async def _endless(request: web.Request, answer: web.StreamResponse, body: bytes) -> web.StreamResponse:
    sending = web.StreamResponse(status=_with_body(answer), headers={"Content-Type": "application/json"})
    await sending.prepare(request)
    part, sent = b" " * (1024 * 1024), 0
    while sent < MOST_BYTES and await _written(sending, part):
        sent += len(part)
    return sending


async def _written(sending: web.StreamResponse, part: bytes) -> bool:
    """Tell whether the caller still listens."""
    try:
        await sending.write(part)
    except ConnectionError:
        return False
    return True


def _with_body(answer: web.StreamResponse) -> int:
    """Give the answer's status, or 200 for one that may have no body."""
    return 200 if answer.status == 204 else answer.status


def _foreign(asked: AbstractSet[str], names: AbstractSet[str], value: Any) -> Any:
    """Make it the answer about something else: whatever repeats what was asked for names another thing."""
    if not isinstance(value, dict):
        return None
    echoed = {name for name in names if str(value.get(name)) in asked}
    if not echoed:
        return None
    return {name: _another(item) if name in echoed else item for name, item in value.items()}


def _another(value: Any) -> Any:
    return value + 1 if isinstance(value, int) else f"{value}0"


def _asked(request: web.Request, body: bytes, names: AbstractSet[str]) -> set[str]:
    """Give what a request names its thing by: the parts of its path, and the names in its body, at whatever depth."""
    parts = [unquote(part) for part in request.rel_url.raw_path.split("/") if part]
    # A name may have its kind before it, as in `eid:4711`, or stand in quotes behind its set, as in `Orders('4711')`.
    named = {name for part in parts for name in (part, part.rpartition(":")[2], *_QUOTED.findall(part))}
    return named | set(_named(_json(body), names))


def _named(value: Any, names: AbstractSet[str]) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (str(value[name]) for name in names if name in value)
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _named(part, names)


def _renamed(_asked: AbstractSet[str], names: AbstractSet[str], value: Any) -> Any:
    if not isinstance(value, dict) or not names & value.keys():
        return None
    return {f"{name}_v2" if name in names else name: item for name, item in value.items()}


def _added(_asked: AbstractSet[str], _names: AbstractSet[str], value: Any) -> Any:
    if not isinstance(value, dict):
        return None
    return {**value, "added_by_a_later_release": {"since": "2031", "values": [1]}}


def _unknown(_asked: AbstractSet[str], _names: AbstractSet[str], value: Any) -> Any:
    if not isinstance(value, dict) or not any(isinstance(value.get(name), str) for name in _CHOICES):
        return None
    return {
        name: "of_a_later_release" if name in _CHOICES and isinstance(item, str) else item
        for name, item in value.items()
    }


def _rows(change: Callable[[list[Any]], list[Any]]) -> Change:
    """Change the list in an answer: the whole of it, or its first field that holds objects."""

    def changed(_asked: AbstractSet[str], _names: AbstractSet[str], value: Any) -> Any:
        if isinstance(value, list) and value:
            return change(value)
        if not isinstance(value, dict):
            return None
        name = next((name for name, rows in value.items() if isinstance(rows, list) and rows), None)
        if name is None or not isinstance(value[name][0], dict):
            return None
        return {**value, name: change(value[name])}

    return changed


def _opened(value: Any) -> tuple[Any, str | None]:
    """Give what an envelope holds, and its name, where an answer is one object in another, as in OData v2."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
        if isinstance(inner, dict):
            return inner, name
    return value, None


def _json(body: bytes) -> Any:
    try:
        return loads(body)
    except ValueError:
        return None


_CHANGES: Mapping[str, Change] = {
    "foreign_body": _foreign,
    "renamed_field": _renamed,
    "added_field": _added,
    "unknown_value": _unknown,
    "rows_doubled": _rows(lambda rows: [*rows, *rows]),
    "rows_missing": _rows(lambda rows: rows[:-1]),
    "rows_shuffled": _rows(lambda rows: rows[::-1]),
}
_SENDING = {"half_body": _half, "wrong_length": _wrong_length, "slow_body": _slow, "endless_body": _endless}
