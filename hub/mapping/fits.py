"""Whether a value of one shape can stand where a schema wants another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from hub.expressions.findings import spoken_kinds
from hub.expressions.unions import is_unknown
from hub.mapping.flaws import FlawCode
from hub.model.kinds import Kind
from hub.schemas.shape import Shape, Unit

_NULL = frozenset({Kind.NULL})
_DEEPEST = 8
_UNITS = {Unit.MINOR: "minor units", Unit.MAJOR: "major units", Unit.UNIX_SECONDS: "seconds since 1970"}
_UNIT_HINTS = {
    (Unit.MAJOR, Unit.MINOR): "Write `money_major(…, currency).minor`.",
    (Unit.MINOR, Unit.MAJOR): "Write `major(money(…, currency))`.",
}
_FORMAT_HINTS = {
    ("date-time", "date"): "Write `date(…, 'UTC')` with the time zone whose day counts.",
    ("date", "date-time"): "A day has no time of its own: take a field that has one.",
}
_DATES = ("date", "date-time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """One way in which a value does not fit its place; `path` leads to it within the value."""

    code: FlawCode
    detail: str
    hint: str = ""
    certain: bool = True


def misfits(value: Shape, wanted: Shape, path: str, depth: int = 0) -> Iterator[Misfit]:
    """Compare a value with what is wanted at a target path; null is not looked at, and of the unknown nothing said."""
    if is_unknown(value) or is_unknown(wanted) or depth > _DEEPEST:
        return
    kinds, takes = value.kinds - _NULL, wanted.kinds - _NULL
    if not kinds:
        return
    if not kinds & takes:
        yield _wrong_kind(value, wanted, path)
        return
    if kinds - takes:
        detail = f"`{path}` must be {spoken_kinds(takes)}, but this may also give {spoken_kinds(kinds - takes)}."
        yield Misfit(code=FlawCode.WRONG_TYPE, detail=detail, certain=False)
    if Kind.NUMBER in kinds & takes:
        yield from _numbers(value, wanted, path)
    if Kind.STRING in kinds & takes:
        yield from _texts(value, wanted, path)
    if Kind.OBJECT in kinds & takes:
        yield from _objects(value, wanted, path, depth)
    if Kind.ARRAY in kinds & takes and value.items is not None and wanted.items is not None:
        yield from misfits(value.items, wanted.items, f"{path}[]", depth + 1)


def _wrong_kind(value: Shape, wanted: Shape, path: str) -> Misfit:
    hint = ""
    if wanted.format in _DATES and value.kinds - _NULL == {Kind.NUMBER}:
        function = "date" if wanted.format == "date" else "datetime"
        hint = f"Write `{function}(…, 'UTC')` to make it of seconds."
    elif wanted.kinds - _NULL == {Kind.STRING} and value.kinds - _NULL == {Kind.NUMBER}:
        hint = "Write `to_string(…)`."
    elif wanted.kinds - _NULL == {Kind.NUMBER} and {"minor", "currency"} <= value.fields.keys():
        hint = "Write `major(…)`, or `.minor` for the minor units."
    elif {"minor", "currency"} <= wanted.fields.keys() and value.kinds - _NULL == {Kind.NUMBER}:
        hint = "Write `money(…, currency)`."
    detail = f"`{path}` must be {spoken_kinds(wanted.kinds)}, but this gives {spoken_kinds(value.kinds)}."
    return Misfit(code=FlawCode.WRONG_TYPE, detail=detail, hint=hint)


def _numbers(value: Shape, wanted: Shape, path: str) -> Iterator[Misfit]:
    if value.unit is not None and wanted.unit is not None and value.unit is not wanted.unit:
        detail = f"`{path}` counts {_UNITS[wanted.unit]}, but this gives {_UNITS[value.unit]}."
        hint = _UNIT_HINTS.get((value.unit, wanted.unit), "")
        yield Misfit(code=FlawCode.WRONG_UNIT, detail=detail, hint=hint)


def _texts(value: Shape, wanted: Shape, path: str) -> Iterator[Misfit]:
    pair = (value.format, wanted.format)
    if value.format in _DATES and wanted.format in _DATES and value.format != wanted.format:
        detail = f"`{path}` has the format `{wanted.format}`, but this gives a `{value.format}`."
        yield Misfit(code=FlawCode.WRONG_FORMAT, detail=detail, hint=_FORMAT_HINTS[(str(pair[0]), str(pair[1]))])
    if value.values is None or wanted.values is None:
        return
    given = [one for one in value.values if one is not None]
    outside = [one for one in given if one not in wanted.values]
    if outside:
        known = _listed([one for one in wanted.values if one is not None], 8)
        words = _listed(outside, 4)
        can = "can only be" if len(outside) == len(given) else "may be"
        detail = f"`{path}` takes {known}, but this {can} {words}."
        yield Misfit(code=FlawCode.WRONG_TYPE, detail=detail, certain=len(outside) == len(given))


def _listed(values: Sequence[object], most: int) -> str:
    return ", ".join(f"`{one}`" for one in values[:most]) + (", …" if len(values) > most else "")


def _objects(value: Shape, wanted: Shape, path: str, depth: int) -> Iterator[Misfit]:
    for name, field in value.fields.items():
        inner = wanted.at(name)
        if inner is not None:
            yield from misfits(field, inner, f"{path}.{name}", depth + 1)
        elif wanted.fields:
            yield unknown_target(name, wanted, f"`{path}`")
    if value.rest is None and value.fields:
        for name in sorted(wanted.required - value.fields.keys()):
            detail = f"`{path}` must have the field `{name}`, but this gives an object without it."
            yield Misfit(code=FlawCode.MISSING_REQUIRED_TARGET, detail=detail)


def unknown_target(name: str, wanted: Shape, where: str) -> Misfit:
    """Say that a place of the target has no such field, and which was probably meant."""
    near = get_close_matches(name, list(wanted.fields), n=1)
    known = ", ".join(f"`{field}`" for field in list(wanted.fields)[:12])
    hint = f"Did you mean `{near[0]}`?" if near else f"Known: {known}{', …' if len(wanted.fields) > 12 else ''}."
    return Misfit(code=FlawCode.UNKNOWN_TARGET_FIELD, detail=f"{where} has no field `{name}`.", hint=hint)
