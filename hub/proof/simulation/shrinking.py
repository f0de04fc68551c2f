"""Making a failing trial small: troubles and orders are left out one after the other as long as it still fails."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from hub.proof.simulation import trial
from hub.proof.simulation.trial import Draft, Trial
from hub.runtime.composition import Composition

#: So many runs a shrinking may cost.
MOST_RUNS = 200


class Run(Protocol):
    """Runs a trial; `without` are places of what is left out."""

    def __call__(
        self,
        draft: Draft,
        *,
        composition: Composition | None = None,
        without: Collection[int] = (),
        kept: bool = False,
    ) -> Trial:
        """Run it, and judge it."""
        ...


def shrink(draft: Draft, composition: Composition | None = None, run: Run = trial.run) -> frozenset[int]:
    """Give the places that can be left out with the trial still failing, halves first, then one by one."""
    left = list(range(draft.size))
    out: set[int] = set()
    runs = 0

    def fails(without: set[int]) -> bool:
        nonlocal runs
        runs += 1
        return bool(run(draft, without=without, composition=composition).findings)

    size = max(len(left) // 2, 1)
    while left and runs < MOST_RUNS:
        kept: list[int] = []
        for start in range(0, len(left), size):
            part = left[start : start + size]
            if runs < MOST_RUNS and fails(out | set(part)):
                out |= set(part)
            else:
                kept.extend(part)
        if size == 1:
            break
        left, size = kept, max(size // 2, 1)
    return frozenset(out)
