"""Exact money: an integer count of minor units with an ISO 4217 code, never a float."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Context,
    Decimal,
    InvalidOperation,
)
from enum import StrEnum
from fractions import Fraction
from typing import Self

from hub.errors import FixData
from hub.model.currencies import EXPONENTS

#: No document of the money path needs more; beyond it a value is an attack or a defect.
MAX_DIGITS = 30
#: The usual context keeps 28 digits and would round the others away without a word.
_EXACT = Context(prec=1000)


class Rounding(StrEnum):
    """Named rounding modes; a caller always says which.

    `EXACT` refuses what would have to be rounded. The halves go away from zero (`HALF_UP`), to the even digit or
    towards zero; `UP` and `DOWN` go away from zero and towards it, `CEILING` and `FLOOR` to the greater and the lesser.
    """

    EXACT = "exact"
    HALF_UP = "half_up"
    HALF_EVEN = "half_even"
    HALF_DOWN = "half_down"
    UP = "up"
    DOWN = "down"
    CEILING = "ceiling"
    FLOOR = "floor"


_DECIMAL_MODE = {
    Rounding.HALF_UP: ROUND_HALF_UP,
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
    Rounding.HALF_DOWN: ROUND_HALF_DOWN,
    Rounding.UP: ROUND_UP,
    Rounding.DOWN: ROUND_DOWN,
    Rounding.CEILING: ROUND_CEILING,
    Rounding.FLOOR: ROUND_FLOOR,
}


def exponent(currency: str) -> int:
    """Give the number of minor digits of a currency (EUR 2, JPY 0, KWD 3; source: ISO 4217)."""
    try:
        return EXPONENTS[currency]
    except KeyError:
        raise FixData(
            "The currency is not an ISO 4217 code in capitals.", code="unknown-currency", currency=currency
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True, order=False)
class Money:
    """An amount in minor units of one currency: 12.34 EUR is `Money(minor=1234, currency="EUR")`."""

    minor: int
    currency: str

    def __post_init__(self) -> None:
        """Refuse anything that is not a whole number of minor units of a known currency."""
        if isinstance(self.minor, bool) or not isinstance(self.minor, int):
            raise FixData("Minor units must be a whole number.", code="not-minor-units", minor=repr(self.minor))
        exponent(self.currency)

    @classmethod
    def of_major(cls, amount: Decimal | int | str, currency: str, rounding: Rounding = Rounding.EXACT) -> Self:
        """Take major units (`"12.34"`, `Decimal`, never float); EXACT refuses surplus digits."""
        if isinstance(amount, float):
            raise FixData("Money is never a float.", code="float-money", amount=amount)
        try:
            major = Decimal(amount)
        except (InvalidOperation, ValueError, TypeError):
            raise FixData("The amount is not a decimal number.", code="not-a-number", amount=amount) from None
        if not major.is_finite() or major.adjusted() > MAX_DIGITS:
            raise FixData("The amount is out of range.", code="not-a-number", amount=str(amount)[:40])
        shifted = major.scaleb(exponent(currency), _EXACT)
        whole = shifted.to_integral_value(rounding=_DECIMAL_MODE.get(rounding, ROUND_HALF_UP))
        if rounding is Rounding.EXACT and whole != shifted:
            raise FixData(
                "The amount has more digits than the currency.",
                code="too-many-digits",
                amount=str(amount),
                currency=currency,
            )
        return cls(minor=int(whole), currency=currency)

    @classmethod
    def of_json(cls, value: object) -> Self:
        """Read the record form `{"minor": 1234, "currency": "EUR"}`."""
        if not isinstance(value, Mapping) or set(value) != {"minor", "currency"}:
            raise FixData("Money is {minor, currency}.", code="not-money", value=repr(value)[:80])
        return cls(minor=value["minor"], currency=value["currency"])

    def to_json(self) -> dict[str, object]:
        """Give the record form."""
        return {"minor": self.minor, "currency": self.currency}

    @property
    def major(self) -> Decimal:
        """Give the amount in major units with exactly the currency's digits (1234 EUR → 12.34)."""
        return Decimal(self.minor).scaleb(-exponent(self.currency), _EXACT)

    def __add__(self, other: Money) -> Money:
        """Add two amounts of one currency."""
        self._same_currency(other)
        return Money(minor=self.minor + other.minor, currency=self.currency)

    def __sub__(self, other: Money) -> Money:
        """Subtract an amount of the same currency."""
        self._same_currency(other)
        return Money(minor=self.minor - other.minor, currency=self.currency)

    def __neg__(self) -> Money:
        """Turn the sign."""
        return Money(minor=-self.minor, currency=self.currency)

    def __str__(self) -> str:
        """Give `12.34 EUR`."""
        return f"{self.major:f} {self.currency}"

    def _same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            raise FixData(
                "Amounts of two currencies cannot be added.",
                code="mixed-currencies",
                left=self.currency,
                right=other.currency,
            )

    def allocate(self, weights: Sequence[int | Decimal]) -> tuple[Money, ...]:
        """Split by weights with the largest remainder, so that the parts always sum to the whole.

        Weights are not negative and not all zero; ties go to the earlier part.
        """
        # Fractions, because a product of decimals is rounded at the context's precision.
        exact = [Fraction(weight) for weight in weights]
        total = sum(exact, Fraction(0))
        if not exact or total <= 0 or any(weight < 0 for weight in exact):
            raise FixData(
                "Weights must not be negative and must not all be zero.", code="bad-weights", weights=list(weights)
            )
        sign = -1 if self.minor < 0 else 1
        amount = abs(self.minor)
        shares = [divmod(amount * weight, total) for weight in exact]
        parts = [whole for whole, _ in shares]
        order = sorted(range(len(parts)), key=lambda index: (-shares[index][1], index))
        for index in order[: amount - sum(parts)]:
            parts[index] += 1
        return tuple(Money(minor=sign * part, currency=self.currency) for part in parts)


def total(amounts: Iterable[Money], currency: str) -> Money:
    """Sum amounts that must all be of `currency`; nothing sums to zero."""
    result = Money(minor=0, currency=currency)
    for amount in amounts:
        result = result + amount
    return result
