"""A table that takes everything, in a database that several committers share, and a model of what stands in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from hub.audit.kinds import AuditKind
from hub.model.ambient import Ambient
from hub.queries.integrity import verify_logs
from hub.runtime.clock import system_ambient
from hub.store import postgres
from hub.store.audit import Note, logs
from hub.store.committer import Committer, Transaction, Write
from hub.store.database import Database
from tests.shared.servers import Server, Way

OF_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Put(Write):
    """Write a number down; nothing but the committer keeps it from standing there twice."""

    number: int
    patient: bool = True
    during: Callable[[], object] = field(default=lambda: None)

    @classmethod
    def apply(cls, batch: Sequence[Put], transaction: Transaction) -> list[Any]:
        """Write them down one after the other."""
        for each in batch:
            transaction.connection.execute(text("INSERT INTO put VALUES (:number)"), {"number": each.number})
            transaction.entries.append(
                Note(kind=AuditKind.RUN_QUEUED, actor="worker_1", subjects={"run": f"run_{each.number}"})
            )
            each.during()
        return [each.number for each in batch]


@dataclass(frozen=True, slots=True, kw_only=True)
class PutBeside(Put):
    """Write a number down while other processes do the same."""

    @property
    def beside(self) -> bool:
        """It may be."""
        return True


class Desk:
    """A database with a table that takes everything, and a committer over a way that may break."""

    def __init__(self, server: Server, way: Way, folder: Path) -> None:
        """Make the database; nobody commits yet."""
        self.direct = server.database()
        self.folder = folder
        self.url = server.of(self.direct.rpartition("/")[2], way.port)
        with psycopg.connect(self.direct, autocommit=True) as connection:
            connection.execute("CREATE TABLE put (number bigint NOT NULL)")

    @asynccontextmanager
    async def committing(
        self, folder: str = "a", ambient: Ambient | None = None, **settings: str
    ) -> AsyncIterator[Committer]:
        """Give a committer in this process, whose sessions have settings of their own."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(postgres, "WRITER", {**postgres.WRITER, **settings})
            database = Database(self.folder / folder, self.url)
        committer = Committer(database, ambient or system_ambient())
        committer.start()
        try:
            yield committer
        finally:
            await committer.stop()
            database.close()

    def written(self) -> Counter[int]:
        """Give what stands there, and how often."""
        with psycopg.connect(self.direct) as connection:
            return Counter(number for (number,) in connection.execute("SELECT number FROM put"))

    def striking(self, what: str, *, times: int) -> None:
        """Let something befall the transaction that writes a 7 down, at its commit, so often."""
        with psycopg.connect(self.direct, autocommit=True) as connection:
            connection.execute(
                "CREATE FUNCTION strike() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF NEW.number = 7 AND nextval('strikes') <= {times} THEN {what}; END IF; RETURN NULL; END $$"
            )
            connection.execute("CREATE SEQUENCE strikes")
            connection.execute(
                "CREATE CONSTRAINT TRIGGER strikes AFTER INSERT ON put DEFERRABLE INITIALLY DEFERRED "
                "FOR EACH ROW EXECUTE FUNCTION strike()"
            )

    def terminate(self) -> None:
        """Let the server end everybody who is in a transaction."""
        with psycopg.connect(self.direct, autocommit=True) as connection:
            connection.execute(OF_OTHERS)

    def audited(self) -> int:
        """Check the logs of all committers; gives the number of entries."""
        database = Database(self.folder / "read", self.direct)
        try:
            with database.reading() as connection:
                assert verify_logs(connection, self.folder / "read", lambda *_: True).faults == ()
                return sum(log.size for log in logs(connection))
        finally:
            database.close()
