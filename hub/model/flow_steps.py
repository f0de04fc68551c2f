"""The steps of a flow with those within them, and the paths under which a run records them.

A path names a step through all that is around it: `post`, `way.post` in a branch or a `parallel`, `lines[17].post` or
`lines[il_1].post` in a loop. The place of a path has no items in it: `lines[].post`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hub.model.flow import Branch, Call, Foreach, Parallel, Step


def lanes_within(step: Step) -> tuple[tuple[Step, ...], ...]:
    """Give the lines of steps within a step: those of a loop, of each arm, or each step of a `parallel` by itself."""
    match step.action:
        case Foreach(steps=steps):
            return (steps,)
        case Branch(arms=arms):
            return tuple(arm.steps for arm in arms)
        case Parallel(steps=steps):
            return tuple((each,) for each in steps)
        case _:
            return ()


def steps_within(step: Step) -> tuple[Step, ...]:
    """Give the steps that stand straight within a step."""
    return tuple(inner for lane in lanes_within(step) for inner in lane)


def placed_steps(steps: Sequence[Step], around: str = "") -> Iterator[tuple[str, Step]]:
    """Give every step with its place, in the order of the file."""
    for step in steps:
        place = around + step.id
        yield place, step
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
