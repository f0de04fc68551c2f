"""A publisher marks what the stream has acknowledged and nothing else, whatever becomes of a batch and of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from nats.aio.client import Client
from nats.errors import TimeoutError as Unanswered

from hub.backbone import publishing
from hub.backbone.line import Line
from hub.backbone.names import stream_of
from hub.backbone.publishing import Publisher
from hub.backbone.stream import Seen, look
from hub.store.outbox import published
from tests.backbone.hubs import Consumer, Servers, Teller, facts_of, line_to, until

pytestmark = pytest.mark.processes

_COMMIT = "Nats-Batch-Commit"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is gathered, and what nobody told of is found soon."""
    monkeypatch.setattr("hub.backbone.publishing.GATHER_SECONDS", 0.0)
    monkeypatch.setattr("hub.backbone.publishing.POLL_SECONDS", 0.05)


async def stream(settings: Any, teller: Teller) -> Seen:
    async with line_to(settings) as line:
        seen = await look(line, teller.environment)
    assert seen is not None
    return seen


def stored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give how many messages go at once, as they go."""
    found: list[int] = []
    store = Line.store

    async def counted(line: Line, messages: Any, **more: Any) -> Any:
        found.append(len(messages))
        return await store(line, messages, **more)

    monkeypatch.setattr(Line, "store", counted)
    return found


async def test_a_batch_whose_acknowledgement_is_lost_is_not_in_the_stream_twice(
    shared: Servers, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there, and nobody knows: each message is given alone under its name, and found to be a repeat."""
    settings, lost = shared.settings(), list[dict[str, str]]()
    request = Client.request

    async def unanswered(
        client: Client, subject: str, content: bytes = b"", *, timeout: float, headers: Any = None
    ) -> Any:
        answer = await request(client, subject, content, timeout=timeout, headers=headers)
        if headers and _COMMIT in headers and not lost:
            lost.append(headers)
            raise Unanswered
        return answer

    monkeypatch.setattr(Client, "request", unanswered)
    backbone = teller.backbone(settings)
    await teller.tell(*range(20))
    await teller.published()
    assert len(lost) == 1 and (await stream(settings, teller)).messages == 20
    await teller.tell(*range(20, 30))
    await teller.published()
    assert await facts_of(settings, teller.environment) == [*range(30)]
    # Of the first ones it was the batch that brought them.
    assert (backbone.publisher.told, backbone.publisher.told_again) == (10, 0)


async def test_a_publisher_that_dies_before_its_mark_is_followed_by_another_one(
    shared: Servers, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the stream is not marked; who follows gives it once more, and consumers see nothing of that."""
    settings, reached = shared.settings(), asyncio.Event()
    consumer = Consumer(settings, teller.environment)

    async def dies(publisher: Publisher, _reached: Any) -> None:
        reached.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(Publisher, "_mark", dies)
        first = teller.backbone(settings, name="worker_1")
        await teller.tell(*range(20))
        async with asyncio.timeout(20):
            await reached.wait()
        assert teller.backlog() == 20 and (await stream(settings, teller)).messages == 20
        await first.stop()
    teller.backbones.remove(first)
    await teller.tell(*range(20, 25))
    second = teller.backbone(settings, name="worker_2")
    await teller.published()
    await consumer.has(range(25))
    await consumer.stop()
    assert (await stream(settings, teller)).messages == 25
    assert (second.publisher.told, second.publisher.told_again) == (5, 0)


async def test_where_the_server_refuses_a_batch_each_is_given_alone(shared: Servers, teller: Teller) -> None:
    """As where somebody has changed the stream since it was looked at."""
    settings = shared.settings()
    backbone = teller.backbone(settings)
    await teller.tell(*range(5))
    await teller.published()
    async with line_to(settings) as line:
        seen = await look(line, teller.environment)
        assert seen is not None and seen.takes_batches
        await line.ask(f"STREAM.UPDATE.{stream_of(teller.environment)}", {**seen.config, "allow_atomic": False})
        assert await line._store_together([("concord.x", b"", {}), ("concord.x", b"", {})]) is None
    await teller.tell(*range(5, 30))
    await teller.published()
    assert await facts_of(settings, teller.environment) == [*range(30)]
    assert (backbone.publisher.told, backbone.publisher.told_again) == (30, 0)


async def test_a_server_too_old_for_batches_is_given_each_alone(
    shared: Servers, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.backbone.line.BATCHES_SINCE", (99, 0))
    settings = shared.settings()
    backbone = teller.backbone(settings)
    await teller.tell(*range(30))
    await teller.published()
    assert not (await stream(settings, teller)).takes_batches
    assert await facts_of(settings, teller.environment) == [*range(30)]
    assert backbone.publisher.told == 30


async def test_what_comes_in_quick_succession_goes_together_and_what_comes_alone_at_once(
    shared: Servers, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.backbone.publishing.GATHER_SECONDS", 1.0)
    settings, loop = shared.settings(), asyncio.get_running_loop()
    backbone = teller.backbone(settings)
    await teller.tell(0)
    await teller.published()
    went = stored(monkeypatch)
    # As if that were long ago.
    backbone.publisher._went -= 1.0
    began = loop.time()
    await teller.tell(1)
    await until(lambda: went == [1])
    # Not after the time for which others are waited for.
    assert loop.time() - began < 0.9
    for number in range(2, 12):
        await teller.tell(number)
    await teller.published()
    assert went[0] == 1 and len(went) <= 3 and sum(went) == 11
    assert backbone.publisher.told == 12


async def test_large_facts_go_a_few_at_a_time(shared: Servers, teller: Teller, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many as have so many bytes, by what the last ones had."""
    monkeypatch.setattr(publishing, "BATCH_BYTES", 4000)
    settings, went = shared.settings(), stored(monkeypatch)
    backbone = teller.backbone(settings)
    await teller.tell(*range(50))
    await teller.published()
    await teller.tell(*range(50, 100))
    await teller.published()
    assert went[0] == 50 and all(3 <= count <= 20 for count in went[1:]) and sum(went) == 100
    assert await facts_of(settings, teller.environment) == [*range(100)]
    assert backbone.publisher.told == 100


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set how long a turn lasts."""
    return lambda seconds: monkeypatch.setattr("hub.backbone.publishing.TURN_SECONDS", seconds)


async def test_who_stands_in_leaves_the_feed_to_who_has_less_to_do(
    shared: Servers, teller: Teller, turns: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins where nobody else does, gives it back to one that comes, and takes it when that one is gone."""
    turns(60.0)
    monkeypatch.setattr("hub.backbone.publishing.YIELDS_SECONDS", 0.2)
    settings = shared.settings()
    worker = teller.backbone(settings, name="worker_1", stands_in=True)
    await teller.tell(0)
    await teller.published()
    api = teller.backbone(settings, name="api_1")
    await until(lambda: api.line is not None)
    await teller.tell(*range(1, 20))
    await until(lambda: worker.publisher.told + api.publisher.told == 20)
    await until(lambda: who(teller) == "api_1" and not worker.publisher.in_turn)
    before = worker.publisher.told
    await teller.tell(*range(20, 40))
    await teller.published()
    assert worker.publisher.told == before
    turns(0.2)
    await api.stop()
    await teller.tell(*range(40, 50))
    await teller.published()
    assert worker.publisher.told == before + 10 and who(teller) == "worker_1"
    assert await facts_of(settings, teller.environment) == [*range(50)]


async def test_who_stands_in_and_comes_late_takes_nobody_s_turn(
    shared: Servers, teller: Teller, turns: Callable[[float], None]
) -> None:
    """Its facts were on their way when another one came: its mark is left out, and what it has published is told."""
    turns(60.0)
    settings = shared.settings()
    api = teller.backbone(settings, name="api_1")
    await teller.tell(0)
    await teller.published()
    worker = teller.backbone(settings, name="worker_1", stands_in=True)
    await until(lambda: worker.line is not None)
    with teller.database.reading() as connection:
        reached = published(connection, teller.environment)
    await worker.publisher._mark(reached)
    assert who(teller) == "api_1"
    await api.publisher._mark(reached)
    assert who(teller) == "api_1"


def who(teller: Teller) -> str:
    with teller.database.reading() as connection:
        return published(connection, teller.environment).publisher
