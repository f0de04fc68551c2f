"""Guards of upserts: what stands at the target is looked at, and nothing that is newer is overwritten.

Newer is what somebody else changed since the hub wrote it last, and what the hub wrote for something that happened
later. What the hub never wrote is newer unless the target says that it was changed before what this write is about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hub.connections.accounts import Account
from hub.engine import outcomes
from hub.engine.exchanges import Exchanges
from hub.engine.outcomes import Row
from hub.errors import FixData, HubError
from hub.model.ambient import to_micros
from hub.model.effect import NEWER
from hub.model.exchange import Request, Response
from hub.sdk import exact_json
from hub.sdk.calls import Course
from hub.sdk.connector import WriteOperation
from hub.sdk.guards import Conditional, Look, Part, ReadBefore, Standing
from hub.store import effects as stored
from hub.store.database import Database

OVERWRITTEN = "overwritten-by-other"
#: The version of what is not there.
ABSENT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a look saw: what stands, and whether that is what the write leaves; `parts` where they are made singly."""

    standing: Standing | None
    holds: bool
    response: Response
    parts: Sequence[Part] | None = None

    @property
    def version(self) -> str:
        """Give the version of what stands."""
        return ABSENT if self.standing is None else self.standing.version

    @property
    def versions(self) -> list[str] | None:
        """Give the version of what stands in the place of each part, where parts are made singly."""
        if self.parts is None:
            return None
        return [ABSENT if part.standing is None else part.standing.version for part in self.parts]

    @property
    def made(self) -> Seen | None:
        """Give it for a write of which those parts count alone that stand; None where that is nothing."""
        return replace(self, holds=True) if any(part.holds for part in self.parts or ()) else None

    @property
    def rest(self) -> Seen:
        """Give what stands in the place of those parts that do not show what was written; all where there are none."""
        if self.parts is None or self.standing is None:
            return self
        others = [part.standing for part in self.parts if not part.holds and part.standing is not None]
        if not others:
            return replace(self, standing=None)
        told = [one.changed_at for one in others if one.changed_at is not None]
        changed = max(told) if len(told) == len(others) else None
        return replace(self, standing=replace(self.standing, changed_at=changed))

    def is_between(self, base: Mapping[str, Any]) -> bool:
        """Tell whether each part stands as it did before a write, or as that leaves it: nobody else has changed any."""
        before, now = base.get("parts"), self.versions
        if before is None or now is None or self.parts is None or len(before) != len(now):
            return False
        return all(part.holds or was == is_ for part, was, is_ in zip(self.parts, before, now, strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the hub knows of an object: its last write, and versions that people were told of when it was refused."""

    version: str | None = None
    moment: int | None = None
    written: bool = False
    told: frozenset[str] = frozenset()


def look_of(operation: WriteOperation) -> Look | None:
    """Give how what a write would overwrite is looked at, if it is."""
    return None if operation.guard is None else operation.guard.look


def reads_back(operation: WriteOperation) -> bool:
    """Tell whether what stands is looked at after the write too."""
    guard = operation.guard
    return isinstance(guard, ReadBefore) and guard.reads_back


def as_refused(operation: WriteOperation, error: HubError) -> HubError:
    """Give an error as `newer-at-target` where the target itself has so refused a write; else as it is."""
    if isinstance(operation.guard, Conditional) and error.code in operation.guard.refused:
        return FixData(error.detail, code=NEWER, **error.facts)
    return error


def newer(seen: Seen, memory: Memory, *, moment: int, ordered: bool, same_as_last: bool) -> str | None:
    """Say why a write for what happened at `moment` (microseconds) would overwrite something newer; None: it does not.

    `ordered` says that a person ordered it anew, having been told what stands; `same_as_last` that what stands is what
    the hub wrote last.
    """
    if ordered and seen.version in memory.told:
        return None
    if not memory.written:
        if seen.standing is None:
            return None
        changed = seen.standing.changed_at
        if changed is not None and to_micros(changed) < moment:
            return None
        return "It is there already, and the hub has never written it."
    if memory.moment is not None and moment < memory.moment and not ordered:
        return "The hub has written it for something that happened later."
    if seen.version == memory.version or same_as_last:
        return None
    if seen.standing is None:
        return "What the hub wrote is there no more."
    return "Somebody else has changed it since the hub wrote it last."


def overwritten(seen: Seen, base: Mapping[str, Any] | None) -> bool:
    """Tell, from a look after a write, whether somebody else wrote at the same time."""
    if not seen.holds:
        return True
    if base is not None and "parts" in base and not seen.is_between(base):
        # What was refused need not stand, but what stands in its place is not the hub's either.
        return True
    if seen.standing is None:
        # All parts were refused, and nothing stood there before.
        return seen.parts is None
    count = None if base is None else base.get("count")
    # Where changes are counted, one more than the hub's own came in between.
    return count is not None and seen.standing.count is not None and seen.standing.count > count + 1


def base_of(seen: Seen, at: datetime) -> str:
    """Give what is recorded of what stood before a write, and when that was looked at."""
    count = 0 if seen.standing is None else seen.standing.count
    base = {"version": seen.version, "count": count, "at": to_micros(at)}
    return exact_json.dumps(base if seen.parts is None else {**base, "parts": seen.versions}).decode()


def recorded_base(row: Row) -> Mapping[str, Any] | None:
    """Give what stood before a recorded write; None when nobody looked."""
    if row.get("base") is None:
        return None
    base: Mapping[str, Any] = exact_json.loads(row["base"])
    return base


class Guards:
    """Looks at what stands, for the writes of one lane.

    `moment` is when that happened which the run is about (microseconds); `ordered` says that a person ordered it anew.
    """

    def __init__(self, exchanges: Exchanges, database: Database, *, moment: int, ordered: bool) -> None:
        """Take the collaborators."""
        self._exchanges = exchanges
        self._database = database
        self._ordered = ordered
        self.moment = moment

    async def see(
        self, account: Account, operation: WriteOperation, path: str, request: Request, output: Any = None
    ) -> Seen:
        """Look at what stands in the place of a write, which was answered with `output` where that is known.

        Raises `OutcomeUnknown` when that cannot be seen for now.
        """
        look = _look(operation)

        def looking() -> Course[Seen]:
            response = yield from look.course(account.settings, request)
            sight = look.sees(request, response, output)
            return Seen(standing=sight.standing, holds=sight.holds, response=response, parts=sight.parts)

        seen: Seen = await self._exchanges.find(
            account, path, looking(), absent=True, there=lambda one: one.standing is not None
        )
        return seen

    def object(self, account: Account, operation: WriteOperation, request: Request) -> str:
        """Name what a write would overwrite: the same for all operations that look at it in the same way."""
        asked = _look(operation).current(account.settings, request)
        named = f"{account.name}\x1f{asked.method}\x1f{asked.url}\x1f".encode() + asked.body
        return hashlib.sha256(named).hexdigest()[:32]

    def meant(self, operation: WriteOperation, record: Mapping[str, Any]) -> dict[str, Any]:
        """Give what must stand before a write, where its input says that."""
        guard = operation.guard
        if not isinstance(guard, ReadBefore) or guard.expects is None:
            return {}
        return {"base": exact_json.dumps({"version": guard.expects(record), "count": None}).decode()}

    def bound(self, operation: WriteOperation, request: Request, seen: Seen) -> dict[str, Any]:
        """Give the columns of a request that is bound to what stands, where the target compares that."""
        guard = operation.guard
        if not isinstance(guard, Conditional) or guard.bind is None:
            return {}
        return outcomes.columns_of(guard.bind(request, seen.standing))

    def assert_meant(self, operation: WriteOperation, record: Mapping[str, Any], seen: Seen) -> None:
        """Raise `FixData` as `newer-at-target` when another thing stands there than the input means."""
        guard = operation.guard
        if not isinstance(guard, ReadBefore) or guard.expects is None or seen.standing is None:
            return
        if seen.version != guard.expects(record):
            raise refusal("Another one than the one that is meant stands there.", seen)

    def assert_free(self, operation: WriteOperation, record: Mapping[str, Any], request: Request, seen: Seen) -> None:
        """Raise `FixData` when the operation itself refuses to write over what stands."""
        guard = operation.guard
        if not isinstance(guard, ReadBefore) or guard.refuses is None or seen.standing is None:
            return
        refused = guard.refuses(record, request, seen.response)
        if refused is not None:
            raise refused

    def assert_not_newer(self, operation: WriteOperation, environment: str, object: str, seen: Seen) -> None:
        """Raise `FixData` as `newer-at-target` when a write would overwrite something newer."""
        guard = operation.guard
        if isinstance(guard, ReadBefore) and guard.expects is not None:
            return
        with self._database.reading() as connection:
            last, told = stored.of_object(connection, environment, object, reasons=(NEWER, OVERWRITTEN))
        why = newer(
            seen,
            _memory(last, told),
            moment=self.moment,
            ordered=self._ordered,
            same_as_last=_is_as_left(_look(operation), last, seen),
        )
        if why is not None:
            raise refusal(why, seen)


def _look(operation: WriteOperation) -> Look:
    look = look_of(operation)
    assert look is not None
    return look


def _is_as_left(look: Look, last: Row | None, seen: Seen) -> bool:
    """Tell, where the versions alone do not, whether what stands is what the hub's last write has left."""
    if last is None or not last["body"] or seen.standing is None:
        return False
    written = outcomes.recorded_request(last)
    if last["version"] is None:
        # A crash kept the hub from seeing what its own write had left: the content is compared.
        return look.holds(written, seen.response)
    # What the last write has named counts, whatever this one names.
    return (
        look.within is not None
        and last["reason"] != OVERWRITTEN
        and look.within(written, seen.response) == last["version"]
    )


def _memory(last: Row | None, told: frozenset[str]) -> Memory:
    if last is None:
        return Memory(told=told)
    version = None if last["reason"] == OVERWRITTEN else last["version"]
    return Memory(version=version, moment=last["moment"], written=True, told=told)


def keeps_the_version(operation: WriteOperation) -> bool:
    """Tell whether a write leaves the version that its input means, so that another one there is another thing."""
    guard = operation.guard
    return isinstance(guard, ReadBefore) and guard.expects is not None and not guard.reads_back


def newer_than(seen: Seen) -> FixData:
    """Give the error for what was changed between a look and a write of unknown outcome."""
    return refusal("Somebody else has changed it while it was not known whether the write was made.", seen)


def refusal(why: str, seen: Seen) -> FixData:
    """Give the error that says what stands there."""
    changed = None if seen.standing is None else seen.standing.changed_at
    told = {} if changed is None else {"changed_at": f"{changed:%Y-%m-%dT%H:%M:%SZ}"}
    return FixData(why, code=NEWER, version=seen.version, **told)


def was_overwritten(seen: Seen) -> FixData:
    """Give the error that says that somebody else wrote at the same time."""
    return FixData(
        "Somebody else has changed it while the hub wrote it; what stands there now is not what was written.",
        code=OVERWRITTEN,
        version=seen.version,
    )
