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

from hub.proof.lifeline import hold_in_pool
from hub.proof.simulation import hunting, sweep, trial
from hub.proof.simulation.breaking import broken
from hub.proof.simulation.cases import CASES
from hub.proof.simulation.hunting import Hunted
from hub.proof.simulation.mutants import BY_NAME, named
from hub.proof.simulation.points import Point
from hub.proof.simulation.sweep import Swept
from hub.proof.simulation.trial import Trial
from hub.proof.simulation.troubles import KINDS

#: So many trials are handed to a process at once.
CHUNK = 20
#: So many points of a sweep are handed to a process at once.
POINTS = 8
#: From so many trials on, every kind of trouble must have struck, and the hub must have done all that it can.
ENOUGH = 1000
#: Of fewer trials: from so many on, so many kinds of trouble and of what the hub can do; chance may leave out the rest.
LEAST_KINDS = {20: (12, 30), 100: (28, 36)}
#: In a trial on average so many troubles must strike.
LEAST_TROUBLES = 2
#: A trial that did less than this is not worth judging: steps, commits, requests, troubles, and kinds of things done.
LEAST = {"steps": 100, "commits": 8, "requests": 4, "troubles": 1, "kinds": 8}
#: What the hub must have done in a set of trials that is large enough, by the words of `Trial.covered`.
MUST_COVER = (
    *(f"run {state}" for state in ("queued", "running", "waiting", "parked", "succeeded", "cancelled")),
    *(f"effect {state}" for state in ("intent", "done", "failed", "unknown", "parked")),
    *(f"write {kind}" for kind in ("native", "upsert", "probe", "unsafe")),
    *(f"audit {kind}" for kind in ("run.recovered", "run.replayed", "effect.resent", "effect.resolved")),
    *("audit connection.paused", "audit event.rejected", "audit event.edited", "audit case.closed"),
    *(f"run {state}" for state in ("compensating", "compensated")),
    *(f"audit approval.{what}" for what in ("agreed", "granted", "refused", "voided")),
    *(f"audit {kind}" for kind in ("hold.placed", "hold.lifted", "run.compensated")),
    *(f"step {kind}" for kind in ("call", "lookup", "link", "approve", "foreach", "wait", "parallel", "branch")),
    *(f"step {kind}" for kind in ("emit", "subflow", "undo")),
    *("flow batch-to-ledger", "flow deal-to-ledger", "failed step-timeout", "failed not-confirmed"),
    *("flow bill-to-ledger", "failed written-differently"),
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
        did = {
            "steps": one.steps,
            "commits": one.commits,
            "requests": one.calls,
            "troubles": sum(one.struck.values()),
            "kinds": len(one.covered),
        }
        idle = [f"{did[name]} {name}, at least {least} must be" for name, least in LEAST.items() if did[name] < least]
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
        """Name what so many trials must have met and did not; see `least_kinds`."""
        kinds, done = least_kinds(self.trials)
        no_trouble = [f"no trial met {kind}" for kind in KINDS if not self.struck[kind]]
        not_done = [f"the hub never did {what}" for what in MUST_COVER if not self.covered[what]]
        found = no_trouble if len(KINDS) - len(no_trouble) < kinds else []
        found.extend(not_done if len(MUST_COVER) - len(not_done) < done else [])
        struck = self.struck.total()
        if kinds and struck < LEAST_TROUBLES * self.trials:
            found.append(f"{struck} troubles struck in {self.trials} trials, at least {LEAST_TROUBLES} in each must")
        return found

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


def least_kinds(trials: int) -> tuple[int, int]:
    """Give how many kinds of trouble must strike in so many trials, and how many kinds of things the hub must do."""
    if trials >= ENOUGH:
        return len(KINDS), len(MUST_COVER)
    return max((least for number, least in LEAST_KINDS.items() if number <= trials), default=(0, 0))


def run(seeds: Sequence[int], mutant: str | None = None) -> Totals:
    """Run trials one after the other in this process, of the hub as it ships or of a mutant."""
    be_quiet()
    totals = Totals()
    with broken(named(mutant)) as composition:
        for seed in seeds:
            totals.add(trial.run(trial.draw(seed), composition=composition))
    gc.collect()
    return totals


def spread(
    *,
    first: int,
    seeds: int,
    jobs: int,
    until: float | None = None,
    mutant: str | None = None,
    told: Callable[[Totals], None] = lambda _totals: None,
) -> Totals:
    """Run trials in several processes until all are done, or until a moment of the monotonic clock."""
    totals = Totals()
    if jobs <= 1:
        for chunk in _chunks(first, seeds):
            if until is not None and time.monotonic() >= until:
                break
            totals.join(run(chunk, mutant))
            told(totals)
        return totals
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin) as pool:
        left = _chunks(first, seeds)
        going: set[Future[Totals]] = set()
        while True:
            over = until is not None and time.monotonic() >= until
            if not over:
                going.update(pool.submit(run, part, mutant) for part in islice(left, 2 * jobs - len(going)))
            if not going:
                return totals
            done, going = wait(going, return_when=FIRST_COMPLETED)
            for each in done:
                totals.join(each.result())
            told(totals)


def sweep_all(
    jobs: int, told: Callable[[int, int], None] = lambda _done, _all: None, mutant: str | None = None
) -> list[Swept]:
    """Crash every shipped flow at every one of its points, in several processes."""
    be_quiet()
    with broken(named(mutant)) as composition:
        cases = [sweep.points_of(case, composition) for case in CASES]
    parts = [
        (place, points[start : start + POINTS])
        for place, (_, points) in enumerate(cases)
        for start in range(0, len(points), POINTS)
    ]
    everything, done = sum(len(points) for _, points in cases), 0
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin) as pool:
        going = {pool.submit(_crash, place, points, mutant): (place, len(points)) for place, points in parts}
        for each in as_completed(going):
            place, number = going[each]
            cases[place][0].join(each.result())
            done += number
            told(done, everything)
    return [swept for swept, _ in cases]


def _crash(place: int, points: Sequence[Point], mutant: str | None) -> Swept:
    with broken(named(mutant)) as composition:
        return sweep.crash(CASES[place], points, composition)


def hunt_all(
    jobs: int, *, names: Sequence[str], first: int, seeds: int, told: Callable[[Hunted], None] = lambda _hunted: None
) -> list[Hunted]:
    """Hunt mutants, several at a time; gives what became of each in their order."""
    if jobs <= 1:
        alone = []
        for name in names:
            alone.append(_hunt(name, first, seeds))
            told(alone[-1])
        return alone
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_begin) as pool:
        going = {pool.submit(_hunt, name, first, seeds): name for name in names}
        found = {}
        for each in as_completed(going):
            found[going[each]] = each.result()
            told(found[going[each]])
    return [found[name] for name in names]


def _hunt(name: str, first: int, seeds: int) -> Hunted:
    return hunting.hunt(BY_NAME[name], first=first, seeds=seeds)


def _chunks(first: int, seeds: int) -> Iterator[range]:
    for start in range(first, first + seeds, CHUNK):
        yield range(start, min(start + CHUNK, first + seeds))


def be_quiet() -> None:
    """Let nothing be logged: what a trial did stands in its story."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.ReturnLoggerFactory(),
    )


def _begin() -> None:
    """Begin a process of a pool."""
    hold_in_pool()
    be_quiet()


def processes() -> int:
    """Give how many processes this machine can run at a time."""
    return max(len(os.sched_getaffinity(0)), 1)
