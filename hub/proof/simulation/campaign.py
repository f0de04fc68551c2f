"""Many trials: spread over processes, added up, and held against what they must have met."""

from __future__ import annotations

import gc
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, as_completed, wait
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from typing import Any

import structlog

from hub.proof.simulation import sweep, trial
from hub.proof.simulation.cases import CASES
from hub.proof.simulation.sweep import Point, Swept
from hub.proof.simulation.trial import Trial
from hub.proof.simulation.troubles import KINDS

#: So many trials are handed to a process at once.
CHUNK = 20
#: So many points of a sweep are handed to a process at once.
POINTS = 8
#: In fewer trials than this, chance may leave out a kind of trouble; from here on every kind must have struck.
ENOUGH = 1000
#: A trial that did less than this did nothing worth judging.
LEAST_STEPS, LEAST_COMMITS, LEAST_CALLS = 60, 5, 2
#: What the hub must have done in a set of trials that is large enough, by the words of `Trial.covered`.
MUST_COVER = (
    *(f"run {state}" for state in ("queued", "running", "waiting", "parked", "succeeded", "cancelled")),
    *(f"effect {state}" for state in ("intent", "done", "failed", "unknown", "parked")),
    *(f"write {kind}" for kind in ("native", "upsert", "probe", "unsafe")),
    *(f"audit {kind}" for kind in ("run.recovered", "run.replayed", "effect.resent", "effect.resolved")),
    *("audit connection.paused", "audit event.rejected", "audit case.closed"),
    *(f"run {state}" for state in ("compensating", "compensated")),
    *(f"audit approval.{what}" for what in ("agreed", "granted", "refused", "voided")),
    *(f"audit {kind}" for kind in ("hold.placed", "hold.lifted", "run.compensated")),
    *(f"step {kind}" for kind in ("call", "lookup", "link", "approve", "foreach", "wait", "parallel", "branch")),
    *(f"step {kind}" for kind in ("emit", "subflow", "undo")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One finding of one trial."""

    seed: int
    invariant: str
    detail: str


@dataclass(slots=True)
class Totals:
    """What many trials did together: numbers, troubles by kind, and every violation.

    `struck` counts how often each kind struck, `met` in how many trials, and `broke` in how many of these something did
    not hold.
    """

    trials: int = 0
    steps: int = 0
    commits: int = 0
    calls: int = 0
    events: int = 0
    lives: int = 0
    virtual_seconds: float = 0.0
    struck: Counter[str] = field(default_factory=Counter)
    met: Counter[str] = field(default_factory=Counter)
    broke: Counter[str] = field(default_factory=Counter)
    covered: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    def add(self, one: Trial) -> None:
        """Add one trial."""
        self.trials += 1
        self.steps += one.steps
        self.commits += one.commits
        self.calls += one.calls
        self.events += one.events
        self.lives += one.lives
        self.virtual_seconds += one.seconds
        self.struck.update(one.struck)
        self.met.update(one.struck.keys())
        self.covered.update(one.covered)
        if one.findings:
            self.broke.update(one.struck.keys())
        self.violations.extend(
            Violation(seed=one.seed, invariant=finding.invariant.value, detail=finding.detail)
            for finding in one.findings
        )
        idle = [
            f"{had} {name}, at least {least} are worth judging"
            for name, had, least in (
                ("steps", one.steps, LEAST_STEPS),
                ("commits", one.commits, LEAST_COMMITS),
                ("calls", one.calls, LEAST_CALLS),
            )
            if had < least
        ]
        self.violations.extend(Violation(seed=one.seed, invariant="idle", detail=detail) for detail in idle)

    def join(self, other: Totals) -> None:
        """Add what other trials did."""
        for name in ("trials", "steps", "commits", "calls", "events", "lives", "virtual_seconds"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("struck", "met", "broke", "covered"):
            getattr(self, name).update(getattr(other, name))
        self.violations.extend(other.violations)

    @property
    def broken_seeds(self) -> list[int]:
        """Give the seeds in which something did not hold."""
        return sorted({violation.seed for violation in self.violations})

    def missed(self) -> list[str]:
        """Name what so many trials must have met and did not; nothing is asked of a few."""
        if self.trials < ENOUGH:
            return []
        return [
            *(f"no trial met {kind}" for kind in KINDS if not self.struck[kind]),
            *(f"the hub never did {what}" for what in MUST_COVER if not self.covered[what]),
        ]

    def to_json(self) -> dict[str, Any]:
        """Give the JSON form."""
        return {
            "trials": self.trials,
            "steps": self.steps,
            "commits": self.commits,
            "calls": self.calls,
            "events": self.events,
            "lives": self.lives,
            "virtual_hours": round(self.virtual_seconds / 3600),
            "troubles": {
                kind: {"struck": self.struck[kind], "trials": self.met[kind], "violations": self.broke[kind]}
                for kind in KINDS
            },
            "covered": dict(sorted(self.covered.items())),
            "violations": [
                {"seed": each.seed, "invariant": each.invariant, "detail": each.detail}
                for each in self.violations[:200]
            ],
            "missed": self.missed(),
        }


def run(seeds: Sequence[int]) -> Totals:
    """Run trials one after the other in this process."""
    be_quiet()
    totals = Totals()
    for seed in seeds:
        totals.add(trial.run(trial.draw(seed)))
    gc.collect()
    return totals


def spread(
    *,
    first: int,
    seeds: int,
    jobs: int,
    until: float | None = None,
    told: Callable[[Totals], None] = lambda _totals: None,
) -> Totals:
    """Run trials in several processes until all are done, or until a moment of the monotonic clock."""
    totals = Totals()
    if jobs <= 1:
        for chunk in _chunks(first, seeds):
            if until is not None and time.monotonic() >= until:
                break
            totals.join(run(chunk))
            told(totals)
        return totals
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=be_quiet) as pool:
        left = _chunks(first, seeds)
        going: set[Future[Totals]] = set()
        while True:
            over = until is not None and time.monotonic() >= until
            if not over:
                going.update(pool.submit(run, part) for part in islice(left, 2 * jobs - len(going)))
            if not going:
                return totals
            done, going = wait(going, return_when=FIRST_COMPLETED)
            for each in done:
                totals.join(each.result())
            told(totals)


def sweep_all(jobs: int, told: Callable[[int, int], None] = lambda _done, _all: None) -> list[Swept]:
    """Crash every shipped flow at every one of its points, in several processes."""
    be_quiet()
    cases = [sweep.points_of(case) for case in CASES]
    parts = [
        (place, points[start : start + POINTS])
        for place, (_, points) in enumerate(cases)
        for start in range(0, len(points), POINTS)
    ]
    everything, done = sum(len(points) for _, points in cases), 0
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=be_quiet) as pool:
        going = {pool.submit(_crash, place, points): (place, len(points)) for place, points in parts}
        for each in as_completed(going):
            place, number = going[each]
            cases[place][0].join(each.result())
            done += number
            told(done, everything)
    return [swept for swept, _ in cases]


def _crash(place: int, points: Sequence[Point]) -> Swept:
    return sweep.crash(CASES[place], points)


def _chunks(first: int, seeds: int) -> Iterator[range]:
    for start in range(first, first + seeds, CHUNK):
        yield range(start, min(start + CHUNK, first + seeds))


def be_quiet() -> None:
    """Let nothing be logged: what a trial did stands in its story."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.ReturnLoggerFactory(),
    )


def processes() -> int:
    """Give how many processes this machine can run at a time."""
    return max(len(os.sched_getaffinity(0)), 1)
