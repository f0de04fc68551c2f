"""The fault plan: which requests and deliveries go wrong, how, and how often; drawn from seeded dice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from hub.sandbox.clock import Clock

#: Answered with the vendor's own error body; nothing is executed.
REFUSALS = frozenset({"429", "500", "502", "503"})
#: The write is executed and committed before the caller is let down.
AFTER_COMMIT = frozenset({"timeout_after_commit", "reset_after_commit", "500_after_commit"})
#: Everything the kit itself can do to a request.
REQUEST_KINDS = REFUSALS | AFTER_COMMIT | {"slow", "outage", "reset_before", "malformed_body"}

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_KEYS = frozenset({"kind", "match", "rate", "times", "seconds", "from", "until", "retry_after", "answer"})
_MATCH_KEYS = frozenset({"method", "path", "body"})


@dataclass(slots=True, kw_only=True)
class Fault:
    """One entry of a fault plan, and how many of it are left.

    `method`, `path` and `body` are regular expressions (method: the whole word; path and body: anywhere);
    `begins` and `ends` are seconds since the plan was set; `answer` says what an outage does: `503`, `reset` or
    `mixed`. `retry_after` is sent as it stands, in whatever form.
    """

    kind: str
    method: re.Pattern[str] | None = None
    path: re.Pattern[str] | None = None
    body: re.Pattern[str] | None = None
    rate: float = 1.0
    left: int | None = None
    seconds: float = 1.0
    begins: float = 0.0
    ends: float | None = None
    retry_after: str | None = None
    answer: str = "503"

    def covers(self, *, method: str, path: str, body: bytes, elapsed: float) -> bool:
        """Tell whether this entry is about the request, before any dice are thrown."""
        if self.left == 0 or elapsed < self.begins or (self.ends is not None and elapsed >= self.ends):
            return False
        if self.method is not None:
            if self.method.fullmatch(method) is None:
                return False
        elif self.kind in AFTER_COMMIT and method not in _WRITES:
            return False
        if self.path is not None and self.path.search(path) is None:
            return False
        return self.body is None or self.body.search(body.decode("utf-8", "replace")) is not None


class FaultEngine:
    """Decides for each request or delivery whether a fault strikes, and counts what really struck."""

    def __init__(self, *, seed: str, clock: Clock, vendor_kinds: frozenset[str] = frozenset()) -> None:
        """Start without a plan; `vendor_kinds` are the kinds that a vendor's own code asks for."""
        self._seed = seed
        self._clock = clock
        self._vendor_kinds = vendor_kinds
        self._entries: list[dict[str, Any]] = []
        self._faults: list[Fault] = []
        self._injected: Counter[str] = Counter()
        self._began = clock.monotonic()
        self._dice = Random(seed)  # dice of a simulation, nothing secret

    @property
    def injected(self) -> Mapping[str, int]:
        """Give how often each kind struck since the plan was set."""
        return dict(self._injected)

    @property
    def plan(self) -> Sequence[Mapping[str, Any]]:
        """Give the plan as it was set."""
        return list(self._entries)

    def replace(self, entries: Sequence[Mapping[str, Any]], *, keep_counts: bool = False) -> None:
        """Set a new plan, whose time starts now; raises `ValueError` that names the wrong entry."""
        faults = [self._read(entry, place) for place, entry in enumerate(entries)]
        self._entries = [dict(entry) for entry in entries]
        self._faults = faults
        self._began = self._clock.monotonic()
        self._dice.seed(self._seed)
        if not keep_counts:
            self._injected.clear()

    def choose(self, *, method: str, path: str, body: bytes = b"") -> Fault | None:
        """Draw at most one of the kit's faults for a request; `strike` counts it once it has really happened."""
        if not self._faults:
            return None
        return self._draw(REQUEST_KINDS, method=method, path=path, body=body)

    def hit(self, kind: str, *, method: str = "", path: str = "", body: bytes = b"") -> Fault | None:
        """Draw one of the vendor's own faults (such as a duplicated webhook) and count it at once."""
        if not self._faults:
            return None
        fault = self._draw(frozenset({kind}), method=method, path=path, body=body)
        if fault is not None:
            self.strike(fault)
        return fault

    def strike(self, fault: Fault) -> None:
        """Count a fault that has happened."""
        self._injected[fault.kind] += 1
        if fault.left is not None:
            fault.left = max(0, fault.left - 1)

    def toss(self) -> bool:
        """Throw a coin, for faults with two faces."""
        return self._dice.random() < 0.5

    def pick(self, ceiling: float) -> float:
        """Give a number of seconds between 0 and `ceiling`."""
        return self._dice.random() * ceiling

    def _draw(self, kinds: frozenset[str], *, method: str, path: str, body: bytes) -> Fault | None:
        elapsed = self._clock.monotonic() - self._began
        for fault in self._faults:
            if (
                fault.kind in kinds
                and fault.covers(method=method, path=path, body=body, elapsed=elapsed)
                and (fault.rate >= 1.0 or self._dice.random() < fault.rate)
            ):
                return fault
        return None

    def _read(self, entry: Mapping[str, Any], place: int) -> Fault:
        known = REQUEST_KINDS | self._vendor_kinds
        kind = str(entry.get("kind", ""))
        if kind not in known:
            raise ValueError(f"faults[{place}]: kind {kind!r} is not one of {', '.join(sorted(known))}")
        match = entry.get("match") or {}
        surplus = (set(entry) - _KEYS) | {f"match.{key}" for key in set(match) - _MATCH_KEYS}
        if surplus:
            raise ValueError(f"faults[{place}]: unknown key {', '.join(sorted(surplus))}")
        answer = str(entry.get("answer", "503"))
        if answer not in {"503", "reset", "mixed"}:
            raise ValueError(f"faults[{place}]: answer is 503, reset or mixed")
        try:
            return Fault(
                kind=kind,
                method=_pattern(match.get("method"), re.IGNORECASE),
                path=_pattern(match.get("path")),
                body=_pattern(match.get("body")),
                rate=float(entry.get("rate", 1)),
                left=None if entry.get("times") is None else int(entry["times"]),
                seconds=float(entry.get("seconds", 1)),
                begins=float(entry.get("from", 0)),
                ends=None if entry.get("until") is None else float(entry["until"]),
                retry_after=None if entry.get("retry_after") is None else str(entry["retry_after"]),
                answer=answer,
            )
        except (re.error, TypeError, ValueError) as error:
            raise ValueError(f"faults[{place}]: {error}") from None


def _pattern(text: object, flags: int = 0) -> re.Pattern[str] | None:
    return None if text is None else re.compile(str(text), flags)
