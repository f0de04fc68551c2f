"""The same mapping in four forms: compiled, interpreted, written by hand, and in JSONata."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

import jmespath
from jmespath import functions

from bench.invoices import TERMS
from hub.mapping.compiled import apply
from hub.mapping.compiler import compile_mapping

Record = dict[str, Any]
Engine = Callable[[Record], Record]

#: Fifteen fields; the last one is a list of records.
DOCUMENT: Record = {
    "mapping": "bench/invoice",
    "version": 1,
    "from": "bench.invoice@1",
    "to": "bench.record@1",
    "fields": {
        "id": "id",
        "number": "number",
        "currency": "upper(currency)",
        "customer_id": "customer",
        "customer_name": "customer_name || 'unnamed'",
        "city": "customer_address.city",
        "country": "customer_address.country",
        "issued_on": "date(status_transitions.finalized_at, 'UTC')",
        "terms": "table('terms', collection_method, 'NET60')",
        "total": "money(total, currency)",
        "tax_total": "money(sum(total_taxes[].amount), currency)",
        "products": "lines.data[].pricing.price_details.product",
        "taxed": "lines.data[?taxes[0].amount > `0`].id",
        "label": "join(' / ', [number, metadata.order])",
    },
    "lines": {
        "each": "lines.data",
        "fields": {
            "id": "id",
            "product_id": "pricing.price_details.product",
            "quantity": "quantity || `1`",
            "amount": "money(amount, root().currency)",
        },
    },
}

JSONATA = """(
  $currency := $uppercase(currency);
  {
    "id": id,
    "number": number,
    "currency": $currency,
    "customer_id": customer,
    "customer_name": customer_name ? customer_name : "unnamed",
    "city": customer_address.city,
    "country": customer_address.country,
    "issued_on": $fromMillis(status_transitions.finalized_at * 1000, "[Y0001]-[M01]-[D01]"),
    "terms": collection_method = "charge_automatically" ? "NET0"
      : collection_method = "send_invoice" ? "NET30" : "NET60",
    "total": {"minor": total, "currency": $currency},
    "tax_total": {"minor": $sum(total_taxes.amount), "currency": $currency},
    "products": [lines.data.pricing.price_details.product],
    "taxed": [lines.data[taxes[0].amount > 0].id],
    "label": number & " / " & metadata.order,
    "lines": [lines.data.{
      "id": id,
      "product_id": pricing.price_details.product,
      "quantity": quantity ? quantity : 1,
      "amount": {"minor": amount, "currency": $currency}
    }]
  }
)"""


def engines() -> dict[str, Engine]:
    """Give the engines by name, ours first; JSONata only where its package is installed."""
    mapping = compile_mapping(DOCUMENT, {"terms": TERMS})
    found: dict[str, Engine] = {
        "compiled": lambda invoice: apply(mapping, invoice),
        "interpreter": interpreted(),
        "handwritten": handwritten,
    }
    if find_spec("jsonatapy") is not None:
        found["jsonata (Rust)"] = jsonata()
    return found


class _House(functions.Functions):  # type: ignore[misc]  # the interpreter has no types
    """The same functions for the interpreter, as its own documentation says to add them."""

    root: Any = None

    @functions.signature({"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_upper(self, text: str) -> str:
        return text.upper()

    @functions.signature({"types": ["number"]}, {"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_money(self, minor: int, currency: str) -> dict[str, object]:
        return {"minor": minor, "currency": currency.upper()}

    @functions.signature({"types": ["number"]}, {"types": ["string"]})  # type: ignore[untyped-decorator]
    def _func_date(self, moment: int, _zone: str) -> str:
        return datetime.fromtimestamp(moment, UTC).date().isoformat()

    @functions.signature({"types": ["string"]}, {"types": ["string"]}, {"types": []})  # type: ignore[untyped-decorator]
    def _func_table(self, _name: str, key: str, default: str) -> str:
        return TERMS.get(key, default)

    @functions.signature()  # type: ignore[untyped-decorator]
    def _func_root(self) -> Any:
        return self.root


def interpreted() -> Engine:
    """Give the mapping as the interpreter's parsed expressions, one a field."""
    house = _House()
    options = jmespath.Options(custom_functions=house)
    fields = {name: jmespath.compile(text) for name, text in DOCUMENT["fields"].items()}
    each = jmespath.compile(DOCUMENT["lines"]["each"])
    lines = {name: jmespath.compile(text) for name, text in DOCUMENT["lines"]["fields"].items()}

    def filled(expressions: Record, value: Any) -> Record:
        made = {name: expression.search(value, options) for name, expression in expressions.items()}
        return {name: value for name, value in made.items() if value is not None}

    def run(invoice: Record) -> Record:
        house.root = invoice
        record = filled(fields, invoice)
        record["lines"] = [filled(lines, line) for line in each.search(invoice, options)]
        return record

    return run


def jsonata() -> Engine:
    """Give the mapping as an expression of JSONata, evaluated in Rust; its numbers are binary floats."""
    import jsonatapy  # noqa: PLC0415 - installed for measuring alone

    return jsonatapy.compile(JSONATA).evaluate  # type: ignore[no-any-return]


def handwritten(invoice: Record) -> Record:
    """Make the record as a careful programmer would: exact, but without checks."""
    address = invoice.get("customer_address") or {}
    currency = invoice["currency"].upper()
    lines = invoice["lines"]["data"]
    taxes = sum(tax["amount"] for tax in invoice["total_taxes"])
    finalized = datetime.fromtimestamp(invoice["status_transitions"]["finalized_at"], UTC)
    record = {
        "id": invoice["id"],
        "number": invoice["number"],
        "currency": currency,
        "customer_id": invoice["customer"],
        "customer_name": invoice.get("customer_name") or "unnamed",
        "city": address.get("city"),
        "country": address.get("country"),
        "issued_on": finalized.date().isoformat(),
        "terms": TERMS.get(invoice["collection_method"], "NET60"),
        "total": {"minor": invoice["total"], "currency": currency},
        "tax_total": {"minor": taxes, "currency": currency},
        "products": [line["pricing"]["price_details"]["product"] for line in lines],
        "taxed": [line["id"] for line in lines if line["taxes"][0]["amount"] > 0],
        "label": " / ".join([invoice["number"], invoice["metadata"]["order"]]),
        "lines": [
            {
                "id": line["id"],
                "product_id": line["pricing"]["price_details"]["product"],
                "quantity": line["quantity"] or 1,
                "amount": {"minor": line["amount"], "currency": currency},
            }
            for line in lines
        ],
    }
    return {name: value for name, value in record.items() if value is not None}
