"""Stored content against its hashes: what a flipped bit changes in a payload, SQLite cannot see."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, select

from hub.errors import HubError
from hub.sdk import exact_json
from hub.store import bundles as stored
from hub.store.checksums import of_step
from hub.store.tables import batches, bundles, effects, events, runs, steps
from hub.workspace.bundle import bundle_id

#: Rows that are read at a time.
_AT_ONCE = 200
#: Type of an event whose bytes could not be read; its hash is that of the bytes.
_UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """How many contents were compared with their hashes, and which do not have theirs (`event evt_…`)."""

    compared: int
    wrong: tuple[str, ...]


def compare(connection: Connection) -> Contents:
    """Compare everything that has a hash with it: events, requests, steps, revisions; what was pruned has none.

    Memory does not grow with the data.
    """
    compared, wrong = 0, []
    for name, holds in _all(connection):
        compared += 1
        if not holds:
            wrong.append(name)
    return Contents(compared=compared, wrong=tuple(wrong))


def _all(connection: Connection) -> Iterator[tuple[str, bool]]:
    whole = select(events.c.id, events.c.type, events.c.data, events.c.body_hash).where(events.c.pruned_at.is_(None))
    for row in _rows(connection, whole):
        yield f"event {row['id']}", _holds(_event_hash, row)
    sent = select(effects.c.key, effects.c.body, effects.c.body_hash).where(effects.c.batch.is_(None))
    for row in _rows(connection, sent.join(runs, runs.c.id == effects.c.run_id).where(runs.c.pruned_at.is_(None))):
        yield f"write {row['key']}", _holds(_body_hash, row)
    together = select(batches.c.id, batches.c.body, batches.c.body_hash)
    for row in _rows(connection, together.join(runs, runs.c.id == batches.c.run_id).where(runs.c.pruned_at.is_(None))):
        yield f"bulk write {row['id']}", _holds(_body_hash, row)
    for row in _rows(connection, select(steps).where(steps.c.checksum.is_not(None))):
        yield f"step {row['path']} of {row['run_id']}", of_step(row) == row["checksum"]
    for name in connection.execute(select(bundles.c.id)).scalars().all():
        yield f"revision {name}", _revision_holds(connection, name)


def _rows(connection: Connection, statement: Select[Any]) -> Iterator[Mapping[str, Any]]:
    with connection.execute(statement.execution_options(yield_per=_AT_ONCE)) as rows:
        for row in rows:
            yield dict(row._mapping)


def _holds(digest: Callable[[Mapping[str, Any]], str], row: Mapping[str, Any]) -> bool:
    try:
        return digest(row) == str(row["body_hash"])
    except (HubError, ValueError, KeyError):
        return False


def _event_hash(row: Mapping[str, Any]) -> str:
    data = exact_json.loads(row["data"])
    if row["type"] == _UNREADABLE:
        body = data["body"].encode() if "body" in data else base64.b64decode(data["body_base64"])
        return hashlib.sha256(body).hexdigest()
    return hashlib.sha256(exact_json.canonical(data)).hexdigest()


def _body_hash(row: Mapping[str, Any]) -> str:
    return hashlib.sha256(bytes(row["body"])).hexdigest()


def _revision_holds(connection: Connection, name: str) -> bool:
    try:
        files = stored.files(connection, name)
    except (zlib.error, msgspec.DecodeError, ValueError):
        return False
    return files is not None and bundle_id(files) == name
