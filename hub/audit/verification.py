"""Finding what was done to a log: altered, missing, reordered, surplus or rewritten entries, by their number."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from hub.audit.chain import GENESIS, ChainHead, Link, chain_hash
from hub.audit.merkle import leaf_hash

#: How many chain hashes are remembered as possible predecessors while entries do not fit.
MEMORY = 16


class Tampering(StrEnum):
    """What happened to an entry."""

    ALTERED = "altered"
    MISSING = "missing"
    REORDERED = "reordered"
    SURPLUS = "surplus"
    REWRITTEN = "rewritten"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One fault of a log; `sequence` to `until` are the numbers of the entries, both included."""

    tampering: Tampering
    log: str
    sequence: int
    until: int
    detail: str

    def __str__(self) -> str:
        """Give one line for a person."""
        numbers = f"entry {self.sequence}" if self.sequence == self.until else f"entries {self.sequence}-{self.until}"
        return f"{self.log}: {numbers} {self.tampering}: {self.detail}"


def verify_chain(entries: Iterable[Link], head: ChainHead, anchors: Sequence[ChainHead] = ()) -> list[Finding]:
    """Check a log, read in its stored order, against its head and against heads known from elsewhere (`anchors`).

    Nothing is found only if the entries are exactly those that were written. Who alters an entry and computes the
    chain anew from there leaves no trace in the entries themselves; then the finding spans the entries between the last
    anchor that still fits and the first one that does not. Anchors come from signed tree heads.
    """
    walk = _Walk(head, anchors)
    for entry in entries:
        walk.take(entry)
    return walk.finish()


class _Leaf(msgspec.Struct):
    log: str
    sequence: int


class _Walk:
    """One pass over a log; it keeps what is needed to name faults, never the log."""

    def __init__(self, head: ChainHead, anchors: Sequence[ChainHead]) -> None:
        known = [anchor for anchor in (head, *anchors) if anchor.log == head.log]
        self._log = head.log
        self._size = max(anchor.size for anchor in known)
        self._anchors: defaultdict[int, set[bytes]] = defaultdict(set)
        for anchor in known:
            self._anchors[anchor.size].add(anchor.chain)
        self._expected = 1
        self._findings: list[Finding] = []
        self._missing: list[tuple[int, int]] = []
        self._fitting = 0
        self._rewritten = False
        # Chain hashes the next entry may hang on. There are several only after a fault, so that one altered chain
        # hash is not held against the entry that follows it; none after a gap.
        self._before: deque[bytes] = deque([GENESIS], maxlen=MEMORY)
        self._compare(0, GENESIS)

    def take(self, entry: Link) -> None:
        """Look at the next stored entry."""
        number = entry.sequence
        if number < 1 or number > self._size:
            self._report(Tampering.SURPLUS, number, f"the log has {self._size} entries")
        elif number < self._expected:
            self._take_late(number)
        else:
            if number > self._expected:
                self._missing.append((self._expected, number - 1))
                self._before.clear()
            self._expected = number + 1
            self._examine(entry)

    def finish(self) -> list[Finding]:
        """Look at the end, and give all findings by number."""
        if self._expected <= self._size:
            self._missing.append((self._expected, self._size))
        for start, end in self._missing:
            after = f"; entry {end + 1} cannot be checked against it" if end < self._size else "; the log was cut"
            self._report(Tampering.MISSING, start, f"nothing is stored{after}", until=end)
        return sorted(self._findings, key=lambda finding: (finding.sequence, finding.tampering))

    def _examine(self, entry: Link) -> None:
        digest = leaf_hash(entry.leaf)
        fits = not self._before or any(chain_hash(before, digest) == entry.chain for before in self._before)
        fault = self._contradiction(entry)
        if fault is None and not fits:
            fault = (Tampering.ALTERED, "it does not hang on the entry before with its own hash")
        if fault is None:
            self._before.clear()
            self._before.append(entry.chain)
            self._compare(entry.sequence, entry.chain)
            return
        self._report(fault[0], entry.sequence, fault[1])
        if self._before:
            self._before.append(chain_hash(self._before[-1], digest))
        self._before.append(entry.chain)

    def _contradiction(self, entry: Link) -> tuple[Tampering, str] | None:
        """Say in what the leaf's own words contradict the place where it is stored."""
        try:
            leaf = msgspec.json.decode(entry.leaf, type=_Leaf)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return Tampering.ALTERED, "its bytes cannot be read"
        if leaf.log != self._log:
            return Tampering.REORDERED, f"it says that it belongs to the log {leaf.log[:80]!r}"
        if leaf.sequence != entry.sequence:
            return Tampering.REORDERED, f"it says that it is entry {leaf.sequence}"
        return None

    def _compare(self, number: int, chain: bytes) -> None:
        """Hold the chain against what is known of it from heads."""
        known = self._anchors.get(number)
        if known is None:
            return
        if known == {chain}:
            self._fitting = number
        elif not self._rewritten:
            self._rewritten = True
            self._report(
                Tampering.REWRITTEN,
                min(self._fitting + 1, number),
                "the entries hang together but do not end in the head: some were replaced and chained anew",
                until=number,
            )

    def _take_late(self, number: int) -> None:
        """Tell an entry that comes too late from one whose number was there already."""
        place = bisect_right(self._missing, (number, self._size)) - 1
        if place >= 0 and self._missing[place][0] <= number <= self._missing[place][1]:
            start, end = self._missing[place]
            self._missing[place : place + 1] = [
                part for part in ((start, number - 1), (number + 1, end)) if part[0] <= part[1]
            ]
            self._report(Tampering.REORDERED, number, "it is stored after later entries")
        else:
            self._report(Tampering.SURPLUS, number, "there is another entry with this number")

    def _report(self, tampering: Tampering, sequence: int, detail: str, *, until: int | None = None) -> None:
        last = sequence if until is None else until
        self._findings.append(Finding(tampering=tampering, log=self._log, sequence=sequence, until=last, detail=detail))
