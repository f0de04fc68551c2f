"""Who gets in, and what is refused."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from hub.access.permissions import Permission
from hub.queries import audit, cases, runs
from hub.queries.runs import RunFilter
from hub.store.account_tables import sessions
from hub.store.committer import Work
from tests.ui.stage import ADMIN, OPERATOR, PASSWORD, SETUP_TOKEN, VIEWER, Stage, stage
from tests.ui.visitors import ADDRESS, SignIn, csrf_of, stranger
from ui.app import DOORS
from ui.doors import Open
from ui.headers import CONTENT_SECURITY_POLICY

PUBLIC = {("GET", "/login"), ("POST", "/login"), ("GET", "/setup"), ("POST", "/setup"), ("POST", "/theme")}


def test_only_the_gate_stands_open() -> None:
    assert {(door.method, door.path) for door in DOORS if door.needs is Open.PUBLIC} == PUBLIC
    orders = [door for door in DOORS if door.method == "POST" and door.needs is not Open.PUBLIC]
    assert {door.path for door in orders if door.needs is Permission.VIEW} == {"/logout"}
    assert len({(door.method, door.path) for door in DOORS}) == len(DOORS)


async def test_a_stranger_is_sent_to_sign_in_and_comes_back(set_up: Stage) -> None:
    run = runs.listing(set_up.console.view, RunFilter(), limit=1).runs[0]
    places = {"name": "invoice-to-erp", "id": run.id, "fingerprint": "x", "number": "1", "key": "effect"}
    places |= {"flow": "invoices-agree", "connection": "stripe", "connector": "stripe", "stream": "events"}
    places |= {"entity": "customer", "thing": "thing_1", "pair": "pair_1"}
    async with stranger(set_up) as visitor:
        for door in DOORS:
            if door.needs is Open.PUBLIC:
                continue
            path = re.sub(r"{(\w+)}", lambda found: places[found[1]], door.path)
            answer = await visitor.request(door.method, path)
            assert answer.status_code == 303 and answer.headers["location"].startswith("/login"), door
        assert (await visitor.get("/live")).status_code == 401
        asked = await visitor.get("/runs?state=parked")
        assert asked.headers["location"] == "/login?next=/runs%3Fstate%3Dparked"
        part = await visitor.get("/runs", headers={"HX-Request": "true"})
        assert part.status_code == 401 and part.headers["hx-redirect"] == "/login?next=/runs"
        back = await visitor.post("/login", data={"email": ADMIN, "password": PASSWORD, "next": "/runs?state=parked"})
        assert back.headers["location"] == "/runs?state=parked"


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/login"])
async def test_signing_in_never_leads_elsewhere(set_up: Stage, target: str) -> None:
    async with stranger(set_up) as visitor:
        answer = await visitor.post("/login", data={"email": ADMIN, "password": PASSWORD, "next": target})
        assert answer.headers["location"] == "/"


async def test_wrong_passwords_are_told_in_the_same_words_and_slowed_down(set_up: Stage) -> None:
    async with stranger(set_up) as visitor:
        wrong = await visitor.post("/login", data={"email": ADMIN, "password": "wrong"})
        nobody = await visitor.post("/login", data={"email": "nobody@example.com", "password": "wrong"})
        assert wrong.status_code == nobody.status_code == 401
        assert wrong.text == nobody.text and "wrong" in wrong.text
        for _ in range(4):
            await visitor.post("/login", data={"email": ADMIN, "password": "wrong"})
        slowed = await visitor.post("/login", data={"email": ADMIN, "password": PASSWORD})
        assert slowed.status_code == 429 and "Wait" in slowed.text
    kinds = [line.kind for line in audit.recent(set_up.console.view, limit=8)]
    assert kinds.count("session.refused") == 7


async def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(set_up: Stage, tmp_path: Path) -> None:
    async with stranger(set_up) as visitor:
        answer = await visitor.post("/login", data={"email": ADMIN, "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("concord-session=") and "HttpOnly" in cookie and "SameSite=strict" in cookie
    async with (
        stage(tmp_path / "https", count=0, https=True) as secure,
        stranger(secure, "https://console.test") as visitor,
    ):
        answer = await visitor.post("/login", data={"email": ADMIN, "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-concord-session=") and "; Secure" in cookie and "Path=/" in cookie


async def test_orders_from_other_sites_and_without_the_token_are_refused(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(OPERATOR)
    case = cases.listing(set_up.console.view).cases[0]
    path, token = f"/exceptions/{case.id}/assign", csrf_of((await visitor.get("/exceptions")).text)
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ADDRESS, "Sec-Fetch-Site": "cross-site"},
        {"Origin": ADDRESS, "Sec-Fetch-Site": "same-site"},
    ):
        refused = await visitor.post(path, data={"csrf": token}, headers=headers)
        assert refused.status_code == 403, headers
    assert (await visitor.post(path, data={"x": "y"})).status_code == 403
    assert (await visitor.post(path, data={"csrf": token[:-1]})).status_code == 403
    assert (await visitor.post(path, json={"csrf": token})).status_code == 422
    assert (await visitor.post(path, data={"csrf": token, "x": "y" * 70_000})).status_code == 422
    assert cases.listing(set_up.console.view).cases[0].owner is None
    visitor.headers.pop("Origin")
    assert (await visitor.post(path, data={"csrf": token})).status_code == 403
    taken = await visitor.post(path, data={"csrf": token}, headers={"Sec-Fetch-Site": "same-origin"})
    assert taken.status_code == 303
    assert cases.listing(set_up.console.view).cases[0].owner_name == "Olu Adeyemi"


async def test_a_role_sees_and_does_no_more_than_it_may(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(VIEWER)
    case = cases.listing(set_up.console.view).cases[0]
    page = await visitor.get(f"/runs/{case.run_id}")
    assert "your role does not show them" in page.text and "j-text" not in page.text
    assert "/replay" not in page.text and "/cancel" not in page.text
    assert (await visitor.get("/audit")).status_code == 403
    token = csrf_of(page.text)
    for path in (
        f"/runs/{case.run_id}/replay",
        f"/runs/{case.run_id}/cancel",
        f"/exceptions/{case.id}/close",
        "/connections/stripe/pause",
        "/crossrefs",
    ):
        answer = await visitor.post(path, data={"csrf": token, "reason": "x"})
        assert answer.status_code == 403 and "You may not do this" in answer.text
    denied = [line for line in audit.recent(set_up.console.view, limit=10) if line.kind == "access.denied"]
    assert len(denied) == 6 and {line.actor_name for line in denied} == {"Vic Moreau"}


async def test_every_answer_forbids_what_does_not_come_from_here(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(ADMIN)
    for path in ("/", "/runs", "/nothing-here", "/badge", "/audit"):
        answer = await visitor.get(path)
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "unsafe" not in CONTENT_SECURITY_POLICY
        assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=|javascript:", answer.text)
        assert not re.search(r"""(?:src|href|action)="(?:https?:)?//""", answer.text)
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', (await visitor.get("/")).text)
    assert len(files) >= 5
    for path in files:
        answer = await visitor.get(path)
        assert answer.status_code == 200 and "immutable" in answer.headers["cache-control"]
    assert (await visitor.get("/static/old/console.css")).status_code == 404


async def test_sessions_end(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(ADMIN)
    token = csrf_of((await visitor.get("/")).text)
    gone = await visitor.post("/logout", data={"csrf": token})
    assert gone.headers["location"] == "/login?said=signed-out"
    assert (await visitor.get("/")).status_code == 303

    visitor = await sign_in(OPERATOR)
    long_ago = int((set_up.ambient.now() - timedelta(minutes=31)).timestamp() * 1_000_000)
    await set_up.committer.commit(Work(lambda tx: tx.connection.execute(update(sessions).values(seen_at=long_ago))))
    live = await visitor.get("/runs", headers={"HX-Request": "true", "Concord-Live": "1"})
    assert live.status_code == 401
    ended = await visitor.get("/runs")
    assert ended.headers["location"] == "/login?next=/runs&why=ended"
    assert "Your session has ended" in (await visitor.get(ended.headers["location"])).text


async def test_a_live_refresh_does_not_keep_a_session_alive(set_up: Stage, sign_in: SignIn) -> None:
    visitor = await sign_in(ADMIN)
    earlier = int((set_up.ambient.now() - timedelta(minutes=20)).timestamp() * 1_000_000)
    await set_up.committer.commit(Work(lambda tx: tx.connection.execute(update(sessions).values(seen_at=earlier))))

    async def seen() -> int:
        with set_up.database.reading() as connection:
            value: int = connection.execute(sessions.select()).one().seen_at
            return value

    assert (await visitor.get("/runs", headers={"HX-Request": "true", "Concord-Live": "1"})).status_code == 200
    assert await seen() == earlier
    assert (await visitor.get("/runs")).status_code == 200
    assert await seen() > earlier


async def test_the_first_administrator_needs_the_token_of_the_terminal(tmp_path: Path) -> None:
    async with stage(tmp_path, count=0, people=False) as made, stranger(made) as visitor:
        assert (await visitor.get("/login")).headers["location"] == "/setup"
        form = {"email": "ada@example.com", "name": "Ada", "password": PASSWORD}
        assert (await visitor.post("/setup", data={**form, "token": "guess"})).status_code == 403
        weak = await visitor.post("/setup", data={**form, "token": SETUP_TOKEN, "password": "short"})
        assert weak.status_code == 422 and "at least 12" in weak.text and 'value="ada@example.com"' in weak.text
        done = await visitor.post("/setup", data={**form, "token": SETUP_TOKEN})
        assert done.headers["location"] == "/?said=welcome"
        home = await visitor.get("/?said=welcome")
        assert "administrator of this hub" in home.text and "Quiet for half an hour" in home.text
        assert (await visitor.get("/setup")).headers["location"] == "/login"
        again = await visitor.post("/setup", data={**form, "token": SETUP_TOKEN, "email": "eve@example.com"})
        assert again.status_code in {403, 409}
