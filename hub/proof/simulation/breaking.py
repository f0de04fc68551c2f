"""Breaking the hub on purpose: for a while wrong functions stand in the place of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from hub.proof.invariants import Invariant
from hub.runtime.composition import Composition


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What stands in the place of what: the attribute `name` of a class or module."""

    owner: object
    name: str
    by: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One hub that breaks one promise: what it does wrong, and the invariant that must catch it.

    `crashed` names the case of the crash sweep that shows it, where seeds would take too long. With `alike` it shows
    among records that may be one (`hub.proof.simulation.alike`).
    """

    name: str
    does: str
    breaks: Invariant
    swaps: Sequence[Swap] = ()
    composition: Composition = field(default_factory=Composition)
    crashed: str | None = None
    alike: bool = False


@contextmanager
def broken(mutant: Mutant | None) -> Iterator[Composition | None]:
    """Let this process run a mutant; gives what its hubs are composed of, None for the hub as it ships."""
    if mutant is None:
        yield None
        return
    before = [(swap, getattr(swap.owner, swap.name)) for swap in mutant.swaps]
    try:
        for swap in mutant.swaps:
            setattr(swap.owner, swap.name, swap.by)
        yield mutant.composition
    finally:
        for swap, kept in before:
            setattr(swap.owner, swap.name, kept)
