"""What follows when people agree to what a step asks, and when they do not; read from the flow."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from hub.model.flow import Call, Emit, Flow, OnFailure, Step, Subflow
from hub.model.flow_steps import place_of, placed_steps, step_at
from hub.queries.step_words import kind_of, sentence_of


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


def consequences(flow: Flow, path: str, *, reads: Collection[str]) -> Consequences | None:
    """Tell what follows an `approve` step; `reads` names the operations that surely change nothing.

    None when the flow has no such step, as when an approval of a calling flow was asked for again.
    """
    step = step_at(flow.steps, path)
    if step is None:
        return None
    on_failure = step.on_failure or flow.on_failure
    return Consequences(
        follows=tuple(_following(flow, place_of(path), reads)), takes_back=on_failure is OnFailure.COMPENSATE
    )


def _following(flow: Flow, place: str, reads: Collection[str]) -> Iterator[Following]:
    placed = list(placed_steps(flow.steps))
    begins = next(number for number, (each, _) in enumerate(placed) if each == place)
    # What is asked for an item of a loop is asked for that item alone.
    item = place[: place.rfind("[]") + 2] if "[]" in place else ""
    for each, step in placed[begins + 1 :]:
        if each.startswith(item) and _goes_out(step, reads):
            when = None if step.when is None else step.when.text
            yield Following(place=each, kind=kind_of(step), sentence=sentence_of(step), when=when)


def _goes_out(step: Step, reads: Collection[str]) -> bool:
    match step.action:
        case Call(operation=operation):
            return operation not in reads
        case Emit() | Subflow():
            return True
        case _:
            return False
