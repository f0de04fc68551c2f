"""Two versions of one run side by side: which records, rules and failures differ, and what cannot be told.

A trace goes on behind a check that did not hold, because only here it is known whether that tells anything: the answer
that the check looks at was given to the old input. Where the input differs, so would the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from hub.engine.checks import same
from hub.model.flow_steps import parts_of
from hub.release.answers import Asked, Failure
from hub.release.trace import END, Made, Status, StepTrace, Trace


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPair:
    """A record as both versions make it; None where one does not."""

    path: str
    role: str
    before: Made | None
    after: Made | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPair:
    """A step that goes another way: how it ends by either version (None: not there), and by which rule."""

    path: str
    before: Status | None
    after: Status | None
    rule_before: str | None = None
    rule_after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FailurePair:
    """A run that stops at a step by one version and not, or otherwise, by the other."""

    path: str
    before: Failure | None
    after: Failure | None


@dataclass(slots=True, kw_only=True)
class Comparison:
    """What differs between two versions of one run; `untold` is the step from which nothing can be told, and why."""

    records: list[RecordPair] = field(default_factory=list)
    steps: list[StepPair] = field(default_factory=list)
    rules: list[StepPair] = field(default_factory=list)
    failures: list[FailurePair] = field(default_factory=list)
    untold: tuple[str, str] | None = None
    #: What is not known of the newer version was known of the older one, so that it may hide anything.
    lost: bool = False
    #: Checks on answers that were given to another input: step and reason.
    unsure: list[tuple[str, str]] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Tell whether anything surely differs."""
        return bool(self.records or self.steps or self.rules or self.failures)


def compare_traces(before: Trace | None, after: Trace | None) -> Comparison:
    """Compare a run by two versions; None where a version does not start the flow."""
    return _Walk(before, after).walk()


class _Walk:
    """One pass over the steps of both versions, in the order of the newer one.

    `over` are the paths of what has ended in a version before this step: items, steps that were gone past, and an empty
    one for the run. `unknown` are those of items that cannot be told.
    """

    def __init__(self, before: Trace | None, after: Trace | None) -> None:
        self.before = before
        self.after = after
        self.found = Comparison()
        self.over_before: set[str] = {""} if before is None else set()
        self.over_after: set[str] = {""} if after is None else set()
        self.unknown: set[str] = set()
        self.rewritten: set[str] = set()

    def walk(self) -> Comparison:
        """Go on until both versions have ended, or one cannot be told."""
        for key in _merged(self.before, self.after):
            old = None if self.before is None else self.before.steps.get(key)
            new = None if self.after is None else self.after.steps.get(key)
            path = key.removesuffix(END)
            old = None if _within(path, self.over_before) else old
            new = None if _within(path, self.over_after) else new
            if (old is None and new is None) or _within(path, self.unknown):
                continue
            why = _untold(old, new)
            self._records(path, old, new, asked_only=bool(why))
            if why:
                if self.found.untold is None:
                    self.found.untold = (path, why)
                self.found.lost = self.found.lost or self._lost(path, old)
                around = _item_of(path)
                if not around:
                    break
                # Other items can be told; what stands behind the loop ends there.
                self.unknown.add(around)
                continue
            if not key.endswith(END):
                self._ways(path, old, new)
            self._ends(path, old, new)
        return self.found

    def _lost(self, path: str, old: StepTrace | None) -> bool:
        """Tell whether the older version is known here, or is over; one that has failed before had nothing more."""
        if old is not None:
            return old.status is not Status.UNTOLD
        return self.before is None or not _within(path, self.over_before)

    def _records(self, path: str, old: StepTrace | None, new: StepTrace | None, *, asked_only: bool) -> None:
        here, there = _made(old), _made(new)
        for role in dict.fromkeys([*here, *there]):
            one, other = here.get(role), there.get(role)
            if (asked_only and role != "input") or (one is None and _open(old)) or (other is None and _open(new)):
                continue
            if one is None or other is None or not same(one.value, other.value):
                self.found.records.append(RecordPair(path=path, role=role, before=one, after=other))

    def _ways(self, path: str, old: StepTrace | None, new: StepTrace | None) -> None:
        ways = tuple(None if side is None else side.status for side in (old, new))
        # After its end a version has no steps, and nothing is to be told of them.
        over = _within(path, self.over_before) or _within(path, self.over_after)
        if over or Status.FAILED in ways:
            return
        rules = tuple(None if side is None else side.rule for side in (old, new))
        pair = StepPair(path=path, before=ways[0], after=ways[1], rule_before=rules[0], rule_after=rules[1])
        if ways[0] != ways[1]:
            self.found.steps.append(pair)
        elif rules[0] != rules[1]:
            self.found.rules.append(pair)

    def _ends(self, path: str, old: StepTrace | None, new: StepTrace | None) -> None:
        assumed = self._assumed(old, new)
        ends = [_end(old), _end(new)]
        told = Status.FAILED in [side.status for side in (old, new) if side is not None]
        if assumed and not told and (ends[0] is None) != (ends[1] is None):
            # The outside would have answered otherwise to what it is asked now.
            self.found.unsure.append((path, next(end.code for end in ends if end is not None)))
            return
        codes = [None if end is None else end.code for end in ends]
        if codes[0] != codes[1]:
            self.found.failures.append(FailurePair(path=path, before=ends[0], after=ends[1]))
        for end, side, over in ((ends[0], old, self.over_before), (ends[1], new, self.over_after)):
            if end is not None and side is not None:
                over.add(side.ends)

    def _assumed(self, old: StepTrace | None, new: StepTrace | None) -> bool:
        """Tell whether a call's answer was given to another input, or after other writes, than it would be now."""
        one, other = _asked(old), _asked(new)
        writes = [asked for asked in (one, other) if asked is not None and asked.writes]
        if writes and (one is None or other is None or not same(one.question, other.question)):
            self.rewritten.update(asked.target[0] for asked in writes)
            return True
        return any(asked is not None and asked.target[0] in self.rewritten for asked in (one, other))


def _untold(old: StepTrace | None, new: StepTrace | None) -> str:
    """Say why nothing can be told from this step on; empty when it can."""
    sides = [side for side in (old, new) if side is not None]
    for side in sides:
        if side.status is Status.UNTOLD:
            return side.why
    one, other = _asked(old), _asked(new)
    if one is None or other is None:
        return ""
    if one.target != other.target:
        return "it asks somebody else than before"
    if same(one.question, other.question):
        return ""
    if not one.writes:
        return "it asks something else than before"
    refused = any(side.failure is not None and side.failure.recorded for side in sides)
    return "it was refused then, and now sends something else" if refused else ""


def _merged(before: Trace | None, after: Trace | None) -> list[str]:
    """Give the steps of both versions: in the newer order, what it lacks behind what it followed."""
    newer = {} if after is None else after.steps
    behind: dict[str | None, list[str]] = {}
    last: str | None = None
    for key in {} if before is None else before.steps:
        if key in newer:
            last = key
        else:
            behind.setdefault(last, []).append(key)
    merged = list(behind.get(None, ()))
    for key in newer:
        merged += [key, *behind.get(key, ())]
    return merged


def _within(path: str, over: Collection[str]) -> bool:
    """Tell whether a step stands within something that is over."""
    if "" in over:
        return True
    return bool(over) and any(around in over for around in _around(path))


def _around(path: str) -> Iterator[str]:
    """Give the paths of all that a step stands within, items and steps, the outermost first."""
    whole = ""
    *outer, _ = parts_of(path)
    for part in outer:
        whole += part
        name, many, _item = part.partition("[")
        if many:
            yield whole[: len(whole) - len(part)] + name
        yield whole
        whole += "."


def _item_of(path: str) -> str:
    """Give the innermost item that a step stands within, or is; empty outside of loops."""
    return path[: path.rindex("]") + 1] if "]" in path else ""


def _made(side: StepTrace | None) -> dict[str, Made]:
    return {} if side is None else {made.role: made for made in side.made}


def _asked(side: StepTrace | None) -> Asked | None:
    return None if side is None else side.asked


def _open(side: StepTrace | None) -> bool:
    """Tell whether a step may have made more than is known."""
    return side is not None and side.status is Status.UNTOLD


def _end(side: StepTrace | None) -> Failure | None:
    return None if side is None else side.failure or side.unmet


def leaves(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Give the fields in which two records differ, as paths without indexes, with the value of either."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            yield from leaves(before.get(name), after.get(name), f"{path}.{name}" if path else name)
    elif isinstance(before, list) and isinstance(after, list):
        for number in range(max(len(before), len(after))):
            one = before[number] if number < len(before) else None
            other = after[number] if number < len(after) else None
            yield from leaves(one, other, f"{path}[]")
    elif not same(before, after):
        yield path, before, after
