"""The scene of one proof: the company, its load, and the machine, as faults find them."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from hub.proof import wishes
from hub.proof.company import Company
from hub.proof.conductor import Conductor
from hub.proof.faults import Plan
from hub.proof.http_json import NoAnswer
from hub.proof.real.machine import Disk, Machine
from hub.proof.real.watching import Look, Watcher
from hub.proof.scenario import Invoice
from hub.proof.servers.way import Way
from hub.proof.stage import Stage

#: Invoices a second, and seconds of one wave of them.
PER_SECOND, WAVE = 1.2, 8.0
#: What vendors take their time for, so that workers have something in hand: (vendor, path, seconds).
_SLOW = (
    ("netsuite", r"^/services/rest/record/v1/(invoice|customerPayment|creditMemo|journalEntry)", 0.3),
    ("tax", r"^/api/v2/transactions", 0.2),
)
#: So long a fault waits for something to strike, in seconds.
_PATIENCE = 6.0


def slow(vendor: str) -> Plan:
    """Give what is slow at a vendor; nothing else goes wrong there."""
    return [
        {"kind": "slow", "match": {"path": path}, "seconds": seconds, "rate": 1.0}
        for name, path, seconds in _SLOW
        if name == vendor
    ]


class Loading(Conductor):
    """Lets invoices happen in waves, for as long as the faults last."""

    def __init__(self, stage: Stage, say: Callable[[str], None], show: Callable[[Mapping[str, Any]], None]) -> None:
        """Take the stage, whose scenario has more invoices than there can be."""
        super().__init__(stage, say, show, plan=slow)
        self._over = threading.Event()
        self._waves = iter(_waves(stage.scenario.invoices))

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

    def _feed(self) -> None:
        for wave in self._waves:
            wish = wishes.stripe_invoices(replace(self._stage.scenario, invoices=wave), per_second=PER_SECOND)
            try:
                self.course.stripe_ids.update(self._stage.stripe.seed(wish)["keys"])
            except NoAnswer as error:
                self._failed.append(error)
                return
            if self._over.wait(WAVE):
                return


def _waves(invoices: Sequence[Invoice]) -> list[tuple[Invoice, ...]]:
    size = max(1, round(PER_SECOND * WAVE))
    return [tuple(invoices[start : start + size]) for start in range(0, len(invoices), size)]


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
    disk: Disk | None = None
    small: Sequence[Disk] = ()
    far: str = ""
    way: Way | None = None
    leaping: str = ""
    leap: Path = field(default_factory=Path)
    #: So many seconds NATS is away, each time.
    away: Iterator[float] = field(default_factory=lambda: itertools.repeat(5.0))
    #: Where PostgreSQL's log, and the hub's and the workers', ended when the present fault began.
    _marks: dict[Path, int] = field(default_factory=dict)

    def owner(self, name: str) -> str:
        """Give what a worker's process is called in the database now."""
        found = self.watcher.lease(self.first(name))
        return self.first(name) if found is None else found.worker

    def first(self, name: str) -> str:
        """Give what the first worker of a process was called."""
        return str(self.company.worker(name).hello["worker"])

    def look(self, owner: str = "") -> Look:
        """Look what is under way, as soon as something is; where an owner is named, of that one's."""
        until = time.monotonic() + _PATIENCE
        while True:
            found = self.watcher.look()
            there = owner in found.runs.values() if owner else bool(found.runs)
            if there or time.monotonic() > until:
                return found
            time.sleep(0.01)

    def busiest(self, among: Sequence[str] = ()) -> str:
        """Name a worker that has something in hand, as soon as one has; where none has, any."""
        names = list(among or self.company.workers)
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            owners = [owner for owner in self.watcher.look().runs.values() if owner is not None]
            in_hand = {name: owners.count(self.owner(name)) for name in names}
            most = max(in_hand.values())
            if most:
                return self.dice.choice(sorted(name for name, number in in_hand.items() if number == most))
            time.sleep(0.01)
        return self.dice.choice(sorted(names))

    def mark(self) -> None:
        """Remember where the logs end."""
        self._marks = {log: log.stat().st_size for log in self._logs()}

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
