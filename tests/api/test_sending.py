"""The door for sent events: what it takes, what it answers, and that both ways in answer the same."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as some
from sqlalchemy import func, select

from hub.api import bodies, hooks, problems, sending
from hub.api.bodies import unpacked
from hub.api.problems import BodyTooLarge
from hub.errors import Behind, FixData, HubError, StorageFull, TooMuchAtOnce
from hub.intake.deliveries import MAX_BODY, MOST_EVENTS, Deliveries
from hub.store.tables import events
from tests.engine.house import House
from tests.intake.sending import OTHER_TOKEN, TOKEN, body_of, house, usage

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BATCH, SINGLE = "application/cloudevents-batch+json", "application/cloudevents+json"
Hub = tuple[House, Deliveries, FastAPI]


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    made, deliveries = house(tmp_path)
    await made.start()
    app = FastAPI(openapi_url="/api/openapi.json")
    problems.install(app)
    app.include_router(sending.router)
    app.state.deliveries, app.state.intake = deliveries, made.intake
    yield made, deliveries, app
    await made.stop()


async def post(
    way: Any, body: Any, media_type: str = BATCH, *, token: str | None = TOKEN, **headers: str
) -> httpx2.Response:
    """Send, and give the answer."""
    said = {"content-type": media_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if token is not None:
        said["authorization"] = f"Bearer {token}"
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(way), base_url="http://hub") as client:
        return await client.post(sending.PATH, headers=said, content=body)


def counted(made: House) -> int:
    """Count the events that are there."""
    with made.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(events)).scalar() or 0


async def test_a_batch_is_told_event_by_event(hub: Hub) -> None:
    made, _, app = hub
    answer = await post(app, body_of(usage("a"), usage("a"), usage("b")))
    told = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (202, "application/json")
    assert [told[name] for name in ("accepted", "duplicate", "conflicting", "refused")] == [2, 1, 0, 0]
    assert [(each["place"], each["id"], each["result"]) for each in told["events"]] == [
        (0, "a", "accepted"),
        (1, "a", "duplicate"),
        (2, "b", "accepted"),
    ]
    with made.database.reading() as connection:
        ids = list(connection.execute(select(events.c.id).order_by(events.c.position)).scalars())
    assert [each.get("event") for each in told["events"]] == [ids[0], None, ids[1]]


async def test_of_a_batch_the_good_ones_are_taken_and_the_others_told_why(hub: Hub) -> None:
    made, _, app = hub
    await post(app, body_of(usage("a")))
    given = (usage("a", data=1), usage("b"), usage("c", type="invoice.paid"), 5)
    answer = await post(app, body_of(*given))
    told = answer.json()
    assert (answer.status_code, counted(made)) == (207, 3)
    assert [each["result"] for each in told["events"]] == ["conflicting", "accepted", "refused", "refused"]
    found = [each.get("problem", {}).get("code") for each in told["events"]]
    assert found == ["same-id-other-content", None, "type-not-allowed", "not-an-event"]
    for each in told["events"]:
        if "problem" in each:
            assert each["problem"].keys() == {"type", "title", "code", "detail"}
            assert each["problem"]["type"] == f"urn:concord:problem:{each['problem']['code']}"


async def test_who_asks_for_little_is_told_only_what_was_not_taken(hub: Hub) -> None:
    _, _, app = hub
    answer = await post(app, body_of(usage("a"), 5, usage("b")), prefer="return=minimal")
    assert (answer.json()["accepted"], [each["place"] for each in answer.json()["events"]]) == (2, [1])


@pytest.mark.parametrize(
    ("event", "status", "code"),
    [
        (usage("a"), 202, None),
        (usage("kept"), 202, None),
        (usage("kept", data=1), 409, "same-id-other-content"),
        (usage("a", type="invoice.paid"), 403, "type-not-allowed"),
        (usage("a", source="/elsewhere"), 403, "source-not-allowed"),
        (usage("a", data="x" * 300_000), 413, "event-too-large"),
        (usage("a", id=""), 422, "invalid-attribute"),
        ([usage("a")], 422, "not-an-event"),
    ],
)
async def test_a_single_event_is_answered_by_its_status(hub: Hub, event: Any, status: int, code: str | None) -> None:
    _, _, app = hub
    await post(app, body_of(usage("kept")))
    answer = await post(app, json.dumps(event), SINGLE)
    assert (answer.status_code, answer.json().get("code")) == (status, code)
    if code is not None:
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.json()["status"], bool(answer.json()["detail"])) == (status, True)


@pytest.mark.parametrize(
    ("body", "media_type", "headers", "status", "code"),
    [
        (b"[]", BATCH, {}, 202, None),
        (b"[]", f'{BATCH}; charset="UTF-8"', {}, 202, None),
        (b"[]", f"{BATCH}; charset=latin-1", {}, 415, "wrong-media-type"),
        (b"[]", "application/json", {}, 415, "wrong-media-type"),
        (b"[]", "", {}, 415, "wrong-media-type"),
        (b"{}", BATCH, {}, 422, "not-a-batch"),
        (b"[", BATCH, {}, 422, "not-json"),
        (b"\xff", SINGLE, {}, 422, "not-json"),
        (b"[]", BATCH, {"content_encoding": "br"}, 415, "wrong-encoding"),
        (b"[]", BATCH, {"content_encoding": "gzip, gzip"}, 415, "wrong-encoding"),
        (b"[]", BATCH, {"content_encoding": "gzip"}, 422, "not-unpacked"),
        (b"[]", BATCH, {"content_encoding": "identity"}, 202, None),
        (b"", BATCH, {"content_encoding": "zstd"}, 422, "not-unpacked"),
        (b" " * (MAX_BODY + 1), BATCH, {}, 413, "too-large"),
        (gzip.compress(b" " * (MAX_BODY + 1)), BATCH, {"content_encoding": "gzip"}, 413, "too-large"),
        (zstd.compress(b" " * (MAX_BODY + 1)), BATCH, {"content_encoding": "ZSTD"}, 413, "too-large"),
        (b"[" + b"0," * MOST_EVENTS + b"0]", BATCH, {}, 413, "too-many-events"),
    ],
)
async def test_a_body_that_cannot_be_taken_is_told_why(
    hub: Hub, body: bytes, media_type: str, headers: Mapping[str, str], status: int, code: str | None
) -> None:
    """By both ways in alike."""
    made, _, app = hub
    for way in (app, hooks.Door(app)):
        answer = await post(way, body, media_type, **headers)
        assert (answer.status_code, answer.json().get("code")) == (status, code)
        if status == 413:
            assert "several" in answer.json()["detail"]
    assert counted(made) == 0


@pytest.mark.parametrize("token", [None, "", "x" * 60, TOKEN[:-1]])
async def test_nobody_sends_without_a_senders_token(hub: Hub, token: str | None) -> None:
    made, _, app = hub
    app.state.token = "local" * 10
    for way in (app, hooks.Door(app)):
        for shown in (token, app.state.token):
            answer = await post(way, body_of(usage("a")), token=shown)
            assert (answer.status_code, answer.json()["code"]) == (401, "no-sender")
    assert counted(made) == 0


async def test_one_senders_token_opens_nothing_for_another(hub: Hub) -> None:
    _, _, app = hub
    theirs = usage("a", source="/theirs")
    assert (await post(app, json.dumps(theirs), SINGLE, token=OTHER_TOKEN)).status_code == 202
    assert (await post(app, json.dumps(theirs), SINGLE)).status_code == 403


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "zstd"])
async def test_packed_bodies_are_taken(hub: Hub, encoding: str) -> None:
    made, _, app = hub
    body = body_of(*(usage(f"{encoding}-{number}") for number in range(1000)))
    packed = zstd.compress(body) if encoding == "zstd" else gzip.compress(body)
    assert len(packed) < len(body) / 5
    answer = await post(app, packed, content_encoding=encoding)
    assert (answer.status_code, answer.json()["accepted"], counted(made)) == (202, 1000, 1000)


async def test_a_long_packed_body_is_taken_too(hub: Hub) -> None:
    """It is unpacked beside what else goes on."""
    _, _, app = hub
    packed = gzip.compress(body_of(*(usage(str(number)) for number in range(1000))), 0)
    assert len(packed) > 64 * 1024
    assert (await post(app, packed, content_encoding="gzip")).status_code == 202


def _parts(body: bytes, sizes: list[int], pack: Callable[[bytes], bytes]) -> bytes:
    stream = io.BytesIO(body)
    return b"".join(pack(stream.read(size)) for size in [*sizes, -1])


@given(some.binary(max_size=500), some.lists(some.integers(0, 100), max_size=5), some.booleans())
def test_unpacking_gives_what_was_packed(body: bytes, sizes: list[int], is_zstd: bool) -> None:  # noqa: FBT001 - drawn
    packed = _parts(body, sizes, zstd.compress if is_zstd else gzip.compress)
    name = "zstd" if is_zstd else "gzip"
    assert unpacked(packed, name, len(body)) == body
    if body:
        with pytest.raises(BodyTooLarge):
            unpacked(packed, name, len(body) - 1)
    with pytest.raises(HubError):
        unpacked(packed[:-1], name, len(body))


@given(some.binary(max_size=200), some.sampled_from(["gzip", "zstd"]))
def test_unpacking_takes_anything(body: bytes, encoding: str) -> None:
    for start in (b"", gzip.compress(b"a")[:10], zstd.compress(b"a")[:6]):
        try:
            out = unpacked(start + body, encoding, 1000)
        except HubError:
            continue
        assert len(out) <= 1000


def test_many_packed_parts_of_nothing_are_refused() -> None:
    """Each costs time."""
    with pytest.raises(FixData):
        unpacked(gzip.compress(b"") * 10_000, "gzip", 1000)


@pytest.mark.parametrize(
    ("error", "status"), [(Behind(after=2), 503), (TooMuchAtOnce(after=2), 429), (StorageFull(after=2), 503)]
)
async def test_who_comes_too_soon_is_told_when_to_come_again(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, error: HubError, status: int
) -> None:
    made, deliveries, app = hub

    async def behind(*_given: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr(deliveries, "take", behind)
    answer = await post(hooks.Door(app), body_of(usage("a")))
    assert (answer.status_code, answer.headers["retry-after"], counted(made)) == (status, "2", 0)


async def test_a_sender_who_goes_away_is_not_answered(hub: Hub) -> None:
    made, _, app = hub
    said: list[Any] = []
    messages = iter([{"type": "http.request", "body": b"[", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        said.append(message)

    headers = [(b"authorization", b"Bearer " + TOKEN.encode()), (b"content-type", BATCH.encode())]
    scope = {"type": "http", "method": "POST", "path": sending.PATH, "headers": headers}
    await hooks.Door(app)(scope, receive, send)
    assert (said, counted(made)) == ([], 0)


async def test_a_body_that_does_not_come_to_its_end_is_not_waited_for(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would keep room from others."""
    _, deliveries, app = hub
    monkeypatch.setattr(sending, "BODY_SECONDS", 0.02)

    async def slowly() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.sleep(5)

    answer = await post(hooks.Door(app), slowly())
    assert (answer.status_code, answer.json()["code"]) == (408, "too-slow")
    with deliveries.holding(deliveries.sending(TOKEN), MAX_BODY * 4):
        pass


async def test_the_description_tells_what_is_sent_and_answered(hub: Hub) -> None:
    """What is answered fits it, and so does what is taken."""
    _, _, app = hub
    described = app.openapi()["paths"][sending.PATH]["post"]
    assert described["responses"].keys() >= {"202", "207", "401", "403", "409", "413", "415", "422", "429", "503"}
    batch = described["requestBody"]["content"][BATCH]["schema"]
    event = described["requestBody"]["content"][SINGLE]["schema"]
    jsonschema_rs.validate(batch, [usage("a", region="eu"), usage("b", data=...)])
    assert not jsonschema_rs.is_valid(event, usage("a", specversion="0.3"))
    told = (await post(app, body_of(usage("a"), usage("a", data=1), 5))).json()
    jsonschema_rs.validate(described["responses"]["207"]["content"]["application/json"]["schema"], told)
    assert bodies.ENCODINGS == ("gzip", "zstd")
