"""What steps with steps within them give: loops, branches, and steps at the same time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hub.model.kinds import Kind
from hub.schemas.shape import Shape, shape_of
from hub.workspace.checks.around import Around
from hub.workspace.checks.step_shapes import StepOutput, counted
from hub.workspace.source.yaml_source import Keyed

_OBJECT = frozenset({Kind.OBJECT})


def item_of(loop: Keyed, around: Around) -> StepOutput:
    """Give what is known of an item of a loop; adds a lint when it does not go through a list."""
    return StepOutput(shape=around.shapes.each(loop.entries["each"].value))


def looped(collected: Shape | None) -> StepOutput:
    """Give what a loop gives; `collected` is the shape of what is kept of each item, None when nothing is kept."""
    kept = {} if collected is None else {"collected": Shape(kinds=frozenset({Kind.ARRAY}), items=collected)}
    return StepOutput(shape=counted(kept))


def branched(arms: tuple[str, ...], ends: Sequence[Mapping[str, StepOutput]], *, certain: bool) -> StepOutput:
    """Give what a branch gives: the arm taken, and what the steps of all arms gave, null where one was not taken.

    `certain` tells that one of the arms is always taken.
    """
    taken = shape_of({"enum": [*arms] if certain else [*arms, None]})
    alone = certain and len(ends) == 1
    outputs = {
        id: output if alone else replace(output, shape=output.shape.nullable())
        for end in ends
        for id, output in end.items()
    }
    return _together(outputs, {"taken": taken})


def at_once(outputs: Mapping[str, StepOutput]) -> StepOutput:
    """Give what steps at the same time give: the output of each by its id."""
    return _together(outputs, {})


def _together(outputs: Mapping[str, StepOutput], more: Mapping[str, Shape]) -> StepOutput:
    fields = {**more, **{id: output.shape for id, output in outputs.items()}}
    return StepOutput(shape=Shape(kinds=_OBJECT, fields=fields, required=frozenset(fields)), inner=dict(outputs))
