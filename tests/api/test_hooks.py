"""The webhooks' own way in answers as the route behind it, which the API's description tells of."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from hub.api import hooks, problems
from hub.errors import NotFound, UnreadableWebhook, WebhookRejected
from hub.model.event import InboundEvent
from hub.sdk.connector import QUERY, Acknowledgement, Webhook
from hub.sdk.settings import Settings
from tests.engine.house import House, bundle_for
from tests.engine.vendor import Vendor, connector

FLOW = """
flow: tested
title: Tested
owner: team:tests
on: { event: vendor.thing.made }
key: data.id
business_key: data.id
steps:
  - id: seen
    wait: { for: PT1H }
"""


def verify(_settings: Settings, headers: Mapping[str, str], _body: bytes, _now: datetime) -> None:
    """Trust who says the word."""
    if headers.get("x-word") != "pass":
        raise WebhookRejected("That is not the word.", code="bad-signature")


def parse(body: bytes) -> Sequence[InboundEvent]:
    """Read one event."""
    try:
        data = json.loads(body)
    except ValueError:
        raise UnreadableWebhook("This is no event.") from None
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [InboundEvent(external_id=data["id"], type="vendor.thing.made", occurred_at=at, data=data)]


def consent(_settings: Settings, headers: Mapping[str, str]) -> Mapping[str, str]:
    """Consent to what says who it is."""
    origin = headers.get("webhook-request-origin")
    if origin is None:
        raise WebhookRejected("Nobody asks.", code="no-origin")
    return {"webhook-allowed-origin": origin}


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[FastAPI]:
    """Give the application over a hub that takes webhooks."""
    hooked = replace(connector, webhook=Webhook(verify=verify, parse=parse, handshake=consent))
    house = House(tmp_path, Vendor(), bundle_for(hooked, FLOW), connector=hooked)
    await house.start()
    app = FastAPI(openapi_url="/api/openapi.json")
    problems.install(app)
    app.include_router(hooks.router)
    app.state.intake = house.intake
    yield app
    await house.stop()


async def asked(app: Any, method: str, path: str, headers: Mapping[str, str], body: Any) -> tuple[int, str, bytes]:
    """Ask; gives status, media type and body of the answer."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://hub") as client:
        answer = await client.request(method, path, headers=headers, content=body)
        return answer.status_code, answer.headers.get("content-type", ""), answer.content


async def _slowly() -> AsyncIterator[bytes]:
    for part in (b'{"id"', b"", b': "e9"}'):
        yield part


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("POST", "/hooks/vendor", {"X-Word": "pass"}, b'{"id": "e1"}', 202),
        ("POST", "/hooks/vendor", {"x-word": "pass"}, _slowly, 202),
        ("POST", "/hooks/vendor?from=there", {"x-word": "pass"}, b'{"id": "e2"}', 202),
        ("POST", "/hooks/vendor", {"x-word": "pass"}, b"{", 202),
        ("POST", "/hooks/vendor", {"x-word": "pass", "content-type": "text/plain"}, b"", 202),
        ("POST", "/hooks/vendor", {}, b'{"id": "e1"}', 401),
        ("POST", "/hooks/nobody", {"x-word": "pass"}, b'{"id": "e1"}', 404),
        ("POST", "/hooks/no%20body", {}, b"", 404),
        ("POST", f"/hooks/{'a' * 1000}", {"x-word": "pass"}, b'{"id": "e1"}', 404),
        ("POST", "/hooks/%2e%2e", {}, b"", 404),
        ("POST", "/hooks/vendor", {"x-word": "pass"}, b" " * (hooks.MAX_BODY + 1), 413),
        ("POST", "/hooks/vendor/more", {}, b"", 404),
        ("POST", "/hooks/vendor%2Fmore", {}, b"", 404),
        ("POST", "/hooks/", {}, b"", 404),
        ("GET", "/hooks/vendor", {}, b"", 405),
        ("PUT", "/hooks/vendor", {}, b"", 405),
        ("OPTIONS", "/hooks/vendor", {"webhook-request-origin": "vendor.example"}, b"", 200),
        ("OPTIONS", "/hooks/vendor", {}, b"", 401),
        ("OPTIONS", "/hooks/nobody", {"webhook-request-origin": "vendor.example"}, b"", 404),
        ("GET", "/elsewhere", {}, b"", 404),
    ],
)
async def test_both_ways_answer_the_same(
    app: FastAPI, method: str, path: str, headers: Mapping[str, str], body: Any, status: int
) -> None:
    """Whatever is asked of them."""
    answers = []
    for way in (app, hooks.Door(app)):
        answers.append(await asked(way, method, path, headers, body() if callable(body) else body))
    assert answers[0] == answers[1]
    assert answers[1][0] == status


@pytest.fixture
async def soap(tmp_path: Path) -> AsyncIterator[FastAPI]:
    """Give an application whose sender has a secret in its address, and waits for a word of its own."""

    def known(_settings: Settings, headers: Mapping[str, str], _body: bytes, _now: datetime) -> None:
        if headers[QUERY] != "key=pass%20word":
            raise WebhookRejected("That is not the key.", code="bad-signature")

    said = Acknowledgement(content_type="text/xml; charset=utf-8", body=b"<Ack>true</Ack>")
    hooked = replace(connector, webhook=Webhook(verify=known, parse=parse, acknowledgement=said))
    house = House(tmp_path, Vendor(), bundle_for(hooked, FLOW), connector=hooked)
    await house.start()
    app = FastAPI()
    problems.install(app)
    app.include_router(hooks.router)
    app.state.intake = house.intake
    yield app
    await house.stop()


@pytest.mark.parametrize(
    ("path", "headers", "body", "answer"),
    [
        ("/hooks/vendor?key=pass%20word", {}, b'{"id": "e1"}', (200, "text/xml; charset=utf-8", b"<Ack>true</Ack>")),
        # What is kept for a person is durable too, and need not come again.
        ("/hooks/vendor?key=pass%20word", {}, b"{", (200, "text/xml; charset=utf-8", b"<Ack>true</Ack>")),
        ("/hooks/vendor?key=other", {}, b'{"id": "e1"}', 401),
        ("/hooks/vendor", {":query": "key=pass%20word"}, b'{"id": "e1"}', 401),
    ],
)
async def test_who_wants_to_hear_a_word_hears_it_once_all_is_durable(
    soap: FastAPI, path: str, headers: Mapping[str, str], body: bytes, answer: Any
) -> None:
    """By either way in; who is turned away hears what everybody hears."""
    for way in (soap, hooks.Door(soap)):
        found = await asked(way, "POST", path, headers, body)
        assert (found if isinstance(answer, tuple) else found[0]) == answer


async def test_a_sender_who_goes_away_is_not_answered(app: FastAPI) -> None:
    """Nothing of what it had sent is kept: it has no 2xx, and sends again."""
    sent: list[Any] = []
    messages = iter([{"type": "http.request", "body": b'{"id": "e', "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/hooks/vendor", "headers": [(b"x-word", b"pass")]}
    await hooks.Door(app)(scope, receive, send)
    assert sent == []


async def test_the_description_tells_of_the_way(app: FastAPI) -> None:
    """A sender's developer reads it there."""
    _, _, described = await asked(hooks.Door(app), "GET", "/api/openapi.json", {}, b"")
    assert "/hooks/{connection}" in json.loads(described)["paths"]


async def test_consent_names_who_may_send_and_how(app: FastAPI) -> None:
    """A status alone is no consent."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(hooks.Door(app)), base_url="http://hub") as client:
        answer = await client.options("/hooks/vendor", headers={"WebHook-Request-Origin": "vendor.example"})
    assert (answer.headers["webhook-allowed-origin"], answer.headers["allow"]) == ("vendor.example", "POST")


async def test_who_is_asked_for_no_consent_gives_none(tmp_path: Path) -> None:
    """Most vendors ask nobody."""
    hooked = replace(connector, webhook=Webhook(verify=verify, parse=parse))
    house = House(tmp_path, Vendor(), bundle_for(hooked, FLOW), connector=hooked)
    await house.start()
    try:
        with pytest.raises(NotFound):
            house.intake.handshake("vendor", {"webhook-request-origin": "vendor.example"})
    finally:
        await house.stop()
