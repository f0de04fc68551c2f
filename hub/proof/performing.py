"""One proof on the demo's stage: set up, driven by the proof, judged by the oracle, with figures of money."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console

from hub.proof import four_books, judging, stage
from hub.proof.company import Company
from hub.proof.conductor import Course, Say
from hub.proof.faults import Profile
from hub.proof.invariants import Invariant
from hub.proof.oracle import Judgement, judge
from hub.proof.processes import Processes
from hub.proof.progress import Shown
from hub.proof.scenario import draw
from hub.proof.stage import Stage

Drive = Callable[[Stage, Say, Callable[[Mapping[str, Any]], None]], Course]


class Around(Protocol):
    """What stands around a stage, where the hub has outgrown one process."""

    def company(self, processes: Processes, folder: Path) -> AbstractContextManager[Company]:
        """Start what runs beside the hub; it has ended when the block is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """What became of it; `injected` counts by vendor and kind what went wrong."""

    stage: Stage
    judgement: Judgement
    injected: Mapping[str, Mapping[str, int]]
    seconds: float

    def findings(self, without: frozenset[Invariant] = frozenset()) -> tuple[str, ...]:
        """Give everything that is not as it must be, but for invariants that the proof itself does away with."""
        return tuple(
            f"{finding.invariant.value}: {finding.detail}"
            for finding in self.judgement.findings
            if finding.invariant not in without
        )


def perform(
    console: Console,
    *,
    invoices: int,
    seed: int,
    profile: Profile,
    drive: Drive,
    flawed: bool | None = None,
    around: Around | None = None,
) -> Performed:
    """Set the stage, let `drive` do what the proof is about, and judge when all is at rest."""
    began = time.monotonic()
    scenario = draw(seed, invoices, flawed=profile is not Profile.NONE if flawed is None else flawed)
    with (
        tempfile.TemporaryDirectory(prefix="concord-proof-", ignore_cleanup_errors=True) as name,
        Processes(Path(name) / "logs", stage.environ(Path(name))) as processes,
        Shown(console, scenario.steps) as shown,
        nullcontext() if around is None else around.company(processes, Path(name)) as company,
    ):
        set_up = stage.build(processes, Path(name), scenario=scenario, profile=profile, port=0, company=company)
        course = drive(set_up, shown.say, shown.numbers)
        shown.say("Comparing the books.")
        injected = {vendor: sandbox.injected() for vendor, sandbox in set_up.sandboxes.items()}
        _books, evidence = judging.gather(set_up, course)
        judgement = judge(evidence, judging.about_the_whole(set_up, course, evidence, injected))
        return Performed(stage=set_up, judgement=judgement, injected=injected, seconds=time.monotonic() - began)


def figures(performed: Performed) -> dict[str, Any]:
    """Give what every such proof tells: documents, duplicates, losses, and differences of each currency."""
    judgement = performed.judgement
    return {
        "wanted": dict(judgement.wanted),
        "posted": dict(judgement.posted),
        "duplicates": judgement.duplicates,
        "lost": judgement.lost,
        "difference": {
            currency: four_books.major(row.get("difference", Decimal(0)), currency)
            for currency, row in judgement.totals.items()
        },
        "exceptions_open": dict(judgement.exceptions_open),
        "seconds": round(performed.seconds, 1),
    }
