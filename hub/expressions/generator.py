"""Turn an expression's tree into statements of generated code.

Only nodes of the hub's own making are ever compiled: an expression's words become string constants and variable
names become numbers, so that no text of a user can become code.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from hub.expressions import code as write
from hub.expressions.budgets import MAX_LOOPS
from hub.expressions.calls import Calls
from hub.expressions.code import NOWHERE, Code, Slot, load
from hub.expressions.comparisons import comparison, truth
from hub.expressions.errors import ExpressionError
from hub.expressions.literals import constant_kinds, written
from hub.expressions.paths import step
from hub.expressions.places import Loop, Place
from hub.expressions.tree import Node, Part
from hub.model.kinds import ANY, Kind

_LIST_OR_NULL = frozenset({Kind.ARRAY, Kind.NULL})
_NULL = frozenset({Kind.NULL})
#: What is worked out once in a function, however often the same words stand in it.
_REUSED = frozenset({Part.FUNCTION, Part.PROJECTION, Part.FILTER_PROJECTION, Part.VALUE_PROJECTION, Part.OR, Part.AND})
_TRUTH = frozenset({Kind.BOOLEAN})


class Generator:
    """Writes expressions into one function; used for one expression, or for all of a record's fields together."""

    def __init__(self, code: Code, constants: dict[str, Any], *, root: str = "root") -> None:
        """Write into `code`; values that it needs go into `constants`; `root` names the variable of the source."""
        self.code = code
        self.constants = constants
        self.text = ""
        self.field: str | None = None
        self._root = root
        self._calls = Calls(self)
        self._writers: Mapping[Part, Callable[[Node, Slot], Slot]] = {
            Part.INDEX: self._index,
            Part.SLICE: self._slice,
            Part.FLATTEN: self._flatten,
            Part.PROJECTION: self._projection,
            Part.FILTER_PROJECTION: self._projection,
            Part.VALUE_PROJECTION: self._projection,
            Part.OR: self._chain,
            Part.AND: self._chain,
            Part.NOT: self._not,
            Part.COMPARATOR: self._comparison,
            Part.MULTI_SELECT_LIST: self._multi_select,
            Part.MULTI_SELECT_HASH: self._multi_select,
        }

    def expression(self, text: str, tree: Node, current: Slot, *, field: str | None = None) -> Slot:
        """Write a whole expression that is evaluated at `current`; `field` names what it fills, for messages."""
        self.text, self.field = text, field
        return self.evaluate(tree, current)

    def evaluate(self, node: Node, current: Slot) -> Slot:
        """Write one node and give the variable that holds its value."""
        key = (current.name, node.meaning()) if node.part in _REUSED else None
        known = self.code.reuse(key) if key is not None else None
        if known is not None:
            return known
        line = self.code.line
        self.mark(node)
        slot = self._evaluate(node, current)
        self.code.line = line
        if key is not None:
            self.code.remember(key, slot)
        return slot

    def mark(self, node: Node, *data: str) -> None:
        """Let the following statements say that they belong to this node and work on these source paths."""
        self.code.at(Place(text=self.text, position=node.position, loops=self.code.loops, data=data, field=self.field))

    def root(self) -> Slot:
        """Give the variable of the whole source."""
        return Slot(name=self._root, path="")

    def _evaluate(self, node: Node, current: Slot) -> Slot:
        match node.part:
            case Part.CURRENT | Part.IDENTITY:
                return current
            case Part.LITERAL:
                return self._literal(node)
            case Part.FIELD:
                return self.read(current, str(node.value))
            case Part.SUBEXPRESSION | Part.PIPE | Part.INDEX_EXPRESSION:
                for child in node.children:
                    current = self.evaluate(child, current)
                return current
            case Part.FUNCTION:
                return self._calls.call(node, current)
            case Part.KEY_VALUE | Part.EXPRESSION_REFERENCE:
                raise ExpressionError("This cannot stand alone.", text=self.text, position=node.position)
            case _:
                return self._writers[node.part](node, current)

    def read(self, base: Slot, name: str) -> Slot:
        """Read a key of an object, null of anything else; read once, however often it is named."""
        key = ("field", base.name, name)
        known = self.code.reuse(key)
        if known is not None:
            return known
        path = None if base.path is None else step(base.path, name)
        value = write.method(load(self._as_object(base).name), "get", write.constant(name))
        return self.code.keep_known(key, base, value, ANY, path)

    def _as_object(self, base: Slot) -> Slot:
        key = ("object", base.name)
        test = write.call("isinstance", load(base.name), load("dict"))
        return self.code.reuse(key) or self.code.keep_known(
            key, base, write.either(test, load(base.name), load("NOTHING")), ANY, base.path
        )

    def _literal(self, node: Node) -> Slot:
        name = self.code.fresh()
        self.code.assign(name, written(node.value, self.constants))
        return Slot(name=name, kinds=constant_kinds(node.value), constant=(node.value,))

    def _not(self, node: Node, current: Slot) -> Slot:
        return self.code.keep(write.negated(truth(self.evaluate(node.children[0], current))), _TRUTH)

    def _comparison(self, node: Node, current: Slot) -> Slot:
        left, right = (self.evaluate(child, current) for child in node.children)
        self.mark(node, *(slot.path for slot in (left, right) if slot.path is not None))
        value, kinds = comparison(str(node.value), left, right)
        return self.code.keep(value, kinds)

    def _index(self, node: Node, base: Slot) -> Slot:
        index: int = node.value
        size = write.call("len", load(base.name))
        inside = (
            write.compare(size, ast.Gt(), write.constant(index))
            if index >= 0
            else write.compare(size, ast.GtE(), write.constant(-index))
        )
        element = ast.Subscript(value=load(base.name), slice=write.constant(index), ctx=ast.Load())
        test = write.every(write.call("isinstance", load(base.name), load("list")), inside)
        path = None if base.path is None else f"{base.path}[{index}]"
        return self.code.keep(write.either(test, element, write.constant(None)), ANY, path)

    def _slice(self, node: Node, base: Slot) -> Slot:
        lower, upper, stride = (None if bound is None else write.constant(bound) for bound in node.value)
        bounds = ast.Slice(lower=lower, upper=upper, step=stride)
        part = ast.Subscript(value=load(base.name), slice=bounds, ctx=ast.Load())
        test = write.call("isinstance", load(base.name), load("list"))
        slot = self.code.keep(write.either(test, part, write.constant(None)), _LIST_OR_NULL, base.path, _origin(base))
        with self.code.branch(write.is_not_none(slot)):
            self.spend(slot)
        return slot

    def _flatten(self, node: Node, current: Slot) -> Slot:
        base = self.evaluate(node.children[0], current)
        value = write.call("flattened", load(base.name), load("meter"))
        if base.elements is not None:
            return self.code.keep(value, _LIST_OR_NULL, base.elements, NOWHERE)
        return self.code.keep(value, _LIST_OR_NULL, base.path, _origin(base))

    def spend(self, values: Slot) -> None:
        """Take one step of the budget for each element of a list."""
        self.code.add(
            ast.AugAssign(
                target=ast.Attribute(value=load("meter"), attr="left", ctx=ast.Store()),
                op=ast.Sub(),
                value=write.call("len", load(values.name)),
            )
        )
        left = write.compare(write.attribute(load("meter"), "left"), ast.Lt(), write.constant(0))
        with self.code.branch(left):
            self.code.do(write.call("overrun"))

    def over(self, values: Slot, target: str | None = None) -> Loop:
        """Describe a loop over a list."""
        return Loop(
            values=values.origin or values.name, element=self.code.fresh(), source=values.element, target=target
        )

    def element(self, loop: Loop) -> Slot:
        """Give the variable of a loop's element."""
        return Slot(name=loop.element, path=loop.source)

    def refuse_deep_loops(self, node: Node) -> None:
        """Refuse more loops within loops than the budget has."""
        if len(self.code.loops) >= MAX_LOOPS:
            raise ExpressionError(
                "Too many lists within lists.", text=self.text, position=node.position, code="over-budget"
            )

    def _projection(self, node: Node, current: Slot) -> Slot:
        self.refuse_deep_loops(node)
        base = self.evaluate(node.children[0], current)
        values, test = base, write.call("isinstance", load(base.name), load("list"))
        if node.part is Part.VALUE_PROJECTION:
            test = write.call("isinstance", load(base.name), load("dict"))
        result = self.code.fresh()
        self.code.assign(result, write.constant(None))
        with self.code.branch(test):
            if node.part is Part.VALUE_PROJECTION:
                listed = write.call("list", write.method(load(base.name), "values"))
                path = None if base.path is None else step(base.path, "*")
                values = self.code.keep(listed, _LIST_OR_NULL, path)
            self.spend(values)
            self.code.assign(result, ast.List(elts=[], ctx=ast.Load()))
            made = self._collect(node, values, result)
        if node.children[1].part is Part.IDENTITY and node.part is not Part.VALUE_PROJECTION:
            return Slot(name=result, kinds=_LIST_OR_NULL, path=base.path, elements=base.elements, origin=_origin(base))
        return Slot(name=result, kinds=_LIST_OR_NULL, elements=made.path, origin=NOWHERE)

    def _collect(self, node: Node, values: Slot, result: str) -> Slot:
        """Write the loop of a projection and give what it collects of each element."""
        loop = self.over(values)
        with self.code.loop(loop, load(values.name)):
            element = self.element(loop)
            if node.part is Part.FILTER_PROJECTION:
                condition = self.evaluate(node.children[2], element)
                with self.code.branch(truth(condition)):
                    made = self.evaluate(node.children[1], element)
                    self._append(made, result)
            else:
                made = self.evaluate(node.children[1], element)
                self._append(made, result)
        return made

    def _append(self, slot: Slot, result: str) -> None:
        append = write.method(load(result), "append", load(slot.name))
        if slot.may_be_null:
            with self.code.branch(write.is_not_none(slot)):
                self.code.do(append)
        else:
            self.code.do(append)

    def _chain(self, node: Node, current: Slot) -> Slot:
        result = self.code.fresh()
        first = self.evaluate(node.children[0], current)
        self.code.assign(result, load(first.name))
        kinds, paths = first.kinds, {first.path}
        for child in node.children[1:]:
            test = truth(Slot(name=result, kinds=kinds))
            with self.code.branch(write.negated(test) if node.part is Part.OR else test):
                slot = self.evaluate(child, current)
                self.code.assign(result, load(slot.name))
            kinds |= slot.kinds
            paths.add(slot.path)
        return Slot(name=result, kinds=kinds, path=paths.pop() if len(paths) == 1 else None)

    def _multi_select(self, node: Node, current: Slot) -> Slot:
        result = self.code.fresh()
        listed = node.part is Part.MULTI_SELECT_LIST
        kinds = frozenset({Kind.ARRAY if listed else Kind.OBJECT})
        if not current.may_be_null:
            self.code.assign(result, self._selected(node, current))
            return Slot(name=result, kinds=kinds)
        self.code.assign(result, write.constant(None))
        with self.code.branch(write.is_not_none(current)):
            self.code.assign(result, self._selected(node, current))
        return Slot(name=result, kinds=kinds | _NULL)

    def _selected(self, node: Node, current: Slot) -> ast.expr:
        if node.part is Part.MULTI_SELECT_LIST:
            parts = [self.evaluate(child, current) for child in node.children]
            return ast.List(elts=[load(part.name) for part in parts], ctx=ast.Load())
        pairs: Mapping[str, Slot] = {
            str(child.value): self.evaluate(child.children[0], current) for child in node.children
        }
        return ast.Dict(
            keys=[write.constant(key) for key in pairs], values=[load(part.name) for part in pairs.values()]
        )


def _origin(base: Slot) -> str:
    return base.origin or base.name
