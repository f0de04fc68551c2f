"""A feed tells each fact, and a consumer is given each once, whatever befalls the stream and its servers."""

from __future__ import annotations

import asyncio
import base64
import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, update

from hub.backbone.backbone import Backbone
from hub.backbone.line import Line
from hub.backbone.names import partition_of, stream_of, subject_of
from hub.backbone.publishing import ID, REPEATS
from hub.backbone.stream import look
from hub.runtime.clock import SystemClock
from hub.store.committer import Transaction, Work
from hub.store.outbox import published
from hub.store.outbox_tables import outbox
from tests.backbone.hubs import Consumer, Servers, Teller, facts_of, line_to, until

pytestmark = pytest.mark.processes

Make = Callable[[int], Servers]
Message = tuple[str, bytes, dict[str, str]]


async def mended(backbone: Backbone, count: int) -> None:
    """Wait until so many messages were told again."""
    await until(lambda: backbone.publisher.told_again >= count)


@pytest.fixture(autouse=True)
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream is looked at ten times a second."""
    monkeypatch.setattr("hub.backbone.publishing.LOOK_SECONDS", 0.1)
    monkeypatch.setattr("hub.backbone.publishing.POLL_SECONDS", 0.05)
    monkeypatch.setattr("hub.backbone.publishing.GATHER_SECONDS", 0.02)


async def test_facts_are_told_in_their_order_and_can_be_replayed(shared: Servers, teller: Teller) -> None:
    """By time, by type and by key; more of them than go at once."""
    settings = shared.settings()
    backbone = teller.backbone(settings)
    first, later = range(450), range(450, 460)
    await teller.tell(*first)
    await teller.published()
    await asyncio.sleep(0.01)
    since = SystemClock().now()
    await teller.tell(*later)
    await teller.published()
    asked = teller.environment
    assert await facts_of(settings, asked) == [*first, *later]
    assert await facts_of(settings, asked, since=since) == [*later]
    assert await facts_of(settings, asked, since=since + timedelta(hours=1)) == []
    assert await facts_of(settings, asked, type="tried.even") == [*range(0, 460, 2)]
    assert await facts_of(settings, asked, type="tried.*") == [*first, *later]
    assert await facts_of(settings, asked, type="other.*") == []
    assert await facts_of(settings, asked, key="k3", since=since) == [n for n in later if n % 7 == 3]
    assert (backbone.publisher.told, backbone.publisher.told_again) == (460, 0)
    async with line_to(settings) as line:
        seen = await look(line, asked)
    assert seen is not None and (seen.messages, seen.config["metadata"]["concord-hub"]) == (460, "hub_1")


async def test_a_follower_that_was_told_no_time_begins_with_what_comes(shared: Servers, teller: Teller) -> None:
    settings = shared.settings()
    teller.backbone(settings)
    await teller.tell(1, 2)
    await teller.published()
    consumer = Consumer(settings, teller.environment, since=None)
    await until(lambda: bool(consumer._follower._made))
    await asyncio.sleep(0.1)
    await teller.tell(3)
    await consumer.has([3])
    await consumer.stop()


async def deleted(line: Line, stream: str) -> None:
    await line.ask(f"STREAM.DELETE.{stream}")


async def purged(line: Line, stream: str) -> None:
    await line.ask(f"STREAM.PURGE.{stream}")


async def holed(line: Line, stream: str) -> None:
    for number in (3, 7, 8):
        await line.ask(f"STREAM.MSG.DELETE.{stream}", {"seq": number, "no_erase": True})


async def beheaded(line: Line, stream: str) -> None:
    await line.ask(f"STREAM.PURGE.{stream}", {"seq": 5})


@pytest.mark.parametrize(("befall", "lost"), [(deleted, 30), (purged, 30), (holed, 3), (beheaded, 4)])
async def test_what_a_stream_has_lost_is_told_again(befall: Any, lost: int, shared: Servers, teller: Teller) -> None:
    """Exactly that, and a consumer that has seen it takes no notice."""
    settings = shared.settings()
    backbone = teller.backbone(settings)
    consumer = Consumer(settings, teller.environment)
    await teller.tell(*range(30))
    await consumer.has(range(30))
    # The mark has when the stream's first message came.
    await teller.published()
    async with line_to(settings) as line:
        await befall(line, stream_of(teller.environment))
        await mended(backbone, lost)
    await teller.tell(*range(30, 40))
    await consumer.has(range(40))
    await consumer.stop()
    assert sorted(await facts_of(settings, teller.environment)) == [*range(40)]
    # It is told again once, and not at every look from then on.
    await asyncio.sleep(0.4)
    assert backbone.publisher.told_again == lost


async def test_a_stream_that_lost_its_end_while_others_were_added_is_found_out(shared: Servers, teller: Teller) -> None:
    """As after a server that had acknowledged more than it wrote: numbers are given out a second time."""
    settings = shared.settings()
    backbone = teller.backbone(settings)
    await teller.tell(*range(20))
    await teller.published()
    await backbone.stop()
    stream = stream_of(teller.environment)
    async with line_to(settings) as line:
        seen = await look(line, teller.environment)
        assert seen is not None
        # The same stream as far as the mark says, ten messages shorter.
        with teller.database.reading() as connection:
            before = published(connection, teller.environment)
        kept = [await line.ask(f"STREAM.MSG.GET.{stream}", {"seq": number}) for number in range(1, 11)]
        await deleted(line, stream)
        await line.ask(
            f"STREAM.CREATE.{stream}",
            {k: v for k, v in seen.config.items() if k != "metadata"} | {"metadata": {"concord-hub": "hub_1"}},
        )
        again = []
        for number, each in enumerate(kept):
            assert each is not None
            again.append((each["message"]["subject"], b"{}", {REPEATS: f"x{number}", ID: f"/fact_{number}"}))
        await line.store(again)
        now = await look(line, teller.environment)
    assert now is not None and now.last == 10 < before.last
    backbone = teller.backbone(settings, name="worker_2")
    await mended(backbone, 10)
    await teller.tell(20)
    await teller.published()
    assert backbone.publisher.told_again == 10


async def test_nats_may_be_away_at_the_start_and_later(own: Make, teller: Teller) -> None:
    """What happens meanwhile waits in the outbox."""
    servers = own(1)
    settings, name = servers.settings(), servers.nodes[0].name
    reached: list[bool] = []
    backbone = teller.backbone(settings)
    backbone._told = type(backbone._told)(reached=reached.append)
    await teller.tell(*range(10))
    await until(lambda: backbone.away not in (None, "not connected yet"))
    assert (teller.backlog(), reached) == (10, [])
    servers.start()
    await teller.published()
    consumer = Consumer(settings, teller.environment)
    await consumer.has(range(10))
    servers.kill(name)
    await until(lambda: backbone.line is None)
    await teller.tell(*range(10, 20))
    assert (teller.backlog(), reached) == (10, [True, False])
    servers.start()
    await consumer.has(range(20))
    await consumer.stop()
    assert backbone.publisher.told_again == 0


async def test_a_server_that_comes_back_with_nothing_is_told_everything_again(own: Make, teller: Teller) -> None:
    servers = own(1)
    node = servers.nodes[0]
    servers.start()
    backbone = teller.backbone(servers.settings())
    consumer = Consumer(servers.settings(), teller.environment)
    await teller.tell(*range(25))
    await consumer.has(range(25))
    servers.kill(node.name)
    shutil.rmtree(node.folder / "jetstream")
    await teller.tell(*range(25, 30))
    servers.start()
    await consumer.has(range(30))
    await teller.published()
    assert await facts_of(servers.settings(), teller.environment) == [*range(30)]
    assert backbone.publisher.told_again == 25
    await consumer.stop()


async def test_several_that_publish_do_no_harm(
    shared: Servers, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where none of them waits for its turn."""
    monkeypatch.setattr("hub.backbone.publishing.TURN_SECONDS", 0.0)
    settings = shared.settings()
    several = [teller.backbone(settings, name=f"worker_{number}") for number in range(3)]
    consumer = Consumer(settings, teller.environment)
    for start in range(0, 300, 20):
        await teller.tell(*range(start, start + 20))
    await consumer.has(range(300))
    await consumer.stop()
    assert sum(each.publisher.told_again for each in several) == 0


async def test_a_process_ends_while_it_publishes(
    shared: Servers, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At whatever moment it is told to."""
    monkeypatch.setattr("hub.backbone.publishing.TURN_SECONDS", 0.0)
    settings = shared.settings()
    consumer = Consumer(settings, teller.environment)
    for start in range(0, 600, 20):
        await teller.tell(*range(start, start + 20))
        backbone = teller.backbone(settings, name=f"worker_{start}")
        await until(lambda backbone=backbone: backbone.line is not None)  # type: ignore[misc]
        await asyncio.sleep(start / 20_000)
        async with asyncio.timeout(10):
            await backbone.stop()
        teller.backbones.remove(backbone)
    teller.backbone(settings, name="worker_0")
    await consumer.has(range(600))
    await consumer.stop()


async def test_one_publishes_at_a_time_and_another_when_it_is_gone(
    shared: Servers, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.backbone.publishing.TURN_SECONDS", 60.0)
    settings = shared.settings()
    first = teller.backbone(settings, name="worker_1")
    await teller.tell(0)
    await teller.published()
    second = teller.backbone(settings, name="worker_2")
    await teller.tell(*range(1, 20))
    await teller.published()
    assert (first.publisher.told, second.publisher.told) == (20, 0)
    monkeypatch.setattr("hub.backbone.publishing.TURN_SECONDS", 0.2)
    await first.stop()
    await teller.tell(*range(20, 30))
    await teller.published()
    assert (first.publisher.told, second.publisher.told) == (20, 10)


async def test_what_is_too_old_to_be_replayed_is_taken_away(
    shared: Servers, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the outbox, some rows at a time; when the stream is lost, that is not told again."""
    monkeypatch.setattr("hub.backbone.publishing.PRUNE_SECONDS", 0.0)
    monkeypatch.setattr("hub.backbone.publishing._PRUNED_AT_ONCE", 7)
    settings = shared.settings(CONCORD_FEED_DAYS="1")

    def grow_old(transaction: Transaction) -> None:
        transaction.connection.execute(update(outbox).where(outbox.c.position <= 20).values(at=1_600_000_000_000_000))

    await teller.tell(*range(25))
    await teller.committer.commit(Work(grow_old))
    backbone = teller.backbone(settings)
    await teller.published()

    def left() -> int:
        with teller.database.reading() as connection:
            return connection.execute(select(func.count()).select_from(outbox)).scalar_one()

    await until(lambda: left() == 5)
    assert await facts_of(settings, teller.environment) == [*range(25)]
    async with line_to(settings) as line:
        await deleted(line, stream_of(teller.environment))
    await mended(backbone, 5)
    assert await facts_of(settings, teller.environment) == [*range(20, 25)]


async def test_doubled_and_reordered_messages_are_given_once(shared: Servers, teller: Teller) -> None:
    """And what is no envelope at all is gone past."""
    settings = shared.settings()
    teller.backbone(settings)
    await teller.tell(*range(6))
    await teller.published()
    stream = stream_of(teller.environment)
    async with line_to(settings) as line:
        found = [await line.ask(f"STREAM.MSG.GET.{stream}", {"seq": number}) for number in (5, 2, 6, 2, 1)]
        again = [decoded(each) for each in found]
        broken: Message = (subject_of(teller.environment, "k", "t"), b"no json", {})
        assert None not in await line.store([*again[:2], broken, *again[2:]])
    consumer = Consumer(settings, teller.environment)
    await teller.tell(6)
    await consumer.has(range(7))
    await consumer.stop()


def decoded(found: dict[str, Any] | None) -> Message:
    """Give a message as it can be stored once more, without its names."""
    assert found is not None
    return found["message"]["subject"], base64.b64decode(found["message"]["data"]), {}


async def test_the_leader_of_a_cluster_may_be_killed(
    own: Make, teller: Teller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost, and nothing comes twice."""
    monkeypatch.setattr("hub.backbone.line.ANSWERS_WITHIN", 1.5)
    servers = own(3)
    servers.start()
    settings = servers.settings()
    backbone = teller.backbone(settings)
    await teller.tell(*range(50))
    await teller.published()
    consumer = Consumer(settings, teller.environment)
    async with line_to(settings) as line:
        found = await line.ask(f"STREAM.INFO.{stream_of(teller.environment)}")
    assert found is not None and found["config"]["num_replicas"] == 3
    going = asyncio.create_task(flood(teller, range(50, 400)))
    await asyncio.sleep(0.1)
    servers.kill(found["cluster"]["leader"])
    await going
    await teller.published()
    await consumer.has(range(400))
    await consumer.stop()
    assert sorted(await facts_of(settings, teller.environment)) == [*range(400)]
    assert backbone.publisher.stuck is None


async def flood(teller: Teller, numbers: range) -> None:
    """Tell facts one after the other, so that the fault comes in between."""
    for start in range(numbers.start, numbers.stop, 10):
        await teller.tell(*range(start, start + 10))
        await asyncio.sleep(0.02)


async def test_the_stream_of_another_hub_is_left_alone(shared: Servers, teller: Teller) -> None:
    """Two hubs of one environment's name need an account each; until then the second one's feed waits."""
    settings = shared.settings()
    stream = stream_of(teller.environment)
    async with line_to(settings) as line:
        config = {"name": stream, "subjects": [f"concord.{teller.environment}.feed.>"], "storage": "memory"}
        await line.ask(f"STREAM.CREATE.{stream}", {**config, "metadata": {"concord-hub": "hub_other"}})
        backbone = teller.backbone(settings)
        await teller.tell(1)
        await until(lambda: "another hub" in (backbone.publisher.stuck or ""))
        assert teller.backlog() == 1
        # Wake-ups do not depend on it.
        assert backbone.line is not None
        await deleted(line, stream)
        await teller.published()
        assert backbone.publisher.stuck is None


def test_partitions_spread_keys() -> None:
    assert len({partition_of(f"k{number}") for number in range(7)}) > 2
