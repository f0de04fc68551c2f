"""Several schedulers on one store, and some of them killed: each due moment has one event and one run."""

from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from hub.model.flow import CatchUp, Schedule
from hub.store.database import Database
from hub.store.sqlite import FILE_NAME
from tests import postgres
from tests.intake.scheduled import Station, scheduled
from tests.intake.standing_clock import StandingClock

ROOT = Path(__file__).resolve().parents[2]


def second_folder(folder: Path) -> tuple[Path, Path]:
    """Give two data directories with one database in them, as if two machines shared it."""
    first, second = folder / "first", folder / "second"
    Database(first).close()
    second.mkdir()
    if postgres.WANTED:
        postgres.databases().share(first, second)
    else:
        (second / FILE_NAME).symlink_to(first / FILE_NAME)
    return first, second


async def test_two_schedulers_of_one_process_fire_once(tmp_path: Path) -> None:
    """Both see what is due before either has recorded it."""
    bundle = scheduled(daily=Schedule(every=timedelta(minutes=1), catch_up=CatchUp.ALL))
    clock = StandingClock("2026-01-05T00:00")
    async with Station(tmp_path, bundle, clock) as hub:
        await hub.schedules.tick()
        for _ in range(20):
            clock.leap(timedelta(minutes=2))
            await asyncio.gather(*(hub.schedules.tick() for _ in range(4)))
        assert [event["runs"] for event in hub.events()] == [1] * 40


def test_two_threads_on_one_store_fire_once(tmp_path: Path) -> None:
    """Each with its own connection, loop and committer, as two processes would have."""
    bundle = scheduled(daily=Schedule(every=timedelta(minutes=1), catch_up=CatchUp.ALL))
    begun: list[int] = []
    barrier = threading.Barrier(2)

    def live(folder: Path, chain: str, seed: int) -> None:
        async def ticking() -> None:
            clock = StandingClock("2026-01-05T00:00")
            async with Station(folder, bundle, clock, seed=seed, chain=chain) as hub:
                await hub.schedules.tick()
                for _ in range(15):
                    clock.leap(timedelta(minutes=2))
                    barrier.wait(timeout=20)
                    begun.append(await hub.schedules.tick())

        asyncio.run(ticking())

    first, second = second_folder(tmp_path)
    threads = [
        threading.Thread(target=live, args=arguments) for arguments in ((first, "main", 1), (second, "other", 2))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sum(begun) == 30
    assert_once(first, at_least=30)


@pytest.mark.processes
def test_two_processes_that_are_killed_again_and_again_fire_once(tmp_path: Path) -> None:
    """Killed at any instruction and started again, they leave out no second and fire none twice."""
    folders = second_folder(tmp_path)
    dice = random.Random(7)
    running: dict[int, subprocess.Popen[str]] = {}
    for number, folder in enumerate(folders):
        running[number] = start(folder, number)
    end = time.monotonic() + 7
    kills = 0
    while time.monotonic() < end or kills < 3:
        time.sleep(dice.uniform(0.2, 1.1))
        number = dice.randrange(2)
        kill(running[number])
        kills += 1
        running[number] = start(folders[number], number)
    time.sleep(1.5)
    for process in running.values():
        kill(process)
    dues = assert_once(folders[0], at_least=5)
    assert dues == list(range(dues[0], dues[-1] + 1)), "a second was left out"


def start(folder: Path, number: int) -> subprocess.Popen[str]:
    """Start a process that fires; it is ready when this returns."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.intake.firing", str(folder), f"chain{number}"],
        env=postgres.environ(folder),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    """End a process at whatever instruction it is."""
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    assert process.stdout is not None
    process.stdout.close()


def assert_once(folder: Path, *, at_least: int) -> list[int]:
    """Every firing has one event and one run, and there is no event without a firing; gives the seconds of all."""
    database = Database(folder)
    with database.reading() as connection:
        firings = connection.exec_driver_sql("SELECT due_at, state, event_id FROM firings ORDER BY due_at").all()
        events = connection.exec_driver_sql("SELECT id, external_id, state FROM events").all()
        runs = Counter(connection.exec_driver_sql("SELECT event_id FROM runs").scalars())
        if database.dialect == "sqlite":
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    database.close()
    assert len(firings) >= at_least
    assert {firing.state for firing in firings} == {"fired"}
    assert {firing.event_id for firing in firings} == {event.id for event in events}
    assert len({event.external_id for event in events}) == len(events) == len(firings)
    assert {event.state for event in events} == {"accepted"}
    assert runs == dict.fromkeys((event.id for event in events), 1)
    return [firing.due_at // 1_000_000 for firing in firings]
