"""How the items of a call ended: counts of all, names of some, and what follows for the step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.engine import verdicts
from hub.engine.lanes import Place, Stopped
from hub.engine.verdicts import Park, Waiting
from hub.errors import FixData, HubError, OnHold, OutcomeParked
from hub.model.flow import Failures
from hub.model.run import WaitKind

#: So many items are named to people.
NAMED = 20
#: So many failures, and so many results, later steps can read; counts are of all.
MOST_FAILURES, MOST_RESULTS = 100, 1000
#: After such an end no further item begins: it would meet the same.
_COMMON = frozenset({WaitKind.CONNECTION, WaitKind.LIMIT})


@dataclass(slots=True, kw_only=True)
class Tally:
    """What one pass over the items has shown so far; `held_up` says that no further item is to begin."""

    succeeded: int = 0
    failed: int = 0
    doubtful: int = 0
    held_up: bool = False
    results: dict[str, Any] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)
    _unknown: list[str] = field(default_factory=list)
    _unknown_reason: str = OutcomeParked.code
    _stake: dict[str, int] = field(default_factory=dict)
    _unpriced: int = 0
    _waiting: Waiting | None = None
    _first_wait: HubError | None = None

    def succeed(self, name: str, output: Any) -> None:
        """Count an item that is done."""
        self.succeeded += 1
        if len(self.results) < MOST_RESULTS:
            self.results[name] = output

    def fail(self, name: str, code: str, detail: str, item: Any) -> None:
        """Count an item that failed, with the money that it is about."""
        self.failed += 1
        if len(self.failures) < MOST_FAILURES:
            self.failures.append({"item": name, "code": code, "detail": detail[:300]})
        money = money_of(item)
        if money is None:
            self._unpriced += 1
        else:
            minor, currency = money
            self._stake[currency] = self._stake.get(currency, 0) + minor

    def doubt(self, name: str, reason: str) -> None:
        """Count an item of which nobody knows whether it was done."""
        self.doubtful += 1
        self._unknown_reason = reason
        if len(self._unknown) < NAMED:
            self._unknown.append(name)

    def wait(self, waiting: Waiting, error: HubError) -> None:
        """Count an item that is tried again later."""
        self._waiting = waiting if self._waiting is None else _sooner(self._waiting, waiting)
        self._first_wait = self._first_wait or error
        self.held_up = self.held_up or waiting.kind in _COMMON or isinstance(error, OnHold)

    def raise_what_waits(self, place: Place, count: int, *, failures: Failures) -> None:
        """Raise `Stopped` when some items go on later, with what of the others will stop the run."""
        if self._waiting is None:
            return
        assert self._first_wait is not None
        beside = []
        if self.failed and failures is Failures.PARK:
            error = self._failed_items(count)
            beside.append(Stopped(Park(reason=error.code), place, error))
        raise Stopped(self._waiting, place, self._first_wait, beside=beside)

    def raise_what_nobody_knows(self, count: int) -> None:
        """Stop for a person, whatever the flow says of failures, when nobody knows of some items if they were done."""
        if not self.doubtful:
            return
        error = OutcomeParked(
            f"Of {self.doubtful} of {count} items nobody knows whether they were done; a person must find out.",
            code=self._unknown_reason,
            items=_some(self._unknown, self.doubtful),
            failed=self.failed,
            succeeded=self.succeeded,
        )
        raise Stopped(Park(reason=self._unknown_reason), None, error)

    def raise_what_failed(self, count: int) -> None:
        """Raise `FixData` that names items that failed, and the money they are about."""
        if self.failed:
            raise self._failed_items(count)

    def _failed_items(self, count: int) -> FixData:
        first = self.failures[0]
        codes = {failure["code"] for failure in self.failures}
        return FixData(
            f"{self.failed} of {count} items failed; first {first['item']}: {first['detail']}",
            code=first["code"] if len(codes) == 1 else "items-failed",
            failed=self.failed,
            succeeded=self.succeeded,
            items=_some([failure["item"] for failure in self.failures[:NAMED]], self.failed),
            **({"money": self._money()} if self._stake else {}),
        )

    def output(self, count: int) -> Mapping[str, Any]:
        """Give what later steps read of the call."""
        return {
            "count": count,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "results": self.results,
            "failures": self.failures,
        }

    def _money(self) -> str:
        told = ", ".join(f"{minor} {currency}" for currency, minor in sorted(self._stake.items()))
        return told + (f" and {self._unpriced} items without an amount" if self._unpriced else "")


def money_of(item: Any) -> tuple[int, str] | None:
    """Give the money that an item is about: itself, its `total` or its `amount`, in minor units and its currency."""
    if not isinstance(item, Mapping):
        return None
    for money in (item, item.get("total"), item.get("amount")):
        if isinstance(money, Mapping) and type(money.get("minor")) is int and isinstance(money.get("currency"), str):
            return money["minor"], money["currency"]
    return None


def _sooner(one: Waiting, other: Waiting) -> Waiting:
    # Of thousands that wait for times, the first time is enough.
    if one.kind is other.kind and not one.waits and not other.waits and one.until and other.until:
        return one if one.until <= other.until else other
    return verdicts.together([one, other])


def _some(names: list[str], count: int) -> str:
    more = count - len(names)
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")
