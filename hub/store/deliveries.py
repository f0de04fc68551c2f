"""Deliveries: the events of one request, made durable together with those of other requests, each event once."""

from __future__ import annotations

import contextlib
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice, repeat
from typing import Any, Self

from sqlalchemy import bindparam, func, update

from hub.audit.kinds import AuditKind
from hub.errors import HubError
from hub.model.event import EventState, Via
from hub.store import statements
from hub.store.audit import Note
from hub.store.committer import Transaction, Write
from hub.store.events import (
    ANYBODY_WAITS,
    OF_CONNECTION,
    Accept,
    Acceptance,
    Name,
    accepted,
    known_of,
    notes_of,
    tell_about,
)
from hub.store.outbox import tell_events
from hub.store.statements import Formed, Lines, among, lines_of, names_of
from hub.store.tables import counters, event_names, events

Told = list[Acceptance | HubError]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unrouted:
    """Events of one connection that no flow wants, as columns of their rows, since there may be millions of them.

    `common` is what all of them have, and `columns` what each has of its own, all of one length; `external_id` and
    `body_hash` are among these, and `position` is set here.
    """

    common: Mapping[str, Any]
    columns: Mapping[str, Sequence[Any]]
    #: What was made of them before their turn: what names them all (see `bound`), and their lines for PostgreSQL.
    content: str | None = None
    lines: Lines | None = None

    def prepared(self, dialect: str) -> Unrouted:
        """Give them with all that can be made of them before it is known where they come in the order."""
        lines: Lines | None = None
        if dialect == "postgresql":
            # What its column cannot hold is met by the write itself, which tells each event's own.
            with contextlib.suppress(OverflowError, TypeError):
                lines = lines_of(events, self.common, self.columns)
        return replace(self, content=self.named(), lines=lines)

    def named(self) -> str:
        """Give what names all of them, in their order."""
        return self.content or _bound(zip(self.columns["id"], self.columns["body_hash"], strict=True))

    @property
    def home(self) -> tuple[str, str]:
        """Give the environment and the connection, in which each id is one event's."""
        return self.common["environment"], self.common["connection"]

    @property
    def ids(self) -> Sequence[str]:
        """Give the ids by which the connection knows them, in their order."""
        return self.columns["external_id"]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give the row of each."""
        for values in zip(*self.columns.values(), strict=True):
            yield {**self.common, **dict(zip(self.columns, values, strict=True))}


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptDelivery(Write):
    """Store the events of one request; the result is an `Acceptance` for each, in their order.

    It does what `Accept` does, and differs in what the audit is told. One entry binds all that is new of the delivery:
    how many events, from which place in the order of all on, and what they are (see `bound`). Those that start runs,
    or are kept back, have an entry of their own besides; one that no flow wants has none, since there may be millions.

    A delivery has either `accepts` or, where no flow wants any of it, `unrouted`. If all of that is new, it is written
    as the columns that it is, and nothing is done for each event; otherwise its events go the way of all others.
    """

    connection: str
    actor: str
    accepts: Sequence[Accept] = ()
    unrouted: Unrouted | None = None

    rank = 11

    def prepared(self, dialect: str) -> Self:
        """Give it with the lines that its columns become."""
        return self if self.unrouted is None else replace(self, unrouted=self.unrouted.prepared(dialect))

    def apart(self) -> list[AcceptDelivery]:
        """Give a delivery of each event alone, for when one of them does not fit what is stored."""
        accepts = self.accepts if self.unrouted is None else _accepts(self)
        return [AcceptDelivery(connection=self.connection, actor=self.actor, accepts=[one]) for one in accepts]

    @classmethod
    def apply(cls, batch: Sequence[AcceptDelivery], transaction: Transaction) -> list[Told]:
        """Write all deliveries together: first those that can go as columns, then each event of the others."""
        if _written_at_once(batch, transaction):
            return [[Acceptance.NEW] * len(delivery.unrouted.ids) for delivery in batch if delivery.unrouted]
        of_each = [_ids(delivery) for delivery in batch]
        known = _known(of_each, transaction)
        taken: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for environment, connection, external_id in known:
            taken[environment, connection].add(external_id)
        new: dict[int, tuple[AcceptDelivery, Unrouted]] = {}
        for place, (delivery, homes) in enumerate(zip(batch, of_each, strict=True)):
            unrouted = delivery.unrouted
            if unrouted is not None:
                ids = homes[unrouted.home]
                if len(ids) == len(unrouted.ids) and ids.isdisjoint(taken[unrouted.home]):
                    new[place] = delivery, unrouted
            for home, ids in homes.items():
                taken[home] |= ids
        if new:
            count = sum(len(unrouted.ids) for _, unrouted in new.values())
            _write(transaction, list(new.values()), transaction.next_values("event", count))
            if len(new) == len(batch):
                return [[Acceptance.NEW] * len(unrouted.ids) for _, unrouted in new.values()]
            known |= {
                (*unrouted.home, external_id): content
                for _, unrouted in new.values()
                for external_id, content in zip(unrouted.ids, unrouted.columns["body_hash"], strict=True)
            }
        others = [delivery for place, delivery in enumerate(batch) if place not in new]
        told = iter(_one_by_one(others, transaction, known))
        return [
            [Acceptance.NEW] * len(new[place][1].ids) if place in new else next(told) for place in range(len(batch))
        ]


def _ids(delivery: AcceptDelivery) -> Mapping[tuple[str, str], set[str]]:
    if delivery.unrouted is not None:
        return {delivery.unrouted.home: set(delivery.unrouted.ids)}
    homes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for accept in delivery.accepts:
        homes[accept.event["environment"], accept.event["connection"]].add(accept.event["external_id"])
    return homes


def _known(of_each: Iterable[Mapping[tuple[str, str], set[str]]], transaction: Transaction) -> dict[Name, str]:
    """Give the contents of what is stored, by name; each name is looked for under the lock that the write holds."""
    asked: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for homes in of_each:
        for home, ids in homes.items():
            asked[home] |= ids
    found: dict[Name, str] = {}
    for (environment, connection), ids in asked.items():
        found |= known_of(transaction.connection, environment, connection, ids)
    return found


def _written_at_once(batch: Sequence[AcceptDelivery], transaction: Transaction) -> bool:
    """Write deliveries of one connection if they have columns, and all of it is new, as what is sent mostly is."""
    new = [(delivery, delivery.unrouted) for delivery in batch if delivery.unrouted is not None]
    if len(new) < len(batch) or any(unrouted.home != new[0][1].home for _, unrouted in new):
        return False
    ids = set(chain.from_iterable(unrouted.ids for _, unrouted in new))
    count = sum(len(unrouted.ids) for _, unrouted in new)
    # A name with a NUL is asked for by itself.
    if len(ids) < count or "\0" in "".join(ids):
        return False
    environment, connection = new[0][1].home
    given = {"of_environment": environment, "of_connection": connection, "ids": names_of(ids), "more": count}
    found = _PLACES_IF_NEW.rows(transaction.connection, **given)
    for row in found:
        last = row["value"]
        _write(transaction, new, range(last - count + 1, last + 1), anybody=bool(row["anybody"]))
    return bool(found)


#: Takes places in the order unless one of these is stored, and tells whether anybody waits, in one way there and back.
#: What is stored is counted: a server that has to find only one may go through the whole table for it.
_PLACES_IF_NEW = Formed(
    update(counters)
    .where(
        counters.c.name == "event",
        OF_CONNECTION.with_only_columns(func.count()).where(among(event_names.c.external_id, "ids")).scalar_subquery()
        == 0,
    )
    .values(value=counters.c.value + bindparam("more"))
    .returning(counters.c.value, ANYBODY_WAITS.label("anybody"))
)


def _write(
    transaction: Transaction,
    new: Sequence[tuple[AcceptDelivery, Unrouted]],
    places: range,
    *,
    anybody: bool | None = None,
) -> None:
    """Write deliveries of which every event is new, as one set of columns, and tell the audit and whoever waits."""
    some = [unrouted for _, unrouted in new]
    lines = [each.lines for each in some if each.lines is not None]
    if len(lines) == len(some):
        statements.insert_lines(transaction.connection, events, lines, number="position", values=places)
    else:
        together = _together(some)
        columns = {**together.columns, "position": places}
        statements.insert_columns(transaction.connection, events, together.common, columns)
    at = 0
    for delivery, unrouted in new:
        count = len(unrouted.ids)
        transaction.entries.append(_entry(delivery, count=count, position=places[at], content=unrouted.named()))
        at += count
    about = (zip(repeat(each.home[0]), each.columns["type"], each.columns["subject"], strict=False) for each in some)
    tell_about(transaction, chain.from_iterable(about), anybody=anybody)
    tell_events(transaction, chain.from_iterable(each.rows() for each in some))


def _together(some: Sequence[Unrouted]) -> Unrouted:
    """Put events of several deliveries together as one set of columns."""
    columns: dict[str, Sequence[Any]] = {
        name: list(chain.from_iterable(each.columns[name] for each in some)) for name in some[0].columns
    }
    common = dict(some[0].common)
    for name, value in some[0].common.items():
        if any(each.common[name] != value for each in some):
            columns[name] = list(chain.from_iterable(repeat(each.common[name], len(each.ids)) for each in some))
            del common[name]
    return Unrouted(common=common, columns=columns)


def _one_by_one(
    deliveries: Sequence[AcceptDelivery], transaction: Transaction, known: dict[Name, str]
) -> Iterator[Told]:
    each_accepts = [delivery.accepts if delivery.unrouted is None else _accepts(delivery) for delivery in deliveries]
    results, rows = accepted([one for accepts in each_accepts for one in accepts], transaction, _notes, known)
    each, at = iter(results), 0
    for delivery, accepts in zip(deliveries, each_accepts, strict=True):
        first = at
        for accept in accepts:
            at += at < len(rows) and rows[at]["id"] == accept.event["id"]
        if at > first:
            content = bound(rows[first:at])
            entry = _entry(delivery, count=at - first, position=rows[first]["position"], content=content)
            transaction.entries.append(entry)
        yield list(islice(each, len(accepts)))


def _accepts(delivery: AcceptDelivery) -> list[Accept]:
    assert delivery.unrouted is not None
    return [Accept(event=row, runs=(), actor=delivery.actor) for row in delivery.unrouted.rows()]


def _notes(accept: Accept) -> Iterable[Note]:
    return () if accept.event["state"] == EventState.UNROUTED.value else notes_of(accept)


def _entry(delivery: AcceptDelivery, *, count: int, position: int, content: str) -> Note:
    return Note(
        kind=AuditKind.DELIVERY_ACCEPTED,
        actor=delivery.actor,
        facts={
            "connection": delivery.connection,
            "via": Via.API.value,
            "events": count,
            "position": position,
            "content": content,
        },
    )


def bound(rows: Iterable[Mapping[str, Any]]) -> str:
    """Name events by what they are, in the order of their positions: SHA-256 over a line `ID HASH` of each."""
    return _bound((row["id"], row["body_hash"]) for row in rows)


def _bound(named: Iterable[tuple[str, str]]) -> str:
    lines = "".join(map("%s %s\n".__mod__, named))
    return hashlib.sha256(lines.encode()).hexdigest()
