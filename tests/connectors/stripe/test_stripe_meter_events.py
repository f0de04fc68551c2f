"""Usage is counted once: events of the first API and of the stream, whatever becomes of the answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web

from connectors.stripe.logins import Logins, read_session, session_refusal
from connectors.stripe.settings import METER_STREAM
from hub.connections.vault import hosts
from hub.sandbox.server import Running
from hub.sdk.calls import carried
from hub.sdk.errors import FixConnection, FixData, HubError, OutcomeParked, OutcomeUnknown, RetryLater
from hub.sdk.exact_json import dumps, loads
from hub.sdk.values import EffectKey, Request, Response
from tests.connectors.stripe.test_stripe_billing import Hand, hand, settings, writing

KEY, OTHER = EffectKey("a" * 32), EffectKey("b" * 32)
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SESSION = "/v2/billing/meter_event_session"
EXPIRED = dumps({"error": {"type": "temporary_session_expired", "code": "billing_meter_event_session_expired"}})


async def metered(stripe: Hand) -> str:
    """Make a meter of calls, and a customer."""
    rule = {"formula": "sum"}
    await stripe.write("meter.create", display_name="Calls", event_name="calls", default_aggregation=rule)
    return str((await stripe.write("customer.create", name="Alder"))["id"])


def event(customer: str, value: Any) -> dict[str, Any]:
    return {"event_name": "calls", "payload": {"stripe_customer_id": customer, "value": str(value)}}


def counted(sandbox: Running) -> dict[str, Decimal]:
    """Give what was counted, by identifier; fails where one was counted twice."""
    usage = sandbox.world.books.snapshot()["usage"]
    found = {one["identifier"]: one["value"] for one in usage}
    assert len(found) == len(usage)
    return found


def asked(sandbox: Running, path: str) -> int:
    return sum(entry.path == path for entry in sandbox.world.requests.since(0))


def session(*tokens: str, **more: Any) -> Response:
    """Give an answer to the opening of a session."""
    told = {
        "object": "v2.billing.meter_event_session",
        "authentication_token": "".join(tokens),
        "created": "2024-06-01T12:00:00.000Z",
        "expires_at": "2024-06-01T12:15:00.000Z",
        **more,
    }
    return Response(status=200, body=dumps(told))


# --- the first API ---


async def test_an_event_of_the_first_api_is_told_apart_by_the_effects_key(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        customer = await metered(stripe)
        operation, record = writing("meter_event.report"), {**event(customer, "2.5"), "timestamp": 1}
        request = operation.request(stripe.connected.settings, record, KEY)
        assert parse_qs(request.body.decode()) == {
            "event_name": ["calls"],
            "payload[stripe_customer_id]": [customer],
            "payload[value]": ["2.5"],
            "timestamp": ["1"],
        }
        record["timestamp"] = sandbox.world.clock.timestamp()
        given = await stripe.connected.write(operation, record, KEY)
        assert given == {"id": KEY, "object": "billing.meter_event", "event_name": "calls", **_at(record)}
        assert await stripe.connected.write(operation, record, KEY) == given
        assert counted(sandbox) == {KEY: Decimal("2.5")}


async def test_an_event_that_stripe_still_knows_is_done_although_it_forgot_the_key(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        customer = await metered(stripe)
        operation = writing("meter_event.report")
        # It has the event, and nothing under the key.
        await stripe.write("meter_event.report", **event(customer, 3), identifier=KEY)
        again = await stripe.connected.write(operation, event(customer, 3), KEY)
        assert again == {"id": KEY, "object": "billing.meter_event", "event_name": "calls"}
        assert counted(sandbox) == {KEY: Decimal(3)}


async def test_an_identifier_of_ones_own_that_is_taken_is_refused(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        customer = await metered(stripe)
        assert (await stripe.write("meter_event.report", **event(customer, 1), identifier="m-1"))["id"] == "m-1"
        with pytest.raises(FixData) as doubled:
            await stripe.write("meter_event.report", **event(customer, 2), identifier="m-1")
        assert doubled.value.code == "duplicate-meter-event"
        assert counted(sandbox) == {"m-1": Decimal(1)}


# --- the stream ---


async def test_a_hundred_events_go_out_by_one_request(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        customer = await metered(stripe)
        given = await stripe.write("meter_event.stream", events=[event(customer, n) for n in range(100)])
        assert counted(sandbox) == {one: Decimal(n) for n, one in enumerate(given["identifiers"])}
        assert (asked(sandbox, METER_STREAM), asked(sandbox, SESSION)) == (1, 1)
        with pytest.raises(FixData):
            await stripe.write("meter_event.stream", events=[event(customer, n) for n in range(101)])


@pytest.mark.parametrize("taken", [1, 2, 3])
async def test_what_is_sent_again_counts_once_also_where_only_a_part_had_arrived(sandbox: Running, taken: int) -> None:
    async with hand(sandbox) as stripe:
        customer = await metered(stripe)
        operation, record = writing("meter_event.stream"), {"events": [event(customer, n) for n in (5, 6, 7)]}
        await stripe.connected.write(operation, {"events": record["events"][:taken]}, KEY)
        again = await stripe.connected.write(operation, record, KEY)
        assert counted(sandbox) == {f"{KEY}-{place}": Decimal(value) for place, value in enumerate((5, 6, 7))}
        assert again["identifiers"] == [*counted(sandbox)]
        await stripe.connected.write(operation, record, OTHER)
        assert len(counted(sandbox)) == 6


async def test_one_event_that_is_there_is_not_sent_a_third_time(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        record = {"events": [event(await metered(stripe), 5)]}
        for _ in range(2):
            await stripe.connected.write(writing("meter_event.stream"), record, KEY)
        assert (asked(sandbox, METER_STREAM), len(counted(sandbox))) == (2, 1)


async def test_what_is_refused_after_a_part_has_counted_is_for_a_person(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        customer = await metered(stripe)
        old = datetime.fromtimestamp(sandbox.world.clock.timestamp() - 36 * 86_400, UTC).isoformat()
        operation, first = writing("meter_event.stream"), event(customer, 5)
        with pytest.raises(FixData) as refused:
            await stripe.connected.write(operation, {"events": [first, {**first, "timestamp": old}]}, KEY)
        assert (refused.value.code, counted(sandbox)) == ("timestamp-too-far-in-past", {})
        request = operation.request(stripe.connected.settings, {"events": [first, first]}, KEY)
        assert operation.calls is not None
        told = ["duplicate-meter-event", "duplicate-meter-event", "timestamp-too-far-in-past"]

        async def send(_: Request) -> Response:
            raise FixData("No.", code=told.pop(0))

        with pytest.raises(OutcomeParked) as parked:
            await carried(operation.calls(stripe.connected.settings, request), send)
        assert (parked.value.begun, told) == (True, [])


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"[]", b'{"error":{}}', b"{", b'{"maintenance":true}'])
async def test_what_is_not_the_streams_answer_leaves_it_unknown(body: bytes) -> None:
    with pytest.raises(OutcomeUnknown):
        await _answered(Response(status=200, body=body))


@pytest.mark.parametrize("body", [b"", b"{}", b" {}\n"])
async def test_the_streams_answer_is_empty(body: bytes) -> None:
    assert (await _answered(Response(status=200, body=body)))["identifiers"] == [f"{KEY}-0"]


async def test_a_connected_account_streams_for_itself(sandbox: Running) -> None:
    await sandbox.world.books.seed({"accounts": [{"key": "shop"}]})
    shop = sandbox.world.books.snapshot()["keys"]["shop"]
    async with hand(sandbox, account=shop) as stripe:
        await stripe.write("meter_event.stream", events=[event(await metered(stripe), 4)])
    books = sandbox.world.books.snapshot()
    assert [one["value"] for one in books["accounts"][shop]["usage"]] == [4]
    assert books["usage"] == []


# --- the session ---


async def test_one_session_is_opened_for_all_and_kept(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        customer = await metered(stripe)
        operation = writing("meter_event.stream")

        async def send(number: int) -> None:
            await stripe.connected.write(operation, {"events": [event(customer, number)]}, EffectKey(f"k{number}"))

        await asyncio.gather(*map(send, range(8)))
        await send(9)
        assert (asked(sandbox, SESSION), len(counted(sandbox))) == (1, 9)


async def test_a_session_that_has_ended_is_renewed_once(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        customer = await metered(stripe)
        await stripe.write("meter_event.stream", events=[event(customer, 1)])
        # The hub's clock has not moved: only Stripe knows that the session is over.
        sandbox.world.clock.advance(16 * 60)
        await stripe.write("meter_event.stream", events=[event(customer, 2)])
        assert asked(sandbox, SESSION) == 2
        assert [*counted(sandbox).values()] == [1, 2]


@pytest.mark.parametrize("kind", ["500", "503", "reset_after_commit", "login_page", "malformed_body"])
async def test_nothing_is_sent_while_no_session_is_to_be_had(sandbox: Running, kind: str) -> None:
    async with hand(sandbox) as stripe:
        customer = await metered(stripe)
        sandbox.world.faults.replace([{"kind": kind, "times": 1, "match": {"path": SESSION}}])
        with pytest.raises(RetryLater):
            await stripe.write("meter_event.stream", events=[event(customer, 1)])
        assert (asked(sandbox, METER_STREAM), counted(sandbox)) == (0, {})
        await stripe.write("meter_event.stream", events=[event(customer, 1)])
        assert [*counted(sandbox).values()] == [1]


async def test_a_session_is_renewed_before_it_ends() -> None:
    opened: list[Request] = []

    async def open_one(request: Request) -> Response:
        opened.append(request)
        return session(f"tok_{len(opened)}")

    logins, request = Logins(settings()), _request()
    given = [
        (await logins.headers(request, open_one, NOW.replace(minute=minute, second=second)))["authorization"]
        for minute, second in ((0, 0), (13, 59), (14, 1))
    ]
    assert given == ["Bearer tok_1", "Bearer tok_1", "Bearer tok_2"]
    key = {"authorization": f"Bearer {settings().api_key.get_secret_value()}"}
    assert {one.headers["authorization"] for one in opened} == {key["authorization"]}
    assert {one.url for one in opened} == {f"https://stripe.example{SESSION}"}
    ended = Response(status=400, body=EXPIRED)
    assert logins.refused(ended, {"authorization": given[-1]})
    assert not logins.refused(Response(status=400, body=b"{}"), {"authorization": given[-1]})
    assert not logins.refused(ended, key)
    assert (await logins.headers(request, open_one, NOW))["authorization"] == "Bearer tok_3"


@pytest.mark.parametrize(
    "answer",
    [
        Response(status=200, body=b"<html>Sign in</html>"),
        Response(status=200, body=b"[]"),
        session("tok_1", object="list"),
        session("tok_1", expires_at="soon"),
        session("tok_1", expires_at="2024-06-01T12:00:00.000Z"),
        session("tok_1", created=None),
        session(),
        session("a\nb"),
    ],
)
def test_what_is_no_session_is_asked_for_again(answer: Response) -> None:
    with pytest.raises(RetryLater):
        read_session(answer)


@pytest.mark.parametrize(
    ("status", "family"),
    [(400, FixConnection), (401, FixConnection), (403, FixConnection), (404, FixConnection), (408, RetryLater)],
)
def test_a_session_that_is_refused_is_for_the_connection(status: int, family: type[HubError]) -> None:
    assert isinstance(session_refusal(Response(status=status), NOW), family)


# --- the other host ---


def test_the_stream_has_a_host_of_its_own_at_stripe_alone() -> None:
    assert settings(base_url="https://api.stripe.com").meter_stream_address == (
        "https://meter-events.stripe.com/v2/billing/meter_event_stream"
    )
    assert settings().meter_stream_address == f"https://stripe.example{METER_STREAM}"
    other = settings(meter_stream_url="https://gateway.example/")
    assert other.meter_stream_address == f"https://gateway.example{METER_STREAM}"


def test_another_host_that_is_named_is_what_the_secrets_are_bound_to() -> None:
    plain = {"base_url": "https://api.stripe.com"}
    assert hosts(plain) == ("api.stripe.com",)
    assert "gateway.example" in hosts({**plain, "meter_stream_url": "https://gateway.example"})


async def test_the_key_never_goes_to_the_streams_host(sandbox: Running) -> None:
    async with elsewhere() as (url, seen), hand(sandbox, meter_stream_url=url) as stripe:
        await stripe.write("meter_event.stream", events=[event("cus_1", 1)])
        (headers,) = seen
        assert sandbox.announcement["api_key"] not in str(headers)
        assert headers["Authorization"].startswith("Bearer ")
        assert "Idempotency-Key" not in headers
        assert asked(sandbox, METER_STREAM) == 0


@asynccontextmanager
async def elsewhere() -> AsyncIterator[tuple[str, list[Mapping[str, str]]]]:
    """Serve the stream alone at a host of its own; gives its address and the headers of what came."""
    seen: list[Mapping[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        seen.append(dict(request.headers))
        return web.Response(status=204)

    application = web.Application()
    application.router.add_post(METER_STREAM, take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", seen
    finally:
        await runner.cleanup()


async def _answered(response: Response) -> Mapping[str, Any]:
    operation = writing("meter_event.stream")
    request = operation.request(settings(), {"events": [event("cus_1", 1)]}, KEY)
    assert operation.calls is not None

    async def send(sent: Request) -> Response:
        assert loads(sent.body)["events"][0]["identifier"] == f"{KEY}-0"
        return response

    return operation.result(await carried(operation.calls(settings(), request), send))


def _request() -> Request:
    return writing("meter_event.stream").request(settings(), {"events": [event("cus_1", 1)]}, KEY)


def _at(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"timestamp": record["timestamp"]}
