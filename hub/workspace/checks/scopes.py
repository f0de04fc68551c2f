"""Which names, given values and tables an expression reads, and whether they exist."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from types import MappingProxyType

from hub.expressions.compiler import Expression, compile
from hub.expressions.tree import Part
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.source.characters import place_in
from hub.workspace.source.lint import Lints, nearest
from hub.workspace.source.yaml_source import Node, Scalar, text_of

_FIRST = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_]*')


def lint_scope(
    node: Node,
    inset: int,
    scope: Collection[str],
    later: Collection[str],
    lints: Lints,
    *,
    beside: Collection[str] = (),
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Add a lint for every name at the root of an expression that is not in `scope`.

    `later` are steps after it, `beside` those that are gone through at the same time, and `elsewhere` says of others
    how they are read.
    """
    if not isinstance(node, Scalar):
        return
    expression = compile(text_of(node)[inset:])
    for name in dict.fromkeys(_first(path) for path in expression.paths):
        if name is None or name in scope:
            continue
        place = place_in(node, inset + _position(expression, name))
        if name in beside:
            message = f"The step `{name}` is gone through at the same time."
            lints.error(place, "step-beside", message, f"Add `needs: [{name}]` to this step.")
        elif name in later:
            hint = "Move that step before this one, or name a step before it."
            lints.error(place, "later-step", f"The step `{name}` comes later than this place.", hint)
        else:
            lints.error(
                place,
                "unknown-step",
                f"There is no earlier step `{name}`.",
                elsewhere.get(name) or nearest(name, scope),
            )


def lint_calls(node: Node, inset: int, lints: Lints, known: Known, given: Collection[str] | None = None) -> None:
    """Add a lint for tables and given values that do not exist; `given` is None where `given()` has no meaning."""
    lint_tables(node, inset, lints, known)
    if not isinstance(node, Scalar):
        return
    expression = compile(text_of(node)[inset:])
    for name, position in expression.given:
        place = place_in(node, inset + position)
        if given is None:
            hint = "Name the step's output instead."
            lints.error(place, "misplaced-given", "`given()` has a meaning only in a mapping.", hint)
        elif name not in given:
            hint = nearest(name, given) or f"Add `given: [{name}]` to the mapping."
            lints.error(place, "unknown-given", f"The given value `{name}` is not declared.", hint)


def lint_tables(node: Node, inset: int, lints: Lints, known: Known) -> None:
    """Add a lint for every table that an expression names and that does not exist."""
    if not isinstance(node, Scalar):
        return
    tables = known.declared[FileKind.TABLE]
    for name, position in compile(text_of(node)[inset:]).tables:
        if name not in tables:
            hint = nearest(name, tables) or f"Add mappings/tables/{name}.csv."
            lints.error(place_in(node, inset + position), "unknown-table", f"There is no table `{name}`.", hint)


def _first(path: str) -> str | None:
    match = _FIRST.match(path)
    if match is None:
        return None
    word = match.group()
    return str(json.loads(word)) if word.startswith('"') else word


def _position(expression: Expression, name: str) -> int:
    nodes = (node for node in expression.tree.walk() if node.part is Part.FIELD and node.value == name)
    return min((node.position for node in nodes), default=0)
