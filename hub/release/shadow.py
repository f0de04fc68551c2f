"""Shadow replay: the last recorded events through two versions of the workspace, with nothing sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from hub.engine.routing import Failure, route, stored_scope
from hub.errors import HubError
from hub.model.ambient import of_micros
from hub.release.answers import Operations
from hub.release.comparison import Comparison, compare_traces
from hub.release.money import Meaning, Side, movements
from hub.release.report import STARTS, Shadow
from hub.release.tally import Tally
from hub.release.tracing import trace
from hub.store import recorded
from hub.store.database import Database
from hub.store.recorded import RecordedEvent, RecordedRun
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue, OperationEntry

#: As many events are in memory at a time.
PAGE = 50
#: And as many steps of their runs: a loop may have thousands.
MOST_STEPS = 5000
MOST_EVENTS = 100_000


class Cancelled(HubError):
    """The replay was cancelled."""

    code = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is replayed at most: the newest events, and how long it may take; what is left out is told."""

    events: int = 1000
    seconds: float = 300.0


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a replay is, read by others while it goes on; `cancelled` ends it at the next event."""

    done: int = 0
    total: int = 0
    cancelled: bool = field(default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """The two bundles that are compared, the flows that are looked at, and what the connectors offer."""

    before: Bundle
    after: Bundle
    flows: Collection[str]
    catalogue: Catalogue

    def event_types(self) -> frozenset[str]:
        """Name the events that these flows handle, in either version."""
        bundles = (self.before, self.after)
        flows = (flow for bundle in bundles for flow in bundle.flows.values() if flow.name in self.flows)
        return frozenset(event for flow in flows for event in flow.events)

    def operations(self, bundle: Bundle) -> Operations:
        """Give what tells the operations of a bundle's connections."""
        connectors = self.catalogue.connectors

        def operation(connection: str, name: str) -> OperationEntry | None:
            file = bundle.connections.get(connection)
            return None if file is None else connectors[file.connector].operations.get(name)

        return operation


def replay(
    database: Database,
    environment: str,
    versions: Versions,
    bounds: Bounds,
    progress: Progress,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> Shadow:
    """Replay the newest recorded events of the flows; raises `Cancelled` when somebody said so.

    It reads in short transactions of its own, so that it may take its time beside a hub that works.
    """
    began = clock()
    tally = Tally()
    shadow = _Replay(versions, environment, tally)
    wanted = versions.event_types()
    stopped = None
    with database.reading() as connection:
        progress.total = recorded.count(connection, environment=environment, types=wanted, most=bounds.events)
    for event in _events(database, environment, wanted, progress.total):
        if progress.cancelled:
            raise Cancelled
        if clock() - began > bounds.seconds:
            stopped = f"after {bounds.seconds:.0f} seconds, with {progress.total - progress.done} events left"
            break
        shadow.event(event)
        progress.done += 1
    return tally.report(seconds=Decimal(f"{clock() - began:.3f}"), stopped=stopped)


def _events(database: Database, environment: str, types: Collection[str], limit: int) -> Iterator[RecordedEvent]:
    after: Mapping[str, Any] | None = None
    left = limit
    while left > 0:
        with database.reading() as connection:
            page = recorded.newest(connection, environment=environment, types=types, limit=min(left, PAGE), after=after)
        if not page:
            return
        for portion in recorded.portions(page, MOST_STEPS):
            with database.reading() as connection:
                some = recorded.with_answers(connection, portion)
            yield from some
        left -= len(page)
        after = page[-1].event


class _Replay:
    """Event by event into the tally."""

    def __init__(self, versions: Versions, environment: str, tally: Tally) -> None:
        self.versions = versions
        self.environment = environment
        self.tally = tally
        self.meaning = Meaning(versions.before, versions.after)
        self.operations = versions.operations(versions.before), versions.operations(versions.after)

    def event(self, event: RecordedEvent) -> None:
        """Take one event through both versions."""
        self.tally.events += 1
        try:
            scope = stored_scope(event.event)
        except (HubError, KeyError, TypeError):
            # Kept because it could not be read: no version can do anything with it.
            return
        before, after = (self._starts(bundle, scope, event) for bundle in (self.versions.before, self.versions.after))
        for flow in sorted(before.keys() | after.keys()):
            if flow in self.versions.flows:
                self._flow(flow, scope, event, before.get(flow), after.get(flow))

    def _starts(
        self, bundle: Bundle, scope: Mapping[str, Any], event: RecordedEvent
    ) -> dict[str, Mapping[str, Any] | Failure]:
        """Give the run that each flow would begin, or why it could not."""
        routing = route(
            bundle,
            scope,
            event_id=event.event["id"],
            environment=self.environment,
            now=of_micros(event.event["received_at"]),
            new_id=lambda: "shadow",
        )
        return {**{run["flow"]: run for run in routing.runs}, **routing.failed}

    def _flow(
        self,
        name: str,
        scope: Mapping[str, Any],
        event: RecordedEvent,
        old: Mapping[str, Any] | Failure | None,
        new: Mapping[str, Any] | Failure | None,
    ) -> None:
        known = event.runs.get(name)
        about = _about(old, new, known, event)
        self._routing(name, about, old, new)
        started = [None if start is None or isinstance(start, Failure) else start for start in (old, new)]
        if started == [None, None]:
            return
        bundles = (self.versions.before, self.versions.after)
        # What a flow gives that is looked at is known by the older version alone.
        changed: tuple[Collection[str], ...] = ((), self.versions.flows)
        traces = [
            None if start is None else trace(bundle, bundle.flows[name], scope, known, operations, others)
            for start, bundle, operations, others in zip(started, bundles, self.operations, changed, strict=True)
        ]
        found = compare_traces(traces[0], traces[1])
        self.tally.compared(name, about, found)
        if found.records:
            self._money(name, about, event, known, found, Side(traces[0]), Side(traces[1]))

    def _money(
        self,
        name: str,
        about: str,
        event: RecordedEvent,
        known: RecordedRun | None,
        found: Comparison,
        before: Side,
        after: Side,
    ) -> None:
        try:
            moved = movements(found.records, self.meaning, before, after)
        except HubError as error:
            self.tally.unread(name, f"an amount cannot be read: {error.detail}", about)
            return
        self.tally.moved(name, about, event.event["id"], None if known is None else known.run["id"], moved)

    def _routing(
        self, name: str, about: str, old: Mapping[str, Any] | Failure | None, new: Mapping[str, Any] | Failure | None
    ) -> None:
        here, there = _standing(old), _standing(new)
        if here != there:
            self.tally.routed(name, f"{here} → {there}", about, _why(old), _why(new))
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            for word in ("key", "business_key"):
                if old[word] != new[word]:
                    self.tally.routed(name, word.replace("_", " "), about, old[word], new[word])


def _standing(start: Mapping[str, Any] | Failure | None) -> str:
    if start is None:
        return "does not start"
    return f"cannot begin ({start.code})" if isinstance(start, Failure) else STARTS


def _why(start: Mapping[str, Any] | Failure | None) -> str | None:
    if start is None:
        return None
    return start.detail if isinstance(start, Failure) else str(start["business_key"])


def _about(
    old: Mapping[str, Any] | Failure | None,
    new: Mapping[str, Any] | Failure | None,
    known: RecordedRun | None,
    event: RecordedEvent,
) -> str:
    for start in (known.run if known is not None else None, new, old):
        if isinstance(start, Mapping):
            return str(start["business_key"])
    return str(event.event["external_id"])
