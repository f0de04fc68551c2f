"""What reduces and taxes an invoice: coupons, discounts, tax rates."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.amounts import Rate, Reduction, step
from connectors.stripe.sandbox.currencies import currency_of
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record


def create_coupon(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/coupons`: percent off, or an amount off in one currency."""
    percent = parameters.decimal("percent_off")
    amount = parameters.integer("amount_off")
    if (percent is None) == (amount is None):
        raise ApiError.invalid("You must pass exactly one of percent_off and amount_off.", param="percent_off")
    if percent is not None and not 0 < percent <= 100:
        raise ApiError.invalid("percent_off must be greater than 0 and at most 100.", param="percent_off")
    currency = currency_of(parameters.required("currency")) if amount is not None else None
    if amount is not None and (amount <= 0 or amount % step(currency or "")):
        raise ApiError.invalid("Invalid amount_off.", param="amount_off")
    coupon: Record = {
        "id": parameters.text("id") or account.identifiers.letters("coupon", 8),
        "object": "coupon",
        "amount_off": amount,
        "created": account.now(),
        "currency": currency,
        "duration": parameters.choice("duration", "once", "forever", "repeating") or "once",
        "duration_in_months": parameters.integer("duration_in_months"),
        "livemode": False,
        "max_redemptions": None,
        "metadata": parameters.metadata(),
        "name": parameters.text("name"),
        "percent_off": percent,
        "redeem_by": None,
        "times_redeemed": 0,
        "valid": True,
    }
    parameters.finish()
    _free(account.coupons.get(coupon["id"]), "Coupon", coupon["id"])
    account.coupons.add(coupon)
    account.happened("coupon.created", coupon)
    return coupon


def update_coupon(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/coupons/{id}`: its name and metadata; what it takes off never changes."""
    coupon = account.find(account.coupons, identifier)
    after = dict(coupon)
    if (name := parameters.text("name")) is not None:
        after["name"] = name or None
    after["metadata"] = parameters.metadata(coupon["metadata"])
    parameters.finish()
    return _change(account, coupon, after, "coupon.updated")


def delete_coupon(account: Account, identifier: str) -> Record:
    """`DELETE /v1/coupons/{id}`: nobody gets it any more; discounts that are given stay."""
    coupon = account.find(account.coupons, identifier)
    account.happened("coupon.deleted", coupon)
    coupon["deleted"] = True
    return {"id": identifier, "object": "coupon", "deleted": True}


def update_tax_rate(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/tax_rates/{id}`: its notes, and whether it may still be used; its percentage never changes."""
    rate = account.find(account.tax_rates, identifier)
    after = dict(rate)
    if (active := parameters.boolean("active")) is not None:
        after["active"] = active
    for name in ("country", "description", "display_name", "jurisdiction", "state", "tax_type"):
        if (value := parameters.text(name)) is not None:
            after[name] = value or None
    after["metadata"] = parameters.metadata(rate["metadata"])
    parameters.finish()
    return _change(account, rate, after, "tax_rate.updated")


def list_coupons(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/coupons`."""
    return pages(account.coupons, parameters, [time_range(parameters)], url="/v1/coupons")


def create_tax_rate(account: Account, parameters: Parameters, *, active: bool = True) -> Record:
    """`POST /v1/tax_rates`."""
    percentage = parameters.decimal("percentage")
    if percentage is None:
        raise ApiError.missing_parameter(parameters.name("percentage"))
    inclusive = parameters.boolean("inclusive")
    if inclusive is None:
        raise ApiError.missing_parameter(parameters.name("inclusive"))
    rate: Record = {
        "id": account.identifiers.new("txr"),
        "object": "tax_rate",
        "active": active,
        "country": parameters.text("country"),
        "created": account.now(),
        "description": parameters.text("description"),
        "display_name": parameters.required("display_name"),
        "effective_percentage": percentage,
        "flat_amount": None,
        "inclusive": inclusive,
        "jurisdiction": parameters.text("jurisdiction"),
        "jurisdiction_level": parameters.text("jurisdiction_level"),
        "livemode": False,
        "metadata": parameters.metadata(),
        "percentage": percentage,
        "rate_type": "percentage",
        "state": parameters.text("state"),
        "tax_type": parameters.text("tax_type"),
    }
    if active:
        parameters.finish()
        account.happened("tax_rate.created", rate)
    account.tax_rates.add(rate)
    return rate


def list_tax_rates(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/tax_rates`."""
    filters = [
        equals("active", parameters.boolean("active")),
        equals("inclusive", parameters.boolean("inclusive")),
        time_range(parameters),
    ]
    return pages(account.tax_rates, parameters, filters, url="/v1/tax_rates")


def discounts_of(
    account: Account,
    parameters: Parameters,
    *,
    currency: str | None,
    customer: str,
    invoice: str | None = None,
    item: str | None = None,
) -> list[str] | None:
    """Make the discounts that `discounts[n][coupon]` asks for; gives their ids, None when nothing was sent."""
    parts = parameters.parts("discounts")
    if parts is None:
        return None
    made = []
    for part in parts:
        coupon = account.find(account.coupons, part.required("coupon"), param=part.name("coupon"))
        if coupon["currency"] not in {None, currency}:
            raise ApiError.invalid(
                f"The coupon's currency ({coupon['currency']}) is not the invoice's ({currency}).",
                param=part.name("coupon"),
            )
        discount: Record = {
            "id": account.identifiers.new("di"),
            "object": "discount",
            "checkout_session": None,
            "customer": customer,
            "customer_account": None,
            "end": None,
            "invoice": invoice,
            "invoice_item": item,
            "promotion_code": None,
            "source": {"coupon": coupon["id"], "type": "coupon"},
            "start": account.now(),
            "subscription": None,
            "subscription_item": None,
        }
        account.discounts.add(discount)
        made.append(discount["id"])
    return made


def reduction(account: Account, discount: str) -> Reduction:
    """Give what a discount takes off."""
    coupon = account.coupons.get(account.find(account.discounts, discount)["source"]["coupon"]) or {}
    return Reduction(discount=discount, percent=coupon["percent_off"], amount=coupon["amount_off"] or 0)


def rate(account: Account, identifier: str) -> Rate:
    """Give the percentage of a tax rate."""
    found = account.find(account.tax_rates, identifier, param="tax_rates")
    return Rate(tax_rate=identifier, percent=found["percentage"], inclusive=found["inclusive"])


def _change(account: Account, record: Record, after: Record, event: str) -> Record:
    previous = changed(record, after)
    record.update(after)
    if previous:
        account.happened(event, record, previous)
    return record


def _free(taken: Record | None, kind: str, identifier: str) -> None:
    if taken is not None:
        raise ApiError.invalid(f"{kind} already exists.", param="id", code="resource_already_exists")
