"""Schedules, streams and alarms over the API: who may do what, and what is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from hub.access.permissions import GRANTS, Permission, Principal, Role
from hub.api import health, problems, schedules, security, streams
from hub.intake.schedules import Schedules
from hub.model.flow import Schedule
from hub.model.pulse import Pulse
from hub.queries.alarms import Watched
from hub.queries.view import View
from hub.runtime.triggers import of_schedule
from hub.runtime.watch import Watch
from hub.store.committer import Work
from hub.store.streams import GapKind, add_gap
from tests.intake.listed import Reader, VendorList, reading, with_streams
from tests.intake.scheduled import scheduled
from tests.intake.standing_clock import StandingClock

TOKEN = "token"
WHY = {"reason": "The books are checked"}
SPAN = {"since": "2026-01-01T00:00:00Z", **WHY}

NEEDED: tuple[tuple[str, str, dict[str, Any] | None, Permission], ...] = (
    ("GET", "/api/alarms", None, Permission.VIEW),
    ("GET", "/api/schedules", None, Permission.VIEW),
    ("GET", "/api/schedules/none", None, Permission.VIEW),
    ("POST", "/api/schedules/none/run", None, Permission.CONTROL_SCHEDULE),
    ("POST", "/api/schedules/none/hold", WHY, Permission.CONTROL_SCHEDULE),
    ("POST", "/api/schedules/none/resume", WHY, Permission.CONTROL_SCHEDULE),
    ("GET", "/api/streams", None, Permission.VIEW),
    ("POST", "/api/streams/none/told/backfill", SPAN, Permission.CONTROL_STREAM),
    ("POST", "/api/streams/none/told/settle-gap", WHY, Permission.CONTROL_STREAM),
    ("GET", "/api/backfills", None, Permission.VIEW),
    ("GET", "/api/backfills/none", None, Permission.VIEW),
    ("POST", "/api/backfills/none/cancel", WHY, Permission.CONTROL_STREAM),
)


@pytest_asyncio.fixture
async def hub(tmp_path: Path) -> AsyncIterator[tuple[FastAPI, Reader]]:
    """Give the API over a hub with one schedule and one stream."""
    clock = StandingClock("2026-01-05T12:00")
    async with Reader(tmp_path, clock, with_streams(reading(VendorList(clock=clock)))) as reader:
        flows = scheduled(daily=Schedule(cron="0 6 * * *", zone="Europe/Vienna", dead_man=timedelta(hours=26)))
        reader.bundle = flows
        yield app_of(reader), reader


def app_of(hub: Reader) -> FastAPI:
    app = FastAPI()
    view = View(environment="test", database=hub.database, ambient=hub.ambient)
    pulse = Pulse(started_at=hub.clock.now(), seconds=lambda: 0.0)
    watched = Watched(bundle=lambda: hub.bundle, accounts=hub.accounts, pulse=pulse, every=timedelta(minutes=1))
    watch = Watch(
        view=view, watched=watched, committer=hub.committer, ambient=hub.ambient, pulse=pulse, actor="worker_1"
    )
    app.state.token = TOKEN
    app.state.environment = "test"
    app.state.view = view
    app.state.current_bundle = lambda: hub.bundle
    app.state.schedules = Schedules(
        environment="test",
        ambient=hub.ambient,
        database=hub.database,
        committer=hub.committer,
        bundle=lambda: hub.bundle,
        triggers=of_schedule,
        prepare=hub.intake.prepare,
    )
    app.state.streams, app.state.polls, app.state.backfills = hub.streams, hub.polls, hub.backfills
    app.state.watched, app.state.alarms = watched, watch.number
    problems.install(app)
    for room in (health, schedules, streams):
        app.include_router(room.router)
    return app


def client_of(app: FastAPI) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app),
        base_url="http://hub.test",
        headers={"authorization": f"Bearer {TOKEN}"},
    )


@pytest.mark.parametrize("role", Role)
async def test_each_role_may_do_exactly_what_is_meant(
    hub: tuple[FastAPI, Reader], monkeypatch: pytest.MonkeyPatch, role: Role
) -> None:
    principal = Principal(actor=f"person:p_{role.value}", role=role, name=role.value)
    monkeypatch.setattr(security, "LOCAL", principal)
    async with client_of(hub[0]) as client:
        for method, path, body, permission in NEEDED:
            answer = await client.request(method, path, json=body)
            allowed = permission in GRANTS[role]
            assert (answer.status_code != 403) is allowed, (method, path, answer.text)
            if allowed and "none" in path:
                assert answer.status_code in (404, 409), (method, path, answer.text)


async def test_nobody_gets_in_without_the_token(hub: tuple[FastAPI, Reader]) -> None:
    async with client_of(hub[0]) as client:
        for method, path, body, _ in NEEDED:
            answer = await client.request(method, path, json=body, headers={"authorization": "Bearer other"})
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


async def test_what_is_wrong_is_a_problem_with_its_code(hub: tuple[FastAPI, Reader]) -> None:
    """Unknown names, spans that are none, orders without a reason."""
    async with client_of(hub[0]) as client:
        wrong: tuple[tuple[str, dict[str, Any] | None, int, str], ...] = (
            ("/api/schedules/weekly/run", None, 404, "not-found"),
            ("/api/schedules/daily/resume", WHY, 409, "not-held"),
            ("/api/schedules/daily/hold", {"reason": " "}, 422, "no-reason"),
            ("/api/streams/vendor/told/backfill", {**SPAN, "since": "2027-01-01T00:00:00Z"}, 422, "bad-span"),
            ("/api/streams/vendor/told/backfill", {**SPAN, "batch": 100}, 422, "bad-batch"),
            ("/api/streams/vendor/told/settle-gap", WHY, 409, "no-gap"),
        )
        for path, order, status, code in wrong:
            answer = await client.post(path, json=order)
            assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        for body in ({"since": "2026-01-01T00:00:00", **WHY}, {"since": "yesterday", **WHY}, {**SPAN, "more": 1}):
            answer = await client.post("/api/streams/vendor/told/backfill", json=body)
            assert answer.status_code == 422, answer.text


async def test_the_health_counts_alarms_and_the_list_tells_which(hub: tuple[FastAPI, Reader]) -> None:
    """Open to everybody is only their number."""
    app, reader = hub
    async with client_of(app) as client:
        calm = await client.get("/api/health", headers={"authorization": ""})
        assert (calm.json()["status"], calm.json()["alarms"]) == ("ok", 0)
        await reader.read()
        await reader.committer.commit(
            Work(
                lambda tx: add_gap(
                    tx,
                    environment="test",
                    name="vendor",
                    stream="told",
                    kind=GapKind.NUMBERS,
                    since=None,
                    until=1,
                    detail="Number 3 never came.",
                )
            )
        )
        (alarm,) = (await client.get("/api/alarms")).json()["alarms"]
        assert (alarm["kind"], alarm["subject"]) == ("stream-gap", "vendor/told")
        assert alarm["runbook"] == "docs/runbooks/stream-gap.md"
        (stream,) = (await client.get("/api/streams")).json()["streams"]
        assert [gap["detail"] for gap in stream["gaps"]] == ["Number 3 never came."]
        settled = await client.post("/api/streams/vendor/told/settle-gap", json=WHY)
        assert settled.json() == {"settled": 1}
        assert (await client.get("/api/alarms")).json() == {"alarms": []}


async def test_an_order_is_seen_in_the_list(hub: tuple[FastAPI, Reader]) -> None:
    """Started now, held, and a span read again."""
    app, reader = hub
    async with client_of(app) as client:
        run = await client.post("/api/schedules/daily/run")
        assert run.status_code == 201
        held = await client.post("/api/schedules/daily/hold", json=WHY)
        assert held.json() == {"schedule": "daily", "state": "held"}
        found = (await client.get("/api/schedules/daily")).json()
        assert found["schedule"]["held_by_name"] == "local command line"
        assert [firing["event"] for firing in found["firings"]] == [run.json()["event"]]
        made = await client.post(
            "/api/streams/vendor/told/backfill", json={**SPAN, "until": "2026-01-04T00:00:00+01:00"}
        )
        assert made.status_code == 201
        reader.backfills.tick()
        await reader.backfills.settle()
        (done,) = (await client.get("/api/backfills")).json()["backfills"]
        assert (done["state"], done["until"]) == ("done", "2026-01-03T23:00:00Z")


def test_no_handler_is_without_a_permission(hub_routes: Callable[[], set[tuple[str, str]]]) -> None:
    """What is listed above is everything there is."""
    assert hub_routes() == {
        (method, path.replace("/none", "/{}").replace("/told", "/{}")) for method, path, _, _ in NEEDED
    }


@pytest.fixture
def hub_routes() -> Callable[[], set[tuple[str, str]]]:
    """Give each route of these rooms with its parameters left blank."""

    def routes() -> set[tuple[str, str]]:
        found = set()
        for room in (schedules, streams):
            for route in room.router.routes:
                path = "/".join("{}" if part.startswith("{") else part for part in route.path.split("/"))
                found |= {(method, path) for method in route.methods}
        return found

    return routes
