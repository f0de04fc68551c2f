"""A target over real HTTP whose things anybody may change: upserts with every way to guard them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from aiohttp import web

from hub.errors import FixData, OutcomeUnknown
from hub.model.effect import EffectKey, Idempotency
from hub.model.exchange import Request, Response
from hub.sdk import exact_json
from hub.sdk.auth import FixedHeaders
from hub.sdk.connector import Connector, Limits, WriteOperation
from hub.sdk.guards import Conditional, Guard, Look, ReadBefore, Standing
from hub.sdk.settings import Settings
from tests.engine.target import befall, classify

#: The guards that look before they write; `counted` tells more than `plain`, and `bound` is compared by the target.
LOOKING = ("plain", "counted", "bound")


@dataclass(slots=True, kw_only=True)
class Shelf:
    """Keeps things; `plan(key, number)` says what befalls the n-th write of one, as for a `Target`.

    `meanwhile(shelf, moment)` is called before and after each look and write (`looked`, `writing`, `written`), so that
    somebody else may do something.
    """

    plan: Callable[[str, int], str | None] = lambda _key, _number: None
    meanwhile: Callable[[Shelf, str], None] = lambda _shelf, _moment: None
    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: Counter[str] = field(default_factory=Counter)
    url: str = ""

    def put(self, key: str, value: str, at: str = "2026-06-01T00:00:00+00:00") -> None:
        """Write a thing, whoever does."""
        count = self.things.get(key, {}).get("count", 0) + 1
        self.things[key] = {"id": f"id-{key}", "key": key, "value": value, "count": count, "at": at}

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Shelf]:
        """Serve on a free port of this machine."""
        made = web.Application()
        made.add_routes([web.put("/{kind}/{key}", self._write), web.get("/{kind}/{key}", self._look)])
        runner = web.AppRunner(made, access_log=None, shutdown_timeout=0.01)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _look(self, request: web.Request) -> web.Response:
        thing = self.things.get(request.match_info["key"])
        answer = _absent() if thing is None else web.json_response(thing)
        self.meanwhile(self, "looked")
        return answer

    async def _write(self, request: web.Request) -> web.StreamResponse:
        key, body = request.match_info["key"], exact_json.loads(await request.read())
        self.writes[key] += 1
        self.meanwhile(self, "writing")
        when, _, fault = (self.plan(key, self.writes[key]) or "").partition(":")
        if when == "before":
            return await befall(request, fault)
        thing = self.things.get(key)
        if not self._allows(request, thing, body):
            return web.json_response({"error": "changed"}, status=412)
        self.put(key, body["value"])
        if "version" in body:
            self.things[key]["version"] = body["version"]
        self.meanwhile(self, "written")
        return await befall(request, fault) if when == "after" else web.json_response(self.things[key])

    def _allows(self, request: web.Request, thing: Mapping[str, Any] | None, body: Mapping[str, Any]) -> bool:
        if request.match_info["kind"] == "bound":
            wanted = request.headers.get("if-match", "none")
            return wanted == ("none" if thing is None else str(thing["count"]))
        if request.match_info["kind"] == "versioned" and thing is not None:
            return bool(int(body["version"]) >= int(thing["version"]))
        return True


def _absent() -> web.Response:
    return web.json_response({"error": "no such thing"}, status=404)


def _request(name: str) -> Callable[[Settings, Mapping[str, Any], EffectKey], Request]:
    def request(settings: Settings, record: Mapping[str, Any], _key: EffectKey) -> Request:
        return Request(
            method="PUT", url=f"{settings.base_url}/{name}/{record['key']}", body=exact_json.canonical(dict(record))
        )

    return request


def _result(response: Response) -> Mapping[str, Any]:
    try:
        thing = exact_json.loads(response.body)
    except FixData:
        raise OutcomeUnknown(code="not-an-answer") from None
    if not isinstance(thing, dict) or "id" not in thing:
        raise OutcomeUnknown(code="not-an-answer")
    return {"id": thing["id"], "key": thing["key"]}


def _standing(response: Response) -> Standing | None:
    if response.status == 404:
        if b"no such thing" in response.body:
            return None
        raise OutcomeUnknown(code="not-an-answer")
    output, thing = _result(response), exact_json.loads(response.body)
    version = hashlib.sha256(thing["value"].encode()).hexdigest()[:16]
    return Standing(version=version, output=output, changed_at=datetime.fromisoformat(thing["at"]))


def _counted(response: Response) -> Standing | None:
    seen = _standing(response)
    return None if seen is None else replace(seen, count=exact_json.loads(response.body)["count"])


def _numbered(response: Response) -> Standing | None:
    seen = _counted(response)
    return None if seen is None else replace(seen, version=str(seen.count))


LOOK = Look(
    current=lambda _settings, request: Request(method="GET", url=request.url),
    standing=_standing,
    holds=lambda request, response: bool(
        exact_json.loads(request.body)["value"] == exact_json.loads(response.body)["value"]
    ),
)


def _bind(request: Request, standing: Standing | None) -> Request:
    headers = {} if standing is None else {"if-match": standing.version}
    return replace(request, headers={**request.headers, **headers})


GUARDS: dict[str, Guard] = {
    "plain": ReadBefore(look=LOOK),
    "counted": ReadBefore(look=replace(LOOK, standing=_counted)),
    # The input says which version it means: none. One that ends something leaves that version as it is.
    "meant": ReadBefore(look=LOOK, expects=lambda _record: "none"),
    "ended": ReadBefore(look=replace(LOOK, standing=_numbered), expects=lambda _record: "1", reads_back=False),
    "bound": Conditional(refused=frozenset({"conflict"}), look=replace(LOOK, standing=_numbered), bind=_bind),
    "versioned": Conditional(refused=frozenset({"conflict"})),
}


async def _ping(_session: Any) -> None:
    return None


connector = Connector(
    name="vendor",
    title="Things that anybody may change",
    settings=Settings,
    operations=tuple(
        WriteOperation(
            name=f"{name}.write",
            title=f"Write ({name})",
            input={"type": "object"},
            output={"type": "object"},
            idempotency=Idempotency.UPSERT,
            request=_request(name),
            result=_result,
            about=lambda request, output: request.url.endswith(f"/{output['key']}"),
            settle=0.05,
            guard=guard,
        )
        for name, guard in GUARDS.items()
    ),
    authorizer=lambda _settings: FixedHeaders({"authorization": "Bearer test"}),
    classify=classify,
    ping=_ping,
    limits=Limits(concurrency=8),
)
