"""Replication: what was changed or deleted in a span of time, and the log of deletions that the latter rests on.

The log has ids and times alone, also of what has left the recycle bin since. It goes back fifteen days, less where it
has grown too long or an administrator has emptied the bin: who asks for what lies before is refused.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from connectors.salesforce.sandbox.refusals import Refusal, missing_resource
from connectors.salesforce.sandbox.store import Record
from connectors.salesforce.sandbox.values import read_moment, show_moment
from connectors.salesforce.sandbox.wire import Call, Reply, Router

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org
    from connectors.salesforce.sandbox.schema import Kind

_MILLISECOND = timedelta(milliseconds=1)
_MINUTE = timedelta(minutes=1) // _MILLISECOND
#: How far back a span may begin, and how far back the log goes.
_OLDEST_START, _KEPT = timedelta(days=30) // _MILLISECOND, timedelta(days=15) // _MILLISECOND
#: An entry is safe for so long, however long the log has become.
_SAFE = timedelta(hours=2) // _MILLISECOND


class DeleteLog:
    """When what was deleted, by object: `id → milliseconds since 1970`."""

    def __init__(self, org: Org) -> None:
        """Begin empty."""
        self._org = org
        self._entries: dict[str, dict[str, int]] = {}
        #: Object → the moment of the last entry that is there no longer.
        self._gone: dict[str, int] = {}

    def enter(self, record: Record) -> None:
        """Note that a record was deleted, when that happened."""
        self._set(record.kind, record.id, record.deleted)

    def leave(self, record: Record) -> None:
        """Forget a deletion: the record was taken out of the recycle bin."""
        self._set(record.kind, record.id, None)

    def _set(self, kind: str, id: str, at: int | None) -> None:
        entries = self._entries.setdefault(kind, {})
        before = entries.pop(id, None)
        if at is not None:
            entries[id] = at
        if before != at:
            self._org.store.when_undone(lambda: self._put_back(kind, id, before))

    def _put_back(self, kind: str, id: str, at: int | None) -> None:
        self._entries[kind].pop(id, None)
        if at is not None:
            self._entries[kind][id] = at

    def forget(self) -> None:
        """Forget everything, as when an administrator empties the recycle bin."""
        entries_before, gone_before = {kind: dict(one) for kind, one in self._entries.items()}, dict(self._gone)

        def put_back() -> None:
            self._entries, self._gone = entries_before, gone_before

        self._org.store.when_undone(put_back)
        for kind, entries in self._entries.items():
            if entries:
                self._gone[kind] = max(*entries.values(), self._gone.get(kind, 0))
            entries.clear()

    def trim(self) -> None:
        """Forget the oldest where there are more than the org may have, and what is too old for anybody."""
        now = self._org.now()
        for entries in self._entries.values():
            for id in [id for id, at in entries.items() if at < now - _KEPT]:
                del entries[id]
        ages = sorted((at, kind, id) for kind, entries in self._entries.items() for id, at in entries.items())
        surplus = len(ages) - self._org.settings.delete_log_entries
        for at, kind, id in ages[: max(surplus, 0)]:
            if at > now - _SAFE:
                break
            del self._entries[kind][id]
            self._gone[kind] = max(at, self._gone.get(kind, 0))

    def earliest(self, kind: str) -> int:
        """Give the first whole minute from which on all deletions of an object are here."""
        oldest = (self._org.now() - _KEPT) // _MINUTE * _MINUTE
        # What went at the very beginning of a minute is missing from that minute.
        return max(oldest, (self._gone[kind] // _MINUTE + 1) * _MINUTE) if kind in self._gone else oldest

    def between(self, kind: str, begin: int, end: int) -> list[tuple[str, int]]:
        """Give what was deleted from `begin` to before `end`, by the time of it."""
        found = [(id, at) for id, at in self._entries.get(kind, {}).items() if begin <= at < end]
        return sorted(found, key=lambda entry: entry[1])


class ReplicationApi:
    """Handlers of `/sobjects/{object}/updated` and `/deleted`."""

    def __init__(self, org: Org) -> None:
        """Take the org that is served."""
        self._org = org

    def add_to(self, router: Router) -> None:
        """Add the addresses."""
        router.add("GET", "/sobjects/{name}/updated", self.updated)
        router.add("GET", "/sobjects/{name}/deleted", self.deleted)

    def updated(self, call: Call, name: str) -> Reply:
        """List the ids of records that were made or changed in a span of time."""
        kind, (begin, end) = self._kind(name), self._span(call)
        rows = self._org.store.table(kind.name).written_since(begin)
        ids = [row.id for row in rows if begin <= row.get("SystemModstamp") < end]
        self._refuse_many(len(ids))
        return Reply(body={"ids": ids, "latestDateCovered": show_moment(self._covered(end))})

    def deleted(self, call: Call, name: str) -> Reply:
        """List the records that were deleted in a span of time, whether they are in the recycle bin still or not."""
        kind, (begin, end) = self._kind(name), self._span(call)
        log = self._org.deletions
        log.trim()
        earliest = log.earliest(kind.name)
        if begin < earliest and earliest > (self._org.now() - _KEPT) // _MINUTE * _MINUTE:
            raise Refusal(
                "INVALID_REPLICATION_DATE", f"start date before earliest available date: {show_moment(earliest)}"
            )
        found = log.between(kind.name, begin, end)
        self._refuse_many(len(found))
        return Reply(
            body={
                "deletedRecords": [{"deletedDate": show_moment(at), "id": id} for id, at in found],
                "earliestDateAvailable": show_moment(earliest),
                "latestDateCovered": show_moment(self._covered(end)),
            }
        )

    def _kind(self, name: str) -> Kind:
        kind = self._org.schema.find(name)
        if kind is None:
            raise missing_resource()
        return kind

    def _covered(self, end: int) -> int:
        """Give up to when nothing more can come: where the oldest transaction that is still open began."""
        open_since = self._org.now() - round(self._org.settings.open_transaction_seconds * 1000)
        return min(end, open_since) // _MINUTE * _MINUTE

    def _refuse_many(self, count: int) -> None:
        if count > self._org.settings.replication_ids:
            raise Refusal("EXCEEDED_ID_LIMIT", f"more than {self._org.settings.replication_ids} ids; narrow the dates")

    def _span(self, call: Call) -> tuple[int, int]:
        """Give the span that is asked for, without its seconds, which count for nothing."""
        found = []
        for name in ("start", "end"):
            text = call.query.get(name, "").replace(" ", "+")
            moment = read_moment(text) if text else None
            if moment is None:
                raise Refusal("INVALID_REPLICATION_DATE", f"{name} date is not a valid date: {text}")
            found.append(moment // _MINUTE * _MINUTE)
        begin, end = found
        if end - begin <= _MINUTE:
            raise Refusal("INVALID_REPLICATION_DATE", "startDate must precede endDate by more than one minute")
        if begin < self._org.now() - _OLDEST_START:
            raise Refusal("INVALID_REPLICATION_DATE", "startDate cannot be more than 30 days ago")
        return begin, end
