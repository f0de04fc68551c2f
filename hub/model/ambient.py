"""What the hub takes from outside: the time, chance, and new names; passed in, never taken."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)


class Clock(Protocol):
    """The time, and a way to let it pass; a simulation brings its own."""

    def now(self) -> datetime:
        """Give the present moment as aware UTC."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that long."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambient:
    """The clock and the source of chance of one process.

    `hear` is there where the clock is a machine's: where a database that several share has a clock, that one is
    everybody's then, and `hear` is told what it shows just now (microseconds since 1970 UTC). A test's own time, or a
    simulation's, is everybody's as it is.
    """

    clock: Clock
    random: random.Random
    hear: Callable[[int], None] | None = None

    def now(self) -> datetime:
        """Give the present moment as aware UTC."""
        return self.clock.now()

    def new_id(self, prefix: str) -> str:
        """Make a name that sorts by time: prefix, ten digits of milliseconds, ten of chance (base 32)."""
        return f"{id_from(prefix, self.now())}{_ten_digits(self.random.getrandbits(50))}"

    def new_ids(self, prefix: str, count: int) -> list[str]:
        """Make so many names at one moment, in their order: as `new_id` does, but they share a part of their chance."""
        first = self.random.getrandbits(50) & ~0xFFFFF
        names: list[str] = []
        while len(names) < count:
            # Six digits of chance, and four that count: so a thousand names are a thousand neighbours in an index.
            begin = f"{id_from(prefix, self.now())}{_ten_digits(first)[:6]}"
            some = range(min(count - len(names), 1 << 20))
            names += [f"{begin}{_PAIRS[number >> 10]}{_PAIRS[number & 1023]}" for number in some]
            first += 1 << 20
        return names


def id_from(prefix: str, moment: datetime) -> str:
    """Give what every name begins with that is made in a moment's millisecond; it sorts before all of them."""
    return f"{prefix}_{_ten_digits(to_micros(moment) // 1000)}"


def to_micros(moment: datetime) -> int:
    """Give a moment as microseconds since 1970 UTC, the form in which the store keeps time."""
    return (moment - _EPOCH) // _MICROSECOND


def of_micros(micros: int) -> datetime:
    """Give the moment of a stored count of microseconds, as aware UTC."""
    return _EPOCH + timedelta(microseconds=micros)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _ten_digits(number: int) -> str:
    """Write the lower 50 bits in base 32."""
    return (
        _PAIRS[(number >> 40) & 1023]
        + _PAIRS[(number >> 30) & 1023]
        + _PAIRS[(number >> 20) & 1023]
        + _PAIRS[(number >> 10) & 1023]
        + _PAIRS[number & 1023]
    )
