"""Products, and the prices at which they are sold."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from connectors.s4hana.sandbox.business.rules import Rules, Values, given
from connectors.s4hana.sandbox.odata.errors import Refusal
from connectors.s4hana.sandbox.store import Key, Row

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

CREATED = "sap.s4.beh.product.v1.Product.Created.v1"
CHANGED = "sap.s4.beh.product.v1.Product.Changed.v1"
#: Condition records: price of one base unit, by product and currency. No service shows them here.
PRICES = "Price"
#: The distribution channel in which what is seeded is sold.
CHANNEL = "10"


def _create(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    row = given(values)
    if not row.get("Product"):
        raise Refusal("Enter a product number", code="M3/730", target="Product")
    row["Product"] = row["Product"].upper()
    if tenant.store.table("A_Product").get((row["Product"],)) is not None:
        raise Refusal(f"Material {row['Product']} already exists", code="M3/025", target="Product")
    for needed in ("ProductType", "BaseUnit"):
        if not row.get(needed):
            raise Refusal(f"Fill in {needed}", code="MG/162", target=needed)
    row.setdefault("ItemCategoryGroup", "NORM")
    at = tenant.stamp()
    # Day and user of the last change stay empty until there is one.
    return row | {"CreationDate": at.date(), "CreatedByUser": tenant.user, "LastChangeDateTime": at}


def _created(tenant: Tenant, key: Key) -> None:
    tenant.raise_event(CREATED, Product=key[0])


def _change(tenant: Tenant, old: Row, changes: Values) -> Values:
    return {**old, **changes}


def _changed(tenant: Tenant, key: Key) -> None:
    table = tenant.store.table("A_Product")
    row = table.get((key[0],))
    if row is None or tenant.store.is_new("A_Product", (key[0],)):
        return
    at = tenant.stamp()
    changed = {"LastChangeDate": at.date(), "LastChangeDateTime": at, "LastChangedByUser": tenant.user}
    table.put((key[0],), {**row, **changed})
    tenant.raise_event(CHANGED, Product=key[0])


def _create_part(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    row = given(values)
    product = str(row.get("Product", ""))
    if tenant.store.table("A_Product").get((product,)) is None:
        raise Refusal(f"Material {product} does not exist", code="M3/305", target="Product")
    return row


def _create_sales(tenant: Tenant, values: Values, parent: Row | None) -> Values:
    row = _create_part(tenant, values, parent)
    organisation = str(row.get("ProductSalesOrg", ""))
    if organisation not in tenant.organisation.sales:
        raise Refusal(f"Sales organization {organisation} is not defined", code="M3/148", target="ProductSalesOrg")
    return row


def is_sold(tenant: Tenant, product: str, organisation: str, channel: str) -> bool:
    """Tell whether a product has the data of a sales organisation, without which it cannot be ordered there."""
    return tenant.store.table("A_ProductSalesDelivery").get((product, organisation, channel)) is not None


def _deleted(tenant: Tenant, row: Row) -> None:
    _changed(tenant, (str(row["Product"]),))


def set_price(tenant: Tenant, product: str, currency: str, price: Decimal) -> None:
    """Set what one base unit of a product costs."""
    row = {"Product": product, "Currency": currency, "Price": price}
    tenant.store.table(PRICES).put((product, currency), row)


def price_of(tenant: Tenant, product: str, currency: str) -> Decimal | None:
    """Give what one base unit costs; None without a condition record."""
    row = tenant.store.table(PRICES).get((product, currency))
    return None if row is None else row["Price"]


_PART = Rules(create=_create_part, created=_changed, changed=_changed, deleted=_deleted)
RULES = {
    "A_Product": Rules(create=_create, created=_created, change=_change, changed=_changed),
    "A_ProductDescription": _PART,
    "A_ProductPlant": _PART,
    "A_ProductSalesDelivery": Rules(create=_create_sales, created=_changed, changed=_changed, deleted=_deleted),
    "A_ProductSalesTax": _PART,
    "A_ProductValuation": _PART,
}
