"""Tokens of an expression: JMESPath's own, with exact numbers and strict literals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from jmespath.lexer import Lexer

from hub.expressions.budgets import MAX_DEPTH, MAX_PLACES
from hub.expressions.errors import ExpressionError


def _exact(digits: str) -> Decimal:
    number = Decimal(digits)
    if abs(number.adjusted()) > MAX_PLACES:
        raise InvalidOperation(digits)
    return number


def _refused(word: str) -> None:
    raise ValueError(word)


def _depth(value: object) -> int:
    """Count nested containers, looking no deeper than the budget needs."""
    depth, layer = 0, [value]
    while layer and depth <= MAX_DEPTH:
        containers = [part for part in layer if isinstance(part, list | dict)]
        layer = [child for part in containers for child in (part.values() if isinstance(part, dict) else part)]
        depth += 1 if containers else 0
    return depth


class ExactLexer(Lexer):  # type: ignore[misc]  # the grammar's package has no types
    """JMESPath's lexer, except that a literal is strict JSON with exact numbers (`1.10` stays 1.10)."""

    _expression: str
    _position: int

    def tokenize(self, expression: str) -> Iterator[dict[str, Any]]:
        """Give the tokens, each with its `type`, `value` and `start`."""
        yield from super().tokenize(expression)

    def _consume_literal(self) -> dict[str, Any]:
        start = self._position
        written = self._consume_until("`").replace("\\`", "`")
        try:
            value = json.loads(written, parse_float=_exact, parse_constant=_refused)
        except (ValueError, InvalidOperation, RecursionError):
            raise ExpressionError(
                f"Between backquotes stands JSON, which `{written[:40]}` is not; a text is written 'like this'.",
                text=self._expression,
                position=start,
            ) from None
        if _depth(value) > MAX_DEPTH:
            raise ExpressionError(
                "The literal is nested too deeply.", text=self._expression, position=start, code="over-budget"
            )
        return {"type": "literal", "value": value, "start": start, "end": self._position}
