"""Sealed secrets: every version is kept, the newest is used; nothing here can open them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from hub.audit.kinds import AuditKind
from hub.store.account_tables import secrets
from hub.store.audit import Note
from hub.store.committer import Transaction


def newest_version(connection: Connection, *, environment: str, name: str) -> int:
    """Give the newest version's number; 0 when there is none."""
    statement = select(func.max(secrets.c.version)).where(secrets.c.environment == environment, secrets.c.name == name)
    return connection.execute(statement).scalar() or 0


def newest(connection: Connection, *, environment: str, name: str) -> bytes | None:
    """Give the newest version as it was sealed."""
    statement = (
        select(secrets.c.sealed)
        .where(secrets.c.environment == environment, secrets.c.name == name)
        .order_by(secrets.c.version.desc())
        .limit(1)
    )
    found: bytes | None = connection.execute(statement).scalar()
    return found


def add(transaction: Transaction, *, environment: str, name: str, version: int, sealed: bytes, actor: str) -> None:
    """Keep a new version."""
    transaction.connection.execute(
        insert(secrets),
        {
            "environment": environment,
            "name": name,
            "version": version,
            "sealed": sealed,
            "created_at": transaction.now,
        },
    )
    transaction.entries.append(
        Note(
            kind=AuditKind.SECRET_STORED,
            actor=actor,
            subjects={"secret": name},
            facts={"environment": environment, "version": version},
        )
    )


def all_sealed(connection: Connection) -> list[Mapping[str, Any]]:
    """Give every version of every secret of every environment as it was sealed, with the columns that name it."""
    columns = (secrets.c.environment, secrets.c.name, secrets.c.version, secrets.c.sealed)
    return [dict(row._mapping) for row in connection.execute(select(*columns).order_by(*columns[:3]))]


def replace_sealed(transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep versions as they are sealed now: the same secrets under another vault key."""
    for row in rows:
        transaction.connection.execute(
            update(secrets)
            .where(
                secrets.c.environment == row["environment"],
                secrets.c.name == row["name"],
                secrets.c.version == row["version"],
            )
            .values(sealed=row["sealed"])
        )


def note_rotation(transaction: Transaction, *, key_id: str, secrets_sealed: int, actor: str) -> None:
    """Have it audited that the vault key was changed."""
    transaction.entries.append(
        Note(kind=AuditKind.KEY_ROTATED, actor=actor, facts={"key": key_id, "secrets": secrets_sealed})
    )


def listing(connection: Connection, *, environment: str) -> list[Mapping[str, Any]]:
    """List names, newest versions and when they were stored."""
    statement = (
        select(
            secrets.c.name,
            func.max(secrets.c.version).label("version"),
            func.max(secrets.c.created_at).label("created_at"),
        )
        .where(secrets.c.environment == environment)
        .group_by(secrets.c.name)
        .order_by(secrets.c.name)
    )
    return [dict(row._mapping) for row in connection.execute(statement)]
