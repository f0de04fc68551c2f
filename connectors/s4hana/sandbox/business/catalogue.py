"""Which rules hold for which table, and what the function imports do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.s4hana.sandbox.business import billing, contacts, partners, products, sales
from connectors.s4hana.sandbox.business.rules import Rules

RULES: Mapping[str, Rules] = {**partners.RULES, **contacts.RULES, **products.RULES, **sales.RULES}
#: By service and name; each takes the tenant and the parameters, and gives rows of its complex type.
FUNCTIONS: Mapping[tuple[str, str], Callable[..., Any]] = {
    ("API_BILLING_DOCUMENT_SRV", "Cancel"): billing.cancel,
    ("API_BILLING_DOCUMENT_SRV", "GetPDF"): billing.print_pdf,
}
