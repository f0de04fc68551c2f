"""The terms of a subscription: its periods by the calendar, and its items with the prices they are for."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.stripe.sandbox import prices
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.currencies import currency_of
from connectors.stripe.sandbox.listing import listed
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.usage_lines import is_metered

MAX_ITEMS = 20
#: A subscription shows no more of its items than this; the rest is had from the list of its items.
EMBEDDED = 10
_DAYS = {"day": 1, "week": 7}
_MONTHS = {"month": 1, "year": 12}


def after(anchor: int, recurring: Record, periods: int) -> int:
    """Give the moment so many periods after the anchor; the 31st of a shorter month is its last day."""
    count = recurring["interval_count"] * periods
    begun = datetime.fromtimestamp(anchor, UTC)
    if recurring["interval"] in _DAYS:
        return int((begun + timedelta(days=_DAYS[recurring["interval"]] * count)).timestamp())
    years, month = divmod(begun.year * 12 + begun.month - 1 + _MONTHS[recurring["interval"]] * count, 12)
    day = min(begun.day, monthrange(years, month + 1)[1])
    return int(begun.replace(year=years, month=month + 1, day=day).timestamp())


def period_at(anchor: int, recurring: Record, moment: int) -> tuple[int, int]:
    """Give the period, of those that begin with the anchor, in which a moment lies."""
    number = 0
    while after(anchor, recurring, number + 1) <= moment:
        number += 1
    return after(anchor, recurring, number), after(anchor, recurring, number + 1)


def ends(subscription: Record, end: int) -> int:
    """Give when a period that would end at `end` does: one that the subscription ends in is cut short."""
    return int(min(end, subscription["cancel_at"] or end))


def part(subscription: Record, item: Record, start: int, end: int) -> Decimal:
    """Give which part of a whole period of an item lies between two moments of it."""
    first, last = period_at(subscription["billing_cycle_anchor"], item["price"]["recurring"], start)
    return Decimal(end - start) / Decimal(last - first)


def items_of(account: Account, subscription: str) -> list[Record]:
    """Give a subscription's items, oldest first."""
    return [item for item in account.subscription_items.where("subscription", subscription) if not item.get("deleted")]


def show(account: Account, subscription: Record) -> Record:
    """Give a subscription as the API and the webhooks show it: with its items."""
    items = items_of(account, subscription["id"])
    url = f"/v1/subscription_items?subscription={subscription['id']}"
    return subscription | {"items": listed(items[:EMBEDDED], more=len(items) > EMBEDDED, url=url)}


def make_item(account: Account, part: Parameters, subscription: str, currency: str | None) -> Record:
    """Form an item from a recurring price or price data; its period is not known yet."""
    price = _price(account, part)
    if currency is not None and price["currency"] != currency:
        raise ApiError.invalid(
            f"The price specified only supports `{price['currency']}`. This doesn't match the expected currency: "
            f"`{currency}`.",
            param=part.name("price"),
        )
    rates = [account.find(account.tax_rates, rate, param="tax_rates") for rate in part.texts("tax_rates") or []]
    item: Record = {
        "id": account.identifiers.short("si"),
        "object": "subscription_item",
        "billed_until": None,
        "billing_thresholds": None,
        "created": account.now(),
        "current_period_end": 0,
        "current_period_start": 0,
        "discounts": [],
        "metadata": part.metadata(),
        "plan": plan_of(price),
        "price": price,
        "subscription": subscription,
        "tax_rates": rates,
    }
    set_quantity(item, part, fallback=1)
    return item


def set_quantity(item: Record, part: Parameters, *, fallback: int) -> None:
    """Take over a quantity; what a meter counts has none."""
    quantity = part.integer("quantity")
    if is_metered(item):
        if quantity is not None:
            raise ApiError.invalid(
                f"You cannot set the quantity for metered plans (price {item['price']['id']}).",
                param=part.name("quantity"),
            )
        item.pop("quantity", None)
        return
    if quantity is not None and quantity < 0:
        raise ApiError.invalid("quantity must not be negative.", param=part.name("quantity"))
    item["quantity"] = fallback if quantity is None else quantity


def plan_of(price: Record) -> dict[str, Any]:
    """Give the plan of old that a price stands for."""
    recurring = price["recurring"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": price["metadata"],
        "meter": recurring["meter"],
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": price["tiers_mode"],
        "transform_usage": price["transform_quantity"],
        "trial_period_days": recurring["trial_period_days"],
        "usage_type": recurring["usage_type"],
    }


def _price(account: Account, part: Parameters) -> Record:
    data = part.part("price_data")
    if data is None:
        return prices.find(account, part.required("price"), kind="recurring", param=part.name("price"))
    if not data.given("recurring"):
        raise ApiError.missing_parameter(data.name("recurring"))
    price = prices.form(
        account,
        data,
        currency=currency_of(data.required("currency"), param=data.name("currency")),
        product=account.find(account.products, data.required("product"), param=data.name("product"))["id"],
        active=False,
    )
    return account.prices.add(price)
