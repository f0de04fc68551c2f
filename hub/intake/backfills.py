"""Back-fills: a span of a stream read again because a person ordered it, behind everything else and to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from hub.connections.accounts import Account
from hub.errors import ConnectionPaused, Fatal, FixConnection, FixData, HubError, NotFound, RetryLater
from hub.intake.listings import MOST_IN_ONE, Listings, in_batches
from hub.intake.polls import wait_after
from hub.intake.streams import Found, Streams
from hub.model.ambient import Ambient, of_micros, to_micros
from hub.model.limits import Asker
from hub.model.run import Priority
from hub.sdk.connector import Listing, Page, Stream
from hub.store import streams
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.store.streams import BackfillState
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)

#: How long a failed back-fill is left alone at first.
_FIRST_RETRY = timedelta(seconds=30)
#: What a connector raises while the vendor makes a list that was ordered.
UNFINISHED = "job-unfinished"
#: Before anything was recorded anywhere.
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


class Backfills:
    """Carries out the back-fills of one environment, one of a connection at a time; `tick` begins or takes them up."""

    def __init__(
        self,
        *,
        environment: str,
        ambient: Ambient,
        database: Database,
        committer: Committer,
        accounts: Mapping[str, Account],
        streams: Streams,
        bundle: Callable[[], Bundle],
    ) -> None:
        """Take the collaborators; `bundle()` gives the revision that serves."""
        self._environment = environment
        self._ambient = ambient
        self._database = database
        self._committer = committer
        self._accounts = accounts
        self._streams = streams
        self._bundle = bundle
        self._listings = Listings(ambient=ambient, database=database, committer=committer, streams=streams)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, int] = {}
        self._rests: dict[str, tuple[datetime, datetime]] = {}
        self._alarms: set[asyncio.Task[None]] = set()

    async def order(
        self,
        name: str,
        stream_name: str,
        *,
        since: datetime | None,
        until: datetime | None,
        actor: str,
        reason: str,
        batch: int | None = None,
    ) -> str:
        """Order a span of a stream to be read again, or all records of a listing; gives the back-fill's id.

        Of a listing the span is when the records were made; it begins with the first one where `since` is None, and
        so many as `batch` says come in one event, or each in its own.

        Raises `NotFound` for a stream that is not there, `FixData` for a span that cannot be read, and `Conflict`
        while another back-fill of the stream is open.
        """
        now = self._ambient.now()
        stream = self._stream(name, stream_name)
        if batch is not None and not (isinstance(stream, Listing) and 1 <= batch <= MOST_IN_ONE):
            raise FixData(
                f"Records of a listing can come in batches, of at most {MOST_IN_ONE:,}; a stream's events cannot.",
                code="bad-batch",
                batch=batch,
            )
        flows = self._started_by(stream, batch) if isinstance(stream, Listing) else None
        if since is None:
            if flows is None:
                raise FixData("A stream is read again from a moment on; say which.", code="bad-span")
            since = _EVER
        end = now if until is None else min(until, now)
        if not reason.strip():
            raise FixData("Say why; it stands beside the back-fill and binds the audit.", code="no-reason")
        if since >= end:
            raise FixData("A back-fill begins before it ends, and before now.", code="bad-span")
        if isinstance(stream, Stream) and stream.keeps is not None and since < now - stream.keeps:
            raise FixData(
                f"The vendor keeps events for {stream.keeps.days} days; nothing older can be had from this stream.",
                code="too-old",
                earliest=(now - stream.keeps).isoformat(timespec="minutes"),
            )
        backfill_id = self._ambient.new_id("backfill")
        await self._committer.commit(
            Work(
                lambda tx: streams.order_backfill(
                    tx,
                    backfill_id=backfill_id,
                    environment=self._environment,
                    name=name,
                    stream=stream_name,
                    since=to_micros(since),
                    until=to_micros(end),
                    actor=actor,
                    reason=reason.strip(),
                    flows=flows,
                    batch=batch,
                )
            )
        )
        return backfill_id

    async def cancel(self, backfill_id: str, *, actor: str, reason: str) -> None:
        """End a back-fill; what it has brought stays. Raises `NotFound`, or `FixData` when it has ended already."""
        if not reason.strip():
            raise FixData("Say why; it binds the audit.", code="no-reason")
        with self._database.reading() as connection:
            row = streams.backfill(connection, backfill_id)
        if row["environment"] != self._environment:
            raise NotFound("There is no such back-fill.", backfill=backfill_id)
        ended = await self._committer.commit(
            Work(
                lambda tx: streams.end_backfill(
                    tx, backfill_id, state=BackfillState.CANCELLED, actor=actor, reason=reason.strip()
                )
            )
        )
        if not ended:
            raise FixData("The back-fill has ended already.", code="backfill-ended", backfill=backfill_id)

    def tick(self) -> int:
        """Begin, or take up, the oldest open back-fill of each connection; gives how many were begun."""
        with self._database.reading() as connection:
            rows = streams.open_backfills(connection, environment=self._environment)
        now, begun = self._ambient.now(), 0
        for row in rows:
            name = row["connection"]
            account = self._accounts.get(name)
            said, due = self._rests.get(name, (now, now))
            if account is None or account.paused is not None:
                # Once it is resumed, it has not failed yet.
                self._rests.pop(name, None)
                continue
            if name in self._tasks or said <= now < due:
                continue
            task = asyncio.create_task(self._carry_out(account, row), name=f"back-fill {row['id']}")
            self._tasks[name] = task
            task.add_done_callback(lambda _done, name=name: self._tasks.pop(name, None))  # type: ignore[misc]
            begun += 1
        return begun

    @property
    def is_busy(self) -> bool:
        """Tell whether any is going at the moment."""
        return bool(self._tasks)

    async def settle(self) -> None:
        """Wait until those that are going have ended or failed."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    async def stop(self) -> None:
        """Leave off; each goes on from its place at the next tick."""
        tasks = [*self._alarms, *self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _carry_out(self, account: Account, row: Mapping[str, Any]) -> None:
        name, backfill_id = account.name, str(row["id"])
        try:
            stream = self._stream(name, row["stream"])
            if isinstance(stream, Listing):
                ended = await self._listings.carry_out(account, stream, row)
            else:
                ended = await self._pages(account, stream, row)
            if ended:
                await self._committer.commit(
                    Work(lambda tx: streams.end_backfill(tx, backfill_id, state=BackfillState.DONE, actor="streams"))
                )
                log.info("backfill.done", connection=name, stream=stream.name, backfill=backfill_id)
        except (Fatal, ConnectionPaused):
            # What is paused goes on as soon as the connection is resumed.
            return
        except HubError as error:
            if error.code != UNFINISHED:
                log.warning("backfill.failed", connection=name, backfill=backfill_id, reason=str(error))
            asked = error.after if isinstance(error, RetryLater) else None
            await self._rest(account, backfill_id, str(error), asked, at_work=error.code == UNFINISHED)
            if isinstance(error, FixConnection):
                await self._streams.refused(self._accounts, account, error)
        except Exception as error:  # a defect of one connector must not keep the others' back-fills from going on
            log.exception("backfill.defect", connection=name, backfill=backfill_id)
            await self._rest(account, backfill_id, f"{type(error).__name__}: {error}", None)
        else:
            self._failures.pop(name, None)
            self._rests.pop(name, None)

    async def _pages(self, account: Account, stream: Stream, row: Mapping[str, Any]) -> bool:
        """Read from where it stands to the end of its span; False when it was cancelled."""
        since, until = of_micros(row["since"]), of_micros(row["until"])
        # Whoever else asks the vendor for something goes first.
        session = account.asked_by(Asker(priority=Priority.LOW, flow=f"back-fill {stream.name}"))
        async for page in stream.pull(session, row["cursor"], since):
            inside = [event for event in page.events if since <= event.occurred_at <= until]
            found = await self._streams.take(account, inside, priority=Priority.LOW)
            if not await self._keep(str(row["id"]), page, found):
                return False
            if page.events and not inside and min(event.occurred_at for event in page.events) > until:
                break
            # Whoever waits for the account or for the store goes first.
            await self._ambient.clock.sleep(0)
        return True

    async def _keep(self, backfill_id: str, page: Page, found: Found) -> bool:
        reached = max((to_micros(event.occurred_at) for event in page.events), default=None)
        kept: bool = await self._committer.commit(
            Work(
                lambda tx: streams.advance_backfill(
                    tx, backfill_id, cursor=page.cursor, reached=reached, read=found.read, new=found.new
                )
            )
        )
        return kept

    async def _rest(
        self, account: Account, backfill_id: str, told: str, asked: float | None, *, at_work: bool = False
    ) -> None:
        name = account.name
        now = self._ambient.now()
        if at_work and asked is not None:
            # Nothing has failed, and the connector knows when to look again.
            wait = timedelta(seconds=asked)
        else:
            self._failures[name] = self._failures.get(name, 0) + 1
            wait = wait_after(self._failures[name], _FIRST_RETRY, asked, self._ambient.random.random())
        self._rests[name] = (now, now + wait)
        error = account.redactor.scrub(told)[:500]
        await self._committer.commit(Work(lambda tx: streams.fail_backfill(tx, backfill_id, error=error)))
        if at_work and asked is not None:
            alarm = asyncio.create_task(self._tick_after(asked), name=f"alarm of back-fill {backfill_id}")
            self._alarms.add(alarm)
            alarm.add_done_callback(self._alarms.discard)

    async def _tick_after(self, seconds: float) -> None:
        """Take up what is due then: the ticks come too seldom for a list that is made in less than a second."""
        await self._ambient.clock.sleep(seconds)
        self.tick()

    def _started_by(self, listing: Listing, batch: int | None) -> list[str]:
        """Name the flows that a listing's records start; `FixData` where none does."""
        event = listing.event if batch is None else in_batches(listing.event)
        flows = [flow.name for flow in self._bundle().flows_for(event)]
        if not flows:
            raise FixData(
                f"No flow is started by `{event}`, so that nothing would come of it.", code="no-flow", event=event
            )
        return flows

    def _stream(self, name: str, stream_name: str) -> Stream | Listing:
        account = self._accounts.get(name)
        found = _of(account) if account is not None else ()
        stream = next((stream for stream in found if stream.name == stream_name), None)
        if stream is None:
            known = ", ".join(
                f"{name} {each.name}" for name, account in self._accounts.items() for each in _of(account)
            )
            raise NotFound("There is no such stream.", connection=name, stream=stream_name, known=known or "none")
        return stream


def _of(account: Account) -> Sequence[Stream | Listing]:
    return (*account.connector.streams, *account.connector.listings)
