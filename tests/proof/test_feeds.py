"""A feed's consumer beside a proof, and what is found when it is compared with what the database says was told."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hub.proof import feeds
from hub.proof.feeds import Fact
from hub.proof.invariants import Invariant
from hub.proof.records import reading
from tests.backbone.hubs import Servers, Teller, until


def _facts(*keys: str) -> list[Fact]:
    return [
        Fact(source="/concord/e/stripe", id=f"evt_{number}", type="tried", key=key, sequence=number)
        for number, key in enumerate(keys, start=1)
    ]


def _broken(told: list[Fact], taken: list[Fact]) -> list[Invariant]:
    return [finding.invariant for finding in feeds.find(told, taken)]


def test_what_came_once_and_in_the_order_of_its_key_is_as_it_must_be() -> None:
    """Of different keys nothing is said."""
    one, two, three, four = told = _facts("a", "b", "a", "b")
    assert _broken(told, told) == []
    assert _broken(told, [two, four, one, three]) == []


def test_what_is_missing_reordered_repeated_or_invented_is_found() -> None:
    one, two, three, four = told = _facts("a", "b", "a", "b")
    (finding,) = feeds.find(told, [one, two, four])
    assert finding.invariant is Invariant.NOTHING_LOST
    assert finding.detail == "feed: 1 facts of 4 never came: tried /concord/e/stripe evt_3, number 3"
    (finding,) = feeds.find(told, [three, one, two, four])
    assert finding.invariant is Invariant.ORDER_PER_KEY
    assert "evt_1, number 1 after number 3" in finding.detail
    assert _broken(told, [one, two, three, four, four]) == [Invariant.NOTHING_TWICE]
    assert _broken(told[:3], told) == [Invariant.RECORDED_IS_TRUE]
    # Under another place it is another one.
    assert _broken(told, [one, two, three, replace(four, sequence=5)]) == [Invariant.RECORDED_IS_TRUE]
    # An end that two workers have recorded comes once, and is found where it was told.
    (finding,) = feeds.find([*told, replace(four, sequence=5)], told)
    assert finding.invariant is Invariant.NOTHING_TWICE
    assert finding.detail.startswith("feed: 1 are told twice under one name: tried /concord/e/stripe evt_4, number 5")
    assert [each.detail for each in feeds.find(told, told, ["event evt_9"])] == [
        "feed: of 1 it is not told: event evt_9"
    ]


def test_a_line_that_is_being_written_is_left_for_later(tmp_path: Path) -> None:
    place = tmp_path / "taken"
    assert feeds.taken(place) == []
    whole = b'{"source":"/concord/e","id":"i","type":"t","partitionkey":"k","sequence":"00000000000000000042"}\n'
    place.write_bytes(whole + whole[:20])
    assert feeds.taken(place) == [Fact(source="/concord/e", id="i", type="t", key="k", sequence=42)]


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Give one server of NATS."""
    made = Servers(tmp_path)
    with made.processes:
        made.start()
        yield made


@pytest.mark.embedded("its file is read from outside")
@pytest.mark.processes
async def test_a_consumer_takes_everything_although_the_stream_is_wiped(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins at the beginning, knows again what it has, and what it took is what the database says was told."""
    monkeypatch.setattr("hub.backbone.publishing.LOOK_SECONDS", 0.1)
    teller, place, (node,) = Teller(tmp_path / "data", "wiped"), tmp_path / "taken", servers.nodes
    await teller.open()
    backbone = teller.backbone(servers.settings())
    await teller.tell(*range(40))
    await teller.published()
    command = feeds.command("wiped", place)
    consumer = await asyncio.to_thread(servers.processes.start, "consumer", command, servers.environ())
    await until(lambda: len(feeds.taken(place)) == 40)
    servers.kill(node.name)
    shutil.rmtree(node.folder / "jetstream")
    await teller.tell(*range(40, 50))
    servers.start(node.name)
    await until(lambda: len(feeds.taken(place)) >= 50)
    with reading(tmp_path / "data") as connection:
        told = feeds.told(connection, "wiped")
        assert list(feeds.find(told, feeds.taken(place), feeds.untold(connection, "wiped"))) == []
    assert len(told) == 50
    assert backbone.publisher.told_again == 40
    assert consumer.running
    await teller.close()
