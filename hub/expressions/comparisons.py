"""Truth and comparison in generated code, with the short forms for what is known when compiling."""

from __future__ import annotations

import ast
from decimal import Decimal

from hub.expressions import code as write
from hub.expressions.code import Slot, load
from hub.model.kinds import Kind

_BOOLEAN = frozenset({Kind.BOOLEAN})
_BOOLEAN_OR_NULL = frozenset({Kind.BOOLEAN, Kind.NULL})
_ORDERS: dict[str, type[ast.cmpop]] = {"lt": ast.Lt, "lte": ast.LtE, "gt": ast.Gt, "gte": ast.GtE}


def truth(slot: Slot) -> ast.expr:
    """Test JMESPath's truth: null, false and everything empty are false, but every number is true."""
    if Kind.NUMBER not in slot.kinds:
        return load(slot.name)
    return write.some(load(slot.name), _is_number(slot))


def comparison(operator: str, left: Slot, right: Slot) -> tuple[ast.expr, frozenset[Kind]]:
    """Compare two values with `eq`, `ne`, `lt`, `lte`, `gt` or `gte`; an order of unlike kinds is null."""
    if operator == "eq":
        return _equal(left, right), _BOOLEAN
    if operator == "ne":
        return write.negated(_equal(left, right)), _BOOLEAN
    test = _ORDERS[operator]()
    direct = write.compare(load(left.name), test, load(right.name))
    numbers = [_is_number(slot) for slot in (left, right) if slot.kinds != {Kind.NUMBER}]
    if not numbers:
        return direct, _BOOLEAN
    if {Kind.NUMBER} in (left.kinds, right.kinds):
        return write.either(write.every(*numbers), direct, write.constant(None)), _BOOLEAN_OR_NULL
    order = write.call("ordered", load(left.name), load(right.name))
    kept = ast.NamedExpr(target=ast.Name(id="order", ctx=ast.Store()), value=order)
    known = write.compare(kept, ast.IsNot(), write.constant(None))
    otherwise = write.either(known, write.compare(load("order"), test, write.constant(0)), write.constant(None))
    return write.either(write.every(*numbers), direct, otherwise), _BOOLEAN_OR_NULL


def _equal(left: Slot, right: Slot) -> ast.expr:
    for fixed, other in ((left, right), (right, left)):
        if fixed.constant is not None:
            short = _equal_to(fixed.constant[0], fixed, other)
            if short is not None:
                return short
    return write.call("equal", load(left.name), load(right.name), load("meter"))


def _equal_to(value: object, fixed: Slot, other: Slot) -> ast.expr | None:
    if value is None or isinstance(value, bool):
        return write.compare(load(other.name), ast.Is(), write.constant(value))
    direct = write.compare(load(other.name), ast.Eq(), fixed.read())
    if isinstance(value, str):
        return direct
    if isinstance(value, int | Decimal):
        return write.every(_is_number(other), direct)
    return None


def _is_number(slot: Slot) -> ast.expr:
    return write.compare(write.call("type", load(slot.name)), ast.In(), load("NUMBER_TYPES"))
