"""Which names, given values and tables an expression reads, and whether they exist."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

from hub.expressions.parser import parse
from hub.expressions.paths import source_paths
from hub.expressions.tree import Node as Part
from hub.expressions.tree import Part as Kind
from hub.workspace.kinds import FileKind
from hub.workspace.known import Known
from hub.workspace.lint import Lints, Place, nearest
from hub.workspace.terms import place_in
from hub.workspace.yaml_source import Node, Scalar, text_of

_FIRST = re.compile(r'"(?:[^"\\]|\\.)*"|[A-Za-z_][A-Za-z0-9_]*')


def lint_scope(node: Node, inset: int, scope: Collection[str], later: Collection[str], lints: Lints) -> None:
    """Add a lint for every name at the root of an expression that is not in `scope`; `later` are steps after it."""
    if not isinstance(node, Scalar):
        return
    tree = parse(text_of(node)[inset:])
    for name in dict.fromkeys(_first(path) for path in source_paths(tree)):
        if name is None or name in scope:
            continue
        place = _place(tree, Kind.FIELD, name, node, inset)
        if name in later:
            hint = "Move that step before this one, or name a step before it."
            lints.error(place, "later-step", f"The step `{name}` comes later than this place.", hint)
        else:
            lints.error(place, "unknown-step", f"There is no earlier step `{name}`.", nearest(name, scope))


def lint_calls(node: Node, inset: int, lints: Lints, known: Known, given: Collection[str] | None = None) -> None:
    """Add a lint for tables and given values that do not exist; `given` is None where `given()` has no meaning."""
    if not isinstance(node, Scalar):
        return
    tree = parse(text_of(node)[inset:])
    for function, name, position in _named_calls(tree):
        place = place_in(node, inset + position)
        if function == "table" and name not in known.declared[FileKind.TABLE]:
            tables = known.declared[FileKind.TABLE]
            hint = nearest(name, tables) or f"Add mappings/tables/{name}.csv."
            lints.error(place, "unknown-table", f"There is no table `{name}`.", hint)
        elif function == "given" and given is None:
            lints.error(
                place, "misplaced-given", "`given()` has a meaning only in a mapping.", "Name the step's value."
            )
        elif function == "given" and name not in (given or ()):
            hint = nearest(name, given or ()) or f"Add `given: [{name}]` to the mapping."
            lints.error(place, "unknown-given", f"The given value `{name}` is not declared.", hint)


def _named_calls(tree: Part) -> Iterator[tuple[str, str, int]]:
    """Give `table('NAME', …)` and `given('NAME')` calls whose name is written out: function, name, position."""
    for part in tree.walk():
        if part.part is Kind.FUNCTION and part.value in ("table", "given") and part.children:
            first = part.children[0]
            if first.part is Kind.LITERAL and isinstance(first.value, str):
                yield str(part.value), first.value, first.position


def _first(path: str) -> str | None:
    match = _FIRST.match(path)
    if match is None:
        return None
    word = match.group()
    return str(json.loads(word)) if word.startswith('"') else word


def _place(tree: Part, kind: Kind, name: str, node: Scalar, inset: int) -> Place:
    positions = (part.position for part in tree.walk() if part.part is kind and part.value == name)
    return place_in(node, inset + min(positions, default=0))
