"""What an expression gives, worked out from the shape of what it reads, and what cannot be right about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hub.expressions.assumptions import assume
from hub.expressions.comparability import compared
from hub.expressions.compiler import Expression
from hub.expressions.findings import Finding, FindingCode, Inferred, as_literal, nearest, of_each, spoken_kinds
from hub.expressions.fitting import misfit
from hub.expressions.functions.catalogue import FUNCTIONS
from hub.expressions.functions.meanings import money_shape
from hub.expressions.functions.results import items_of, list_of, values_in
from hub.expressions.functions.signature import Call
from hub.expressions.literals import literal_shape
from hub.expressions.paths import step
from hub.expressions.tree import Node, Part
from hub.expressions.unions import Unions, falsy, is_unknown, truthy
from hub.model.kinds import Kind
from hub.schemas.shape import ANYTHING, Shape

__all__ = ["Finding", "FindingCode", "Inferred", "infer", "money_shape"]

Tables = Mapping[str, Mapping[str, Any]]

_NULL = frozenset({Kind.NULL})
_BOOLEAN = Shape(kinds=frozenset({Kind.BOOLEAN}))
_ALWAYS_NULL = Shape(kinds=_NULL)
#: Longer tables are not listed as the values a look-up may give.
_MOST_ENTRIES = 500


def infer(
    expression: Expression | Node,
    current: Shape,
    *,
    root: Shape | None = None,
    given: Mapping[str, Shape] | None = None,
    tables: Tables | None = None,
    at: str = "",
) -> Inferred:
    """Give the shape of what an expression gives where the current node has the shape `current`, and its mistakes.

    `root` is the shape of the whole source (by default the current node is the source), `given` that of the step's
    values by name, and `tables` the tables; of what is not told, nothing is assumed. `at` is the current node's path
    in the source, for the paths of findings. Only what can never be right is a finding: a field that may be null is
    none, and neither is anything about a shape that does not say.
    """
    inference = _Inference(root=current if root is None else root, given=given or {}, tables=tables or {})
    node = expression.tree if isinstance(expression, Expression) else expression
    seen = inference.look(node, _Seen(shape=current, path=at))
    findings = sorted(inference.findings, key=lambda finding: finding.position)
    return Inferred(shape=seen.shape, findings=tuple(findings))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What is known of a value: its shape, its path in the source, and its shape where it is true."""

    shape: Shape
    path: str | None = None
    if_true: Shape | None = None
    literal: tuple[Any] | None = None

    @property
    def true(self) -> Shape:
        return truthy(self.shape) if self.if_true is None else self.if_true


class _Inference:
    """One look at one expression."""

    def __init__(self, *, root: Shape, given: Mapping[str, Shape], tables: Tables) -> None:
        self.findings: dict[Finding, None] = {}
        self.join = Unions()
        self._root = root
        self._given_values = given
        self._tables = tables
        self._looks: Mapping[Part, Callable[[Node, _Seen], _Seen]] = {
            Part.INDEX: self._index,
            Part.SLICE: self._sliced,
            Part.FLATTEN: self._flattened,
            Part.PROJECTION: self._projected,
            Part.FILTER_PROJECTION: self._projected,
            Part.VALUE_PROJECTION: self._projected,
            Part.OR: self._or,
            Part.AND: self._and,
            Part.NOT: self._not,
            Part.COMPARATOR: self._compared,
            Part.MULTI_SELECT_LIST: self._selected,
            Part.MULTI_SELECT_HASH: self._selected,
            Part.FUNCTION: self._called,
        }

    def report(self, code: str, detail: str, node: Node, path: str | None = None) -> None:
        """Note a mistake, once."""
        finding = Finding(code=FindingCode(code), detail=detail, position=node.position, path=path or None)
        self.findings.setdefault(finding)

    def look(self, node: Node, current: _Seen) -> _Seen:
        """Look at one node."""
        match node.part:
            case Part.CURRENT | Part.IDENTITY:
                return current
            case Part.LITERAL:
                return _Seen(shape=literal_shape(node.value), literal=(node.value,))
            case Part.FIELD:
                return self._field(node, current)
            case Part.SUBEXPRESSION | Part.PIPE | Part.INDEX_EXPRESSION:
                for child in node.children:
                    current = self._step(child, current)
                return current
            case Part.KEY_VALUE | Part.EXPRESSION_REFERENCE:
                return self.look(node.children[0], current)
            case _:
                return self._looks[node.part](node, current)

    def _step(self, node: Node, current: _Seen) -> _Seen:
        """Look at a part of a path, whose names are surely meant as names."""
        return self._field(node, current, meant=True) if node.part is Part.FIELD else self.look(node, current)

    def _field(self, node: Node, current: _Seen, *, meant: bool = False) -> _Seen:
        name, shape = str(node.value), current.shape
        path = None if current.path is None else step(current.path, name)
        if is_unknown(shape) or not shape.kinds:
            return _Seen(shape=ANYTHING, path=path)
        if Kind.OBJECT not in shape.kinds:
            if shape.kinds - _NULL:
                detail = f"{_named(current.path)} is {spoken_kinds(shape.kinds)} and has no field `{name}`."
                self.report("wrong-type", detail + of_each(shape, name), node, path)
            return _Seen(shape=_ALWAYS_NULL, path=path)
        found = shape.at(name)
        if found is None:
            if shape.fields:
                where = f" in {_named(current.path)}" if current.path else ""
                hint = nearest(name, shape.fields) or ("" if meant else as_literal(name))
                detail = f"There is no field `{name}`{where}.{hint}"
                self.report("unknown-field", detail, node, path)
            return _Seen(shape=ANYTHING, path=path)
        return _Seen(shape=found if shape.kinds == {Kind.OBJECT} else found.nullable(), path=path)

    def _sliced(self, node: Node, current: _Seen) -> _Seen:
        self._must_be(Kind.ARRAY, current, node)
        return _Seen(shape=_only(current.shape, Kind.ARRAY), path=current.path)

    def _not(self, node: Node, current: _Seen) -> _Seen:
        self.look(node.children[0], current)
        return _Seen(shape=_BOOLEAN)

    def _index(self, node: Node, current: _Seen) -> _Seen:
        if not self._must_be(Kind.ARRAY, current, node):
            return _Seen(shape=_ALWAYS_NULL)
        path = None if current.path is None else f"{current.path}[]"
        return _Seen(shape=items_of(current.shape).nullable(), path=path)

    def _must_be(self, kind: Kind, seen: _Seen, node: Node) -> bool:
        """Report what is surely no list or object where only one gives anything."""
        kinds = seen.shape.kinds
        if kind in kinds or not kinds:
            return True
        if kinds - _NULL:
            words = "a list" if kind is Kind.ARRAY else "an object"
            detail = f"{_named(seen.path)} is {spoken_kinds(kinds)}, not {words}; this gives null."
            self.report("wrong-type", detail, node, seen.path)
        return False

    def _flattened(self, node: Node, current: _Seen) -> _Seen:
        base = self.look(node.children[0], current)
        if not self._must_be(Kind.ARRAY, base, node):
            return _Seen(shape=_ALWAYS_NULL)
        items = items_of(base.shape)
        if Kind.ARRAY not in items.kinds or is_unknown(items):
            return replace(base, shape=_only(base.shape, Kind.ARRAY), if_true=None, literal=None)
        rest = replace(items, kinds=items.kinds - {Kind.ARRAY})
        inner = self.join([items.items or ANYTHING, rest] if rest.kinds else [items.items or ANYTHING])
        path = None if base.path is None else f"{base.path}[]"
        return _Seen(shape=_maybe(list_of(inner), base.shape, Kind.ARRAY), path=path)

    def _projected(self, node: Node, current: _Seen) -> _Seen:
        base = self.look(node.children[0], current)
        wanted = Kind.OBJECT if node.part is Part.VALUE_PROJECTION else Kind.ARRAY
        if not self._must_be(wanted, base, node):
            element = _Seen(shape=ANYTHING)
        elif wanted is Kind.OBJECT:
            path = None if base.path is None else step(base.path, "*")
            element = _Seen(shape=values_in(base.shape, self.join), path=path)
        else:
            element = _Seen(shape=items_of(base.shape), path=None if base.path is None else f"{base.path}[]")
        if node.part is Part.FILTER_PROJECTION:
            self.look(node.children[2], element)
            element = replace(element, shape=assume(node.children[2], element.shape))
        made = self._step(node.children[1], element)
        shape = list_of(replace(made.shape, kinds=made.shape.kinds - _NULL))
        # A path without its last `[]` names the list whose elements these are.
        path = made.path.removesuffix("[]") if made.path is not None and made.path.endswith("[]") else None
        return _Seen(shape=_maybe(shape, base.shape, wanted), path=path)

    def _or(self, node: Node, current: _Seen) -> _Seen:
        *firsts, last = (self.look(child, current) for child in node.children)
        choices = [seen.true for seen in firsts]
        return _Seen(
            shape=self.join([shape for shape in (*choices, last.shape) if shape.kinds] or [last.shape]),
            if_true=self.join([shape for shape in (*choices, last.true) if shape.kinds] or [last.true]),
        )

    def _and(self, node: Node, current: _Seen) -> _Seen:
        choices: list[Shape] = []
        seen = current
        for child in node.children:
            seen = self.look(child, current)
            choices.append(falsy(seen.shape))
            current = replace(current, shape=assume(child, current.shape))
        choices[-1] = seen.shape
        return _Seen(shape=self.join([shape for shape in choices if shape.kinds] or choices[-1:]), if_true=seen.true)

    def _compared(self, node: Node, current: _Seen) -> _Seen:
        left, right = (self.look(child, current) for child in node.children)
        names = _named(left.path, "the left side"), _named(right.path, "the right side")
        for code, detail in compared(str(node.value), left.shape, right.shape, names):
            self.report(code, detail, node, left.path or right.path)
        ordered = node.value not in ("eq", "ne")
        numbers = left.shape.kinds == right.shape.kinds == {Kind.NUMBER}
        return _Seen(shape=_BOOLEAN.nullable() if ordered and not numbers else _BOOLEAN)

    def _selected(self, node: Node, current: _Seen) -> _Seen:
        parts = [self.look(child, current).shape for child in node.children]
        if node.part is Part.MULTI_SELECT_LIST:
            shape = list_of(self.join(parts))
        else:
            names = [str(child.value) for child in node.children]
            fields = dict(zip(names, parts, strict=True))
            shape = Shape(kinds=frozenset({Kind.OBJECT}), fields=fields, required=frozenset(names))
        return _Seen(shape=shape.nullable() if current.shape.may_be_null else shape)

    def _called(self, node: Node, current: _Seen) -> _Seen:
        if node.value == "root":
            return _Seen(shape=self._root, path="")
        function = FUNCTIONS[str(node.value)]
        seen: list[_Seen] = []
        for place, child in enumerate(node.children):
            if child.part is not Part.EXPRESSION_REFERENCE:
                argument = self.look(child, current)
                seen.append(argument)
                wrong = misfit(function, function.parameter(place), argument.shape, _named(argument.path, "this"))
                if wrong is not None:
                    self.report(*wrong, child, argument.path)
            else:
                seen.append(_Seen(shape=ANYTHING))
        self._references(node, seen)
        if node.value == "given":
            return self._given(node, seen)
        if node.value == "table":
            return self._table(node, seen)
        call = Call(
            shapes=tuple(one.shape for one in seen),
            literals=tuple(one.literal for one in seen),
            join=self.join,
            report=lambda place, code, detail: self.report(code, detail, node.children[place], seen[place].path),
        )
        return _Seen(shape=function.shape(call))

    def _references(self, node: Node, seen: list[_Seen]) -> None:
        """Look at each `&expression` with an element of the list that stands beside it."""
        lists = [one for one, child in zip(seen, node.children, strict=True) if child.part is not _REFERENCE]
        for place, child in enumerate(node.children):
            if child.part is _REFERENCE:
                base = lists[0]
                path = None if base.path is None else f"{base.path}[]"
                seen[place] = self.look(child.children[0], _Seen(shape=items_of(base.shape), path=path))

    def _given(self, node: Node, seen: list[_Seen]) -> _Seen:
        literal = seen[0].literal
        shape = ANYTHING if literal is None else self._given_values.get(str(literal[0]), ANYTHING)
        return _Seen(shape=self.join([shape, seen[1].shape]) if len(seen) > 1 else shape)

    def _table(self, node: Node, seen: list[_Seen]) -> _Seen:
        literal = seen[0].literal
        entries = None if literal is None else self._tables.get(str(literal[0]))
        if entries is None:
            return _Seen(shape=ANYTHING)
        default = seen[2].shape if len(seen) > 2 else None
        keys = seen[1].shape.values
        if keys is not None and default is None and not any(str(key) in entries for key in keys):
            words = ", ".join(f"`{key}`" for key in keys[:3])
            detail = f"The table {literal[0] if literal else ''} has no entry for {words}."
            self.report("not-in-table", detail, node.children[1], seen[1].path)
        shape = Shape(kinds=frozenset({Kind.STRING}))
        if not all(isinstance(value, str) for value in entries.values()):
            shape = ANYTHING
        elif len(entries) <= _MOST_ENTRIES:
            shape = replace(shape, values=tuple(dict.fromkeys(entries.values())))
        return _Seen(shape=shape if default is None else self.join([shape, default]))


_REFERENCE = Part.EXPRESSION_REFERENCE


def _only(shape: Shape, kind: Kind) -> Shape:
    """Give a shape where only one kind is kept and everything else becomes null."""
    return shape if shape.kinds == {kind} else replace(shape, kinds=(shape.kinds & {kind}) | _NULL)


def _maybe(shape: Shape, base: Shape, kind: Kind) -> Shape:
    """Give a shape that is there only when the base is of a kind, null otherwise."""
    if kind not in base.kinds:
        return _ALWAYS_NULL
    return shape if base.kinds == {kind} else shape.nullable()


def _named(path: str | None, otherwise: str = "what stands before it") -> str:
    return f"`{path}`" if path else otherwise
