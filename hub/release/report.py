"""What a shadow replay found, as values that are stored with a revision and shown to people and machines."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

STARTS = "starts"
#: How it is called that an event began a run and cannot any more.
CANNOT_BEGIN = f"{STARTS} → cannot begin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One case of many: the run's business key, and the value by either version."""

    about: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Something that differs in `count` runs, at a step of a flow; `what` names a field, a rule or a reason."""

    flow: str
    step: str
    what: str
    count: int
    example: Example


@dataclass(frozen=True, slots=True, kw_only=True)
class NetLine:
    """What an account gets more or less in all runs together: `after` less `before`, over the runs that differ."""

    currency: str
    entity: str
    account: str
    before: Decimal
    after: Decimal
    difference: Decimal
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedLine:
    """One account of a run that differs."""

    entity: str
    account: str
    before: Decimal
    after: Decimal
    difference: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A run whose money differs in one currency, and by how much; `name` is what people call it, such as an invoice."""

    flow: str
    about: str
    name: str | None
    event: str
    run: str | None
    currency: str
    amount: Decimal
    lines: tuple[MovedLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The difference of one currency: the sum of what the runs differ by, and how many runs do."""

    currency: str
    amount: Decimal
    runs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """The whole of a shadow replay.

    `recorded` counts the recorded events there were, `events` and `runs` what was replayed, `differing` the runs in
    which anything differs. `fields` count runs by field, with one example each. `stopped` says why not all wanted
    events were replayed. `unknown` counts runs of which less is known by the newer version than by the older, or whose
    money cannot be read. `moved` has the largest first; `more_moved` counts the others.
    """

    events: int
    runs: int
    differing: int
    records: int
    seconds: Decimal
    stopped: str | None
    unknown: int = 0
    money: tuple[Difference, ...] = ()
    net: tuple[NetLine, ...] = ()
    moved: tuple[Moved, ...] = ()
    more_moved: int = 0
    fields: tuple[Found, ...] = ()
    rules: tuple[Found, ...] = ()
    steps: tuple[Found, ...] = ()
    failures: tuple[Found, ...] = ()
    routing: tuple[Found, ...] = ()
    untold: tuple[Found, ...] = ()
    unsure: tuple[Found, ...] = ()

    @property
    def appearing(self) -> int:
        """Count the runs that would stop for a person and did not before, or could not even begin."""
        stopping = sum(one.count for one in self.failures if one.example.before is None)
        return stopping + sum(one.count for one in self.routing if one.what.startswith(CANNOT_BEGIN))
