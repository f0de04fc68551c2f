"""The steps of a run as a tree: what stands within which, with the items of loops and their counts; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hub.model.flow_steps import UNDOING, parts_of
from hub.queries.loops import LoopView
from hub.queries.step_views import StepView


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One step or item: how it is called where it stands, and what stands within it.

    `step` is None while only what is within it is recorded. `loop` counts its items; `inner` has those that are shown.
    """

    path: str
    label: str
    step: StepView | None
    loop: LoopView | None
    inner: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The steps of a run, and apart from them what was taken back."""

    steps: tuple[Node, ...]
    undone: tuple[Node, ...]
    undoing: LoopView | None


@dataclass(slots=True, kw_only=True)
class _Growing:
    path: str
    step: StepView | None = None
    inner: dict[str, _Growing] = field(default_factory=dict)


def tree_of(steps: Sequence[StepView], loops: Iterable[LoopView], around: str = "") -> Tree:
    """Put steps within those around them; `around` is the path of what all of them stand within."""
    counted = {loop.path: loop for loop in loops}
    root = _Growing(path=around)
    undone = []
    known: dict[str, _Growing] = {around: root}
    for step in steps:
        if step.path.startswith(UNDOING):
            label = step.path.removeprefix(UNDOING)
            undone.append(Node(path=step.path, label=label, step=step, loop=None, inner=()))
        else:
            _grown(step.path, known).step = step
    for path in counted:
        # A loop that has not come to its end has no row of its own.
        if path not in {UNDOING, around}:
            _grown(path, known)
    return Tree(
        steps=tuple(_done(each, counted) for each in root.inner.values()),
        undone=tuple(undone),
        undoing=counted.get(UNDOING),
    )


def _grown(path: str, known: dict[str, _Growing]) -> _Growing:
    if path not in known:
        known[path] = _Growing(path=path)
        _grown(_parent(path), known).inner[path] = known[path]
    return known[path]


def _parent(path: str) -> str:
    """Give the path of what a step or an item stands within; empty at the outermost."""
    *before, last = parts_of(path)
    if "[" in last:
        return ".".join([*before, last.partition("[")[0]])
    return ".".join(before)


def _done(one: _Growing, loops: dict[str, LoopView]) -> Node:
    last = parts_of(one.path)[-1]
    _, many, item = last.partition("[")
    return Node(
        path=one.path,
        label=item.removesuffix("]") if many else last,
        step=one.step,
        loop=loops.get(one.path),
        inner=tuple(_done(each, loops) for each in one.inner.values()),
    )
