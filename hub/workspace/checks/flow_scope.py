"""What the names in a flow's expressions mean: fields of the records that earlier steps have made."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.model.flow import Term
from hub.workspace.checks.narrowing import Assumed
from hub.workspace.lineage.edges import Field
from hub.workspace.source.terms import Evaluated

#: A name, of a step within steps with dots, → the fields it stands for; a record as a whole has no path.
Scope = Mapping[str, tuple[Field, ...]]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """A place in a flow: what names mean there, and where it stands in the file."""

    flow: str
    step: str
    scope: Scope
    path: str
    line: int
    #: What the conditions around the place say of decided values.
    assumed: tuple[Assumed, ...] = ()

    def fields(self, *terms: Term | None) -> tuple[Field, ...]:
        """Give the fields that terms read, each once; literals read none."""
        found = (one for term in terms if isinstance(term, Evaluated) for one in self.named(term.expression.paths))
        return tuple(dict.fromkeys(found))

    def named(self, paths: Iterable[str]) -> tuple[Field, ...]:
        """Give the fields that paths of this scope name."""
        return tuple(one for path in paths for one in _named(path, self.scope))


def below(whole: Field, path: str) -> Field:
    """Give the field at a path of a record or of a part of it; `@` is the whole."""
    plain = path.removeprefix("@").lstrip(".")
    joint = "." if whole.path and plain and not plain.startswith("[") else ""
    return Field(record=whole.record, path=f"{whole.path}{joint}{plain}")


def _named(path: str, scope: Scope) -> list[Field]:
    """Give what a path names: of steps within steps the longest name that means something, such as `way.post`."""
    match = _NAME.match(path)
    name = match.group() if match is not None else ""
    while name and name not in scope:
        name = name.rpartition(".")[0]
    return [below(whole, path[len(name) :].lstrip(".")) for whole in scope.get(name, ())] if name else []
