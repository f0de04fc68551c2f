"""The steps of a flow file as they stand there: those within steps, and the expressions of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from hub.workspace.source.yaml_source import Keyed, Listed, Node, text_of


class Sees(Enum):
    """What an expression of a step sees beside the event and the steps before it.

    `OWN` is the step's output too, `ITEM` the item of its loop, `INNER` the item and its steps, `ALONE` an item and
    nothing else.
    """

    BEFORE = "before"
    OWN = "own"
    ITEM = "item"
    INNER = "inner"
    ALONE = "alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An expression of a step: its node, the characters of the value before it, and what it sees."""

    node: Node
    inset: int = 0
    sees: Sees = Sees.BEFORE


def keyed_in(node: Node | None) -> tuple[Keyed, ...]:
    """Give the entries of a list that hold keys."""
    return tuple(item for item in node.items if isinstance(item, Keyed)) if isinstance(node, Listed) else ()


def inside(step: Keyed, key: str) -> Keyed | None:
    """Give the keys that a key of a step holds."""
    node = step.get(key)
    return node if isinstance(node, Keyed) else None


def steps_within(step: Keyed) -> tuple[tuple[Keyed, ...], ...]:
    """Give the steps within a step: those of a loop, of each arm of a branch, or of a `parallel`."""
    loop = inside(step, "foreach")
    if loop is not None:
        return (keyed_in(loop.get("steps")),)
    if "branch" in step.entries:
        return tuple(keyed_in(arm.get("steps")) for arm in keyed_in(step.get("branch")))
    return (keyed_in(step.get("parallel")),) if "parallel" in step.entries else ()


def every_step(steps: tuple[Keyed, ...]) -> Iterator[Keyed]:
    """Give steps and all that are within them, in the order of the file."""
    for step in steps:
        yield step
        for inner in steps_within(step):
            yield from every_step(inner)


def reads(step: Keyed) -> Iterator[Read]:
    """Give every expression of a step, without those of the steps within it."""
    for key in ("when", "of"):
        yield from _always(step, key)
    yield from _listed(step.get("given"))
    for key in ("lookup", "match", "call", "emit", "flow"):
        yield from _worded(step, key)
    link = inside(step, "crossref")
    for name in ("ids", "parent"):
        ids = link.get(name) if link is not None else None
        for entry in ids.entries.values() if isinstance(ids, Keyed) else ():
            yield from (*_marked(entry.key), *_marked(entry.value))
    yield from _composed(step)
    yield from _after(step)


def _worded(step: Keyed, key: str) -> Iterator[Read]:
    held = inside(step, key)
    for name, entry in held.entries.items() if held is not None else ():
        if name in ("of", "id", "each", "subject", "unless"):
            yield Read(node=entry.value)
        elif name == "item":
            yield Read(node=entry.value, sees=Sees.ALONE)
        elif name == "given":
            yield from _listed(entry.value)
        elif name not in ("type", "flow"):
            yield from _marked(entry.value)


def _composed(step: Keyed) -> Iterator[Read]:
    """Give the expressions of a step that waits, or that has steps within it."""
    wait, loop = inside(step, "wait"), inside(step, "foreach")
    if wait is not None:
        yield from (*_always(wait, "until"), *_always(wait, "subject"))
    if loop is not None:
        yield from _always(loop, "each")
        yield from _always(loop, "by", Sees.ITEM)
        yield from _always(loop, "collect", Sees.INNER)
    for arm in keyed_in(step.get("branch")):
        yield from _always(arm, "when")


def _after(step: Keyed) -> Iterator[Read]:
    """Give the expressions that are read when the step is done: what must hold, and how it is taken back."""
    expect, undo = inside(step, "expect"), inside(step, "undo")
    if expect is not None:
        yield from _listed(expect.get("equal"), Sees.OWN)
        yield from _always(expect, "same")
    if undo is not None:
        yield from _always(undo, "of", Sees.OWN)
        yield from _listed(undo.get("given"), Sees.OWN)
        by = undo.get("by")
        yield from _marked(by, Sees.OWN) if by is not None else ()


def _always(holder: Keyed, key: str, sees: Sees = Sees.BEFORE) -> Iterator[Read]:
    if key in holder.entries:
        yield Read(node=holder.entries[key].value, sees=sees)


def _marked(node: Node, sees: Sees = Sees.BEFORE) -> Iterator[Read]:
    if text_of(node).startswith("="):
        yield Read(node=node, inset=1, sees=sees)


def _listed(node: Node | None, sees: Sees = Sees.BEFORE) -> Iterator[Read]:
    if isinstance(node, Keyed):
        yield from (Read(node=entry.value, sees=sees) for entry in node.entries.values())
    elif isinstance(node, Listed):
        yield from (Read(node=item, sees=sees) for item in node.items)
