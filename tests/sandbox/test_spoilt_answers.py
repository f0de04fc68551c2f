"""What arrives of a spoilt answer, and that the vendor has done its work all the same, or has not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from hub.sandbox.exact_json import json_answer
from hub.sandbox.faults import INSTEAD, REFUSALS, SPOILT
from hub.sandbox.server import Running, Sandbox, running
from hub.sandbox.world import World


class Things:
    """The books of a vendor that takes anything."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    def announce(self) -> Mapping[str, Any]:
        return {}

    async def seed(self, wish: Mapping[str, Any]) -> Mapping[str, Any]:
        return wish

    def snapshot(self) -> Mapping[str, Any]:
        return {"taken": self.taken}

    async def reset(self) -> None:
        self.taken.clear()

    async def put(self, request: web.Request) -> web.Response:
        self.taken.append(await request.json())
        return json_answer({"id": request.match_info["id"], "status": "open", "rows": [{"n": 1}, {"n": 2}]})


def build(world: World) -> web.Application:
    things = Things()
    world.books = things
    application = web.Application()
    application.add_routes([web.put("/things/{id}", things.put), web.post("/things/{id}", things.put)])
    return application


@pytest.fixture
async def toy() -> AsyncIterator[Running]:
    async with running(Sandbox(name="toy", build=build)) as served:
        yield served


async def put(toy: Running, *, seconds: float = 5.0, key: str | None = None) -> tuple[int, bytes]:
    headers = {} if key is None else {"Idempotency-Key": key}
    timeout = aiohttp.ClientTimeout(total=seconds)
    async with (
        aiohttp.ClientSession(timeout=timeout) as session,
        session.put(f"{toy.url}/things/t-1", json={"a": 1}, headers=headers, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.read()


def taken(toy: Running) -> int:
    return len(toy.world.books.snapshot()["taken"])


def plan(toy: Running, kind: str, **more: Any) -> None:
    toy.world.faults.replace([{"kind": kind, "times": 1, **more}])


@pytest.mark.parametrize("kind", ["half_body", "wrong_length", "bad_gzip", "huge_headers"])
async def test_an_answer_that_cannot_be_read_breaks_the_client(toy: Running, kind: str) -> None:
    plan(toy, kind)
    with pytest.raises(aiohttp.ClientError):
        await put(toy)
    assert taken(toy) == 1
    assert toy.world.faults.injected == {kind: 1}
    assert (await put(toy))[0] == 200


@pytest.mark.parametrize("kind", ["slow_body"])
async def test_a_slow_answer_outlasts_everybody(toy: Running, kind: str) -> None:
    plan(toy, kind)
    with pytest.raises(TimeoutError):
        await put(toy, seconds=0.3)
    assert taken(toy) == 1
    # It has struck once it began, however long it goes on for who has left.
    assert toy.world.faults.injected == {kind: 1}


async def test_a_gateway_sends_it_twice(toy: Running) -> None:
    plan(toy, "twice", match={"method": "PUT"})
    assert json.loads((await put(toy))[1])["id"] == "t-1"
    assert taken(toy) == 2
    assert (await put(toy))[0] == 200
    assert taken(toy) == 3


async def test_an_endless_answer_goes_on_until_nobody_listens(toy: Running) -> None:
    plan(toy, "endless_body")
    async with aiohttp.ClientSession() as session, session.put(f"{toy.url}/things/t-1", json={}) as answer:
        assert len(await answer.content.readexactly(8_000_000)) == 8_000_000
    assert taken(toy) == 1


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("foreign_body", {"id": "t-10"}),
        ("added_field", {"added_by_a_later_release": {"since": "2031", "values": [1]}}),
        ("unknown_value", {"status": "of_a_later_release"}),
        ("rows_doubled", {"rows": [{"n": 1}, {"n": 2}] * 2}),
        ("rows_missing", {"rows": [{"n": 1}]}),
        ("rows_shuffled", {"rows": [{"n": 2}, {"n": 1}]}),
    ],
)
async def test_an_answer_arrives_changed(toy: Running, kind: str, changed: Mapping[str, Any]) -> None:
    _, whole = await put(toy)
    plan(toy, kind)
    status, spoilt = await put(toy)
    assert (status, json.loads(spoilt)) == (200, {**json.loads(whole), **changed})


async def test_a_field_is_renamed(toy: Running) -> None:
    plan(toy, "renamed_field")
    found = json.loads((await put(toy))[1])
    assert found["id_v2"] == "t-1"
    assert "id" not in found


async def test_an_empty_answer_is_a_success_all_the_same(toy: Running) -> None:
    plan(toy, "empty_body")
    assert await put(toy) == (200, b"")
    assert taken(toy) == 1


@pytest.mark.parametrize(("kind", "status"), [("login_page", 200), ("error_inside", 200), ("redirect", 307)])
async def test_somebody_else_answers_and_nothing_is_done(toy: Running, kind: str, status: int) -> None:
    plan(toy, kind)
    assert (await put(toy))[0] == status
    assert taken(toy) == 0


async def test_a_redirect_leads_where_it_is_told_to(toy: Running) -> None:
    plan(toy, "redirect", to="http://elsewhere.example/x")
    async with (
        aiohttp.ClientSession() as session,
        session.put(f"{toy.url}/things/t-1", json={}, allow_redirects=False) as answer,
    ):
        assert answer.headers["Location"] == "http://elsewhere.example/x"


@pytest.mark.parametrize("status", sorted(REFUSALS))
async def test_every_refusal_is_answered_and_nothing_is_done(toy: Running, status: str) -> None:
    plan(toy, status)
    assert (await put(toy))[0] == int(status)
    assert taken(toy) == 0


async def test_a_sticky_failure_keeps_to_the_request_that_it_met(toy: Running) -> None:
    plan(toy, "sticky_500")
    assert [(await put(toy, key=key))[0] for key in ("one", "two", "one", "two", "one")] == [500, 200, 500, 200, 500]
    assert taken(toy) == 2
    assert toy.world.faults.injected == {"sticky_500": 3}


async def test_a_late_commit_comes_when_the_clock_says_so(toy: Running) -> None:
    plan(toy, "late_commit", seconds=30)
    # A client may send a PUT again by itself, and a POST never.
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError):
            await session.post(f"{toy.url}/things/t-1", json={})
    assert (taken(toy), len(toy.world.late)) == (0, 1)
    toy.world.clock.advance(31)
    async with asyncio.timeout(5):
        while toy.world.late:
            await asyncio.sleep(0.005)
    assert taken(toy) == 1


async def test_a_plan_knows_when_it_is_over_and_may_be_suspended(toy: Running) -> None:
    faults = toy.world.faults
    plan(toy, "500")
    assert not faults.is_over
    with faults.suspended():
        assert (await put(toy))[0] == 200
    assert (await put(toy))[0] == 500
    assert faults.is_over
    faults.replace([{"kind": "outage", "until": 60}])
    assert not faults.is_over
    toy.world.clock.advance(61)
    assert faults.is_over


def test_what_is_not_done_is_not_spoilt() -> None:
    assert not INSTEAD & SPOILT


def build_enveloped(world: World) -> web.Application:
    """Make a vendor that answers in an envelope, and has a name of its own for the number of a thing."""

    async def get(request: web.Request) -> web.Response:
        number = request.match_info["key"].strip("'")
        return json_answer({"d": {"Number": number, "results": [{"n": 1}, {"n": 2}]}})

    world.names = frozenset({"Number"})
    application = web.Application()
    application.add_routes([web.get("/Things({key})", get)])
    return application


@pytest.mark.parametrize(
    ("kind", "inner"),
    [
        ("foreign_body", {"Number": "t-10", "results": [{"n": 1}, {"n": 2}]}),
        ("renamed_field", {"Number_v2": "t-1", "results": [{"n": 1}, {"n": 2}]}),
        ("rows_missing", {"Number": "t-1", "results": [{"n": 1}]}),
        ("rows_shuffled", {"Number": "t-1", "results": [{"n": 2}, {"n": 1}]}),
    ],
)
async def test_what_stands_in_an_envelope_is_changed_there(kind: str, inner: dict[str, Any]) -> None:
    async with running(Sandbox(name="toy", build=build_enveloped)) as served, aiohttp.ClientSession() as session:
        plan(served, kind)
        async with session.get(f"{served.url}/Things('t-1')") as answer:
            assert await answer.json() == {"d": inner}
        assert served.world.faults.injected == {kind: 1}
