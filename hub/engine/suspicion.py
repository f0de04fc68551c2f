"""After a restore: which writes the hub may have made between the backup and the restore, without knowing it now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hub.model.ambient import of_micros
from hub.model.effect import Idempotency
from hub.model.retention import LEAST_ANSWERS
from hub.sdk.connector import WriteOperation
from hub.store import resuming
from hub.store.database import Database
from hub.store.marks import Restored

#: A vendor's clock may be ahead or behind by as much.
SKEW = timedelta(minutes=10)
#: So long after a restore something new may be about what was written before: vendors repeat and delay their events.
LOOKED_UP = LEAST_ANSWERS
#: What nobody can look up would stop for a person, so it is suspected only until streams and starts have caught up.
CAUGHT_UP = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A span in which a write may have gone out unknown: not before `since`, and not after `until`."""

    since: datetime
    until: datetime

    def may_be(self, standing: Mapping[str, Any] | None) -> bool:
        """Tell whether that goes for an effect with what stands of it (None: nothing), which surely did nothing else.

        What was opened after the restore was found out then, or a person has said what became of it.
        """
        return standing is None or of_micros(standing["created_at"]) < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """A restore, and when that began which a run is about."""

    restored: Restored
    began: datetime

    def lost(self, operation: WriteOperation, now: datetime) -> Lost | None:
        """Tell in which span a write of the run may have been made unknown; None: in none.

        An effect belongs to a business key, and an earlier event about the same may have led to it. What began before
        the restore may have done so itself.
        """
        since_then = now - self.restored.restored_at
        span = Lost(since=self.restored.unknown_from, until=self.restored.restored_at)
        if self.began < self.restored.restored_at + SKEW:
            return span
        if operation.idempotency is Idempotency.UPSERT:
            # It makes nothing twice, and its guard refuses to overwrite what the hub does not know.
            return None
        return span if since_then < (LOOKED_UP if operation.is_found else CAUGHT_UP) else None


def suspicion_of(
    database: Database, restored: Restored | None, run: Mapping[str, Any], event: Mapping[str, Any]
) -> Suspicion | None:
    """Give what is to be suspected of a run: it began with its event, or with that of the run that led to it."""
    if restored is None:
        return None
    return Suspicion(restored=restored, began=of_micros(resuming.began(database.looking, run, event)))
