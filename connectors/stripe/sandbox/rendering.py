"""Shows objects, which are kept in the newest shape, as an older version shows them; and as one that drifts would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from connectors.stripe.sandbox import acacia
from connectors.stripe.sandbox.drifting import drifted
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.versions import BASIL, CLOVER, NEWEST, SINCE

if TYPE_CHECKING:
    from connectors.stripe.sandbox.account import Account

Change = Callable[["Account", Record], Record]


def _with_coupon(account: Account, discount: Record) -> Record:
    """Before clover a discount held its whole coupon."""
    source = discount.get("source") or {}
    older = {name: value for name, value in discount.items() if name != "source"}
    return older | {"coupon": account.coupons.get(source.get("coupon") or "")}


def _with_own_refunds(_: Account, note: Record) -> Record:
    """Before clover a credit note's refunds were all Stripe's own."""
    refunds = [{"amount_refunded": part["amount_refunded"], "refund": part["refund"]} for part in note["refunds"]]
    return note | {"refunds": refunds}


#: The releases that took something away, newest first: how the release before showed each object.
_CHANGES: tuple[tuple[str, Mapping[str, Change]], ...] = (
    (CLOVER, {"discount": _with_coupon, "credit_note": _with_own_refunds}),
    (
        BASIL,
        {
            "invoice": acacia.invoice,
            "line_item": acacia.line,
            "invoiceitem": acacia.item,
            "payment_intent": acacia.payment_intent,
            "charge": acacia.charge,
            "credit_note": acacia.credit_note,
            "credit_note_line_item": acacia.credit_note_line,
            "plan": acacia.plan,
            "price": acacia.price,
            "subscription": acacia.subscription,
            "subscription_item": acacia.subscription_item,
        },
    ),
)


def render(account: Account, value: Any, version: str) -> Any:
    """Give a value as a version shows it, at every depth; what is kept is not touched."""
    drift = account.switches.drift
    if version >= NEWEST and not drift:
        return value
    date = version[:10]
    changes = [before for since, before in _CHANGES if date < since]

    def shown(node: Any) -> Any:
        if isinstance(node, list):
            return [shown(inner) for inner in node]
        if not isinstance(node, dict):
            return node
        kind = str(node.get("object", ""))
        if kind and not node.get("deleted"):
            node = _older(account, node, kind, date, changes)
        node = {name: shown(inner) if isinstance(inner, dict | list) else inner for name, inner in node.items()}
        return drifted(node, drift.get(kind)) if kind and drift else node

    return shown(value)


def previously(account: Account, record: Record, previous: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Give the fields that were different before, as a version shows them, for `previous_attributes`."""
    if version >= NEWEST:
        return dict(previous)
    before, after = (render(account, state, version) for state in ({**record, **previous}, record))
    return {name: value for name, value in before.items() if name not in after or after[name] != value}


def _older(account: Account, node: Record, kind: str, date: str, changes: list[Mapping[str, Change]]) -> Record:
    for before in changes:
        if kind in before:
            node = before[kind](account, node)
    later = SINCE.get(kind)
    if later is None:
        return node
    return {name: inner for name, inner in node.items() if later.get(name, "") <= date}
