"""What a stream has lost: decided from how it was when it was last seen, and how it is now."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable

from hub.backbone.stream import Seen
from hub.store.outbox import Published

#: A message is not missed that may have left by its age meanwhile: clocks differ by less, in microseconds.
SLACK = 60_000_000


def suspicion(before: Published, now: Seen, *, kept: int, bounded: bool, at: int) -> str | None:
    """Say why a stream may have lost what was published, or None where it is as it was and has only grown.

    `kept` is for how long a message stays, and `at` the moment of looking (microseconds); `bounded` says that the
    oldest may leave earlier because of the stream's size.
    """
    if not before.made:
        # Nobody knows what was published; only an empty stream has lost nothing for sure.
        return "it was never looked at" if now.messages else None
    if now.made != before.made:
        return "it was made anew"
    if now.last < before.last:
        return f"it ends at {now.last} and went to {before.last} before"
    if now.holes > before.holes:
        return f"{now.holes - before.holes} are missing in the middle"
    young = before.first_at and before.first_at > at - kept + SLACK
    if young and (now.messages == 0 or (now.first > before.first and not bounded)):
        return f"it begins at {now.first} and began at {before.first} before, which was not old enough to leave"
    return None


def published(seen: Seen, *, position: int) -> Published:
    """Give the mark of a stream as it is, of which all is known to be there up to a position."""
    return Published(
        position=position,
        made=seen.made,
        last=seen.last,
        first=seen.first,
        first_at=seen.first_at,
        holes=seen.holes,
    )


class Present:
    """The names of what is in a stream, eight bytes for each, so that millions fit into memory."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Take names."""
        self._found = array("Q", (_short(name) for name in names))
        self._sorted = False

    def add(self, name: str) -> None:
        """Take one more."""
        self._found.append(_short(name))
        self._sorted = False

    def __contains__(self, name: str) -> bool:
        """Tell whether it is in the stream."""
        if not self._sorted:
            self._found = array("Q", sorted(self._found))
            self._sorted = True
        wanted = _short(name)
        place = bisect_left(self._found, wanted)
        return place < len(self._found) and self._found[place] == wanted


def _short(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big")
