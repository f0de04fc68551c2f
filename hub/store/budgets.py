"""Budgets of external accounts: what is used of their quotas, what was learned, and who waits for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Select, and_, delete, func, select, tuple_, update

from hub.model.limits import Portion
from hub.model.run import RunState
from hub.model.turns import Turns
from hub.sdk import exact_json
from hub.store.committer import Transaction
from hub.store.control_tables import budgets, quotas
from hub.store.statements import upsert
from hub.store.tables import awaited, runs

_TIME = ("environment", "name", "per", "zone", "begins")
#: A time of a quota that begins later than this from now was begun by a clock that was wrong (microseconds).
FAR = 3_600_000_000
#: So many times of each quota are kept, for a clock that is put back.
_KEPT = 8


def topic(*, environment: str, name: str) -> str:
    """Name what a run waits for in the row of an account."""
    return f"limit:{environment}:{name}"


def reserve(
    transaction: Transaction, *, environment: str, name: str, wanted: Sequence[Portion]
) -> list[tuple[int, int]]:
    """Take of each quota up to as many as are wanted of what is left; gives that, and how many are taken, of each.

    Where the clock shows a time before one that it has shown already, it was put back: what was used in the later one
    counts now too. What is used now counts in the later one as well where that is about to come, because nobody knows
    which of the two the vendor counts it in; one that is far is what a wrong clock showed.
    """
    rows = _quotas(transaction.connection, environment, name)
    given: list[tuple[int, int]] = []
    changed: dict[int, dict[str, Any]] = {}
    for portion in wanted:
        times = [row for row in rows if (row["per"], row["zone"]) == (portion.per, portion.zone)]
        present = next((row for row in times if row["begins"] == portion.begins), None)
        if present is None:
            present = _begun(transaction, environment, name, portion, times)
            rows.append(present)
        kept = present["number"] - _KEPT
        later = [row for row in times if row["begins"] > portion.begins and row["number"] > kept]
        for row in later:
            present["used"] += row["used"] - row["carried"]
            row["carried"] = row["used"]
        count = max(min(portion.count, portion.quota - present["used"]), 0)
        for row in (present, *(row for row in later if row["begins"] <= transaction.now + FAR)):
            row["used"] += count
        for row in later:
            row["carried"] = row["used"]
        changed |= {id(row): row for row in (present, *later)}
        given.append((count, present["used"]))
    _put_quotas(transaction, list(changed.values()))
    return given


def give_back(transaction: Transaction, *, environment: str, name: str, unused: Sequence[Portion]) -> None:
    """Return what was taken of quotas and not used."""
    counts = {(portion.per, portion.zone, portion.begins): portion.count for portion in unused}
    changed = []
    for row in _quotas(transaction.connection, environment, name):
        count = counts.get((row["per"], row["zone"], row["begins"]))
        if count is not None:
            row["used"] = max(row["used"] - count, 0)
            row["carried"] = min(row["carried"], row["used"])
            changed.append(row)
    _put_quotas(transaction, changed)


def keep_learned(transaction: Transaction, *, environment: str, name: str, learned: Mapping[str, Any] | None) -> None:
    """Keep what was learned of an account's limits; None when nothing is."""
    text = None if learned is None else exact_json.dumps(dict(learned)).decode()
    row = {"environment": environment, "name": name, "learned": text, "updated_at": transaction.now}
    upsert(transaction.connection, budgets, [row], keys=("environment", "name"), change=("learned", "updated_at"))


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


def _begun(
    transaction: Transaction, environment: str, name: str, portion: Portion, times: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Begin another time of a quota, and forget the one that the clock showed longest ago."""
    number = max((row["number"] for row in times), default=0) + 1
    if any(row["number"] <= number - _KEPT for row in times):
        transaction.connection.execute(
            delete(quotas).where(
                quotas.c.environment == environment,
                quotas.c.name == name,
                quotas.c.per == portion.per.value,
                quotas.c.zone == portion.zone,
                quotas.c.number <= number - _KEPT,
            )
        )
    key = {"environment": environment, "name": name, "per": portion.per.value, "zone": portion.zone}
    return {**key, "begins": portion.begins, "used": 0, "carried": 0, "number": number, "updated_at": 0}


def _quotas(connection: Connection, environment: str, name: str) -> list[dict[str, Any]]:
    statement = select(quotas).where(quotas.c.environment == environment, quotas.c.name == name)
    return [dict(row._mapping) for row in connection.execute(statement)]


def _put_quotas(transaction: Transaction, rows: Sequence[dict[str, Any]]) -> None:
    changed = [{**row, "updated_at": transaction.now} for row in rows]
    upsert(transaction.connection, quotas, changed, keys=_TIME, change=("used", "carried", "updated_at"))
