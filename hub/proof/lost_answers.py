"""`concord prove --invoices N --timeouts PERCENT`: so many writes are done and never answered, and nothing is twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rich.console import Console

from hub.proof import faults
from hub.proof.conductor import Conductor, Course, Say
from hub.proof.faults import Profile
from hub.proof.outside import Proved
from hub.proof.performing import figures, perform
from hub.proof.stage import Stage


def prove(console: Console, *, invoices: int, percent: int, seed: int) -> Proved:
    """Let so many writes time out after they were done, at every vendor, and judge."""

    def drive(stage: Stage, say: Say, show: Callable[[Mapping[str, Any]], None]) -> Course:
        return Conductor(stage, say, show, plan=lambda vendor: faults.timeouts(percent, vendor)).perform(0)

    performed = perform(console, invoices=invoices, seed=seed, profile=Profile.STANDARD, drive=drive, flawed=False)
    return Proved(
        title=f"{invoices:,} invoices, {percent} % of the writes time out after they were done",
        figures={
            "timeouts": {vendor: sum(kinds.values()) for vendor, kinds in performed.injected.items()},
            **figures(performed),
        },
        findings=performed.findings(),
    )
