"""Partitions: on PostgreSQL events and the history of runs lie in a table for each month, and go by the month.

Which tables, and why not the others:

- `events`, `steps` and `attempts` grow with all that happens and are what there is most of. Their primary keys begin
  with an id that sorts by the moment it was made (`Ambient.new_id`), so a range of ids is a month, the primary key has
  the partition key in it, and whoever looks by id looks into one partition.
- The name that an event has at its connection says nothing about a month, and a unique key of a partitioned table must
  contain the partition key: `(environment, connection, external_id, id)` would let every repeat in. So the names stand
  in a narrow table of their own, `event_names`, whose primary key they are. A trigger fills it in the very statement
  that stores events, whoever does that, a process of an older version too: no event is stored without its name, and two
  of one name cannot both be. It is never pruned; what comes again years later is still known.
- `runs` and `effects` stay whole. What a run does next is found by partial indexes, which are as small as what is open;
  and an effect's key is what keeps a write from being made twice, at whatever time. `audit` is only added to, and the
  proof of an entry needs all before it. The rows of `outbox` are gone after days.

Months are counted in UTC by the ids, which are made by the clocks of processes. A clock that is wrong puts a row into
another month, and nothing rests on where a row is: what is gone is decided by what the rows say. What fits no month
goes to the partition `..._other`, so that nothing is ever refused; the scheduler moves it once it has a month's
partition to move it to. Everything here is for PostgreSQL alone. On SQLite the tables are plain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Engine, Table, and_, func, or_, select, text
from sqlalchemy.exc import DBAPIError

from hub.model.ambient import id_from
from hub.model.run import OPEN_STATES
from hub.sdk import exact_json
from hub.store.outbox_tables import outbox
from hub.store.tables import attempts, events, runs, steps

#: The tables in partitions: the column that says in which, and the word its ids begin with.
PARTITIONED = {events: ("id", "event"), steps: ("run_id", "run"), attempts: ("run_id", "run")}
#: So many months are made ahead of the present one: a scheduler may be away for as long.
AHEAD = 2
#: So long one waits for the moment in which nobody uses a table (its parent is locked for an instant); the next tick
#: tries again, and nobody is held up for longer.
PATIENCE = "300ms"
#: What says that the moment did not come.
_BUSY = frozenset({"55P03", "40P01", "57014"})
_BOUNDS = re.compile(r"FROM \((?:'([^']*)'|MINVALUE)\) TO \((?:'([^']*)'|MAXVALUE)\)")
_OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """One partition of a table: the ids from `first` (None: from the least on) up to `end`, without that.

    Of the one for all that fits nowhere both are None.
    """

    table: Table
    name: str
    first: str | None
    end: str | None


def month_of(moment: datetime) -> datetime:
    """Give the beginning of a moment's month, in UTC."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def after(month: datetime, count: int = 1) -> datetime:
    """Give the beginning of a later month, or of an earlier one."""
    number = month.year * 12 + month.month - 1 + count
    return month.replace(year=number // 12, month=number % 12 + 1)


def bound(table: Table, month: datetime) -> str:
    """Give the least id that can be made in a month."""
    return id_from(PARTITIONED[table][1], month)


def existing(connection: Connection) -> list[Partition]:
    """Give every partition, by table and in the order of the ids; those for all others come last."""
    by_name = {table.name: table for table in PARTITIONED}
    found = [
        Partition(table=by_name[parent], name=name, first=bounds[0], end=bounds[1])
        for parent, name, spec in connection.execute(_EXISTING, {"names": list(by_name)})
        for bounds in [_bounds(spec)]
    ]
    return sorted(found, key=lambda each: (each.table.name, each.end is None, each.first or ""))


_EXISTING = text(
    "SELECT parent.relname, part.relname, pg_get_expr(part.relpartbound, part.oid) FROM pg_inherits "
    "JOIN pg_class AS part ON part.oid = inhrelid JOIN pg_class AS parent ON parent.oid = inhparent "
    "WHERE parent.relname = ANY(:names) AND parent.relkind = 'p' "
    "AND parent.relnamespace = current_schema()::regnamespace"
)


def _bounds(spec: str) -> tuple[str | None, str | None]:
    found = _BOUNDS.search(spec)
    return (None, None) if found is None else (found.group(1), found.group(2))


def missing(standing: list[Partition], now: datetime) -> list[tuple[Table, datetime]]:
    """Say which months have no partition yet that should have one: the present one, and those ahead.

    A table that has none at all is not in partitions yet.
    """
    found = []
    for table in {each.table: None for each in standing}:
        ends = [each.end for each in standing if each.table is table and each.end is not None]
        for count in range(AHEAD + 1):
            month = after(month_of(now), count)
            # What is below the last end has its place, whatever the partition there is called.
            if not any(end >= bound(table, after(month)) for end in ends):
                found.append((table, month))
    return found


def make(engine: Engine, now: datetime) -> list[str] | None:
    """Make the partitions that are missing, each in a transaction of its own; gives their names.

    None says that a table was in use all the time; what was made till then stays. Rows of such a month that lie among
    the others are moved into it in the same transaction.
    """
    with engine.connect() as connection:
        todo = missing(existing(connection), now)
    made = []
    for table, month in todo:
        try:
            with engine.begin() as connection:
                made.append(_make(connection, table, month))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in _BUSY:
                raise
            return None
    return made


def _make(connection: Connection, table: Table, month: datetime) -> str:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}'")
    # Two that make it at a time do it one after the other.
    connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": f"partitions of {table.name}"})
    name, key = f"{table.name}_{month:%Y_%m}", PARTITIONED[table][0]
    standing = existing(connection)
    if not any(at == month for of, at in missing(standing, month) if of is table):
        return name
    first, end = bound(table, month), bound(table, after(month))
    # All that is put together here are names of tables, and ids of our own making.
    connection.exec_driver_sql(f"CREATE TABLE {name} (LIKE {table.name} INCLUDING DEFAULTS INCLUDING STORAGE)")
    # With this the table is not read through when it is put in its place.
    within = f"{key} >= '{first}' AND {key} < '{end}'"
    connection.exec_driver_sql(f"ALTER TABLE {name} ADD CONSTRAINT {name}_range CHECK ({within})")
    others = next((each.name for each in standing if each.table is table and each.first is each.end is None), None)
    if others is not None:
        moved = (
            f"WITH moved AS (DELETE FROM {others} WHERE {within} RETURNING *) INSERT INTO {name} SELECT * FROM moved"  # noqa: S608
        )
        connection.exec_driver_sql(moved)
    place = f"FOR VALUES FROM ('{first}') TO ('{end}')"
    connection.exec_driver_sql(f"ALTER TABLE {table.name} ATTACH PARTITION {name} {place}")
    connection.exec_driver_sql(f"ALTER TABLE {name} DROP CONSTRAINT {name}_range")
    return name


def others(connection: Connection) -> dict[str, int]:
    """Count, by table, what lies in the partition for all that fits nowhere; at most a thousand are counted."""
    found = {}
    for each in existing(connection):
        if each.first is each.end is None:
            some = f"SELECT count(*) FROM (SELECT FROM {each.name} LIMIT 1000) AS found"  # noqa: S608 - our own name
            number = connection.exec_driver_sql(some).scalar_one()
            if number:
                found[each.table.name] = int(number)
    return found


def over(connection: Connection, before: datetime) -> list[Partition]:
    """Give the partitions all of whose ids were made before a moment; events come after what their runs have left."""
    order = list(PARTITIONED)
    found = [
        each
        for each in existing(connection)
        if each.end is not None and each.end <= id_from(PARTITIONED[each.table][1], before)
    ]
    return sorted(found, key=lambda each: (-order.index(each.table), each.end))


def needed(connection: Connection, partition: Partition, environment: str) -> str | None:
    """Say why a partition may not go yet; None if nothing in it is needed, by the rules of pruning.

    Only what was pruned goes: so a run that is open, an exception that nobody has closed, a write without an outcome
    and an event in quarantine keep their month. Of another environment nothing goes by this one's policy. Events stay
    besides as long as an open run may still come to wait for one of them, and as a feed may tell of one.
    """
    if partition.table is events:
        return _events_needed(connection, partition, environment)
    # Without its run a step has nobody who needs it. The rows of a month's runs are asked, which are fewer than steps.
    kept = and_(_within(partition, runs.c.id), or_(runs.c.pruned_at.is_(None), runs.c.environment != environment))
    return "runs" if connection.execute(select(runs.c.id).where(kept).limit(1)).scalar() is not None else None


def _events_needed(connection: Connection, partition: Partition, environment: str) -> str | None:
    own = text(
        f"SELECT 1 FROM {partition.name} WHERE pruned_at IS NULL OR environment <> :environment LIMIT 1"  # noqa: S608
    )
    if connection.execute(own, {"environment": environment}).scalar() is not None:
        return "events"
    if connection.execute(select(outbox.c.position).where(_within(partition, outbox.c.event_id)).limit(1)).scalar():
        return "feed"
    newest = connection.exec_driver_sql(f"SELECT max(position) FROM {partition.name}").scalar()  # noqa: S608
    return "waits" if newest is not None and any(place < newest for place in _awaiting(connection)) else None


def _awaiting(connection: Connection) -> Iterator[int]:
    """Give behind which places in the order of events open runs may wait: those of their own events."""
    going = and_(
        runs.c.state.in_([state.value for state in OPEN_STATES]),
        runs.c.pruned_at.is_(None),
        runs.c.replaced_by.is_(None),
    )
    joined = select(func.min(events.c.position)).select_from(runs.join(events, events.c.id == runs.c.event_id))
    least = connection.execute(joined.where(going, events.c.release.is_(None))).scalar()
    if least is not None:
        yield least
    # What was released, or edited, counts from where it first came.
    released = select(events.c.position, events.c.release).select_from(
        runs.join(events, events.c.id == runs.c.event_id)
    )
    for position, release in connection.execute(released.where(going, events.c.release.is_not(None))):
        yield int(exact_json.loads(release).get("position", position))


def drop(engine: Engine, partition: Partition, environment: str) -> bool:
    """Drop a partition in which nothing is needed; False if something is after all, or others use the table.

    Nobody can add to it while it is looked through once more: whoever brings a row for it, with a clock that is years
    behind, waits, and finds his row's place among the others.
    """
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{PATIENCE}'")
            standing = {each.name: each for each in existing(connection)}
            if standing.get(partition.name) != partition:
                return False
            connection.exec_driver_sql(f"LOCK TABLE {partition.name} IN SHARE MODE")
            if needed(connection, partition, environment) is not None:
                return False
            connection.exec_driver_sql(f"DROP TABLE {partition.name}")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) not in _BUSY:
            raise
        return False
    return True


def _within(partition: Partition, column: ColumnElement[str]) -> ColumnElement[bool]:
    below = column < partition.end
    return below if partition.first is None else and_(column >= partition.first, below)
