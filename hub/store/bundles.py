"""Bundles: the files of a workspace revision, kept as long as a run needs them."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from hub.audit.entry import Fact
from hub.audit.kinds import AuditKind
from hub.store import holds
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.statements import upsert
from hub.store.tables import bundles


def keep(
    transaction: Transaction,
    *,
    bundle_id: str,
    files: Mapping[str, bytes],
    actor: str,
    commit: str | None = None,
    dirty: bool | None = None,
    facts: Mapping[str, Fact] | None = None,
) -> None:
    """Store the files of a bundle that new events are handled by from here on; the same bundle is stored once.

    `commit` is where they came from, and `dirty` tells whether they had changes on top; `facts` go into the audit.
    """
    text = {path: base64.b64encode(content).decode() for path, content in files.items()}
    row: dict[str, Any] = {
        "id": bundle_id,
        "files": zlib.compress(msgspec.json.encode(text)),
        "commit": commit,
        "dirty": dirty,
        "created_at": transaction.now,
    }
    upsert(transaction.connection, bundles, [row], keys=("id",), change=())
    # Its policies may say something else of what the ones before held.
    holds.ask_again(transaction)
    transaction.entries.append(
        Note(kind=AuditKind.BUNDLE_ACTIVATED, actor=actor, subjects={"bundle": bundle_id}, facts=facts or {})
    )


def files(connection: Connection, bundle_id: str) -> dict[str, bytes] | None:
    """Give a revision's files, or None when it is not stored."""
    blob = connection.execute(select(bundles.c.files).where(bundles.c.id == bundle_id)).scalar()
    if blob is None:
        return None
    text: dict[str, str] = msgspec.json.decode(zlib.decompress(blob))
    return {path: base64.b64decode(content) for path, content in text.items()}


def origin(connection: Connection, bundle_id: str) -> tuple[str, bool] | None:
    """Give the commit that a bundle's files came from, and whether they had changes on top; None when unknown."""
    row = connection.execute(select(bundles.c.commit, bundles.c.dirty).where(bundles.c.id == bundle_id)).one_or_none()
    return None if row is None or row.commit is None else (row.commit, bool(row.dirty))


def matching(connection: Connection, prefix: str) -> list[str]:
    """Give the ids of the stored bundles that begin so, at most two: more than one is not enough to tell."""
    statement = select(bundles.c.id).where(bundles.c.id.startswith(prefix, autoescape=True)).limit(2)
    return list(connection.execute(statement).scalars())
