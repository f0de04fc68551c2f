"""The trial of a stream under one fault: read as the hub reads it until it is whole, and compared with the vendor's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select

from hub.audit.kinds import AuditKind
from hub.intake.door import content_of, stored_data
from hub.intake.polls import Polls
from hub.intake.streams import FIRST_LOOK, Streams
from hub.model.event import EventState
from hub.proof.certification.catalogue import ProviderFault, Where
from hub.proof.certification.flows import of_triggers
from hub.proof.certification.judging import Read
from hub.proof.certification.obstacles import NO_TOKENS, TOKENS, NotStruck, told, trap, warm_up
from hub.proof.certification.stand import ENVIRONMENT, PATIENCE, SHORT_PATIENCE, Stand, stand
from hub.sdk.connector import Connector, Stream
from hub.sdk.testing.samples import Samples
from hub.sdk.testing.sending import Connected
from hub.store.account_tables import cursors
from hub.store.committer import Transaction, Work
from hub.store.tables import audit, events, runs

#: The seconds between readings: a few close to each other, then as long as an outage may last.
_BETWEEN = (5.0, 5.0, 20.0, *(300.0,) * 16)
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


async def try_stream(connector: Connector, samples: Samples, stream: Stream, fault: ProviderFault | None) -> Read:
    """Read a stream under a fault (None: nothing goes wrong) until all is there, or long enough.

    Raises `NotStruck` where the fault cannot strike.
    """
    alone = replace(connector, streams=(stream,))
    expected = await _at_vendor(alone, samples, stream)
    patience = SHORT_PATIENCE if fault is not None and fault.hangs else PATIENCE
    skew = 0.0 if fault is None else fault.skew
    bundle = of_triggers(alone, expected.values())
    async with stand(alone, samples, bundle, patience=patience, skew=skew) as hub, trap() as elsewhere:
        polls = _polls(hub)
        if fault is not None and fault.name in ("cursor-gone", "page-repeated"):
            await _read(hub, polls)
        if fault is not None and fault.name == "page-repeated":
            await hub.committer.commit(Work(_forget))
        if fault is not None:
            await warm_up(hub)
            places = {Where.CALL: NO_TOKENS, Where.TOKEN: TOKENS}
            plan = [told(hub, entry, places[where], elsewhere.url) for where, entry in fault.plan]
            hub.sandbox.world.faults.replace(plan)
        mended = False
        wanted = await _contents(hub, stream)
        for seconds in _BETWEEN:
            await _read(hub, polls)
            if hub.account.paused is not None and not mended:
                mended = True
                hub.sandbox.world.faults.replace([], keep_counts=True)
                hub.clock.put_right(skew)
                await hub.resume()
            elif _taken(hub) == wanted and hub.sandbox.world.faults.is_over:
                break
            hub.clock.leap(seconds)
        struck = hub.sandbox.world.faults.injected
        if fault is not None and not all(struck.get(entry["kind"]) for _, entry in fault.plan):
            raise NotStruck
        return _ended(hub, wanted, elsewhere.visitors)


def _polls(hub: Stand) -> Polls:
    reading = Streams(
        environment=ENVIRONMENT,
        ambient=hub.ambient,
        database=hub.database,
        committer=hub.committer,
        intake=hub.intake,
    )
    return Polls(
        ambient=hub.ambient,
        accounts=hub.accounts,
        bundle=hub.bundle,
        streams=reading,
        every=timedelta(seconds=60),
    )


async def _at_vendor(connector: Connector, samples: Samples, stream: Stream) -> Mapping[str, str]:
    """Give the types of the events that the vendor has, by id."""
    async with stand(connector, samples, of_triggers(connector, [f"{connector.name}.none"])) as hub:
        connected = Connected(connector, hub.account.settings)
        try:
            pages = [page async for page in stream.pull(connected, None, _LONG_AGO)]
        finally:
            await connected.close()
    return {event.external_id: event.type for page in pages for event in page.events}


async def _contents(hub: Stand, stream: Stream) -> Mapping[str, str]:
    """Give what the vendor has of late, by id; nothing goes wrong for who looks here."""
    faults = hub.sandbox.world.faults
    with faults.suspended():
        connected = Connected(hub.connector, hub.account.settings)
        try:
            pages = [page async for page in stream.pull(connected, None, hub.ambient.now() - FIRST_LOOK)]
        finally:
            await connected.close()
    return {event.external_id: content_of(stored_data(event)[0]) for page in pages for event in page.events}


async def _read(hub: Stand, polls: Polls) -> None:
    task = asyncio.create_task(polls.read_all())
    await hub.until(task.done)
    await task


def _forget(transaction: Transaction) -> None:
    transaction.connection.execute(delete(cursors))


def _taken(hub: Stand) -> Mapping[str, str]:
    with hub.database.reading() as reading:
        rows = reading.execute(select(events.c.external_id, events.c.body_hash)).all()
    return {row.external_id: row.body_hash for row in rows}


def _ended(hub: Stand, wanted: Mapping[str, str], strayed: int) -> Read:
    with hub.database.reading() as reading:
        found = reading.execute(select(events.c.external_id, events.c.body_hash, events.c.state)).all()
        started = reading.execute(select(func.count()).select_from(runs)).scalar_one()
        paused = select(func.count()).where(audit.c.kind == AuditKind.CONNECTION_PAUSED.value)
        pauses = reading.execute(paused).scalar_one()
    taken = {row.external_id: row.body_hash for row in found}
    return Read(
        lost=tuple(sorted(wanted.keys() - taken.keys())),
        wrong=tuple(sorted(id for id, content in taken.items() if wanted.get(id) != content)),
        kept=sum(row.state != EventState.ACCEPTED for row in found),
        events=len(found),
        runs=started,
        pauses=pauses,
        strayed=strayed,
    )
