"""What a compiler found wrong with a document, as lints at the places of its file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub.expressions.mistakes import InvalidDocument, Mistake
from hub.workspace.source.characters import place_in
from hub.workspace.source.lint import Lints, Place
from hub.workspace.source.yaml_source import Keyed, Listed, Node, Scalar

#: Mistakes that are about a name, and not about what stands under it.
_AT_KEY = frozenset({"filled-twice"})


def lint_mistakes(error: InvalidDocument, root: Node, lints: Lints) -> None:
    """Add a lint for each mistake of a document at the key, entry or character it is about."""
    lint_found(error.mistakes, root, lints)


def lint_found(mistakes: Iterable[Mistake], root: Node, lints: Lints) -> None:
    """Add a lint for each mistake at the key, entry or character it is about."""
    for mistake in mistakes:
        key = mistake.code in _AT_KEY
        lints.error(place_of(root, mistake.where, mistake.position, key=key), mistake.code, mistake.detail)


def place_of(root: Node, where: Sequence[str | int], position: int | None = None, *, key: bool = False) -> Place:
    """Give the place of what stands under these keys and indexes: a character of it, itself, or its key."""
    node: Node = root
    place: Place = root
    for step in where:
        if isinstance(node, Keyed) and step in node.entries:
            entry = node.entries[str(step)]
            node, place = entry.value, entry.key
        elif isinstance(node, Listed) and isinstance(step, int) and step < len(node.items):
            node = place = node.items[step]
        else:
            break
    if position is not None and isinstance(node, Scalar):
        return place_in(node, position)
    return node if isinstance(node, Scalar) and not key else place
