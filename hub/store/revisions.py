"""Revisions: which bundle served an environment from when on, by whose word, and what was known of the change then."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select

from hub.errors import Conflict
from hub.store import bundles
from hub.store.committer import Transaction
from hub.store.control_tables import revisions


class How(StrEnum):
    """How a revision came to serve.

    `first` and `start` are the folder's, taken when the hub started; a `rollback` publishes what was published before.
    """

    FIRST = "first"
    START = "start"
    PUBLISH = "publish"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRevision:
    """A revision to be recorded; `report` is JSON."""

    environment: str
    bundle: str
    files: Mapping[str, bytes]
    how: How
    actor: str
    commit: str | None = None
    dirty: bool = False
    reason: str | None = None
    report: str | None = None


def add(transaction: Transaction, new: NewRevision, *, after: int | None) -> int:
    """Record a revision as the one that serves, with its files and its audit entry; gives its number.

    `after` is the number of the one that it was compared with (None: there was none); raises `Conflict` when another
    has been published since.
    """
    standing = current(transaction.connection, environment=new.environment)
    number = None if standing is None else standing["number"]
    if number != after:
        raise Conflict("Another revision was published meanwhile; look at the plan again.", published=number)
    next_number = 1 if number is None else int(number) + 1
    facts: dict[str, Any] = {"environment": new.environment, "number": next_number, "how": new.how.value}
    if new.commit is not None:
        facts |= {"commit": new.commit, "changes-on-top": new.dirty}
    if new.reason is not None:
        # What people write may name people: the log binds the text, and the revision holds it.
        facts["reason"] = hashlib.sha256(new.reason.encode("utf-8", "surrogatepass")).hexdigest()
    bundles.keep(
        transaction,
        bundle_id=new.bundle,
        files=new.files,
        actor=new.actor,
        commit=new.commit,
        dirty=new.dirty if new.commit is not None else None,
        facts=facts,
    )
    row = {
        "environment": new.environment,
        "number": next_number,
        "bundle": new.bundle,
        "commit": new.commit,
        "dirty": new.dirty,
        "how": new.how.value,
        "actor": new.actor,
        "reason": new.reason,
        "report": new.report,
        "published_at": transaction.now,
    }
    transaction.connection.execute(insert(revisions), row)
    return next_number


def current(connection: Connection, *, environment: str) -> Mapping[str, Any] | None:
    """Give the revision that was published last; None before the first."""
    statement = select(revisions).where(revisions.c.environment == environment).order_by(revisions.c.number.desc())
    row = connection.execute(statement.limit(1)).one_or_none()
    return None if row is None else dict(row._mapping)


def find(connection: Connection, *, environment: str, number: int) -> Mapping[str, Any] | None:
    """Give a revision by its number."""
    statement = select(revisions).where(revisions.c.environment == environment, revisions.c.number == number)
    row = connection.execute(statement).one_or_none()
    return None if row is None else dict(row._mapping)


def was_published(connection: Connection, *, environment: str, bundle: str) -> bool:
    """Tell whether a bundle has served the environment before."""
    statement = select(revisions.c.number).where(revisions.c.environment == environment, revisions.c.bundle == bundle)
    return connection.execute(statement.limit(1)).one_or_none() is not None


def listing(
    connection: Connection, *, environment: str, limit: int, before: int | None = None
) -> list[Mapping[str, Any]]:
    """List revisions, the newest first."""
    statement = select(revisions).where(revisions.c.environment == environment)
    if before is not None:
        statement = statement.where(revisions.c.number < before)
    rows = connection.execute(statement.order_by(revisions.c.number.desc()).limit(limit))
    return [dict(row._mapping) for row in rows]
