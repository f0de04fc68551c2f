"""Adding up the differences of many runs in bounded memory: counts, one example of each, and the largest movements."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hub.model.flow_steps import place_of
from hub.release.comparison import Comparison, leaves
from hub.release.money import NOTHING, Movement, difference
from hub.release.report import Difference, Example, Found, Moved, MovedLine, NetLine, Shadow
from hub.workspace.checks.postings import EXACT, Account

#: As many different places are counted; beyond them a revision differs everywhere.
MOST_PLACES = 1000
#: As many runs are named; the others are counted and their money added all the same.
MOST_MOVED = 500
_LONGEST = 200

_Place = tuple[str, str, str]


class _Counts:
    """How often something was found at a place, with the first example."""

    def __init__(self) -> None:
        self._found: dict[_Place, tuple[int, Example]] = {}

    def add(self, place: _Place, about: str, before: Any, after: Any) -> None:
        known = self._found.get(place)
        if known is not None:
            self._found[place] = (known[0] + 1, known[1])
        elif len(self._found) < MOST_PLACES:
            example = Example(about=about, before=_bounded(before), after=_bounded(after))
            self._found[place] = (1, example)

    def list(self) -> tuple[Found, ...]:
        ordered = sorted(self._found.items(), key=lambda item: (-item[1][0], item[0]))
        return tuple(
            Found(flow=flow, step=step, what=what, count=count, example=example)
            for (flow, step, what), (count, example) in ordered
        )


class _Once:
    """What is found in one run: alike in several items of a loop it is one thing, and counts once."""

    def __init__(self, counts: Mapping[str, _Counts], flow: str, about: str) -> None:
        self._counts = counts
        self._flow = flow
        self._about = about
        self._seen: set[tuple[str, _Place]] = set()

    def add(self, name: str, path: str, what: str, before: Any, after: Any) -> None:
        place = (self._flow, place_of(path), what)
        if (name, place) not in self._seen:
            self._seen.add((name, place))
            self._counts[name].add(place, self._about, before, after)


class Tally:
    """The sum of all comparisons so far."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.events = 0
        self.runs = 0
        self._differing = 0
        self._records = 0
        self._unknown = 0
        self._counts = {
            name: _Counts() for name in ("fields", "rules", "steps", "failures", "routing", "untold", "unsure")
        }
        self._sums: dict[str, tuple[Decimal, int]] = {}
        self._net: dict[Account, tuple[Decimal, Decimal, int]] = {}
        self._moved: list[tuple[Decimal, int, Moved]] = []
        self._moved_runs = 0

    def compared(self, flow: str, about: str, found: Comparison) -> None:
        """Add what two versions of a run differ in."""
        self.runs += 1
        self._differing += found.differs
        self._unknown += found.lost
        self._records += len(found.records)
        here = _Once(self._counts, flow, about)
        for pair in found.records:
            old = None if pair.before is None else pair.before.value
            new = None if pair.after is None else pair.after.value
            for path, (before, after) in _fields(old, new).items():
                here.add("fields", pair.path, f"{pair.role}: {path or 'the record'}", before, after)
        for step in found.steps:
            here.add("steps", step.path, f"{step.before} → {step.after}", step.before, step.after)
        for rule in found.rules:
            what = f"{rule.rule_before} → {rule.rule_after}"
            here.add("rules", rule.path, what, rule.rule_before, rule.rule_after)
        for end in found.failures:
            codes = [None if failure is None else failure.code for failure in (end.before, end.after)]
            details = [None if failure is None else failure.detail for failure in (end.before, end.after)]
            here.add("failures", end.path, f"{codes[0]} → {codes[1]}", *details)
        if found.untold is not None:
            here.add("untold", *found.untold, None, None)
        for path, code in found.unsure:
            here.add("unsure", path, code, None, None)

    def routed(self, flow: str, what: str, about: str, before: Any, after: Any) -> None:
        """Add that an event is taken otherwise."""
        self._counts["routing"].add((flow, "start", what), about, before, after)

    def unread(self, flow: str, why: str, about: str) -> None:
        """Add a run whose money cannot be told."""
        self._unknown += 1
        self._counts["untold"].add((flow, "money", why), about, None, None)

    def moved(self, flow: str, about: str, event: str, run: str | None, found: Mapping[str, Movement]) -> None:
        """Add how much money a run differs by."""
        for code, movement in found.items():
            amount, runs = self._sums.get(code, (NOTHING, 0))
            self._sums[code] = (EXACT.add(amount, movement.amount), runs + 1)
            for account, (old, new) in movement.lines.items():
                before, after, number = self._net.get(account, (NOTHING, NOTHING, 0))
                self._net[account] = (EXACT.add(before, old), EXACT.add(after, new), number + 1)
            self._moved_runs += 1
            named = Moved(
                flow=flow,
                about=about,
                name=movement.name,
                event=event,
                run=run,
                currency=code,
                amount=movement.amount,
                lines=tuple(
                    MovedLine(
                        entity=account.entity,
                        account=account.account,
                        before=line[0],
                        after=line[1],
                        difference=difference(line),
                    )
                    for account, line in list(movement.lines.items())[:50]
                ),
            )
            # The number keeps the heap from comparing what has no order, and the newest among equals.
            entry = (movement.amount, -self._moved_runs, named)
            if len(self._moved) < MOST_MOVED:
                heapq.heappush(self._moved, entry)
            else:
                heapq.heappushpop(self._moved, entry)

    def report(self, *, seconds: Decimal, stopped: str | None) -> Shadow:
        """Give all of it, the most frequent and the largest first."""
        listed = sorted(self._moved, key=lambda entry: (-entry[0], -entry[1]))
        return Shadow(
            events=self.events,
            runs=self.runs,
            differing=self._differing,
            records=self._records,
            seconds=seconds,
            stopped=stopped,
            unknown=self._unknown,
            money=tuple(
                Difference(currency=code, amount=amount, runs=runs)
                for code, (amount, runs) in sorted(self._sums.items())
            ),
            net=tuple(
                NetLine(
                    currency=account.currency,
                    entity=account.entity,
                    account=account.account,
                    before=before,
                    after=after,
                    difference=difference((before, after)),
                    runs=number,
                )
                for account, (before, after, number) in sorted(self._net.items(), key=_by_place)
            ),
            moved=tuple(moved for _, _, moved in listed),
            more_moved=max(0, self._moved_runs - len(listed)),
            **{name: counts.list() for name, counts in self._counts.items()},
        )


def _by_place(item: tuple[Account, object]) -> tuple[str, str, str]:
    return item[0].currency, item[0].entity, item[0].account


def _fields(before: Any, after: Any) -> dict[str, tuple[Any, Any]]:
    """Give the fields that differ, each with its first difference; what is only on one side as a whole."""
    if before is None or after is None:
        return {"": (before, after)}
    found: dict[str, tuple[Any, Any]] = {}
    for path, old, new in leaves(before, after):
        found.setdefault(path, (old, new))
    return found


def _bounded(value: Any) -> Any:
    """Keep an example small: texts are cut, and of whole records only their first fields are kept."""
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"
    if isinstance(value, dict):
        return {key: _bounded(part) for key, part in list(value.items())[:8] if not isinstance(part, list | dict)}
    if isinstance(value, list):
        return f"{len(value)} entries"
    return value
