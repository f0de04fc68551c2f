"""Literals and expressions of a file as terms, ready to be evaluated in a run's scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.expressions.compiler import Expression, compile
from hub.expressions.errors import ExpressionError
from hub.model.flow import Term
from hub.workspace.source.characters import place_in
from hub.workspace.source.lint import Lints, shown
from hub.workspace.source.yaml_source import Node, Scalar, plain, text_of

Tables = Mapping[str, Mapping[str, str]]
#: What is given to a mapping by name has no place in a flow's expressions.
_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A value that stands as it is in the file."""

    value: Any
    text: str

    def __call__(self, scope: Mapping[str, Any]) -> Any:
        """Give the value."""
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """An expression with the tables of its bundle."""

    expression: Expression
    tables: Tables = field(repr=False)

    @property
    def text(self) -> str:
        """Give the words of the file."""
        return self.expression.text

    def __call__(self, scope: Mapping[str, Any]) -> Any:
        """Give the value in this scope."""
        return self.expression.within(scope, scope, _NOTHING, self.tables)


def expression_term(node: Node, tables: Tables) -> Term:
    """Compile a value that is always an expression; the node was linted before."""
    return Evaluated(expression=compile(text_of(node)), tables=tables)


def term(node: Node, tables: Tables) -> Term:
    """Make a term of a value: an expression when it begins with `=`, else the literal."""
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return text_term(node.text, tables)
    return Literal(value=plain(node), text=text_of(node))


def text_term(text: str, tables: Tables) -> Term:
    """Make a term of a text, such as a key that may be an expression."""
    if text.startswith("="):
        return Evaluated(expression=compile(text[1:]), tables=tables)
    return Literal(value=text, text=text)


def lint_expression(text: str, node: Scalar, inset: int, lints: Lints) -> None:
    """Add a lint when an expression cannot be compiled, at the mistake's place in the file.

    `inset` is the number of characters of the value before the expression (1 for `=`).
    """
    try:
        compile(text)
    except ExpressionError as error:
        place = place_in(node, inset + error.position)
        lints.error(place, error.code, f"The expression {shown(text)} is wrong: {error.detail}")
