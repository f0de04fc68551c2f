"""Where something stands in a JSON file: line and column of a place that is named by keys and numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.errors import FixData
from hub.schemas.documents import referred
from hub.sdk.exact_json import loads
from hub.workspace.source.lint import Position

Steps = Sequence[str | int]

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_PATH = re.compile(r'"(?:[^"\\]|\\.)*"|\[\]|[^.\[\]"]+')


@dataclass(slots=True)
class _Open:
    """An object or list whose end has not come yet, and where in it the reading is."""

    listed: bool
    at: str | int
    key_offset: int = 0
    has_key: bool = False


def place_of(content: bytes, steps: Steps) -> Position:
    """Give the place of a value of a JSON text, or of the nearest thing around it that is there.

    The place of an object or list in an object is that of its key.
    """
    text = content.decode("utf-8-sig", "replace")
    offset = _offset(text, tuple(steps))
    return Position(line=text.count("\n", 0, offset) + 1, column=offset - text.rfind("\n", 0, offset))


def steps_to(document: Mapping[str, Any], path: str) -> list[str | int]:
    """Give the steps to the schema of a field (`lines[].amount`) in a JSON Schema, as far as it is declared there."""
    steps: list[str | int] = []
    node: Any = document
    for word in _PATH.findall(path):
        name = loads(word) if word.startswith('"') else word
        found = next(_declared(node, steps, document, name), None)
        if found is None:
            break
        steps, node = found
    return steps


def _declared(
    node: Any, steps: list[str | int], document: Mapping[str, Any], name: str, depth: int = 0
) -> Iterator[tuple[list[str | int], Any]]:
    """Find a field's or the elements' schema in a schema, what it refers to and what it is made of."""
    if not isinstance(node, Mapping) or depth > 8:
        return
    if name == "[]" and "items" in node:
        yield [*steps, "items"], node["items"]
    if name == "*" and "additionalProperties" in node:
        yield [*steps, "additionalProperties"], node["additionalProperties"]
    if name in node.get("properties", {}):
        yield [*steps, "properties", name], node["properties"][name]
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith("#/"):
        inner: list[str | int] = [step.replace("~1", "/").replace("~0", "~") for step in reference[2:].split("/")]
        yield from _declared(referred(reference, document), inner, document, name, depth + 1)
    for word in ("allOf", "anyOf", "oneOf"):
        for index, part in enumerate(node.get(word, ())):
            yield from _declared(part, [*steps, word, index], document, name, depth + 1)


def _offset(text: str, steps: tuple[str | int, ...]) -> int:
    found, depth = 0, 0
    stack: list[_Open] = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        top = stack[-1] if stack else None
        if token in "}]":
            if stack:
                stack.pop()
        elif token == ",":
            if top is not None:
                top.at = top.at + 1 if isinstance(top.at, int) else ""
                top.has_key = False
        elif token == ":":
            continue
        elif top is not None and not top.listed and not top.has_key:
            top.at, top.key_offset, top.has_key = _text(token), match.start(), True
        else:
            here = tuple(one.at for one in stack)
            if len(here) > depth and here == steps[: len(here)]:
                keyed = top is not None and not top.listed and token in "{["
                found, depth = (top.key_offset if top is not None and keyed else match.start()), len(here)
            if token in "{[":
                stack.append(_Open(listed=token == "[", at=0 if token == "[" else ""))
    return found


def _text(token: str) -> str:
    try:
        return str(loads(token))
    except FixData:
        return token
