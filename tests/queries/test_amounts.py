"""Money in read models: exact, in major units, never mixed."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from hub.queries.amounts import Amount, amount, sums


def test_an_amount_has_exactly_its_currencys_digits() -> None:
    assert amount(1234, "EUR") == Amount(value=Decimal("12.34"), currency="EUR")
    assert str(amount(1500, "JPY")) == str(Amount(value=Decimal(1500), currency="JPY"))
    shown = amount(1250, "KWD")
    assert shown is not None and str(shown.value) == "1.250"


def test_what_is_not_known_is_not_made_up() -> None:
    assert amount(None, "EUR") is None
    assert amount(5, None) is None
    assert amount(5, "ZZZ") == Amount(value=Decimal(5), currency="ZZZ minor units")


def test_currencies_are_never_added_to_each_other() -> None:
    assert sums([(100, "EUR"), (50, "JPY"), (1, "EUR"), (None, None)]) == (
        Amount(value=Decimal("1.01"), currency="EUR"),
        Amount(value=Decimal(50), currency="JPY"),
    )


def test_an_amount_goes_out_as_text_and_loses_nothing() -> None:
    assert msgspec.json.encode(amount(10**29 + 1, "EUR")) == (
        b'{"value":"1000000000000000000000000000.01","currency":"EUR"}'
    )
