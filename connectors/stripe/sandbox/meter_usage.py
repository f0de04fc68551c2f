"""What meters counted: events by meter and customer, and their sums over a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.stripe.sandbox.account import Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One meter event that was accepted: when it happened, its value, and when it was received."""

    at: int
    value: Decimal
    identifier: str
    received: int


@dataclass(slots=True, kw_only=True)
class Usage:
    """All that was counted in one account."""

    #: Meter and customer → what was counted, in the order it was received.
    counted: dict[tuple[str, str], list[Counted]] = field(default_factory=dict)
    #: Identifier → when it was received last.
    identifiers: dict[str, int] = field(default_factory=dict)


def usage(account: Account, meter: str, customer: str, start: int, end: int) -> Decimal:
    """Give what a meter counted for a customer from `start` to before `end`, in its way: sum, count or last."""
    formula = account.find(account.meters, meter)["default_aggregation"]["formula"]
    found = list(_within(account, meter, customer, start, end))
    if formula == "count":
        return Decimal(len(found))
    if formula == "last":
        return max(found, key=lambda one: one.at).value if found else Decimal(0)
    return sum((one.value for one in found), Decimal(0))


def _within(account: Account, meter: str, customer: str, start: int, end: int) -> Iterator[Counted]:
    for one in account.usage.counted.get((meter, customer), ()):
        if start <= one.at < end:
            yield one
