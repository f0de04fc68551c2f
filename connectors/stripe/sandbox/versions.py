"""API versions: objects are kept in the newest shape and rendered in the older one a caller asks for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Oldest to newest; an account or endpoint is pinned to one of them.
VERSIONS = (
    "2025-09-30.clover",
    "2025-10-29.clover",
    "2025-11-17.clover",
    "2025-12-15.clover",
    "2026-01-28.clover",
    "2026-02-25.clover",
    "2026-03-25.dahlia",
    "2026-04-22.dahlia",
    "2026-05-27.dahlia",
    "2026-06-24.dahlia",
    "2026-07-29.dahlia",
    "2026-08-26.dahlia",
    "2026-09-30.endive",
    "2026-10-28.endive",
)
DEFAULT = VERSIONS[0]
NEWEST = VERSIONS[-1]

#: Object → field → the date since which it is there.
_SINCE: Mapping[str, Mapping[str, str]] = {
    "invoice": {
        "customer_account": "2025-12-15",
        "amount_paid_off_stripe": "2026-03-25",
        "status_details": "2026-09-30",
    },
    "line_item": {"subtotal": "2025-12-15", "quantity_decimal": "2026-03-25"},
    "invoiceitem": {
        "customer_account": "2025-12-15",
        "quantity_decimal": "2026-03-25",
        "frozen_fields": "2026-09-30",
        "invoicing_rules": "2026-09-30",
    },
    "customer": {"customer_account": "2025-12-15"},
    "discount": {"customer_account": "2025-12-15"},
    "payment_intent": {"customer_account": "2025-12-15", "payment_record": "2026-09-30"},
}


def render(value: Any, version: str) -> Any:
    """Give a value as the version shows it: what came later is left out, at every depth."""
    if version >= NEWEST:
        return value
    return _render(value, version[:10])


def _render(value: Any, date: str) -> Any:
    if isinstance(value, dict):
        later = _SINCE.get(str(value.get("object", "")), {})
        return {
            name: _render(inner, date) if isinstance(inner, dict | list) else inner
            for name, inner in value.items()
            if later.get(name, "") <= date
        }
    if isinstance(value, list):
        return [_render(inner, date) for inner in value]
    return value
