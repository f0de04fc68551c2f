"""A vendor in memory: four kinds of writes, faults on demand, and books that tell what it really accepted."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.errors import FixConnection, FixData, HubError, LimitReached, NoSuchRecord, NotSent, OutcomeUnknown
from hub.model.effect import Idempotency
from hub.model.exchange import Request, Response
from hub.sdk import exact_json
from hub.sdk.auth import FixedHeaders
from hub.sdk.connector import Connector, Limits, ReadOperation, WriteOperation
from hub.sdk.settings import Settings

PIECE = {
    "type": "object",
    "properties": {"id": {"type": "string"}, "weight": {"type": "integer"}, "colour": {"enum": ["red", "blue"]}},
    "required": ["id", "weight"],
}
BASE = "https://vendor.example"


@dataclass(slots=True)
class Vendor:
    """Accepts requests; `fault(request, number)` may name what goes wrong with the n-th request."""

    fault: Callable[[Request, int], str | None] = lambda _request, _number: None
    documents: list[dict[str, Any]] = field(default_factory=list)
    bodies: dict[str, list[bytes]] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    pieces: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    number: int = 0
    #: What it refused it takes now.
    forgiving: bool = False
    late: Request | None = None

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Serve one request as a transport would."""
        await asyncio.sleep(0)
        self.number += 1
        fault = self.fault(request, self.number)
        if fault == "refused-connection":
            raise NotSent(host="vendor.example")
        if fault == "lost-before":
            raise OutcomeUnknown(code="connection-broken")
        if fault == "works-on-it":
            self.late = request
            raise OutcomeUnknown(code="timeout")
        if self.late is not None and request.method == "POST":
            # Now it comes through, and the one that repeats it is refused.
            late, self.late = self.late, None
            self._serve(late)
            return Response(status=400)
        if fault == "401":
            return Response(status=401)
        if fault == "gone":
            return Response(status=404)
        if fault == "says-it-back":
            return Response(status=400, body=(headers or {}).get("authorization", "").encode())
        if fault == "429":
            return Response(status=429, headers={"retry-after": "0.01"})
        if fault == "500-before":
            return Response(status=500)
        response = self._serve(request)
        if fault == "lost-after":
            raise OutcomeUnknown(code="timeout")
        if fault == "500-after":
            return Response(status=500)
        if fault == "garbage-after":
            return Response(status=200, body=b"<html>login</html>")
        return response

    async def close(self) -> None:
        """Nothing is open."""

    def _serve(self, request: Request) -> Response:
        kind = request.url.removeprefix(BASE + "/")
        if kind.startswith("look/"):
            key = kind.removeprefix("look/")
            found = [document["id"] for document in self.documents if document.get("mark") == key]
            return _ok({"found": found[0] if found else None})
        if kind.startswith("pieces/"):
            return _ok(self.pieces[kind.removeprefix("pieces/")])
        self.seen[kind] += 1
        body = exact_json.loads(request.body)
        if body.get("value") == "bad" and not self.forgiving:
            return Response(status=400)
        if kind == "native":
            mark = request.headers["idempotency-key"]
            self.bodies.setdefault(mark, []).append(request.body)
            known = next((each for each in self.documents if each.get("mark") == mark), None)
            return _ok({"id": known["id"] if known else self._add(kind, body, mark)})
        if kind == "upsert":
            known = next((each for each in self.documents if each["kind"] == kind and each["key"] == body["key"]), None)
            self.bodies.setdefault(body["key"], []).append(request.body)
            if known is not None:
                known["value"] = body["value"]
                return _ok({"id": known["id"]})
            return _ok({"id": self._add(kind, body, None)})
        mark = body.get("mark")
        if mark:
            self.bodies.setdefault(mark, []).append(request.body)
        return _ok({"id": self._add(kind, body, mark)})

    def _add(self, kind: str, body: Mapping[str, Any], mark: str | None) -> str:
        id = f"doc_{len(self.documents) + 1}"
        self.documents.append({"id": id, "kind": kind, "key": body["key"], "value": body["value"], "mark": mark})
        return id


def _ok(body: Mapping[str, Any]) -> Response:
    return Response(status=200, body=exact_json.dumps(body))


def classify(response: Response) -> HubError | None:
    """Understand the vendor's statuses."""
    if response.status == 429:
        return LimitReached(after=float(response.headers["retry-after"]))
    if response.status == 401:
        return FixConnection(status=401)
    if response.status >= 500:
        return OutcomeUnknown(status=response.status)
    if response.status == 404:
        return NoSuchRecord(status=404)
    if response.status >= 400:
        return FixData(response.body.decode(), status=response.status, answer=response.body.decode())
    return None


def _result(response: Response) -> Mapping[str, Any]:
    try:
        return {"id": exact_json.loads(response.body)["id"]}
    except (FixData, KeyError, TypeError):
        raise OutcomeUnknown(code="not-an-answer") from None


def _write(kind: Idempotency) -> WriteOperation:
    def request(_settings: Settings, record: Mapping[str, Any], key: str) -> Request:
        headers = {"idempotency-key": key} if kind is Idempotency.NATIVE else {}
        marked = {"mark": key} if kind is Idempotency.PROBE else {}
        return Request(
            method="POST", url=f"{BASE}/{kind.value}", headers=headers, body=exact_json.dumps({**record, **marked})
        )

    probing: dict[str, Any] = {}
    if kind is Idempotency.PROBE:

        def found(response: Response, _key: str) -> Mapping[str, Any] | None:
            id = exact_json.loads(response.body)["found"]
            return None if id is None else {"id": id}

        probing = {
            "look": lambda _settings, key: Request(method="GET", url=f"{BASE}/look/{key}"),
            "found": found,
            "settle": 0.05,
        }
    return WriteOperation(
        name=f"{kind.value}.write",
        title=f"Write ({kind.value})",
        input={"type": "object"},
        output={"type": "object"},
        idempotency=kind,
        request=request,
        result=_result,
        **probing,
    )


async def _read(session: Any, record: Mapping[str, Any]) -> Mapping[str, Any]:
    response = await session.send(Request(method="GET", url=f"{BASE}/look/{record['id']}"))
    answer: Mapping[str, Any] = exact_json.loads(response.body)
    return answer


async def _read_piece(session: Any, record: Mapping[str, Any]) -> Mapping[str, Any]:
    response = await session.send(Request(method="GET", url=f"{BASE}/pieces/{record['id']}"))
    answer: Mapping[str, Any] = exact_json.loads(response.body)
    return answer


async def _ping(session: Any) -> None:
    await _read(session, {"id": "ping"})


def _reverse(_settings: Settings, record: Mapping[str, Any], key: str) -> Request:
    body = exact_json.dumps({"key": record["id"], "value": record.get("reason", "reversed")})
    return Request(method="POST", url=f"{BASE}/native", headers={"idempotency-key": key}, body=body)


REVERSE = WriteOperation(
    name="thing.reverse",
    title="Take back",
    input={"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
    output={"type": "object"},
    idempotency=Idempotency.NATIVE,
    request=_reverse,
    result=_result,
)

connector = Connector(
    name="vendor",
    title="A vendor in memory",
    settings=Settings,
    operations=(
        *(_write(kind) for kind in Idempotency),
        REVERSE,
        ReadOperation(
            name="document.read", title="Read", input={"type": "object"}, output={"type": "object"}, read=_read
        ),
        ReadOperation(
            name="piece.read",
            title="Read what has a schema",
            input={"type": "object"},
            output={"$ref": "vendor.piece@1"},
            read=_read_piece,
        ),
    ),
    schemas={"vendor.piece@1": PIECE},
    authorizer=lambda _settings: FixedHeaders({"authorization": "Bearer test"}),
    classify=classify,
    ping=_ping,
    limits=Limits(concurrency=8),
)
