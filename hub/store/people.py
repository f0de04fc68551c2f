"""People and their sessions as rows; what they mean is decided in `hub.access`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, NotFound
from hub.store.account_tables import people, sessions
from hub.store.audit import Note
from hub.store.committer import Transaction


def find(connection: Connection, person_id: str) -> Mapping[str, Any] | None:
    """Give a person's row."""
    row = connection.execute(select(people).where(people.c.id == person_id)).one_or_none()
    return None if row is None else dict(row._mapping)


def find_by_email(connection: Connection, email: str) -> Mapping[str, Any] | None:
    """Give the row of the person with this lower-case address."""
    row = connection.execute(select(people).where(people.c.email == email)).one_or_none()
    return None if row is None else dict(row._mapping)


def anybody(connection: Connection) -> bool:
    """Tell whether there is a person at all."""
    return bool(connection.execute(select(exists(select(people.c.id)))).scalar())


def names(connection: Connection) -> dict[str, str]:
    """Give what people are called, by id."""
    return {row.id: row.name for row in connection.execute(select(people.c.id, people.c.name))}


def everybody(connection: Connection) -> list[Mapping[str, Any]]:
    """List all people, by address."""
    return [dict(row._mapping) for row in connection.execute(select(people).order_by(people.c.email))]


def add(transaction: Transaction, row: Mapping[str, Any], *, actor: str, only_first: bool) -> None:
    """Keep a new person; `Conflict` for a used address, or with `only_first` when there is anybody already."""
    if only_first and anybody(transaction.connection):
        raise Conflict("The first administrator is there already; sign in.", code="already-set-up")
    try:
        transaction.connection.execute(insert(people), dict(row))
    except IntegrityError:
        raise Conflict("Somebody signs in with this address already.", code="email-in-use") from None
    _note(transaction, AuditKind.PERSON_ADDED, actor=actor, person=row["id"], role=row["role"])


def change(transaction: Transaction, row: Mapping[str, Any], *, actor: str) -> None:
    """Keep a person's new state; their sessions end when they are disabled or their password changed."""
    before = find(transaction.connection, row["id"])
    if before is None:
        raise NotFound("There is no such person.", person=row["id"])
    transaction.connection.execute(update(people).where(people.c.id == row["id"]).values(**row))
    if row["disabled"] or row["password"] != before["password"]:
        transaction.connection.execute(delete(sessions).where(sessions.c.person_id == row["id"]))
    kind = AuditKind.PERSON_DISABLED if row["disabled"] and not before["disabled"] else AuditKind.PERSON_CHANGED
    _note(transaction, kind, actor=actor, person=row["id"], role=row["role"])


def session(connection: Connection, token_hash: str) -> Mapping[str, Any] | None:
    """Give a session's row."""
    row = connection.execute(select(sessions).where(sessions.c.token_hash == token_hash)).one_or_none()
    return None if row is None else dict(row._mapping)


def open_session(transaction: Transaction, row: Mapping[str, Any]) -> None:
    """Keep a new session."""
    transaction.connection.execute(insert(sessions), dict(row))
    _note(transaction, AuditKind.SIGNED_IN, actor=f"person:{row['person_id']}", person=row["person_id"])


def see_session(transaction: Transaction, token_hash: str, seen_at: int) -> None:
    """Note that a session was used."""
    transaction.connection.execute(update(sessions).where(sessions.c.token_hash == token_hash).values(seen_at=seen_at))


def close_session(transaction: Transaction, token_hash: str, *, actor: str) -> None:
    """Forget a session; one that is gone already is no error."""
    row = session(transaction.connection, token_hash)
    if row is None:
        return
    transaction.connection.execute(delete(sessions).where(sessions.c.token_hash == token_hash))
    _note(transaction, AuditKind.SIGNED_OUT, actor=actor, person=row["person_id"])


def refuse_sign_in(transaction: Transaction, reason: str) -> None:
    """Audit that somebody could not sign in."""
    transaction.entries.append(Note(kind=AuditKind.SIGN_IN_FAILED, actor="console", facts={"reason": reason}))


def deny(transaction: Transaction, *, actor: str, permission: str) -> None:
    """Audit that somebody asked for what their role does not allow."""
    transaction.entries.append(Note(kind=AuditKind.ACCESS_DENIED, actor=actor, facts={"permission": permission}))


def _note(transaction: Transaction, kind: AuditKind, *, actor: str, person: str, role: str | None = None) -> None:
    facts = {} if role is None else {"role": role}
    transaction.entries.append(Note(kind=kind, actor=actor, subjects={"person": person}, facts=facts))
