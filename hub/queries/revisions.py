"""Revisions as people see them: which served from when on, by whose word, and what was known of the change then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select

from hub.errors import NotFound
from hub.model.ambient import of_micros
from hub.queries.actors import called
from hub.queries.amounts import Amount
from hub.queries.view import View
from hub.sdk import exact_json
from hub.store import revisions
from hub.store.account_tables import people

#: Where the name of who published is found.
_PERSON = "person:"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionLine:
    """One revision of a list; `money` is the difference that its shadow replay found, by currency."""

    number: int
    bundle: str
    commit: str | None
    dirty: bool
    how: str
    actor: str
    actor_name: str
    reason: str | None
    published_at: datetime
    money: tuple[Amount, ...]
    replayed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionDetail:
    """One revision in full; `plan` is what was known of the change when it was published, None for a start's."""

    revision: RevisionLine
    current: bool
    plan: Mapping[str, Any] | None


def listing(view: View, *, limit: int = 50, before: int | None = None) -> tuple[RevisionLine, ...]:
    """List revisions, the newest first; `before` is a number."""
    with view.database.reading() as connection:
        rows = revisions.listing(connection, environment=view.environment, limit=limit, before=before)
        names = _names(connection, {row["actor"] for row in rows})
    return tuple(_line(row, names) for row in rows)


def current(view: View) -> RevisionLine | None:
    """Give the revision that serves; None before the first start."""
    found = listing(view, limit=1)
    return found[0] if found else None


def detail(view: View, number: int) -> RevisionDetail:
    """Give one revision; raises `NotFound`."""
    with view.database.reading() as connection:
        row = revisions.find(connection, environment=view.environment, number=number)
        if row is None:
            raise NotFound("There is no such revision.", number=number)
        newest = revisions.current(connection, environment=view.environment)
        names = _names(connection, {row["actor"]})
    assert newest is not None
    return RevisionDetail(revision=_line(row, names), current=newest["number"] == number, plan=_plan(row))


def without_examples(plan: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Give a plan without values of records, for those who may not see them; money and counts stay."""
    shadow = None if plan is None else plan.get("shadow")
    if plan is None or not isinstance(shadow, Mapping):
        return plan
    hidden = {
        name: [{**found, "example": {**found["example"], "before": None, "after": None}} for found in shadow[name]]
        for name in ("fields", "failures", "routing")
    }
    return {**plan, "shadow": {**shadow, **hidden}}


def _line(row: Mapping[str, Any], names: Mapping[str, str]) -> RevisionLine:
    shadow = (_plan(row) or {}).get("shadow")
    return RevisionLine(
        number=row["number"],
        bundle=row["bundle"],
        commit=row["commit"],
        dirty=row["dirty"],
        how=row["how"],
        actor=row["actor"],
        actor_name=called(row["actor"], names),
        reason=row["reason"],
        published_at=of_micros(row["published_at"]),
        money=tuple(
            Amount(value=one["amount"], currency=one["currency"]) for one in (shadow["money"] if shadow else ())
        ),
        replayed=None if shadow is None else shadow["runs"],
    )


def _plan(row: Mapping[str, Any]) -> dict[str, Any] | None:
    return None if row["report"] is None else exact_json.loads(row["report"])


def _names(connection: Connection, actors: set[str]) -> dict[str, str]:
    """Give what those of the actors are called who are people, by id."""
    ids = [actor.removeprefix(_PERSON) for actor in actors if actor.startswith(_PERSON)]
    rows = connection.execute(select(people.c.id, people.c.name).where(people.c.id.in_(ids)))
    return {row.id: row.name for row in rows}
