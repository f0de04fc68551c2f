"""Reads the body of a create call: keys in any case, everything checked, amounts exact."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from connectors.avatax.sandbox.countries import COUNTRIES
from connectors.avatax.sandbox.fields import day, flag, number, text
from connectors.avatax.sandbox.overrides import Override, read_override, refuse_both
from connectors.avatax.sandbox.rates import is_known_region
from connectors.avatax.sandbox.refusals import Refusal

RECORDED = frozenset(
    [
        "SalesInvoice",
        "PurchaseInvoice",
        "ReturnInvoice",
        "InventoryTransferInvoice",
        "InventoryTransferOutboundInvoice",
        "ReverseChargeInvoice",
        "CustomsInvoice",
    ]
)
TEMPORARY = frozenset(kind.replace("Invoice", "Order") for kind in RECORDED)
MAX_LINES = 15_000
#: The places an address can stand for; the sale is taxed where it goes to.
_PLACES = frozenset(
    {"singlelocation", "shipfrom", "shipto", "pointoforderorigin", "pointoforderacceptance", "billto"}
    | {"goodsplaceorservicerendered", "import"}
)
_US_POSTAL_CODE = re.compile(r"\d{5}(-?\d{4})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a sale goes to, or comes from."""

    line1: str
    city: str
    region: str
    country: str
    postal_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SaleLine:
    """One line; `amount` is the line's total, `tax_date` the day whose rates apply to it."""

    number: str
    amount: Decimal
    quantity: Decimal
    tax_code: str
    item_code: str
    description: str
    tax_included: bool
    discounted: bool
    entity_use_code: str
    exemption_code: str
    ref1: str
    ref2: str
    destination: Address
    override: Override
    tax_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """A checked create call."""

    company: str
    code: str
    type: str
    tax_date: date
    date: date
    customer: str
    currency: str
    commit: bool
    discount: Decimal
    entity_use_code: str
    exemption_number: str
    texts: Mapping[str, str]
    origin: Address
    destination: Address
    override: Override
    lines: Sequence[SaleLine]


def fold(value: Any) -> Any:
    """Give a JSON value with all keys in lower case: AvaTax takes camel case and Pascal case alike."""
    if isinstance(value, dict):
        return {name.lower(): fold(item) for name, item in value.items()}
    if isinstance(value, list):
        return [fold(item) for item in value]
    return value


def read_sale(body: Any, *, default_company: str) -> Sale:
    """Check a create call; raises `Refusal`."""
    model = fold(body)
    if not isinstance(model, dict):
        raise Refusal("ModelStateInvalid", "The request body must be an object.")
    kind = _kind(text(model, "type", 50) or "SalesOrder")
    dated = day(text(model, "date", 30), "date")
    override = read_override(model.get("taxoverride"), "taxOverride")
    taxed_on = override.day or dated
    origin, destination = _addresses(model.get("addresses"), "addresses")
    if origin is None or destination is None:
        raise Refusal("MissingAddress", "An origin and a destination address are needed.", refers_to="addresses")
    lines = model.get("lines")
    if not isinstance(lines, list) or not lines:
        raise Refusal("MissingLine", "A transaction needs at least one line.", refers_to="lines")
    if len(lines) > MAX_LINES:
        raise Refusal("GetTaxError", f"A transaction may have at most {MAX_LINES} lines.", refers_to="lines")
    numbers = [text(line, "number", 50) for line in lines if isinstance(line, dict)]
    named = [name for name in numbers if name]
    if len(named) != len(set(named)):
        raise Refusal("GetTaxError", "Two lines have one number.", refers_to="lines")
    made = [_line(line, place, destination, taxed_on) for place, line in enumerate(lines)]
    refuse_both(override, [line.override for line in made])
    names = (
        "purchaseOrderNo",
        "referenceCode",
        "salespersonCode",
        "reportingLocationCode",
        "description",
        "email",
        "businessIdentificationNo",
    )
    return Sale(
        company=text(model, "companycode", 25) or default_company,
        code=text(model, "code", 50),
        type=kind,
        date=dated,
        tax_date=taxed_on,
        customer=_required(model, "customercode", 50),
        currency=_currency(text(model, "currencycode", 3) or "USD"),
        commit=flag(model, "commit"),
        discount=number(model, "discount"),
        entity_use_code=text(model, "entityusecode", 25) or text(model, "customerusagetype", 25),
        exemption_number=text(model, "exemptionno", 25),
        texts={name: text(model, name.lower(), 2048) for name in names},
        origin=origin,
        destination=destination,
        override=override,
        lines=made,
    )


def _kind(name: str) -> str:
    for kind in RECORDED | TEMPORARY:
        if kind.lower() == name.lower():
            return kind
    raise Refusal("ModelStateInvalid", f"{name} is not a document type.", refers_to="type")


def _required(model: Mapping[str, Any], name: str, longest: int) -> str:
    value = text(model, name, longest)
    if not value:
        raise Refusal("ModelStateInvalid", f"The {name} field is required.", refers_to=name)
    return value


def _currency(value: str) -> str:
    if re.fullmatch(r"[A-Za-z]{3}", value) is None:
        raise Refusal("ModelStateInvalid", "The currency must be an ISO 4217 code.", refers_to="currencyCode")
    return value.upper()


def _line(line: Any, place: int, destination: Address, taxed_on: date) -> SaleLine:
    where = f"lines[{place}]"
    if not isinstance(line, dict):
        raise Refusal("ModelStateInvalid", "A line must be an object.", refers_to=where)
    if line.get("amount") is None:
        raise Refusal("ModelStateInvalid", "The amount field is required.", refers_to=f"{where}.amount")
    quantity = number(line, "quantity", "1")
    if quantity < 0:
        raise Refusal("GetTaxError", "The quantity must not be negative.", refers_to=f"{where}.quantity")
    override = read_override(line.get("taxoverride"), f"{where}.taxOverride")
    _, own = _addresses(line.get("addresses"), f"{where}.addresses")
    return SaleLine(
        number=text(line, "number", 50) or str(place + 1),
        amount=number(line, "amount"),
        quantity=quantity,
        tax_code=text(line, "taxcode", 25) or "P0000000",
        item_code=text(line, "itemcode", 50),
        description=text(line, "description", 2096),
        tax_included=flag(line, "taxincluded"),
        discounted=flag(line, "discounted"),
        entity_use_code=text(line, "entityusecode", 25) or text(line, "customerusagetype", 25),
        exemption_code=text(line, "exemptioncode", 25),
        ref1=text(line, "ref1", 150),
        ref2=text(line, "ref2", 150),
        destination=own or destination,
        override=override,
        tax_date=override.day or taxed_on,
    )


def _addresses(value: Any, where: str) -> tuple[Address | None, Address | None]:
    if value is None:
        return None, None
    if not isinstance(value, dict) or not set(value) <= _PLACES:
        raise Refusal("ModelStateInvalid", "The addresses cannot be read.", refers_to=where)
    given = {name: item for name, item in value.items() if item is not None}
    if "singlelocation" in given:
        if len(given) > 1:
            raise Refusal("AddressConflictException", "A single location excludes other addresses.", refers_to=where)
        single = _address(given["singlelocation"], where)
        return single, single
    origin, destination = (_address(given[name], where) if name in given else None for name in ("shipfrom", "shipto"))
    return origin, destination


def _address(value: Any, where: str) -> Address:
    if not isinstance(value, dict):
        raise Refusal("ModelStateInvalid", "An address must be an object.", refers_to=where)
    country = (text(value, "country", 50) or "US").upper()
    region, postal_code = text(value, "region", 50).upper(), text(value, "postalcode", 11)
    if country not in COUNTRIES:
        raise Refusal("InvalidCountry", f"The country code {country} is not known.", refers_to=f"{where}.country")
    if not is_known_region(country, region):
        raise Refusal("InvalidAddress", f"{region!r} is not a region of {country}.", refers_to=where)
    if country == "US" and postal_code and _US_POSTAL_CODE.fullmatch(postal_code) is None:
        raise Refusal("InvalidPostalCode", f"{postal_code} is not a postal code.", refers_to=f"{where}.postalCode")
    return Address(
        line1=text(value, "line1", 50),
        city=text(value, "city", 50),
        region=region,
        country=country,
        postal_code=postal_code,
    )
