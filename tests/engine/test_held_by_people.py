"""What people hold sends nothing new, whatever it was doing; what was on its way ends, and resuming lets all go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from hub.model.effect import EffectState, Idempotency
from hub.model.exchange import Request, Response
from hub.model.hold import HoldKind
from hub.model.run import RunState, WaitKind
from hub.operate.holds import Held
from hub.store.history import Record
from hub.store.tables import effects, runs
from tests.engine.house import FastClock, House, bundle
from tests.engine.test_once import FILES, THREE_WRITES, one_write, things
from tests.engine.vendor import Vendor

WHY = "The books are checked"


class Slow(Vendor):
    """Keeps the first request until it is told to answer."""

    def __init__(self, **more: Any) -> None:
        """Keep nothing yet."""
        super().__init__(**more)
        self.reached, self.answer = asyncio.Event(), asyncio.Event()

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Serve it, late."""
        first = not self.reached.is_set()
        self.reached.set()
        if first:
            await self.answer.wait()
        return await super().send(request, headers, timeout)


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = House(tmp_path, Slow(), bundle(THREE_WRITES, **FILES))
    await made.start()
    yield made
    await made.stop()


def vendor_of(house: House) -> Vendor:
    """Give the vendor in memory that a house speaks to."""
    assert isinstance(house.vendor, Vendor)
    return house.vendor


def rows(house: House, table: Any) -> list[Any]:
    with house.database.reading() as connection:
        return list(connection.execute(select(table).order_by(table.c.created_at)))


def thing(kind: HoldKind, house: House) -> Held:
    name = {HoldKind.RUN: rows(house, runs)[0].id, HoldKind.CONNECTION: "vendor"}.get(kind, "tested")
    return Held(kind=kind, name=name, key="k0" if kind is HoldKind.KEY else "")


@pytest.mark.parametrize("kind", HoldKind)
async def test_a_hold_lets_what_is_on_its_way_end_and_nothing_else_begin(house: House, kind: HoldKind) -> None:
    vendor = house.vendor
    assert isinstance(vendor, Slow)
    await house.give(*things(1))
    await vendor.reached.wait()
    held = thing(kind, house)
    await house.hold_orders.hold(held, reason=WHY, actor="person:p_1")
    vendor.answer.set()
    waits = WaitKind.CONNECTION if kind is HoldKind.CONNECTION else WaitKind.HOLD
    await house.settled(waiting=[waits])
    # The first was on its way: it is done and recorded. No other has begun.
    assert [(row.path, row.state) for row in rows(house, effects)] == [("first", EffectState.DONE)]
    assert len(vendor.documents) == 1
    (run,) = rows(house, runs)
    assert (run.state, run.wait_kind, run.claimable_at) == (RunState.WAITING, waits, None)
    if kind is not HoldKind.CONNECTION:
        assert (run.wait_on, run.reason) == (f"hold:{kind.value}:{held.name}:{held.key}", WHY)
    await house.hold_orders.resume(held, actor="person:p_2")
    assert await house.settled() == {"succeeded": 1}
    assert len(vendor.documents) == 3


@pytest.mark.parametrize("kind", [HoldKind.FLOW, HoldKind.KEY])
async def test_what_comes_while_it_is_held_waits_in_order(tmp_path: Path, kind: HoldKind) -> None:
    """Also through a restart; another key is not touched by the hold of one."""
    vendor, clock = Vendor(), FastClock()
    house = House(tmp_path, vendor, bundle(THREE_WRITES, **FILES), clock=clock)
    await house.start()
    held = Held(kind=kind, name="tested", key="k0" if kind is HoldKind.KEY else "")
    await house.hold_orders.hold(held, reason=WHY, actor="person:p_1")
    await house.give(*things(6, keys=2))
    await house.settled(waiting=["hold"], behind=True)
    went = 3 if kind is HoldKind.KEY else 0
    assert len([run for run in rows(house, runs) if run.state == RunState.SUCCEEDED]) == went
    await house.crash()

    house = House(tmp_path, vendor, bundle(THREE_WRITES, **FILES), clock=clock)
    await house.start()
    await house.settled(waiting=["hold"], behind=True)
    assert len(vendor.documents) == 3 * went
    await house.hold_orders.resume(held, actor="person:p_1")
    assert await house.settled() == {"succeeded": 6}
    ended = sorted((run for run in rows(house, runs) if run.key == "k0"), key=lambda run: run.finished_at)
    assert [run.position for run in ended] == sorted(run.position for run in ended)
    await house.stop()


@pytest.mark.parametrize("second", [HoldKind.KEY, HoldKind.FLOW])
async def test_of_two_holds_nobody_goes_on_waiting_for_the_one_that_was_just_lifted(
    house: House, monkeypatch: pytest.MonkeyPatch, second: HoldKind
) -> None:
    """It is lifted between the run's look and the record that the run waits for it, and the other one later."""
    assert isinstance(house.vendor, Slow)
    await house.give(*things(1))
    await house.vendor.reached.wait()
    first, other = thing(HoldKind.RUN, house), thing(second, house)
    for held in (first, other):
        await house.hold_orders.hold(held, reason=WHY, actor="person:p_1")
    commit, met = house.committer.commit, list[str]()

    async def lifted_meanwhile(write: Any) -> Any:
        if isinstance(write, Record) and write.waits:
            met.append(write.waits[0].topic)
            if len(met) == 1:
                await house.hold_orders.resume(first, actor="person:p_2")
        return await commit(write)

    monkeypatch.setattr(house.committer, "commit", lifted_meanwhile)
    house.vendor.answer.set()
    await house.settled(waiting=[WaitKind.HOLD])
    assert met[0].startswith("hold:run:")
    await house.hold_orders.resume(other, actor="person:p_2")
    assert await house.settled() == {"succeeded": 1}


async def test_an_unknown_write_of_a_held_run_is_not_sent_again_until_it_is_resumed(tmp_path: Path) -> None:
    """Sending the same once more would find out; while somebody holds the run, nothing is sent at all."""
    vendor = Slow(fault=lambda request, number: "lost-after" if number == 1 else None)
    house = House(tmp_path, vendor, one_write(Idempotency.NATIVE))
    await house.start()
    await house.give(*things(1))
    await vendor.reached.wait()
    held = thing(HoldKind.RUN, house)
    await house.hold_orders.hold(held, reason=WHY, actor="person:p_1")
    vendor.answer.set()
    await house.settled(waiting=["hold"])
    (effect,) = rows(house, effects)
    assert (effect.state, vendor.seen["native"]) == (EffectState.UNKNOWN, 1)
    await house.hold_orders.resume(held, actor="person:p_1")
    assert await house.settled() == {"succeeded": 1}
    assert len(vendor.documents) == 1
    await house.stop()


async def test_taking_back_waits_too_while_the_flow_is_held(tmp_path: Path) -> None:
    """A reversal is a new write like any other."""
    saga = THREE_WRITES.replace(
        "    retry: patient\n  - id: second", "    undo: thing.reverse\n    retry: patient\n  - id: second"
    )
    house = House(tmp_path, Vendor(), bundle(saga, **FILES))
    await house.start()
    await house.give(*things(1))
    assert await house.settled() == {"succeeded": 1}
    (run,) = rows(house, runs)
    flow = Held(kind=HoldKind.FLOW, name="tested")
    await house.hold_orders.hold(flow, reason=WHY, actor="person:p_1")
    await house.run_orders.take_back(run.id, actor="person:p_2", reason="Wrong customer")
    await house.settled(waiting=["hold"])
    assert len(vendor_of(house).documents) == 3
    await house.hold_orders.resume(flow, actor="person:p_1")
    assert await house.settled() == {"compensated": 1}
    assert len(vendor_of(house).documents) == 4
    await house.stop()
