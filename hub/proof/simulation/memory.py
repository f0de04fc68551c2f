"""The hub's database in memory: made once by the real migrations, and begun anew from that image for each trial."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool

from hub.store.database import Database
from hub.store.sqlite import FILE_NAME


class MemoryDatabase(Database):
    """Everything over one connection: in one thread, a look never meets a transaction that is under way.

    What was committed survives the end of a simulated process, as a file would.
    """

    def __init__(self) -> None:
        """Open an empty database; `begin_anew` fills it."""
        self.directory = Path()
        self.dialect = "sqlite"
        self.file = self._opened()
        self.writer = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: self.file)
        event.listen(self.writer, "begin", _begin_immediate)
        # A second engine over the same connection: whoever reads begins no transaction.
        self.reader = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: self.file)
        self._looking: Connection | None = None
        self._time: Callable[[], float] = lambda: 0.0
        self.begin_anew()

    def _now(self) -> float:
        return self._time()

    def tell_time(self, time: Callable[[], float]) -> None:
        """Take what tells the time for what is witnessed; no clock that may leap."""
        self._time = time

    def begin_anew(self, image: bytes | None = None) -> None:
        """Put an image in the place of everything; without one, the tables as the migrations make them."""
        # Not into the connection that was: SQLite loses with it what a table-valued function holds that was used there,
        # and the next use ends the process.
        self._looking = None
        self.writer.dispose()
        self.reader.dispose()
        self.file = self._opened()
        self.file.deserialize(image if image is not None else empty_tables())
        self.file.execute("PRAGMA foreign_keys=ON")

    def _opened(self) -> sqlite3.Connection:
        made = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=1000)
        made.create_function("virtual_time", 0, self._now)
        return made

    def image(self) -> bytes:
        """Give what is committed, to begin anew with."""
        return self.file.serialize()

    def fill(self) -> None:
        """Let the disk be full: SQLite itself refuses whatever needs another page."""
        (pages,) = self.file.execute("PRAGMA page_count").fetchone()
        self.file.execute(f"PRAGMA max_page_count={pages}")

    def make_room(self) -> None:
        """Let the disk have room again."""
        self.file.execute("PRAGMA max_page_count=1073741823")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give the connection for reading."""
        yield self.looking

    def close(self) -> None:
        """Keep everything open: the process has ended, not the disk."""


@cache
def empty_tables() -> bytes:
    """Give the image of a database that the real migrations have just made, with what tells state changes apart."""
    with tempfile.TemporaryDirectory(prefix="concord-prove-") as folder:
        Database(Path(folder)).close()
        made = sqlite3.connect(Path(folder) / FILE_NAME)
        try:
            made.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            # An image in memory has no log beside it.
            made.execute("PRAGMA journal_mode=DELETE")
            made.executescript(_WITNESS)
            return made.serialize()
        finally:
            made.close()


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


#: Writes down each change of a state, whoever makes it, in the transaction that makes it, with the true time.
_WITNESS = """
CREATE TABLE witnessed (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, before TEXT, after TEXT NOT NULL,
    detail TEXT, at REAL NOT NULL
);
CREATE TRIGGER witness_run AFTER UPDATE OF state ON runs WHEN old.state <> new.state BEGIN
    INSERT INTO witnessed (kind, id, before, after, at)
    VALUES ('run', new.id, old.state, new.state, virtual_time());
END;
CREATE TRIGGER witness_new_run AFTER INSERT ON runs BEGIN
    INSERT INTO witnessed (kind, id, after, at) VALUES ('run', new.id, new.state, virtual_time());
END;
CREATE TRIGGER witness_effect AFTER UPDATE OF state ON effects WHEN old.state <> new.state BEGIN
    INSERT INTO witnessed (kind, id, before, after, at)
    VALUES ('effect', new.key, old.state, new.state, virtual_time());
END;
CREATE TRIGGER witness_new_effect AFTER INSERT ON effects BEGIN
    INSERT INTO witnessed (kind, id, after, at) VALUES ('effect', new.key, new.state, virtual_time());
END;
CREATE TRIGGER witness_vote AFTER INSERT ON approval_votes BEGIN
    INSERT INTO witnessed (kind, id, after, detail, at)
    VALUES ('vote', new.approval_id, new.verdict, new.actor, virtual_time());
END;
CREATE TRIGGER witness_person AFTER UPDATE OF disabled ON people BEGIN
    INSERT INTO witnessed (kind, id, after, at)
    VALUES ('person', new.id, CASE WHEN new.disabled THEN 'away' ELSE 'back' END, virtual_time());
END;
CREATE TRIGGER witness_hold AFTER INSERT ON holds BEGIN
    INSERT INTO witnessed (kind, id, after, detail, at)
    VALUES ('hold', new.name, 'held', new.kind || ' ' || new.key, virtual_time());
END;
CREATE TRIGGER witness_lift AFTER UPDATE OF ended_at ON holds WHEN old.ended_at IS NULL BEGIN
    INSERT INTO witnessed (kind, id, before, after, detail, at)
    VALUES ('hold', new.name, 'held', 'free', new.kind || ' ' || new.key, virtual_time());
END;
CREATE TRIGGER witness_pause AFTER UPDATE OF state ON connections WHEN old.state <> new.state BEGIN
    INSERT INTO witnessed (kind, id, after, detail, at)
    VALUES ('hold', new.name, CASE new.state WHEN 'paused' THEN 'held' ELSE 'free' END, 'connection ', virtual_time());
END;
CREATE TRIGGER witness_first_pause AFTER INSERT ON connections WHEN new.state = 'paused' BEGIN
    INSERT INTO witnessed (kind, id, after, detail, at)
    VALUES ('hold', new.name, 'held', 'connection ', virtual_time());
END;
"""
