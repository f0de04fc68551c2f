"""What the data says about a hub's health: work that waits, writes that are open, money that stands, alarms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select

from hub.model.ambient import of_micros, to_micros
from hub.model.effect import EffectState
from hub.model.run import RunState, WaitKind
from hub.queries.amounts import Amount, sums
from hub.queries.checkup import Finding, note, ok, span, warn
from hub.queries.restores import open_writes
from hub.queries.waiting import blocked_in
from hub.store import marks
from hub.store.account_tables import connections, cursors
from hub.store.connections import PAUSED
from hub.store.control_tables import holds, schedules
from hub.store.tables import cases, effects, runs

#: Work that could be claimed for so long, and was not, means that nobody works.
STUCK = timedelta(minutes=5)
#: A write whose outcome is not known for so long needs a look.
OPEN_TOO_LONG = timedelta(hours=1)
#: A schedule that is due for so long and has not begun.
OVERDUE = timedelta(minutes=5)
#: Backups are made daily, give or take.
BACKUP_AGE = timedelta(hours=26)


def examine(connection: Connection, environment: str, now: datetime) -> Iterator[Finding]:
    """Give all findings of one environment."""
    yield _queue(connection, environment, now)
    yield from _waiting(connection, environment)
    yield _parked(connection, environment, now)
    yield _keys(connection, environment, now)
    yield _open_effects(connection, environment, now)
    yield _paused(connection, environment)
    yield _held(connection, environment)
    yield _overdue(connection, environment, now)
    yield _streams(connection, environment)
    yield _restored(connection, environment, now)
    yield _backup(connection, now)


def _queue(connection: Connection, environment: str, now: datetime) -> Finding:
    mine = runs.c.environment == environment
    ripe = (mine, runs.c.state == RunState.QUEUED.value, runs.c.claimable_at <= to_micros(now))
    number, oldest = connection.execute(select(func.count(), func.min(runs.c.claimable_at)).where(*ripe)).one()
    running = connection.execute(select(func.count()).where(mine, runs.c.state == RunState.RUNNING.value)).scalar_one()
    age = timedelta() if oldest is None else now - of_micros(oldest)
    found = f"{number} queued, {running} running" + (f"; the oldest could go on since {span(age)}" if number else "")
    if age > STUCK:
        return warn("work", found, "Look whether a hub runs, and at its log; `concord runs list --state queued`.")
    return ok("work", found)


def _waiting(connection: Connection, environment: str) -> Iterator[Finding]:
    statement = (
        select(runs.c.wait_kind, func.count(), func.min(runs.c.updated_at))
        .where(runs.c.environment == environment, runs.c.wait_kind.is_not(None))
        .where(runs.c.state.in_([RunState.WAITING.value, RunState.QUEUED.value]))
        .group_by(runs.c.wait_kind)
        .order_by(runs.c.wait_kind)
    )
    found = [
        f"{number} for {WaitKind(kind).value} since {of_micros(oldest):%Y-%m-%d %H:%M}"
        for kind, number, oldest in connection.execute(statement)
    ]
    yield ok("waiting", "; ".join(found) if found else "nothing waits")


def _parked(connection: Connection, environment: str, now: datetime) -> Finding:
    mine = (cases.c.environment == environment, cases.c.state == "open")
    statement = (
        select(cases.c.money_currency, func.count(), func.sum(cases.c.money_minor), func.min(cases.c.opened_at))
        .where(*mine)
        .group_by(cases.c.money_currency)
    )
    rows = connection.execute(statement).all()
    if not rows:
        return ok("exceptions", "none is open")
    number = sum(count for _currency, count, _sum, _oldest in rows)
    age = span(now - of_micros(min(oldest for *_others, oldest in rows)))
    money = _money(sums((total, currency) for currency, _count, total, _oldest in rows))
    found = f"{number} open{money}; the oldest since {age}"
    return warn("exceptions", found, "See the page Exceptions, or `concord cases list`: each has its runbook.")


def _keys(connection: Connection, environment: str, now: datetime) -> Finding:
    found = blocked_in(connection, environment, limit=0)
    if found.since is None:
        return ok("keys", "none stands still with runs behind")
    still = f"{found.keys} stand{'s' if found.keys == 1 else ''} still since {span(now - found.since)}"
    behind = f"with {found.waiting.runs} runs behind{_money(found.waiting.money)}"
    return note("keys", f"{still}, {behind}", "The page Overview tells which; what stands in front is waited for.")


def _money(amounts: Sequence[Amount]) -> str:
    return f" about {', '.join(f'{each.value:,} {each.currency}' for each in amounts)}" if amounts else ""


def _open_effects(connection: Connection, environment: str, now: datetime) -> Finding:
    states = (EffectState.INTENT.value, EffectState.UNKNOWN.value)
    mine = (effects.c.environment == environment, effects.c.state.in_(states))
    number, oldest = connection.execute(select(func.count(), func.min(effects.c.created_at)).where(*mine)).one()
    age = timedelta() if oldest is None else now - of_micros(oldest)
    if age > OPEN_TOO_LONG:
        advice = "Look at the runs that make them: their target may be away. `concord status` counts them."
        return warn("writes", f"{number} without an outcome, the oldest since {span(age)}", advice)
    return ok("writes", f"{number} without an outcome" if number else "every outcome is known")


def _paused(connection: Connection, environment: str) -> Finding:
    statement = select(connections.c.name, connections.c.reason).where(
        connections.c.environment == environment, connections.c.state == PAUSED
    )
    paused = [f"{name} ({reason})" for name, reason in connection.execute(statement.order_by(connections.c.name))]
    if paused:
        return warn("connections", f"paused: {', '.join(paused)}", "Mend the credential, then resume the connection.")
    return ok("connections", "none is paused")


def _held(connection: Connection, environment: str) -> Finding:
    mine = (holds.c.environment == environment, holds.c.ended_at.is_(None))
    number = connection.execute(select(func.count()).where(*mine)).scalar_one()
    if number:
        return note("holds", f"{number} ordered by people", "See `concord holds`; nobody else lifts them.")
    return ok("holds", "none")


def _overdue(connection: Connection, environment: str, now: datetime) -> Finding:
    statement = select(schedules.c.flow, schedules.c.next_at).where(
        schedules.c.environment == environment,
        schedules.c.held.is_(False),
        schedules.c.next_at < to_micros(now - OVERDUE),
    )
    late = [f"{flow} since {of_micros(due):%Y-%m-%d %H:%M}" for flow, due in connection.execute(statement)]
    if late:
        return warn("schedules", f"due and not begun: {', '.join(late)}", "Look whether a hub runs, and at its log.")
    return ok("schedules", "none is overdue")


def _streams(connection: Connection, environment: str) -> Finding:
    rows = connection.execute(select(cursors).where(cursors.c.environment == environment)).all()
    failing = [
        f"{row.connection} {row.stream}: {row.error}"
        for row in rows
        if row.failed_at is not None and (row.read_at is None or row.failed_at > row.read_at)
    ]
    gaps = [f"{row.connection} {row.stream}" for row in rows if row.gap is not None]
    if gaps:
        advice = "Order a back-fill of the time that is missing."
        return warn("streams", f"events may be missing in {', '.join(gaps)}", advice)
    if failing:
        return warn("streams", f"cannot be read: {'; '.join(failing)[:300]}", "See the connection's page.")
    return ok("streams", f"{len(rows)} read")


def _restored(connection: Connection, environment: str, now: datetime) -> Finding:
    restored = marks.restored(connection)
    if restored is None:
        return ok("restore", "the data was never restored")
    left = open_writes(connection, environment, restored)
    age = span(now - restored.restored_at)
    found = f"restored {age} ago, with the data of {restored.backup_at:%Y-%m-%d %H:%M}Z; {left} runs of then go on"
    return (warn if left else note)("restore", found, "`concord restore status` tells what was found at the targets.")


def _backup(connection: Connection, now: datetime) -> Finding:
    found = marks.get(connection, marks.BACKUP)
    if found is None:
        return warn("backup", "there is none", "Run `concord backup FILE` every day, and keep it on another disk.")
    value, _at = found
    age = now - datetime.fromisoformat(value["made_at"])
    told = f"{span(age)} old, {value['bytes'] / 1e6:,.1f} MB"
    if age > BACKUP_AGE:
        return warn("backup", told, "Run `concord backup FILE` every day.")
    return ok("backup", told)
