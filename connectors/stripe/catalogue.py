"""What is sold at Stripe: products and their prices."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.stripe.billing import AMOUNT, CURRENCY, DECIMAL, FLAG, IDS, TEXT, shape
from connectors.stripe.reading import ID, list_of, read_by_id
from connectors.stripe.writing import METADATA, changes, creates
from hub.sdk.connector import JsonSchema, Operation

_PRODUCT: Mapping[str, JsonSchema] = {
    "id": ID,
    "name": TEXT,
    "active": FLAG,
    "description": TEXT,
    "tax_code": TEXT,
    "unit_label": TEXT,
    "statement_descriptor": TEXT,
    "url": TEXT,
    "metadata": METADATA,
}
_TIER = shape(
    {
        "up_to": {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "inf"}]},
        "unit_amount": AMOUNT,
        "unit_amount_decimal": DECIMAL,
        "flat_amount": AMOUNT,
        "flat_amount_decimal": DECIMAL,
    },
    "up_to",
)
_PRICE: Mapping[str, JsonSchema] = {
    "product": ID,
    "currency": CURRENCY,
    "unit_amount": AMOUNT,
    "unit_amount_decimal": DECIMAL,
    "active": FLAG,
    "nickname": TEXT,
    "lookup_key": TEXT,
    "transfer_lookup_key": FLAG,
    "tax_behavior": {"enum": ["inclusive", "exclusive", "unspecified"]},
    "recurring": shape(
        {
            "interval": {"enum": ["day", "week", "month", "year"]},
            "interval_count": {"type": "integer", "minimum": 1},
            "usage_type": {"enum": ["licensed", "metered"]},
            "meter": ID,
        },
        "interval",
    ),
    "billing_scheme": {"enum": ["per_unit", "tiered"]},
    "tiers_mode": {"enum": ["graduated", "volume"]},
    "tiers": {"type": "array", "items": _TIER, "minItems": 1},
    "transform_quantity": shape(
        {"divide_by": {"type": "integer", "minimum": 1}, "round": {"enum": ["up", "down"]}}, "divide_by", "round"
    ),
    "metadata": METADATA,
}

_READS: tuple[Operation, ...] = (
    read_by_id("product", "products", title="Read a product"),
    list_of("product", "products", title="List products, newest first", filters={"active": FLAG, "ids": IDS}),
    read_by_id("price", "prices", title="Read a price"),
    list_of(
        "price",
        "prices",
        title="List prices, newest first",
        filters={
            "active": FLAG,
            "currency": CURRENCY,
            "lookup_keys": {"type": "array", "items": TEXT},
            "product": ID,
            "type": {"enum": ["one_time", "recurring"]},
        },
    ),
)
_WRITES: tuple[Operation, ...] = (
    creates(
        "product.create",
        "products",
        title="Create a product",
        fields=_PRODUCT,
        required=("name",),
        gives=("name", "active"),
        searched=True,
    ),
    creates(
        "price.create",
        "prices",
        title="Create a price, one-time or recurring, per unit or in tiers, licensed or metered",
        fields=_PRICE,
        required=("product", "currency"),
        gives=("product", "currency", "unit_amount", "unit_amount_decimal", "lookup_key"),
        searched=True,
        undo="price.archive",
    ),
    changes(
        "product.update",
        "products",
        title="Change the fields of a product that are given",
        fields={name: schema for name, schema in _PRODUCT.items() if name != "id"},
        gives=("name", "active"),
    ),
    changes(
        "price.archive",
        "prices",
        title="Let a price be used by nothing new; what uses it goes on",
        form=lambda _settings, _record: {"active": False},
        gives=("product", "currency", "active"),
        holds=lambda _, price: price.get("active") is False,
    ),
    changes(
        "price.restore",
        "prices",
        title="Let an archived price be used again",
        form=lambda _settings, _record: {"active": True},
        gives=("product", "currency", "active"),
        holds=lambda _, price: price.get("active") is True,
    ),
)
CATALOGUE: tuple[Operation, ...] = (*_READS, *_WRITES)
