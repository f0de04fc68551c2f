"""`expand[]`: puts an object where an answer has only its id."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.invoice_sums import show
from connectors.stripe.sandbox.listing import listed
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record, Table

MAX_DEPTH = 4
#: Parts of an object that are there anyway; a path may lead through them.
_PLAIN = frozenset({"data", "lines", "parent", "payment", "price_details", "pricing", "source"})
#: What is behind an invoice payment: one of these.
_VARIANTS = frozenset({"payment_intent", "payment_record"})


def expand(account: Account, answer: Any, paths: Iterable[str]) -> Any:
    """Give the answer with every path expanded; the account's own objects are not touched."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > MAX_DEPTH:
            raise ApiError.invalid(
                f"You cannot expand more than {MAX_DEPTH} levels of a property. You attempted to expand {path}",
                param="expand",
            )
        answer = _follow(account, answer, steps, path)
    return answer


def _follow(account: Account, node: Any, steps: list[str], path: str) -> Any:
    if node is None:
        return None
    if isinstance(node, list):
        return [_follow(account, inner, steps, path) for inner in node]
    if not isinstance(node, dict):
        raise _cannot(path)
    if not steps:
        return node
    name, deeper = steps[0], steps[1:]
    if name == "payments" and node.get("object") == "invoice":
        value: Any = node.get("payments") or _payments(account, node)
    elif name not in node:
        if node.get("type") in _VARIANTS and name in _VARIANTS:
            return node  # Of these an object has one or another.
        raise _cannot(path)
    else:
        value = _resolve(account, name, node[name], path)
    if deeper:
        value = _follow(account, value, deeper, path)
    return node | {name: value}


def _resolve(account: Account, name: str, value: Any, path: str) -> Any:
    if isinstance(value, dict) or value is None:
        return value
    tables: dict[str, Table] = {
        "coupon": account.coupons,
        "customer": account.customers,
        "discount": account.discounts,
        "discounts": account.discounts,
        "invoice": account.invoices,
        "payment_intent": account.payment_intents,
        "payment_record": account.payment_records,
        "product": account.products,
    }
    if name in _PLAIN:
        return value
    table = tables.get(name)
    if table is None:
        raise _cannot(path)
    if isinstance(value, list):
        return [_object(account, table, item) for item in value]
    return _object(account, table, value)


def _object(account: Account, table: Table, value: Any) -> Any:
    record = table.get(value) if isinstance(value, str) else None
    if record is None:
        return value
    return show(account, record) if table is account.invoices else record


def _payments(account: Account, invoice: Record) -> dict[str, Any]:
    payments = account.invoice_payments.where("invoice", invoice["id"])[::-1]
    url = f"/v1/invoice_payments?invoice={invoice['id']}"
    return listed(payments[:10], more=len(payments) > 10, url=url)


def _cannot(path: str) -> ApiError:
    return ApiError.invalid(f"This property cannot be expanded ({path}).", param="expand")
