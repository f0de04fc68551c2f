"""Compile an expression: JMESPath with exact numbers, made into a Python function of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType
from typing import Any

from hub.expressions.budgets import Meter, measured
from hub.expressions.code import Code, Slot
from hub.expressions.context import Context
from hub.expressions.generator import Generator
from hub.expressions.growth import HARMLESS, growth
from hub.expressions.parser import parse
from hub.expressions.paths import source_paths
from hub.expressions.places import Place, explained
from hub.expressions.program import Program, assembled
from hub.expressions.tree import Node, Part

__all__ = ["Context", "Expression", "compile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """A compiled expression.

    `paths` are the source paths it reads, such as `lines.data[].amount`; `tables` and `given` the names of tables and
    given values that its text names, each with the position of that name.
    """

    text: str
    paths: tuple[str, ...]
    tables: tuple[tuple[str, int], ...]
    given: tuple[tuple[str, int], ...]
    tree: Node = field(repr=False, compare=False)
    _program: Program = field(repr=False, compare=False)
    _code: CodeType = field(repr=False, compare=False)
    _places: Sequence[Place] = field(repr=False, compare=False)
    _grows: bool = field(repr=False, compare=False)

    def __call__(self, value: Any, context: Context | None = None) -> Any:
        """Evaluate on a JSON value (dict, list, str, int, Decimal, bool, None); without a context, it is the root.

        `EvaluationError` names the expression, the position and the data path; `NotMapped` a table's missing key.
        """
        if context is None:
            return self.within(value, value, {}, {})
        return self.within(value, context.root, context.given, context.tables)

    def within(self, value: Any, root: Any, given: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]]) -> Any:
        """Evaluate in a context whose parts are at hand: to make one takes longer than what most expressions do."""
        try:
            result = self._program(value, root, given, tables, Meter())
            return measured(result) if self._grows else result
        except Exception as error:  # noqa: BLE001 - whatever the data provokes is told with its place
            known = {"expression": self.text, "position": 0}
            raise explained(error, self._code, self._places, known) from None


@lru_cache(maxsize=4096)
def compile(text: str) -> Expression:
    """Compile an expression's text; `ExpressionError` says what is wrong and at which character."""
    tree = parse(text)
    code = Code()
    constants: dict[str, Any] = {}
    result = Generator(code, constants).expression(text, tree, Slot(name="value", path=""))
    program, body = assembled(code, result.name, constants)
    return Expression(
        text=text,
        paths=source_paths(tree),
        tables=named(tree, "table"),
        given=named(tree, "given"),
        tree=tree,
        _program=program,
        _code=body,
        _places=tuple(code.places),
        _grows=growth(tree) > HARMLESS,
    )


def named(tree: Node, function: str) -> tuple[tuple[str, int], ...]:
    """Give the texts that stand as the first argument of a function, each with its position."""
    return tuple(
        (node.children[0].value, node.children[0].position)
        for node in tree.walk()
        if node.part is Part.FUNCTION
        and node.value == function
        and node.children[0].part is Part.LITERAL
        and isinstance(node.children[0].value, str)
    )
