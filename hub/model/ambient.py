"""What the hub takes from outside: the time, chance, and new names; passed in, never taken."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


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
    """The clock and the source of chance of one process."""

    clock: Clock
    random: random.Random

    def now(self) -> datetime:
        """Give the present moment as aware UTC."""
        return self.clock.now()

    def new_id(self, prefix: str) -> str:
        """Make a name that sorts by time: prefix, ten digits of milliseconds, ten of chance (base 32)."""
        return f"{prefix}_{_base32(to_micros(self.now()) // 1000, 10)}{_base32(self.random.getrandbits(50), 10)}"


def to_micros(moment: datetime) -> int:
    """Give a moment as microseconds since 1970 UTC, the form in which the store keeps time."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def of_micros(micros: int) -> datetime:
    """Give the moment of a stored count of microseconds, as aware UTC."""
    seconds, rest = divmod(micros, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _base32(number: int, digits: int) -> str:
    return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in range(digits - 1, -1, -1))
