"""What the check of an expression against the shape of its data found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from hub.model.kinds import ANY, Kind
from hub.schemas.shape import Shape

_WORDS = {
    Kind.ARRAY: "a list",
    Kind.BOOLEAN: "true or false",
    Kind.NULL: "null",
    Kind.NUMBER: "a number",
    Kind.OBJECT: "an object",
    Kind.STRING: "a text",
}


class FindingCode(StrEnum):
    """What is wrong with an expression, given the shape of what it reads."""

    UNKNOWN_FIELD = "unknown-field"
    WRONG_TYPE = "wrong-type"
    WRONG_UNIT = "wrong-unit"
    WRONG_FORMAT = "wrong-format"
    NEVER_TRUE = "never-true"
    ALWAYS_TRUE = "always-true"
    NOT_IN_TABLE = "not-in-table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One mistake: `position` counts characters from the expression's start, `path` is what it reads there."""

    code: FindingCode
    detail: str
    position: int
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inferred:
    """What an expression gives (`shape`), and what is wrong with it, in the order of its text."""

    shape: Shape
    findings: tuple[Finding, ...] = ()


def nearest(name: str, names: Iterable[str]) -> str:
    """Ask whether the nearest of some names was meant; nothing when none is near."""
    near = get_close_matches(name, list(names), n=1)
    return f" Did you mean `{near[0]}`?" if near else ""


def spoken_kinds(kinds: frozenset[Kind]) -> str:
    """Name the kinds that a value may have beside null, in a sentence."""
    return "anything" if kinds == ANY else " or ".join(_WORDS[kind] for kind in sorted(kinds - {Kind.NULL})) or "null"


def as_literal(name: str) -> str:
    """Say how the value is written that a single name may have been meant as."""
    if name in ("null", "true", "false"):
        return f" The value is written `{name}` in backquotes."
    return f" A text is written '{name}', in single quotes."


def of_each(shape: Shape, name: str) -> str:
    """Say how a field is read of all elements of a list."""
    if shape.items is None or name not in shape.items.fields:
        return ""
    return f" Write `[].{name}` behind it for the field of each element."
