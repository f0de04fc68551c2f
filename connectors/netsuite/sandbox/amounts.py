"""Exact amounts: precision checks, rounding, and how they look on the wire."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from connectors.netsuite.sandbox.problems import Refusal

ZERO = Decimal(0)


def unit(precision: int) -> Decimal:
    """Give the smallest amount of a currency with this many digits."""
    return Decimal(1).scaleb(-precision)


def exact(amount: Decimal, precision: int, path: str) -> Decimal:
    """Give the amount with the currency's digits; refuse surplus ones."""
    if not amount.is_finite() or amount.adjusted() > 15 or amount != amount.quantize(unit(precision)):
        raise Refusal(
            f"Invalid amount (must be within the precision of the currency: {precision} digits): {amount}",
            path=path,
        )
    return amount.quantize(unit(precision))


def rounded(amount: Decimal, precision: int) -> Decimal:
    """Round half up to the currency's digits."""
    return amount.quantize(unit(precision), rounding=ROUND_HALF_UP)


def double(amount: Decimal) -> Decimal:
    """Give a number as NetSuite writes doubles: `119` is `119.0`, `10.50` is `10.5`."""
    whole = amount.to_integral_value()
    return whole.quantize(Decimal("0.1")) if amount == whole else Decimal(f"{amount.normalize():f}")


def text(amount: Decimal) -> str:
    """Give a number as SuiteQL writes it: a string without trailing zeros."""
    return f"{amount.normalize():f}" if amount else "0"
