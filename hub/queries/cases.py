"""Cases, which screens call exceptions: listed, grouped by what is alike in them, and one in full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from hub.errors import NotFound
from hub.model.ambient import of_micros
from hub.queries.amounts import Amount, amount, sums
from hub.queries.view import View, moment
from hub.queries.waiting import Behind, Waiting, behind_row
from hub.sdk import exact_json
from hub.store import cases as stored
from hub.store import people, run_orders, runs
from hub.store.tables import cases
from hub.workspace.bundle import Bundle


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRow:
    """One case: why it needs a person, what it is about, the money at risk, and whose it is."""

    id: str
    flow: str
    run_id: str
    path: str
    business_key: str
    entity: str | None
    reason: str
    fingerprint: str
    detail: str
    money: Amount | None
    owner: str | None
    owner_name: str | None
    state: str
    opened_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    resolution: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CasePage:
    """A page of cases, the newest first; `next` asks for the following page."""

    cases: tuple[CaseRow, ...]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseGroup:
    """Open cases with one fingerprint; `cases` are the newest of them, `at_risk` sums all of them by currency."""

    fingerprint: str
    reason: str
    flow: str
    path: str
    count: int
    unowned: int
    at_risk: tuple[Amount, ...]
    oldest: datetime
    newest: datetime
    cases: tuple[CaseRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseDetail:
    """A case with its facts, how many open ones are alike, and the runbook's Markdown when there is one.

    `behind` is what waits behind its run, `in_doubt` the writes of it of which nobody knows whether they were made.
    """

    case: CaseRow
    facts: Mapping[str, str]
    behind: Behind
    in_doubt: tuple[str, ...]
    alike: int
    alike_at_risk: tuple[Amount, ...]
    runbook_path: str | None
    runbook: str | None


def listing(
    view: View,
    *,
    state: str | None = "open",
    reason: str | None = None,
    fingerprint: str | None = None,
    run_id: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> CasePage:
    """List cases from behind the case `before`."""
    statement = select(cases).where(cases.c.environment == view.environment)
    for column, value in (
        (cases.c.state, state),
        (cases.c.reason, reason),
        (cases.c.fingerprint, fingerprint),
        (cases.c.run_id, run_id),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if before is not None:
        statement = statement.where(cases.c.id < before)
    with view.database.reading() as connection:
        found = connection.execute(statement.order_by(cases.c.id.desc()).limit(limit + 1)).all()
        called = people.names(connection)
    rows = tuple(case_row(row._mapping, called) for row in found[:limit])
    return CasePage(cases=rows, next=rows[-1].id if len(found) > limit else None)


def groups(view: View, *, owner: str | None = None, shown: int = 5) -> tuple[CaseGroup, ...]:
    """Group the open cases by fingerprint, the largest group first; `owner` leaves only one person's."""
    wanted = (cases.c.environment == view.environment) & (cases.c.state == "open")
    if owner is not None:
        wanted &= cases.c.owner == owner
    summed = (
        select(
            cases.c.fingerprint,
            cases.c.money_currency,
            func.count().label("count"),
            func.count(cases.c.owner).label("owned"),
            func.sum(cases.c.money_minor).label("minor"),
            func.min(cases.c.opened_at).label("oldest"),
            func.max(cases.c.opened_at).label("newest"),
        )
        .where(wanted)
        .group_by(cases.c.fingerprint, cases.c.money_currency)
    )
    place = func.row_number().over(partition_by=cases.c.fingerprint, order_by=cases.c.id.desc()).label("place")
    ranked = select(cases, place).where(wanted).subquery()
    newest = select(ranked).where(ranked.c.place <= shown).order_by(ranked.c.id.desc())
    with view.database.reading() as connection:
        parts = connection.execute(summed).all()
        rows = connection.execute(newest).all()
        called = people.names(connection)
    by_fingerprint: dict[str, list[Any]] = {}
    for part in parts:
        by_fingerprint.setdefault(part.fingerprint, []).append(part)
    members: dict[str, list[CaseRow]] = {}
    for row in rows:
        members.setdefault(row.fingerprint, []).append(case_row(row._mapping, called))
    made = [_group(name, found, members[name]) for name, found in by_fingerprint.items() if name in members]
    return tuple(sorted(made, key=lambda group: (-group.count, group.oldest)))


def open_count(view: View) -> int:
    """Count the open cases."""
    statement = select(func.count()).where(cases.c.environment == view.environment, cases.c.state == "open")
    with view.database.reading() as connection:
        return connection.execute(statement).scalar() or 0


def at_risk(view: View) -> tuple[Amount, ...]:
    """Sum the money of all open cases by currency."""
    with view.database.reading() as connection:
        found = stored.summary(connection, environment=view.environment)
    return sums((row["money_minor"], row["money_currency"]) for row in found)


def detail(view: View, case_id: str, bundle: Bundle) -> CaseDetail:
    """Give a case whole, with the runbook of `bundle`; raises `NotFound`."""
    with view.database.reading() as connection:
        row = stored.find(connection, case_id)
        if row is None or row["environment"] != view.environment:
            raise NotFound("There is no such exception.", case=case_id)
        called = people.names(connection)
        run = runs.find(connection, row["run_id"])
        waiting = Behind(waiting=Waiting(), runs=()) if run is None else behind_row(connection, run)
        doubtful = () if run is None else tuple(effect["key"] for effect in run_orders.in_doubt(connection, run))
        alike = connection.execute(
            select(cases.c.money_minor, cases.c.money_currency).where(
                cases.c.environment == view.environment,
                cases.c.fingerprint == row["fingerprint"],
                cases.c.state == "open",
            )
        ).all()
    return CaseDetail(
        case=case_row(row, called),
        facts=exact_json.loads(row["facts"]),
        behind=waiting,
        in_doubt=doubtful if row["state"] == "open" else (),
        alike=len(alike),
        alike_at_risk=sums((found.money_minor, found.money_currency) for found in alike),
        runbook_path=row["runbook"],
        runbook=bundle.runbook(row["runbook"]) if row["runbook"] else None,
    )


def case_row(row: Mapping[Any, Any], called: Mapping[str, str]) -> CaseRow:
    """Give a stored case as a value; `called` tells people's names by id."""
    owner = row["owner"]
    return CaseRow(
        id=row["id"],
        flow=row["flow"],
        run_id=row["run_id"],
        path=row["path"],
        business_key=row["business_key"],
        entity=row["entity"],
        reason=row["reason"],
        fingerprint=row["fingerprint"],
        detail=row["detail"],
        money=amount(row["money_minor"], row["money_currency"]),
        owner=owner,
        owner_name=called.get(owner, owner) if owner else None,
        state=row["state"],
        opened_at=of_micros(row["opened_at"]),
        closed_at=moment(row["closed_at"]),
        closed_by=row["closed_by"],
        resolution=row["resolution"],
    )


def _group(fingerprint: str, parts: list[Any], members: list[CaseRow]) -> CaseGroup:
    first, count = members[0], sum(part.count for part in parts)
    return CaseGroup(
        fingerprint=fingerprint,
        reason=first.reason,
        flow=first.flow,
        path=first.path,
        count=count,
        unowned=count - sum(part.owned for part in parts),
        at_risk=sums((part.minor, part.money_currency) for part in parts),
        oldest=of_micros(min(part.oldest for part in parts)),
        newest=of_micros(max(part.newest for part in parts)),
        cases=tuple(members),
    )
