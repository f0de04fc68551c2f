"""What a step gives to the steps after it, and what people see of it."""

from __future__ import annotations

from typing import Any

import msgspec


class Output(msgspec.Struct, frozen=True, kw_only=True):
    """What a step gives: its output, what it was given (for people), and the rule that decided.

    `answer` is what came from outside where the output was made of it, and `schema` the version it came in.
    """

    value: Any
    input: Any = None
    rule: str | None = None
    answer: Any = None
    schema: str | None = None
