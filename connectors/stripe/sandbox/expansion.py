"""`expand[]`: puts an object where an answer has only its id."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from connectors.stripe.sandbox import tax_ids, terms
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.invoice_sums import show
from connectors.stripe.sandbox.listing import listed
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.rendering import render
from connectors.stripe.sandbox.table import Record, Table
from connectors.stripe.sandbox.versions import BASIL

MAX_DEPTH = 4
#: Parts of an object that are there anyway; a path may lead through them.
_PLAIN = frozenset(
    {
        "data",
        "items",
        "lines",
        "parent",
        "payment",
        "price",
        "price_details",
        "refunds",
        "pricing",
        "recurring",
        "source",
        "subscription_details",
        "subscription_item_details",
        "tax_amounts",
        "total_tax_amounts",
    }
)
#: What is behind an invoice payment: one of these.
_VARIANTS = frozenset({"payment_intent", "payment_record"})


def expand(account: Account, answer: Any, paths: Iterable[str], version: str) -> Any:
    """Give an answer, rendered for a version, with every path expanded; the account's own objects are not touched."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > MAX_DEPTH:
            raise ApiError.invalid(
                f"You cannot expand more than {MAX_DEPTH} levels of a property. You attempted to expand {path}",
                param="expand",
            )
        answer = _Expansion(account, version, path).follow(answer, steps)
    return answer


class _Expansion:
    """One path that is followed through an answer."""

    def __init__(self, account: Account, version: str, path: str) -> None:
        self._account = account
        self._version = version
        self._path = path
        self._tables: Mapping[str, Table] = {
            "balance_transaction": account.balance_transactions,
            "charge": account.charges,
            "customer_balance_transaction": account.customer_balance_transactions,
            "coupon": account.coupons,
            "customer": account.customers,
            "discount": account.discounts,
            "discounts": account.discounts,
            "failure_balance_transaction": account.balance_transactions,
            "invoice": account.invoices,
            "latest_charge": account.charges,
            "payment_intent": account.payment_intents,
            "payment_record": account.payment_records,
            "product": account.products,
            "refund": account.refunds,
            "default_price": account.prices,
            "latest_invoice": account.invoices,
            "subscription": account.subscriptions,
            "tax_rate": account.tax_rates,
        }

    def follow(self, node: Any, steps: list[str]) -> Any:
        """Give a part of the answer with the rest of the path expanded."""
        if node is None:
            return None
        if isinstance(node, list):
            return [self.follow(inner, steps) for inner in node]
        if not isinstance(node, dict):
            raise self._cannot()
        if not steps:
            return node
        name, deeper = steps[0], steps[1:]
        if name == "payments" and node.get("object") == "invoice" and self._version >= BASIL:
            value: Any = node.get("payments") or self._payments(node)
        elif name == "confirmation_secret" and node.get("object") == "invoice" and self._version >= BASIL:
            value = self._secret(node)
        elif name == "tiers" and node.get("object") == "price":
            value = self._account.tiers.get(node["id"])
        elif name == "tax_ids" and node.get("object") == "customer":
            if node.get("deleted"):
                return node
            value = tax_ids.shown(self._account, str(node["id"]))
        elif (taxes := self._taxes(node, name)) is not None:
            value = taxes
        elif name not in node:
            if node.get("type") in _VARIANTS and name in _VARIANTS:
                return node  # Of these an object has one or another.
            raise self._cannot()
        else:
            value = self._resolve(name, node[name])
        if deeper:
            value = self.follow(value, deeper)
        return node | {name: value}

    def _resolve(self, name: str, value: Any) -> Any:
        if isinstance(value, dict) or value is None or name in _PLAIN:
            return value
        table = self._tables.get(name)
        if table is None:
            raise self._cannot()
        if isinstance(value, list):
            return [self._object(table, item) for item in value]
        return self._object(table, value)

    def _object(self, table: Table, value: Any) -> Any:
        record = table.get(value) if isinstance(value, str) else None
        if record is None:
            return value
        whole = record
        if table is self._account.invoices:
            whole = show(self._account, record)
        elif table is self._account.subscriptions:
            whole = terms.show(self._account, record)
        return render(self._account, whole, self._version)

    def _payments(self, invoice: Record) -> dict[str, Any]:
        payments = self._account.invoice_payments.where("invoice", invoice["id"])[::-1]
        url = f"/v1/invoice_payments?invoice={invoice['id']}"
        page = listed(payments[:10], more=len(payments) > 10, url=url)
        return dict(render(self._account, page, self._version))

    def _secret(self, invoice: Record) -> dict[str, str] | None:
        """Give what a browser confirms an open invoice's payment with."""
        for payment in self._account.invoice_payments.where("invoice", invoice["id"]):
            intent = self._account.payment_intents.get(payment["payment"].get("payment_intent") or "")
            if payment["is_default"] and payment["status"] == "open" and intent is not None:
                return {"client_secret": intent["client_secret"], "type": "payment_intent"}
        return None

    def _taxes(self, node: Record, name: str) -> Any:
        """Give what Stripe Tax shows only when asked: the lines of a document, and the taxes of a line."""
        kind, identifier = node.get("object"), str(node.get("id"))
        if name == "line_items" and kind in {"tax.calculation", "tax.transaction"}:
            lines = self._account.tax_lines[identifier]
            url = f"/v1/tax/{str(kind).removeprefix('tax.')}s/{identifier}/line_items"
            return listed([dict(line) for line in lines[:10]], more=len(lines) > 10, url=url)
        if name == "tax_breakdown" and kind == "tax.calculation_line_item":
            return self._account.tax_breakdowns[identifier]
        return None

    def _cannot(self) -> ApiError:
        return ApiError.invalid(f"This property cannot be expanded ({self._path}).", param="expand")
