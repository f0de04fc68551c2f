"""Several changes in one request that are made together or not at all: a `$batch` with one change set.

Of a recorded batch only what we formed ourselves is read back, so that its form is ours: one part after the other, each
with one line of JSON. OData v4 also has batches that are JSON altogether (`json_batch.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from connectors.s4hana.odata import json_batch
from connectors.s4hana.odata.answers import unshown
from connectors.s4hana.odata.model import EntitySet
from connectors.s4hana.odata.requests import KIND, Change
from hub.sdk.errors import OutcomeUnknown
from hub.sdk.exact_json import canonical, loads
from hub.sdk.values import Request, Response

_OUTER, _INNER = "batch_concord", "changes_concord"
_PART_HEADERS = (b"Content-Type: application/http", b"Content-Transfer-Encoding: binary")
_PART = re.compile(
    rb"\r\n(PATCH|POST) (\S+) HTTP/1\.1\r\nAccept: [^\r\n]+\r\nContent-Type: [^\r\n]+\r\n"
    rb"(?:If-Match: ([^\r\n]*)\r\n)?Content-Length: \d+\r\n\r\n([^\r\n]*)\r\n"
)
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[^\r\n]*")
_BOUNDARY = re.compile(r"boundary=\"?([^\";,\s]{1,100})\"?", re.IGNORECASE)


def changing(
    base: str, entity: EntitySet, changes: Sequence[Change], *, shown: str = "", json: bool = False
) -> Request:
    """Form the request that makes all changes and then reads `shown`; the same changes give the same bytes."""
    if json:
        return json_batch.changing(base, entity, changes, shown=shown)
    kind = KIND[entity.version].encode()
    outer, inner = b"--" + _OUTER.encode(), b"--" + _INNER.encode()
    lines = [outer, b"Content-Type: multipart/mixed; boundary=" + _INNER.encode(), b""]
    for place, change in enumerate(changes, start=1):
        body = canonical(change.body)
        lines += [
            inner,
            *_PART_HEADERS,
            b"Content-ID: " + str(place).encode(),
            b"",
            f"{change.method} {change.path} HTTP/1.1".encode(),
            b"Accept: " + kind,
            b"Content-Type: " + kind,
            *([b"If-Match: " + change.match.encode()] if change.match else []),
            b"Content-Length: " + str(len(body)).encode(),
            b"",
            body,
        ]
    lines += [inner + b"--", b""]
    if shown:
        # An empty line ends the headers of the request, and another one its body, which it does not have.
        lines += [outer, *_PART_HEADERS, b"", f"GET {shown} HTTP/1.1".encode(), b"Accept: " + kind, b"", b""]
    text = b"\r\n".join([*lines, outer + b"--", b""])
    return Request(
        method="POST",
        url=f"{base}{entity.root}/$batch",
        headers={"accept": "multipart/mixed", "content-type": f"multipart/mixed; boundary={_OUTER}"},
        body=text,
    )


def changes_of(request: Request) -> list[Change]:
    """Read back the changes of a request that `changing` has formed."""
    if json_batch.is_json(request):
        return json_batch.changes_of(request)
    return [
        Change(
            method=method.decode(), path=path.decode(), body=loads(body), match="" if match is None else match.decode()
        )
        for method, path, match, body in _PART.findall(request.body)
    ]


def outcomes(response: Response, expected: int | None = None) -> list[Response]:
    """Give the answers to the changes, or the one refusal for which none of them was made.

    Raises `OutcomeUnknown` for an answer that is no batch, or has another number of parts than `expected`, and where
    only the read behind the changes was refused.
    """
    kind = response.headers.get("content-type", "")
    if kind.lower().startswith("application/json"):
        return json_batch.outcomes(response, expected)
    found = _BOUNDARY.search(kind)
    if found is None or not kind.lower().startswith("multipart/mixed"):
        raise OutcomeUnknown("The answer is not that of a batch.", code="unreadable-answer", status=response.status)
    parts = _parts(response.body, found[1])
    made, *behind = [_answers(part) for part in parts]
    refused = next((answer for answer in made if answer.status >= 400), None)
    if refused is not None:
        return [refused]
    answers = [*made, *(answer for part in behind for answer in part)]
    refused = next((answer for answer in answers if answer.status >= 400), None)
    if refused is not None:
        raise unshown(refused)
    if not answers or (expected is not None and len(answers) != expected):
        raise OutcomeUnknown("The answer is not that of the batch.", code="unreadable-answer", parts=len(answers))
    return answers


def _parts(body: bytes, boundary: str) -> list[bytes]:
    # One boundary may begin with another one, so that only a whole line is a border.
    mark = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary.encode("latin-1", "replace")) + rb"(--)?[ \t]*(?=\r?\n|$)")
    borders = list(mark.finditer(body))
    if len(borders) < 2 or borders[-1][1] is None:
        raise OutcomeUnknown("The answer of the batch broke off.", code="unreadable-answer")
    return [body[one.end() : other.start()] for one, other in pairwise(borders)]


def _answers(part: bytes) -> list[Response]:
    head, _, rest = part.lstrip(b"\r\n").partition(b"\r\n\r\n")
    inner = _BOUNDARY.search(head.decode("latin-1"))
    if b"multipart/mixed" in head.lower() and inner is not None:
        return [answer for each in _parts(rest, inner[1]) for answer in _answers(each)]
    status = _STATUS.match(rest.lstrip(b"\r\n"))
    if status is None:
        raise OutcomeUnknown("A part of the batch's answer cannot be read.", code="unreadable-answer")
    lines, _, body = rest.lstrip(b"\r\n").partition(b"\r\n\r\n")
    headers = dict(line.decode("latin-1").partition(":")[::2] for line in lines.split(b"\r\n")[1:])
    return [
        Response(
            status=int(status[1]),
            headers={name.strip().lower(): value.strip() for name, value in headers.items()},
            body=body.strip(),
        )
    ]
