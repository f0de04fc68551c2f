"""Customers and invoices as a company has them, drawn: currencies, discounts, taxes, odd lines, part payments."""

from __future__ import annotations

from random import Random
from typing import Any

#: Currency → country, tax in percent, and a price of about ten euros in minor units.
MARKETS: dict[str, tuple[str, str, int]] = {
    "usd": ("US", "8.875", 1_099),
    "eur": ("DE", "19", 999),
    "gbp": ("GB", "20", 899),
    "jpy": ("JP", "10", 1_480),
    "kwd": ("KW", "5", 3_250),
    "sek": ("SE", "25", 9_950),
}
_NAMES = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper", "Larch", "Maple")
_FORMS = ("Works", "Foods", "Labs", "Freight", "Media", "Health", "Tools", "Energy")
_PLANS = (("platform", "Platform fee"), ("seats", "Seats"), ("usage", "Metered usage"), ("support", "Support plan"))


def portfolio(
    seed: int, *, customers: int = 20, invoices: int = 100, currencies: list[str] | None = None, pay_within: float = 2.0
) -> dict[str, list[dict[str, Any]]]:
    """Draw wishes for the seeder: the same for the same arguments.

    `pay_within` is the longest time in seconds between a finalisation and a payment when they are driven.
    """
    dice = Random(f"{seed}:portfolio")
    chosen = list(currencies or MARKETS)
    unknown = set(chosen) - set(MARKETS)
    if unknown:
        raise ValueError(f"No market is described for {', '.join(sorted(unknown))}")
    people = [_customer(dice, number, chosen[number % len(chosen)]) for number in range(max(customers, len(chosen)))]
    return {
        "products": [{"key": f"product-{key}", "id": f"prod_{key}", "name": name} for key, name in _PLANS],
        "coupons": [
            {"key": "coupon-percent", "id": "LOYAL15", "percent_off": "15"},
            *(
                {"key": f"coupon-{currency}", "id": f"MINUS-{currency}", "amount_off": amount, "currency": currency}
                for currency in chosen
                for amount in [MARKETS[currency][2] // 100 * 10]
            ),
        ],
        "tax_rates": [
            {
                "key": f"tax-{currency}",
                "display_name": "Sales tax" if currency == "usd" else "VAT",
                "percentage": percent,
                "inclusive": False,
                "country": country,
            }
            for currency in chosen
            for country, percent, _ in [MARKETS[currency]]
        ],
        "customers": [person for person, _ in people],
        "invoices": [_invoice(dice, number, *people[number % len(people)], pay_within) for number in range(invoices)],
    }


def _customer(dice: Random, number: int, currency: str) -> tuple[dict[str, Any], str]:
    name = f"{dice.choice(_NAMES)} {dice.choice(_FORMS)} {number + 1}"
    person = {
        "key": f"customer-{number}",
        "name": name,
        "email": f"billing{number + 1}@{name.split(maxsplit=1)[0].lower()}.example",
        "address": {"country": MARKETS[currency][0], "city": "Springfield", "line1": f"{number + 1} Main Street"},
        "metadata": {"account_number": f"A{number + 1:05d}"},
    }
    return person, currency


def _invoice(dice: Random, number: int, person: dict[str, Any], currency: str, pay_within: float) -> dict[str, Any]:
    count = dice.choice((1, 1, 2, 3, 4, 6)) if number % 25 else dice.randint(11, 130)
    lines = [_line(dice, place, currency) for place in range(count)]
    create: dict[str, Any] = {
        "customer": f"@{person['key']}",
        "currency": currency,
        "metadata": {"order": f"SO-{number + 1:06d}"},
    }
    if dice.random() < 0.25:
        coupon = dice.choice(("percent", currency))
        create["discounts"] = [{"coupon": f"@coupon-{coupon}"}]
    if dice.random() < 0.3:
        create |= {"collection_method": "send_invoice", "days_until_due": 30}
    return {
        "key": f"invoice-{number}",
        "create": create,
        "lines": lines,
        "payments": _payments(dice, number, currency, pay_within),
    }


def _line(dice: Random, place: int, currency: str) -> dict[str, Any]:
    key, name = dice.choice(_PLANS)
    price = MARKETS[currency][2]
    line: dict[str, Any] = {"description": f"{name}, item {place + 1}", "tax_rates": [f"@tax-{currency}"]}
    kind = dice.random()
    if place and kind < 0.06:
        credit = dice.randint(1, 9) * (price // 100 * 10)
        return {**line, "description": "Credit for an outage", "amount": -credit}
    if place and kind < 0.12:
        return {**line, "description": f"{name}, free of charge", "amount": 0}
    if kind < 0.2:
        line.pop("tax_rates")
    unit = str(price + dice.randint(-50, 300) * 10)
    if dice.random() < 0.2 and currency != "kwd":
        unit += f".{dice.randint(1, 9999):04d}"
    data = {"currency": currency, "product": f"@product-{key}", "unit_amount_decimal": unit}
    return {**line, "price_data": data, "quantity": dice.randint(1, 40)}


def _payments(dice: Random, number: int, currency: str, pay_within: float) -> list[dict[str, Any]]:
    kind = dice.random()
    after = round(dice.random() * pay_within, 3)
    if kind < 0.2:
        return []
    if kind < 0.35:
        part = MARKETS[currency][2] // 100 * 10
        return [
            {"amount": part, "by": "report", "after": after},
            {"by": "card", "after": round(after + dice.random() * pay_within, 3)},
        ]
    if kind < 0.45:
        return [{"amount": MARKETS[currency][2] // 100 * 20, "by": "card", "after": after}]
    if kind < 0.55:
        return [{"by": "report", "after": after}]
    return [{"by": "card", "after": after}]
