"""Literals of an expression in generated code."""

from __future__ import annotations

import ast
from decimal import Decimal
from typing import Any

from hub.expressions.code import load
from hub.expressions.unions import Unions
from hub.model.kinds import Kind, kind_of
from hub.schemas.shape import ANYTHING, Shape


def constant_kinds(value: object) -> frozenset[Kind]:
    """Name the one kind that a literal has."""
    kind = kind_of(value)
    assert kind is not None, "the lexer makes exact JSON values only"
    return frozenset({kind})


def written(value: Any, constants: dict[str, Any]) -> ast.expr:
    """Write a literal; a list or object is made anew each time, since its reader may change what it gets."""
    if isinstance(value, list):
        return ast.List(elts=[written(part, constants) for part in value], ctx=ast.Load())
    if isinstance(value, dict):
        return ast.Dict(
            keys=[ast.Constant(value=key) for key in value],
            values=[written(part, constants) for part in value.values()],
        )
    if isinstance(value, Decimal):
        name = f"number{len(constants)}"
        constants[name] = value
        return load(name)
    return ast.Constant(value=value)


def literal_shape(value: Any) -> Shape:
    """Give the shape of a literal: of a scalar its only value, of an empty list nothing about its elements."""
    kinds = constant_kinds(value)
    if isinstance(value, list):
        return Shape(kinds=kinds, items=_all(value))
    if isinstance(value, dict):
        fields = {key: literal_shape(part) for key, part in value.items()}
        return Shape(kinds=kinds, fields=fields, required=frozenset(fields), rest=None if fields else ANYTHING)
    return Shape(
        kinds=kinds, whole=kinds == {Kind.NUMBER} and isinstance(value, int), values=() if value is None else (value,)
    )


def _all(values: list[Any]) -> Shape:
    """Give the shape of what any of these values is; without kinds when there are none."""
    return Unions()([literal_shape(value) for value in values]) if values else Shape(kinds=frozenset())
