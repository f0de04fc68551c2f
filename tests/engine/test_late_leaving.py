"""What leaves late goes out only if everything still lets it: also approvals, a paused connection, and a key's age."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.engine import outcomes
from hub.errors import OutcomeUnknown
from hub.model.effect import Idempotency
from hub.model.exchange import Request, Response
from hub.sdk.auth import FixedHeaders, Send
from hub.sdk.settings import Settings
from hub.store import connections
from hub.store.committer import Committer, Transaction, Write
from hub.store.history import Record
from hub.store.tables import effects
from tests.engine.house import SPEED, FastClock, House
from tests.engine.office import Early, Meddling, compiled, office, thing
from tests.engine.target import Target
from tests.engine.target import connector as over_http
from tests.engine.test_every_answer import finished, kept, living, scripted
from tests.engine.test_many import event, flow, lines, told
from tests.engine.test_once import one_write, things
from tests.engine.test_overslept import ADA, Drowsy, sleeping
from tests.engine.vendor import BASE, Vendor, connector


async def test_what_was_approved_by_somebody_who_has_left_meanwhile_does_not_leave_late(tmp_path: Path) -> None:
    """Neither the intent nor what is announced anew goes out without its approval."""
    here = await office(tmp_path, compiled())
    drowsy = Drowsy()
    here.house.accounts["vendor"]._authorizer = drowsy
    await here.house.give(thing())
    await here.waits()
    await here.say("ann")
    await here.say("ben")
    await drowsy.asleep.wait()
    await here.change("ben", disabled=True)
    here.clock.leap(timedelta(minutes=1))
    drowsy.let.set()
    await here.waits()
    assert here.written == []
    await here.house.stop()


async def test_what_leaves_late_does_not_leave_to_a_connection_that_was_paused_meanwhile(tmp_path: Path) -> None:
    """Whoever paused it counts on that from the commit on."""
    vendor = Vendor()
    async with sleeping(tmp_path, vendor, one_write(Idempotency.PROBE)) as sleeper:
        await sleeper.begin(things(1)[0])
        await sleeper.house.orders.set_connection("vendor", active=False, reason="closing", actor=ADA)
        assert await sleeper.wake(waiting=["connection"]) == {"waiting": 1}
        assert (vendor.number, sleeper.house.accounts["vendor"].health.failures) == (0, 0)
        await sleeper.house.orders.set_connection("vendor", active=True, reason="open again", actor=ADA)
        assert await sleeper.house.settled() == {"succeeded": 1}
    assert vendor.number == 1


@pytest.mark.parametrize("kind", ["native", "upsert", "native.bulk"])
async def test_neither_does_a_repeat_although_nothing_is_opened_for_it(tmp_path: Path, kind: str) -> None:
    """While it waited for its turn at the rate somebody paused the connection; it may have waited for hours."""
    paused: list[str] = []

    def pause(tx: Transaction) -> None:
        connections.set_state(tx, environment="test", name="vendor", state="paused", reason="closing", actor=ADA)

    def before(record: Record, _committer: Meddling) -> Write | None:
        if paused or not record.sends_again:
            return None
        paused.append(record.run_id)
        return Early(pause)

    class Pausing(Meddling):
        pass

    Pausing.before = staticmethod(before)
    target = Target(plan=scripted({"t0": ["after:reset"], "bulk": ["after:reset"]}))
    bulk = kind.endswith("bulk")
    compiled = flow(kind) if bulk else one_write(Idempotency(kind))
    async with target.serving(), living(tmp_path, target, compiled, committer=Pausing) as house:
        await house.give(event(lines(3)) if bulk else things(1)[0])
        assert await house.settled(waiting=["connection"]) == {"waiting": 1}
        assert (len(target.requests) or target.seen.total()) == 1
        await house.orders.set_connection("vendor", active=True, reason="open again", actor=ADA)
        assert await house.settled() == {"succeeded": 1}
        assert (len(target.requests) or target.seen.total()) == 2


class Late(Drowsy):
    """Falls asleep before the second write, which repeats the first."""

    def __init__(self) -> None:
        """Nothing was signed yet."""
        super().__init__()
        self.number = 0

    async def headers(self, request: Request, send: Send, now: datetime) -> Mapping[str, str]:
        """Sleep before the second."""
        self.number += 1
        if self.number == 1:
            return await FixedHeaders.headers(self, request, send, now)
        return await super().headers(request, send, now)


async def test_a_repeat_does_not_leave_once_the_target_may_have_forgotten_its_key(tmp_path: Path) -> None:
    """It was asked when the repeat was announced, and not when it left a day later."""
    vendor = Vendor(fault=lambda _request, number: "lost-after" if number == 1 else None)
    late, clock = Late(), FastClock()
    house = House(
        tmp_path,
        vendor,
        one_write(Idempotency.NATIVE),
        connector=replace(connector, authorizer=lambda _s: late),
        clock=clock,
    )
    await house.start()
    await house.give(things(1)[0])
    await late.asleep.wait()
    assert vendor.seen.total() == 1
    clock.leap(timedelta(days=2))
    for document in vendor.documents:
        # The vendor has forgotten it.
        document["mark"] = None
    late.let.set()
    await house.settled()
    assert len(vendor.documents) == 1
    await house.stop()


async def test_neither_does_the_repeat_of_a_request_with_many_items(tmp_path: Path) -> None:
    """A person finds out what became of each."""
    target, late, clock = Target(plan=scripted({"bulk": ["after:reset"]})), Late(), FastClock()
    sleepy = replace(over_http, authorizer=lambda _settings: late)
    async with target.serving(), living(tmp_path, target, flow("native.bulk"), connector=sleepy, clock=clock) as house:
        await house.give(event(lines(3)))
        await late.asleep.wait()
        clock.leap(timedelta(days=2))
        late.let.set()
        assert await finished(house) == {"parked": 1}
        assert {row.state for row in kept(house, effects)} == {"parked"}
    assert target.requests == [3]


async def test_a_request_that_is_held_up_again_and_again_leaves_nothing_in_doubt_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it did not leave once more says nothing of the first: the flow does not go on past such items."""
    target, late = Target(plan=scripted({"bulk": ["after:reset"]})), iter(range(20))
    few = "policy: patient\nkind: retry\nattempts: 2\nfirst: 0.02\nfactor: 1.5\nceiling: 0.5\njitter: 0.5\n"
    # The repeat is held up as often as it may be.
    monkeypatch.setattr(
        outcomes, "leaves_in_time", lambda _recorded, _now: not target.requests or next(late, None) is None
    )
    compiled = flow("native.bulk", "continue", **{"policies__patient.yaml": few})
    async with target.serving(), living(tmp_path, target, compiled) as house:
        await house.give(event(lines(3)))
        ends = await finished(house)
        states = [row.state for row in kept(house, effects) if row.batch]
    assert (ends, set(states), told(target)) == ({"parked": 1}, {"unknown"}, [])


class Sluggish(Committer):
    """Its commits take longer than a request may take to leave: 2.5 seconds of the test's clock."""

    def _make_durable(self, *given: Any) -> None:
        time.sleep(2.5 / SPEED)
        super()._make_durable(*given)


async def test_a_slow_disk_makes_writes_late_and_not_impossible(tmp_path: Path) -> None:
    """What is announced anew must hold for the time that announcing takes."""
    vendor = Vendor()
    house = House(tmp_path, vendor, one_write(Idempotency.PROBE), committer=Sluggish)
    await house.start()
    await house.give(things(1)[0])
    try:
        assert await house.settled(seconds=10) == {"succeeded": 1}
    finally:
        await house.crash()
    assert vendor.seen.total() == 1


class Slow(Vendor):
    """The first write leaves after 25 of its 30 seconds, as when a name is hard to resolve; it appears 15 later."""

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Serve a request."""
        if request.method == "POST" and self.number == 0:
            self.number += 1
            await asyncio.sleep(25 / SPEED)
            asyncio.get_running_loop().call_later(15 / SPEED, self._serve, request)
            raise OutcomeUnknown(code="timeout")
        return await super().send(request, headers, timeout)


async def test_what_left_late_is_looked_for_as_long_as_it_may_appear(tmp_path: Path) -> None:
    """How long that is counts from the end of the exchange, not from its beginning."""
    vendor = Slow()
    settings = Settings(base_url=BASE, settle=20)
    house = House(tmp_path, vendor, one_write(Idempotency.PROBE), settings=settings)
    await house.start()
    await house.give(things(1)[0])
    assert await house.settled() == {"succeeded": 1}
    await asyncio.sleep(30 / SPEED)
    assert len(vendor.documents) == 1
    await house.stop()
