"""What the check of a mapping against both of its schemas finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from hub.expressions.parts import Spot


class FlawCode(StrEnum):
    """What is wrong with a mapping, given the shapes of its source and its target."""

    UNKNOWN_SOURCE_FIELD = "unknown-source-field"
    UNKNOWN_TARGET_FIELD = "unknown-target-field"
    MISSING_REQUIRED_TARGET = "missing-required-target"
    WRONG_TYPE = "wrong-type"
    WRONG_UNIT = "wrong-unit"
    WRONG_FORMAT = "wrong-format"
    NULLABLE_INTO_REQUIRED = "nullable-into-required"
    DEAD_FIELD = "dead-field"
    NEVER_TRUE = "never-true"
    ALWAYS_TRUE = "always-true"
    NOT_IN_TABLE = "not-in-table"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """One flaw: `certain` when the outcome is surely wrong, else it may be.

    `spot` is the part of the document it is about, `position` a character of the expression there; without one, it is
    about the key.
    """

    code: FlawCode
    detail: str
    spot: Spot
    hint: str = ""
    position: int | None = None
    certain: bool = True
