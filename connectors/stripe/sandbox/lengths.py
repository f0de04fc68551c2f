"""How long a text may be that a request brings, as Stripe's OpenAPI description has it."""

from __future__ import annotations

import re
from collections.abc import Mapping

#: Where nothing else is said.
USUAL = 5000
#: No text is ever refused for so few.
SHORTEST = 2

_PRODUCT = {"statement_descriptor": 22, "unit_label": 12}
_EVIDENCE = (
    "access_activity_log",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "duplicate_charge_explanation",
    "product_description",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "uncategorized_text",
)
#: Path without the ids in it → parameter, without the places of lists → characters.
LONGEST: Mapping[str, Mapping[str, int]] = {
    "/v1/charges": {"description": 40_000},
    "/v1/coupons": {"name": 40},
    "/v1/customers": {"email": 512, "name": 256, "phone": 20},
    "/v1/customers/balance_transactions": {"description": 350},
    "/v1/disputes": {f"evidence[{name}]": 20_000 for name in _EVIDENCE},
    "/v1/invoices": {
        "custom_fields[name]": 30,
        "custom_fields[value]": 30,
        "description": 1500,
        "statement_descriptor": 22,
    },
    "/v1/payment_intents": {"description": 1000, "statement_descriptor": 22, "statement_descriptor_suffix": 22},
    "/v1/payment_intents/capture": {"statement_descriptor": 22, "statement_descriptor_suffix": 22},
    "/v1/payouts": {"statement_descriptor": 22},
    "/v1/prices": {"lookup_key": 200, **{f"product_data[{name}]": most for name, most in _PRODUCT.items()}},
    "/v1/products": {"description": 40_000, **_PRODUCT},
    "/v1/subscriptions": {"description": 500},
    "/v1/tax/calculations": {"line_items[reference]": 500},
    "/v1/tax/transactions/create_from_calculation": {"reference": 500},
    "/v1/tax/transactions/create_reversal": {"line_items[reference]": 500, "reference": 500},
    "/v1/tax_rates": {"display_name": 50, "jurisdiction": 50, "state": 2},
}
_ID = re.compile(r"/\{\w+\}")
_PLACE = re.compile(r"\[\d+\]")
_NOTHING: Mapping[str, int] = {}


def longest(path: str) -> Mapping[str, int]:
    """Give the texts of an endpoint (`/v1/customers/{id}`) that may be shorter or longer than usual."""
    return LONGEST.get(_ID.sub("", path), _NOTHING)


def most_of(lengths: Mapping[str, int], name: str) -> int:
    """Give how many characters the parameter of this full name (`lines[0][amount]`) may have."""
    return lengths.get(_PLACE.sub("", name), USUAL)
