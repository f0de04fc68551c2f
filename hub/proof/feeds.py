"""A consumer of the event feed beside a proof, and what it was told compared with what the database says was told.

The consumer is a process of its own that reads as `docs/backbone.md` says, from the beginning and through everything
that befalls NATS; it puts down the name of each fact in the order in which it took them.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TextIO

import structlog

from hub.backbone.following import Follower, Wish
from hub.backbone.settings import SERVERS, nats_settings
from hub.proof.invariants import Finding, Invariant
from hub.proof.processes import HOLD
from hub.proof.records import Records
from hub.sdk import exact_json

#: The beginning of every feed.
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
#: What is told: events that have happened for the hub, how runs came to their end, exceptions; each with its states.
_EVENTS = (
    (
        "SELECT 'event ' || id FROM events WHERE environment = ? AND state IN (?, ?) AND edited_from IS NULL"
        " AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.event_id = events.id)"
    ),
    ("accepted", "unrouted"),
)
_RUNS = (
    (
        "SELECT 'end of ' || id FROM runs WHERE environment = ? AND state IN (?, ?, ?)"
        " AND NOT EXISTS (SELECT 1 FROM outbox WHERE subject = runs.id AND type = 'concord.run.' || runs.state)"
    ),
    ("succeeded", "cancelled", "compensated"),
)
_CASES = (
    (
        "SELECT 'exception ' || id FROM cases WHERE environment = ?"
        " AND NOT EXISTS (SELECT 1 FROM outbox WHERE subject = cases.id AND type = 'concord.case.opened')"
    ),
    (),
)
#: So many of a kind are named.
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One fact as a feed names it: `source` and `id` for good; `sequence` is its place in the order of commits."""

    source: str
    id: str
    type: str
    key: str
    sequence: int

    @property
    def name(self) -> tuple[str, str]:
        """Give what a consumer knows it by."""
        return self.source, self.id

    def __str__(self) -> str:
        """Say which it is, for a person."""
        return f"{self.type} {self.source} {self.id}, number {self.sequence}"


def command(environment: str, place: Path) -> tuple[str, ...]:
    """Give the command of a consumer that puts down what it takes in a file; NATS is where the environment says."""
    return (
        *(sys.executable, "-c", f"{HOLD}; from hub.proof.feeds import run; run()"),
        *(environment, str(place)),
    )


def run() -> None:
    """Take a feed until this process is told to end."""
    environment, place = sys.argv[1:]
    # What goes to stdout is the hello alone.
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    settings = nats_settings(os.environ)
    if settings is None:
        raise SystemExit(f"{SERVERS} names no server.")
    follower = Follower(settings, environment, Wish(since=_BEGINNING), name="concord proof")
    follower.on_away = lambda reason: _say(sys.stderr, reason)
    with Path(place).open("ab", buffering=0) as file:
        _say(sys.stdout, exact_json.dumps({"pid": os.getpid()}).decode())
        asyncio.run(_follow(follower, file))


async def _follow(follower: Follower, file: IO[bytes]) -> None:
    async with aclosing(follower.facts(now=_BEGINNING, follow=True)) as facts:
        async for fact in facts:
            told = {name: fact[name] for name in ("source", "id", "type", "partitionkey", "sequence")}
            file.write(exact_json.dumps(told) + b"\n")


def _say(stream: TextIO, line: str) -> None:
    stream.write(f"{line}\n")
    stream.flush()


def taken(place: Path) -> list[Fact]:
    """Give what a consumer has put down so far."""
    whole = place.read_bytes() if place.exists() else b""
    # It may be writing a line just now.
    lines = [exact_json.loads(line) for line in whole.split(b"\n")[:-1]]
    return [
        Fact(
            source=line["source"],
            id=line["id"],
            type=line["type"],
            key=line["partitionkey"],
            sequence=int(line["sequence"]),
        )
        for line in lines
    ]


def told(connection: Records, environment: str) -> list[Fact]:
    """Give what the database says was told, in the order of commits."""
    rows = connection.execute(
        "SELECT position, id, connection, type, key FROM outbox WHERE environment = ? ORDER BY position", (environment,)
    )
    return [
        Fact(
            source=f"/concord/{environment}" + ("" if whose is None else f"/{whose}"),
            id=id,
            type=type,
            key=key,
            sequence=position,
        )
        for position, id, whose, type, key in rows
    ]


def untold(connection: Records, environment: str) -> list[str]:
    """Give the events that were taken, the runs that ended and the exceptions of which nothing says they were told."""
    return [
        str(what)
        for words, states in (_EVENTS, _RUNS, _CASES)
        for (what,) in connection.execute(words, (environment, *states))
    ]


def find(told: Sequence[Fact], taken: Sequence[Fact], untold: Sequence[str] = ()) -> Iterator[Finding]:
    """Compare: each fact was taken, once, as it is, and what is about one key in the order of commits."""
    if untold:
        yield _wrong(Invariant.NOTHING_LOST, f"feed: of {len(untold)} it is not told: {_some(untold)}")
    once: dict[tuple[str, str], Fact] = {}
    if again := [str(fact) for fact in told if once.setdefault(fact.name, fact) is not fact]:
        yield _wrong(Invariant.NOTHING_TWICE, f"feed: {len(again)} are told twice under one name: {_some(again)}")
    counted = Counter(fact.name for fact in taken)
    if missing := [fact for name, fact in once.items() if name not in counted]:
        yield _wrong(
            Invariant.NOTHING_LOST, f"feed: {len(missing)} facts of {len(told)} never came: {_some(map(str, missing))}"
        )
    if invented := sorted(map(str, set(taken) - set(told))):
        yield _wrong(
            Invariant.RECORDED_IS_TRUE, f"feed: {len(invented)} came that the database does not have: {_some(invented)}"
        )
    if twice := [" ".join(name) for name, number in counted.items() if number > 1]:
        yield _wrong(Invariant.NOTHING_TWICE, f"feed: {len(twice)} were given twice: {_some(twice)}")
    reached: dict[str, Fact] = {}
    astray = []
    for fact in taken:
        before = reached.setdefault(fact.key, fact)
        if fact.sequence < before.sequence:
            astray.append(f"{fact} after number {before.sequence}")
        else:
            reached[fact.key] = fact
    if astray:
        yield _wrong(
            Invariant.ORDER_PER_KEY, f"feed: {len(astray)} came behind later ones of their key: {_some(astray)}"
        )


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return "; ".join(listed[:_NAMED]) + ("; …" if len(listed) > _NAMED else "")


def _wrong(invariant: Invariant, detail: str) -> Finding:
    return Finding(invariant=invariant, family=None, detail=detail)
