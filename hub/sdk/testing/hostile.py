"""Bodies and headers that a vendor, a proxy or an attacker may send instead of what was expected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_LOGIN_PAGE = (
    b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form action='/login'><input name='user'>"
    b"</form></body></html>"
)

#: Name → body. None of them is a success, whatever status it comes with.
BODIES: Mapping[str, bytes] = {
    "empty": b"",
    "login page": _LOGIN_PAGE,
    "plain text": b"upstream connect error or disconnect/reset before headers",
    "truncated": b'{"id": "1", "error": {"code": "something", "mess',
    "not utf-8": b"\xff\xfe\x00\xd8{\x00",
    "byte order mark": b"\xef\xbb\xbf{}",
    "null": b"null",
    "true": b"true",
    "number": b"12.5",
    "huge number": b'{"error": 1e999999999}',
    "text": b'"error"',
    "list": b"[]",
    "list of nulls": b"[null, null]",
    "object": b"{}",
    "deep": b"[" * 100_000,
    "deep object": b'{"error":' * 5_000 + b"1" + b"}" * 5_000,
    "large": b'{"error": {"message": "' + b"x" * 1_000_000 + b'"}}',
    "error is null": b'{"error": null}',
    "error is a list": b'{"error": [1, 2]}',
    "error is a number": b'{"error": 400}',
    "error of wrong types": b'{"error": {"code": 7, "message": {"a": 1}, "type": [], "details": {"0": null}}}',
    "error with null details": b'{"error": {"code": null, "message": null, "details": [null]}}',
    "errors of wrong types": b'{"errors": 3, "message": [], "code": {}, "status": "x"}',
    "problem of wrong types": b'{"type": 1, "title": [], "status": "?", "detail": {}, "o:errorDetails": "none"}',
    "list of wrong errors": b'[{"errorCode": 5, "message": null, "fields": "x"}]',
    "lists of wrong types": b'{"value": {}, "items": 7, "data": "x", "results": [1], "has_more": "no"}',
    "lone surrogate": b'{"error": {"message": "\\ud800"}}',
}

#: Values of `Retry-After` that say nothing, or nothing sensible.
WAITS = (
    "",
    "soon",
    "-5",
    "nan",
    "inf",
    "1e9",
    "99999999999999999999",
    "\u0663",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "0x10",
)

#: Header values that no signature looks like.
JUNK = (
    "",
    " ",
    ",",
    "=",
    "v1",
    "v1,",
    "v1=",
    "t=,v1=",
    "t=abc,v1=00",
    "t=1,v1=",
    "t=99999999999999999999,v1=00",
    "v1,\u00e9\u00e9",
    "\u0661\u0662",
    "-1",
    "1e9",
    "\x00",
    "a" * 10_000,
    "v1," * 3_000,
    "sha256=",
    "sha256=zz",
)


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Let whatever goes wrong inside say which body it was: all of them in one check cost less than a check each."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"The body was: {name}.")
        raise
