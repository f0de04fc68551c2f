"""Form bodies as Stripe reads them: `lines[0][amount]=5`, `expand[]=customer`, `metadata[key]=value`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from connectors.stripe.sandbox.problems import ApiError

_NAME = re.compile(r"^([^\[\]]+)((?:\[[^\[\]]*\])*)$")
_PART = re.compile(r"\[([^\[\]]*)\]")

#: Deeper or wider forms are refused.
MAX_DEPTH = 8
MAX_FIELDS = 20_000


def decode(text: str) -> dict[str, Any]:
    """Read a query string or form body into nested dicts and lists of strings."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise ApiError.invalid("Invalid request body: it is not a readable form.") from None
    tree: dict[str, Any] = {}
    for name, value in pairs:
        _put(tree, _steps(name), value, name)
    return {name: _lists(value) for name, value in tree.items()}


def _steps(name: str) -> list[str]:
    match = _NAME.match(name)
    steps = [match[1], *_PART.findall(match[2])] if match else []
    if not steps or len(steps) > MAX_DEPTH:
        raise ApiError.invalid(f"Invalid parameter name: {name[:100]}", param=name[:100])
    return steps


def _put(tree: dict[str, Any], steps: list[str], value: str, name: str) -> None:
    node = tree
    for step in steps[:-1]:
        inner = node.setdefault(step or str(len(node)), {})
        if not isinstance(inner, dict):
            raise ApiError.invalid(f"Invalid parameter: {name} is given both as a value and as an object.", param=name)
        node = inner
    last = steps[-1] or str(len(node))
    if isinstance(node.get(last), dict):
        raise ApiError.invalid(f"Invalid parameter: {name} is given both as a value and as an object.", param=name)
    node[last] = value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isdecimal() for key in value):
        return [_lists(value[key]) for key in sorted(value, key=int)]
    return {key: _lists(inner) for key, inner in value.items()}
