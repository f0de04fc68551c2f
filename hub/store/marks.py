"""Marks: facts about the data as a whole, such as which hub it belongs to, its last backup, and a restore."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, select

from hub.model.ambient import of_micros
from hub.sdk import exact_json
from hub.store.committer import Transaction
from hub.store.control_tables import marks
from hub.store.statements import Formed, upsert

#: The name of the data itself; it stays through backups and restores.
HUB = "hub"
BACKUP = "backup"
RESTORED = "restored"
RETENTION = "retention"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """From which moment the data is, and when it was brought back; what happened in between, the data does not know.

    `unknown_from` is the moment of the earliest backup that the data was ever brought back from.
    """

    backup_at: datetime
    unknown_from: datetime
    restored_at: datetime
    file: str
    sha256: str


def put(transaction: Transaction, name: str, value: Mapping[str, Any]) -> None:
    """Write a mark, in the place of an earlier one of its name."""
    row = {"name": name, "value": exact_json.dumps(dict(value)).decode(), "at": transaction.now}
    upsert(transaction.connection, marks, [row], keys=("name",), change=("value", "at"))


def get(connection: Connection, name: str) -> tuple[Mapping[str, Any], datetime] | None:
    """Give a mark and when it was written."""
    found = _FOUND.rows(connection, of=name)
    return (exact_json.loads(found[0]["value"]), of_micros(found[0]["at"])) if found else None


_FOUND = Formed(select(marks.c.value, marks.c.at).where(marks.c.name == bindparam("of")))


def restored(connection: Connection) -> Restored | None:
    """Tell whether the data was ever restored, and the last time from what."""
    found = get(connection, RESTORED)
    if found is None:
        return None
    value, at = found
    return Restored(
        backup_at=datetime.fromisoformat(value["backup_at"]),
        unknown_from=datetime.fromisoformat(value["unknown_from"]),
        restored_at=at,
        file=value["file"],
        sha256=value["sha256"],
    )


def hub_id(transaction: Transaction, new_id: str) -> str:
    """Give the name of the data; `new_id` becomes it where it has none."""
    found = get(transaction.connection, HUB)
    if found is not None:
        return str(found[0]["id"])
    put(transaction, HUB, {"id": new_id})
    return new_id
