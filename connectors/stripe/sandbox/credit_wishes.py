"""Credits that a seed wishes for: a credit note by lines or by amount, with what becomes of it and of its refund."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.stripe.sandbox import credit_notes, refunds
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.table import Record

#: What a wished credit may say:
#:
#: - `after`: seconds after the invoice is finalised
#: - `lines`: `[{"line": place, "quantity": number}]`, or lines of the note's own as `[{"description": text,
#:   "unit_amount": minor units, "quantity": number, "tax_rates": [id]}]`; or `amount` in minor units
#: - `back`: how what was paid already goes back: `refund`, `balance` or `outside`
#: - `alone`: a refund of `amount` without a credit note
#: - `void_after`, `fails_after`: seconds after which the note is voided, or its refund fails
WISHES = frozenset({"after", "lines", "amount", "back", "alone", "void_after", "fails_after"})
_WAYS = {"refund": "refund_amount", "balance": "credit_amount", "outside": "out_of_band_amount"}
Later = Callable[[float, Callable[[], None]], None]


def make(account: Account, invoice: str, wish: Mapping[str, Any], later: Later) -> Record:
    """Make a credit, and plan what becomes of it; raises `ApiError` with what Stripe would say."""
    if wish.get("alone"):
        refund = _alone(account, invoice, int(wish["amount"]))
        _fail(account, refund, wish, later)
        return refund
    asked: dict[str, Any] = {"invoice": invoice}
    if "lines" in wish:
        ids = [line["id"] for line in account.lines[invoice]]
        asked["lines"] = [
            {"type": "invoice_line_item", "invoice_line_item": ids[part["line"]], "quantity": part["quantity"]}
            if "line" in part
            else {"type": "custom_line_item", **part}
            for part in wish["lines"]
        ]
    else:
        asked["amount"] = wish["amount"]
    back = credit_notes.paid_part(account, Parameters(asked))
    if back:
        asked[_WAYS[wish.get("back", "refund")]] = back
    note = credit_notes.create(account, Parameters(asked))
    for part in note["refunds"]:
        _fail(account, account.find(account.refunds, part["refund"]), wish, later)
    if "void_after" in wish:
        later(float(wish["void_after"]), lambda: _void(account, note["id"]))
    return note


def _alone(account: Account, invoice: str, amount: int) -> Record:
    paid = [payment for payment in account.invoice_payments.where("invoice", invoice) if payment["status"] == "paid"]
    intent = next(each["payment"]["payment_intent"] for each in paid if each["payment"].get("payment_intent"))
    return refunds.create(account, Parameters({"payment_intent": intent, "amount": amount}))


def _fail(account: Account, refund: Record, wish: Mapping[str, Any], later: Later) -> None:
    if "fails_after" in wish:
        later(float(wish["fails_after"]), lambda: refunds.fail(account, refund, "expired_or_canceled_card"))


def _void(account: Account, note: str) -> None:
    credit_notes.void(account, note, Parameters({}))
