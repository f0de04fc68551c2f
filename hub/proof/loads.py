"""All records of a kind carried over by the real process: what every such proof has in common.

The hub is watched over its API, its memory is what the system says, and it is killed at moments drawn by chance.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hub.proof.http_json import NoAnswer
from hub.proof.hub_process import HubProcess

#: The hub reads the vendors' lists of changes so seldom meanwhile, in seconds.
POLL = 3600
#: After so many seconds without any change nothing is waited for any more.
_STALLED = 120.0


@dataclass(slots=True, kw_only=True)
class Course:
    """What was seen on the way: memory in MB by tenths of the way, kills, and when it began and ended."""

    began: float = 0.0
    seconds: float = 0.0
    kills: int = 0
    peak: int = 0
    memory: dict[int, int] = field(default_factory=dict)
    last: Mapping[str, Any] = field(default_factory=dict)
    settled: bool = False

    def per_second(self, records: int) -> float:
        """Give how many records were carried over in a second."""
        return round(records / self.seconds, 1) if self.seconds else 0

    def memory_mb(self) -> dict[str, int]:
        """Give the memory by the part of the way at which it was measured."""
        return {f"{10 * tenth} %": size for tenth, size in sorted(self.memory.items())}


def carry_over(
    hub: HubProcess,
    listing: str,
    records: int,
    kills: int,
    dice: random.Random,
    progress: Progress,
    *,
    batch: int | None = None,
    look: float = 0.5,
) -> Course:
    """Order all records of a listing (`connection/name`), and watch until all that they started has come to its end.

    In each part of the way between two kills there is one, at a moment drawn by chance: so many records have come to
    their end, and so much of a second has gone by since. `look` is how many seconds are between two looks.
    """
    course = Course(began=time.monotonic())
    order = {"reason": "Everything that was there before the hub.", **({} if batch is None else {"batch": batch})}
    made = hub.api.post(f"/api/streams/{listing}/backfill", order)["backfill"]
    task = progress.add_task("carried over", total=None)
    moments = [records * (turn + dice.uniform(0.3, 0.9)) / (kills + 1) for turn in range(kills)]
    still, before = time.monotonic(), -1
    while time.monotonic() - still < _STALLED:
        time.sleep(look)
        try:
            row = hub.api.get(f"/api/backfills/{made}", timeout=30)
        except NoAnswer:
            continue
        ended = row["ended"]
        course.last = row
        progress.update(task, completed=ended, total=row["total"])
        memory = memory_of(hub.pid)
        course.peak = max(course.peak, memory)
        course.memory.setdefault(10 * ended // records, memory)
        if ended != before or row["total"] is None:
            still, before = time.monotonic(), ended
        if moments and ended >= moments[0]:
            moments.pop(0)
            time.sleep(dice.uniform(0, 1.0))
            hub.kill()
            course.kills += 1
            hub.start(poll=POLL)
            still = time.monotonic()
        elif row["state"] != "open" and not row["at_work"]:
            course.settled = True
            break
    course.seconds = time.monotonic() - course.began
    return course


def of_the_way(course: Course, kills: int, *, most_memory: int, most_growth: int) -> Iterator[str]:
    """Give what was not as it must be on the way: where it came to a stand, kills that did not happen, memory (MB)."""
    if not course.settled:
        yield f"it came to a stand: {dict(course.last)}"
    if course.kills != kills:
        yield f"the hub was killed {course.kills} times, must be {kills}"
    if course.peak > most_memory:
        yield f"the hub had {course.peak} MB in memory, at most {most_memory} are allowed"
    if course.memory and not course.kills:
        early, late = course.memory.get(1, course.peak), course.memory[max(course.memory)]
        if late > early + most_growth:
            yield f"the hub's memory grew from {early} MB after a tenth of the way to {late} MB"
    if course.last.get("stopped"):
        yield f"{course.last['stopped']} runs stopped for a person, must be none"


def memory_of(pid: int) -> int:
    """Give what a process has in memory, in MB."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines: Sequence[str] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(lines[0].split()[1]) // 1024 if lines else 0


def database_mb(data: Path) -> int:
    """Give how large the files of a data directory are, in MB."""
    return sum(path.stat().st_size for path in data.glob("*") if path.is_file()) // 2**20


def bar(console: Console) -> Progress:
    """Show how far it is, where somebody can see it."""
    return Progress(
        TextColumn("{task.description}", justify="right"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
