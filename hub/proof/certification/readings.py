"""The trial of a stream under one fault: read as the hub reads it until it is whole, and compared with the vendor's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
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
BETWEEN = (5.0, 5.0, 20.0, *(300.0,) * 16)
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
        await set_plan(hub, fault, elsewhere.url)
        mended = False
        wanted = await _contents(hub, stream)
        for seconds in BETWEEN:
            await _read(hub, polls)
            if not mended and await is_mended(hub, skew):
                mended = True
            elif _taken(hub) == wanted and hub.sandbox.world.faults.is_over:
                break
            hub.clock.leap(seconds)
        struck = hub.sandbox.world.faults.injected
        if fault is not None and not all(struck.get(entry["kind"]) for _, entry in fault.plan):
            raise NotStruck
        return _ended(hub, wanted, elsewhere.visitors)


async def set_plan(hub: Stand, fault: ProviderFault | None, elsewhere: str) -> None:
    """Tell the sandbox what goes wrong from now on with readings; `elsewhere` is the address of another host."""
    if fault is None:
        return
    await warm_up(hub)
    places = {Where.CALL: NO_TOKENS, Where.TOKEN: TOKENS}
    hub.sandbox.world.faults.replace([told(hub, entry, places[where], elsewhere) for where, entry in fault.plan])


async def is_mended(hub: Stand, skew: float) -> bool:
    """Put right what has paused the connection, and resume it, as a person does; False where it is not paused."""
    if hub.account.paused is None:
        return False
    hub.sandbox.world.faults.replace([], keep_counts=True)
    hub.clock.put_right(skew)
    await hub.resume()
    return True


def streams_of(hub: Stand) -> Streams:
    """Give what reads streams, and takes what is listed."""
    return Streams(
        environment=ENVIRONMENT,
        ambient=hub.ambient,
        database=hub.database,
        committer=hub.committer,
        intake=hub.intake,
    )


def _polls(hub: Stand) -> Polls:
    return Polls(
        ambient=hub.ambient,
        accounts=hub.accounts,
        bundle=hub.bundle,
        streams=streams_of(hub),
        every=timedelta(seconds=60),
    )


async def _at_vendor(connector: Connector, samples: Samples, stream: Stream) -> Mapping[str, str]:
    """Give the types of the events that the vendor has, by id."""
    async with stand(connector, samples, of_triggers(connector, [f"{connector.name}.none"])) as hub:
        connected = Connected(connector, hub.beside)
        try:
            pages = [page async for page in stream.pull(connected, None, _LONG_AGO)]
        finally:
            await connected.close()
    return {event.external_id: event.type for page in pages for event in page.events}


async def _contents(hub: Stand, stream: Stream) -> Mapping[str, str]:
    """Give what the vendor has of late, by id; nothing goes wrong for who looks here."""
    faults = hub.sandbox.world.faults
    with faults.suspended():
        connected = Connected(hub.connector, hub.beside)
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
    taken = _taken(hub)
    return reading_of(
        hub,
        lost=sorted(wanted.keys() - taken.keys()),
        wrong=sorted(id for id, content in taken.items() if wanted.get(id) != content),
        strayed=strayed,
    )


def reading_of(hub: Stand, *, lost: Sequence[str], wrong: Sequence[str], strayed: int) -> Read:
    """Count what the hub has taken, beside what is missing of it and what is wrong."""
    with hub.database.reading() as reading:
        states = reading.execute(select(events.c.state)).scalars().all()
        started = reading.execute(select(func.count()).select_from(runs)).scalar_one()
        paused = select(func.count()).where(audit.c.kind == AuditKind.CONNECTION_PAUSED.value)
        pauses = reading.execute(paused).scalar_one()
    return Read(
        lost=tuple(lost),
        wrong=tuple(wrong),
        kept=sum(state != EventState.ACCEPTED for state in states),
        events=len(states),
        runs=started,
        pauses=pauses,
        strayed=strayed,
    )
