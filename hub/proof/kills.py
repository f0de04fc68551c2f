"""`concord prove --kills N`: the real process ends with `kill -9` again and again under load, and goes on each time."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from hub.proof import records
from hub.proof.conductor import Conductor, Course, Say
from hub.proof.faults import Profile
from hub.proof.outside import Proved, percentile
from hub.proof.performing import figures, perform
from hub.proof.stage import Stage
from hub.store.sqlite import FILE_NAME

#: The longest that a process lives after it answers, in seconds.
LONGEST_LIFE = 1.5
#: So long one start, life and end takes together, more or less: the load lasts for all of them.
CYCLE = 3.5
#: Invoices in a second while processes come and go; each of them is some writes.
PER_SECOND = 4.0
#: What shows that a new process has gone on with the work.
_PROGRESS = ("run.succeeded", "run.parked", "effect.intended", "effect.done", "effect.resolved", "effect.resent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One life of the process: when it was started (microseconds), and after how many seconds it answered."""

    started: int
    answered: float


class Killing(Conductor):
    """Drives invoices through a hub that is killed at moments drawn by chance."""

    def kill_often(self, number: int, dice: random.Random) -> tuple[Course, Sequence[Life]]:
        """Kill so many times, then let it come to rest."""
        lives = []
        self.begin()
        assert self._seeding is not None
        self._seeding.join()
        hub = self._stage.hub
        for turn in range(number):
            time.sleep(dice.uniform(0, LONGEST_LIFE))
            hub.kill()
            under_way = len(records.open_effects(hub.data))
            self.course.kills += 1
            if under_way:
                self.course.open_at_kill.append(under_way)
            started, began = time.time_ns() // 1000, time.monotonic()
            hub.start()
            lives.append(Life(started=started, answered=time.monotonic() - began))
            if turn % 10 == 9:
                self._say(f"Killed {turn + 1} times, {len(self.course.open_at_kill)} of them with writes under way.")
        return self.end(), lives


def prove(console: Console, *, kills: int, seed: int) -> Proved:
    """Kill so often, judge, and tell how long each start took to answer and to go on."""
    lives: list[Life] = []
    moves: list[float] = []
    course = Course()

    def drive(stage: Stage, say: Say, show: Callable[[Mapping[str, Any]], None]) -> Course:
        nonlocal course
        conductor = Killing(stage, say, show, per_second=PER_SECOND)
        course, lived = conductor.kill_often(kills, random.Random(f"{seed}:kills"))
        lives.extend(lived)
        moves.extend(going_on(stage.hub.data, lived))
        return course

    invoices = max(60, int(kills * CYCLE * PER_SECOND))
    performed = perform(console, invoices=invoices, seed=seed, profile=Profile.STANDARD, drive=drive)
    answered = [life.answered for life in lives]
    return Proved(
        title=f"{kills} times kill -9 under load",
        figures={
            "kills": course.kills,
            "with_writes_under_way": len(course.open_at_kill),
            "writes_under_way": sum(course.open_at_kill),
            **figures(performed),
            "answers_again_after_s": _spread(answered),
            "goes_on_after_s": _spread(moves),
            "lives_that_went_on": len(moves),
        },
        findings=performed.findings(),
    )


def _spread(values: Sequence[float]) -> dict[str, str]:
    shares = {"median": 0.5, "p95": 0.95, "longest": 1.0}
    return {name: f"{percentile(values, share):.2f}" for name, share in shares.items()}


def going_on(data: Path, lives: Sequence[Life]) -> list[float]:
    """Give, for each life that did any work, the seconds from its start to the first work that it made durable."""
    marks = ", ".join("?" for _ in _PROGRESS)
    statement = f"SELECT min(at) FROM audit WHERE kind IN ({marks}) AND at >= ? AND at < ?"  # noqa: S608 - marks only
    found = []
    ends = [life.started for life in lives[1:]]
    with closing(sqlite3.connect(f"file:{data / FILE_NAME}?mode=ro", uri=True)) as connection:
        for life, end in zip(lives, [*ends, 2**62], strict=True):
            (first,) = connection.execute(statement, (*_PROGRESS, life.started, end)).fetchone()
            if first is not None:
                found.append((first - life.started) / 1_000_000)
    return found
