"""What a decision saw: the values at the paths that its policy reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hub.errors import HubError
from hub.expressions.compiler import Expression, compile
from hub.expressions.context import Context
from hub.expressions.errors import ExpressionError

#: Of a list or an object so many parts are kept, and of a text so many characters.
_PARTS = 50
_LENGTH = 500
_DEPTH = 4


def readers(expressions: Iterable[Expression]) -> dict[str, Expression]:
    """Give an expression for each path that these read; whole scopes are named by no path."""
    found: dict[str, Expression] = {}
    for path in dict.fromkeys(path for expression in expressions for path in expression.paths):
        if not path:
            continue
        try:
            found[path] = compile(path)
        except ExpressionError:
            continue
    return found


def gathered(reads: Mapping[str, Expression], scope: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Give the value at each path, in bounds: what is too large is cut, and says so."""
    return {path: bounded(_value(read, scope, context), 0) for path, read in reads.items()}


def _value(read: Expression, scope: Mapping[str, Any], context: Context) -> Any:
    try:
        return read(scope, context)
    except HubError:
        return None


def bounded(value: Any, depth: int = 0) -> Any:
    """Give a value in bounds: what is too large is cut, and says so."""
    if isinstance(value, str):
        return value if len(value) <= _LENGTH else f"{value[:_LENGTH]}… ({len(value)} characters)"
    if isinstance(value, dict):
        if depth == _DEPTH:
            return f"({len(value)} keys)"
        kept = {key: bounded(part, depth + 1) for key, part in list(value.items())[:_PARTS]}
        return kept if len(value) <= _PARTS else {**kept, "…": f"({len(value)} keys)"}
    if isinstance(value, list):
        if depth == _DEPTH:
            return f"({len(value)} entries)"
        kept_parts = [bounded(part, depth + 1) for part in value[:_PARTS]]
        return kept_parts if len(value) <= _PARTS else [*kept_parts, f"… ({len(value)} entries)"]
    return value
