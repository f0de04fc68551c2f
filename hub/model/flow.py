"""A flow: named steps from a matching event to effects, compiled from its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol


class Term(Protocol):
    """A literal or an expression of a file, ready to be evaluated in a run's scope.

    The scope is a plain dict: `event`, `data`, `record`, and the output of every earlier step under its id.
    """

    @property
    def text(self) -> str:
        """Give the words of the file, for messages."""
        ...

    def __call__(self, scope: Mapping[str, Any]) -> Any:
        """Give the value in this scope; raises `FixData` with the expression and the path."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Map:
    """Apply a mapping to `of` (the event's record when not named)."""

    mapping: str
    of: Term | None = None
    given: Mapping[str, Term] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decide:
    """Ask a policy; the output is the matching rule's `then`."""

    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Find what an id of one system is in another; the output is `{"id": …}`."""

    crossref: str
    system: Term
    id: Term
    want: Term


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Call an operation of a connection.

    Its input is the mapping `shape` applied to `of`, or `{"id": by}`; its output goes through the mapping `into`
    when one is named. (`shape` is `with` in the file.)
    """

    connection: Term
    operation: str
    shape: str | None = None
    of: Term | None = None
    given: Mapping[str, Term] = field(default_factory=dict)
    by: Term | None = None
    into: str | None = None
    undo: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Record that ids of several systems name one thing: pairs of system and id."""

    entity: str
    ids: tuple[tuple[Term, Term], ...]


Action = Map | Decide | Lookup | Call | Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Equal:
    """Two values must be equal, or the run parks with this case reason."""

    left: Term
    right: Term
    case: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Same:
    """The step's output must agree with another record in these fields, or the run parks with this case reason."""

    other: Term
    fields: tuple[tuple[str, Term], ...]
    case: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What happens when a look-up finds nothing: wait that long (None: not at all), then park with this case reason."""

    case: str
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: what it does, when, what must hold afterwards, and how it is retried (a policy's name)."""

    id: str
    action: Action
    when: Term | None = None
    expect: Equal | Same | None = None
    missing: Missing | None = None
    retry: str | None = None
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A compiled flow of one bundle; `event` is the event type that starts it."""

    name: str
    title: str
    owner: str
    event: str
    key: Term
    business_key: Term
    steps: tuple[Step, ...]
    entity: Term | None = None
    money: Term | None = None
    runbook: str | None = None
    path: str = ""
