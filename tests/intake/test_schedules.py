"""Schedules fire once: over restarts, downtime, changed files, clocks that jump, and several processes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from sqlalchemy import Update, update

from hub.errors import Conflict, FixData, NotFound
from hub.intake.schedules import LATE, MOST_CAUGHT_UP, decide
from hub.model.flow import CatchUp, Overlap, Schedule
from hub.store.committer import Transaction, Work
from hub.store.control_tables import schedules as rows
from hub.store.tables import runs
from tests.intake.scheduled import Station, scheduled
from tests.intake.standing_clock import StandingClock

SIX = Schedule(cron="0 6 * * *", zone="Europe/Vienna")


def clock(moment: str = "2026-01-05T00:00") -> StandingClock:
    return StandingClock(moment)


def change(transaction: Transaction, statement: Update) -> None:
    transaction.connection.execute(statement)


async def test_a_firing_is_one_event_with_its_run(tmp_path: Path) -> None:
    """With the schedule, the moments and the zone in its data; a second look starts nothing more."""
    async with Station(tmp_path, scheduled(daily=SIX), clock()) as hub:
        assert await hub.schedules.tick() == 0
        assert hub.next_at() == "2026-01-05T05:00"
        assert await hub.at("2026-01-05T04:59:59") == 0
        assert await hub.at("2026-01-05T05:00:00.2") == 1
        assert await hub.schedules.tick() == 0
        (event,) = hub.events()
        assert event == {
            "schedule": "daily",
            "due_at": "2026-01-05T05:00:00+00:00",
            "fired_at": "2026-01-05T05:00:00.200000+00:00",
            "zone": "Europe/Vienna",
            "date": "2026-01-05",
            "missed": 0,
            "ordered": False,
            "state": "accepted",
            "via": "schedule",
            "external_id": "schedule:daily:2026-01-05T05:00:00+00:00",
            "runs": 1,
        }
        assert hub.firings() == [("2026-01-05T05:00", "fired", 0)]
        assert hub.next_at() == "2026-01-06T05:00"


@pytest.mark.parametrize(
    ("catch_up", "fired"),
    [
        (CatchUp.ALL, [("2026-01-05T05:00", "fired", 0), ("2026-01-06T05:00", "fired", 0)]),
        (CatchUp.LAST, [("2026-01-06T05:00", "fired", 1)]),
        (CatchUp.NONE, [("2026-01-06T05:00", "missed", 2)]),
    ],
)
async def test_what_was_due_while_nothing_ran_is_made_up_for_as_the_file_says(
    tmp_path: Path, catch_up: CatchUp, fired: list[tuple[str, str, int]]
) -> None:
    """All of them, the last one, or none; and what nobody makes up for is told."""
    bundle = scheduled(daily=Schedule(cron="0 6 * * *", zone="Europe/Vienna", catch_up=catch_up))
    async with Station(tmp_path, bundle, clock()) as hub:
        await hub.schedules.tick()
    async with Station(tmp_path, bundle, clock("2026-01-06T12:00"), seed=2) as hub:
        await hub.schedules.tick()
        assert hub.firings() == fired
        assert hub.next_at() == "2026-01-07T05:00"
        await hub.schedules.tick()
        assert hub.firings() == fired
        assert len(hub.events()) == sum(1 for _, state, _ in fired if state == "fired")


async def test_a_late_moment_is_not_a_missed_one(tmp_path: Path) -> None:
    """A second or a busy minute behind its time, a firing begins even with `catch_up: none`."""
    bundle = scheduled(daily=Schedule(cron="0 6 * * *", zone="Europe/Vienna", catch_up=CatchUp.NONE))
    async with Station(tmp_path, bundle, clock()) as hub:
        await hub.schedules.tick()
        await hub.at("2026-01-05T05:00:50")
        assert hub.firings() == [("2026-01-05T05:00", "fired", 0)]


@given(
    some.lists(some.integers(1, 5000), min_size=1, max_size=300),
    some.integers(0, 600),
    some.sampled_from(CatchUp),
)
def test_every_moment_is_fired_or_counted_as_missed(gaps: list[int], ago: int, catch_up: CatchUp) -> None:
    """And nothing is fired that was not due."""
    dues, moment = [], datetime(2026, 1, 1, tzinfo=UTC)
    for gap in gaps:
        moment += timedelta(seconds=gap)
        dues.append(moment)
    now = moment + timedelta(seconds=ago)
    decided = decide(dues, now, catch_up)
    missed = sum(before for _, before in decided.fire) + (decided.missed[1] if decided.missed else 0)
    assert len(decided.fire) + missed == len(dues)
    assert [due for due, _ in decided.fire] == sorted({due for due, _ in decided.fire} & set(dues))
    assert len(decided.fire) <= MOST_CAUGHT_UP
    assert bool(decided.fire) is (catch_up is not CatchUp.NONE or now - dues[-1] <= LATE)


async def test_all_is_capped_at_the_last_hundred(tmp_path: Path) -> None:
    """A week of minutes must not become ten thousand runs; what is left out is counted."""
    bundle = scheduled(daily=Schedule(every=timedelta(minutes=1), catch_up=CatchUp.ALL))
    async with Station(tmp_path, bundle, clock()) as hub:
        await hub.schedules.tick()
        assert await hub.at("2026-01-05T05:00:30") == MOST_CAUGHT_UP
        assert hub.firings()[0] == ("2026-01-05T03:21", "fired", 200)
        assert hub.firings()[-1] == ("2026-01-05T05:00", "fired", 0)
        assert hub.events()[0]["missed"] == 200


async def test_a_clock_that_is_put_back_fires_nothing_twice(tmp_path: Path) -> None:
    """An hour back over a firing: it has its row; the next one comes at its time."""
    async with Station(
        tmp_path, scheduled(daily=Schedule(every=timedelta(minutes=30))), clock("2026-01-05T11:50")
    ) as hub:
        await hub.schedules.tick()
        await hub.at("2026-01-05T12:00")
        await hub.at("2026-01-05T11:00")
        await hub.at("2026-01-05T11:30")
        await hub.at("2026-01-05T12:00")
        await hub.at("2026-01-05T12:30")
        # 11:30 had not been there: the schedule is younger.
        assert hub.firings() == [
            ("2026-01-05T11:30", "fired", 0),
            ("2026-01-05T12:00", "fired", 0),
            ("2026-01-05T12:30", "fired", 0),
        ]
        assert [event["runs"] for event in hub.events()] == [1, 1, 1]


async def test_a_clock_that_was_far_ahead_stops_no_schedule(tmp_path: Path) -> None:
    """Put to the year 2036 by mistake and back: the next firing is the next one of now, not of 2036."""
    async with Station(tmp_path, scheduled(daily=SIX), clock()) as hub:
        await hub.schedules.tick()
        await hub.at("2036-01-05T12:00")
        assert hub.next_at() == "2036-01-06T05:00"
        await hub.at("2026-01-05T01:00")
        assert hub.next_at() == "2026-01-05T05:00"
        assert await hub.at("2026-01-05T05:00") == 1
        assert hub.next_at() == "2026-01-06T05:00"
    # The same when the process ended in between.
    async with Station(tmp_path, scheduled(daily=SIX), clock("2036-01-05T12:00"), seed=2) as hub:
        await hub.schedules.tick()
    async with Station(tmp_path, scheduled(daily=SIX), clock("2026-01-05T12:00"), seed=3) as hub:
        await hub.schedules.tick()
        assert hub.next_at() == "2026-01-06T05:00"
        assert await hub.at("2026-01-06T05:00") == 1


@given(some.lists(some.integers(-200, 300), min_size=1, max_size=25))
@settings(max_examples=20, deadline=None)
def test_whatever_the_clock_does_no_moment_has_two_events(
    tmp_path_factory: pytest.TempPathFactory, jumps: list[int]
) -> None:
    """Forward and back by minutes: each due moment at most once, and the last due one always."""

    async def live() -> None:
        bundle = scheduled(daily=Schedule(every=timedelta(minutes=20)))
        time = clock("2026-01-05T00:10")
        async with Station(tmp_path_factory.mktemp("data"), bundle, time) as hub:
            await hub.schedules.tick()
            for minutes in jumps:
                time.leap(timedelta(minutes=minutes))
                await hub.schedules.tick()
            # Some ordinary time at the end: the schedule goes on.
            for _ in range(3):
                time.leap(timedelta(minutes=20))
                await hub.schedules.tick()
            due = [event["due_at"] for event in hub.events()]
            assert len(due) == len(set(due))
            last = time.now().replace(minute=time.now().minute // 20 * 20)
            assert last.isoformat() in due

    asyncio.run(live())


async def test_a_lost_next_moment_is_found_again(tmp_path: Path) -> None:
    """A schedule is never enabled, without error, and dead."""
    async with Station(tmp_path, scheduled(daily=SIX), clock()) as hub:
        await hub.schedules.tick()
        await hub.committer.commit(Work(lambda tx: change(tx, update(rows).values(next_at=None))))
        assert hub.next_at() is None
        await hub.at("2026-01-05T00:01")
        assert hub.next_at() == "2026-01-05T05:00"


async def test_changed_times_count_from_now_and_old_ones_to_the_change(tmp_path: Path) -> None:
    """A new line does not fire for a moment before it was there; what was due by the old one is made up for."""
    later = scheduled(daily=Schedule(cron="0 3 * * *", zone="Europe/Vienna"))
    async with Station(tmp_path, scheduled(daily=SIX), clock()) as hub:
        await hub.schedules.tick()
        hub.bundle = later
        await hub.at("2026-01-05T04:00")
        assert hub.firings() == []
        assert hub.next_at() == "2026-01-06T02:00"
        hub.bundle = scheduled(daily=SIX)
        await hub.at("2026-01-05T04:30")
        assert hub.next_at() == "2026-01-05T05:00"
    async with Station(tmp_path, later, clock("2026-01-05T08:00"), seed=2) as hub:
        await hub.schedules.tick()
        assert hub.firings() == [("2026-01-05T05:00", "fired", 0)]
        assert hub.next_at() == "2026-01-06T02:00"


async def test_a_removed_flow_leaves_and_a_new_one_begins_from_now(tmp_path: Path) -> None:
    """Nothing is fired for the time in which it was not there."""
    async with Station(tmp_path, scheduled(daily=SIX), clock()) as hub:
        await hub.schedules.tick()
        hub.bundle = scheduled()
        await hub.at("2026-01-05T01:00")
        assert hub.next_at() is None
        hub.bundle = scheduled(daily=SIX)
        await hub.at("2026-01-08T12:00")
        assert hub.next_at() == "2026-01-09T05:00"
        assert hub.firings() == []


async def test_a_held_schedule_starts_nothing_and_goes_on_from_its_resumption(tmp_path: Path) -> None:
    """What was due meanwhile is not made up for: somebody wanted it so."""
    async with Station(tmp_path, scheduled(daily=SIX), clock()) as hub:
        await hub.schedules.tick()
        with pytest.raises(FixData):
            await hub.schedules.hold("daily", actor="person:p_1", reason=" ")
        await hub.schedules.hold("daily", actor="person:p_1", reason="The ERP is being moved.")
        with pytest.raises(Conflict):
            await hub.schedules.hold("daily", actor="person:p_1", reason="Again.")
        assert hub.next_at() is None
        await hub.at("2026-01-07T12:00")
        hub.bundle = scheduled()
        await hub.at("2026-01-07T12:01")
        hub.bundle = scheduled(daily=SIX)
        await hub.at("2026-01-07T12:02")
        assert hub.next_at() is None
        await hub.schedules.resume("daily", actor="person:p_2", reason="Moved.")
        assert hub.next_at() == "2026-01-08T05:00"
        assert await hub.at("2026-01-08T05:00") == 1
        assert hub.firings() == [("2026-01-08T05:00", "fired", 0)]
        with pytest.raises(Conflict):
            await hub.schedules.resume("daily", actor="person:p_2", reason="Again.")
        with pytest.raises(NotFound):
            await hub.schedules.hold("weekly", actor="person:p_1", reason="None.")


async def test_with_skip_an_open_run_keeps_later_firings_from_starting(tmp_path: Path) -> None:
    """Visible as skipped, with the run; once that has ended, the next one begins."""
    bundle = scheduled(daily=Schedule(cron="0 6 * * *", overlap=Overlap.SKIP, catch_up=CatchUp.ALL))
    async with Station(tmp_path, bundle, clock()) as hub:
        await hub.schedules.tick()
        assert await hub.at("2026-01-07T07:00") == 1
        assert [state for _, state, _ in hub.firings()] == ["fired", "skipped", "skipped"]
        with pytest.raises(Conflict):
            await hub.schedules.run_now("daily", actor="person:p_1")
        done = update(runs).values(state="succeeded", blocking=False)
        await hub.committer.commit(Work(lambda tx: change(tx, done)))
        assert await hub.at("2026-01-08T06:00") == 1
        assert [event["runs"] for event in hub.events()] == [1, 1]


async def test_with_queue_each_firing_has_its_run(tmp_path: Path) -> None:
    """Order per key lets them go one after the other."""
    async with Station(tmp_path, scheduled(daily=SIX), clock()) as hub:
        await hub.schedules.tick()
        for day in ("05", "06", "07"):
            assert await hub.at(f"2026-01-{day}T05:00") == 1
        with hub.database.reading() as connection:
            found = connection.execute(runs.select().order_by(runs.c.position)).all()
        assert [(run.key, run.state, run.blocking) for run in found] == [("daily", "queued", True)] * 3


async def test_a_person_may_start_it_beside_its_times(tmp_path: Path) -> None:
    """Held or not, as often as ordered, each with an id of its own and the person's name on the run."""
    async with Station(tmp_path, scheduled(daily=SIX), clock()) as hub:
        await hub.schedules.run_now("daily", actor="person:p_1")
        await hub.schedules.run_now("daily", actor="person:p_1")
        await hub.schedules.hold("daily", actor="person:p_1", reason="For a while.")
        await hub.schedules.run_now("daily", actor="person:p_1")
        assert [state for _, state, _ in hub.firings()] == ["ordered"] * 3
        assert len({event["external_id"] for event in hub.events()}) == 3
        assert all(event["ordered"] and event["runs"] == 1 for event in hub.events())
        with hub.database.reading() as connection:
            assert {run.ordered_by for run in connection.execute(runs.select())} == {"person:p_1"}
        with pytest.raises(NotFound):
            await hub.schedules.run_now("weekly", actor="person:p_1")


async def test_one_schedule_that_cannot_be_served_stops_no_other(tmp_path: Path) -> None:
    """A time zone that is gone from the machine harms its own schedule only."""
    bundle = scheduled(broken=Schedule(cron="0 6 * * *", zone="Mars/Olympus"), daily=SIX)
    async with Station(tmp_path, bundle, clock()) as hub:
        await hub.schedules.tick()
        assert await hub.at("2026-01-05T05:00") == 1


async def test_a_flow_that_cannot_begin_leaves_its_event_with_the_reason(tmp_path: Path) -> None:
    """A firing is not lost because its flow's key could not be told."""
    bundle = scheduled(daily=SIX)
    flows = {"daily": replace(bundle.flows["daily"], key=_Nothing())}
    async with Station(tmp_path, replace(bundle, flows=flows), clock()) as hub:
        await hub.schedules.tick()
        assert await hub.at("2026-01-05T05:00") == 1
        assert [(event["state"], event["runs"]) for event in hub.events()] == [("rejected", 0)]
        assert hub.next_at() == "2026-01-06T05:00"


class _Nothing:
    """A key that gives no name."""

    text = "nothing"

    def __call__(self, scope: object) -> None:
        """Give nothing."""
