"""Statements of generated code: blocks, variables and the reuse of what is already known.

Every variable is assigned before the block that uses it, so that a value once read (`billing.address`) is read again
by no later part, and what does not depend on a loop's element is read before the loop.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hub.expressions.places import Loop, Place
from hub.model.kinds import ANY, Kind

#: The origin of a list that holds parts of many lists of the source: its elements have no number there.
NOWHERE = "?"

_LOAD = ast.Load()
_STORE = ast.Store()
#: Constants that generated code writes wherever they are read.
_WRITTEN = str | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A variable of the generated code: the kinds its value may have, and its path in the source, if it has one.

    Of a list, `elements` is the path of its elements when that is not just below the list's own, and `origin` the
    variable of the source's own list when this one holds some of its elements.
    """

    name: str
    kinds: frozenset[Kind] = ANY
    path: str | None = None
    elements: str | None = None
    origin: str | None = None
    constant: tuple[Any] | None = None

    @property
    def element(self) -> str | None:
        """Give the path of a list's elements."""
        return self.elements or (None if self.path is None else f"{self.path}[]")

    @property
    def may_be_null(self) -> bool:
        """Tell whether the value may be null."""
        return Kind.NULL in self.kinds

    def read(self) -> ast.expr:
        """Read the variable, or write the constant in its place."""
        if self.constant is not None and isinstance(self.constant[0], _WRITTEN):
            return ast.Constant(value=self.constant[0])
        return load(self.name)


@dataclass(slots=True)
class _Block:
    statements: list[ast.stmt] = field(default_factory=list)
    loop: Loop | None = None
    known: dict[Hashable, Slot] = field(default_factory=dict)


def load(name: str) -> ast.expr:
    """Read a variable."""
    return ast.Name(id=name, ctx=_LOAD)


def constant(value: Any) -> ast.expr:
    """Write a scalar."""
    return ast.Constant(value=value)


def call(function: str, *arguments: ast.expr) -> ast.expr:
    """Call a function of the generated code's own globals."""
    return ast.Call(func=load(function), args=list(arguments), keywords=[])


def method(subject: ast.expr, name: str, *arguments: ast.expr) -> ast.expr:
    """Call a method of a value whose type has been checked."""
    return ast.Call(func=ast.Attribute(value=subject, attr=name, ctx=_LOAD), args=list(arguments), keywords=[])


def attribute(subject: ast.expr, name: str) -> ast.expr:
    """Read an attribute of one of the hub's own objects."""
    return ast.Attribute(value=subject, attr=name, ctx=_LOAD)


def compare(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> ast.expr:
    """Compare two values."""
    return ast.Compare(left=left, ops=[operator], comparators=[right])


def negated(test: ast.expr) -> ast.expr:
    """Turn a test round."""
    return ast.UnaryOp(op=ast.Not(), operand=test)


def every(*tests: ast.expr) -> ast.expr:
    """Join tests that must all hold."""
    return tests[0] if len(tests) == 1 else ast.BoolOp(op=ast.And(), values=list(tests))


def some(*tests: ast.expr) -> ast.expr:
    """Join tests of which one must hold."""
    return tests[0] if len(tests) == 1 else ast.BoolOp(op=ast.Or(), values=list(tests))


def either(test: ast.expr, then: ast.expr, otherwise: ast.expr) -> ast.expr:
    """Choose between two values."""
    return ast.IfExp(test=test, body=then, orelse=otherwise)


def is_none(slot: Slot) -> ast.expr:
    """Test for null."""
    return compare(load(slot.name), ast.Is(), constant(None))


def is_not_none(slot: Slot) -> ast.expr:
    """Test for anything but null."""
    return compare(load(slot.name), ast.IsNot(), constant(None))


def _locate(statement: ast.stmt, line: int) -> None:
    """Put a statement on a line; what is inside it and has a line already keeps it, with all that is below it."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.stmt | ast.expr):
            if hasattr(node, "lineno"):
                continue
            node.lineno = node.end_lineno = line
            node.col_offset = node.end_col_offset = 0
        for name in node._fields:
            below = getattr(node, name, None)
            if isinstance(below, list):
                waiting += [each for each in below if isinstance(each, ast.AST)]
            elif isinstance(below, ast.AST):
                waiting.append(below)


#: What a generated function is called with: the source, the parts of the context, and the meter.
_PARAMETERS = ("value", "root", "given", "tables", "meter")


class Code:
    """The body of one generated function, written statement by statement."""

    def __init__(self) -> None:
        """Start a function."""
        self.places: list[Place] = []
        self.line = 1
        self._blocks = [_Block()]
        self._homes = dict.fromkeys(_PARAMETERS, 0)
        self._count = 0

    @property
    def loops(self) -> tuple[Loop, ...]:
        """Give the loops around the present statement, outermost first."""
        return tuple(block.loop for block in self._blocks if block.loop is not None)

    def at(self, place: Place) -> None:
        """Let the next statements carry this place."""
        self.places.append(place)
        self.line = len(self.places)

    def fresh(self, *, outside: int | None = None) -> str:
        """Make a new variable name, at home in the present block or in block `outside`."""
        self._count += 1
        name = f"v{self._count}"
        self._homes[name] = len(self._blocks) - 1 if outside is None else outside
        return name

    def add(self, statement: ast.stmt, *, outside: int | None = None) -> None:
        """Append a statement to the present block or to block `outside`."""
        _locate(statement, self.line)
        self._blocks[-1 if outside is None else outside].statements.append(statement)

    def do(self, expression: ast.expr) -> None:
        """Evaluate for the effect only."""
        self.add(ast.Expr(value=expression))

    def assign(self, name: str, value: ast.expr, *, outside: int | None = None) -> None:
        """Give a variable a value."""
        self.add(ast.Assign(targets=[ast.Name(id=name, ctx=_STORE)], value=value), outside=outside)

    def put(self, record: str, key: str, value: ast.expr) -> None:
        """Set a key of a generated object."""
        target = ast.Subscript(value=load(record), slice=constant(key), ctx=_STORE)
        self.add(ast.Assign(targets=[target], value=value))

    def keep(
        self, value: ast.expr, kinds: frozenset[Kind] = ANY, path: str | None = None, origin: str | None = None
    ) -> Slot:
        """Put a value into a new variable."""
        name = self.fresh()
        self.assign(name, value)
        return Slot(name=name, kinds=kinds, path=path, origin=origin)

    def remember(self, key: Hashable, slot: Slot) -> None:
        """Let the present block and those in it find this value again."""
        self._blocks[-1].known[key] = slot

    def reuse(self, key: Hashable) -> Slot | None:
        """Find a value that an enclosing block already has."""
        for block in reversed(self._blocks):
            if key in block.known:
                return block.known[key]
        return None

    def keep_known(self, key: Hashable, base: Slot, value: ast.expr, kinds: frozenset[Kind], path: str | None) -> Slot:
        """Put a value that only depends on `base`, and cannot fail, outside of every loop that `base` is outside of."""
        outside = len(self._blocks) - 1
        for depth in range(outside, self._homes[base.name], -1):
            if self._blocks[depth].loop is not None:
                outside = depth - 1
        name = self.fresh(outside=outside)
        self.assign(name, value, outside=outside)
        slot = Slot(name=name, kinds=kinds, path=path)
        self._blocks[outside].known[key] = slot
        return slot

    @contextmanager
    def branch(self, test: ast.expr) -> Iterator[None]:
        """Write statements that run only when the test holds."""
        with self._inside(_Block()) as block:
            yield
        self.add(ast.If(test=test, body=block.statements or [ast.Pass()], orelse=[]))

    @contextmanager
    def loop(self, loop: Loop, values: ast.expr) -> Iterator[None]:
        """Write statements that run for each element."""
        with self._inside(_Block(loop=loop)) as block:
            self._homes[loop.element] = len(self._blocks) - 1
            yield
        target = ast.Name(id=loop.element, ctx=_STORE)
        self.add(ast.For(target=target, iter=values, body=block.statements or [ast.Pass()], orelse=[]))

    @contextmanager
    def _inside(self, block: _Block) -> Iterator[_Block]:
        line = self.line
        self._blocks.append(block)
        yield block
        self._blocks.pop()
        self.line = line

    def finish(self, result: ast.expr, name: str) -> ast.Module:
        """End the function with its result and give it as a module's only statement."""
        self.add(ast.Return(value=result))
        arguments = ast.arguments(
            posonlyargs=[],
            args=[ast.arg(arg=parameter) for parameter in _PARAMETERS],
            kwonlyargs=[],
            kw_defaults=[],
            defaults=[],
        )
        function = ast.FunctionDef(name=name, args=arguments, body=self._blocks[0].statements, decorator_list=[])
        function.lineno = function.end_lineno = 1
        function.col_offset = function.end_col_offset = 0
        for argument in arguments.args:
            argument.lineno = argument.end_lineno = 1
            argument.col_offset = argument.end_col_offset = 0
        if "type_params" in ast.FunctionDef._fields:
            setattr(function, "type_params", [])  # noqa: B010 - Python 3.12 and later want it, 3.11 does not know it
        return ast.Module(body=[function], type_ignores=[])
