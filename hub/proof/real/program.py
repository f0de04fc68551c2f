"""`concord` as the proof's workers run it: with a clock that can be set, and broken on purpose where that is asked for.

At SIGUSR1 the process's clock leaps to the machine's time and so many seconds more as stand in a file. The hub itself
knows nothing of that, and reads no setting for it.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import FrameType

from hub.errors import Refused
from hub.proof.processes import HOLD
from hub.proof.simulation.breaking import Swap
from hub.proof.simulation.broken_engine import Unfenced
from hub.runtime import clock as clocks
from hub.runtime.working import Working
from hub.store import history

#: What stands in the log of a process whose clock has leapt, before the seconds.
LEAPT = "The clock of this process is wrong by"


def command(clock: Path, mutant: str | None) -> tuple[str, ...]:
    """Give what runs in the place of `concord`: its clock is set by a file; it may be a mutant."""
    begin = f"from hub.proof.real.program import begin; begin({str(clock)!r}, {mutant!r})"
    return (sys.executable, "-c", f"{HOLD}; {begin}; from hub.cli.main import run; run()")


class Leaping:
    """The machine's clock, and by how many seconds it is wrong here."""

    seconds = 0.0

    @staticmethod
    def time() -> datetime:
        """Give the wrong time as aware UTC."""
        return datetime.now(UTC) + timedelta(seconds=Leaping.seconds)


def begin(clock: str, mutant: str | None) -> None:
    """Let this process's clock be wrong from the first signal on, and let it be a mutant from now on."""
    right = time.time

    def leap(_number: int, _frame: FrameType | None) -> None:
        Leaping.seconds = float(Path(clock).read_text())
        sys.stderr.write(f"{LEAPT} {Leaping.seconds:g} seconds.\n")

    signal.signal(signal.SIGUSR1, leap)
    clocks.machine_time = Leaping.time
    time.time = lambda: right() + Leaping.seconds
    for swap in swaps(mutant):
        setattr(swap.owner, swap.name, swap.by)


def _heeds_nothing(_working: Working) -> None:
    """Go on, although others have taken all that this worker had."""


#: Workers that are broken on purpose, each of which this proof must see.
MUTANTS: Mapping[str, Sequence[Swap]] = {
    "no_fence": (
        Swap(owner=history, name="_Fence", by=Unfenced),
        Swap(owner=Working, name="_replace", by=_heeds_nothing),
    )
}


def swaps(mutant: str | None) -> Sequence[Swap]:
    """Give what a mutant puts in the place of the hub's own; raises `Refused` for one that there is not."""
    if mutant is not None and mutant not in MUTANTS:
        raise Refused(f"No worker can be the mutant `{mutant}`; there is {', '.join(MUTANTS)}.", code="unknown-mutant")
    return MUTANTS.get(mutant or "", ())
