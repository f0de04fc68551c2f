"""Mapping alone: the compiled mapping against the JMESPath interpreter and against Python written by hand.

    python -m bench.mapping [--json] [--seconds 2] [--rounds 5]

All three make the same record of the same invoices (15 fields, three of them lists, exact numbers), which is checked
first. They take turns, and the figures are ratios of processor time, so that a busy machine hits all three alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Any

import jmespath
from jmespath import functions

from hub.mapping.compiled import apply
from hub.mapping.compiler import compile_mapping

Invoice = dict[str, Any]

TERMS = {"charge_automatically": "NET0", "send_invoice": "NET30"}
DOCUMENT: dict[str, Any] = {
    "mapping": "bench/invoice",
    "version": 1,
    "from": "bench.invoice@1",
    "to": "bench.record@1",
    "fields": {
        "id": "id",
        "number": "number",
        "currency": "upper(currency)",
        "customer_id": "customer.id",
        "customer_name": "customer.name || 'unnamed'",
        "city": "customer.address.city",
        "country": "customer.address.country",
        "issued_on": "date(status_transitions.finalized_at, 'UTC')",
        "terms": "table('terms', collection_method, 'NET60')",
        "total": "money(total, currency)",
        "tax_total": "money(sum(total_taxes[].amount), currency)",
        "products": "lines.data[].pricing.product",
        "taxed": "lines.data[?tax > `0`].id",
        "label": "join(' / ', [number, customer.name])",
    },
    "lines": {
        "each": "lines.data",
        "fields": {
            "id": "id",
            "product_id": "pricing.product",
            "quantity": "quantity || `1`",
            "amount": "money(amount, root().currency)",
        },
    },
}


def invoices(count: int) -> list[Invoice]:
    """Make invoices with one to five lines, the same ones each time."""
    random = Random(7)
    return [_invoice(index, random) for index in range(count)]


def _invoice(index: int, random: Random) -> Invoice:
    lines = [
        {
            "id": f"il_{index}_{line}",
            "amount": random.randrange(-500, 90_000),
            "quantity": random.choice([1, 3, Decimal("2.50")]),
            "tax": random.choice([0, 19, 700]),
            "pricing": {"product": f"prod_{random.randrange(20)}"},
        }
        for line in range(random.randrange(1, 6))
    ]
    return {
        "id": f"in_{index}",
        "number": f"CON-{index:06}",
        "currency": random.choice(["eur", "usd", "jpy", "kwd"]),
        "customer": {
            "id": f"cus_{index % 50}",
            "name": f"Customer {index % 50}",
            "address": {"city": "Berlin", "country": "DE"},
        },
        "status_transitions": {"finalized_at": 1_760_000_000 + index},
        "collection_method": random.choice([*TERMS, "other"]),
        "total": sum(line["amount"] for line in lines),
        "total_taxes": [{"amount": line["tax"]} for line in lines],
        "lines": {"data": lines},
    }


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


def interpreted() -> Callable[[Invoice], Invoice]:
    """Give the mapping as the interpreter's parsed expressions, one a field."""
    house = _House()
    options = jmespath.Options(custom_functions=house)
    fields = {name: jmespath.compile(text) for name, text in DOCUMENT["fields"].items()}
    each = jmespath.compile(DOCUMENT["lines"]["each"])
    lines = {name: jmespath.compile(text) for name, text in DOCUMENT["lines"]["fields"].items()}

    def filled(expressions: dict[str, Any], value: Any) -> Invoice:
        made = {name: expression.search(value, options) for name, expression in expressions.items()}
        return {name: value for name, value in made.items() if value is not None}

    def run(invoice: Invoice) -> Invoice:
        house.root = invoice
        record = filled(fields, invoice)
        record["lines"] = [filled(lines, line) for line in each.search(invoice, options)]
        return record

    return run


def handwritten(invoice: Invoice) -> Invoice:
    """Make the record as a careful programmer would: exact, but without checks."""
    customer = invoice["customer"]
    address = customer.get("address") or {}
    currency = invoice["currency"].upper()
    lines = invoice["lines"]["data"]
    taxes = sum(tax["amount"] for tax in invoice["total_taxes"])
    finalized = datetime.fromtimestamp(invoice["status_transitions"]["finalized_at"], UTC)
    record = {
        "id": invoice["id"],
        "number": invoice["number"],
        "currency": currency,
        "customer_id": customer["id"],
        "customer_name": customer.get("name") or "unnamed",
        "city": address.get("city"),
        "country": address.get("country"),
        "issued_on": finalized.date().isoformat(),
        "terms": TERMS.get(invoice["collection_method"], "NET60"),
        "total": {"minor": invoice["total"], "currency": currency},
        "tax_total": {"minor": taxes, "currency": currency},
        "products": [line["pricing"]["product"] for line in lines],
        "taxed": [line["id"] for line in lines if line["tax"] > 0],
        "label": " / ".join([invoice["number"], customer["name"]]),
        "lines": [
            {
                "id": line["id"],
                "product_id": line["pricing"]["product"],
                "quantity": line["quantity"] or 1,
                "amount": {"minor": line["amount"], "currency": currency},
            }
            for line in lines
        ],
    }
    return {name: value for name, value in record.items() if value is not None}


def measure(run: Callable[[Invoice], Invoice], sources: list[Invoice], seconds: float) -> float:
    """Give the records made per second of processor time."""
    made, start = 0, time.process_time()
    while (spent := time.process_time() - start) < seconds:
        for source in sources:
            run(source)
        made += len(sources)
    return made / spent


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print a table or, with `--json`, one object."""
    parser = argparse.ArgumentParser(prog="python -m bench.mapping", description="Measure mappings.")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seconds", type=float, default=0.4, help="processor time of each turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each engine")
    options = parser.parse_args(arguments)
    mapping = compile_mapping(DOCUMENT, {"terms": TERMS})
    engines: dict[str, Callable[[Invoice], Invoice]] = {
        "compiled": lambda invoice: apply(mapping, invoice),
        "interpreter": interpreted(),
        "handwritten": handwritten,
    }
    sources = invoices(200)
    for source in sources:
        records = [run(source) for run in engines.values()]
        if any(record != records[0] for record in records):
            sys.exit("The engines do not agree; there is nothing to compare.")
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(options.rounds):
        for name, run in engines.items():
            rates[name].append(measure(run, sources, options.seconds))
    report(rates, as_json=options.json)


def report(rates: dict[str, list[float]], *, as_json: bool) -> None:
    """Print the median rates and the compiled mapping's ratio to each other engine."""
    medians = {name: statistics.median(found) for name, found in rates.items()}
    ratios = {
        name: statistics.median(mine / other for mine, other in zip(rates["compiled"], found, strict=True))
        for name, found in rates.items()
        if name != "compiled"
    }
    if as_json:
        report = {"records_per_cpu_second": medians, "compiled_against": ratios}
        sys.stdout.write(json.dumps(report, indent=2) + "\n")
        return
    sys.stdout.write(f"{'engine':<14}{'records/CPU-s':>15}{'compiled is':>14}\n")
    for name, rate in medians.items():
        ratio = f"{ratios[name]:.2f} x" if name in ratios else ""
        sys.stdout.write(f"{name:<14}{rate:>15,.0f}{ratio:>14}\n")


if __name__ == "__main__":
    main()
