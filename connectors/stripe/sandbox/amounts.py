"""Invoice arithmetic in minor units: line amounts, discounts, taxes, and their sums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

# Sources: Stripe's pages on currencies; ISK and UGX lost their digits but keep two in the API.
_STEPS = {"bhd": 10, "jod": 10, "kwd": 10, "omr": 10, "tnd": 10, "isk": 100, "ugx": 100}


def step(currency: str) -> int:
    """Give the smallest amount a currency may change by, in minor units (10 for KWD, whose last digit must be 0)."""
    return _STEPS.get(currency, 1)


def rounded(amount: Decimal, unit: int) -> int:
    """Round half away from zero to a multiple of `unit`."""
    with localcontext() as context:
        context.prec = 60
        return int((amount / unit).to_integral_value(rounding=ROUND_HALF_UP)) * unit


def plain(number: Decimal) -> str:
    """Write a decimal without an exponent or trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """A discount: percent of the amount, or a fixed amount that is spread over the lines."""

    discount: str
    percent: Decimal | None = None
    amount: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """A tax rate in percent; `inclusive` is contained in the amount, `reason` says why it is so where that is known."""

    tax_rate: str
    percent: Decimal
    inclusive: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxShare:
    """One tax of one line; `taxable` is what it was computed on."""

    tax_rate: str
    amount: int
    taxable: int
    inclusive: bool = False
    reason: str = "standard_rated"

    def shown(self) -> dict[str, Any]:
        """Give the tax as lines and sums show it."""
        return {
            "amount": self.amount,
            "tax_behavior": "inclusive" if self.inclusive else "exclusive",
            "tax_rate_details": {"tax_rate": self.tax_rate},
            "taxability_reason": self.reason,
            "taxable_amount": self.taxable,
            "type": "tax_rate_details",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """A line before discounts and taxes; `fixed_taxes` (not None) are the caller's own and are not computed."""

    amount: int
    discountable: bool
    reductions: Sequence[Reduction] = ()
    rates: Sequence[Rate] = ()
    fixed_taxes: Sequence[TaxShare] | None = None


@dataclass(slots=True, kw_only=True)
class Settled:
    """A line's discounts (`discount id → amount`, the line's own first) and taxes."""

    own_discount: int = 0
    discounts: dict[str, int] = field(default_factory=dict)
    taxes: list[TaxShare] = field(default_factory=list)


def settle(lines: Sequence[Priced], reductions: Sequence[Reduction], unit: int) -> list[Settled]:
    """Compute discounts and taxes: a line's own discounts, then the invoice's, then taxes on what is left."""
    results = [Settled() for _ in lines]
    left = [line.amount for line in lines]
    for place, line in enumerate(lines):
        if line.discountable:
            for reduction in line.reductions:
                _reduce([place], left, results, reduction, unit)
        results[place].own_discount = line.amount - left[place]
    open_lines = [place for place, line in enumerate(lines) if line.discountable]
    for reduction in reductions:
        _reduce(open_lines, left, results, reduction, unit)
    for place, line in enumerate(lines):
        results[place].taxes = (
            list(line.fixed_taxes) if line.fixed_taxes is not None else _taxes(line.rates, left[place], unit)
        )
    return results


def _reduce(places: Sequence[int], left: list[int], results: list[Settled], reduction: Reduction, unit: int) -> None:
    if reduction.percent is not None:
        shares = [rounded(left[place] * reduction.percent / 100, unit) for place in places]
    else:
        weights = [max(0, left[place]) for place in places]
        shares = _spread(min(reduction.amount, sum(weights)), weights, unit)
    for place, share in zip(places, shares, strict=True):
        left[place] -= share
        results[place].discounts[reduction.discount] = results[place].discounts.get(reduction.discount, 0) + share


def _spread(amount: int, weights: Sequence[int], unit: int) -> list[int]:
    """Split by weights in whole units with the largest remainder, so that the shares sum to the amount."""
    whole = sum(weights)
    if whole == 0:
        return [0 for _ in weights]
    units = amount // unit
    parts = [divmod(units * weight, whole) for weight in weights]
    shares = [part for part, _ in parts]
    order = sorted(range(len(parts)), key=lambda place: (-parts[place][1], place))
    for place in order[: units - sum(shares)]:
        shares[place] += 1
    return [share * unit for share in shares]


def _taxes(rates: Sequence[Rate], net: int, unit: int) -> list[TaxShare]:
    contained = sum((rate.percent for rate in rates if rate.inclusive), Decimal(0))
    taxable = net if contained == 0 else rounded(Decimal(net) * 100 / (100 + contained), unit)
    return [
        TaxShare(
            tax_rate=rate.tax_rate,
            amount=rounded(taxable * rate.percent / 100, unit),
            taxable=taxable,
            inclusive=rate.inclusive,
            reason=rate.reason or ("zero_rated" if rate.percent == 0 else "standard_rated"),
        )
        for rate in rates
    ]
