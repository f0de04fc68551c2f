"""How far a stream was read: where the next reading begins, and what is missing in between. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

from hub.model.ambient import of_micros, to_micros
from hub.sdk import exact_json

#: So many parts of the overlap have a mark each.
_PARTS = 16
#: More holes than these are told as missing without waiting for them.
_MOST_HOLES = 200
_EPOCH = of_micros(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in the list: whatever stands before `cursor` there happened not later than `until`."""

    until: datetime
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """Numbers that were passed by without their events, both ends included, and when that was seen."""

    first: int
    last: int
    seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Everything that a reading goes on from.

    - `since` is where the very first reading began, `began` when the latest one did.
    - `marks` are the places that this one has passed, the last of them is how far it came.
    - `highest` is the highest number seen so far, `holes` those below it that were not.

    An event comes to light in the list up to an overlap after it happened. One that a reading passed by unseen
    happened after the reading's beginning less the overlap; so the next one begins at a mark that is not younger.
    """

    since: datetime
    began: datetime | None = None
    marks: tuple[Mark, ...] = (Mark(until=_EPOCH, cursor=None),)
    highest: int | None = None
    holes: tuple[Hole, ...] = ()

    @property
    def cursor(self) -> str | None:
        """Give where a reading that has begun goes on; None: from `since`."""
        return self.marks[-1].cursor

    def begun(self, now: datetime, overlap: timedelta) -> Position:
        """Give the position of a new reading, which goes on from its cursor."""
        place = len(self.marks) - 1
        if overlap and self.began is not None:
            place = _settled(self.marks, self.began - overlap)
        # What an earlier reading saw behind this place it saw too early for what comes to light late.
        return replace(self, began=now, marks=(self.marks[place],))

    def anew(self, since: datetime) -> Position:
        """Give the position of a list that is read from a moment on, whatever was read of it before."""
        return replace(self, since=since, began=None, marks=(Mark(until=_EPOCH, cursor=None),))

    def moved(self, cursor: str, times: Iterable[datetime], now: datetime, overlap: timedelta) -> Position:
        """Give the position once a page with events of these times, which ends at this cursor, is durable."""
        assert self.began is not None
        # Behind a page without events may lie anything that has happened by now.
        until = min(max([self.marks[-1].until, *times], default=now), now) if (times := [*times]) else now
        part = overlap / _PARTS
        marks = (*self.marks, Mark(until=until, cursor=cursor))
        if not overlap:
            return replace(self, marks=marks[-1:])
        if len(marks) > 2 and (marks[-2].until - _EPOCH) // part == (until - _EPOCH) // part:
            marks = (*marks[:-2], marks[-1])
        return replace(self, marks=marks[_settled(marks, self.began - overlap) :])

    def counted(self, numbers: Iterable[int], now: datetime) -> Position:
        """Give the position with these events' numbers seen."""
        highest, holes = self.highest, list(self.holes)
        for number in numbers:
            if highest is None:
                highest = number
            elif number > highest:
                if number > highest + 1:
                    holes.append(Hole(first=highest + 1, last=number - 1, seen_at=now))
                highest = number
            else:
                holes = [part for hole in holes for part in _without(hole, number)]
        return replace(self, highest=highest, holes=tuple(holes))

    def lost(self, overlap: timedelta) -> tuple[Position, tuple[Hole, ...]]:
        """Give the holes that a reading which has come to its end would have filled, and the position without them."""
        assert self.began is not None
        many = len(self.holes) - _MOST_HOLES
        over = tuple(
            hole for place, hole in enumerate(self.holes) if place < many or hole.seen_at + overlap <= self.began
        )
        return replace(self, holes=tuple(hole for hole in self.holes if hole not in over)), over

    def dumped(self) -> dict[str, str | None]:
        """Give the columns that hold it."""
        began = None if self.began is None else to_micros(self.began)
        marks = [[to_micros(mark.until), mark.cursor] for mark in self.marks]
        trail = {"since": to_micros(self.since), "began": began, "marks": marks}
        holes = [[hole.first, hole.last, to_micros(hole.seen_at)] for hole in self.holes]
        numbers = None if self.highest is None else exact_json.dumps({"highest": self.highest, "holes": holes}).decode()
        return {"cursor": self.cursor, "trail": exact_json.dumps(trail).decode(), "numbers": numbers}

    @classmethod
    def loaded(cls, row: Mapping[str, Any] | None, first_look: datetime) -> Self:
        """Read it from its columns; a stream that was never read begins at `first_look`."""
        if row is None or (row["trail"] is None and row["cursor"] is None):
            return cls(since=first_look)
        if row["trail"] is None:
            # Kept by an earlier release, which had the cursor alone.
            return cls(since=first_look, marks=(Mark(until=_EPOCH, cursor=row["cursor"]),))
        trail = exact_json.loads(row["trail"])
        numbers = {"highest": None, "holes": []} if row["numbers"] is None else exact_json.loads(row["numbers"])
        return cls(
            since=of_micros(trail["since"]),
            began=None if trail["began"] is None else of_micros(trail["began"]),
            marks=tuple(Mark(until=of_micros(until), cursor=cursor) for until, cursor in trail["marks"]),
            highest=numbers["highest"],
            holes=tuple(Hole(first=first, last=last, seen_at=of_micros(at)) for first, last, at in numbers["holes"]),
        )


def _settled(marks: tuple[Mark, ...], moment: datetime) -> int:
    """Give the place of the last mark that is not younger than a moment; the first one where all are younger."""
    return max((place for place, mark in enumerate(marks) if mark.until <= moment), default=0)


def _without(hole: Hole, number: int) -> list[Hole]:
    if not hole.first <= number <= hole.last:
        return [hole]
    parts = (replace(hole, last=number - 1), replace(hole, first=number + 1))
    return [part for part in parts if part.first <= part.last]
