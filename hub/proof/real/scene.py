"""The scene of one proof: the company, its load, and the machine, as faults find them."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from hub.proof import wishes
from hub.proof.company import Company
from hub.proof.conductor import Conductor
from hub.proof.faults import Plan
from hub.proof.http_json import NoAnswer
from hub.proof.real.machine import Disk, Machine
from hub.proof.real.watching import Look, Watcher
from hub.proof.servers.way import Way
from hub.proof.stage import Stage

T = TypeVar("T")

#: Invoices a second all the time, and seconds of which they are seeded at once.
PER_SECOND, _AT_ONCE = 1.2, 4.0
#: Invoices of a wave, which begins before a trial where little is under way, and how many of them a second.
WAVE, _WAVES_PER_SECOND = 6, 3.0
#: What vendors take their time for, so that workers have something in hand: (vendor, path, seconds).
_SLOW = (
    ("netsuite", r"^/services/rest/record/v1/(invoice|customerPayment|creditMemo|journalEntry)", 0.3),
    ("tax", r"^/api/v2/transactions", 0.2),
)
#: So long a fault waits for something to strike, in seconds; after the half of them one more wave begins.
_PATIENCE = 10.0
#: So many runs under way are waited for, and so many of one worker; with the second wave one will do.
_FEW, _FEW_OF_ONE = 4, 2
#: Of more runs under way some are waited for, so many seconds at most: how soon a backlog is done says what machine
#: this is, not how soon work goes on after a fault.
_MANY, _DONE_WITHIN = 12, 45.0


def slow(vendor: str) -> Plan:
    """Give what is slow at a vendor; nothing else goes wrong there."""
    return [
        {"kind": "slow", "match": {"path": path}, "seconds": seconds, "rate": 1.0}
        for name, path, seconds in _SLOW
        if name == vendor
    ]


class Loading(Conductor):
    """Lets invoices happen all the time for as long as the faults last, and a wave of them when it is told."""

    def __init__(self, stage: Stage, say: Callable[[str], None], show: Callable[[Mapping[str, Any]], None]) -> None:
        """Take the stage, whose scenario has more invoices than there can be."""
        super().__init__(stage, say, show, plan=slow)
        self._over = threading.Event()
        self._held = threading.Event()
        self._invoices = iter(stage.scenario.invoices)
        self._one = threading.Lock()

    def begin(self) -> None:
        """Begin with the load; it goes on by itself."""
        for vendor, sandbox in self._stage.sandboxes.items():
            sandbox.trouble(slow(vendor))
        self._seeding = threading.Thread(target=self._feed, daemon=True)
        self._seeding.start()

    def enough(self) -> None:
        """Let no further invoices happen."""
        self._over.set()
        assert self._seeding is not None
        self._seeding.join()

    def wave(self) -> None:
        """Let a wave begin."""
        self._happen(WAVE, _WAVES_PER_SECOND)

    def hold(self) -> None:
        """Let nothing more happen until `go_on`, but for waves."""
        self._held.set()

    def go_on(self) -> None:
        """Let invoices happen again."""
        self._held.clear()

    def _feed(self) -> None:
        while True:
            try:
                if not self._held.is_set():
                    self._happen(round(PER_SECOND * _AT_ONCE), PER_SECOND)
            except NoAnswer as error:
                self._failed.append(error)
                return
            if self._over.wait(_AT_ONCE):
                return

    def _happen(self, number: int, per_second: float) -> None:
        with self._one:
            some = tuple(itertools.islice(self._invoices, number))
            if some:
                wish = wishes.stripe_invoices(replace(self._stage.scenario, invoices=some), per_second=per_second)
                self.course.stripe_ids.update(self._stage.stripe.seed(wish)["keys"])


@dataclass(slots=True)
class Before:
    """What was when the present fault began, and what was done, by which it is seen whether it struck.

    `owners` and `processes` are of the workers, by name: what each is called in the database, and its number. `nodes`
    of NATS were killed, `emptied` of their disks have nothing any more, and some commits took `commits` seconds.
    """

    owners: dict[str, str] = field(default_factory=dict)
    processes: dict[str, int] = field(default_factory=dict)
    nodes: list[str] = field(default_factory=list)
    emptied: int = 0
    commits: float = 0.0


@dataclass(slots=True, kw_only=True)
class Scene:
    """Everything that a fault may touch.

    `small` are the disks of the hub's and the workers' own folders, `disk` is PostgreSQL's; neither is there where the
    machine allows none. `far` is the worker that can be cut off from the database, by the `way` where routing cannot do
    it, and `leaping` the one whose clock can be set: the file says by how many seconds.
    """

    stage: Stage
    company: Company
    machine: Machine
    watcher: Watcher
    say: Callable[[str], None]
    dice: Random
    lease: float
    loading: Loading
    disk: Disk | None = None
    small: Sequence[Disk] = ()
    far: str = ""
    way: Way | None = None
    leaping: str = ""
    leap: Path = field(default_factory=Path)
    #: So many seconds NATS is away, each time.
    away: Iterator[float] = field(default_factory=lambda: itertools.repeat(5.0))
    before: Before = field(default_factory=Before)
    #: Where PostgreSQL's log, and the hub's and the workers', ended when the present fault began.
    _marks: dict[Path, int] = field(default_factory=dict)

    def load(self) -> None:
        """See to it that something is under way, and not much more than that."""
        until = time.monotonic() + _DONE_WITHIN
        while (under_way := len(self.watcher.look().runs)) > _MANY and time.monotonic() < until:
            self.loading.hold()
            time.sleep(0.1)
        self.loading.go_on()
        if under_way < _FEW:
            self.loading.wave()

    def owner(self, name: str) -> str:
        """Give what a worker's process is called in the database now."""
        found = self.watcher.lease(self.first(name))
        return self.first(name) if found is None else found.worker

    def first(self, name: str) -> str:
        """Give what the first worker of a process was called."""
        return str(self.company.worker(name).hello["worker"])

    def look(self, owner: str = "") -> Look:
        """Look what is under way, as soon as a few runs are; where an owner is named, as soon as that one has any."""

        def look(enough: bool) -> Look | None:  # noqa: FBT001 - `_patiently` says it
            found = self.watcher.look()
            if owner:
                return found if owner in found.runs.values() else None
            return found if len(found.runs) >= (1 if enough else _FEW) else None

        return self._patiently(look) or self.watcher.look()

    def busiest(self, among: Sequence[str] = ()) -> str:
        """Name a worker that has a few runs in hand, as soon as one has; where none has any, one of them."""
        names = list(among or self.company.workers)

        def look(enough: bool) -> str | None:  # noqa: FBT001 - `_patiently` says it
            owners = [owner for owner in self.watcher.look().runs.values() if owner is not None]
            in_hand = {name: owners.count(self.owner(name)) for name in names}
            most = max(in_hand.values())
            if most < (1 if enough else _FEW_OF_ONE):
                return None
            return self.dice.choice(sorted(name for name, number in in_hand.items() if number == most))

        return self._patiently(look) or self.dice.choice(sorted(names))

    def _patiently(self, look: Callable[[bool], T | None]) -> T | None:
        """Look until something is found; after half the time one more wave begins, and anything is enough."""
        began, again = time.monotonic(), False
        while (passed := time.monotonic() - began) < _PATIENCE:
            if passed > _PATIENCE / 2 and not again:
                self.loading.wave()
                again = True
            if (found := look(again)) is not None:
                return found
            time.sleep(0.02)
        return None

    def lease_is_over(self, worker: str) -> bool:
        """Tell whether the lease is over that a worker had when the fault began."""
        return self.watcher.is_over(self.before.owners[worker])

    def is_new(self, worker: str) -> bool:
        """Tell whether a worker is another process than when the fault began, and runs."""
        child = self.company.worker(worker)
        return child.running and child.process.pid != self.before.processes[worker]

    def mark(self) -> None:
        """Remember where the logs end, and who the workers are."""
        self._marks = {log: log.stat().st_size for log in self._logs()}
        names = self.company.workers
        self.before = Before(
            owners={name: self.owner(name) for name in names},
            processes={name: self.company.worker(name).process.pid for name in names},
        )

    def told(self, words: Sequence[str]) -> int:
        """Count the lines since the mark, of any log, that have one of these words."""
        found = 0
        for log in self._logs():
            with log.open("rb") as file:
                file.seek(self._marks.get(log, 0))
                found += sum(any(word.encode() in line for word in words) for line in file)
        return found

    def _logs(self) -> list[Path]:
        return [self.company.postgres_log, self.stage.hub.log, *self.company.logs]
