"""Reading: what one look sees belongs together, whatever is written meanwhile."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import Connection

from hub.audit.chain import ChainHead
from hub.audit.kinds import AuditKind
from hub.queries import integrity
from hub.store import audit
from hub.store.audit import Note
from hub.store.committer import Committer, Transaction, Work
from hub.store.database import Database


def _noted(transaction: Transaction) -> None:
    transaction.entries.append(Note(kind=AuditKind.HUB_STARTED, actor="process"))


async def test_a_look_of_several_statements_sees_one_state(store: tuple[Database, Committer]) -> None:
    database, committer = store
    await committer.commit(Work(_noted))
    with database.reading() as connection:
        (before,) = audit.logs(connection)
        await committer.commit(Work(_noted))
        assert audit.logs(connection) == [before]
        assert len(list(audit.entries(connection, before.log))) == before.size
    with database.reading() as connection:
        assert audit.logs(connection) != [before]


async def test_a_log_that_grows_while_it_is_verified_holds(
    store: tuple[Database, Committer], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, committer = store
    await committer.commit(Work(_noted))
    ends, loop = audit.logs, asyncio.get_running_loop()

    def and_then_one_more(connection: Connection) -> list[ChainHead]:
        found = ends(connection)
        asyncio.run_coroutine_threadsafe(committer.commit(Work(_noted)), loop).result(10)
        return found

    monkeypatch.setattr(audit, "logs", and_then_one_more)
    verdict = await asyncio.to_thread(integrity.verify, database, lambda _signature, _message: True)
    assert verdict.faults == ()
