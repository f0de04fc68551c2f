"""Stripe Tax's calculations: what taxes a sale would have, kept for ninety days."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.stripe.sandbox import tax_settings
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.amounts import plain, step
from connectors.stripe.sandbox.currencies import check_amount, currency_of
from connectors.stripe.sandbox.listing import lines_page
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.tax_rules import Part, levied, place_of

_LIFE, _AROUND = 90 * 86400, 31 * 86400
_SHIPPING = "txcd_92010001"


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/tax/calculations`."""
    currency = currency_of(parameters.required("currency"))
    parts = parameters.parts("line_items")
    if not parts:
        raise ApiError.missing_parameter("line_items")
    settings = tax_settings.show(account)
    date = parameters.integer("tax_date")
    customer, details = _customer(account, parameters)
    origin = _from(parameters)
    lines = [_line(account, part, currency, settings, number) for number, part in enumerate(parts, 1)]
    shipping = _shipping(parameters, currency)
    parameters.finish()
    if settings["status"] != "active":
        raise ApiError(
            "You must set up Stripe Tax first: its head office and a tax code are not known.",
            code="stripe_tax_inactive",
        )
    now = account.now()
    if date is not None and abs(date - now) > _AROUND:
        raise ApiError.invalid("The tax_date must be within 31 days of now.", param="tax_date")
    _distinct(lines)
    sums: dict[tuple[Any, ...], dict[str, Any]] = {}
    for line in [*lines, *([shipping] if shipping else [])]:
        _levy(account, line, details, currency, date or now, settings, sums)
    calculation: Record = {
        "id": account.identifiers.new("taxcalc"),
        "object": "tax.calculation",
        "amount_total": _whole(lines, shipping),
        "currency": currency,
        "customer": customer,
        "customer_details": details,
        "expires_at": now + _LIFE,
        "livemode": False,
        "ship_from_details": origin,
        "shipping_cost": shipping,
        "tax_amount_exclusive": sum(one["amount"] for one in sums.values() if not one["inclusive"]),
        "tax_amount_inclusive": sum(one["amount"] for one in sums.values() if one["inclusive"]),
        "tax_breakdown": list(sums.values()),
        "tax_date": date or now,
    }
    account.tax_calculations.add(calculation)
    account.tax_lines[calculation["id"]] = lines
    return calculation


def retrieve(account: Account, identifier: str) -> Record:
    """`GET /v1/tax/calculations/{id}`, until it expires."""
    return live(account, identifier)


def live(account: Account, identifier: str, *, param: str | None = None) -> Record:
    """Find a calculation that has not expired."""
    found = account.find(account.tax_calculations, identifier, param=param)
    if found["expires_at"] <= account.now():
        raise ApiError(f"The tax calculation {identifier} has expired.", param=param or "id", code="resource_missing")
    return found


def list_lines(account: Account, identifier: str, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/tax/calculations/{id}/line_items`."""
    live(account, identifier)
    return page(account.tax_lines[identifier], parameters, f"/v1/tax/calculations/{identifier}/line_items")


def page(lines: list[Record], parameters: Parameters, url: str) -> dict[str, Any]:
    """Give a page of line items, in their own order."""
    return lines_page(lines, parameters, url=url, kind="line item")


def _customer(account: Account, parameters: Parameters) -> tuple[str | None, dict[str, Any]]:
    customer, part = parameters.text("customer"), parameters.part("customer_details")
    if (customer is None) == (part is None):
        raise ApiError.invalid("You must pass exactly one of customer and customer_details.", param="customer_details")
    if part is None:
        known = account.find(account.customers, customer or "", param="customer")
        override = {"exempt": "customer_exempt", "reverse": "reverse_charge"}.get(known["tax_exempt"], "none")
        details = {"address": known["address"], "address_source": "billing", "ip_address": None, "tax_ids": []}
        details["taxability_override"] = override
    else:
        inner = part.part("address")
        source = part.choice("address_source", "billing", "shipping")
        if inner is not None and source is None:
            raise ApiError.missing_parameter(part.name("address_source"))
        details = {
            "address": None if inner is None else tax_settings.read_address(inner),
            "address_source": source,
            "ip_address": part.text("ip_address"),
            "tax_ids": [
                {"type": one.required("type"), "value": one.required("value")} for one in part.parts("tax_ids") or ()
            ],
            "taxability_override": part.choice("taxability_override", "customer_exempt", "none", "reverse_charge")
            or "none",
        }
    address = details["address"]
    if not address or not address.get("country") or place_of(address["country"], address.get("state")) is None:
        raise ApiError(
            "The customer's location isn't recognized. Set a valid customer address in order to calculate tax.",
            code="customer_tax_location_invalid",
            param="customer" if part is None else "customer_details[address]",
        )
    return customer, details


def _from(parameters: Parameters) -> dict[str, Any] | None:
    part = parameters.part("ship_from_details")
    inner = None if part is None else part.part("address")
    return None if inner is None else {"address": tax_settings.read_address(inner)}


def _line(account: Account, part: Parameters, currency: str, settings: Record, number: int) -> Record:
    amount, quantity = part.integer("amount"), part.integer("quantity")
    if amount is None:
        raise ApiError.missing_parameter(part.name("amount"))
    if amount < 0:
        raise ApiError.invalid("This value must be greater than or equal to 0.", param=part.name("amount"))
    if quantity is not None and quantity < 1:
        raise ApiError.invalid("The quantity must be at least 1.", param=part.name("quantity"))
    product = part.text("product")
    code = part.text("tax_code")
    if product is not None:
        code = code or account.find(account.products, product, param=part.name("product"))["tax_code"]
    behavior = part.choice("tax_behavior", "exclusive", "inclusive")
    default = settings["defaults"]["tax_behavior"]
    if behavior is None:
        behavior = default if default in {"exclusive", "inclusive"} else "exclusive"
    return {
        "id": account.identifiers.short("tax_li"),
        "object": "tax.calculation_line_item",
        "amount": check_amount(amount, currency, param=part.name("amount")),
        "amount_tax": 0,
        "livemode": False,
        "metadata": part.metadata(),
        "performance_location": None,
        "product": product,
        "quantity": quantity or 1,
        "reference": part.text("reference") or f"L{number}",
        "tax_behavior": behavior,
        "tax_code": tax_settings.known_code(
            code or settings["defaults"]["tax_code"] or "txcd_10000000", part.name("tax_code")
        ),
    }


def _shipping(parameters: Parameters, currency: str) -> dict[str, Any] | None:
    part = parameters.part("shipping_cost")
    if part is None:
        return None
    amount = part.integer("amount")
    if amount is None or amount < 0:
        raise ApiError.missing_parameter(part.name("amount"))
    return {
        "amount": check_amount(amount, currency, param=part.name("amount")),
        "amount_tax": 0,
        "tax_behavior": part.choice("tax_behavior", "exclusive", "inclusive") or "exclusive",
        "tax_code": tax_settings.known_code(part.text("tax_code") or _SHIPPING, part.name("tax_code")),
    }


def _distinct(lines: list[Record]) -> None:
    references = [line["reference"] for line in lines]
    if len(set(references)) < len(references):
        raise ApiError.invalid("Each line item needs a reference of its own.", param="line_items")


def _levy(
    account: Account,
    line: Record,
    details: dict[str, Any],
    currency: str,
    at: int,
    settings: Record,
    sums: dict[tuple[Any, ...], dict[str, Any]],
) -> None:
    """Tax a line, and add it to the sums by rate and reason."""
    address = details["address"]
    country, state = address["country"], address.get("state")
    office = settings["head_office"]["address"]
    inclusive = line["tax_behavior"] == "inclusive"
    parts = levied(
        line["amount"],
        place_of(country, state) or country,
        line["tax_code"],
        registered=tax_settings.registered(account, at),
        home=place_of(office["country"], office["state"]) or office["country"],
        override=details["taxability_override"],
        business=any(one["type"] == "eu_vat" for one in details["tax_ids"]),
        inclusive=inclusive,
        unit=step(currency),
    )
    line["amount_tax"] = sum(part.amount for part in parts)
    if "id" in line:
        account.tax_breakdowns[line["id"]] = [_part(part, country, state) for part in parts]
    percent = sum((part.levy.percent for part in parts), Decimal(0))
    key = (country, state, percent, parts[0].levy.kind, parts[0].reason, inclusive)
    found = sums.setdefault(
        key,
        {
            "amount": 0,
            "inclusive": inclusive,
            "tax_rate_details": {
                "country": country,
                "flat_amount": None,
                "percentage_decimal": plain(percent),
                "rate_type": "percentage",
                "state": state,
                "tax_type": parts[0].levy.kind,
            },
            "taxability_reason": parts[0].reason,
            "taxable_amount": 0,
        },
    )
    found["amount"] += line["amount_tax"]
    found["taxable_amount"] += parts[0].taxable


def _part(part: Part, country: str, state: str | None) -> dict[str, Any]:
    taxed = part.levy.percent > 0
    return {
        "amount": part.amount,
        "jurisdiction": {
            "country": country,
            "display_name": part.levy.name,
            "level": part.levy.level,
            "state": state,
        },
        "sourcing": "destination",
        "tax_rate_details": {
            "display_name": part.levy.name,
            "percentage_decimal": plain(part.levy.percent),
            "tax_type": part.levy.kind,
        }
        if taxed
        else None,
        "taxability_reason": part.reason,
        "taxable_amount": part.taxable,
    }


def _whole(lines: list[Record], shipping: dict[str, Any] | None) -> int:
    return sum(
        line["amount"] + (line["amount_tax"] if line["tax_behavior"] == "exclusive" else 0)
        for line in [*lines, *([shipping] if shipping else [])]
    )
