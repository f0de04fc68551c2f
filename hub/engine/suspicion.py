"""After a restore: which writes the hub may have made between the backup and the restore, without knowing it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.model.ambient import of_micros
from hub.store import resuming
from hub.store.database import Database
from hub.store.marks import Restored

#: A vendor's clock may be ahead by as much.
SKEW = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A span in which writes of a run may have gone out unknown: not before `since`, and not after `until`."""

    since: datetime
    until: datetime


def lost(restored: Restored | None, began: datetime) -> Lost | None:
    """Tell in which span a write could have been made unknown, for something that began at a moment; None: in none.

    What began after the restore was never seen by the hub before.
    """
    if restored is None or began >= restored.restored_at + SKEW:
        return None
    return Lost(since=max(restored.unknown_from, began), until=restored.restored_at)


def lost_of_run(
    database: Database, restored: Restored | None, run: Mapping[str, Any], event: Mapping[str, Any]
) -> Lost | None:
    """Tell the same of a run: it began with its event, or with that of the run that told or called it."""
    if restored is None:
        return None
    return lost(restored, of_micros(resuming.began(database.looking, run, event)))
