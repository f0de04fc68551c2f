"""Money is exact: nothing is lost between major and minor units, and parts sum to the whole."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hub.errors import FixData
from hub.model.currencies import EXPONENTS
from hub.model.money import Money, Rounding, exponent, total

CURRENCIES = some.sampled_from(sorted(EXPONENTS))
MINORS = some.integers(min_value=-(10**29), max_value=10**29)


@given(minor=MINORS, currency=CURRENCIES)
def test_major_and_back_is_the_same_to_the_last_digit(minor: int, currency: str) -> None:
    """Also for amounts far beyond any float."""
    money = Money(minor=minor, currency=currency)
    assert Money.of_major(money.major, currency) == money
    assert -money.major.as_tuple().exponent == exponent(currency)  # type: ignore[operator]


@given(minor=MINORS, currency=CURRENCIES)
def test_the_record_form_is_read_back(minor: int, currency: str) -> None:
    """It has exactly `minor` and `currency`."""
    money = Money(minor=minor, currency=currency)
    assert Money.of_json(money.to_json()) == money


@given(
    minor=MINORS,
    currency=CURRENCIES,
    weights=some.lists(some.integers(min_value=0, max_value=10**6), min_size=1, max_size=40).filter(any),
)
def test_parts_sum_to_the_whole_and_none_is_off_by_a_unit(minor: int, currency: str, weights: list[int]) -> None:
    """The largest remainders get what is left, and no part is a whole unit away from its share."""
    whole = Money(minor=minor, currency=currency)
    parts = whole.allocate(weights)
    assert total(parts, currency) == whole
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.minor * sum(weights) - minor * weight) < sum(weights)


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("1.234", "EUR", "too-many-digits"),
        ("10.5", "JPY", "too-many-digits"),
        ("NaN", "EUR", "not-a-number"),
        ("Infinity", "EUR", "not-a-number"),
        ("1e999999999", "EUR", "not-a-number"),
        ("1,000.00", "EUR", "not-a-number"),
        ("", "EUR", "not-a-number"),
        ("1.00", "eur", "unknown-currency"),
        ("1.00", "XXX", "unknown-currency"),
    ],
)
def test_what_is_not_money_is_refused_with_its_reason(amount: str, currency: str, code: str) -> None:
    """Nothing is rounded, guessed or cut off in silence."""
    with pytest.raises(FixData) as refused:
        Money.of_major(amount, currency)
    assert refused.value.code == code


def test_a_float_is_never_money() -> None:
    """Not as an amount, and not as minor units."""
    with pytest.raises(FixData, match="never a float"):
        Money.of_major(0.1, "EUR")  # type: ignore[arg-type]
    with pytest.raises(FixData, match="whole number"):
        Money(minor=1.0, currency="EUR")  # type: ignore[arg-type]
    with pytest.raises(FixData, match="whole number"):
        Money(minor=True, currency="EUR")


def test_rounding_is_named() -> None:
    """Half up and half to even differ only at the half."""
    assert Money.of_major("0.125", "EUR", Rounding.HALF_UP).minor == 13
    assert Money.of_major("0.125", "EUR", Rounding.HALF_EVEN).minor == 12
    assert Money.of_major(Decimal("-0.125"), "EUR", Rounding.HALF_UP).minor == -13


def test_two_currencies_are_never_added() -> None:
    """The message names both."""
    with pytest.raises(FixData, match="USD"):
        Money(minor=1, currency="EUR") + Money(minor=1, currency="USD")
