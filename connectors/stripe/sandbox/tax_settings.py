"""Stripe Tax's own settings: where the seller is, where it is registered, and the codes of products."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.listing import listed, page_size, pages
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.tax_rules import BY_STATE, CODES, place_of

_ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def retrieve(account: Account, parameters: Parameters) -> Record:
    """`GET /v1/tax/settings`: active once the head office and a tax code are known."""
    parameters.finish()
    return show(account)


def update(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/tax/settings`."""
    defaults, office = parameters.part("defaults"), parameters.part("head_office")
    if defaults is not None:
        if (code := defaults.text("tax_code")) is not None:
            account.tax_settings["tax_code"] = known_code(code, defaults.name("tax_code"))
        behavior = defaults.choice("tax_behavior", "exclusive", "inclusive", "inferred_by_currency")
        if behavior is not None:
            account.tax_settings["tax_behavior"] = behavior
    if office is not None and (address := office.part("address")) is not None:
        account.tax_settings["head_office"] = {"address": read_address(address)}
    parameters.finish()
    settings = show(account)
    account.happened("tax.settings.updated", settings | {"id": "tax.settings"})
    return settings


def show(account: Account) -> Record:
    """Give the settings as the API shows them."""
    kept = account.tax_settings
    missing = [
        name
        for name, there in (("defaults.tax_code", kept.get("tax_code")), ("head_office", kept.get("head_office")))
        if not there
    ]
    return {
        "object": "tax.settings",
        "defaults": {
            "provider": "stripe",
            "tax_behavior": kept.get("tax_behavior"),
            "tax_code": kept.get("tax_code"),
        },
        "head_office": kept.get("head_office"),
        "livemode": False,
        "status": "pending" if missing else "active",
        "status_details": {"pending": {"missing_fields": missing}} if missing else {"active": {}},
    }


def register(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/tax/registrations`: from then on taxes are collected in a country, or in one of its states."""
    country = parameters.required("country")
    options: dict[str, Any] = {}
    if (part := parameters.part("country_options")) is not None:
        inner = part.part(country.lower())
        if inner is not None:
            options = {name: value for name in ("state", "type") if (value := inner.text(name)) is not None}
            inner.accept("standard", "place_of_supply_scheme", "province_standard")
    if country in BY_STATE and not options.get("state"):
        raise ApiError.missing_parameter(f"country_options[{country.lower()}][state]")
    begins = parameters.text("active_from")
    if not begins:
        raise ApiError.missing_parameter("active_from")
    expires = parameters.integer("expires_at")
    active_from = account.now() if begins == "now" else parameters.integer("active_from")
    parameters.finish()
    return account.tax_registrations.add(
        {
            "id": account.identifiers.short("taxreg"),
            "object": "tax.registration",
            "active_from": active_from,
            "country": country,
            "country_options": {country.lower(): options or {"type": "standard"}},
            "created": account.now(),
            "expires_at": expires,
            "livemode": False,
            "status": "active",
        }
    )


def change_registration(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/tax/registrations/{id}`: when it ends."""
    registration = account.find(account.tax_registrations, identifier)
    ends = parameters.text("expires_at")
    at = account.now() if ends == "now" else parameters.integer("expires_at")
    parameters.finish()
    registration["expires_at"] = at
    return _dated(account, registration)


def list_registrations(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/tax/registrations`, by status."""
    status = parameters.choice("status", "active", "all", "expired", "scheduled")
    shown = {None, "all"}
    return pages(
        account.tax_registrations,
        parameters,
        [lambda one: status in shown or _dated(account, one)["status"] == status],
        url="/v1/tax/registrations",
        show=lambda one: _dated(account, one),
    )


def retrieve_registration(account: Account, identifier: str) -> Record:
    """`GET /v1/tax/registrations/{id}`."""
    return _dated(account, account.find(account.tax_registrations, identifier))


def registered(account: Account, at: int) -> set[str]:
    """Give the places where the seller collects taxes at a time."""
    places = set()
    for one in account.tax_registrations.oldest_first():
        state = one["country_options"][one["country"].lower()].get("state")
        place = place_of(one["country"], state)
        if place is not None and one["active_from"] <= at and (one["expires_at"] is None or at < one["expires_at"]):
            places.add(place)
    return places


def refuse_automatic_tax(parameters: Parameters) -> None:
    """Refuse what would tax an invoice by itself: without a word it would come out untaxed."""
    part = parameters.part("automatic_tax")
    if part is None:
        return
    if part.boolean("enabled"):
        raise ApiError.invalid(
            "This sandbox taxes drafts by tax_rates and tax_amounts; it has automatic_tax for subscriptions alone.",
            param=part.name("enabled"),
        )
    part.accept("liability")


def list_codes(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/tax_codes`: those that this sandbox knows; all on one page."""
    page_size(parameters)
    parameters.finish()
    return listed([retrieve_code(account, code) for code in CODES], more=False, url="/v1/tax_codes")


def retrieve_code(_: Account, identifier: str) -> Record:
    """`GET /v1/tax_codes/{id}`."""
    if identifier not in CODES:
        raise ApiError.no_such("tax code", identifier)
    name = CODES[identifier][0]
    return {"id": identifier, "object": "tax_code", "description": name, "name": name, "requirements": None}


def known_code(code: str, param: str) -> str:
    """Give a tax code that there is; another is refused."""
    if code not in CODES:
        raise ApiError.no_such("tax code", code, param=param, status=400)
    return code


def read_address(part: Parameters) -> dict[str, str | None]:
    """Read an address, of which the country must be there."""
    part.required("country")
    return {name: part.text(name) or None for name in _ADDRESS}


def _dated(account: Account, registration: Record) -> Record:
    now = account.now()
    status = "active"
    if registration["active_from"] > now:
        status = "scheduled"
    elif registration["expires_at"] is not None and registration["expires_at"] <= now:
        status = "expired"
    return registration | {"status": status}
