"""Function calls in generated code: arguments are checked by the function's declaration, then it is called directly."""

from __future__ import annotations

import ast
from difflib import get_close_matches
from typing import TYPE_CHECKING

from hub.errors import FixData
from hub.expressions import code as write
from hub.expressions.code import Slot, load
from hub.expressions.errors import ExpressionError
from hub.expressions.functions.catalogue import FUNCTIONS
from hub.expressions.functions.signature import Function, Parameter
from hub.expressions.tree import Node, Part
from hub.model.kinds import ANY, Kind

if TYPE_CHECKING:
    from hub.expressions.generator import Generator

_NULL = frozenset({Kind.NULL})
_CLASSES = {Kind.STRING: "str", Kind.ARRAY: "list", Kind.OBJECT: "dict"}

#: Functions of other languages → what is written here instead.
_INSTEAD = {
    "concat": " Write `join('', [a, b])`.",
    "if": " A choice is written `condition && this || that`.",
    "iif": " A choice is written `condition && this || that`.",
    "len": " Write length().",
    "substr": " Write substring().",
}


class Calls:
    """Writes the calls of one generator."""

    def __init__(self, generator: Generator) -> None:
        """Write with this generator."""
        self._generator = generator
        self._code = generator.code

    def call(self, node: Node, current: Slot) -> Slot:
        """Write a call and give the variable of its result."""
        function = self._declared(node)
        if function.name == "root":
            return self._generator.root()
        if function.name == "coalesce":
            return self._coalesce(node, current)
        place = self._code.line
        defaulted = function.lazy and len(node.children) == function.most
        children = node.children[:-1] if defaulted else node.children
        arguments = [
            None if child.part is Part.EXPRESSION_REFERENCE else self._generator.evaluate(child, current)
            for child in children
        ]
        self._code.line = place
        self._generator.mark(node, *(slot.path for slot in arguments if slot is not None and slot.path is not None))
        result = self._guarded(node, function, arguments)
        return self._default(node.children[-1], current, result) if defaulted else result

    def _declared(self, node: Node) -> Function:
        name, count = str(node.value), len(node.children)
        function = FUNCTIONS.get(name)
        if function is None:
            near = get_close_matches(name, FUNCTIONS, n=1)
            hint = _INSTEAD.get(name) or (f" Did you mean {near[0]}()?" if near else "")
            raise self._mistake(f"There is no function {name[:40]}().{hint}", node, "unknown-function")
        if count < function.fewest or (function.most is not None and count > function.most):
            raise self._mistake(f"{name}() is called as {function.text}.", node, "invalid-arity")
        for place, child in enumerate(node.children):
            wanted = function.parameter(place).reference
            if wanted is not (child.part is Part.EXPRESSION_REFERENCE):
                words = "`&` and an expression" if wanted else "a value, not an `&expression`"
                raise self._mistake(
                    f"{name}() takes {words} as its {function.parameter(place).name}.", child, "invalid-type"
                )
        return function

    def _mistake(self, detail: str, node: Node, code: str) -> ExpressionError:
        return ExpressionError(detail, text=self._generator.text, position=node.position, code=code)

    def _guarded(self, node: Node, function: Function, arguments: list[Slot | None]) -> Slot:
        """Call unless an argument that passes null on is null."""
        passing = [
            slot
            for place, slot in enumerate(arguments)
            if slot is not None and slot.may_be_null and function.parameter(place).passes_null and not function.lazy
        ]
        if not passing:
            return self._checked(node, function, arguments)
        result = self._code.fresh()
        self._code.assign(result, write.constant(None))
        with self._code.branch(write.every(*(write.is_not_none(slot) for slot in passing))):
            narrowed = [
                Slot(name=slot.name, kinds=slot.kinds - _NULL, path=slot.path, constant=slot.constant)
                if slot in passing and slot is not None
                else slot
                for slot in arguments
            ]
            self._code.assign(result, load(self._checked(node, function, narrowed).name))
        return Slot(name=result, kinds=function.gives | _NULL)

    def _checked(self, node: Node, function: Function, arguments: list[Slot | None]) -> Slot:
        for place, slot in enumerate(arguments):
            if slot is not None:
                self._check(node.children[place], function, function.parameter(place), slot)
        values = [
            self._keys(node.children[place], next(other for other in arguments if other is not None))
            if slot is None
            else slot
            for place, slot in enumerate(arguments)
        ]
        given = [slot.read() for slot in values]
        if function.beside is not None:
            given.insert(0, load(function.beside))
        if function.lazy:
            given += [load("MISSING")] if len(node.children) == function.most else []
        if function.metered:
            given.append(load("meter"))
        self._generator.constants[f"call_{function.name}"] = function.implementation
        return self._code.keep(write.call(f"call_{function.name}", *given), function.gives)

    def _check(self, node: Node, function: Function, parameter: Parameter, slot: Slot) -> None:
        key = ("checked", slot.name, parameter.kinds)
        if not slot.kinds <= parameter.kinds and self._code.reuse(key) is None:
            self._code.remember(key, slot)
            wanted = " or ".join(sorted(parameter.kinds - _NULL if parameter.passes_null else parameter.kinds))
            if not slot.kinds & parameter.kinds:
                raise self._mistake(f"{function.name}() takes {wanted} as its {parameter.name}.", node, "invalid-type")
            test = write.some(*(_has_kind(slot, kind) for kind in sorted(parameter.kinds & slot.kinds)))
            words = [write.constant(word) for word in (function.name, parameter.name, wanted)]
            with self._code.branch(write.negated(test)):
                self._code.do(write.call("wrong_argument", *words, load(slot.name)))
        if slot.constant is not None:
            self._check_literal(node, parameter, slot)
        if parameter.element_kinds:
            name = f"kinds_{'_'.join(parameter.element_kinds)}"
            self._generator.constants[name] = parameter.element_kinds
            words = [write.constant(word) for word in (function.name, parameter.name)]
            self._code.do(write.call("check_elements", *words, load(name), load(slot.name)))

    def _check_literal(self, node: Node, parameter: Parameter, slot: Slot) -> None:
        """Refuse a literal that names nothing there is, such as a rounding mode or a time zone."""
        for kind in slot.kinds & parameter.kinds:
            try:
                parameter.check(slot.constant[0] if slot.constant else None, kind)
            except FixData as error:
                raise self._mistake(error.detail, node, error.code) from None

    def _keys(self, reference: Node, values: Slot) -> Slot:
        """Write the loop that evaluates an `&expression` for each element."""
        self._generator.refuse_deep_loops(reference)
        self._generator.spend(values)
        keys = self._code.keep(ast.List(elts=[], ctx=ast.Load()))
        loop = self._generator.over(values)
        with self._code.loop(loop, load(values.name)):
            slot = self._generator.evaluate(reference.children[0], self._generator.element(loop))
            self._code.do(write.method(load(keys.name), "append", load(slot.name)))
        return keys

    def _coalesce(self, node: Node, current: Slot) -> Slot:
        result = self._code.fresh()
        first = self._generator.evaluate(node.children[0], current)
        self._code.assign(result, load(first.name))
        kinds = first.kinds
        for child in node.children[1:]:
            with self._code.branch(write.is_none(Slot(name=result))):
                slot = self._generator.evaluate(child, current)
                self._code.assign(result, load(slot.name))
            kinds = (kinds - _NULL) | slot.kinds
        return Slot(name=result, kinds=kinds)

    def _default(self, node: Node, current: Slot, found: Slot) -> Slot:
        missing = write.compare(load(found.name), ast.Is(), load("MISSING"))
        with self._code.branch(missing):
            self._code.assign(found.name, load(self._generator.evaluate(node, current).name))
        return Slot(name=found.name, kinds=ANY)


def _has_kind(slot: Slot, kind: Kind) -> ast.expr:
    match kind:
        case Kind.NULL:
            return write.is_none(slot)
        case Kind.BOOLEAN:
            return write.compare(write.call("type", load(slot.name)), ast.Is(), load("bool"))
        case Kind.NUMBER:
            return write.compare(write.call("type", load(slot.name)), ast.In(), load("NUMBER_TYPES"))
        case _:
            return write.call("isinstance", load(slot.name), load(_CLASSES[kind]))
