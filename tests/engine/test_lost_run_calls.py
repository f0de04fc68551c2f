"""Who has lost a run, or was told to stop, neither calls a flow nor tells of an event for it any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.engine.children import OWN, Children
from hub.model.hold import HoldKind
from hub.model.run import RunState, WaitKind
from hub.operate.holds import Held
from hub.store import run_orders, runs
from hub.store.committer import Transaction, Work
from hub.store.events import Accept
from hub.store.tables import events
from tests.engine.house import House, bundle
from tests.engine.test_children import EVENT, PARENT, WORKSPACE, Hut, kinds, rows, until
from tests.engine.test_every_answer import kept

ADA = "person:p_ada"
#: What is begun for a run: the flow that comes of it, and the type of the event by which it is begun.
BEGUN = [("called", f"{OWN}.flow.called"), ("listens", "concord.thing.done")]


class Nap:
    """A worker that falls asleep once, and whoever lets it go on."""

    def __init__(self) -> None:
        self._asleep, self._goes = asyncio.Event(), asyncio.Event()

    async def take(self) -> None:
        """Sleep, the first time."""
        if not self._asleep.is_set():
            self._asleep.set()
            await self._goes.wait()

    async def begun(self) -> None:
        """Wait until it sleeps."""
        async with asyncio.timeout(20):
            await self._asleep.wait()

    async def end(self) -> None:
        """Let it wake, and do what it was about to."""
        self._goes.set()
        await asyncio.sleep(0.2)


@asynccontextmanager
async def napping(directory: Path, type: str, *, afterwards: bool = False) -> AsyncIterator[tuple[House, Hut, Nap]]:
    """Run a hub that falls asleep before (or right after) it has made the event durable by which something begins."""
    hut, nap = Hut(directory), Nap()
    house = await hut.open()
    original = house.committer.commit

    async def commit(write: Any) -> Any:
        its = isinstance(write, Accept) and write.event["type"] == type
        if its and not afterwards:
            await nap.take()
        result = await original(write)
        if its and afterwards:
            await nap.take()
        return result

    house.committer.commit = commit  # type: ignore[method-assign]
    await house.give(EVENT)
    await nap.begun()
    try:
        yield house, hut, nap
    finally:
        await nap.end()
        await house.stop()


def lost(then: Callable[[Transaction], object] = lambda _: None) -> Work:
    """Take the runs from the worker, and do something else in the same moment."""

    def work(transaction: Transaction) -> None:
        runs.hand_back(transaction, environment="test", owner="worker_test")
        then(transaction)

    return Work(work)


def cancelled(house: House) -> Work:
    """Take the newest run of the flow from the worker, and end it."""
    run = rows(house, "tested")[-1]["id"]
    return lost(lambda tx: run_orders.cancel(tx, run, actor=ADA, reason="a mistake"))


@pytest.mark.parametrize(("flow", "type"), BEGUN)
async def test_nothing_begins_for_a_run_that_was_lost_and_has_ended_since(tmp_path: Path, flow: str, type: str) -> None:
    async with napping(tmp_path, type) as (house, hut, nap):
        await house.committer.commit(cancelled(house))
        before = kinds(hut.vendor)
        await nap.end()
        assert rows(house, "tested")[0]["state"] == RunState.CANCELLED
        assert rows(house, flow) == []
        assert type not in {event.type for event in kept(house, events)}
        assert kinds(hut.vendor) == before


@pytest.mark.parametrize(("flow", "type"), BEGUN)
async def test_nothing_begins_for_a_run_that_was_told_to_end_meanwhile(tmp_path: Path, flow: str, type: str) -> None:
    async with napping(tmp_path, type) as (house, _, nap):
        await house.run_orders.cancel(rows(house, "tested")[0]["id"], actor=ADA, reason="a mistake")
        await nap.end()
        await until(house, "tested", RunState.CANCELLED)
        assert rows(house, flow) == []


@pytest.mark.parametrize(("flow", "type"), BEGUN)
async def test_nothing_begins_for_a_run_that_people_hold_until_they_let_it_go(
    tmp_path: Path, flow: str, type: str
) -> None:
    async with napping(tmp_path, type) as (house, _, nap):
        held = Held(kind=HoldKind.RUN, name=rows(house, "tested")[0]["id"], key="")
        await house.hold_orders.hold(held, reason="The books are checked", actor=ADA)
        await nap.end()
        assert (await until(house, "tested", RunState.WAITING))["wait_kind"] == WaitKind.HOLD
        assert rows(house, flow) == []
        await house.hold_orders.resume(held, actor=ADA)
        await until(house, "tested", RunState.SUCCEEDED)
        await until(house, flow, RunState.SUCCEEDED)
        assert len(rows(house, flow)) == 1


@pytest.mark.parametrize(("flow", "type"), BEGUN)
@pytest.mark.parametrize("afterwards", [False, True])
async def test_whoever_takes_the_run_over_begins_it_once_or_finds_it_begun(
    tmp_path: Path, flow: str, type: str, *, afterwards: bool
) -> None:
    async with napping(tmp_path, type, afterwards=afterwards) as (house, hut, nap):
        assert len(rows(house, flow)) == afterwards
        await house.committer.commit(lost())
        await until(house, "tested", RunState.SUCCEEDED)
        await until(house, flow, RunState.SUCCEEDED)
        await nap.end()
        assert len(rows(house, flow)) == 1
        assert [event.type for event in kept(house, events)].count(type) == 1
        assert kinds(hut.vendor) == [("native", "after"), ("probe", "a"), ("upsert", "heard")]


async def test_who_has_lost_a_replay_takes_no_called_flow_from_the_one_that_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise nobody would tell that one when the called flow ends."""
    nap, original = Nap(), Children._adopt

    async def adopt(self: Children, child: str, path: str) -> None:
        await nap.take()
        await original(self, child, path)

    monkeypatch.setattr(Children, "_adopt", adopt)
    hut = Hut(tmp_path)
    hut.bundle = bundle(PARENT.replace("  - id: child\n", "  - id: child\n    timeout: PT1H\n"), **WORKSPACE)
    house = await hut.open()
    await house.give({**EVENT, "value": "bad"})
    parked = await until(house, "called", RunState.PARKED)
    for naps in (True, False):
        await until(house, "tested", RunState.WAITING)
        hut.clock.leap(timedelta(hours=1, minutes=1))
        run = await until(house, "tested", RunState.PARKED)
        await house.run_orders.replay(run["id"], actor=ADA)
        if naps:
            await nap.begun()
            await house.committer.commit(lost())
    waits = await until(house, "tested", RunState.WAITING)
    await nap.end()
    assert (len(rows(house, "tested")), rows(house, "called")[0]["parent_run"]) == (3, waits["id"])
    hut.vendor.forgiving = True
    await house.run_orders.replay(parked["id"], actor=ADA)
    await until(house, "tested", RunState.SUCCEEDED)
    await house.stop()
