"""Idle workers are woken by a message, and find their work without one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select, update

from hub.backbone.backbone import Told
from hub.engine.worker import POLL_SECONDS, SAFETY_SECONDS, Worker
from hub.store.committer import Work
from hub.store.tables import runs
from tests.backbone.hubs import Servers, Teller, until
from tests.engine.house import House, bundle
from tests.engine.vendor import Vendor

pytestmark = pytest.mark.processes

FLOW = """
flow: tested
title: Tested
owner: ada@example.com
on: { event: vendor.thing.made }
key: "data.id"
business_key: data.id
steps:
  - id: pause
    wait: { for: PT1S }
"""


class Patient(Worker):
    """A worker that never looks for work by itself."""

    poll_seconds = 1e6


async def test_what_one_process_cannot_take_wakes_the_others(shared: Servers, teller: Teller) -> None:
    """Each of them, and not itself; one message for what is rung in one moment."""
    heard: dict[str, int] = {}

    def told(name: str) -> Told:
        return Told(work=lambda: heard.__setitem__(name, heard.get(name, 0) + 1))

    names = ("one", "two", "three")
    backbones = {name: teller.backbone(shared.settings(), name=name, told=told(name)) for name in names}
    # Each looks once when it is connected: what was rung before, nobody has heard.
    await until(lambda: heard == dict.fromkeys(names, 1))
    for _ in range(50):
        backbones["one"].work()
    await until(lambda: heard == {"one": 1, "two": 2, "three": 2})
    await asyncio.sleep(0.05)
    assert heard == {"one": 1, "two": 2, "three": 2}


async def test_a_message_is_enough_for_a_worker_that_never_looks(
    shared: Servers, teller: Teller, tmp_path: Path
) -> None:
    """The run was made ready by another process, of which this one's worker knows nothing."""
    house = House(tmp_path / "house", Vendor(), bundle(FLOW), worker=Patient)
    other = teller.backbone(shared.settings(), name="other")
    here = teller.backbone(shared.settings(), name="here", told=Told(work=house.worker.wake))
    await until(lambda: here.line is not None and other.line is not None)
    await house.start()
    await house.give({"id": "a"})
    await house.settled(waiting=["timer"])

    def stands() -> tuple[str, int]:
        with house.database.reading() as connection:
            row = connection.execute(select(runs.c.state, runs.c.epoch)).one()
        return row.state, row.epoch

    # Asleep for a million seconds, but for the run's own timer; that one has come and gone.
    await house.settled()
    # As when another process commits it, nobody here is told that there is something to do.
    ready = update(runs).values(state="queued", claimable_at=1, blocking=True, finished_at=None)
    await house.committer.commit(Work(lambda transaction: transaction.connection.execute(ready).rowcount))
    await asyncio.sleep(0.1)
    state, before = stands()
    assert state == "queued"
    other.work()
    await until(lambda: stands()[1] > before)
    await house.settled()
    await house.stop()


async def test_who_is_told_polls_rarely_and_who_is_not_polls_often(tmp_path: Path) -> None:
    house = House(tmp_path, Vendor(), bundle(FLOW))
    worker = house.worker
    assert worker.poll_seconds == POLL_SECONDS < SAFETY_SECONDS
    worker.relies(on_others=True)
    assert worker.poll_seconds == SAFETY_SECONDS and worker._awake.is_set()
    worker._awake.clear()
    worker.relies(on_others=False)
    # One that sleeps for the longer time is woken now.
    assert worker.poll_seconds == POLL_SECONDS and worker._awake.is_set()
    await house.stop()


async def test_a_claim_that_filled_all_hands_leaves_work_for_others(tmp_path: Path) -> None:
    """And one that did not leaves nobody awake for nothing."""
    house = House(tmp_path, Vendor(), bundle(FLOW))
    left: list[bool] = []
    house.committer.on_left = lambda: left.append(True)
    house.committer.start()
    await house.give({"id": "a"}, {"id": "b"}, {"id": "c"})
    left.clear()
    claimed = await house.committer.commit(house.worker.claim(2))
    assert len(claimed.runs) == 2 and left == [True]
    left.clear()
    claimed = await house.committer.commit(house.worker.claim(2))
    assert len(claimed.runs) == 1 and left == []
    await house.stop()
