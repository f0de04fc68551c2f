"""The fault plan: which requests and deliveries go wrong, how, and how often; drawn from seeded dice."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hub.sandbox.clock import Clock

#: Answered with the vendor's own error body; nothing is executed.
REFUSALS = frozenset({"400", "401", "403", "404", "409", "410", "429", "500", "502", "503", "504"})
#: The write is executed and committed before the caller is let down.
AFTER_COMMIT = frozenset({"timeout_after_commit", "reset_after_commit", "500_after_commit"})
#: Something that is not the vendor stands in its place; nothing is executed.
INSTEAD = frozenset({"login_page", "error_inside", "redirect"})
#: The vendor's own answer, after it was executed, arrives in another state than it was given in.
SPOILT = frozenset(
    {
        "malformed_body",
        "half_body",
        "wrong_length",
        "bad_gzip",
        "empty_body",
        "slow_body",
        "endless_body",
        "huge_headers",
        "foreign_body",
        "renamed_field",
        "added_field",
        "unknown_value",
        "rows_doubled",
        "rows_missing",
        "rows_shuffled",
    }
)
#: Of these, what arrives bit by bit, for as long as somebody listens.
SENT_APART = frozenset({"half_body", "wrong_length", "slow_body", "endless_body"})
#: Everything the kit itself can do to a request.
REQUEST_KINDS = (
    REFUSALS
    | AFTER_COMMIT
    | INSTEAD
    | SPOILT
    | {"slow", "outage", "reset_before", "late_commit", "sticky_500", "twice"}
)

#: Where a redirect leads when nothing else is said: to what machines in clouds ask for their own credentials.
ELSEWHERE = "http://169.254.169.254/latest/meta-data/"

_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
#: What an entry of a plan may say.
PLAN_KEYS = frozenset({"kind", "match", "rate", "times", "seconds", "from", "until", "retry_after", "answer", "to"})
_MATCH_KEYS = frozenset({"method", "path", "body"})


@dataclass(slots=True, kw_only=True)
class Fault:
    """One entry of a fault plan, and how many of it are left.

    `method`, `path` and `body` are regular expressions (method: the whole word; path and body: anywhere);
    `begins` and `ends` are seconds since the plan was set; `answer` says what an outage does: `503`, `reset` or
    `mixed`. `retry_after` is sent as it stands, in whatever form; `to` is where a redirect leads. `seconds` is how long
    a slow answer takes, and after which time a late commit comes. `stuck` are the requests that a sticky failure has
    met once and meets for ever, whatever `times` says.
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
    to: str = ELSEWHERE
    stuck: set[str] = field(default_factory=set)

    def covers(self, *, method: str, path: str, body: bytes, elapsed: float, identity: str = "") -> bool:
        """Tell whether this entry is about the request, before any dice are thrown.

        `identity` tells a repeated request from a new one.
        """
        if identity in self.stuck:
            return True
        if self.left == 0 or elapsed < self.begins or (self.ends is not None and elapsed >= self.ends):
            return False
        if self.method is not None:
            if self.method.fullmatch(method) is None:
                return False
        elif self.kind in AFTER_COMMIT | {"late_commit", "twice"} and method not in _WRITES:
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

    @property
    def is_over(self) -> bool:
        """Tell whether nothing of the plan can strike any more."""
        elapsed = self._clock.monotonic() - self._began
        return all(fault.left == 0 or (fault.ends is not None and elapsed >= fault.ends) for fault in self._faults)

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """Let nothing go wrong for a while."""
        faults, self._faults = self._faults, []
        try:
            yield
        finally:
            self._faults = faults

    def choose(self, *, method: str, path: str, body: bytes = b"", identity: str = "") -> Fault | None:
        """Draw at most one of the kit's faults for a request; `strike` counts it once it has really happened."""
        if not self._faults:
            return None
        fault = self._draw(REQUEST_KINDS, method=method, path=path, body=body, identity=identity)
        if fault is not None and fault.kind == "sticky_500":
            if identity in fault.stuck:
                self._injected[fault.kind] += 1
            else:
                self.strike(fault)
                fault.stuck.add(identity)
        return fault

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

    def _draw(self, kinds: frozenset[str], *, method: str, path: str, body: bytes, identity: str = "") -> Fault | None:
        elapsed = self._clock.monotonic() - self._began
        for fault in self._faults:
            if (
                fault.kind in kinds
                and fault.covers(method=method, path=path, body=body, elapsed=elapsed, identity=identity)
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
        surplus = (set(entry) - PLAN_KEYS) | {f"match.{key}" for key in set(match) - _MATCH_KEYS}
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
                to=str(entry.get("to", ELSEWHERE)),
            )
        except (re.error, TypeError, ValueError) as error:
            raise ValueError(f"faults[{place}]: {error}") from None


def _pattern(text: object, flags: int = 0) -> re.Pattern[str] | None:
    return None if text is None else re.compile(str(text), flags)
