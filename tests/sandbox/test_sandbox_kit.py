"""The kit for vendor sandboxes over real HTTP: faults, limits, request log, control API, TLS, and the process."""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from hub.sandbox.exact_json import json_answer, loads
from hub.sandbox.limits import Limiter, limited
from hub.sandbox.main import UnknownSandbox, find
from hub.sandbox.problem import Problem
from hub.sandbox.request_log import mark
from hub.sandbox.server import Options, Running, Sandbox, running
from hub.sandbox.world import World


class Notes:
    """Books of a toy vendor: a list of what was posted."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.items: list[Any] = []
        self.limiter = Limiter(clock=world.clock)

    def announce(self) -> Mapping[str, Any]:
        return {"key": "toy"}

    async def seed(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        self.limiter.rate = wish.get("rate")
        self.limiter.concurrency = wish.get("concurrency")
        return {}

    def snapshot(self) -> Mapping[str, Any]:
        return {"items": self.items, "dice": [self.world.random.randrange(1000) for _ in range(3)]}

    async def reset(self) -> None:
        self.items.clear()

    async def post(self, request: web.Request) -> web.Response:
        item = loads(await request.read())
        mark(request, str(item["id"]))
        self.items.append(item)
        return json_answer(item, status=201)

    async def wait(self, request: web.Request) -> web.Response:
        await asyncio.sleep(0.2)
        return json_answer({"waited": True})

    async def crash(self, request: web.Request) -> web.Response:
        raise RuntimeError("broken")


def render(problem: Problem) -> web.Response:
    headers = {} if problem.retry_after is None else {"Retry-After": problem.retry_after}
    return json_answer({"toy": problem.reason}, status=problem.status, headers=headers)


def build(world: World) -> web.Application:
    notes = Notes(world)
    world.books = notes
    application = web.Application(middlewares=[limited(notes.limiter, render)])
    application.add_routes(
        [
            web.post("/items", notes.post),
            web.get("/wait", notes.wait),
            web.get("/crash", notes.crash),
        ]
    )
    return application


TOY = Sandbox(name="toy", build=build, render=render, fault_kinds=frozenset({"echo"}))


@pytest.fixture
async def toy() -> AsyncIterator[Running]:
    async with running(TOY) as served:
        yield served


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=0.6)) as session:
        yield session


async def plan(http: aiohttp.ClientSession, toy: Running, *faults: Mapping[str, Any]) -> None:
    async with http.post(f"{toy.control_url}/_control/faults", json=list(faults)) as answer:
        assert answer.status == 200, await answer.text()


async def log(http: aiohttp.ClientSession, toy: Running) -> list[dict[str, Any]]:
    async with http.get(f"{toy.control_url}/_control/requests") as answer:
        return list(await answer.json())


async def items(http: aiohttp.ClientSession, toy: Running) -> list[Any]:
    async with http.get(f"{toy.control_url}/_control/books") as answer:
        return list((await answer.json())["items"])


@pytest.mark.parametrize("kind", ["timeout_after_commit", "reset_after_commit"])
async def test_a_write_is_committed_although_the_caller_hears_nothing(
    toy: Running, http: aiohttp.ClientSession, kind: str
) -> None:
    await plan(http, toy, {"kind": kind, "times": 1})
    with pytest.raises((TimeoutError, aiohttp.ClientError)) as caught:
        await http.post(f"{toy.url}/items", json={"id": "a"})
    assert isinstance(caught.value, TimeoutError) == (kind == "timeout_after_commit")
    await asyncio.sleep(0.15)
    assert [item["id"] for item in await items(http, toy)] == ["a"]
    (entry,) = await log(http, toy)
    assert (entry["status"], entry["fault"], entry["replied"], entry["marker"]) == (201, kind, False, "a")
    async with http.post(f"{toy.url}/items", json={"id": "b"}) as answer:
        assert answer.status == 201


async def test_a_reset_is_a_reset_of_the_connection(toy: Running) -> None:
    toy.world.faults.replace([{"kind": "reset_after_commit"}])
    host, _, port = toy.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    body = b'{"id":"a"}'
    writer.write(b"POST /items HTTP/1.1\r\nHost: toy\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_nothing_is_executed_when_the_fault_comes_first(toy: Running, http: aiohttp.ClientSession) -> None:
    await plan(
        http,
        toy,
        {"kind": "reset_before", "times": 1},
        {"kind": "500", "times": 1},
        {"kind": "503", "times": 1},
        {"kind": "429", "times": 1, "retry_after": 2},
    )
    with pytest.raises(aiohttp.ClientError):
        await http.post(f"{toy.url}/items", json={"id": "a"})
    for status in (500, 503, 429):
        async with http.post(f"{toy.url}/items", json={"id": "a"}) as answer:
            assert answer.status == status
            assert await answer.json() == {"toy": "fault"}
            assert answer.headers.get("Retry-After") == ("2" if status == 429 else None)
    assert await items(http, toy) == []
    assert [entry["status"] for entry in await log(http, toy)] == [None] * 4
    assert toy.world.faults.injected == {"reset_before": 1, "500": 1, "503": 1, "429": 1}


async def test_answers_change_as_a_later_release_changes_them(toy: Running, http: aiohttp.ClientSession) -> None:
    """Also in each entry of a list; what is refused, what is asked elsewhere, and what is no answer's stay."""

    async def changed(*entries: object) -> int:
        async with http.post(f"{toy.control_url}/_control/drift", json=list(entries)) as answer:
            return answer.status

    async def posted() -> Any:
        item = {"id": "a", "total": 7, "lines": [{"n": 1}, {"n": 2}], "of": {"kind": "old"}}
        async with http.post(f"{toy.url}/items", json=item) as answer:
            return await answer.json()

    as_it_was = await posted()
    deeds = {"set": {"new": True, "lines.m": 0, "of.kind": "newer"}, "drop": ["id"], "as_text": ["total", "lines.n"]}
    assert await changed({"path": "/nothing", **deeds}) == 200
    assert await posted() == as_it_was
    assert await changed({"path": "/items", **deeds}) == 200
    lines = [{"n": "1", "m": 0}, {"n": "2", "m": 0}]
    assert await posted() == {"total": "7", "lines": lines, "of": {"kind": "newer"}, "new": True}
    for wrong in ({"path": "("}, {"path": "", "rename": ["id"]}):
        assert await changed(wrong) == 400
    async with http.post(f"{toy.control_url}/_control/reset"):
        pass
    assert await posted() == as_it_was


async def test_an_outage_is_a_window_of_time(toy: Running, http: aiohttp.ClientSession) -> None:
    await plan(http, toy, {"kind": "outage", "from": 0, "until": 100, "answer": "mixed"})
    seen = set()
    for _ in range(20):
        try:
            async with http.post(f"{toy.url}/items", json={"id": "a"}) as answer:
                seen.add(str(answer.status))
        except aiohttp.ClientError:
            seen.add("reset")
    assert seen == {"503", "reset"}
    entries = await log(http, toy)
    assert {entry["fault"] for entry in entries} == {"outage"}
    assert {entry["replied"] for entry in entries} == {True, False}
    toy.world.clock.advance(100)
    async with http.post(f"{toy.url}/items", json={"id": "a"}) as answer:
        assert answer.status == 201


async def test_slow_and_malformed(toy: Running, http: aiohttp.ClientSession) -> None:
    await plan(
        http, toy, {"kind": "slow", "seconds": 0.2, "times": 1}, {"kind": "malformed_body", "match": {"body": '"b"'}}
    )
    began = asyncio.get_running_loop().time()
    async with http.post(f"{toy.url}/items", json={"id": "a"}) as answer:
        assert answer.status == 201
    assert asyncio.get_running_loop().time() - began >= 0.2
    async with http.post(f"{toy.url}/items", json={"id": "b"}) as answer:
        assert answer.status == 201
        with pytest.raises(json.JSONDecodeError):
            await answer.json()
    assert len(await items(http, toy)) == 2


async def test_faults_after_commit_leave_reads_and_refusals_alone(toy: Running, http: aiohttp.ClientSession) -> None:
    await plan(http, toy, {"kind": "reset_after_commit"})
    async with http.get(f"{toy.url}/wait") as answer:
        assert answer.status == 200
    async with http.post(f"{toy.url}/nowhere", json={}) as answer:
        assert answer.status == 404
    assert toy.world.faults.injected == {}


async def test_a_wrong_plan_is_refused_with_its_place(toy: Running, http: aiohttp.ClientSession) -> None:
    for wrong, words in (
        ({"kind": "meteor"}, "faults[0]: kind 'meteor' is not one of"),
        ({"kind": "500", "rates": 1}, "unknown key rates"),
        ({"kind": "500", "match": {"path": "("}}, "faults[0]"),
    ):
        async with http.post(f"{toy.control_url}/_control/faults", json=[wrong]) as answer:
            assert answer.status == 400
            assert words in (await answer.json())["error"]
    assert toy.world.faults.hit("echo") is None
    await plan(http, toy, {"kind": "echo", "times": 1})
    assert toy.world.faults.hit("echo") is not None
    assert toy.world.faults.hit("echo") is None


async def test_limits_refuse(toy: Running, http: aiohttp.ClientSession) -> None:
    async with http.post(f"{toy.control_url}/_control/seed", json={"concurrency": 2}):
        pass

    async def status() -> int:
        async with http.get(f"{toy.url}/wait") as answer:
            return answer.status

    assert sorted(await asyncio.gather(*(status() for _ in range(5)))) == [200, 200, 429, 429, 429]
    async with http.post(f"{toy.control_url}/_control/seed", json={"rate": 3}):
        pass
    statuses = await asyncio.gather(*(status() for _ in range(5)))
    assert statuses.count(429) >= 2


async def test_a_crash_is_a_500_in_the_vendors_words(toy: Running, http: aiohttp.ClientSession) -> None:
    async with http.get(f"{toy.url}/crash") as answer:
        assert answer.status == 500
        assert await answer.json() == {"toy": "crash"}


async def test_the_same_seed_gives_the_same_dice_and_reset_starts_anew(http: aiohttp.ClientSession) -> None:
    dice = []
    for seed in (7, 7, 8):
        async with running(TOY, Options(seed=seed)) as toy:
            async with http.post(f"{toy.url}/items", json={"id": "a"}):
                pass
            async with http.get(f"{toy.control_url}/_control/books") as answer:
                first = await answer.json()
            async with http.post(f"{toy.control_url}/_control/reset"):
                pass
            async with http.get(f"{toy.control_url}/_control/books") as answer:
                again = await answer.json()
            assert first["dice"] == again["dice"]
            assert again["items"] == []
            assert await log(http, toy) == []
            dice.append(first["dice"])
    assert dice[0] == dice[1] != dice[2]


async def test_tls_holds_for_who_trusts_the_authority(http: aiohttp.ClientSession) -> None:
    async with running(TOY, Options(tls=True)) as toy:
        context = ssl.create_default_context(cafile=toy.announcement["ca_file"])
        async with http.post(f"{toy.url}/items", json={"id": "a"}, ssl=context) as answer:
            assert answer.status == 201
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await http.post(f"{toy.url}/items", json={"id": "a"})
        toy.world.faults.replace([{"kind": "reset_after_commit"}])
        with pytest.raises(aiohttp.ClientError):
            await http.post(f"{toy.url}/items", json={"id": "b"}, ssl=context)
        assert len(await items(http, toy)) == 2


async def test_a_sandbox_is_a_process_that_announces_itself_and_stops_on_sigterm() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub.sandbox.main", "stripe", "--seed", "3", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    announcement = json.loads(await asyncio.wait_for(process.stdout.readline(), 20))
    assert announcement["pid"] == process.pid
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{announcement['control_url']}/_control/health") as answer,
    ):
        assert (await answer.json())["name"] == announcement["name"] == "stripe"
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert await process.stdout.read() == b""


def test_an_unknown_sandbox_is_named() -> None:
    with pytest.raises(UnknownSandbox, match="nobody"):
        find("nobody")
