"""Compile all expressions that make one record into one function, so that what they share is read once."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import CodeType
from typing import Any

from hub.expressions import code as write
from hub.expressions.budgets import RECORD_STEPS, Meter, measured
from hub.expressions.code import Code, Slot, load
from hub.expressions.comparisons import truth
from hub.expressions.compiler import Expression
from hub.expressions.generator import Generator
from hub.expressions.growth import HARMLESS, growth
from hub.expressions.places import Place, explained
from hub.expressions.program import Program, assembled
from hub.expressions.tree import Node
from hub.model.kinds import Kind

Tables = Mapping[str, Mapping[str, Any]]

_LIST = frozenset({Kind.ARRAY})


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A field that an expression fills."""

    text: str
    tree: Node

    @classmethod
    def of(cls, expression: Expression) -> Computed:
        """Take a compiled expression's text and tree."""
        return cls(text=expression.text, tree=expression.tree)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """An object of fields; it is left out when all of them are."""

    fields: Mapping[str, Computed | Grouped | Repeated]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated:
    """A list with one object for each element of `each`, or for those where `when` is true."""

    each: Computed
    when: Computed | None
    fields: Grouped


Part = Computed | Grouped | Repeated


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A compiled record; `known` are facts that every error of it carries."""

    known: Mapping[str, object]
    _program: Program = field(repr=False)
    _code: CodeType = field(repr=False)
    _places: Sequence[Place] = field(repr=False)

    def __call__(self, source: Any, given: Mapping[str, Any], tables: Tables) -> dict[str, Any]:
        """Make the record; fields whose expression gives null are left out.

        `EvaluationError` and `NotMapped` name field, expression, position and data path.
        """
        try:
            record: dict[str, Any] = self._program(source, source, given, tables, Meter(RECORD_STEPS))
        except Exception as error:  # noqa: BLE001 - whatever the data provokes is told with its place
            raise explained(error, self._code, self._places, self.known) from None
        return record


def compile_record(shape: Grouped, known: Mapping[str, object]) -> Record:
    """Compile a record's shape; `ExpressionError` for an expression that names no function or misuses one."""
    code = Code()
    constants: dict[str, Any] = {"measured": measured}
    writer = _Writer(code, Generator(code, constants, root="value"))
    record = writer.group(shape, Slot(name="value", path=""), "")
    program, body = assembled(code, record, constants)
    return Record(known=known, _program=program, _code=body, _places=tuple(code.places))


class _Writer:
    """Writes the statements that fill one record."""

    def __init__(self, code: Code, generator: Generator) -> None:
        self._code = code
        self._generator = generator

    def group(self, group: Grouped, current: Slot, target: str) -> str:
        """Write an object and give its variable."""
        record = self._code.fresh()
        self._code.assign(record, ast.Dict(keys=[], values=[]))
        for name, part in group.fields.items():
            self._fill(record, name, part, current, f"{target}.{name}" if target else name)
        return record

    def _fill(self, record: str, name: str, part: Part, current: Slot, target: str) -> None:
        match part:
            case Computed():
                slot = self._compute(part, current, target)
                if not slot.may_be_null:
                    self._code.put(record, name, load(slot.name))
                    return
                with self._code.branch(write.is_not_none(slot)):
                    self._code.put(record, name, load(slot.name))
            case Grouped():
                inner = self.group(part, current, target)
                with self._code.branch(load(inner)):
                    self._code.put(record, name, load(inner))
            case Repeated():
                self._repeat(record, name, part, current, target)

    def _compute(self, part: Computed, current: Slot, target: str) -> Slot:
        slot = self._generator.expression(part.text, part.tree, current, field=target)
        if growth(part.tree) > HARMLESS:
            self._generator.mark(part.tree)
            return self._code.keep(write.call("measured", load(slot.name)), slot.kinds, slot.path)
        return slot

    def _repeat(self, record: str, name: str, part: Repeated, current: Slot, target: str) -> None:
        values = self._compute(part.each, current, target)
        self._generator.refuse_deep_loops(part.each.tree)
        with self._code.branch(write.is_not_none(values)):
            self._generator.mark(part.each.tree, *([] if values.path is None else [values.path]))
            if not values.kinds <= _LIST:
                is_list = write.call("isinstance", load(values.name), load("list"))
                with self._code.branch(write.negated(is_list)):
                    self._code.do(write.call("refuse_each", load(values.name)))
            self._generator.spend(values)
            made = self._code.keep(ast.List(elts=[], ctx=ast.Load()))
            loop = self._generator.over(values, f"{target}[]")
            with self._code.loop(loop, load(values.name)):
                self._element(part, self._generator.element(loop), made, f"{target}[]")
            self._code.put(record, name, load(made.name))

    def _element(self, part: Repeated, element: Slot, made: Slot, target: str) -> None:
        if part.when is None:
            item = self.group(part.fields, element, target)
            self._code.do(write.method(load(made.name), "append", load(item)))
            return
        condition = self._compute(part.when, element, target)
        with self._code.branch(truth(condition)):
            item = self.group(part.fields, element, target)
            self._code.do(write.method(load(made.name), "append", load(item)))
