"""Currencies against each other: what a charge settles in, at which rate, and what Stripe takes for it."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from connectors.stripe.sandbox.amounts import rounded, step
from connectors.stripe.sandbox.problems import ApiError

_ZERO = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
_THREE = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
#: What one unit is worth in US dollars. A currency that is not here settles in itself.
_DOLLARS = {
    "aud": "0.65",
    "bhd": "2.65",
    "brl": "0.18",
    "cad": "0.73",
    "chf": "1.24",
    "czk": "0.047",
    "dkk": "0.155",
    "eur": "1.16",
    "gbp": "1.32",
    "hkd": "0.128",
    "huf": "0.003",
    "inr": "0.0113",
    "jod": "1.41",
    "jpy": "0.0065",
    "krw": "0.00069",
    "kwd": "3.26",
    "mxn": "0.054",
    "nok": "0.099",
    "nzd": "0.57",
    "omr": "2.6",
    "pln": "0.273",
    "sek": "0.105",
    "sgd": "0.77",
    "tnd": "0.34",
    "twd": "0.032",
    "usd": "1",
}
#: The smallest charge, in minor units. Source: Stripe's page on currencies; others are worth fifty US cents.
_LEAST = {
    "aed": 200,
    "aud": 50,
    "bgn": 100,
    "brl": 50,
    "cad": 50,
    "chf": 50,
    "czk": 1500,
    "dkk": 250,
    "eur": 50,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "inr": 50,
    "jpy": 50,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "nzd": 50,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "sgd": 50,
    "thb": 1000,
    "usd": 50,
}
#: Eight digits for most currencies, more for those of which a unit is worth little.
_MOST, _MOST_OF_SMALL = 99_999_999, 999_999_999_999
_SMALL = frozenset({"cop", "huf", "idr", "inr", "jpy", "krw", "lbp", "twd", "vnd"})
_PERCENT, _FIXED_DOLLARS = Decimal("0.029"), Decimal("0.30")
_DISPUTE_DOLLARS = Decimal(15)
#: Whole units only when paid out, although they have digits everywhere else.
_WHOLE_PAYOUTS = frozenset({"huf", "twd"})


def settled_in(currency: str, settles: Collection[str], default: str) -> str:
    """Give the currency that a charge is settled in: its own when the account holds that, else the default."""
    return currency if currency in settles or currency not in _DOLLARS else default


def rate_between(currency: str, settlement: str) -> Decimal | None:
    """Give how many units of the settlement currency one unit is worth; None when nothing is converted."""
    if currency == settlement:
        return None
    return round(Decimal(_DOLLARS[currency]) / Decimal(_DOLLARS[settlement]), 6)


def converted(amount: int, currency: str, settlement: str) -> int:
    """Convert minor units into minor units of another currency."""
    rate = rate_between(currency, settlement)
    if rate is None:
        return amount
    return rounded(Decimal(amount).scaleb(-digits(currency)).scaleb(digits(settlement)) * rate, step(settlement))


def digits(currency: str) -> int:
    """Give how many digits of an amount stand behind the point."""
    return 0 if currency in _ZERO else 3 if currency in _THREE else 2


def processing_fee(amount: int, settlement: str) -> int:
    """Give what Stripe takes of a charge: 2.9 percent and thirty US cents, rounded to the nearest unit."""
    return rounded(amount * _PERCENT, step(settlement)) + _dollars(_FIXED_DOLLARS, settlement)


def dispute_fee(settlement: str) -> int:
    """Give what Stripe takes for a dispute: fifteen US dollars."""
    return _dollars(_DISPUTE_DOLLARS, settlement)


def payout_step(currency: str) -> int:
    """Give what a payout's amount must be a multiple of."""
    return 100 if currency in _WHOLE_PAYOUTS else step(currency)


def check_charge(amount: int, currency: str, *, param: str = "amount") -> int:
    """Refuse an amount that is too small or too large to be charged."""
    least = _LEAST.get(currency) or max(1, _dollars(Decimal("0.50"), currency))
    if amount < least:
        raise ApiError.invalid(
            f"Amount must be at least {_shown(least, currency)} {currency}.", param=param, code="amount_too_small"
        )
    most = _MOST_OF_SMALL if currency in _SMALL else _MOST
    if amount > most:
        raise ApiError.invalid(
            f"Amount must be no more than {_shown(most, currency)} {currency}.", param=param, code="amount_too_large"
        )
    return amount


def _dollars(amount: Decimal, currency: str) -> int:
    worth = amount / Decimal(_DOLLARS.get(currency, "1"))
    return rounded(worth.scaleb(digits(currency)), step(currency))


def _shown(amount: int, currency: str) -> str:
    return f"{Decimal(amount).scaleb(-digits(currency)):f}"
