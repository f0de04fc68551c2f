"""A process may sleep between the record of a write and its sending: it comes too late, or says anew that it sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.errors import StaleLease
from hub.model.ambient import of_micros
from hub.model.effect import EffectState, Idempotency
from hub.model.exchange import Request
from hub.sdk.auth import FixedHeaders, Send
from hub.store import claims, runs
from hub.store.committer import Work
from hub.store.history import Record
from hub.store.tables import attempts, effects
from hub.store.tables import runs as run_table
from tests.engine.house import FastClock, House
from tests.engine.target import Target
from tests.engine.target import connector as over_http
from tests.engine.test_every_answer import kept, living
from tests.engine.test_many import bulk_documents, event, flow, lines
from tests.engine.test_once import exceptions, one_write, things
from tests.engine.vendor import Vendor, connector

ADA = "person:p_ada"


class Drowsy(FixedHeaders):
    """Signs the first write only when it is let: so long the process is as good as asleep."""

    def __init__(self) -> None:
        """Nobody lets it yet."""
        super().__init__({"authorization": "Bearer test"})
        self.asleep, self.let = asyncio.Event(), asyncio.Event()

    async def headers(self, request: Request, send: Send, now: datetime) -> Mapping[str, str]:
        """Sleep before the first write."""
        if request.method == "POST" and not self.asleep.is_set():
            self.asleep.set()
            await self.let.wait()
        return await super().headers(request, send, now)


class Sleeper:
    """A hub whose first write falls asleep after it was recorded, and before it leaves."""

    def __init__(self, house: House, clock: FastClock, drowsy: Drowsy) -> None:
        """Take the hub."""
        self.house = house
        self._clock = clock
        self._drowsy = drowsy

    async def begin(self, work: Mapping[str, Any]) -> None:
        """Let it fall asleep, and time pass."""
        await self.house.give(work)
        async with asyncio.timeout(20):
            await self._drowsy.asleep.wait()
        self._clock.leap(timedelta(minutes=1))

    async def taken_over(self) -> None:
        """Let another process take the run."""
        await self.house.committer.commit(Work(lambda tx: runs.recover(tx, environment="test", actor="other")))

    async def known(self) -> None:
        """Wait until nobody wonders any more what became of the write."""
        async with asyncio.timeout(20):
            while any(row.state not in (EffectState.DONE, EffectState.PARKED) for row in kept(self.house, effects)):
                await asyncio.sleep(0.005)

    async def wake(self, waiting: Sequence[str] = ()) -> dict[str, int]:
        """Let it wake; gives the runs at rest."""
        self._drowsy.let.set()
        return await self.house.settled(waiting=waiting)


@asynccontextmanager
async def sleeping(directory: Path, vendor: Vendor, compiled: Any) -> AsyncIterator[Sleeper]:
    """Run a hub over a vendor in memory."""
    drowsy, clock = Drowsy(), FastClock()
    sleepy = replace(connector, authorizer=lambda _settings: drowsy)
    house = House(directory, vendor, compiled, connector=sleepy, clock=clock)
    await house.start()
    try:
        yield Sleeper(house, clock, drowsy)
    finally:
        await house.stop()


@pytest.mark.parametrize("kind", list(Idempotency))
async def test_what_another_process_has_taken_over_does_not_go_out(tmp_path: Path, kind: Idempotency) -> None:
    """The other one has looked, and made it or left it to a person: nothing is there that could have arrived since."""
    vendor = Vendor()
    async with sleeping(tmp_path, vendor, one_write(kind)) as sleeper:
        await sleeper.begin(things(1)[0])
        await sleeper.taken_over()
        await sleeper.known()
        made = 0 if kind is Idempotency.UNSAFE else 1
        assert vendor.seen.total() == made
        await sleeper.wake()
        assert (vendor.seen.total(), len(vendor.documents)) == (made, made)
        assert len(exceptions(sleeper.house)) == 1 - made


@pytest.mark.parametrize("kind", list(Idempotency))
async def test_whoever_still_has_the_run_says_anew_that_it_sends(tmp_path: Path, kind: Idempotency) -> None:
    """How long the write may still appear counts from then."""
    vendor = Vendor()
    async with sleeping(tmp_path, vendor, one_write(kind)) as sleeper:
        await sleeper.begin(things(1)[0])
        before = sleeper.house.ambient.now()
        assert await sleeper.wake() == {"succeeded": 1}
        (effect,), tried = kept(sleeper.house, effects), kept(sleeper.house, attempts)
    assert vendor.seen.total() == len(vendor.documents) == len(tried) == 1
    assert effect.state == EffectState.DONE
    assert of_micros(effect.created_at) + timedelta(seconds=50) < before < of_micros(effect.sent_at)


@pytest.mark.parametrize("kind", list(Idempotency))
async def test_whoever_was_told_to_stop_sends_nothing_and_has_nothing_to_find_out(
    tmp_path: Path, kind: Idempotency
) -> None:
    """That it never left is known also of what could not be looked up."""
    vendor = Vendor()
    async with sleeping(tmp_path, vendor, one_write(kind)) as sleeper:
        await sleeper.begin(things(1)[0])
        (run,) = kept(sleeper.house, run_table)
        await sleeper.house.run_orders.cancel(run.id, reason="a mistake", actor=ADA)
        assert await sleeper.wake() == {"cancelled": 1}
        assert [effect.state for effect in kept(sleeper.house, effects)] == [EffectState.FAILED]
        assert (vendor.number, exceptions(sleeper.house)) == (0, ())


@pytest.mark.parametrize("kind", [Idempotency.NATIVE, Idempotency.UPSERT, Idempotency.PROBE])
@pytest.mark.parametrize("over", [False, True])
async def test_the_same_holds_for_many_items_in_one_request(tmp_path: Path, kind: Idempotency, *, over: bool) -> None:
    """The request goes out once: by the one who has the run."""
    target, drowsy, clock = Target(), Drowsy(), FastClock()
    sleepy = replace(over_http, authorizer=lambda _settings: drowsy)
    compiled = flow(f"{kind}.bulk")
    async with target.serving(), living(tmp_path, target, compiled, connector=sleepy, clock=clock) as house:
        sleeper = Sleeper(house, clock, drowsy)
        await sleeper.begin(event(lines(3)))
        if over:
            await sleeper.taken_over()
            await sleeper.known()
        assert await sleeper.wake() == {"succeeded": 1}
    assert target.requests == [3]
    assert bulk_documents(target) == ["l0", "l1", "l2"]


async def test_whose_run_was_taken_back_records_nothing_even_before_it_is_claimed_anew(tmp_path: Path) -> None:
    """Between the two nobody works on it, least of all who had it before."""
    house = House(tmp_path, Vendor(), one_write(Idempotency.PROBE))
    house.committer.start()
    await house.give(things(1)[0])
    claimed = await house.committer.commit(claims.Claim(environment="test", owner="sleeper", limit=1))
    run = claimed.runs[0].run
    await house.committer.commit(Work(lambda tx: runs.recover(tx, environment="test", actor="other")))
    late = Record(run_id=run["id"], epoch=run["epoch"], worker="sleeper", change={"state": "succeeded"})
    with pytest.raises(StaleLease):
        await house.committer.commit(late)
    assert [row.state for row in kept(house, run_table)] == ["queued"]
    await house.stop()
