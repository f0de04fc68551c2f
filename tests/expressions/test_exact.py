"""Numbers and money lose nothing, whatever they are."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import FixData
from hub.expressions.compiler import compile
from hub.expressions.numbers import divide
from hub.model.currencies import EXPONENTS
from hub.model.money import Money, Rounding

CURRENCIES = st.sampled_from(sorted(EXPONENTS))
MINOR = st.integers(-(10**18), 10**18)
AMOUNTS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=6)


def evaluate(text: str, **source: Any) -> Any:
    return compile(text)(source)


@given(minor=MINOR, currency=CURRENCIES)
def test_money_goes_to_major_units_and_back(minor: int, currency: str) -> None:
    money = evaluate("money(minor, currency)", minor=minor, currency=currency.lower())
    assert money == {"minor": minor, "currency": currency}
    assert evaluate("money_major(major(money), money.currency)", money=money) == money
    assert evaluate("money_major(format_amount(money), money.currency)", money=money) == money


@given(minors=st.lists(MINOR, max_size=20), currency=CURRENCIES)
def test_a_sum_of_money_is_the_sum_of_its_units(minors: list[int], currency: str) -> None:
    amounts = [{"minor": minor, "currency": currency} for minor in minors]
    total = evaluate("money_sum(amounts, currency)", amounts=amounts, currency=currency)
    assert total == {"minor": sum(minors), "currency": currency}


@given(left=MINOR, right=MINOR, currency=CURRENCIES)
def test_subtracting_undoes_adding(left: int, right: int, currency: str) -> None:
    one, other = ({"minor": minor, "currency": currency} for minor in (left, right))
    assert evaluate("money_subtract(money_add(a, b), b)", a=one, b=other) == one
    assert evaluate("money_add(a, money_negate(a)).minor", a=one) == 0


@given(left=MINOR, right=MINOR, currencies=st.lists(CURRENCIES, min_size=2, max_size=2, unique=True))
def test_two_currencies_are_never_added(left: int, right: int, currencies: list[str]) -> None:
    amounts = [
        {"minor": minor, "currency": currency} for minor, currency in zip((left, right), currencies, strict=True)
    ]
    for text in ("money_sum(@)", "money_add([0], [1])", "money_subtract([0], [1])"):
        with pytest.raises(FixData) as caught:
            compile(text)(amounts)
        assert caught.value.code == "mixed-currencies"


@given(amounts=st.lists(AMOUNTS | st.integers(-(10**20), 10**20), max_size=20))
def test_a_sum_is_exact(amounts: list[Decimal | int]) -> None:
    total = evaluate("sum(amounts)", amounts=amounts)
    assert Fraction(total) == sum(map(Fraction, amounts), Fraction(0))
    assert sum(map(Fraction, evaluate("sort(amounts)", amounts=amounts)), Fraction(0)) == Fraction(total)


@given(left=AMOUNTS, right=AMOUNTS)
def test_arithmetic_is_exact(left: Decimal, right: Decimal) -> None:
    assert Fraction(evaluate("add(a, b)", a=left, b=right)) == Fraction(left) + Fraction(right)
    assert Fraction(evaluate("subtract(a, b)", a=left, b=right)) == Fraction(left) - Fraction(right)
    assert Fraction(evaluate("multiply(a, b)", a=left, b=right)) == Fraction(left) * Fraction(right)


@given(left=AMOUNTS, right=AMOUNTS.filter(bool), digits=st.integers(0, 12))
def test_division_rounds_once_to_the_nearest(left: Decimal, right: Decimal, digits: int) -> None:
    exact = Fraction(left) / Fraction(right)
    for rounding in (Rounding.HALF_UP, Rounding.HALF_EVEN):
        quotient = divide(left, right, digits, rounding)
        assert -quotient.as_tuple().exponent == digits  # type: ignore[operator]  # it is finite
        assert abs(Fraction(quotient) - exact) * 10**digits <= Fraction(1, 2)


@given(whole=st.integers(-(10**9), 10**9), digits=st.integers(0, 6))
def test_a_half_goes_where_its_name_says(whole: int, digits: int) -> None:
    half = Decimal(2 * whole + 1).scaleb(-digits) / 2
    unit = Decimal(1).scaleb(-digits)
    up = evaluate("round(a, b, 'half_up')", a=half, b=digits)
    even = evaluate("round(a, b, 'half_even')", a=half, b=digits)
    assert abs(up) == abs(half) + unit / 2
    assert int(even.scaleb(digits)) % 2 == 0


@given(number=AMOUNTS)
def test_a_number_survives_being_written(number: Decimal) -> None:
    assert evaluate("to_decimal(to_string(a))", a=number) == number
    assert evaluate("to_number(to_string(a))", a=number) == number


def test_conversions_are_those_of_money(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever replaces the conversions of `Money` replaces them for all expressions."""
    monkeypatch.setattr(Money, "major", property(lambda self: Decimal(-1)))
    monkeypatch.setattr(Money, "of_major", classmethod(lambda cls, *_: cls(minor=-2, currency="EUR")))
    assert evaluate("major(money(a, 'EUR'))", a=5) == -1
    assert evaluate("format_amount(money(a, 'EUR'))", a=5) == "-1"
    assert evaluate("money_major(a, 'EUR').minor", a=5) == -2
