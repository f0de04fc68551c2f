"""Budgets of external accounts: what is used of their quotas, what was learned, and who waits for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, and_, case, delete, func, select, tuple_, update

from hub.model.run import RunState
from hub.model.turns import Turns
from hub.sdk import exact_json
from hub.store.committer import Transaction
from hub.store.control_tables import budgets
from hub.store.statements import upsert
from hub.store.tables import awaited, runs

_KEYS = ("environment", "name")
#: A time of a quota that begins later than this from now was begun by a clock that was wrong (microseconds).
FAR = 3_600_000_000


def topic(*, environment: str, name: str) -> str:
    """Name what a run waits for in the row of an account."""
    return f"limit:{environment}:{name}"


def reserve(
    transaction: Transaction, *, environment: str, name: str, begins: int, quota: int, count: int
) -> tuple[int, int]:
    """Take up to `count` of what is left of a quota in the time that begins then; gives that and how many are taken.

    A time that begins before the one that is counted gives nothing: a clock was set back. Where the one that is counted
    has not come by far, the clock was wrong before; what was used by it counts as used now.
    """
    row = _row(transaction.connection, environment, name)
    taken = 0
    if row is not None and row["window_start"] is not None:
        to_come = row["window_start"] > begins
        if to_come and row["window_start"] <= transaction.now + FAR:
            return 0, quota
        taken = row["used"] if to_come or row["window_start"] == begins else 0
    given = max(min(count, quota - taken), 0)
    _write(transaction, environment, name, {"window_start": begins, "used": taken + given})
    return given, taken + given


def give_back(transaction: Transaction, *, environment: str, name: str, begins: int, count: int) -> None:
    """Return what was taken of a quota and not used."""
    transaction.connection.execute(
        update(budgets)
        .where(budgets.c.environment == environment, budgets.c.name == name, budgets.c.window_start == begins)
        .values(used=case((budgets.c.used > count, budgets.c.used - count), else_=0), updated_at=transaction.now)
    )


def keep_learned(transaction: Transaction, *, environment: str, name: str, learned: Mapping[str, Any] | None) -> None:
    """Keep what was learned of an account's limits; None when nothing is."""
    text = None if learned is None else exact_json.dumps(dict(learned)).decode()
    _write(transaction, environment, name, {"learned": text})


def learned(connection: Connection, *, environment: str) -> dict[str, Mapping[str, Any]]:
    """Give what was learned of each account of an environment."""
    statement = select(budgets.c.name, budgets.c.learned).where(
        budgets.c.environment == environment, budgets.c.learned.is_not(None)
    )
    return {name: exact_json.loads(text) for name, text in connection.execute(statement)}


def waiting(connection: Connection, *, environment: str) -> dict[str, int]:
    """Count the runs that wait in the rows of accounts, by account."""
    prefix = topic(environment=environment, name="")
    alone = (
        select(runs.c.wait_on, func.count())
        .where(runs.c.wait_on >= prefix, runs.c.wait_on < f"{prefix}\uffff", runs.c.state == RunState.WAITING.value)
        .group_by(runs.c.wait_on)
    )
    among = (
        select(awaited.c.topic, func.count())
        .where(awaited.c.topic >= prefix, awaited.c.topic < f"{prefix}\uffff")
        .group_by(awaited.c.topic)
    )
    found: dict[str, int] = {}
    for statement in (alone, among):
        for on, number in connection.execute(statement):
            name = str(on).removeprefix(prefix)
            found[name] = found.get(name, 0) + number
    return found


def wake_some(transaction: Transaction, on: str, count: int, turns: Turns) -> int:
    """Let up to `count` runs go that wait for a topic: by class of urgency, and one flow after the other within it.

    `turns` is kept by the caller, so that the order goes on from one call to the next. Gives how many there were.
    """
    connection = transaction.connection
    lines = _lines(connection, on, count)
    chosen: list[str] = []
    while len(chosen) < count and lines:
        priority = turns.choose(lines)
        flows = lines[priority]
        flow = turns.next_of(priority, flows)
        chosen.append(flows[flow].popleft())
        if not flows[flow]:
            del flows[flow]
        if not flows:
            del lines[priority]
    for start in range(0, len(chosen), 500):
        some = chosen[start : start + 500]
        connection.execute(
            update(runs)
            .where(runs.c.id.in_(some), runs.c.state == RunState.WAITING.value)
            .values(state=RunState.QUEUED.value, claimable_at=transaction.now, wait_on=None, wait_kind=None)
        )
        connection.execute(delete(awaited).where(awaited.c.topic == on, awaited.c.run_id.in_(some)))
    transaction.woken = transaction.woken or bool(chosen)
    return len(chosen)


def _lines(connection: Connection, on: str, count: int) -> dict[int, dict[str, deque[str]]]:
    """Give the first of those who wait, by class and flow; one more step through the index for each flow."""
    lines: dict[int, dict[str, deque[str]]] = {}
    waits = and_(runs.c.wait_on == on, runs.c.state == RunState.WAITING.value)
    after: tuple[int, str] | None = None
    while True:
        beyond = [] if after is None else [tuple_(runs.c.priority, runs.c.flow) > tuple_(*after)]
        found = connection.execute(
            select(runs.c.priority, runs.c.flow).where(waits, *beyond).order_by(runs.c.priority, runs.c.flow).limit(1)
        ).one_or_none()
        if found is None:
            break
        after = (found.priority, found.flow)
        ids = connection.execute(
            select(runs.c.id)
            .where(waits, runs.c.priority == found.priority, runs.c.flow == found.flow)
            .order_by(runs.c.position)
            .limit(count)
        ).scalars()
        lines.setdefault(found.priority, {})[found.flow] = deque(ids)
    for row in connection.execute(_among(on, count)):
        lines.setdefault(row.priority, {}).setdefault(row.flow, deque()).append(row.id)
    return lines


def _among(on: str, count: int) -> Select[str, int, str]:
    """Select runs that wait for the topic besides others; there are few of them."""
    return (
        select(runs.c.id, runs.c.priority, runs.c.flow)
        .join(awaited, awaited.c.run_id == runs.c.id)
        .where(awaited.c.topic == on, runs.c.state == RunState.WAITING.value)
        .order_by(runs.c.priority, runs.c.position)
        .limit(count)
    )


def _row(connection: Connection, environment: str, name: str) -> Mapping[str, Any] | None:
    statement = select(budgets).where(budgets.c.environment == environment, budgets.c.name == name)
    found = connection.execute(statement).one_or_none()
    return None if found is None else dict(found._mapping)


def _write(transaction: Transaction, environment: str, name: str, change: Mapping[str, Any]) -> None:
    row = {"environment": environment, "name": name, "used": 0, "updated_at": transaction.now, **change}
    upsert(transaction.connection, budgets, [row], keys=_KEYS, change=(*change, "updated_at"))
