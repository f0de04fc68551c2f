"""Alarms: computed from what is recorded, by nobody whom they are about, and told once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Update, select, update

from hub.audit.kinds import AuditKind
from hub.model.flow import Schedule
from hub.model.pulse import Pulse
from hub.queries import alarms
from hub.queries.alarms import AlarmKind, Watched
from hub.queries.view import View
from hub.runtime.watch import Watch
from hub.store import alarms as stored
from hub.store import streams
from hub.store.claims import Claim
from hub.store.committer import Transaction, Work
from hub.store.control_tables import schedules as schedule_rows
from hub.store.streams import GapKind
from hub.store.tables import audit, runs
from hub.workspace.bundle import Bundle
from hub.workspace.polling import Plan
from tests.intake.listed import Reader, VendorList, reading, with_streams
from tests.intake.scheduled import Station, scheduled
from tests.intake.standing_clock import StandingClock

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLAN = Plan(every=timedelta(minutes=1), overlap=timedelta(), dead_man=timedelta(minutes=15))
DAILY = Schedule(cron="0 6 * * *", zone="Europe/Vienna", dead_man=timedelta(hours=26))


class Seconds:
    """A clock that only goes forward."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def pulse(seconds: Callable[[], float] = lambda: 0.0, *, started_at: datetime = NOW) -> Pulse:
    return Pulse(started_at=started_at, seconds=seconds)


def micros(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


def schedule_row(**more: Any) -> dict[str, Any]:
    row = {"next_at": micros(NOW + HOUR), "created_at": micros(NOW - 90 * HOUR), "held": False, "held_at": None}
    return row | more


@pytest.mark.parametrize(
    ("row", "success", "kinds"),
    [
        (schedule_row(), NOW - HOUR, []),
        (schedule_row(next_at=micros(NOW - timedelta(minutes=1))), NOW - HOUR, []),
        (schedule_row(next_at=micros(NOW - timedelta(minutes=3))), NOW - HOUR, [AlarmKind.SCHEDULE_OVERDUE]),
        (schedule_row(), NOW - 25 * HOUR, []),
        (schedule_row(), NOW - 27 * HOUR, [AlarmKind.SCHEDULE_WITHOUT_SUCCESS]),
        (schedule_row(), None, [AlarmKind.SCHEDULE_WITHOUT_SUCCESS]),
        (schedule_row(created_at=micros(NOW - 25 * HOUR)), None, []),
        (
            schedule_row(next_at=None, held=True, held_at=micros(NOW - 40 * HOUR)),
            NOW - 41 * HOUR,
            [AlarmKind.SCHEDULE_WITHOUT_SUCCESS],
        ),
    ],
)
def test_a_schedule_is_alarming_when_it_is_overdue_or_has_no_success(
    row: dict[str, Any], success: datetime | None, kinds: list[AlarmKind]
) -> None:
    """From its row and its last success alone; one that is held too long is forgotten, and told too."""
    found = list(alarms.of_schedule("daily", DAILY, row, success, NOW))
    assert [alarm.kind for alarm in found] == kinds
    assert all(alarm.since <= NOW and alarm.detail.endswith(".") for alarm in found)
    assert list(alarms.of_schedule("daily", replace(DAILY, dead_man=None), schedule_row(), None, NOW)) == []


@pytest.mark.parametrize(
    ("row", "started", "kinds"),
    [
        (None, NOW - timedelta(minutes=14), []),
        (None, NOW - timedelta(minutes=16), [AlarmKind.STREAM_SILENT]),
        ({"read_at": micros(NOW - timedelta(minutes=14)), "error": None, "gap": None}, NOW - 9 * HOUR, []),
        (
            {"read_at": micros(NOW - HOUR), "error": "Nobody is there.", "gap": None},
            NOW - 9 * HOUR,
            [AlarmKind.STREAM_SILENT],
        ),
        (
            {
                "read_at": micros(NOW),
                "error": None,
                "gap": '[{"kind":"numbers","since":null,"until":1,"detail":"Number 3 never came.","found_at":1}]',
            },
            NOW,
            [AlarmKind.STREAM_GAP],
        ),
    ],
)
def test_a_stream_is_alarming_when_it_is_silent_or_has_a_gap(
    row: dict[str, Any] | None, started: datetime, kinds: list[AlarmKind]
) -> None:
    """One that was never read is silent since the process began."""
    found = list(alarms.of_stream("vendor/told", PLAN, row, None, started, NOW))
    assert [alarm.kind for alarm in found] == kinds


def test_the_pulse_knows_what_has_stopped_whatever_the_wall_clock_does() -> None:
    """After ten times its interval, and not before a minute."""
    seconds = Seconds()
    beats = pulse(seconds)
    beats.expect("schedules", 1)
    beats.expect("seal", 60)
    beats.beat("unknown")
    seconds.now = 59
    assert list(alarms.of_ticks(beats, NOW)) == []
    seconds.now = 61
    assert [alarm.subject for alarm in alarms.of_ticks(beats, NOW)] == ["schedules"]
    beats.beat("schedules")
    assert list(alarms.of_ticks(beats, NOW)) == []
    seconds.now = 601
    assert [alarm.subject for alarm in alarms.of_ticks(beats, NOW)] == ["schedules", "seal"]


def change(transaction: Transaction, statement: Update) -> None:
    transaction.connection.execute(statement)


def watch_of(hub: Station, bundle: Callable[[], Bundle], beats: Pulse) -> tuple[View, Watched, Watch]:
    view = View(environment="test", database=hub.database, ambient=hub.ambient)
    watched = Watched(bundle=bundle, accounts={}, pulse=beats, every=timedelta(minutes=1))
    watch = Watch(
        view=view, watched=watched, committer=hub.committer, ambient=hub.ambient, pulse=beats, actor="worker_1"
    )
    return view, watched, watch


def audited(hub: Station) -> list[str]:
    with hub.database.reading() as connection:
        found = connection.execute(select(audit.c.kind).order_by(audit.c.sequence)).scalars().all()
    return [kind for kind in found if kind.startswith("alarm.")]


async def test_a_scheduler_that_is_dead_is_told_once_by_another(tmp_path: Path) -> None:
    """Its schedule is overdue although nothing failed; the alarm clears when it goes on."""
    bundle = scheduled(daily=DAILY)
    clock = StandingClock("2026-01-05T00:00")
    async with Station(tmp_path, bundle, clock) as hub:
        view, watched, watch = watch_of(hub, lambda: bundle, pulse(started_at=clock.now()))
        await hub.schedules.tick()
        assert await watch.look() == ()
        clock.put("2026-01-05T05:03")
        (overdue,) = alarms.listing(view, watched)
        assert (overdue.kind, overdue.subject, overdue.told_at) == (AlarmKind.SCHEDULE_OVERDUE, "daily", None)
        for _ in range(3):
            await watch.look()
        assert alarms.listing(view, watched)[0].told_at == clock.now()
        assert audited(hub) == [AuditKind.ALARM_RAISED]
        await hub.schedules.tick()
        assert await watch.look() == ()
        assert audited(hub) == [AuditKind.ALARM_RAISED, AuditKind.ALARM_CLEARED]


async def test_a_flow_that_never_succeeds_is_told_although_it_starts(tmp_path: Path) -> None:
    """A schedule that fires each day into runs that fail is not well."""
    bundle = scheduled(daily=DAILY)
    clock = StandingClock("2026-01-05T00:00")
    async with Station(tmp_path, bundle, clock) as hub:
        view, watched, _ = watch_of(hub, lambda: bundle, pulse(started_at=clock.now()))
        await hub.schedules.tick()
        await hub.at("2026-01-05T05:00")
        done = update(runs).values(state="succeeded", blocking=False, finished_at=micros(clock.now()))
        await hub.committer.commit(Work(lambda tx: change(tx, done)))
        await hub.at("2026-01-06T05:00")
        clock.put("2026-01-06T06:59")
        assert alarms.listing(view, watched) == ()
        clock.put("2026-01-06T07:01")
        (silent,) = alarms.listing(view, watched)
        assert silent.kind is AlarmKind.SCHEDULE_WITHOUT_SUCCESS
        assert silent.detail == "Its last success was at 2026-01-05 05:00 UTC."
        assert silent.runbook == "docs/runbooks/schedule-without-success.md"


async def test_a_next_moment_that_was_lost_is_repaired_or_told(tmp_path: Path) -> None:
    """With the scheduler it comes back by itself; without it the dead man speaks."""
    bundle = scheduled(daily=DAILY)
    clock = StandingClock("2026-01-05T00:00")
    async with Station(tmp_path, bundle, clock) as hub:
        view, watched, _ = watch_of(hub, lambda: bundle, pulse(started_at=clock.now()))
        await hub.schedules.tick()
        lost = update(schedule_rows).values(next_at=None)
        await hub.committer.commit(Work(lambda tx: change(tx, lost)))
        clock.put("2026-01-06T02:01")
        assert [alarm.kind for alarm in alarms.listing(view, watched)] == [AlarmKind.SCHEDULE_WITHOUT_SUCCESS]
        await hub.schedules.tick()
        assert hub.next_at() == "2026-01-06T05:00"


async def test_a_stream_nobody_reads_and_one_with_a_gap_are_told(tmp_path: Path) -> None:
    """Until it is read, and until somebody has seen to the gap."""
    clock = StandingClock("2026-01-05T12:00")
    vendor = VendorList(clock=clock)
    async with Reader(tmp_path, clock, with_streams(reading(vendor))) as hub:
        view = View(environment="test", database=hub.database, ambient=hub.ambient)
        beats = pulse(started_at=clock.now())
        watched = Watched(bundle=lambda: hub.bundle, accounts=hub.accounts, pulse=beats, every=timedelta(minutes=1))
        assert alarms.listing(view, watched) == ()
        clock.leap(timedelta(minutes=16))
        assert [alarm.subject for alarm in alarms.listing(view, watched)] == ["vendor/told"]
        await hub.read()
        assert alarms.listing(view, watched) == ()
        of = {"environment": "test", "name": "vendor", "stream": "told"}
        await hub.committer.commit(
            Work(
                lambda tx: streams.add_gap(
                    tx, **of, kind=GapKind.NUMBERS, since=None, until=1, detail="Number 3 never came."
                )
            )
        )
        await hub.read()
        (gap,) = alarms.listing(view, watched)
        assert (gap.kind, gap.detail) == (AlarmKind.STREAM_GAP, "Number 3 never came.")
        settled = await hub.committer.commit(
            Work(lambda tx: streams.settle_gap(tx, **of, actor="person:p_1", reason="It was a test event."))
        )
        assert settled == 1
        assert alarms.listing(view, watched) == ()


async def test_the_watch_sets_going_again_what_has_stopped_and_survives_its_own_failures(tmp_path: Path) -> None:
    """It runs beside the scheduler, and one look that fails is not the last."""
    bundle, seconds, clock = scheduled(daily=DAILY), Seconds(), StandingClock("2026-01-05T00:00")
    async with Station(tmp_path, bundle, clock) as hub:
        beats = pulse(seconds, started_at=clock.now())
        beats.expect("schedules", 1)
        revived: list[float] = []
        broken = [True]

        def serving() -> Bundle:
            if broken[0]:
                raise RuntimeError("a defect")
            return bundle

        _, _, watch = watch_of(hub, serving, beats)

        def revive() -> None:
            revived.append(seconds.now)
            beats.beat("schedules")

        watching = asyncio.create_task(watch.run(revive))
        await asyncio.sleep(0.01)
        assert revived == []
        seconds.now = 21
        broken[0] = False
        async with asyncio.timeout(10):
            while not revived:
                await asyncio.sleep(0.001)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        assert revived == [21]


async def test_runs_queued_by_a_clock_that_was_ahead_go_once_it_is_put_back(tmp_path: Path) -> None:
    """They wait for nothing but a worker, and must not lie there until the day comes that the clock showed."""
    bundle, clock = scheduled(daily=DAILY), StandingClock("2026-01-05T00:00")
    async with Station(tmp_path, bundle, clock) as hub:
        _, _, watch = watch_of(hub, lambda: bundle, pulse(started_at=clock.now()))
        clock.leap(24 * HOUR)
        await watch.look_at_clock()
        await hub.schedules.run_now("daily", actor="ada")
        clock.leap(-24 * HOUR)
        claim = Claim(environment="test", owner="worker_1", limit=5)
        assert list((await hub.committer.commit(claim)).runs) == []
        await watch.look_at_clock()
        assert len((await hub.committer.commit(claim)).runs) == 1


async def test_alarms_of_a_process_that_ended_are_cleared_by_the_next(tmp_path: Path) -> None:
    """What was told and is over by then does not stay."""
    bundle, clock = scheduled(daily=DAILY), StandingClock("2026-01-05T00:00")
    async with Station(tmp_path, bundle, clock) as hub:
        row = {"kind": "ticks-stopped", "subject": "schedules", "detail": "Stopped.", "since": 1}
        await hub.committer.commit(Work(lambda tx: stored.tell(tx, [row], environment="test", actor="worker_0")))
        _, _, watch = watch_of(hub, lambda: bundle, pulse(started_at=clock.now()))
        await watch.look()
        with hub.database.reading() as connection:
            assert stored.listing(connection, environment="test") == {}


def test_a_revision_that_nobody_understands_alarms_after_a_while() -> None:
    """A worker that is being replaced leaves runs for a moment; that is nothing to tell of."""
    waits = {"a" * 64: (3, NOW - timedelta(minutes=3)), "b" * 64: (1, NOW - timedelta(minutes=1))}
    (found,) = alarms.of_revisions(waits, NOW)
    assert (found.kind, found.subject) == (AlarmKind.REVISION_NOT_UNDERSTOOD, "a" * 12)
    assert found.since == NOW - timedelta(minutes=1) and "3 runs wait" in found.detail
