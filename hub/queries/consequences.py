"""What follows when people agree to what a step asks, and when they do not; read from the flow."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sqlalchemy import select

from hub.engine.compensation import given
from hub.engine.routing import stored_scope
from hub.engine.values import lenient
from hub.model.flow import Branch, Call, Emit, Flow, OnFailure, Step, Subflow, Term
from hub.model.flow_steps import place_of, placed_steps, step_at
from hub.queries.step_words import kind_of, sentence_of
from hub.queries.view import View
from hub.store import resuming, runs
from hub.store.tables import events
from hub.workspace.checks.narrowing import compared_in, tree

#: A name, or a field of what a step gave: it comes out later as it does now.
_PLAIN = re.compile(r"([A-Za-z_][\w-]*)(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """One thing that goes out once it is agreed to; `when` is its condition in the words of the file."""

    place: str
    kind: str
    sentence: str
    when: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequences:
    """What an agreement lets out, in the order of the flow, and whether a refusal takes back what was done before."""

    follows: tuple[Following, ...]
    takes_back: bool


def known_by(view: View, flow: Flow, run_id: str) -> Mapping[str, Any]:
    """Give what a run knows by now, as expressions of its flow read it: its event, and what its steps gave."""
    with view.database.reading() as connection:
        run = runs.find(connection, run_id)
        if run is None or run["pruned_at"] is not None:
            return {}
        event = dict(connection.execute(select(events).where(events.c.id == run["event_id"])).one()._mapping)
        rows = resuming.around(connection, run_id, "")
    return {} if event["pruned_at"] is not None else {**stored_scope(event), **given(flow.steps, "", rows)}


def consequences(
    flow: Flow, path: str, *, reads: Collection[str], known: Mapping[str, Any] = MappingProxyType({})
) -> Consequences | None:
    """Tell what follows an `approve` step; `reads` names the operations that surely change nothing.

    `known` is what the run knows by now: connections that follow from it are named, and what a value that is decided by
    now leaves out, such as the arm of a branch for another system, is not told.
    None when the flow has no such step, as when an approval of a calling flow was asked for again.
    """
    step = step_at(flow.steps, path)
    if step is None:
        return None
    on_failure = step.on_failure or flow.on_failure
    return Consequences(
        follows=tuple(_following(flow, place_of(path), reads, known)), takes_back=on_failure is OnFailure.COMPENSATE
    )


def _following(flow: Flow, place: str, reads: Collection[str], known: Mapping[str, Any]) -> Iterator[Following]:
    placed = list(placed_steps(flow.steps))
    begins = next(number for number, (each, _) in enumerate(placed) if each == place)
    # What is asked for an item of a loop is asked for that item alone.
    item = place[: place.rfind("[]") + 2] if "[]" in place else ""
    out = tuple(_left_out(placed, known))
    for each, step in placed[begins + 1 :]:
        if each.startswith(item) and _goes_out(step, reads) and not f"{each}.".startswith(out):
            when = None if step.when is None else step.when.text
            yield Following(place=each, kind=kind_of(step), sentence=sentence_of(step, _on(step, known)), when=when)


def _left_out(placed: Iterable[tuple[str, Step]], known: Mapping[str, Any]) -> Iterator[str]:
    """Give the places, each with a dot behind it, of what a value that is known by now leaves out."""
    for place, step in placed:
        if not _may_hold(step.when, known):
            yield f"{place}."
        for arm in step.action.arms if isinstance(step.action, Branch) else ():
            if not _may_hold(arm.when, known):
                yield from (f"{place}.{inner.id}." for inner in arm.steps)


def _may_hold(when: Term | None, known: Mapping[str, Any]) -> bool:
    """Tell whether a condition may hold yet; of those that compare one value with a text, a known one decides."""
    compared = compared_in(tree(when))
    if compared is None:
        return True
    value: Any = known
    for name in compared.path.split("."):
        if not isinstance(value, Mapping) or name not in value:
            return True
        value = value[name]
    return (value == compared.value) is compared.holds


def _on(step: Step, known: Mapping[str, Any]) -> str | None:
    """Name the connection of a call, or say who will choose it; other expressions may come out otherwise later on."""
    if not isinstance(step.action, Call):
        return None
    term = step.action.connection
    plain = _PLAIN.fullmatch(term.text)
    name = lenient(term, known) if plain is not None else None
    if isinstance(name, str):
        return name
    return "the connection that the run chooses" if plain is None else f"the connection that {plain[1]} gives"


def _goes_out(step: Step, reads: Collection[str]) -> bool:
    match step.action:
        case Call(operation=operation):
            return operation not in reads
        case Emit() | Subflow():
            return True
        case _:
            return False
