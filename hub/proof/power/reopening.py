"""Opening what a cut of power left, with the hub's own code, and asking whether anything promised is missing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, select

from hub.errors import HubError
from hub.model.ambient import Ambient
from hub.model.effect import EffectState
from hub.proof.power.witness import Witness
from hub.proof.workspace import ENVIRONMENT
from hub.queries.integrity import verify_logs
from hub.runtime.clock import SystemClock
from hub.store import runs
from hub.store.committer import Committer, Work
from hub.store.database import Database
from hub.store.sqlite import FILE_NAME
from hub.store.tables import batches, effects, events

#: What was written of a write when its outcome was.
_KNOWN = frozenset({EffectState.DONE.value, EffectState.FAILED.value, EffectState.PARKED.value})


def missing(
    folder: Path, files: Mapping[str, bytes], witness: Witness, moment: float, verifier: Callable[[bytes, bytes], bool]
) -> Iterator[str]:
    """Put the files into an empty folder, open them, and tell what should be there at that moment and is not."""
    for name, content in files.items():
        (folder / name).write_bytes(content)
    wanted = witness.until(moment)
    if FILE_NAME not in files:
        if any(wanted):
            yield "there is no database, and something was acknowledged"
        return
    try:
        database = Database(folder)
    except HubError as error:
        yield f"refused to open: {error}"
        return
    with closing(database):
        with database.reading() as connection:
            yield from _broken(connection, folder, verifier)
            yield from _gone(connection, *wanted)
        asyncio.run(_recover(database))


def _broken(connection: Connection, folder: Path, verifier: Callable[[bytes, bytes], bool]) -> Iterator[str]:
    found = connection.exec_driver_sql("PRAGMA integrity_check(3)").scalars().all()
    if found != ["ok"]:
        yield f"integrity: {'; '.join(map(str, found))}"
    for fault in verify_logs(connection, folder, verifier).faults:
        yield f"audit: {fault}"


def _gone(
    connection: Connection, known: frozenset[str], requests: frozenset[str], outcomes: frozenset[str]
) -> Iterator[str]:
    there = set(connection.execute(select(events.c.external_id)).scalars())
    for event in sorted(known - there):
        yield f"event {event} was acknowledged and is not there"
    intended = set(connection.execute(select(effects.c.body_hash)).scalars())
    intended |= set(connection.execute(select(batches.c.body_hash)).scalars())
    for request in sorted(requests - intended):
        yield f"a request with the body {request[:12]} was sent, and its intent is not there"
    settled = set(connection.execute(select(effects.c.key).where(effects.c.state.in_(_KNOWN))).scalars())
    for key in sorted(outcomes - settled):
        yield f"the outcome of {key} was built upon and is not there"


async def _recover(database: Database) -> None:
    """Take up what was left, as a start does: it must be possible to write."""
    committer = Committer(database, Ambient(clock=SystemClock(), random=random.Random(1)))
    committer.start()
    try:
        await committer.commit(Work(lambda tx: runs.recover(tx, environment=ENVIRONMENT, actor="worker_after")))
    finally:
        await committer.stop()
