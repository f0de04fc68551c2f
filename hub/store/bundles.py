"""Bundles: the files of a workspace revision, kept as long as a run needs them."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from hub.audit.kinds import AuditKind
from hub.store import holds
from hub.store.audit import Note
from hub.store.committer import Transaction
from hub.store.tables import bundles
from hub.store.upserts import upsert


def keep(transaction: Transaction, *, bundle_id: str, files: Mapping[str, bytes], actor: str) -> None:
    """Store a revision's files; the same revision is stored once."""
    text = {path: base64.b64encode(content).decode() for path, content in files.items()}
    row: dict[str, Any] = {
        "id": bundle_id,
        "files": zlib.compress(msgspec.json.encode(text)),
        "created_at": transaction.now,
    }
    upsert(transaction.connection, bundles, [row], keys=("id",), change=())
    # Its policies may say something else of what the ones before held.
    holds.ask_again(transaction)
    transaction.entries.append(Note(kind=AuditKind.BUNDLE_ACTIVATED, actor=actor, subjects={"bundle": bundle_id}))


def files(connection: Connection, bundle_id: str) -> dict[str, bytes] | None:
    """Give a revision's files, or None when it is not stored."""
    blob = connection.execute(select(bundles.c.files).where(bundles.c.id == bundle_id)).scalar()
    if blob is None:
        return None
    text: dict[str, str] = msgspec.json.decode(zlib.decompress(blob))
    return {path: base64.b64decode(content) for path, content in text.items()}
