"""Prices: one-time or recurring, per unit or in tiers, for what is licensed or for what a meter counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.stripe.sandbox import products
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.amounts import plain, rounded, step
from connectors.stripe.sandbox.currencies import currency_of
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.searching import search
from connectors.stripe.sandbox.table import Record

_URL = "/v1/prices"
INTERVALS = ("day", "week", "month", "year")
#: Stripe bills at least every three years.
_LONGEST = {"day": 1095, "week": 156, "month": 36, "year": 3}


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/prices`."""
    currency = currency_of(parameters.required("currency"))
    named, described = parameters.text("product"), parameters.part("product_data")
    if (named is None) == (described is None):
        raise ApiError.missing_parameter("product")
    product = account.find(account.products, named, param="product")["id"] if named is not None else ""
    active = parameters.boolean("active")
    _refuse_negative(parameters)
    price = form(account, parameters, currency=currency, product=product, active=active is not False)
    transfer = parameters.boolean("transfer_lookup_key") or False
    sold = None if described is None else products.form(account, described)
    parameters.finish()
    _claim_lookup_key(account, price["lookup_key"], price["id"], transfer=transfer)
    if sold is not None:
        price["product"] = products.keep(account, sold)["id"]
    account.prices.add(price)
    account.happened("price.created", price)
    return price


def create_product(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/products`, with its first price where `default_price_data` says one."""
    described = parameters.part("default_price_data")
    if described is None:
        return products.create(account, parameters)
    product = products.form(account, parameters)
    currency = currency_of(described.required("currency"), param=described.name("currency"))
    _refuse_negative(described)
    price = form(account, described, currency=currency, product=product["id"])
    product["default_price"] = price["id"]
    parameters.finish()
    products.keep(account, product)
    account.prices.add(price)
    account.happened("price.created", price)
    return product


def form(account: Account, parameters: Parameters, *, currency: str, product: str, active: bool = True) -> Record:
    """Form a price from its parameters; it is not kept yet."""
    scheme = parameters.choice("billing_scheme", "per_unit", "tiered") or "per_unit"
    tiers = _tiers(parameters) if scheme == "tiered" else None
    exact = _unit(parameters) if tiers is None else None
    recurring = _recurring(account, parameters)
    identifier = account.identifiers.new("price")
    if tiers is not None:
        account.tiers[identifier] = tiers
    return {
        "id": identifier,
        "object": "price",
        "active": active,
        "billing_scheme": scheme,
        "created": account.now(),
        "currency": currency,
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": parameters.text("lookup_key") or None,
        "metadata": parameters.metadata(),
        "nickname": parameters.text("nickname") or None,
        "product": product,
        "recurring": recurring,
        "tax_behavior": parameters.choice("tax_behavior", "inclusive", "exclusive", "unspecified") or "unspecified",
        "tiers_mode": None if tiers is None else parameters.choice("tiers_mode", "graduated", "volume"),
        "transform_quantity": _transform(parameters),
        "type": "one_time" if recurring is None else "recurring",
        "unit_amount": int(exact) if exact is not None and exact == exact.to_integral_value() else None,
        "unit_amount_decimal": None if exact is None else plain(exact),
    }


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/prices/{id}`: what a price costs never changes; another price is made instead."""
    price = account.find(account.prices, identifier)
    after = dict(price)
    if (active := parameters.boolean("active")) is not None:
        after["active"] = active
    for key in ("nickname", "lookup_key"):
        value = parameters.text(key)
        if value is not None:
            after[key] = value or None
    behavior = parameters.choice("tax_behavior", "inclusive", "exclusive", "unspecified")
    if behavior is not None and behavior != price["tax_behavior"]:
        if price["tax_behavior"] != "unspecified":
            detail = "The tax_behavior of a price cannot be changed once it is set."
            raise ApiError.invalid(detail, param="tax_behavior")
        after["tax_behavior"] = behavior
    after["metadata"] = parameters.metadata(price["metadata"])
    transfer = parameters.boolean("transfer_lookup_key") or False
    parameters.finish()
    if after["lookup_key"] != price["lookup_key"]:
        _claim_lookup_key(account, after["lookup_key"], identifier, transfer=transfer)
    previous = changed(price, after)
    price.update(after)
    if previous:
        account.happened("price.updated", price, previous)
    return price


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/prices`."""
    keys = parameters.texts("lookup_keys")
    recurring = parameters.part("recurring")
    wanted = (
        {}
        if recurring is None
        else {key: value for key in ("interval", "meter", "usage_type") if (value := recurring.text(key)) is not None}
    )
    filters = [
        equals("active", parameters.boolean("active")),
        equals("currency", parameters.text("currency")),
        equals("product", parameters.text("product")),
        equals("type", parameters.choice("type", "one_time", "recurring")),
        None if keys is None else lambda price: price["lookup_key"] in keys,
        lambda price: all((price["recurring"] or {}).get(key) == value for key, value in wanted.items()),
        time_range(parameters),
    ]
    return pages(account.prices, parameters, filters, url=_URL)


def search_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/prices/search`."""
    fields = frozenset({"active", "created", "currency", "lookup_key", "product", "type"})
    return search(account, account.prices, parameters, fields=fields, url=f"{_URL}/search")


def find(account: Account, identifier: str, *, kind: str, param: str) -> Record:
    """Find an active price that a parameter names, which must be `one_time` or `recurring`."""
    price = account.find(account.prices, identifier, param=param)
    if not price["active"]:
        raise ApiError.invalid("The price specified is inactive. This field only accepts active prices.", param=param)
    if price["type"] != kind:
        raise ApiError.invalid(
            f"The price specified is set to `type={price['type']}` but this field only accepts prices with "
            f"`type={kind}`.",
            param=param,
        )
    return price


def cost(account: Account, price: Record, quantity: Decimal) -> int:
    """Give what a quantity costs, in minor units, rounded once to what the currency allows."""
    transform = price["transform_quantity"]
    if transform is not None:
        packs, rest = divmod(quantity, transform["divide_by"])
        quantity = packs + (1 if rest and transform["round"] == "up" else 0)
    if price["billing_scheme"] == "tiered":
        exact = _tiered(account.tiers[price["id"]], price["tiers_mode"], quantity)
    else:
        exact = Decimal(price["unit_amount_decimal"]) * quantity
    return rounded(exact, step(price["currency"]))


def _tiered(tiers: list[Record], mode: str, quantity: Decimal) -> Decimal:
    """Add up the tiers: graduated, each part costs what its tier says; volume, all costs what the last one says."""
    total, below = Decimal(0), Decimal(0)
    for tier in tiers:
        top = None if tier["up_to"] is None else Decimal(tier["up_to"])
        unit, flat = Decimal(tier["unit_amount_decimal"] or 0), Decimal(tier["flat_amount_decimal"] or 0)
        inside = top is None or quantity <= top
        if mode == "volume":
            if inside:
                return unit * quantity + flat
            continue
        if quantity > below or (below == 0 and quantity == 0):
            total += unit * ((quantity if inside or top is None else top) - below) + flat
        if inside or top is None:
            break
        below = top
    return total


def _unit(parameters: Parameters) -> Decimal:
    exact, whole = parameters.decimal("unit_amount_decimal"), parameters.integer("unit_amount")
    if exact is not None and whole is not None:
        raise ApiError.invalid(
            "You may only specify one of these parameters: unit_amount, unit_amount_decimal.",
            param=parameters.name("unit_amount"),
            code="parameters_exclusive",
        )
    if exact is None and whole is None:
        raise ApiError.missing_parameter(parameters.name("unit_amount"))
    return Decimal(whole) if whole is not None else (exact or Decimal(0))


def _refuse_negative(parameters: Parameters) -> None:
    """Refuse a price below nothing; items of invoices may have one, for what is given back."""
    for key in ("unit_amount", "unit_amount_decimal"):
        amount = parameters.decimal(key)
        if amount is not None and amount < 0:
            raise ApiError.invalid(
                "This value must be greater than or equal to 0.",
                param=parameters.name(key),
                code="parameter_invalid_integer",
            )


def _recurring(account: Account, parameters: Parameters) -> Record | None:
    part = parameters.part("recurring")
    if part is None:
        return None
    interval = part.choice("interval", *INTERVALS)
    if not interval:
        raise ApiError.missing_parameter(part.name("interval"))
    count = part.integer("interval_count") or 1
    if not 1 <= count <= _LONGEST[interval]:
        raise ApiError.invalid("Recurring prices are billed at least every three years.", param=part.name("interval"))
    usage = part.choice("usage_type", "licensed", "metered") or "licensed"
    meter = part.text("meter") or None
    if usage == "metered" and meter is None:
        raise ApiError.invalid(
            "You must provide a meter when creating a price with usage_type=metered.", param=part.name("meter")
        )
    if meter is not None:
        if usage != "metered":
            raise ApiError.invalid("A meter needs usage_type=metered.", param=part.name("meter"))
        if account.find(account.meters, meter, param=part.name("meter"))["status"] != "active":
            raise ApiError.invalid(f"The meter {meter} is inactive.", param=part.name("meter"))
    return {
        "interval": interval,
        "interval_count": count,
        "meter": meter,
        "trial_period_days": part.integer("trial_period_days"),
        "usage_type": usage,
    }


def _tiers(parameters: Parameters) -> list[Record]:
    parts = parameters.parts("tiers")
    if not parts:
        raise ApiError.missing_parameter(parameters.name("tiers"))
    if not parameters.text("tiers_mode"):
        raise ApiError.missing_parameter(parameters.name("tiers_mode"))
    tiers: list[Record] = []
    for place, part in enumerate(parts):
        top = part.required("up_to")
        last = place == len(parts) - 1
        if (top == "inf") is not last:
            raise ApiError.invalid("Exactly the last tier is open: `up_to` is `inf`.", param=part.name("up_to"))
        bound = None if last else part.integer("up_to")
        if bound is not None and tiers and bound <= tiers[-1]["up_to"]:
            raise ApiError.invalid("Tiers must be in ascending order of `up_to`.", param=part.name("up_to"))
        tier: Record = {"up_to": bound}
        for name in ("unit_amount", "flat_amount"):
            exact = part.decimal(f"{name}_decimal")
            whole = part.integer(name)
            exact = Decimal(whole) if whole is not None else exact
            tier[name] = int(exact) if exact is not None and exact == exact.to_integral_value() else None
            tier[f"{name}_decimal"] = None if exact is None else plain(exact)
        if tier["unit_amount_decimal"] is None and tier["flat_amount_decimal"] is None:
            raise ApiError.missing_parameter(part.name("unit_amount"))
        tiers.append(tier)
    return tiers


def _transform(parameters: Parameters) -> Record | None:
    part = parameters.part("transform_quantity")
    if part is None:
        return None
    divisor = part.integer("divide_by")
    if divisor is None or divisor < 1:
        raise ApiError.missing_parameter(part.name("divide_by"))
    direction = part.choice("round", "up", "down")
    if direction is None:
        raise ApiError.missing_parameter(part.name("round"))
    return {"divide_by": divisor, "round": direction}


def _claim_lookup_key(account: Account, key: str | None, identifier: str, *, transfer: bool) -> None:
    if key is None:
        return
    for price in account.prices.oldest_first():
        if price["lookup_key"] == key and price["id"] != identifier:
            if not transfer:
                raise ApiError.invalid(f"A price (`{price['id']}`) already uses that lookup key.", param="lookup_key")
            price["lookup_key"] = None
            account.happened("price.updated", price, {"lookup_key": key})
