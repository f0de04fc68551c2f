"""What happened in a trial, in its order: kept for whoever wants to read it, and a print of it always."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable


class Story:
    """Takes what happens as (who, what); keeps the lines only when somebody wants to read them.

    `digest` is the same for two trials in which the same things happened at the same times.
    """

    def __init__(self, time: Callable[[], float], *, kept: bool = False) -> None:
        """Take what tells the virtual time."""
        self._time = time
        self._kept = kept
        self._hash = hashlib.sha256()
        self.lines: list[str] = []
        self.struck: Counter[str] = Counter()

    def tell(self, who: str, what: str) -> None:
        """Note what happened now."""
        line = f"{self._time():12.3f}  {who:<10} {what}"
        self._hash.update(line.encode())
        if self._kept:
            self.lines.append(line)

    def strike(self, kind: str, who: str, what: str) -> None:
        """Note a trouble that has really struck."""
        self.struck[kind] += 1
        self.tell(who, f"! {kind}: {what}" if what else f"! {kind}")

    @property
    def digest(self) -> str:
        """Give the print of everything told so far."""
        return self._hash.hexdigest()[:16]
