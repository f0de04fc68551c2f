"""Literals of an expression in generated code."""

from __future__ import annotations

import ast
from decimal import Decimal
from typing import Any

from hub.expressions.code import load
from hub.model.kinds import Kind, kind_of


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
