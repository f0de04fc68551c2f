"""Reading the hub's committed records from its database file, without its help and without touching the file."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

from hub.proof.evidence import Case, Effect, Event, HubRecords, Run
from hub.store.database import FILE_NAME

#: States of an effect whose outcome nobody knows.
OPEN = ("intent", "unknown")


def read(data: Path) -> HubRecords:
    """Read what is committed, while the hub runs or not."""
    with _reading(data / FILE_NAME) as connection:
        return HubRecords(
            events=[
                Event(id=row[0], external_id=row[1], type=row[2], subject=row[3], state=row[4], deliveries=row[5])
                for row in connection.execute("SELECT id, external_id, type, subject, state, deliveries FROM events")
            ],
            runs=[
                Run(
                    id=row[0],
                    flow=row[1],
                    key=row[2],
                    business_key=row[3],
                    event_id=row[4],
                    position=row[5],
                    state=row[6],
                    wait_kind=row[7],
                    replay_of=row[8],
                    money=None if row[9] is None else Decimal(row[9]),
                    currency=row[10],
                )
                for row in connection.execute(
                    "SELECT id, flow, key, business_key, event_id, position, state, wait_kind, replay_of,"
                    " money_minor, money_currency FROM runs"
                )
            ],
            cases=[
                Case(run_id=row[0], reason=row[1])
                for row in connection.execute("SELECT run_id, reason FROM cases WHERE state = 'open'")
            ],
            effects=[
                Effect(key=row[0], business_key=row[1], state=row[2])
                for row in connection.execute("SELECT key, business_key, state FROM effects")
            ],
        )


def open_effects(data: Path) -> list[tuple[str, str]]:
    """Give operation and business key of each effect without an outcome; the hub must not be running.

    The files are copied first: nothing may be changed between a crash and the recovery from it.
    """
    with tempfile.TemporaryDirectory(prefix="concord-crash-") as folder:
        for path in data.glob(f"{FILE_NAME}*"):
            shutil.copy(path, folder)
        with closing(sqlite3.connect(Path(folder) / FILE_NAME)) as connection:
            marks = ", ".join("?" for _ in OPEN)
            rows = connection.execute(
                f"SELECT operation, business_key FROM effects WHERE state IN ({marks})",  # noqa: S608 - marks only
                OPEN,
            )
            return [(str(operation), str(key)) for operation, key in rows]


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
        connection.execute("PRAGMA query_only=ON")
        # One snapshot for all tables.
        connection.execute("BEGIN")
        yield connection
