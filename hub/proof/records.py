"""Reading the hub's committed records from its database, without its help and without touching the file."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from hub.proof.evidence import Approval, Case, Change, Effect, Event, HubRecords, Run, Vote
from hub.proof.state_checks import OPEN
from hub.sdk import exact_json
from hub.store.sqlite import FILE_NAME

if TYPE_CHECKING:
    import psycopg

#: Audit entries about an effect → the state that it has from there on.
_STATES = {
    "effect.intended": "intent",
    "effect.done": "done",
    "effect.failed": "failed",
    "effect.unknown": "unknown",
    "effect.parked": "parked",
}


#: The hub counts microseconds.
_SECOND = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """How the hub's records are told to the oracle.

    `event(external id)` and `business(business key)` give the family; `made(connection, operation, output)` gives the
    id of what a write is said to have made, None where nothing can be said.
    """

    event: Callable[[str], str]
    business: Callable[[str], str]
    made: Callable[[str, str, Any], str | None] = lambda _connection, _operation, _output: None


class Records(Protocol):
    """A connection that reads: what `sqlite3.Connection` does, and what stands in its place for a server."""

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Any:
        """Give the rows of a statement with question marks for its parameters."""


class _OnServer:
    """A connection to PostgreSQL, asked in the words in which a file is asked."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Any:
        if not parameters:
            return self._connection.execute(statement.encode())
        return self._connection.execute(statement.replace("%", "%%").replace("?", "%s").encode(), parameters)


@contextmanager
def reading(data: Path, database: str | None = None) -> Iterator[Records]:
    """Open the data for reading, in one snapshot, while the hub runs or not.

    It is in the file of a data directory, or where the URL of a `database` says.
    """
    if database is not None:
        import psycopg  # noqa: PLC0415 - proofs on a file have no driver

        with psycopg.connect(database) as server:
            server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            server.read_only = True
            yield _OnServer(server)
        return
    with closing(sqlite3.connect(f"file:{data / FILE_NAME}?mode=ro", uri=True, timeout=10)) as connection:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("BEGIN")
        yield connection


def effect_keys(connection: Records) -> dict[str, str]:
    """Give each effect's key with its business key."""
    return dict(connection.execute("SELECT key, business_key FROM effects").fetchall())


def read(connection: Records, names: Names) -> HubRecords:
    """Read what is committed."""
    runs = [
        Run(
            id=row[0],
            family=names.business(row[3]),
            flow=row[1],
            key=row[2],
            business_key=row[3],
            event_id=row[4],
            position=row[5],
            state=row[6],
            wait_kind=row[7],
            reason=row[8],
            replay_of=row[9],
            replaced_by=row[10],
            money=None if row[11] is None else Decimal(row[11]),
            currency=row[12],
        )
        for row in connection.execute(
            "SELECT id, flow, key, business_key, event_id, position, state, wait_kind, reason, replay_of, replaced_by,"
            " money_minor, money_currency FROM runs"
        )
    ]
    effects = [_effect(row, names) for row in connection.execute(_EFFECTS)]
    return HubRecords(
        events=[
            Event(
                id=row[0],
                external_id=row[1],
                family=names.event(row[1]),
                type=row[2],
                subject=row[3],
                state=row[4],
                deliveries=row[5],
            )
            for row in connection.execute("SELECT id, external_id, type, subject, state, deliveries FROM events")
        ],
        runs=runs,
        cases=[
            Case(run_id=row[0], family=names.business(row[1]), reason=row[2], open=row[3] == "open")
            for row in connection.execute("SELECT run_id, business_key, reason, state FROM cases")
        ],
        effects=effects,
        approvals=list(_approvals(connection)),
        changes=list(_audited(connection, {effect.key: effect.family for effect in effects})),
    )


def customer_ties(connection: Records) -> dict[str, str]:
    """Give Stripe's id of each customer → the id in NetSuite that it is tied to."""
    return tied(connection, "customer", "stripe", "netsuite")


def tied(connection: Records, entity: str, mine: str, its: str) -> dict[str, str]:
    """Give the ids of things in one system → what they are tied to in another."""
    statement = (
        "SELECT mine.id, its.id FROM crossrefs mine JOIN crossrefs its ON its.thing = mine.thing"
        " AND its.entity = mine.entity WHERE mine.entity = ? AND mine.system = ? AND its.system = ?"
    )
    return dict(connection.execute(statement, (entity, mine, its)).fetchall())


def event_names(connection: Records) -> frozenset[str]:
    """Give the ids that the accepted events have at their senders."""
    rows = connection.execute("SELECT external_id FROM events WHERE state = 'accepted'")
    return frozenset(name for (name,) in rows)


#: A CRM that has one currency has no field for it, and the calls of a write leave it out.
_CURRENCY = "CurrencyIsoCode"
_EFFECTS = (
    "SELECT key, business_key, state, run_id, connection, operation, output, approvals, created_at,"
    " body_hash, batch, undoes, body FROM effects"
)


def _effect(row: tuple[Any, ...], names: Names) -> Effect:
    output = None if row[6] is None else exact_json.loads(row[6])
    return Effect(
        key=row[0],
        family=names.business(row[1]),
        business_key=row[1],
        state=row[2],
        run_id=row[3],
        connection=row[4],
        operation=row[5],
        output_id=None if output is None else names.made(row[4], row[5], output),
        approvals=[] if row[7] is None else exact_json.loads(row[7]),
        intended=[row[8] / _SECOND],
        # What went out together with others has no body of its own.
        sha256="" if row[10] else row[9],
        without_currency="" if row[10] else _without_currency(bytes(row[12] or b"")),
        undoes=row[11] or "",
    )


def _without_currency(body: bytes) -> str:
    """Give the hash of a body as an org with one currency is given it; nothing where it names none."""
    if _CURRENCY.encode() not in body or not body.startswith(b"{"):
        return ""
    told = {name: value for name, value in exact_json.loads(body).items() if name != _CURRENCY}
    return hashlib.sha256(exact_json.canonical(told)).hexdigest()


def _approvals(connection: Records) -> Iterator[Approval]:
    votes: dict[str, list[Vote]] = {}
    for approval_id, actor, verdict, at in connection.execute(
        "SELECT approval_id, actor, verdict, at FROM approval_votes ORDER BY at"
    ):
        votes.setdefault(approval_id, []).append(Vote(actor=actor, verdict=verdict, at=at / _SECOND))
    for approval_id, record_hash in connection.execute("SELECT id, record_hash FROM approvals ORDER BY id"):
        yield Approval(id=approval_id, record_hash=record_hash, votes=votes.get(approval_id, []))


def _audited(connection: Records, families: dict[str, str]) -> Iterator[Change]:
    """Give the changes of effects that the audit log tells of."""
    stands: dict[str, str] = {}
    # Each process of a server has a log of its own, and all of them its one clock.
    order = "at, chain, sequence" if isinstance(connection, _OnServer) else "chain, sequence"
    told = connection.execute(f"SELECT entry FROM audit WHERE kind LIKE 'effect.%' ORDER BY {order}")  # noqa: S608
    for (entry,) in told:
        leaf = exact_json.loads(entry)
        key, state = leaf["subjects"].get("effect"), _STATES.get(leaf["kind"])
        if key in families and state is not None:
            if state != stands.get(key):
                yield Change(kind="effect", id=key, family=families[key], before=stands.get(key), after=state)
            stands[key] = state


def dumped(database: str) -> Iterator[tuple[str, bytes]]:
    """Give all that a database has, table by table, as text."""
    import psycopg  # noqa: PLC0415 - proofs on a file have no driver

    with psycopg.connect(database) as connection:
        connection.execute("SET bytea_output = 'escape'")
        # A table in partitions has no rows of its own.
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
        ).fetchall()
        for (name,) in tables:
            with connection.cursor().copy(f'COPY "{name}" TO STDOUT'.encode()) as copy:
                yield name, b"".join(bytes(part) for part in copy)


def open_effects(data: Path, database: str | None = None) -> list[tuple[str, str]]:
    """Give operation and business key of each effect without an outcome; a hub on a file must not be running.

    The files are copied first: nothing may be changed between a crash and the recovery from it.
    """
    if database is not None:
        with reading(data, database) as server:
            return _open(server)
    with tempfile.TemporaryDirectory(prefix="concord-crash-") as folder:
        for path in data.glob(f"{FILE_NAME}*"):
            shutil.copy(path, folder)
        with closing(sqlite3.connect(Path(folder) / FILE_NAME)) as connection:
            return _open(connection)


def writes_in_hand(connection: Records, first: str) -> int:
    """Count the writes without an outcome of the runs that a process has, whose first worker this was."""
    marks = ", ".join("?" for _ in OPEN)
    # Who has lost a lease goes on under another name.
    statement = (
        "SELECT count(*) FROM effects e JOIN runs r ON r.id = e.run_id"  # noqa: S608 - marks only
        " JOIN workers w ON w.id = r.owner JOIN workers f ON f.committer = w.committer"
        f" WHERE f.id = ? AND e.state IN ({marks})"
    )
    return int(connection.execute(statement, (first, *sorted(OPEN))).fetchone()[0])


def _open(connection: Records) -> list[tuple[str, str]]:
    marks = ", ".join("?" for _ in OPEN)
    rows = connection.execute(
        f"SELECT operation, business_key FROM effects WHERE state IN ({marks})",  # noqa: S608 - marks only
        sorted(OPEN),
    )
    return [(str(operation), str(key)) for operation, key in rows]
