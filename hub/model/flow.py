"""A flow: named steps from a matching event to effects, compiled from its file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol

from hub.model.run import Priority


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


class Failures(StrEnum):
    """What a loop does about items that failed: park the run once all others are done, or go on without them."""

    PARK = "park"
    CONTINUE = "continue"


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
    """Find what an id of one system is in another; the output is `{"id": …}`.

    An `optional` one gives null where nothing is found, after the wait if there is one. With `above` it is the id of
    what stands straight above it (`parent`), or of the topmost one (`top`).
    """

    crossref: str
    system: Term
    id: Term
    want: Term
    optional: bool = False
    above: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Compare a record (`of`, the event's when not named) with those of other things by the keys of a policy.

    The record is what `system` calls `id`. The run stops where another thing may be the same and nobody has said
    whether it is, unless `unless` is true: then people are told all the same. The output is
    `{"thing", "known", "merged"}`.
    """

    policy: str
    system: Term
    id: Term
    of: Term | None = None
    unless: Term | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Call an operation of a connection.

    Its input is the mapping `shape` applied to `of`, `{"id": by}`, or without either `{}`; its output goes through the
    mapping `into` when one is named. (`shape` is `with` in the file.)

    With `each` it is called for every item of a list, many in one request where the operation can; the mapping is
    applied to each item, which `item` names (an expression on it). Paths are `id[name]`, one item's failure stops no
    other, and the output is
    `{"count", "succeeded", "failed", "results", "failures"}`: the results by the items' names, of the first thousand.

    With `undoes`, the place of another step of the flow, it is what takes that one's write back, whichever run made it:
    one and the same effect as the other step's `undo`, so that what was taken back in one way is not in the other.

    With `optional` the step gives null where the target says that it has no such record, instead of failing.
    """

    connection: Term
    operation: str
    shape: str | None = None
    of: Term | None = None
    given: Mapping[str, Term] = field(default_factory=dict)
    by: Term | None = None
    into: str | None = None
    undo: Undo | None = None
    undoes: str | None = None
    each: Term | None = None
    item: Term | None = None
    failures: Failures = Failures.PARK
    optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Undo:
    """How a call is taken back: an operation of the same connection.

    Its input is the mapping `shape` applied to `of` (the call's own output when not named), or `{"id": by}`; without
    either, those fields of the call's output that the operation's input names.
    """

    operation: str
    shape: str | None = None
    of: Term | None = None
    given: Mapping[str, Term] = field(default_factory=dict)
    by: Term | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Record that ids of several systems name one thing: pairs of system and id.

    `reads` are the names in the scope that the ids come from. `parent` is a pair too: what stands above the thing, or
    nothing where its id is null.
    """

    entity: str
    ids: tuple[tuple[Term, Term], ...]
    reads: frozenset[str] = frozenset()
    parent: tuple[Term, Term] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve:
    """Wait until as many people agree as the policy asks for; what is approved is `of` (the event's record).

    The output is `{"approved": true, "by": […], "hash": …}`.
    """

    policy: str
    of: Term | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """Wait for a time, until a moment, or for an event about a subject (at the longest `timeout`, then a case).

    The output is `{"at": …}`, or the event as `{"id", "type", "subject", "data"}`.
    """

    duration: timedelta | None = None
    until: Term | None = None
    event: str | None = None
    subject: Term | None = None
    timeout: timedelta | None = None
    case: str = "event-did-not-come"


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreach:
    """Go through the steps once for each item of a list; paths are `id[17].step`, or `id[name].step` with `by`.

    Inside, the item is `name`; `by` and `collect` see it too, and `collect` also its steps. One item's failure stops no
    other. The output is `{"count", "succeeded", "failed", "collected"}`, where `collected` has what `collect` gave of
    each item.
    """

    each: Term
    steps: tuple[Step, ...]
    name: str = "item"
    by: Term | None = None
    concurrency: int = 1
    failures: Failures = Failures.PARK
    collect: Term | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One way of a branch; without `when` it is taken when no other was."""

    name: str
    steps: tuple[Step, ...]
    when: Term | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """Take the first arm whose condition holds; the output is `{"taken": name}` and each inner step's output by its id.

    Inner steps have paths `id.step`; those of arms not taken are null.
    """

    arms: tuple[Arm, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallel:
    """Go through steps at the same time, each after those it `needs`; the output is each one's output by its id.

    A step sees the outputs of those it needs, but of no other beside it.
    """

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit:
    """Tell an event of the hub's own, which may start other flows; the output is `{"id": …}`.

    `type` begins with `concord.`; its data is the mapping `shape` applied to `of`, or `of` itself.
    """

    type: str
    subject: Term | None = None
    shape: str | None = None
    of: Term | None = None
    given: Mapping[str, Term] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subflow:
    """Run another flow (`flow` in the file) and wait for its end; the output is that flow's `output`.

    The record is the mapping `shape` applied to `of`, or `of` itself.
    """

    flow: str
    shape: str | None = None
    of: Term | None = None
    given: Mapping[str, Term] = field(default_factory=dict)


Action = Map | Decide | Lookup | Match | Call | Link | Approve | Wait | Foreach | Branch | Parallel | Emit | Subflow


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


class OnFailure(StrEnum):
    """What follows when a step fails for good: stop for a person, go on without it, or take back what was done."""

    PARK = "park"
    CONTINUE = "continue"
    COMPENSATE = "compensate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step: what it does, when, what must hold afterwards, and how it is retried (a policy's name).

    - `timeout` is how long it may take from its first attempt, waits included; then it fails as `step-timeout`.
    - `on_failure` None takes the flow's.
    - `needs` names the steps of the same `parallel` that must be done before.
    """

    id: str
    action: Action
    when: Term | None = None
    expect: Equal | Same | None = None
    missing: Missing | None = None
    retry: str | None = None
    timeout: timedelta | None = None
    on_failure: OnFailure | None = None
    needs: tuple[str, ...] = ()
    line: int = 0
    column: int = 0


class CatchUp(StrEnum):
    """What becomes of firings that were missed: all of them, the last one, or none."""

    ALL = "all"
    LAST = "last"
    NONE = "none"


class Overlap(StrEnum):
    """What becomes of a firing while an earlier run of the flow is open: it queues behind it, or it is skipped."""

    QUEUE = "queue"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a flow starts by itself: a cron line (five fields) or an interval, in a named time zone.

    `dead_man` is how long after the last success somebody is alarmed.
    """

    cron: str | None = None
    every: timedelta | None = None
    zone: str = "UTC"
    catch_up: CatchUp = CatchUp.LAST
    overlap: Overlap = Overlap.QUEUE
    dead_man: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A compiled flow of one bundle; `event` is the event type that starts it, beside `further_events`.

    A flow with a `schedule` is started by `concord.schedule.NAME`; one that others call by `concord.flow.NAME`, with
    a record in the schema `called`. `output` is what a caller gets.
    """

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
    priority: Priority = Priority.NORMAL
    on_failure: OnFailure = OnFailure.PARK
    schedule: Schedule | None = None
    called: str | None = None
    output: Term | None = None
    path: str = ""
    further_events: tuple[str, ...] = ()

    @property
    def events(self) -> tuple[str, ...]:
        """Give the types of all events that start it."""
        return (self.event, *self.further_events)
