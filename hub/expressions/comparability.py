"""Whether a comparison can ever come out as meant."""

from __future__ import annotations

from collections.abc import Iterator

from hub.expressions.findings import nearest, spoken_kinds
from hub.expressions.functions.results import SPOKEN
from hub.model.kinds import ANY, Kind, shown
from hub.schemas.shape import Shape

_NULL = frozenset({Kind.NULL})
_ORDERED = frozenset({Kind.NUMBER, Kind.STRING})


def compared(operator: str, left: Shape, right: Shape, names: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """Give the code and the sentence of all that is wrong with a comparison; `names` are those of its two sides."""
    if left.unit is not None and right.unit is not None and left.unit is not right.unit:
        words = f"{names[0]} counts {SPOKEN[left.unit]}, but {names[1]} {SPOKEN[right.unit]}."
        yield "wrong-unit", _sentence(words)
    elif left.format != right.format and {left.format, right.format} == {"date", "date-time"}:
        words = f"{names[0]} is a {_form(left)}, but {names[1]} a {_form(right)}; date(moment, zone) gives its date."
        yield "wrong-format", _sentence(words)
    elif operator in ("eq", "ne"):
        detail = _unequal(left, right, names)
        if detail is not None:
            never = operator == "eq"
            outcome = "so that this is never true" if never else "so that this is always true"
            yield "never-true" if never else "always-true", f"{detail}, {outcome}."
    else:
        yield from _unordered(left, right, names)


def _unequal(left: Shape, right: Shape, names: tuple[str, str]) -> str | None:
    """Tell why two sides can never be equal; None when they can."""
    if ANY in (left.kinds, right.kinds) or _NULL in (left.kinds, right.kinds) or not (left.kinds and right.kinds):
        return None
    if left.may_be_null and right.may_be_null:
        return None
    if not (left.kinds & right.kinds) - _NULL:
        return _sentence(f"{names[0]} is {spoken_kinds(left.kinds)} and {names[1]} is {spoken_kinds(right.kinds)}")
    if left.values is None or right.values is None or any(value in right.values for value in left.values):
        return None
    fixed, other, name = (right, left, names[0]) if len(right.values) <= len(left.values) else (left, right, names[1])
    written = [shown(value) for value in fixed.values or ()]
    texts = [value for value in other.values or () if isinstance(value, str)]
    hint = (
        nearest(str((fixed.values or ("",))[0]), texts).replace(" Did you mean ", " (did you mean ").replace("?", "?)")
    )
    return _sentence(f"{name} is never {' or '.join(written[:3])}{hint}")


def _unordered(left: Shape, right: Shape, names: tuple[str, str]) -> Iterator[tuple[str, str]]:
    for shape, name in ((left, names[0]), (right, names[1])):
        if shape.kinds and not shape.kinds & _ORDERED:
            words = f"{name} is {spoken_kinds(shape.kinds)}; only numbers and texts have an order, so this gives null."
            yield "wrong-type", _sentence(words)
            return
    if left.kinds and right.kinds and not left.kinds & right.kinds & _ORDERED:
        kinds = f"{spoken_kinds(left.kinds)}, but {names[1]} is {spoken_kinds(right.kinds)}"
        yield "wrong-type", _sentence(f"{names[0]} is {kinds}; unlike kinds have no order, so this gives null.")


def _form(shape: Shape) -> str:
    return "moment" if shape.format == "date-time" else "date"


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:]
