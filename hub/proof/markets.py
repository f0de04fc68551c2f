"""Where the invented company sells: currency, place, books, tax, and a price of about ten euros."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One currency with the place its customers sit in; `unit` is a price in Stripe's minor units.

    `tax` is in percent and is what AvaTax charges there; `subsidiary` is the id of the books in NetSuite; `step` is
    the smallest change of an amount that Stripe allows.
    """

    currency: str
    country: str
    tax: str
    unit: int
    subsidiary: str
    city: str
    postal_code: str
    state: str = ""
    step: int = 1

    @property
    def tax_code(self) -> str:
        """Give the id of the tax code under which NetSuite has the taxes of the company that sells there."""
        return _TAX_CODES[self.subsidiary]


#: Subsidiary → tax code.
_TAX_CODES: Mapping[str, str] = MappingProxyType({"1": "201", "2": "202", "3": "204", "4": "203", "5": "207"})

MARKETS = (
    Market(
        currency="USD",
        country="US",
        tax="8.875",
        unit=1_099,
        subsidiary="1",
        city="New York",
        postal_code="10001",
        state="NY",
    ),
    Market(currency="EUR", country="DE", tax="19", unit=999, subsidiary="2", city="Hamburg", postal_code="20095"),
    Market(currency="GBP", country="GB", tax="20", unit=899, subsidiary="4", city="Leeds", postal_code="LS1 1UR"),
    Market(currency="JPY", country="JP", tax="10", unit=1_480, subsidiary="3", city="Osaka", postal_code="530-0001"),
    # Stripe counts dinars in thousandths, and the last digit must be 0.
    Market(
        currency="KWD", country="KW", tax="5", unit=3_250, subsidiary="5", city="Salmiya", postal_code="20002", step=10
    ),
    Market(currency="CHF", country="CH", tax="8.1", unit=1_050, subsidiary="2", city="Bern", postal_code="3011"),
    Market(currency="SEK", country="SE", tax="25", unit=9_950, subsidiary="2", city="Malmö", postal_code="211 20"),
    Market(
        currency="CAD",
        country="CA",
        tax="13",
        unit=1_490,
        subsidiary="1",
        city="Toronto",
        postal_code="M5H 2N2",
        state="ON",
    ),
)

BY_CURRENCY: Mapping[str, Market] = MappingProxyType({market.currency: market for market in MARKETS})
#: Rates that AvaTax's table does not have as the scenario wants them: country → fraction.
OWN_RATES: Mapping[str, str] = MappingProxyType({"KW": "0.05"})
#: Digits of tax where a currency's tax is not rounded to two; dinars are, as Stripe's step of ten thousandths is.
TAX_DIGITS: Mapping[str, int] = MappingProxyType({"JPY": 0})
#: What a wrong clerk charges: no market has this rate.
WRONG_TAX = "3"


def tax_rate(market: Market) -> str:
    """Give the name of the rate at which billing taxes what is sold in a market."""
    return f"tax-{market.currency}-{market.country}"
