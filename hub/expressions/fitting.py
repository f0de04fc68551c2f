"""Whether what stands in a function's brackets can be what the function takes."""

from __future__ import annotations

from collections.abc import Sequence

from hub.expressions.findings import spoken_kinds
from hub.expressions.functions.meanings import Meaning
from hub.expressions.functions.results import SPOKEN
from hub.expressions.functions.signature import Function, Parameter
from hub.model.kinds import ANY, Kind
from hub.schemas.shape import Shape, Unit

_MONEY = frozenset({"minor", "currency"})
_NULL = frozenset({Kind.NULL})
#: What to write instead, by the unit that is there and the one that is wanted.
_INSTEAD = {
    (Unit.MAJOR, Unit.MINOR): "; money_major(amount, currency) makes money of major units",
    (Unit.MINOR, Unit.MAJOR): "; money(minor, currency) makes money of minor units",
    (Unit.UNIX_SECONDS, Unit.MINOR): "; date(seconds, zone) makes a date of them",
    (Unit.UNIX_SECONDS, Unit.MAJOR): "; date(seconds, zone) makes a date of them",
}


def misfit(function: Function, parameter: Parameter, shape: Shape, name: str) -> tuple[str, str] | None:
    """Give the code and the sentence of what is wrong with an argument, None when it may be right."""
    if not parameter.takes or shape.kinds == ANY or not shape.kinds:
        return None
    place = f"{function.name}() takes {_spoken(parameter.takes)} as its {parameter.name}"
    wrong = _wrong(parameter.takes, shape, place, name)
    if wrong is None and parameter.elements and Kind.ARRAY in shape.kinds and shape.items is not None:
        items = shape.items
        place = f"{function.name}() takes a list of {_spoken(parameter.elements)} as its {parameter.name}"
        if items.kinds and items.kinds != ANY:
            wrong = _wrong(parameter.elements, items, place, f"each of {name}")
    return wrong


def _wrong(takes: Sequence[Meaning], shape: Shape, place: str, name: str) -> tuple[str, str] | None:
    kinds = frozenset(meaning.kind for meaning in takes)
    if not shape.kinds & kinds:
        return "wrong-type", f"{place}, but {name} is {spoken_kinds(shape.kinds)}."
    if shape.unit is not None and Kind.NUMBER in shape.kinds:
        return _wrong_unit([meaning for meaning in takes if meaning.kind is Kind.NUMBER], shape.unit, place, name)
    if shape.format is not None and Kind.STRING in shape.kinds:
        texts = [meaning.formats for meaning in takes if meaning.kind is Kind.STRING]
        if texts and all(formats is not None and shape.format not in formats for formats in texts):
            hint = "; date(moment, zone) gives its date" if shape.format == "date-time" else ""
            return "wrong-format", f"{place}, but {name} is a text of the format `{shape.format}`{hint}."
    if any(meaning.money for meaning in takes) and shape.kinds - _NULL == {Kind.OBJECT} and shape.rest is None:
        missing = sorted(_MONEY - shape.fields.keys())
        if shape.fields and missing:
            words = " and ".join(f"`{word}`" for word in missing)
            return "wrong-type", f"{place}, which is {{minor, currency}}, but {name} has no {words}."
    return None


def _wrong_unit(takes: Sequence[Meaning], unit: Unit, place: str, name: str) -> tuple[str, str] | None:
    if any(meaning.units is None or unit in meaning.units for meaning in takes) or not takes:
        return None
    wanted = next((one for meaning in takes for one in sorted(meaning.units or ())), None)
    hint = _INSTEAD.get((unit, wanted), "") if wanted is not None else ""
    return "wrong-unit", f"{place}, but {name} counts {SPOKEN[unit]}{hint}."


def _spoken(takes: Sequence[Meaning]) -> str:
    words = [meaning.spoken for meaning in takes if meaning.kind is not Kind.NULL]
    return " or ".join(words)
