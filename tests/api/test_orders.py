"""Orders over the API: who may give which, and what is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI

from hub.access.permissions import GRANTS, Permission, Principal, Role
from hub.api import cases, connections, effects, events, holds, problems, runs, security
from hub.queries.view import View
from tests.engine.house import House
from tests.engine.test_held_by_people import vendor_of
from tests.operate.test_replays import parked, rows, typed
from tests.operate.test_run_orders import open_cases, opened
from tests.operate.test_settling import in_doubt

TOKEN = "token"
WHY = {"reason": "The books are checked"}


def app_of(house: House) -> FastAPI:
    """Give the API over a house."""
    app = FastAPI()
    app.state.token = TOKEN
    app.state.orders = house.orders
    app.state.run_orders = house.run_orders
    app.state.hold_orders = house.hold_orders
    app.state.effect_orders = house.effect_orders
    app.state.view = View(environment="test", database=house.database, ambient=house.ambient)
    app.state.accounts = house.accounts
    app.state.current_bundle = lambda: house.bundle
    problems.install(app)
    for room in (runs, cases, holds, effects, events, connections):
        app.include_router(room.router)
    return app


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = await parked(tmp_path, {"id": "t1", "key": "k", "value": "bad", "minor": 100})
    yield made
    await made.stop()


def client_of(house: House) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app_of(house)),
        base_url="http://hub.test",
        headers={"authorization": f"Bearer {TOKEN}"},
    )


@pytest.fixture
def as_role(monkeypatch: pytest.MonkeyPatch) -> Callable[[Role], None]:
    """Let whoever asks have a role."""

    def become(role: Role) -> None:
        principal = Principal(actor=f"person:p_{role.value}", role=role, name=role.value)
        monkeypatch.setattr(security, "LOCAL", principal)

    return become


#: What each order and page asks for: method, path, body.
NEEDED: tuple[tuple[str, str, dict[str, Any] | None, Permission], ...] = (
    ("GET", "/api/runs", None, Permission.VIEW),
    ("GET", "/api/runs/none", None, Permission.VIEW_PAYLOADS),
    ("GET", "/api/runs/none/behind", None, Permission.VIEW),
    ("GET", "/api/runs/none/record", None, Permission.EDIT_PAYLOAD),
    ("POST", "/api/runs/none/replay", {}, Permission.REPLAY),
    ("POST", "/api/runs/none/edit", {"record": {}, **WHY}, Permission.EDIT_PAYLOAD),
    ("POST", "/api/runs/none/repeat", {"confirmed": [], **WHY}, Permission.REPEAT_EFFECT),
    ("POST", "/api/runs/none/ask-again", {}, Permission.REPLAY),
    ("POST", "/api/runs/none/cancel", WHY, Permission.CANCEL_RUN),
    ("POST", "/api/runs/none/undo", WHY, Permission.UNDO_RUN),
    ("GET", "/api/cases", None, Permission.VIEW),
    ("GET", "/api/cases/none", None, Permission.VIEW),
    ("POST", "/api/cases/none/replay", {}, Permission.REPLAY),
    ("POST", "/api/cases/replay", {"filter": {"reason": "none"}}, Permission.REPLAY),
    ("GET", "/api/holds", None, Permission.VIEW),
    ("POST", "/api/holds", {"kind": "run", "name": "none", **WHY}, Permission.HOLD),
    ("POST", "/api/holds", {"kind": "connection", "name": "none", **WHY}, Permission.CONTROL_CONNECTION),
    ("POST", "/api/holds/resume", {"kind": "flow", "name": "none"}, Permission.HOLD),
    ("GET", "/api/effects", None, Permission.VIEW),
    ("GET", "/api/effects/open", None, Permission.VIEW),
    ("GET", "/api/effects/none", None, Permission.VIEW_PAYLOADS),
    ("POST", "/api/effects/none/settle", {"verdict": "not-applied", "evidence": "seen"}, Permission.RESOLVE_EFFECT),
)


@pytest.mark.parametrize("role", Role)
async def test_each_role_may_do_exactly_what_is_meant(
    house: House, as_role: Callable[[Role], None], role: Role
) -> None:
    as_role(role)
    async with client_of(house) as client:
        for method, path, body, permission in NEEDED:
            answer = await client.request(method, path, json=body)
            allowed = permission in GRANTS[role]
            assert (answer.status_code != 403) is allowed, (method, path, answer.text)
            if allowed and "none" in path:
                assert answer.status_code == 404, (method, path, answer.text)


async def test_nobody_gets_in_without_the_token(house: House) -> None:
    async with client_of(house) as client:
        for method, path, body, _ in NEEDED:
            answer = await client.request(method, path, json=body, headers={"authorization": "Bearer other"})
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


async def test_a_run_is_held_and_cancelled(house: House) -> None:
    (run,) = rows(house)
    async with client_of(house) as client:
        refused = await client.post("/api/holds", json={"kind": "run", "name": run.id, **WHY})
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        held = await client.post("/api/holds", json={"kind": "key", "name": "tested", "key": "k", **WHY})
        assert held.json() == {"kind": "key", "name": "tested", "key": "k", "state": "held"}
        replayed = await client.post(f"/api/runs/{run.id}/replay", json={"from_failure": True, **WHY})
        await house.settled(waiting=["hold"])
        new_id = replayed.json()["run"]
        (listed,) = (await client.get("/api/holds")).json()["holds"]
        assert (listed["waiting"]["runs"], listed["waiting"]["money"]) == (1, [{"value": 1.00, "currency": "EUR"}])
        shown = (await client.get(f"/api/runs/{new_id}")).json()["standing"]
        assert [hold["reason"] for hold in shown["holds"]] == [WHY["reason"]] and shown[
            "ordered_by"
        ] == "local command line"
        for state in ("cancelled", "cancelled"):
            done = await client.post(f"/api/runs/{new_id}/cancel", json=WHY)
            assert done.json() == {"run": new_id, "state": state, "stopping": ""}
        resumed = await client.post("/api/holds/resume", json={"kind": "key", "name": "tested", "key": "k"})
        assert resumed.status_code == 200
        again = await client.post("/api/holds/resume", json={"kind": "key", "name": "tested", "key": "k"})
        assert (again.status_code, again.json()["code"]) == (409, "not-held")


async def test_what_an_order_lacks_is_told_in_words(house: House) -> None:
    """The command line shows it as it is."""
    held = {"kind": "key", "name": "tested", "key": "k"}
    async with client_of(house) as client:
        for body, told in (
            ({**held, "reason": ""}, "reason: it must not be empty"),
            (held, "reason: it is missing"),
            ({**held, **WHY, "reasons": "x"}, "reasons: it is not known here"),
            ({**held, "reason": "   "}, "Say why; whoever comes next will want to know."),
            (
                {"kind": "connection", "name": "vendor", "reason": "   "},
                "Say why; whoever comes next will want to know.",
            ),
        ):
            refused = await client.post("/api/holds", json=body)
            assert (refused.status_code, refused.json()["detail"]) == (422, told)
        refused = await client.get("/api/runs", params={"state": "zzz"})
        assert refused.json()["detail"].startswith("state: Input should be 'queued', ")
        for content, kind, told in (
            (b"no json", "application/json", "body: it is not readable JSON"),
            (b"[1]", "application/json", "body: it is not a JSON object, sent as application/json"),
            (b'{"reason": "x"}', "text/plain", "body: it is not a JSON object, sent as application/json"),
            (b"", "application/json", "body: it is missing"),
        ):
            refused = await client.post("/api/holds", content=content, headers={"content-type": kind})
            assert (refused.status_code, refused.json()["detail"]) == (422, told)
        for run_order in ("cancel", "undo"):
            refused = await client.post(f"/api/runs/{rows(house)[0].id}/{run_order}", json={"reason": ""})
            assert (refused.status_code, refused.json()["detail"]) == (422, "reason: it must not be empty")


async def test_an_edit_is_looked_at_before_it_is_ordered(house: House) -> None:
    (run,) = rows(house)
    async with client_of(house) as client:
        record = (await client.get(f"/api/runs/{run.id}/record")).json()
        record["value"] = "good"
        looked = await client.post(f"/api/runs/{run.id}/edit", json={"record": record, "preview": True})
        assert looked.json() == {"changes": [{"field": "value", "was": "bad", "now": "good"}]}
        assert len(rows(house)) == 1
        for body, code in (
            ({"record": record}, "no-reason"),
            ({"record": {**record, "value": 3}, **WHY}, "edited-record-wrong"),
            ({**WHY}, "invalid-request"),
            ({"record": record, "and": 1, **WHY}, "invalid-request"),
        ):
            refused = await client.post(f"/api/runs/{run.id}/edit", json=body)
            assert (refused.status_code, refused.json()["code"]) == (422, code), refused.text
        done = await client.post(f"/api/runs/{run.id}/edit", json={"record": record, **WHY})
        assert done.status_code == 201
        assert await house.settled() == {"succeeded": 1}
        # Digits of amounts survive, which they would not as floats.
        record_ = b'{"id": "t1", "key": "k", "value": "x", "minor": 1, "total": 12345678901234567.89}'
        precise = b'{"record": ' + record_ + b', "preview": true}'
        looked = await client.post(f"/api/runs/{done.json()['run']}/edit", content=precise)
        assert b"12345678901234567.89" in looked.content


async def test_new_effects_are_confirmed_one_by_one(tmp_path: Path) -> None:
    house = await opened(tmp_path, typed())
    await house.give({"id": "t1", "key": "k", "value": "1"})
    await house.settled()
    (run,) = rows(house)
    async with client_of(house) as client:
        written = (await client.get(f"/api/runs/{run.id}")).json()["standing"]["written"]
        assert [(each["path"], each["target_id"]) for each in written] == [("write", "doc_1")]
        refused = await client.post(f"/api/runs/{run.id}/repeat", json={"confirmed": [], **WHY})
        assert (refused.status_code, refused.json()["code"]) == (409, "confirm-effects")
        both = await client.post(f"/api/runs/{run.id}/replay", json={"from_failure": True, "from_step": "write"})
        assert both.status_code == 422
        done = await client.post(f"/api/runs/{run.id}/repeat", json={"confirmed": [written[0]["key"]], **WHY})
        assert done.status_code == 201
        await house.settled()
        assert len(vendor_of(house).documents) == 2
        undone = await client.post(f"/api/runs/{done.json()['run']}/undo", json=WHY)
        assert undone.json()["stopping"] == "compensate"
    await house.settled()
    await house.stop()


async def test_what_is_in_doubt_is_listed_shown_and_settled(tmp_path: Path) -> None:
    house, key = await in_doubt(tmp_path)
    async with client_of(house) as client:
        (listed,) = (await client.get("/api/effects")).json()["effects"]
        assert (listed["key"], listed["state"]) == (key, "parked")
        assert (await client.get("/api/effects?state=done")).json()["effects"] == []
        (case,) = open_cases(house)
        assert (await client.get(f"/api/cases/{case.id}")).json()["in_doubt"] == [key]
        shown = (await client.get(f"/api/effects/{key}")).json()
        assert (shown["settleable"], shown["gives"], shown["method"]) == (True, ["id"], "POST")
        assert [attempt["outcome"] for attempt in shown["attempts"]] == ["connection-broken"]
        settled = await client.post(
            f"/api/effects/{key}/settle", json={"verdict": "done", "evidence": "seen", "output": {"id": "7"}}
        )
        assert settled.json()["still_in_doubt"] == 0
        assert await house.settled() == {"succeeded": 1}
        shown = (await client.get(f"/api/effects/{key}")).json()
        assert (shown["settlement"]["verdict"], shown["settlement"]["evidence"]) == ("done", "seen")
        assert shown["settleable"] is False
    await house.stop()


async def test_alike_exceptions_are_replayed_page_by_page(house: House) -> None:
    await house.give(*({"id": f"b{number}", "key": f"k{number}", "value": "bad"} for number in range(3)))
    assert await house.settled() == {"parked": 4}
    async with client_of(house) as client:
        (fingerprint,) = {case.fingerprint for case in open_cases(house)}
        order: dict[str, Any] = {"filter": {"fingerprint": fingerprint}, "limit": 3}
        first = (await client.post("/api/cases/replay", json=order)).json()
        # They fail again meanwhile: what comes up after the order is none of its.
        assert await house.settled() == {"parked": 4}
        rest = (await client.post("/api/cases/replay", json={**order, "after": first["next"]})).json()
        assert [(page["seen"], page["replayed"]) for page in (first, rest)] == [(3, 3), (1, 1)] and rest["next"] is None
        assert (await client.post("/api/cases/replay", json={"filter": {}})).status_code == 422
        lost = await client.post("/api/cases/replay", json={**order, "after": "case_1~yesterday"})
        assert (lost.status_code, lost.json()["code"]) == (422, "no-such-place")
    await house.settled()
