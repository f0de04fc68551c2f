"""The kinds of a JSON value, and which Python types stand for them."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum


class Kind(StrEnum):
    """A kind of value, in the words that JSON Schema and JMESPath share."""

    NULL = "null"
    BOOLEAN = "boolean"
    NUMBER = "number"
    STRING = "string"
    ARRAY = "array"
    OBJECT = "object"


ANY = frozenset(Kind)

#: The exact types of a number; `bool` is an `int` in Python, but no number here.
NUMBER_TYPES = frozenset({int, Decimal})


def kind_of(value: object) -> Kind | None:
    """Name a value's kind; None for what is no JSON value here, such as a float."""
    if value is None:
        return Kind.NULL
    if isinstance(value, bool):
        return Kind.BOOLEAN
    if type(value) in NUMBER_TYPES:
        return Kind.NUMBER
    if isinstance(value, str):
        return Kind.STRING
    if isinstance(value, list):
        return Kind.ARRAY
    if isinstance(value, dict):
        return Kind.OBJECT
    return None


def spoken(value: object) -> str:
    """Name a value's kind for a message."""
    kind = kind_of(value)
    return kind.value if kind is not None else type(value).__name__


def shown(value: object) -> str:
    """Show a value in a message, in bounds: a scalar's beginning, of anything else only its kind."""
    if isinstance(value, str):
        return repr(value[:40])
    if isinstance(value, bool | Decimal) or (isinstance(value, int) and value.bit_length() < 200):
        return str(value)[:60]
    return spoken(value)
