"""A vendor whose list of events is only eventually consistent, and a hub that reads it; for tests of streams."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

from sqlalchemy import select

from hub.connections.accounts import Account
from hub.connections.limiter import Limiter
from hub.errors import HubError
from hub.intake.backfills import Backfills
from hub.intake.door import Intake
from hub.intake.polls import Polls
from hub.intake.streams import Streams
from hub.model.ambient import Ambient, to_micros
from hub.model.event import InboundEvent
from hub.sdk.connector import Connector, Page, Stream
from hub.sdk.session import Session
from hub.sdk.settings import Settings
from hub.store import streams
from hub.store.committer import Committer, Write
from hub.store.database import Database
from hub.store.sqlite import FILE_NAME
from hub.store.tables import events, runs
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from tests import postgres
from tests.engine.vendor import BASE, Vendor, connector
from tests.intake.standing_clock import StandingClock

FLOW = """
flow: seen
title: What the vendor tells
owner: team:tests
on: { event: vendor.told }
key: data.id
business_key: data.id
steps:
  - id: noted
    crossref: { entity: told, ids: { a: =data.id, b: =data.id } }
"""


#: No two processes draw the same names, although the clock stands still.
_SEEDS = count(1)


@cache
def _empty() -> bytes:
    """Give a database without rows; bringing one to the newest tables takes longer than most tests."""
    with TemporaryDirectory() as folder:
        Database(Path(folder)).close()
        return (Path(folder) / FILE_NAME).read_bytes()


class Killed(BaseException):
    """The process ended here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event of the vendor's, and from when on its list shows it."""

    number: int
    at: datetime
    shown_at: datetime


@dataclass(slots=True)
class VendorList:
    """The list of one kind of events in the order in which they happened; later ones may show before earlier ones."""

    clock: StandingClock
    page: int = 3
    keeps: timedelta | None = None
    entries: list[Entry] = field(default_factory=list)
    #: Called before each page with its number; may raise what goes wrong, or wait.
    before_page: Callable[[int], Any] = lambda _number: None
    pages: int = 0

    def happen(self, lag: timedelta = timedelta()) -> str:
        """Have something happen, which comes to light after a lag; gives its id."""
        now = self.clock.now()
        self.entries.append(Entry(number=len(self.entries) + 1, at=now, shown_at=now + lag))
        return identity(self.entries[-1])

    def shown(self) -> list[Entry]:
        """Give what the list shows now, the oldest first."""
        now = self.clock.now()
        kept = now - self.keeps if self.keeps is not None else None
        return [each for each in self.entries if each.shown_at <= now and (kept is None or each.at >= kept)]

    async def pull(self, session: Session, cursor: str | None, since: datetime) -> AsyncIterator[Page]:
        """Yield pages behind the cursor, as a connector does: a cursor is the number of the last event."""
        last = int(cursor) if cursor else 0
        while True:
            self.pages += 1
            waited = self.before_page(self.pages)
            if waited is not None:
                await waited
            found = [each for each in self.shown() if each.number > last and (cursor or each.at >= since)]
            found = found[: self.page]
            if not found:
                return
            last = found[-1].number
            yield Page(events=[event_of(each) for each in found], cursor=str(last))
            cursor = str(last)


def identity(entry: Entry) -> str:
    return f"evt_{entry.number}"


def event_of(entry: Entry) -> InboundEvent:
    """Give an entry as the connector reads it, from the list and from a webhook alike."""
    return InboundEvent(
        external_id=identity(entry),
        type="vendor.told",
        occurred_at=entry.at,
        data={"id": identity(entry), "number": entry.number},
    )


def number_of(event: InboundEvent) -> int:
    return int(event.external_id.removeprefix("evt_"))


def reading(
    vendor: VendorList, *, name: str = "told", overlap: timedelta = timedelta(), numbered: bool = False
) -> Stream:
    """Give the stream of a vendor's list."""
    return Stream(
        name=name,
        title="What happened",
        pull=vendor.pull,
        overlap=overlap,
        keeps=vendor.keeps,
        number=number_of if numbered else None,
    )


def with_streams(*found: Stream) -> Connector:
    """Give the connector of the tests with these streams."""
    return replace(connector, streams=found)


def compiled(speaks: Connector, **connections: str) -> Bundle:
    """Compile the flow that sees the events, with connections by their names (the text after `connector:`)."""
    files = {"flows/seen.yaml": FLOW.encode()}
    for name, more in (connections or {"vendor": ""}).items():
        files[f"connections/{name}.yaml"] = f"connection: {name}\nconnector: vendor\n{more}".encode()
    bundle, lints = compile_bundle(files, catalogue_of([speaks]))
    assert bundle is not None, [str(lint) for lint in lints]
    return bundle


class DyingCommitter(Committer):
    """Stops recording before the n-th write from now, as a process that is killed there would."""

    left: int | None = None

    async def commit(self, write: Write) -> Any:
        """Record, unless this is where the process ends."""
        if self.left is not None:
            if self.left == 0:
                raise Killed
            self.left -= 1
        return await super().commit(write)


class Reader:
    """One process over a data directory that does nothing but read streams."""

    def __init__(
        self,
        directory: Path,
        clock: StandingClock,
        *connectors: Connector,
        bundle: Bundle | None = None,
        every: timedelta = timedelta(minutes=1),
    ) -> None:
        """Open the directory; the connections are `vendor`, or `vendor1`, `vendor2` … for several connectors."""
        self.clock = clock
        self.ambient = Ambient(clock=clock, random=random.Random(next(_SEEDS)))
        if not postgres.WANTED and not (directory / FILE_NAME).exists():
            (directory / FILE_NAME).write_bytes(_empty())
        self.database = Database(directory)
        self.committer = DyingCommitter(self.database, self.ambient)
        names = ["vendor"] if len(connectors) == 1 else [f"vendor{number + 1}" for number in range(len(connectors))]
        self.accounts = {name: self.account(name, speaks) for name, speaks in zip(names, connectors, strict=True)}
        self.bundle = bundle or compiled(connectors[0], **dict.fromkeys(names, ""))
        self.intake = Intake(
            environment="test",
            ambient=self.ambient,
            committer=self.committer,
            accounts=self.accounts,
            bundle=lambda: self.bundle,
        )
        self.streams = Streams(
            environment="test",
            ambient=self.ambient,
            database=self.database,
            committer=self.committer,
            intake=self.intake,
        )
        self.polls = Polls(
            ambient=self.ambient,
            accounts=self.accounts,
            bundle=lambda: self.bundle,
            streams=self.streams,
            every=every,
        )
        self.backfills = Backfills(
            environment="test",
            ambient=self.ambient,
            database=self.database,
            committer=self.committer,
            accounts=self.accounts,
            streams=self.streams,
            bundle=lambda: self.bundle,
        )

    async def __aenter__(self) -> Self:
        """Begin to record."""
        self.committer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        await self.polls.stop()
        await self.backfills.stop()
        await self.committer.stop()
        self.database.close()

    def account(self, name: str, speaks: Connector) -> Account:
        """Make an account of a connection."""
        return Account(
            name=name,
            connector=speaks,
            settings=Settings(base_url=BASE),
            limiter=Limiter(speaks.limits, self.ambient),
            transport=Vendor(),  # type: ignore[arg-type]
            ambient=self.ambient,
        )

    async def read(self, name: str = "vendor") -> int:
        """Read the first stream of a connection once; gives how many events were new. Raises what went wrong."""
        account = self.accounts[name]
        stream = account.connector.streams[0]
        return (await self.streams.read(account, stream, overlap=stream.overlap)).new

    def taken(self) -> list[str]:
        """Name the events that are here, each as often as it has a run."""
        with self.database.reading() as connection:
            statement = select(events.c.external_id).join(runs, runs.c.event_id == events.c.id)
            return sorted(connection.execute(statement).scalars(), key=lambda name: int(name.removeprefix("evt_")))

    def row(self, name: str = "vendor", stream: str = "told") -> dict[str, Any]:
        """Give what is kept of a stream."""
        with self.database.reading() as connection:
            found = streams.find(connection, environment="test", name=name, stream=stream)
        return {} if found is None else dict(found)

    def gaps(self) -> list[str]:
        """Give the kinds and sentences of what may be missing."""
        return [f"{gap['kind']}: {gap['detail']}" for gap in streams.gaps(self.row() or None)]


def micros(moment: datetime) -> int:
    return to_micros(moment)


class Down(HubError):
    """The vendor does not answer."""

    code = "down"
