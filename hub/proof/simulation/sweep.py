"""The crash sweep: a shipped flow is run once for each of its durable points, and the process dies there.

A durable point lies before or after each commit, and before or after each request. What is then started anew must bring
everything to the end that it would have had, and the oracle judges it by the vendors' books.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.errors import Refused
from hub.expressions.findings import nearest
from hub.proof.invariants import Finding
from hub.proof.simulation import coverage, shipped
from hub.proof.simulation.case import Case
from hub.proof.simulation.cases import CASES
from hub.proof.simulation.playing import play
from hub.proof.simulation.points import Point, Where
from hub.runtime.composition import Composition


@dataclass(slots=True, kw_only=True)
class Swept:
    """What the sweep of one case showed: how many points it has, at how many the process has died, and what broke."""

    flows: tuple[str, ...]
    points: int = 0
    covered: int = 0
    broken: list[tuple[str, Finding]] = field(default_factory=list)
    #: What the case comes to without a crash.
    reached: frozenset[str] = frozenset()

    def join(self, other: Swept) -> None:
        """Add what other points of the case showed."""
        self.covered += other.covered
        self.broken.extend(other.broken)

    def to_json(self) -> dict[str, object]:
        """Give the JSON form."""
        return {
            "flows": list(self.flows),
            "points": self.points,
            "covered": self.covered,
            "violations": [
                {"point": point, "invariant": finding.invariant.value, "detail": finding.detail}
                for point, finding in self.broken[:50]
            ],
        }


def points_of(case: Case, composition: Composition | None = None) -> tuple[Swept, list[Point]]:
    """Run a case without a crash, and give its points with what broke even so."""
    whole = play(case, None, composition)
    points = [
        Point(where=where, number=number)
        for where, count in (
            (Where.BEFORE_COMMIT, whole.commits),
            (Where.AFTER_COMMIT, whole.commits),
            (Where.BEFORE_CALL, whole.calls),
            (Where.AFTER_CALL, whole.calls),
        )
        for number in range(1, count + 1)
    ]
    found = Swept(flows=(case.name, *case.flows[1:]), points=len(points), reached=whole.reached)
    found.broken.extend(("without a crash", finding) for finding in whole.findings)
    return found, points


def crash(case: Case, points: Sequence[Point], composition: Composition | None = None) -> Swept:
    """Run a case once for each of these points, and let the process die there."""
    found = Swept(flows=case.flows)
    for point in points:
        played = play(case, point, composition)
        found.covered += played.died
        found.broken.extend((str(point), finding) for finding in played.findings)
    gc.collect()
    return found


def sweep(case: Case, composition: Composition | None = None) -> Swept:
    """Run a case once without a crash, and then once for each of its points."""
    found, points = points_of(case, composition)
    found.join(crash(case, points, composition))
    return found


def named(text: str) -> tuple[Case, Point]:
    """Give the case and the point that a text such as `invoice-to-erp, after a commit 6` names; raises `Refused`."""
    name, _, at = text.rpartition(", ")
    where, _, number = at.rpartition(" ")
    case = next((case for case in CASES if case.name == name), None)
    if case is None or where not in set(Where) or not number.isdecimal():
        meant = "" if case else nearest(name or text, (each.name for each in CASES))
        raise Refused(
            f"`{text}` names no crash.{meant} Give a case (docs/proof.md lists all of them), a comma, and a side "
            f"({', '.join(Where)}) with its number, such as `{CASES[0].name}, {Where.AFTER_COMMIT} 6`.",
            code="no-such-crash",
        )
    return case, Point(where=Where(where), number=int(number))


def uncovered(swept: Sequence[Swept]) -> list[str]:
    """Name what ships and was come to in none of these cases: steps, arms, undos and waits."""
    reached = {place for each in swept for place in each.reached}
    return sorted(coverage.shipped(shipped.compiled()) - reached)
