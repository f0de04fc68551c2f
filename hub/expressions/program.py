"""Generated code, compiled: the one place that turns the hub's own statements into a function."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from types import CodeType, FunctionType
from typing import Any

from hub.expressions.code import Code, load
from hub.expressions.equality import equal
from hub.expressions.functions.lookups import MISSING
from hub.expressions.runtime import check_elements, flattened, ordered, overrun, refuse_each, wrong_argument
from hub.model.kinds import NUMBER_TYPES

#: All that generated code can name, beside the functions it calls; it has no builtins.
_GLOBALS: dict[str, Any] = {
    "__builtins__": {},
    "MISSING": MISSING,
    "NOTHING": {},
    "NUMBER_TYPES": NUMBER_TYPES,
    "bool": bool,
    "check_elements": check_elements,
    "dict": dict,
    "equal": equal,
    "flattened": flattened,
    "isinstance": isinstance,
    "len": len,
    "list": list,
    "ordered": ordered,
    "overrun": overrun,
    "refuse_each": refuse_each,
    "str": str,
    "type": type,
    "wrong_argument": wrong_argument,
}

Program = Callable[..., Any]


def assembled(code: Code, result: str, constants: dict[str, Any]) -> tuple[Program, CodeType]:
    """Compile a finished body into a function, and give its code, by which tracebacks are recognised."""
    module = builtins.compile(code.finish(load(result), "evaluate"), "<expression>", "exec", dont_inherit=True)
    body = next(constant for constant in module.co_consts if isinstance(constant, CodeType))
    return FunctionType(body, {**_GLOBALS, **constants}, "evaluate"), body
