"""Hunting mutants: a broken hub is run seed after seed until the invariant that must catch it goes red."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hub.proof.invariants import Finding, Invariant
from hub.proof.simulation import alike, playing, sweep, trial
from hub.proof.simulation.breaking import Mutant, broken
from hub.proof.simulation.cases import CASES

#: A mutant that shows in none of so many seeds is not caught.
MOST_SEEDS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunted:
    """What became of a mutant: where it was caught and after how many tries, and what else went red before.

    `sound` tells that the hub as it ships breaks nothing at the very same place.
    """

    name: str
    does: str
    breaks: Invariant
    tries: int
    places: str = "seeds"
    seed: int | None = None
    where: str | None = None
    detail: str = ""
    sound: bool = False
    beside: Counter[str] = field(default_factory=Counter)

    @property
    def caught(self) -> bool:
        """Tell whether the named invariant saw it, and it is the mutant's own doing."""
        return self.where is not None and self.sound

    def to_json(self) -> dict[str, object]:
        """Give the JSON form."""
        return {
            "name": self.name,
            "does": self.does,
            "breaks": self.breaks.value,
            "caught": self.caught,
            "tries": self.tries,
            "of": self.places,
            "where": self.where,
            "seed": self.seed,
            "detail": self.detail,
            "beside": dict(sorted(self.beside.items())),
        }


def hunt(mutant: Mutant, *, first: int = 0, seeds: int = MOST_SEEDS) -> Hunted:
    """Look for a mutant in the crash sweep's case that it names, or in seeds."""
    try:
        return _swept(mutant) if mutant.crashed is not None else _seeded(mutant, first, seeds)
    finally:
        gc.collect()


def _seeded(mutant: Mutant, first: int, seeds: int) -> Hunted:
    hunted = Hunted(name=mutant.name, does=mutant.does, breaks=mutant.breaks, tries=seeds)
    draw, run = (alike.draw, alike.run) if mutant.alike else (trial.draw, trial.run)
    for seed in range(first, first + seeds):
        draft = draw(seed)
        with broken(mutant) as composition:
            findings = run(draft, composition=composition).findings
        told = _told(hunted, findings)
        if told is not None:
            sound = not run(draft).findings
            return replace(hunted, tries=seed - first + 1, seed=seed, where=f"seed {seed}", detail=told, sound=sound)
    return hunted


def _swept(mutant: Mutant) -> Hunted:
    case = next(case for case in CASES if case.name == mutant.crashed)
    _, points = sweep.points_of(case)
    hunted = Hunted(name=mutant.name, does=mutant.does, breaks=mutant.breaks, tries=len(points), places="crashes")
    for tries, point in enumerate(points, start=1):
        with broken(mutant) as composition:
            findings = playing.play(case, point, composition).findings
        told = _told(hunted, findings)
        if told is not None:
            sound = not playing.play(case, point).findings
            return replace(hunted, tries=tries, where=f"{case.name}, {point}", detail=told, sound=sound)
    return hunted


def _told(hunted: Hunted, findings: Sequence[Finding]) -> str | None:
    """Count what went red, and give what the named invariant says; None while it holds."""
    hunted.beside.update({finding.invariant.value for finding in findings} - {hunted.breaks.value})
    return next((finding.detail for finding in findings if finding.invariant is hunted.breaks), None)
