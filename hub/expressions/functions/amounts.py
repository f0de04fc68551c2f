"""Functions on money: objects `{minor, currency}` in, the same out.

`Money` is looked up at every call, so that its conversions are the only ones there are.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hub.expressions import numbers
from hub.expressions.budgets import Meter
from hub.expressions.errors import InvalidValue
from hub.expressions.functions.named import CODES, currency_code, named_rounding
from hub.expressions.functions.results import allocated, money_of, money_total, one_currency, one_money
from hub.expressions.functions.signature import function
from hub.expressions.numbers import Number, bounded, read_decimal
from hub.model import money as model
from hub.model.kinds import shown, spoken
from hub.model.money import Rounding

_KEYS = {"minor", "currency"}


def _read(money: object) -> model.Money:
    """Read money; what is none is not shown whole, since it may be of any size."""
    if not isinstance(money, dict) or money.keys() != _KEYS or not isinstance(money["currency"], str):
        raise InvalidValue(f"Money is {{minor, currency}}, not {spoken(money)}.", code="not-money")
    if type(money["minor"]) is not int:
        raise InvalidValue("Minor units must be a whole number.", code="not-minor-units", minor=shown(money["minor"]))
    return model.Money.of_json(money)


@function("money(minor: minor|null, currency: currency) -> money|null", gives=money_of(1))
def money(minor: Number, currency: str) -> dict[str, Any]:
    """Make money from a whole number of minor units; the currency may be in small letters."""
    code = CODES.get(currency)
    if code is not None and type(minor) is int:
        return {"minor": minor, "currency": code}
    if isinstance(minor, Decimal) and bounded(minor) == minor.to_integral_value():
        minor = int(minor)
    return model.Money(minor=minor, currency=currency_code(currency)).to_json()  # type: ignore[arg-type]  # it refuses a Decimal


@function(
    "money_major(amount: major|string|null, currency: currency, rounding?: rounding) -> money|null", gives=money_of(1)
)
def money_major(amount: Number | str, currency: str, rounding: str = Rounding.EXACT) -> dict[str, Any]:
    """Make money from major units (`12.34`); surplus digits are refused unless a rounding is named."""
    exact = read_decimal(amount) if isinstance(amount, str) else amount
    return model.Money.of_major(exact, currency_code(currency), named_rounding(rounding)).to_json()


@function("major(money: money|null) -> major|null")
def major(money: dict[str, Any]) -> Decimal:
    """Give an amount in major units, with exactly the digits of its currency."""
    return _read(money).major


@function("format_amount(money: money|null) -> string|null")
def format_amount(money: dict[str, Any]) -> str:
    """Write an amount in major units as plain digits, such as `1234.50`."""
    return f"{_read(money).major:f}"


@function("money_add(left: money, right: money) -> money", gives=one_currency)
def money_add(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Add two amounts of one currency."""
    return (_read(left) + _read(right)).to_json()


@function("money_subtract(left: money, right: money) -> money", gives=one_currency)
def money_subtract(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    """Subtract an amount from another of the same currency."""
    return (_read(left) - _read(right)).to_json()


@function("money_negate(money: money|null) -> money|null", gives=one_money)
def money_negate(money: dict[str, Any]) -> dict[str, Any]:
    """Turn the sign of an amount."""
    return (-_read(money)).to_json()


@function("money_sum(amounts: array[money], currency?: currency) -> money|null", metered=True, gives=money_total)
def money_sum(amounts: list[Any], *rest: str | Meter) -> dict[str, Any] | None:
    """Add amounts of one currency up; none give null, or zero when the currency is named."""
    *named, meter = rest
    assert isinstance(meter, Meter)
    meter.spend(len(amounts))
    if not amounts and not named:
        return None
    each = [_read(amount) for amount in amounts]
    return model.total(each, currency_code(str(named[0])) if named else each[0].currency).to_json()


@function("money_multiply(money: money|null, factor: number, rounding: rounding) -> money|null", gives=one_money)
def money_multiply(money: dict[str, Any], factor: Number, rounding: str) -> dict[str, Any]:
    """Multiply an amount by a number, rounded once to whole minor units."""
    amount = _read(money)
    minor = numbers.rounded(numbers.multiply(amount.minor, factor), 0, named_rounding(rounding))
    return model.Money(minor=int(minor), currency=amount.currency).to_json()


@function("allocate(money: money|null, weights: array[number]) -> array[money]|null", metered=True, gives=allocated)
def allocate(money: dict[str, Any], weights: list[Number], meter: Meter) -> list[dict[str, Any]]:
    """Split an amount by weights with the largest remainder: the parts sum to it, and ties go to the earlier part."""
    meter.spend(8 * len(weights))
    amount = _read(money)
    if any(bounded(weight) < 0 for weight in weights) or not any(weights):
        raise InvalidValue("Weights must not be negative and must not all be zero.", code="bad-weights")
    return [part.to_json() for part in amount.allocate(weights)]


@function("to_minor(amount: major|string|null, currency: currency, rounding?: rounding) -> minor|null")
def to_minor(amount: Number | str, currency: str, rounding: str = Rounding.EXACT) -> int:
    """Give major units (`12.34`) in minor units (1234), by ISO 4217; surplus digits are refused without a rounding."""
    exact = read_decimal(amount) if isinstance(amount, str) else amount
    return model.Money.of_major(exact, currency_code(currency), named_rounding(rounding)).minor


@function("to_major(minor: minor|null, currency: currency) -> major|null")
def to_major(minor: Number, currency: str) -> Decimal:
    """Give minor units (1234) in major units (12.34), by ISO 4217, with exactly the digits of the currency."""
    return _read(money.implementation(minor, currency)).major


@function("round_to_currency(amount: major|null, currency: currency, rounding: rounding) -> major|null")
def round_to_currency(amount: Number, currency: str, rounding: str) -> Decimal:
    """Round major units to the digits of their currency."""
    return model.Money.of_major(amount, currency_code(currency), named_rounding(rounding)).major


FUNCTIONS = (
    money,
    money_major,
    major,
    format_amount,
    money_add,
    money_subtract,
    money_negate,
    money_sum,
    money_multiply,
    allocate,
    to_minor,
    to_major,
    round_to_currency,
)
