"""After a restore nothing that was done between the backup and the restore is done again, and what was not, is."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.engine.suspicion import LOOKED_UP, SKEW, Lost, Suspicion
from hub.model.ambient import to_micros
from hub.model.effect import EffectState
from hub.sdk.connector import WriteOperation
from hub.store.marks import Restored
from hub.store.tables import audit, effects, runs
from tests.engine.house import FastClock, bundle_for
from tests.engine.target import Target, connector
from tests.engine.test_every_answer import finished, kept, living, one_write
from tests.engine.test_many import bulk_documents, event, flow, lines
from tests.engine.test_once import FILES, exceptions, things

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def restored(backup: datetime, at: datetime) -> Restored:
    """Tell of a restore."""
    return Restored(backup_at=backup, unknown_from=backup, restored_at=at, file="b", sha256="")


SPAN = Lost(since=NOON, until=NOON + HOUR)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "began", "after", "span"),
    [
        # What began before the restore may have been sent then; a vendor's clock may be a little ahead.
        ("unsafe.write", NOON - HOUR, 100 * DAY, SPAN),
        ("upsert.write", NOON + HOUR + SKEW / 2, 100 * DAY, SPAN),
        # An earlier event about the same may have led to what something newer leads to.
        ("probe.write", NOON + HOUR + SKEW, LOOKED_UP - SKEW, SPAN),
        ("probe.write", NOON + HOUR + SKEW, LOOKED_UP, None),
        ("keyed.write", NOON + HOUR + SKEW, LOOKED_UP - SKEW, SPAN),
        ("native.write", NOON + HOUR + SKEW, DAY - SKEW, SPAN),
        ("native.write", NOON + HOUR + SKEW, DAY, None),
        ("unsafe.write", NOON + HOUR + SKEW, DAY - SKEW, SPAN),
        ("unsafe.write", NOON + HOUR + SKEW, DAY, None),
        ("upsert.write", NOON + HOUR + SKEW, SKEW, None),
    ],
)
def test_what_may_have_been_sent_in_the_span_that_was_lost(
    name: str, began: datetime, after: timedelta, span: Lost | None
) -> None:
    """What can be looked up is suspected for as long as vendors delay their events, what cannot only for a day."""
    operation = connector.operation(name)
    assert isinstance(operation, WriteOperation)
    suspicion = Suspicion(restored=restored(NOON, NOON + HOUR), began=began)
    assert suspicion.lost(operation, NOON + HOUR + after) == span


def test_what_was_opened_after_the_restore_was_found_out_then() -> None:
    assert SPAN.may_be(None)
    assert SPAN.may_be({"created_at": to_micros(NOON - HOUR)})
    assert not SPAN.may_be({"created_at": to_micros(NOON + HOUR)})


class Lives:
    """A hub that is backed up, works on, and is brought back from that backup."""

    def __init__(self, directory: Path, target: Target, compiled: Any) -> None:
        self.directory = directory
        self.target = target
        self.compiled = compiled
        self.clock = FastClock()
        self.backup_at = self.clock.now()

    async def back_up(self) -> None:
        """Let there be data, and a backup of it."""
        async with living(self.directory / "first", self.target, self.compiled, clock=self.clock):
            self.backup_at = self.clock.now()
        shutil.copytree(self.directory / "first", self.directory / "second")

    def first(self, **more: Any) -> Any:
        """Go on with the first life."""
        return living(self.directory / "first", self.target, self.compiled, clock=self.clock, **more)

    def second(self) -> Any:
        """Go on from the backup."""
        self.clock.leap(timedelta(minutes=5))
        mark = restored(self.backup_at, self.clock.now())
        return living(self.directory / "second", self.target, self.compiled, clock=self.clock, restored=mark)


@pytest.mark.parametrize("kind", ["native", "keyed", "upsert", "probe", "unsafe"])
async def test_what_was_done_before_the_restore_is_not_done_again(tmp_path: Path, kind: str) -> None:
    """Of six events three were worked on in the span that was lost; all six come again."""
    target = Target()
    lives = Lives(tmp_path, target, one_write(kind))
    async with target.serving():
        await lives.back_up()
        async with lives.first() as house:
            await house.give(*things(3))
            assert await finished(house) == {"succeeded": 3}
        assert len(target.documents) == 3
        async with lives.second() as house:
            await house.give(*things(6))
            counted = await finished(house)
            told = [entry.kind for entry in kept(house, audit)]
            cases = exceptions(house)
    assert told.count("effect.suspected") == 6
    keys = sorted(document["key"] for document in target.documents)
    if kind == "unsafe":
        # Nobody knows which of them were made.
        assert counted == {"parked": 6}
        assert {case.reason for case in cases} == {"outcome-unknown"}
        assert keys == ["t0", "t1", "t2"]
    else:
        assert counted == {"succeeded": 6}
        assert keys == [f"t{number}" for number in range(6)]


@pytest.mark.parametrize(("kind", "ends"), [("native", "parked"), ("keyed", "succeeded"), ("probe", "succeeded")])
async def test_a_key_that_went_out_long_before_the_restore_may_be_forgotten(
    tmp_path: Path, kind: str, ends: str
) -> None:
    """It counts from the backup, and not from when the restored hub takes the event up."""
    target = Target()
    lives = Lives(tmp_path, target, one_write(kind))
    async with target.serving():
        await lives.back_up()
        async with lives.first() as house:
            await house.give(*things(1))
            await finished(house)
        lives.clock.leap(timedelta(days=3))
        async with lives.second() as house:
            await house.give(*things(1))
            assert await finished(house) == {ends: 1}
    assert len(target.documents) == 1


async def test_what_happens_a_day_after_the_restore_goes_out_as_ever(tmp_path: Path) -> None:
    target = Target()
    lives = Lives(tmp_path, target, one_write("unsafe"))
    async with target.serving():
        await lives.back_up()
        async with lives.second() as house:
            lives.clock.leap(DAY)
            await house.give({**things(1)[0], "at": lives.clock.now().isoformat()})
            assert await finished(house) == {"succeeded": 1}
            assert [effect.state for effect in kept(house, effects)] == [EffectState.DONE]
    assert len(target.documents) == 1


@pytest.mark.parametrize(
    ("kind", "later", "ends"),
    [
        ("probe", timedelta(days=30), "succeeded"),
        ("keyed", timedelta(days=30), "succeeded"),
        ("native", HOUR, "succeeded"),
        ("unsafe", HOUR, "parked"),
    ],
)
async def test_another_event_about_what_was_done_before_the_restore_does_it_no_second_time(
    tmp_path: Path, kind: str, later: timedelta, ends: str
) -> None:
    """The effect is the same although the event is new, and the hub does not know the first any more."""
    target = Target()
    lives = Lives(tmp_path, target, one_write(kind))
    async with target.serving():
        await lives.back_up()
        async with lives.first() as house:
            await house.give(*things(1))
            await finished(house)
        async with lives.second() as house:
            lives.clock.leap(later)
            await house.give({**things(1)[0], "at": lives.clock.now().isoformat()})
            assert await finished(house) == {ends: 1}
    assert len(target.documents) == 1


async def test_what_a_person_has_settled_is_not_suspected_again(tmp_path: Path) -> None:
    """Who has looked at the target need not look once more."""
    target = Target()
    lives = Lives(tmp_path, target, one_write("unsafe"))
    async with target.serving():
        await lives.back_up()
        async with lives.second() as house:
            await house.give(*things(1))
            assert await finished(house) == {"parked": 1}
            (effect,) = kept(house, effects)
            said = {"done": False, "evidence": "looked", "output": None, "actor": "person:p_1"}
            await house.effect_orders.settle(effect.key, **said)
            assert (await finished(house)).get("succeeded") == 1
    assert len(target.documents) == 1


@pytest.mark.parametrize("kind", ["native", "upsert", "probe", "unsafe"])
async def test_items_of_requests_that_were_lost_are_found_out_by_their_own_names(tmp_path: Path, kind: str) -> None:
    """A request's own key was lost with the data, so that it can tell nothing."""
    target = Target()
    lives = Lives(tmp_path, target, flow(f"{kind}.bulk"))
    items = lines(70)
    async with target.serving():
        await lives.back_up()
        async with lives.first() as house:
            await house.give(event(items))
            await finished(house)
        made = bulk_documents(target)
        assert len(made) == 70
        async with lives.second() as house:
            await house.give(event(items))
            counted = await finished(house)
            (run,) = kept(house, runs)
    assert bulk_documents(target) == made
    if kind in {"native", "unsafe"}:
        assert counted == {"parked": 1}
        assert run.reason == "outcome-unknown"
    else:
        assert counted == {"succeeded": 1}


async def test_so_are_items_that_come_with_another_event(tmp_path: Path) -> None:
    target = Target()
    lives = Lives(tmp_path, target, flow("probe.bulk"))
    async with target.serving():
        await lives.back_up()
        async with lives.first() as house:
            await house.give(event(lines(3)))
            await finished(house)
        async with lives.second() as house:
            lives.clock.leap(30 * DAY)
            await house.give({**event(lines(5)), "at": lives.clock.now().isoformat()})
            assert await finished(house) == {"succeeded": 1}
    assert len(bulk_documents(target)) == 5


async def test_what_a_run_tells_is_as_old_as_what_the_run_is_about(tmp_path: Path) -> None:
    """A restored run tells its event again, after the restore; what that leads to may have been done before it."""
    telling = """
flow: tested
title: One that tells
owner: team:tests
on: { event: vendor.thing.made }
key: data.key
business_key: data.id
steps:
  - id: told
    emit: { type: concord.thing.told, subject: data.id, of: data }
"""
    told = """
flow: told
title: One that is told
owner: team:tests
on: { event: concord.thing.told }
key: record.key
business_key: record.id
steps:
  - id: write
    call: { connection: vendor, operation: unsafe.write, with: vendor/thing, of: record }
"""
    target = Target()
    lives = Lives(tmp_path, target, bundle_for(connector, telling, **FILES, **{"flows__told.yaml": told}))
    async with target.serving():
        await lives.back_up()
        async with lives.first() as house:
            await house.give(*things(1))
            await finished(house)
            await until(lambda: len(target.documents) == 1)
        async with lives.second() as house:
            lives.clock.leap(timedelta(days=1))
            await house.give(*things(1))
            await finished(house)
            await until(lambda: any(run.flow == "told" and run.state == "parked" for run in kept(house, runs)))
    assert len(target.documents) == 1


async def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)
