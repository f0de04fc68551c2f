"""The steps of a flow with those within them, and the paths under which a run records them.

A path names a step through all that is around it: `post`, `way.post` in a branch or a `parallel`, `lines[17].post` or
`lines[il_1].post` in a loop. The place of a path has no items in it: `lines[].post`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hub.model.flow import (
    Approve,
    Branch,
    Call,
    Decide,
    Emit,
    Equal,
    Foreach,
    Link,
    Lookup,
    Map,
    Match,
    Parallel,
    Same,
    Step,
    Subflow,
    Term,
    Undo,
    Wait,
)

#: What the path begins with of what takes a step back; a step that takes another back (`undoes`) has its own path.
UNDOING = "undo:"


def steps_within(step: Step) -> tuple[Step, ...]:
    """Give the steps that stand straight within a step: of a loop, of all arms of a branch, or of a `parallel`."""
    match step.action:
        case Foreach(steps=steps) | Parallel(steps=steps):
            return steps
        case Branch(arms=arms):
            return tuple(inner for arm in arms for inner in arm.steps)
        case _:
            return ()


def placed_steps(steps: Sequence[Step], around: str = "") -> Iterator[tuple[str, Step]]:
    """Give every step with its place, in the order of the file."""
    for step in steps:
        place = around + step.id
        yield place, step
        if isinstance(step.action, Foreach | Branch | Parallel):
            yield from placed_steps(steps_within(step), f"{place}{'[]' if isinstance(step.action, Foreach) else ''}.")


def every_step(steps: Sequence[Step]) -> Iterator[Step]:
    """Give steps and all that are within them, in the order of the file."""
    return (step for _, step in placed_steps(steps))


def parts_of(path: str) -> list[str]:
    """Split a path at the dots between its steps; names of items may have dots themselves."""
    parts, inside, last = [], 0, 0
    for at, char in enumerate(path):
        inside += (char == "[") - (char == "]")
        if char == "." and not inside:
            parts.append(path[last:at])
            last = at + 1
    return [*parts, path[last:]]


def place_of(path: str) -> str:
    """Give the place of a path: the same for every item of a loop."""
    return ".".join(f"{part.partition('[')[0]}[]" if "[" in part else part for part in parts_of(path))


def step_at(steps: Sequence[Step], path: str) -> Step | None:
    """Find the step that a path, or a place, names; None when there is none, such as in another revision."""
    found: Step | None = None
    for part in parts_of(path):
        name, many, _ = part.partition("[")
        found = next((step for step in steps if step.id == name), None)
        if found is None or (many and not isinstance(found.action, Foreach | Call)):
            return None
        steps = steps_within(found)
    return found


def gone_before(steps: Sequence[Step], path: str) -> Iterator[tuple[str, Step]]:
    """Give the steps, with their paths, that a run has gone through before it comes to the one at a path.

    Of loops only what is in the same items: which other items come first, the flow does not say.
    """
    around, lanes, together = "", [tuple(steps)], False
    for part in parts_of(path):
        name = part.partition("[")[0]
        lane = next((lane for lane in lanes if any(step.id == name for step in lane)), ())
        at = next((number for number, step in enumerate(lane) if step.id == name), None)
        if at is None:
            return
        before = _needed(lane, lane[at]) if together else lane[:at]
        yield from ((around + place, step) for place, step in placed_steps(before) if "[]" not in place)
        action = lane[at].action
        lanes = [arm.steps for arm in action.arms] if isinstance(action, Branch) else [steps_within(lane[at])]
        together = isinstance(action, Parallel)
        around += f"{part}."


def _needed(lane: Sequence[Step], step: Step) -> list[Step]:
    """Give the steps of a `parallel` that one of them needs, and those that they need."""
    names, found = set(step.needs), set[str]()
    while names - found:
        found |= names
        names |= {name for each in lane if each.id in found for name in each.needs}
    return [each for each in lane if each.id in found]


def name_from(place: str, reader: str) -> str | None:
    """Give the name by which the step at one place is read at another: `post` beside it, `way.post` outside.

    None when it cannot be read there: from outside, a loop shows only what it collects.
    """
    parts, around = parts_of(place), parts_of(reader)[:-1]
    shared = 0
    while shared < min(len(parts) - 1, len(around)) and parts[shared] == around[shared]:
        shared += 1
    named = parts[shared:]
    return None if any(part.endswith("[]") for part in named) else ".".join(named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A mapping that a step applies to `of` (the event's record when None) with these further values.

    `each` tells that it is applied to each item of `of`, and `answer` that it is applied to what the step's operation
    answered.
    """

    mapping: str
    of: Term | None
    given: Mapping[str, Term]
    each: bool = False
    answer: bool = False


def applied(step: Step) -> tuple[Applied, ...]:
    """Give the mappings that a step applies to something that the flow names, its undo included."""
    match step.action:
        case Map(mapping=mapping, of=of, given=given):
            return (Applied(mapping=mapping, of=of, given=given),)
        case Call(shape=shape, of=of, given=given, each=each, undo=undo):
            source = of if each is None else each
            own = () if shape is None else (Applied(mapping=shape, of=source, given=given, each=each is not None),)
            return own if undo is None else own + _of_undo(undo)
        case Emit(shape=shape, of=of, given=given) | Subflow(shape=shape, of=of, given=given):
            return () if shape is None else (Applied(mapping=shape, of=of, given=given),)
        case Decide() | Lookup() | Match() | Link() | Approve() | Wait() | Foreach() | Branch() | Parallel():
            return ()


def _of_undo(undo: Undo) -> tuple[Applied, ...]:
    if undo.shape is None:
        return ()
    return (Applied(mapping=undo.shape, of=undo.of, given=undo.given, answer=undo.of is None),)


def terms_of(step: Step) -> tuple[Term, ...]:
    """Give the terms that a step reads before and after its work, without those of the steps within it."""
    found: list[Term | None] = [step.when, *_of_action(step)]
    match step.expect:
        case Equal(left=left, right=right):
            found += [left, right]
        case Same(other=other):
            found.append(other)
        case None:
            pass
    return tuple(term for term in found if term is not None)


def _of_action(step: Step) -> tuple[Term | None, ...]:
    match step.action:
        case Map(of=of, given=given) | Subflow(of=of, given=given):
            return (of, *given.values())
        case Emit(subject=subject, of=of, given=given):
            return (subject, of, *given.values())
        case Call(connection=connection, of=of, by=by, given=given, each=each):
            return (connection, of, by, *given.values(), each)
        case Lookup(system=system, id=id, want=want):
            return (system, id, want)
        case Match(system=system, id=id, of=of, unless=unless):
            return (system, id, of, unless)
        case Link(ids=ids, parent=parent):
            return tuple(term for pair in (*ids, *([] if parent is None else [parent])) for term in pair)
        case Approve(of=of):
            return (of,)
        case Wait(until=until, subject=subject):
            return (until, subject)
        case Foreach(each=each):
            return (each,)
        case Branch(arms=arms):
            return tuple(arm.when for arm in arms)
        case Decide() | Parallel():
            return ()
