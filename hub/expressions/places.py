"""Where in which expression a failure happened, told without any cost to evaluations that do not fail.

Every statement of the generated code carries the number of its place as its line number. When something is raised,
the traceback gives that number back, and the frame's variables tell which elements were being visited.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import DecimalException
from types import CodeType, FrameType
from typing import Any

from hub.errors import FixData, NotMapped
from hub.expressions.budgets import EXACT_DIGITS
from hub.expressions.errors import EvaluationError, OverBudget


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One loop: the variables of its list and its element, and the element's paths in source and record."""

    values: str
    element: str
    source: str | None
    target: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One part of one expression; `data` are the source paths it works on, `field` what it fills in a record."""

    text: str
    position: int
    loops: tuple[Loop, ...] = ()
    data: tuple[str, ...] = ()
    field: str | None = None


def explained(
    error: Exception, code: CodeType, places: Sequence[Place], known: Mapping[str, object]
) -> NotMapped | EvaluationError:
    """Turn what was raised under generated code into an error that names expression, position and data path.

    `known` are facts that the caller wants to see in every error, such as the mapping's name.
    """
    facts: dict[str, Any] = dict(known)
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code is code:
            facts.update(_facts(places[traceback.tb_lineno - 1], traceback.tb_frame))
            break
        traceback = traceback.tb_next
    if isinstance(error, FixData):
        for name, fact in error.facts.items():
            facts.setdefault(name, fact)
        if isinstance(error, NotMapped):
            return NotMapped(error.detail, code=error.code, **facts)
        kind = OverBudget if isinstance(error, OverBudget) else EvaluationError
        return kind(error.detail, code=error.code, **facts)
    if isinstance(error, DecimalException):
        return EvaluationError(
            f"The result would need more than {EXACT_DIGITS} digits.", code="too-many-digits", **facts
        )
    return EvaluationError(
        "The expression cannot be evaluated on this data.",
        code="invalid-value",
        reason=f"{type(error).__name__}: {str(error)[:200]}",
        **facts,
    )


def _facts(place: Place, frame: FrameType) -> dict[str, Any]:
    facts: dict[str, Any] = {"expression": place.text, "position": place.position}
    data, field = ", ".join(path or "@" for path in place.data), place.field
    for loop in reversed(place.loops):
        values, element = frame.f_locals.get(loop.values), frame.f_locals.get(loop.element)
        if not isinstance(values, list):
            continue
        # The first equal object stands for all of them: the same element fails in the same way.
        index = next((index for index, value in enumerate(values) if value is element), None)
        if index is None:
            continue
        if loop.source is not None:
            data = _numbered(data, loop.source, index)
        if loop.target is not None and field is not None:
            field = _numbered(field, loop.target, index)
    if data:
        facts["data"] = data
    if field is not None:
        facts["field"] = field
    return facts


def _numbered(text: str, element: str, index: int) -> str:
    """Put the number of an element into the paths below it: `lines[].amount` becomes `lines[3].amount`."""
    return text.replace(element, f"{element.removesuffix('[]')}[{index}]") if element.endswith("[]") else text
