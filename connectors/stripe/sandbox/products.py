"""Products: what is sold."""

from __future__ import annotations

import re
from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.searching import search
from connectors.stripe.sandbox.table import Record

_URL = "/v1/products"
#: Stripe knows some hundreds of them, this sandbox their form.
_TAX_CODE = re.compile(r"txcd_[0-9]{8}")
_TEXTS = ("description", "statement_descriptor", "tax_code", "unit_label", "url")


def create(account: Account, parameters: Parameters) -> Record:
    """Make a product of its parameters; the caller may choose the id."""
    product = form(account, parameters)
    parameters.finish()
    return keep(account, product)


def form(account: Account, parameters: Parameters) -> Record:
    """Form a product from its parameters; it is not kept yet."""
    product: Record = {
        "id": parameters.text("id") or account.identifiers.short("prod"),
        "object": "product",
        "active": True,
        "created": account.now(),
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": parameters.required("name"),
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "tax_details": None,
        "type": parameters.choice("type", "service", "good") or "service",
        "unit_label": None,
        "updated": account.now(),
        "url": None,
    }
    _write(product, parameters)
    parameters.accept("tax_details")
    return product


def keep(account: Account, product: Record) -> Record:
    """Keep a new product, unless its id is taken."""
    if account.products.get(product["id"]) is not None:
        raise ApiError.invalid("Product already exists.", param="id", code="resource_already_exists")
    account.products.add(product)
    account.happened("product.created", product)
    return product


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/products/{id}`: everything but the id and the type."""
    product = account.find(account.products, identifier)
    after = dict(product)
    if (name := parameters.text("name")) is not None:
        after["name"] = name or parameters.required("name")
    if (price := parameters.text("default_price")) is not None:
        after["default_price"] = account.find(account.prices, price, param="default_price")["id"] if price else None
    _write(after, parameters)
    parameters.accept("tax_details")
    parameters.finish()
    previous = changed(product, after)
    if previous:
        after["updated"] = account.now()
        previous = changed(product, after)
        product.update(after)
        account.happened("product.updated", product, previous)
    return product


def delete(account: Account, identifier: str) -> Record:
    """`DELETE /v1/products/{id}`; one that has prices stays."""
    product = account.find(account.products, identifier)
    if account.prices.where("product", identifier):
        raise ApiError.invalid("This product cannot be deleted because it has one or more user-created prices.")
    account.happened("product.deleted", product)
    product.clear()
    product.update({"id": identifier, "object": "product", "deleted": True})
    return product


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/products`."""
    wanted = parameters.texts("ids")
    filters = [
        equals("active", parameters.boolean("active")),
        equals("url", parameters.text("url")),
        None if wanted is None else lambda product: product["id"] in wanted,
        time_range(parameters),
    ]
    return pages(account.products, parameters, filters, url=_URL)


def search_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/products/search`."""
    fields = frozenset({"active", "created", "description", "name", "url"})
    return search(account, account.products, parameters, fields=fields, url=f"{_URL}/search")


def _write(product: Record, parameters: Parameters) -> None:
    for key in _TEXTS:
        value = parameters.text(key)
        if value is not None:
            product[key] = value or None
    code = product["tax_code"]
    if code is not None and not _TAX_CODE.fullmatch(code):
        raise ApiError.no_such("tax code", code[:100], param=parameters.name("tax_code"), status=400)
    for key in ("active", "shippable"):
        flag = parameters.boolean(key)
        if flag is not None:
            product[key] = flag
    if (images := parameters.texts("images")) is not None:
        product["images"] = images
    if (features := parameters.parts("marketing_features")) is not None:
        product["marketing_features"] = [{"name": part.required("name")} for part in features]
    product["metadata"] = parameters.metadata(product["metadata"])
