"""The tree of an expression: what its text means, each part with its place in the text."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.expressions.budgets import MAX_DEPTH, MAX_NODES
from hub.expressions.errors import ExpressionError


class Part(StrEnum):
    """What a node does with the current value; the words are those of the grammar's package."""

    AND = "and_expression"
    COMPARATOR = "comparator"
    CURRENT = "current"
    EXPRESSION_REFERENCE = "expref"
    FIELD = "field"
    FILTER_PROJECTION = "filter_projection"
    FLATTEN = "flatten"
    FUNCTION = "function_expression"
    IDENTITY = "identity"
    INDEX = "index"
    INDEX_EXPRESSION = "index_expression"
    KEY_VALUE = "key_val_pair"
    LITERAL = "literal"
    MULTI_SELECT_HASH = "multi_select_dict"
    MULTI_SELECT_LIST = "multi_select_list"
    NOT = "not_expression"
    OR = "or_expression"
    PIPE = "pipe"
    PROJECTION = "projection"
    SLICE = "slice"
    SUBEXPRESSION = "subexpression"
    VALUE_PROJECTION = "value_projection"


#: Left-leaning chains of these become one node with many children: `a || b || c` is no deeper than `a || b`.
_CHAINS = frozenset({Part.AND, Part.OR, Part.PIPE, Part.SUBEXPRESSION, Part.INDEX_EXPRESSION})


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One part of an expression; `value` is its name, operator, literal or slice, `position` counts from 0."""

    part: Part
    position: int
    value: Any = None
    children: tuple[Node, ...] = ()

    def walk(self) -> Iterator[Node]:
        """Give this node and everything below it."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))

    def meaning(self) -> Hashable:
        """Give a key that is equal for nodes that mean the same, wherever they stand."""
        children = tuple(child.meaning() for child in self.children)
        return (self.part, repr(self.value), children)


def grow(raw: Mapping[str, Any], text: str) -> Node:
    """Make a tree from the grammar's nested dicts, within the budgets."""
    tree, _ = _grow(raw, text, 0, 0)
    _refuse_stray_references(tree, text)
    return tree


def _grow(raw: Mapping[str, Any], text: str, position: int, depth: int) -> tuple[Node, int]:
    position = raw.get("position", position)
    if depth > MAX_DEPTH:
        raise ExpressionError("The expression is nested too deeply.", text=text, position=position, code="over-budget")
    part = Part(raw["type"])
    if part is Part.SLICE:
        return Node(part=part, position=position, value=tuple(raw["children"])), 1
    value = raw.get("value")
    count = 1 + (_size(value) if part is Part.LITERAL else 0)
    children: list[Node] = []
    for child in _chained(raw, part):
        node, below = _grow(child, text, position, depth + 1)
        children.append(node)
        count += below
        if count > MAX_NODES:
            break
    if count > MAX_NODES:
        raise ExpressionError(
            f"The expression has more than {MAX_NODES} parts; split it.",
            text=text,
            position=position,
            code="over-budget",
        )
    return Node(part=part, position=position, value=value, children=tuple(children)), count


def _chained(raw: Mapping[str, Any], part: Part) -> list[Mapping[str, Any]]:
    children: list[Mapping[str, Any]] = list(raw["children"])
    if part in _CHAINS:
        while children[0]["type"] == part:
            children[:1] = children[0]["children"]
    return children


def _size(value: object) -> int:
    """Count the parts of a literal."""
    if isinstance(value, dict):
        return len(value) + sum(_size(child) for child in value.values())
    if isinstance(value, list):
        return len(value) + sum(_size(child) for child in value)
    return 0


def _refuse_stray_references(tree: Node, text: str) -> None:
    """`&expression` is an argument of a function and nothing else: it has no value of its own."""
    arguments = {id(child) for node in tree.walk() if node.part is Part.FUNCTION for child in node.children}
    for node in tree.walk():
        if node.part is Part.EXPRESSION_REFERENCE and id(node) not in arguments:
            raise ExpressionError(
                "`&expression` may only stand as an argument of a function.", text=text, position=node.position
            )
