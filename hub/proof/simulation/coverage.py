"""What of the shipped flows the cases of the sweep come to: steps, arms of branches, undos, and waits."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from hub.model.flow import Approve, Branch, Call, Flow, Lookup, Wait
from hub.model.flow_steps import UNDOING, place_of, placed_steps
from hub.workspace.bundle import Bundle


def shipped(bundle: Bundle) -> set[str]:
    """Name everything that a case must come to."""
    return {f"{flow.name}: {place}" for flow in bundle.flows.values() for place in _places(flow)}


def _places(flow: Flow) -> Iterator[str]:
    for place, step in placed_steps(flow.steps):
        yield place
        match step.action:
            case Branch(arms=arms):
                yield from (f"{place} = {arm.name}" for arm in arms)
            case Call(undo=undo) if undo is not None:
                yield f"{UNDOING}{place}"
            case Approve() | Wait():
                yield f"{place} waits"
            case Lookup() if step.missing is not None and step.missing.wait is not None:
                yield f"{place} waits"
            case _:
                pass


def done(file: sqlite3.Connection) -> set[str]:
    """Name what has been done by now."""
    rows = file.execute(
        "SELECT runs.flow, steps.path, steps.rule FROM steps JOIN runs ON runs.id = steps.run_id"
        " WHERE steps.state = 'succeeded'"
    ).fetchall()
    found = {f"{flow}: {_place(path)}" for flow, path, _ in rows}
    return found | {f"{flow}: {_place(path)} = {rule}" for flow, path, rule in rows if rule is not None}


def waiting(file: sqlite3.Connection) -> set[str]:
    """Name what is waited for at this moment."""
    rows = file.execute(
        "SELECT runs.flow, steps.path FROM steps JOIN runs ON runs.id = steps.run_id"
        " WHERE steps.state = 'waiting' AND runs.state = 'waiting'"
    )
    return {f"{flow}: {_place(path)} waits" for flow, path in rows.fetchall()}


def _place(path: str) -> str:
    undone = path.startswith(UNDOING)
    return f"{UNDOING}{place_of(path.removeprefix(UNDOING))}" if undone else place_of(path)
