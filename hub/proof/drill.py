"""`concord prove --restores N`: a backup under load, more invoices, and the old backup restored: nothing is twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from rich.console import Console

from hub.proof import wishes
from hub.proof.conductor import Conductor, Course, Say
from hub.proof.faults import Profile
from hub.proof.invariants import Invariant
from hub.proof.outside import Proved
from hub.proof.performing import figures, perform
from hub.proof.stage import Stage

#: Invoices before the backup, and after it.
BEFORE, AFTER = 60, 50
#: What a restore does away with by its nature: deliveries that were counted after the backup.
GONE = frozenset({Invariant.ACKNOWLEDGED_IS_DURABLE})


class Drill(Conductor):
    """Drives invoices, makes a backup while they are posted, drives more, and goes back to the backup."""

    def go_back(self, before: int) -> Course:
        """Do all of it, with so many invoices before the backup; gives the course when the restored hub is at rest."""
        stage, whole = self._stage, self._stage.scenario
        first, then = whole.invoices[:before], whole.invoices[before:]
        self._finalise(first)
        self._until_driven(len(first) // 2)
        file = stage.hub.data.parent / "backup.tar"
        stage.hub.command("backup", str(file), "--data", str(stage.hub.data))
        self._say("A backup was made while invoices were posted.")
        self._settle()
        self._finalise(then)
        self._settle()
        posted = len(stage.sandboxes["netsuite"].books()["invoices"])
        self._say(f"{posted} invoices are in the ERP; the hub goes back to the backup.")
        stage.hub.end()
        stage.hub.command("restore", str(file), "--data", str(stage.hub.data), "--force")
        stage.hub.start()
        self._settle()
        return self.course

    def _finalise(self, invoices: Any) -> None:
        wish = wishes.stripe_invoices(replace(self._stage.scenario, invoices=tuple(invoices)), per_second=20)
        self.course.stripe_ids.update(self._stage.stripe.seed(wish)["keys"])

    def _until_driven(self, number: int) -> None:
        while self._stage.stripe.progress()["driven"] < number:
            time.sleep(0.05)


def prove(console: Console, *, restores: int, seed: int, before: int = BEFORE, after: int = AFTER) -> Proved:
    """Hold so many drills, each with another scenario, and judge each; told are the sums, and the last one's books."""
    told: dict[str, Any] = {}
    findings: list[str] = []
    sums = {"looked_up": 0, "found": 0, "sent": 0, "parked": 0, "open": 0}

    def drive(stage: Stage, say: Say, show: Callable[[Mapping[str, Any]], None]) -> Course:
        course = Drill(stage, say, show).go_back(before)
        status = stage.hub.api.get("/api/restore")
        for name in sums:
            sums[name] += status[name]
        return course

    for turn in range(restores):
        performed = perform(
            console, invoices=before + after, seed=seed + turn, profile=Profile.STANDARD, drive=drive, flawed=False
        )
        told = figures(performed)
        findings.extend(f"drill {turn + 1}: {finding}" for finding in performed.findings(GONE))
    return Proved(
        title=f"{restores} times a backup older than {after} invoices is restored",
        figures={"restores": restores, "writes_after_the_restore": sums, **told},
        findings=tuple(findings),
    )
