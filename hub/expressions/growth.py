"""How often an expression can repeat its source in its result, found without evaluating it."""

from __future__ import annotations

from hub.expressions.tree import Node, Part

#: Up to so many repetitions, a result needs no measuring: it is no larger than a few of its sources.
HARMLESS = 16

_BOUNDLESS = 1_000_000
_LOOPS = frozenset({Part.PROJECTION, Part.FILTER_PROJECTION, Part.VALUE_PROJECTION, Part.EXPRESSION_REFERENCE})
_CONTEXT = frozenset({"root", "given", "table"})


def growth(tree: Node) -> int:
    """Give the most copies of the source that the result can hold; a context value in a loop makes it boundless."""
    return min(_BOUNDLESS, _growth(tree, inside_loop=False))


def _growth(node: Node, *, inside_loop: bool) -> int:
    inside = inside_loop or node.part in _LOOPS
    if node.part is Part.FUNCTION and node.value in _CONTEXT and inside_loop:
        return _BOUNDLESS
    if node.part is Part.LITERAL:
        return sum(1 for _ in _parts(node.value))
    below = [
        _growth(child, inside_loop=inside_loop if place == 0 and node.part is not Part.EXPRESSION_REFERENCE else inside)
        for place, child in enumerate(node.children)
    ]
    match node.part:
        case Part.PROJECTION | Part.VALUE_PROJECTION | Part.FILTER_PROJECTION:
            return min(_BOUNDLESS, below[0] * below[1])
        case Part.PIPE | Part.SUBEXPRESSION | Part.INDEX_EXPRESSION:
            product = 1
            for factor in below:
                product = min(_BOUNDLESS, product * factor)
            return product
        case Part.FUNCTION if any(child.part is Part.EXPRESSION_REFERENCE for child in node.children):
            product = 1
            for factor in below:
                product = min(_BOUNDLESS, product * factor)
            return product
        case Part.FUNCTION | Part.MULTI_SELECT_LIST | Part.MULTI_SELECT_HASH:
            return max(1, min(_BOUNDLESS, sum(below)))
        case _:
            return max([1, *below])


def _parts(value: object) -> list[object]:
    found, waiting = [], [value]
    while waiting:
        part = waiting.pop()
        found.append(part)
        if isinstance(part, dict):
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
    return found
