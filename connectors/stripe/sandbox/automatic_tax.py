"""Taxes that Stripe puts on a subscription's invoices by itself, as its tax calculations would."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.stripe.sandbox import catalogue, tax_settings
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.amounts import Rate
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.tax_rules import Part, levied, place_of

_OVERRIDES = {"exempt": "customer_exempt", "reverse": "reverse_charge"}
#: Why there is a tax; for any other reason there is none.
_TAXED = frozenset({"standard_rated", "reduced_rated"})


def switched(account: Account, subscription: Record, parameters: Parameters) -> None:
    """Switch it on or off for a subscription; refused where Stripe Tax is not set up, or no place is known."""
    part = parameters.part("automatic_tax")
    if part is not None:
        enabled = part.boolean("enabled")
        if enabled is None:
            raise ApiError.missing_parameter(part.name("enabled"))
        part.accept("liability")
        liability = {"type": "self"} if enabled else None
        subscription["automatic_tax"] = {"disabled_reason": None, "enabled": enabled, "liability": liability}
    if not subscription["automatic_tax"]["enabled"]:
        return
    if subscription["default_tax_rates"]:
        raise ApiError.invalid(
            "You cannot set `default_tax_rates` when automatic tax is enabled.", param="default_tax_rates"
        )
    if part is not None and tax_settings.show(account)["status"] != "active":
        raise ApiError(
            "You must set up Stripe Tax first: its head office and a tax code are not known.",
            code="stripe_tax_inactive",
            param="automatic_tax",
        )
    if part is not None and _place(account.find(account.customers, subscription["customer"])) is None:
        raise ApiError(
            "The customer's location isn't recognized. Set a valid customer address in order to automatically "
            "calculate tax.",
            code="customer_tax_location_invalid",
            param="automatic_tax",
        )


def on_invoice(subscription: Record) -> dict[str, Any]:
    """Give what an invoice of a subscription says of it."""
    enabled = subscription["automatic_tax"]["enabled"]
    return {
        "disabled_reason": None,
        "enabled": enabled,
        "liability": subscription["automatic_tax"]["liability"],
        "provider": "stripe" if enabled else None,
        "status": "complete" if enabled else None,
    }


def rates(account: Account, invoice: Record, product: str | None) -> list[Rate]:
    """Give the rates on a product for an invoice's customer; one of nothing says why there is no tax."""
    customer = account.find(account.customers, invoice["customer"])
    settings = tax_settings.show(account)
    place, office = _place(customer) or "", settings["head_office"]["address"]
    code = (account.products.get(product or "") or {}).get("tax_code") or settings["defaults"]["tax_code"]
    numbers = account.tax_ids.where("customer", customer["id"])
    inclusive = settings["defaults"]["tax_behavior"] == "inclusive"
    parts = levied(
        0,
        place,
        code,
        registered=tax_settings.registered(account, account.now()),
        home=place_of(office["country"], office["state"]) or office["country"],
        override=_OVERRIDES.get(customer["tax_exempt"], "none"),
        business=any(one.get("type") == "eu_vat" for one in numbers),
        inclusive=inclusive,
        unit=1,
    )
    return [_rate(account, part, place, inclusive=inclusive) for part in parts]


def _place(customer: Record) -> str | None:
    address = customer["address"] or {}
    country = address.get("country")
    return place_of(country, address.get("state")) if country else None


def _rate(account: Account, part: Part, place: str, *, inclusive: bool) -> Rate:
    """Find the tax rate that Stripe has made of a levy, or make it."""
    country, _, state = place.partition("-")
    percent = part.levy.percent if part.reason in _TAXED else Decimal(0)
    made = {
        "country": country,
        "display_name": part.levy.name,
        "inclusive": inclusive,
        "percentage": percent,
        "state": state or None,
        "tax_type": part.levy.kind,
    }
    known = account.tax_rates.oldest_first()
    rate = next((one for one in known if not one["active"] and all(one[name] == made[name] for name in made)), None)
    if rate is None:
        wanted = {name: value for name, value in made.items() if value is not None}
        asked = Parameters(wanted | {"inclusive": "true" if inclusive else "false", "percentage": str(percent)})
        rate = catalogue.create_tax_rate(account, asked, active=False)
    return Rate(tax_rate=rate["id"], percent=percent, inclusive=inclusive, reason=part.reason)
