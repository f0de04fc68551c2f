"""Multipart batches: cut into parts, read as requests with their line ends taken seriously, and written as answers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from connectors.s4hana.sandbox.odata.errors import Refusal
from connectors.s4hana.sandbox.odata.exchange import Reply

_BOUNDARY = re.compile(r"multipart/mixed\s*;.*?boundary=\"?([^\";]+)\"?", re.IGNORECASE)
_REQUEST = re.compile(r"([A-Z]+) (\S+)(?: HTTP/1\.[01])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of a batch as it was written."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    content_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """Requests that are executed together or not at all."""

    requests: Sequence[Request] = field(default_factory=tuple)


def boundary_of(content_type: str) -> str:
    """Give the boundary that a header names; raises `Refusal`."""
    found = _BOUNDARY.match(content_type)
    if found is None:
        raise malformed("the boundary is missing")
    return found[1].strip()


def malformed(what: str) -> Refusal:
    """Make the refusal of a batch that cannot be read."""
    return Refusal(f"The Data Services Request contains a malformed batch: {what}.", code="/IWFND/CM_MGW/592")


def read_batch(body: bytes, content_type: str, *, named: bool = False) -> list[Request | ChangeSet]:
    """Read a batch, whose changes must be `named` in v4; raises `Refusal`."""
    parts: list[Request | ChangeSet] = []
    for headers, content in _parts(body, boundary_of(content_type)):
        kind = headers.get("content-type", "")
        if kind.lower().startswith("multipart/mixed"):
            inner = [_request(*part) for part in _parts(content, boundary_of(kind))]
            if any(each.method == "GET" for each in inner):
                raise malformed("a change set must not contain GET")
            if named and not all(each.content_id for each in inner):
                raise malformed("missing Content-ID header in request within a change set")
            parts.append(ChangeSet(requests=tuple(inner)))
            continue
        parts.append(_request(headers, content))
    return parts


def _parts(body: bytes, boundary: str) -> list[tuple[dict[str, str], bytes]]:
    mark = b"--" + boundary.encode()
    # Line ends belong to the mark; many clients send bare line feeds, which Gateway takes as well.
    pieces = re.split(rb"(?:^|\r?\n)" + re.escape(mark), body)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise malformed("the closing boundary is missing")
    found = []
    for piece in pieces[1:-1]:
        start = re.match(rb"[ \t]*\r?\n", piece)
        if start is None:
            raise malformed("a boundary is not alone in its line")
        found.append(_headers(piece[start.end() :]))
    return found


def _headers(text: bytes) -> tuple[dict[str, str], bytes]:
    """Cut headers from what follows them; without the empty line between them nothing can be told apart."""
    if text.startswith((b"\r\n", b"\n")):
        return {}, text.lstrip(b"\r\n")
    split = re.search(rb"\r?\n\r?\n", text)
    if split is None:
        raise malformed("the empty line after headers is missing")
    headers: dict[str, str] = {}
    for line in text[: split.start()].decode("latin-1").splitlines():
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise malformed(f"{line!r} is no header")
        headers[name.strip().lower()] = value.strip()
    return headers, text[split.end() :]


def _request(headers: Mapping[str, str], content: bytes) -> Request:
    if not headers.get("content-type", "").lower().startswith("application/http"):
        raise malformed("a part is not of type application/http")
    line, _, rest = content.partition(b"\n")
    found = _REQUEST.fullmatch(line.decode("latin-1").strip())
    if found is None:
        raise malformed(f"{line.decode('latin-1').strip()!r} is no request line")
    if not rest.strip(b"\r\n") and not rest:
        raise malformed("the empty line after a request's headers is missing")
    own, body = _headers(rest)
    identity = headers.get("content-id") or own.get("content-id", "")
    if "content-length" in own and own["content-length"].isdigit():
        body = body[: int(own["content-length"])]
    return Request(method=found[1], url=found[2], headers=own, body=body.strip(b"\r\n"), content_id=identity)


def write_batch(parts: Sequence[tuple[Reply, str] | Sequence[tuple[Reply, str]]], boundary: str) -> bytes:
    """Write the answers of a batch; those of a change set that succeeded stand in a multipart of their own.

    Each answer comes with the content id of its request, empty if it had none.
    """
    out: list[bytes] = []
    for number, part in enumerate(parts):
        out.append(f"--{boundary}\r\n".encode())
        if isinstance(part, tuple):
            out.append(_answer(part[0], part[1]))
            continue
        inner = f"{boundary}_{number}"
        body = b"".join(f"--{inner}\r\n".encode() + _answer(reply, identity) for reply, identity in part)
        body += f"--{inner}--\r\n".encode()
        out.append(f"Content-Type: multipart/mixed; boundary={inner}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
        out.append(body + b"\r\n")
    out.append(f"--{boundary}--\r\n".encode())
    return b"".join(out)


def _answer(reply: Reply, identity: str) -> bytes:
    lines = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    lines.append(f"Content-Length: {len(reply.body)}")
    inner = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + reply.body + b"\r\n"
    named = f"Content-ID: {identity}\r\n" if identity else ""
    head = f"Content-Type: application/http\r\nContent-Length: {len(inner)}\r\n{named}"
    head += "content-transfer-encoding: binary\r\n\r\n"
    return head.encode() + inner
