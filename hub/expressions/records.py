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
from hub.expressions.generator import Generator
from hub.expressions.growth import HARMLESS, growth
from hub.expressions.kept import ELEMENTS, kept, removed
from hub.expressions.literals import constant_kinds, written
from hub.expressions.parts import Computed, Filled, Grouped, Literal, Nested, Part, Repeated
from hub.expressions.places import Place, explained
from hub.expressions.program import Program, assembled
from hub.expressions.runtime import required_missing
from hub.model.kinds import Kind

Tables = Mapping[str, Mapping[str, Any]]

_LIST = frozenset({Kind.ARRAY})
_NULL = frozenset({Kind.NULL})
_OBJECT = frozenset({Kind.OBJECT})


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
    constants: dict[str, Any] = {"kept": kept, "measured": measured, "required_missing": required_missing}
    writer = _Writer(code, Generator(code, constants, root="value"))
    source = Slot(name="value", path="")
    record = writer.group(shape, source, "", _Rest.of(shape, source))
    program, body = assembled(code, record, constants)
    return Record(known=known, _program=program, _code=body, _places=tuple(code.places))


@dataclass(frozen=True, slots=True)
class _Rest:
    """What an object is made from when it does not start empty: a variable, and what is taken out of it."""

    base: Slot
    removed: Mapping[str, Any]

    @classmethod
    def of(cls, group: Grouped, base: Slot, above: Mapping[str, Any] | None = None) -> _Rest | None:
        """Give what an object keeps, what enclosing objects take out included; None when it starts empty."""
        return cls(base, _joined(above or {}, removed(group.without))) if group.kept else None


def _joined(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    joined = dict(other)
    for name, below in one.items():
        joined[name] = _joined(below, joined[name]) if below and joined.get(name) else {}
        if name not in other:
            joined[name] = below
    return joined


class _Writer:
    """Writes the statements that fill one record."""

    def __init__(self, code: Code, generator: Generator) -> None:
        self._code = code
        self._generator = generator

    def group(self, group: Grouped, current: Slot, target: str, rest: _Rest | None = None) -> str:
        """Write an object and give its variable."""
        record = self._code.fresh()
        self._code.assign(record, ast.Dict(keys=[], values=[]) if rest is None else self._kept(group, rest))
        for name, part in group.fields.items():
            self._fill(record, name, part, current, f"{target}.{name}" if target else name, rest)
        return record

    def _kept(self, group: Grouped, rest: _Rest) -> ast.expr:
        """Copy what is kept; what the fields below make anew out of it need not be cut first."""
        anew = {name for name, part in group.fields.items() if isinstance(part, Grouped | Repeated)}
        names = {name: below for name, below in rest.removed.items() if not below or name not in anew}
        constants = self._generator.constants
        key = f"removed{len(constants)}"
        constants[key] = names
        return write.call("kept", load(rest.base.name), load(key), load("meter"))

    def _fill(self, record: str, name: str, part: Part, current: Slot, target: str, rest: _Rest | None) -> None:
        match part:
            case Computed():
                self._put(record, name, self._compute(part, current, target), rest)
            case Filled():
                self._filled(record, name, part, current, target, rest)
            case Grouped():
                self._grouped(record, name, part, current, target, rest)
            case Nested():
                self._nested(record, name, part, current, target, rest)
            case Repeated():
                self._repeat(record, name, part, current, target, rest)

    def _put(self, record: str, name: str, slot: Slot, rest: _Rest | None) -> None:
        """Set a key unless its value is null; then nothing stays of what was kept there."""
        if not slot.may_be_null:
            self._code.put(record, name, load(slot.name))
            return
        self._drop(record, name, rest)
        with self._code.branch(write.is_not_none(slot)):
            self._code.put(record, name, load(slot.name))

    def _drop(self, record: str, name: str, rest: _Rest | None) -> None:
        if rest is not None:
            self._code.do(write.method(load(record), "pop", write.constant(name), write.constant(None)))

    def _compute(self, part: Computed, current: Slot, target: str) -> Slot:
        slot = self._generator.expression(part.text, part.tree, current, field=target)
        if growth(part.tree) > HARMLESS:
            self._generator.mark(part.tree)
            return self._code.keep(write.call("measured", load(slot.name)), slot.kinds, slot.path)
        return slot

    def _filled(self, record: str, name: str, part: Filled, current: Slot, target: str, rest: _Rest | None) -> None:
        if part.when is not None:
            with self._code.branch(truth(self._compute(part.when, current, target))):
                self._value(record, name, part, current, target, rest)
            return
        self._value(record, name, part, current, target, rest)

    def _value(self, record: str, name: str, part: Filled, current: Slot, target: str, rest: _Rest | None) -> None:
        slot = self._compute(part.value, current, target)
        if part.default is not None and slot.may_be_null:
            slot = self._default(slot, part.default, current, target)
        if part.required:
            slot = self._required(slot, part.value, part.reads, target)
        self._put(record, name, slot, rest)

    def _required(self, slot: Slot, part: Computed, reads: tuple[str, ...], target: str) -> Slot:
        """Refuse null; give the same variable without it."""
        if not slot.may_be_null:
            return slot
        self._generator.text, self._generator.field = part.text, target
        self._generator.mark(part.tree, *reads)
        with self._code.branch(write.is_none(slot)):
            self._code.do(write.call("required_missing"))
        return Slot(name=slot.name, kinds=slot.kinds - _NULL, path=slot.path)

    def _default(self, slot: Slot, default: Computed | Literal, current: Slot, target: str) -> Slot:
        result = self._code.fresh()
        self._code.assign(result, load(slot.name))
        with self._code.branch(write.is_none(slot)):
            if isinstance(default, Literal):
                kinds = constant_kinds(default.value)
                self._code.assign(result, written(default.value, self._generator.constants))
            else:
                other = self._compute(default, current, target)
                kinds = other.kinds
                self._code.assign(result, load(other.name))
        return Slot(name=result, kinds=(slot.kinds - _NULL) | kinds)

    def _grouped(self, record: str, name: str, part: Grouped, current: Slot, target: str, rest: _Rest | None) -> None:
        if rest is None:
            inner = self.group(part, current, target)
            with self._code.branch(load(inner)):
                self._code.put(record, name, load(inner))
            return
        base = self._generator.read(rest.base, name)
        inner = self.group(part, current, target, _Rest(base, rest.removed.get(name, {})))
        was_object = write.call("isinstance", load(base.name), load("dict"))
        with self._code.branch(write.some(load(inner), was_object)):
            self._code.put(record, name, load(inner))

    def _nested(self, record: str, name: str, part: Nested, current: Slot, target: str, rest: _Rest | None) -> None:
        if part.when is not None:
            with self._code.branch(truth(self._compute(part.when, current, target))):
                self._object(record, name, part, current, target, rest)
            return
        self._object(record, name, part, current, target, rest)

    def _object(self, record: str, name: str, part: Nested, current: Slot, target: str, rest: _Rest | None) -> None:
        self._drop(record, name, rest)
        source = current
        if part.of is not None:
            source = self._compute(part.of, current, target)
            source = self._required(source, part.of, part.reads, target) if part.required else source
        with self._code.branch(write.is_not_none(source)):
            above = None if rest is None else rest.removed.get(name)
            inner = self.group(part.fields, source, target, _Rest.of(part.fields, source, above))
            with self._code.branch(load(inner)):
                self._code.put(record, name, load(inner))

    def _repeat(self, record: str, name: str, part: Repeated, current: Slot, target: str, rest: _Rest | None) -> None:
        self._drop(record, name, rest)
        values = self._compute(part.each, current, target)
        if part.required:
            values = self._required(values, part.each, part.reads, target)
        self._generator.refuse_deep_loops(part.each.tree)
        above = None if rest is None else rest.removed.get(name, {}).get(ELEMENTS)
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
                self._element(part, self._generator.element(loop), made, f"{target}[]", above)
            self._code.put(record, name, load(made.name))

    def _element(self, part: Repeated, element: Slot, made: Slot, target: str, above: Mapping[str, Any] | None) -> None:
        if part.when is not None:
            with self._code.branch(truth(self._compute(part.when, element, target))):
                self._append(part, element, made, target, above)
            return
        self._append(part, element, made, target, above)

    def _append(self, part: Repeated, element: Slot, made: Slot, target: str, above: Mapping[str, Any] | None) -> None:
        item = self.group(part.fields, element, target, _Rest.of(part.fields, element, above))
        self._code.do(write.method(load(made.name), "append", load(item)))
