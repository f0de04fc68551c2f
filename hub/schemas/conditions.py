"""Conditions on one value: what several schemas together say of it, and which of a reader's do not follow."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.schemas.documents import among
from hub.schemas.patterns import surely_matches
from hub.schemas.shape import UNIT

#: The kinds of JSON Schema, with integers and other numbers apart.
KINDS = ("null", "boolean", "integer", "fraction", "string", "array", "object")
_ALL = frozenset(KINDS)
_NUMBERS = frozenset({"integer", "fraction"})
_SPOKEN = {"boolean": "true or false", "fraction": "a number that is not whole", "integer": "a whole number"}
_ARTICLES = {"string": "text", "array": "a list", "object": "an object", "null": "null"}
#: As many values are named in one sentence.
_MOST_LISTED = 6
#: A condition that does not follow: its kind, a sentence, and what it is about.
Missing = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What is known of a value: schemas that all hold, and the only values it may have, when they are known."""

    schemas: tuple[Mapping[str, Any], ...]
    values: tuple[Any, ...] | None = None

    def all(self, word: str) -> list[Any]:
        """Give what each schema says under a word."""
        return [schema[word] for schema in self.schemas if word in schema]


def kind_in_json(value: Any) -> str:
    """Name the kind of a JSON value, integers and other numbers apart."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | Decimal):
        return "integer" if value == int(value) else "fraction"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def kinds_named(schema: Mapping[str, Any]) -> frozenset[str]:
    """Give the kinds that the schema's `type` allows."""
    named = schema.get("type")
    if named is None:
        return _ALL
    names = {named} if isinstance(named, str) else set(named)
    return frozenset(names - {"number"}) | (_NUMBERS if "number" in names else frozenset())


def values_named(schema: Mapping[str, Any]) -> list[Any] | None:
    """Give the values that `enum` or `const` allow; None when neither is there."""
    if "enum" in schema:
        return list(schema["enum"])
    return [schema["const"]] if "const" in schema else None


def kinds_of(written: Written) -> frozenset[str]:
    """Give the kinds that a value may have."""
    kinds = _ALL
    for schema in written.schemas:
        kinds &= kinds_named(schema)
    values = written.values if written.values is not None else finite_values(written)
    return kinds if values is None else kinds & frozenset(map(kind_in_json, values))


def finite_values(written: Written) -> tuple[Any, ...] | None:
    """Give the only values that are possible; None when they are not named."""
    if written.values is not None:
        return written.values
    kinds = _ALL
    named = []
    for schema in written.schemas:
        kinds &= kinds_named(schema)
        values = values_named(schema)
        if values is not None:
            named.append(values)
    if not named:
        if kinds <= {"null", "boolean"}:
            return tuple(value for value in (None, False, True) if kind_in_json(value) in kinds)
        return None
    first, *others = named
    return tuple(
        value for value in first if kind_in_json(value) in kinds and all(among(value, other) for other in others)
    )


def missing_conditions(written: Written, read: Mapping[str, Any]) -> Iterator[Missing]:
    """Give each of the reader's own conditions that does not follow from what is written, fields and elements apart."""
    kinds = kinds_of(written)
    refused = kinds - kinds_named(read)
    if refused:
        yield "type", "{at} may be {what} in {writer}, which {reader} does not allow", spoken(refused)
    yield from _values(written, read)
    units = {unit for unit in written.all(UNIT) if UNIT in read and unit != read[UNIT]}
    for unit in sorted(map(str, units)):
        yield "unit", "{at} counts {what}", f"{unit} in one version and {read[UNIT]} in the other"
    for word, (kinds_concerned, follows) in _CONDITIONS.items():
        if word in read and kinds & kinds_concerned and not follows(written, word, read[word]):
            kind = "format" if word == "format" else "bound"
            yield kind, "{reader} asks `{what}` of {at}, {writer} does not", f"{word}: {_shown(read[word])}"


def spoken(kinds: frozenset[str]) -> str:
    """Name kinds in a sentence."""
    if kinds >= _NUMBERS:
        return ", ".join(["a number", *filter(None, [spoken(kinds - _NUMBERS)])])
    return ", ".join(_SPOKEN.get(kind, _ARTICLES.get(kind, kind)) for kind in KINDS if kind in kinds)


def _values(written: Written, read: Mapping[str, Any]) -> Iterator[Missing]:
    allowed = values_named(read)
    if allowed is None:
        return
    values = finite_values(written)
    if values is None:
        yield "value", "{reader} allows only {what} for {at}, {writer} also others", _listed(allowed)
        return
    kinds = kinds_named(read)
    refused = [value for value in values if kind_in_json(value) in kinds and not among(value, allowed)]
    if refused:
        yield "value", "{at} may be {what} in {writer}, which {reader} does not allow", _listed(refused)


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(map(_shown, values[:_MOST_LISTED])) + (", …" if len(values) > _MOST_LISTED else "")


def _shown(value: Any) -> str:
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


# --- what follows ---------------------------------------------------------------------------------

_Follows = Callable[[Written, str, Any], bool]


def _of_each(holds: Callable[[Any, Any], bool], kinds: frozenset[str], general: _Follows) -> _Follows:
    """Ask each value where they are known, and the conditions of what is written where they are not."""

    def follows(written: Written, word: str, wanted: Any) -> bool:
        values = finite_values(written)
        if values is None:
            return general(written, word, wanted)
        return all(holds(value, wanted) for value in values if kind_in_json(value) in kinds)

    return follows


def _lower(written: Written) -> tuple[Any, bool] | None:
    """Give the highest lower bound and whether it is excluded."""
    bounds = [(value, False) for value in written.all("minimum")] + [
        (value, True) for value in written.all("exclusiveMinimum")
    ]
    if "fraction" not in kinds_of(written):
        bounds = [(math.floor(value) + 1 if excluded else math.ceil(value), False) for value, excluded in bounds]
    return max(bounds, default=None)


def _upper(written: Written) -> tuple[Any, bool] | None:
    bounds = [(value, False) for value in written.all("maximum")] + [
        (value, True) for value in written.all("exclusiveMaximum")
    ]
    if "fraction" not in kinds_of(written):
        bounds = [(math.ceil(value) - 1 if excluded else math.floor(value), False) for value, excluded in bounds]
    return min(bounds, default=None, key=lambda bound: (bound[0], not bound[1]))


def _above(written: Written, word: str, wanted: Any) -> bool:
    bound = _lower(written)
    if bound is None:
        return False
    return bool(bound[0] > wanted or (bound[0] == wanted and (word == "minimum" or bound[1])))


def _under(written: Written, word: str, wanted: Any) -> bool:
    bound = _upper(written)
    if bound is None:
        return False
    return bool(bound[0] < wanted or (bound[0] == wanted and (word == "maximum" or bound[1])))


def _multiple(written: Written, word: str, wanted: Any) -> bool:
    if wanted == 1 and "fraction" not in kinds_of(written):
        return True
    return any(_is_multiple(own, wanted) for own in written.all(word))


def _is_multiple(value: Any, of: Any) -> bool:
    # Through text, so that a divisor with an exponent does not lose digits.
    try:
        return Decimal(str(value)) % Decimal(str(of)) == 0
    except ArithmeticError:
        return False


def _at_least(written: Written, word: str, wanted: Any) -> bool:
    counted = [len(set(names)) for names in written.all("required")] if word == "minProperties" else []
    return bool(wanted <= max([*written.all(word), *counted], default=0))


def _at_most(written: Written, word: str, wanted: Any) -> bool:
    return any(own <= wanted for own in written.all(word))


def _alike(written: Written, word: str, wanted: Any) -> bool:
    return wanted in written.all(word)


def _never(written: Written, word: str, wanted: Any) -> bool:
    return wanted is False or wanted in written.all(word)


_TEXT, _LIST, _OBJECT = frozenset({"string"}), frozenset({"array"}), frozenset({"object"})
_CONDITIONS: Mapping[str, tuple[frozenset[str], _Follows]] = {
    "minimum": (_NUMBERS, _of_each(lambda value, wanted: bool(value >= wanted), _NUMBERS, _above)),
    "exclusiveMinimum": (_NUMBERS, _of_each(lambda value, wanted: bool(value > wanted), _NUMBERS, _above)),
    "maximum": (_NUMBERS, _of_each(lambda value, wanted: bool(value <= wanted), _NUMBERS, _under)),
    "exclusiveMaximum": (_NUMBERS, _of_each(lambda value, wanted: bool(value < wanted), _NUMBERS, _under)),
    "multipleOf": (_NUMBERS, _of_each(_is_multiple, _NUMBERS, _multiple)),
    "minLength": (_TEXT, _of_each(lambda value, wanted: bool(len(value) >= wanted), _TEXT, _at_least)),
    "maxLength": (_TEXT, _of_each(lambda value, wanted: bool(len(value) <= wanted), _TEXT, _at_most)),
    "pattern": (_TEXT, _of_each(lambda value, wanted: surely_matches(wanted, value), _TEXT, _alike)),
    "format": (_TEXT, _alike),
    "minItems": (_LIST, _of_each(lambda value, wanted: bool(len(value) >= wanted), _LIST, _at_least)),
    "maxItems": (_LIST, _of_each(lambda value, wanted: bool(len(value) <= wanted), _LIST, _at_most)),
    "uniqueItems": (_LIST, _never),
    "minProperties": (_OBJECT, _of_each(lambda value, wanted: bool(len(value) >= wanted), _OBJECT, _at_least)),
    "maxProperties": (_OBJECT, _of_each(lambda value, wanted: bool(len(value) <= wanted), _OBJECT, _at_most)),
}
