"""What the CRM of the demo with two ERPs has: accounts in groups, products with prices, and what people change there.

Its customers are the scenario's: each is an account first, and billing and the books get it from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

from hub.proof.markets import MARKETS, Market, tax_rate

CRM, SAP = "salesforce", "s4hana"
#: What Stripe must tell of beside all else, so that the CRM knows how each invoice stands.
TOLD = ("invoice.paid", "invoice.voided")
#: Legal entities whose books are in S/4HANA → company code. All others have theirs in NetSuite.
COMPANY_CODES: Mapping[str, str] = {"DE01": "1010", "JP01": "1510"}
#: The country of a market → the legal entity that sells there.
ENTITIES: Mapping[str, str] = {
    "US": "US01",
    "CA": "US01",
    "DE": "DE01",
    "CH": "DE01",
    "SE": "DE01",
    "GB": "GB01",
    "JP": "JP01",
    "KW": "KW01",
}
#: What one US dollar buys, by currency of the org; digits as ISO 4217 has them.
_RATES: Mapping[str, tuple[str, int]] = {
    "USD": ("1", 2),
    "EUR": ("0.9", 2),
    "GBP": ("0.8", 2),
    "JPY": ("150", 0),
    "KWD": ("0.3", 3),
    "CHF": ("0.9", 2),
    "SEK": ("10", 2),
    "CAD": ("1.4", 2),
}
#: What contracts are about: product → what one costs a month, by the currencies in which contracts are signed.
PRICES: Mapping[str, Mapping[str, str]] = {
    "Seats": {"USD": "12.50", "GBP": "9.80", "EUR": "11.20", "JPY": "1850", "CHF": "11.90", "SEK": "124.50"},
    "Storage": {"USD": "0.75", "GBP": "0.60", "EUR": "0.69", "JPY": "110", "CHF": "0.72", "SEK": "7.49"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account that is a customer; `parent` is the name of the group that it belongs to.

    One that is `won` late is nobody's customer at first, and buys nothing. `renamed` and `moved` say what people change
    of it while invoices are made.
    """

    key: str
    number: int
    name: str
    market: Market
    parent: str | None = None
    won: bool = False
    renamed: bool = False
    moved: bool = False

    @property
    def entity(self) -> str:
        """Give the legal entity that sells to it."""
        return ENTITIES[self.market.country]


class Paid(StrEnum):
    """What is paid of the invoice of a contract: all of it by card, a part by what people report, or nothing."""

    CARD = "card"
    PART = "part"
    NOT = "not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A contract that an account signs: how many of each product, and how many more an amendment adds.

    `paid` says what becomes of its invoice.
    """

    key: str
    account: Account
    sold: Mapping[str, int]
    more: Mapping[str, int] = field(default_factory=dict)
    paid: Paid = Paid.NOT


@dataclass(frozen=True, slots=True, kw_only=True)
class Crm:
    """All of it; `groups` are accounts that others belong to, and that buy nothing."""

    accounts: tuple[Account, ...] = ()
    groups: tuple[str, ...] = ()
    contracts: tuple[Contract, ...] = ()


def home(market: Market) -> str:
    """Give the ERP that has the books of the entity which sells in a market."""
    return SAP if ENTITIES[market.country] in COMPANY_CODES else "netsuite"


def wish() -> dict[str, Any]:
    """Ask the CRM's sandbox for everything that is there before the hub looks at it for the first time."""
    return {
        "currencies": [
            {"IsoCode": code, "ConversionRate": rate, "DecimalPlaces": places, "IsCorporate": code == "USD"}
            for code, (rate, places) in _RATES.items()
        ]
    }


def accounts(crm: Crm) -> dict[str, Any]:
    """Ask for the accounts, the groups before their members."""
    groups = [{"type": "Account", "ref": group, "Name": group, "Type": "Other"} for group in crm.groups]
    return {"records": [*groups, *(_account(one) for one in crm.accounts)]}


def _account(one: Account) -> dict[str, Any]:
    market = one.market
    return {
        "type": "Account",
        "ref": one.key,
        "Name": one.name,
        "Type": "Prospect" if one.won else "Customer - Direct",
        "BillingStreet": f"{one.number + 1} Main Street",
        "BillingCity": market.city,
        "BillingPostalCode": market.postal_code,
        "BillingCountry": market.country,
        **({"BillingState": market.state} if market.state else {}),
        "Invoice_Email__c": f"billing{one.number + 1}@customer.example",
        "CurrencyIsoCode": market.currency,
        **({"ParentId": f"@{{{one.parent}}}"} if one.parent else {}),
    }


def changes(crm: Crm, ids: Mapping[str, str]) -> dict[str, Any]:
    """Give what people change of accounts while invoices are made; `ids` are the CRM's ids by name."""
    return {"changes": [{"type": "Account", "id": ids[one.key], **change} for one, change in _changed(crm.accounts)]}


def _changed(accounts: Sequence[Account]) -> Iterator[tuple[Account, dict[str, Any]]]:
    for one in accounts:
        change: dict[str, Any] = {}
        if one.renamed:
            change["Name"] = f"{one.name} and Partners"
        if one.moved:
            change["BillingStreet"] = f"Ring {one.number + 7}\nRear building"
            change["Invoice_Email__c"] = f"bills{one.number + 1}@customer.example"
        if one.won:
            change["Type"] = "Customer - Channel"
        if change:
            yield one, change


def groups_of(markets: Sequence[Market] = MARKETS) -> tuple[str, ...]:
    """Give a group of companies for each currency."""
    return tuple(f"Group of {market.currency}" for market in markets)


def products() -> dict[str, Any]:
    """Ask for the products of contracts before they are sold: they are known, and nobody may order them yet."""
    kind = {"type": "Product2", "Family": "Subscription", "IsActive": False}
    return {"records": [{**kind, "ref": name, "Name": name, "ProductCode": name} for name in PRICES]}


def tables(rates: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Give what people have added to the workspace's tables: table → key → value; of products, nothing.

    `rates` are billing's tax rates by `tax_rate`.
    """
    return {
        "stripe_tax_rates": {
            f"{ENTITIES[market.country]}.{market.country}": rates[tax_rate(market)] for market in MARKETS
        },
    }


def on_sale(ids: Mapping[str, str]) -> dict[str, Any]:
    """Let the products be sold from now on."""
    return {"changes": [{"type": "Product2", "id": ids[name], "IsActive": True} for name in PRICES]}


def catalogue(price_book: str, ids: Mapping[str, str]) -> dict[str, Any]:
    """Ask for the entries of the products of contracts in a price book."""
    entries = [
        {
            "type": "PricebookEntry",
            "ref": _entry(name, currency),
            "Pricebook2Id": price_book,
            "Product2Id": ids[name],
            "UnitPrice": amount,
            "CurrencyIsoCode": currency,
            "IsActive": True,
        }
        for name, by_currency in PRICES.items()
        for currency, amount in by_currency.items()
    ]
    return {"records": entries}


def _entry(product: str, currency: str) -> str:
    return f"{product} in {currency}"


def signed(crm: Crm, ids: Mapping[str, str], price_book: str, on: date) -> dict[str, Any]:
    """Ask for the contracts as drafts, each with its first order."""
    contracts = [
        {
            "type": "Contract",
            "ref": one.key,
            "AccountId": ids[one.account.key],
            "CurrencyIsoCode": one.account.market.currency,
            "StartDate": on.isoformat(),
            "ContractTerm": 12,
            "Status": "Draft",
        }
        for one in crm.contracts
    ]
    orders = [row for one in crm.contracts for row in _order(one, f"@{{{one.key}}}", one.sold, ids, price_book, on)]
    return {"records": [*contracts, *orders]}


def told(org: Mapping[str, Any], ids: Mapping[str, str]) -> frozenset[str]:
    """Name the contracts that name their subscription, and whose first order is said to have been sent."""
    records = org["records"]
    billed = {one["Id"] for one in records["Contract"] if one.get("Billing_Id__c")}
    sent = {one["Id"] for one in records["Order"] if one.get("Billing_Status__c") == "Sent"}
    return frozenset(name for name, id in ids.items() if id in billed and ids.get(f"{name}-first") in sent)


def amended(contracts: Sequence[Contract], ids: Mapping[str, str], price_book: str, on: date) -> dict[str, Any]:
    """Ask for the amendments as drafts: a further order of each contract."""
    return {
        "records": [
            row
            for one in contracts
            for row in _order(one, ids[one.key], one.more, ids, price_book, on, name=f"{one.key}-more")
        ]
    }


def _order(
    contract: Contract,
    of: str,
    sold: Mapping[str, int],
    ids: Mapping[str, str],
    price_book: str,
    on: date,
    *,
    name: str = "",
) -> Iterator[dict[str, Any]]:
    name, currency = name or f"{contract.key}-first", contract.account.market.currency
    yield {
        "type": "Order",
        "ref": name,
        "AccountId": ids[contract.account.key],
        "ContractId": of,
        "Pricebook2Id": price_book,
        "CurrencyIsoCode": currency,
        "EffectiveDate": on.isoformat(),
        "Status": "Draft",
    }
    for product, quantity in sold.items():
        yield {
            "type": "OrderItem",
            "OrderId": f"@{{{name}}}",
            "PricebookEntryId": ids[_entry(product, currency)],
            "Quantity": quantity,
            "UnitPrice": PRICES[product][currency],
        }


def activated(kind: str, names: Sequence[str], ids: Mapping[str, str]) -> dict[str, Any]:
    """Let drafts count from now on."""
    return {"changes": [{"type": kind, "id": ids[name], "Status": "Activated"} for name in names]}
