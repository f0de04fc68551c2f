"""`concord prove --power-cuts N`: the real process is recorded, its power cut at N moments, and every disk opened."""

from __future__ import annotations

import contextlib
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from hub.connections.keys import FILE_VARIABLE, present_key
from hub.connections.signing_key import signing_key
from hub.proof import stage as staging
from hub.proof.conductor import Conductor
from hub.proof.faults import Profile
from hub.proof.outside import Proved
from hub.proof.power import recording, witness
from hub.proof.power.disk import Disk, Loss
from hub.proof.power.recording import Operation
from hub.proof.power.reopening import missing
from hub.proof.power.witness import Witness
from hub.proof.processes import CONCORD, Processes
from hub.proof.progress import Shown
from hub.proof.scenario import draw
from hub.proof.stage import Stage
from hub.store.sqlite import FILE_NAME

#: Invoices while it is recorded, and how often the process ends in between: by kill -9, and in order.
INVOICES = 60
#: The write-ahead log's index, and how often it is looked at, in seconds.
INDEX = f"{FILE_NAME}-shm"
LOOKS = 0.2
#: Files that hold nothing that was promised, or that the machine's memory holds.
_LEFT_OUT = ("hub.json", "api-token", "hub.lock", ".sync-")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One recorded history: what was done to the files, and what the outside knew when.

    `memory` holds the log's index as it was at some moments: it lies in shared memory, is never synced, and any of its
    earlier states may be on the disk.
    """

    operations: Sequence[Operation]
    memory: Sequence[tuple[float, bytes]]
    witness: Witness
    began: float
    ended: float


def prove(console: Console, *, cuts: int, seed: int) -> Proved:
    """Record, cut so often, and tell everything that was promised and is gone."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="concord-power-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        environ = staging.environ(folder)
        with Processes(folder / "logs", environ) as processes, Shown(console, INVOICES) as shown:
            recorded = record(processes, folder, shown, seed=seed)
            shown.say(f"{len(recorded.operations):,} operations were recorded; the power is cut {cuts} times.")
        key = present_key({FILE_VARIABLE: environ[FILE_VARIABLE]}, "hub")
        assert key is not None
        findings, figures = judge(recorded, folder, cuts=cuts, seed=seed, verifier=signing_key(key).verify)
    return Proved(
        title=f"The power is cut {cuts} times",
        figures={**figures, "seconds": round(time.monotonic() - began, 1)},
        findings=findings,
    )


def record(processes: Processes, folder: Path, shown: Shown, *, seed: int) -> Recorded:
    """Let invoices go through a recorded hub that is killed once, ended once in order, and started again."""
    prefixes = [folder / f"life-{number}" for number in range(3)]
    serve = iter([recording.command(prefix, (*CONCORD, "serve")) for prefix in prefixes])
    scenario = draw(seed, INVOICES, flawed=True)
    stage = staging.build(processes, folder, scenario=scenario, profile=Profile.STANDARD, port=0, serve=next(serve))
    data = stage.hub.data.resolve()
    memory = Memory(data / INDEX)
    memory.start()
    began = time.time()
    conductor = Conductor(stage, shown.say, shown.numbers)
    conductor.begin()
    for prefix, ending in zip(prefixes, (stage.hub.kill, stage.hub.end), strict=False):
        _let_happen(stage, prefixes.index(prefix) + 1)
        ending()
        recording.wait_for_end(prefix)
        stage.hub.serve_with(next(serve))
        stage.hub.start()
    conductor.end()
    seen = witness.gather(stage)
    ended = time.time()
    memory.stop()
    stage.hub.end()
    recording.wait_for_end(prefixes[-1])
    operations = [each for prefix in prefixes for each in recording.read(prefix, data) if _matters(each)]
    return Recorded(
        operations=sorted(operations, key=lambda each: each.began),
        memory=memory.states,
        witness=seen,
        began=began,
        ended=ended,
    )


class Memory:
    """Looks at the log's index from time to time, in a thread of its own."""

    def __init__(self, path: Path) -> None:
        """Take where it is."""
        self.states: list[tuple[float, bytes]] = []
        self._path = path
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOKS):
            with contextlib.suppress(FileNotFoundError):
                self.states.append((time.time(), self._path.read_bytes()))


def _matters(operation: Operation) -> bool:
    return not (operation.name or operation.target).startswith(_LEFT_OUT)


def _let_happen(stage: Stage, third: int) -> None:
    """Wait until a third more of everything has happened."""
    while stage.stripe.progress()["driven"] < INVOICES * third // 4:
        time.sleep(0.05)


def judge(
    recorded: Recorded, folder: Path, *, cuts: int, seed: int, verifier: Any, losing: Sequence[Loss] = tuple(Loss)
) -> tuple[list[str], Mapping[str, Any]]:
    """Cut the power at moments drawn by chance, and open what is left; gives the findings and the figures."""
    dice = random.Random(f"{seed}:power")
    findings: list[str] = []
    losses: Counter[str] = Counter()
    sums: Counter[str] = Counter()
    disk = Disk()
    for number, moment in _at_moments(recorded, cuts, dice, disk):
        loss = losing[number % len(losing)]
        losses[loss.value] += 1
        sums["writes_without_a_sync"] += disk.unsynced
        for name, seen in zip(("events", "requests", "outcomes"), recorded.witness.until(moment), strict=True):
            sums[name] += len(seen)
        left = disk.after(loss, dice)
        files = {name: content for name, (_file, content) in left.items()}
        if INDEX in left:
            index = left[INDEX][0]
            stale = [content for at, content in recorded.memory if index.born <= at <= min(index.died, moment)]
            # What lies in shared memory is written at no known time: never, or as it was at any time.
            files[INDEX] = dice.choice(stale) if stale and dice.random() < 0.75 else b""
            sums["stale_indexes"] += bool(files[INDEX])
        with tempfile.TemporaryDirectory(prefix="cut-", dir=folder) as place:
            found = list(missing(Path(place), files, recorded.witness, moment, verifier))
        findings.extend(f"cut {number + 1}, {loss.value}: {each}" for each in found)
    return findings, {
        "cuts": cuts,
        "operations": len(recorded.operations),
        "writes": disk.writes,
        "syncs": disk.syncs,
        "cuts_by_what_is_lost": dict(losses),
        "acknowledged": {
            "events": len(recorded.witness.events),
            "requests": len(recorded.witness.requests),
            "outcomes": len(recorded.witness.outcomes),
        },
        "looked_for_at_all_cuts": dict(sums),
        "acknowledged_lost": len(findings),
    }


def _at_moments(recorded: Recorded, cuts: int, dice: random.Random, disk: Disk) -> Iterator[tuple[int, float]]:
    """Bring the disk to each moment, in their order."""
    moments = sorted(_moment(recorded, dice) for _ in range(cuts))
    waiting = iter(recorded.operations)
    following = next(waiting, None)
    for number, moment in enumerate(moments):
        while following is not None and following.began <= moment:
            disk.advance(following)
            following = next(waiting, None)
        disk.until(moment)
        yield number, moment


def _moment(recorded: Recorded, dice: random.Random) -> float:
    """Draw any moment of the load, or one just before or behind the end of something done to a file."""
    if dice.random() < 0.5:
        return dice.uniform(recorded.began, recorded.ended)
    operation = dice.choice(recorded.operations)
    at = min(operation.done, recorded.ended) if dice.random() < 0.5 else operation.began
    return at + dice.choice((-0.000_002, 0.000_002))
