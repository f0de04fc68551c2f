"""A target over real HTTP: four kinds of writes, everything that can go wrong with an answer, and honest books."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from hub.errors import (
    Conflict,
    FixConnection,
    FixData,
    HubError,
    LimitReached,
    NotBegun,
    OutcomeUnknown,
    RetryLater,
)
from hub.model.effect import EffectKey, Idempotency
from hub.model.exchange import Request, Response
from hub.sandbox.middleware import cut
from hub.sdk import exact_json
from hub.sdk.auth import FixedHeaders
from hub.sdk.bulk import Bulk
from hub.sdk.connector import Connector, Limits, WriteOperation
from hub.sdk.settings import Settings

#: What may befall a write before the target has done it, and after.
BEFORE = ("reset", "timeout", "500", "502", "503", "504", "redirect", "html", "429")
AFTER = ("reset", "timeout", "500", "502", "503", "504", "redirect", "html", "half", "bad-gzip", "endless", "foreign")
#: Longer than the connection's own patience.
_TOO_LONG = 5.0
PATIENCE = 0.25
BULK_SIZE = 50
PAGE = "<html><body>Please sign in</body></html>"

Plan = Callable[[str, int], str | None]


@dataclass(slots=True, kw_only=True)
class Target:
    """Serves the writes; `plan(key, number)` says what befalls the n-th write of a key, such as `before:500`."""

    plan: Plan = lambda _key, _number: None
    documents: list[dict[str, Any]] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    bodies: dict[str, list[bytes]] = field(default_factory=dict)
    #: Keys under which the target has stored a failure that it repeats for ever.
    kept: dict[str, int] = field(default_factory=dict)
    looks: int = 0
    url: str = ""
    #: What befalls the rows of an answer about many items.
    rows: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda rows: rows
    requests: list[int] = field(default_factory=list)
    #: Answers kept under the keys of whole requests.
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def application(self) -> web.Application:
        """Make the application."""
        made = web.Application()
        made.add_routes(
            [
                web.post("/{kind:native|keyed|probe|unsafe}", self._write),
                web.put("/{kind:upsert}", self._write),
                web.get("/look/{mark}", self._look),
                web.post("/bulk/{kind}", self._many),
            ]
        )
        return made

    async def _write(self, request: web.Request) -> web.StreamResponse:
        kind = request.match_info["kind"]
        body = await request.read()
        key = exact_json.loads(body)["key"]
        self.seen[key] += 1
        when, _, fault = (self.plan(key, self.seen[key]) or "").partition(":")
        if when == "before":
            return await befall(request, fault)
        mark = request.headers.get("idempotency-key") or exact_json.loads(body).get("mark")
        if mark:
            self.bodies.setdefault(mark, []).append(body)
        if when == "stuck" and mark:
            self.kept.setdefault(mark, int(fault))
        if mark in self.kept:
            return web.json_response({"error": "internal"}, status=self.kept[mark])
        answer = self._accept(kind, exact_json.loads(body), mark)
        if when == "after" and answer.status == 200:
            return await befall(request, fault)
        return answer

    def _accept(self, kind: str, body: Mapping[str, Any], mark: str | None) -> web.Response:
        if body["value"] == "bad":
            return web.json_response({"error": "bad value"}, status=400)
        if body["value"] == "wrong":
            return web.json_response({"error": "wrong value"})
        known = None
        if mark is not None and kind != "probe":
            known = next((each for each in self.documents if each["mark"] == mark), None)
        elif kind == "upsert":
            known = next((each for each in self.documents if (each["kind"], each["key"]) == (kind, body["key"])), None)
        if known is None:
            known = {"id": f"doc_{len(self.documents) + 1}", "kind": kind, "key": body["key"], "mark": mark}
            self.documents.append(known)
        known["value"] = body["value"]
        return web.json_response({"id": known["id"], "key": known["key"]})

    async def _many(self, request: web.Request) -> web.StreamResponse:
        kind, body = request.match_info["kind"], exact_json.loads(await request.read())
        key = request.headers.get("idempotency-key")
        self.requests.append(len(body["items"]))
        when, _, fault = (self.plan("bulk", len(self.requests)) or "").partition(":")
        if when == "before":
            return await befall(request, fault)
        if any(item["value"] == "poison" for item in body["items"]):
            return web.json_response({"error": "the whole request is refused"}, status=400)
        rows = self.answers.get(key or "")
        if rows is None:
            rows = [self._row(kind, item) for item in body["items"]]
            if key:
                self.answers[key] = rows
        if when == "after":
            return await befall(request, fault)
        return web.json_response({"results": self.rows([dict(row) for row in rows])})

    def _row(self, kind: str, item: Mapping[str, Any]) -> dict[str, Any]:
        self.seen[item["key"]] += 1
        self.bodies.setdefault(f"{kind}:{item['key']}", []).append(exact_json.canonical(item))
        if item["value"] == "bad":
            return {"ref": item["ref"], "error": "bad value"}
        if item["value"] == "busy":
            return {"ref": item["ref"], "busy": True}
        document = {"id": f"doc_{len(self.documents) + 1}", "kind": kind, "key": item["key"], "mark": item.get("mark")}
        if kind == "upsert":
            known = (each for each in self.documents if (each["kind"], each["key"]) == (kind, item["key"]))
            document = next(known, document)
        if document not in self.documents:
            self.documents.append(document)
        document["value"] = item["value"]
        return {"ref": item["ref"], "id": document["id"]}

    async def _look(self, request: web.Request) -> web.Response:
        self.looks += 1
        mark = request.match_info["mark"]
        return web.json_response(
            {"found": [{"id": each["id"], "mark": mark} for each in self.documents if each["mark"] == mark]}
        )

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Target]:
        """Serve on a free port of this machine."""
        runner = web.AppRunner(self.application(), access_log=None, shutdown_timeout=0.01)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


async def befall(request: web.Request, fault: str) -> web.StreamResponse:
    match fault:
        case "reset":
            cut(request)
            return web.Response()
        case "timeout":
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(_TOO_LONG)
            return web.Response()
        case "redirect":
            return web.Response(status=302, headers={"location": "http://169.254.169.254/"})
        case "html":
            return web.Response(text=PAGE, content_type="text/html")
        case "half" | "bad-gzip" | "endless":
            return await _broken(request, fault)
        case "foreign":
            return web.json_response({"id": "doc_999", "key": "of somebody else"})
        case "429":
            return web.Response(status=429, headers={"retry-after": "0.01"})
        case status:
            return web.Response(status=int(status), text=PAGE)


async def _broken(request: web.Request, fault: str) -> web.StreamResponse:
    answer = web.StreamResponse(headers={"content-encoding": "gzip"} if fault == "bad-gzip" else {})
    if fault == "half":
        answer.content_length = 1000
    await answer.prepare(request)
    await answer.write(b'{"id": "doc')
    while fault == "endless":
        await answer.write(b" " * 1000)
        await asyncio.sleep(0.01)
    return answer


def classify(response: Response) -> HubError | None:
    """Understand the statuses as most vendors' connectors do."""
    status = response.status
    if 200 <= status < 300:
        return None
    if status == 429:
        return LimitReached(after=0.01, status=status)
    if status == 503:
        return RetryLater(status=status)
    if status >= 500:
        return OutcomeUnknown(status=status)
    if status < 400:
        return FixConnection("The host answers with a redirect.", code="redirected", status=status)
    if status in (409, 412):
        return Conflict(status=status)
    return FixData(status=status)


def _request(kind: str) -> Callable[[Settings, Mapping[str, Any], EffectKey], Request]:
    def request(settings: Settings, record: Mapping[str, Any], key: EffectKey) -> Request:
        headers = {"idempotency-key": key} if kind in ("native", "keyed") else {}
        marked = {"mark": key} if kind == "probe" else {}
        return Request(
            method="PUT" if kind == "upsert" else "POST",
            url=f"{settings.base_url}/{kind}",
            headers=headers,
            body=exact_json.canonical({**record, **marked}),
        )

    return request


def _result(response: Response) -> Mapping[str, Any]:
    try:
        answer = exact_json.loads(response.body)
    except FixData:
        raise OutcomeUnknown(code="not-an-answer") from None
    if not isinstance(answer, dict):
        raise OutcomeUnknown(code="not-an-answer")
    if "error" in answer:
        raise FixData("The target refused the data with 200.", code="refused-inside")
    if not isinstance(answer.get("id"), str):
        raise OutcomeUnknown(code="not-an-answer")
    return {"id": answer["id"], "key": answer.get("key")}


def _look(settings: Settings, key: EffectKey) -> Request:
    return Request(method="GET", url=f"{settings.base_url}/look/{key}")


def _found(response: Response, key: EffectKey) -> Mapping[str, Any] | None:
    found = exact_json.loads(response.body)["found"]
    if any(each["mark"] != key for each in found):
        raise OutcomeUnknown(code="foreign-answer")
    if len(found) > 1:
        raise FixData(code="found-twice")
    return {"id": found[0]["id"]} if found else None


def _bulk(kind: Idempotency, size: int) -> Bulk:
    def named(key: EffectKey, record: Mapping[str, Any]) -> str:
        return str(record["key"]) if kind in (Idempotency.UPSERT, Idempotency.UNSAFE) else key

    def request(settings: Settings, items: Sequence[tuple[EffectKey, Mapping[str, Any]]], key: EffectKey) -> Request:
        marked = kind is Idempotency.PROBE
        rows = [{**record, "ref": named(one, record), **({"mark": one} if marked else {})} for one, record in items]
        if any(row["value"] == "unformed" for row in rows):
            raise FixData("No request can be made of this.", code="unformed")
        return Request(
            method="POST",
            url=f"{settings.base_url}/bulk/{kind.value}",
            headers={"idempotency-key": key} if kind is Idempotency.NATIVE else {},
            body=exact_json.canonical({"items": rows}),
        )

    return Bulk(size=size, request=request, results=_results, reference=named)


def _results(response: Response) -> list[tuple[str, Mapping[str, Any] | HubError]]:
    try:
        answer = exact_json.loads(response.body)
    except FixData:
        raise OutcomeUnknown(code="not-an-answer") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("results"), list):
        raise OutcomeUnknown(code="not-an-answer")
    return [(row["ref"], _of_row(row)) for row in answer["results"]]


def _of_row(row: Mapping[str, Any]) -> Mapping[str, Any] | HubError:
    if "error" in row:
        return FixData(row["error"], code="row-refused")
    return NotBegun(code="row-busy") if "busy" in row else {"id": row["id"]}


def _about(request: Request, output: Mapping[str, Any]) -> bool:
    return bool(exact_json.loads(request.body)["key"] == output["key"])


def _write(name: str, kind: Idempotency, **more: Any) -> WriteOperation:
    return WriteOperation(
        name=f"{name}.write",
        title=f"Write ({name})",
        input={"type": "object"},
        output={"type": "object"},
        idempotency=kind,
        request=_request(name),
        result=_result,
        about=_about,
        **more,
    )


_LOOKED_UP: dict[str, Any] = {"look": _look, "found": _found, "settle": 0.05}


async def _ping(_session: Any) -> None:
    return None


connector = Connector(
    name="vendor",
    title="A target over HTTP",
    settings=Settings,
    operations=(
        _write("native", Idempotency.NATIVE),
        _write("keyed", Idempotency.NATIVE, **_LOOKED_UP),
        _write("upsert", Idempotency.UPSERT),
        _write("probe", Idempotency.PROBE, **_LOOKED_UP),
        _write("unsafe", Idempotency.UNSAFE),
        *(
            replace(_write(kind.value, kind, **more), name=f"{kind.value}.bulk", bulk=_bulk(kind, BULK_SIZE))
            for kind, more in (
                (Idempotency.NATIVE, {}),
                (Idempotency.UPSERT, {}),
                (Idempotency.PROBE, _LOOKED_UP),
                (Idempotency.UNSAFE, {}),
            )
        ),
    ),
    authorizer=lambda _settings: FixedHeaders({"authorization": "Bearer test"}),
    classify=classify,
    ping=_ping,
    limits=Limits(concurrency=8),
)
