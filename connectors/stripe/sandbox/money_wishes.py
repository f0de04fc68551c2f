"""What a seed may let happen to money: what customers, banks and card issuers do, which no API call can bring about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.stripe.sandbox import credit_notes, disputes, payment_intents, payouts, refunds
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.table import Record

Wish = Mapping[str, Any]


def _intent(account: Account, wish: Wish) -> Record:
    return payment_intents.create(account, Parameters({name: wish[name] for name in wish if name != "key"}))


def _credit_note(account: Account, wish: Wish) -> Record:
    return credit_notes.create(account, Parameters({name: wish[name] for name in wish if name != "key"}))


def _authenticate(account: Account, wish: Wish) -> Record:
    payment_intents.authenticate(account, wish["payment_intent"], passed=wish.get("outcome", "passed") == "passed")
    return account.find(account.payment_intents, wish["payment_intent"])


def _refund(account: Account, wish: Wish) -> Record:
    return refunds.create(account, Parameters({name: wish[name] for name in wish if name != "key"}))


def _failed_refund(account: Account, wish: Wish) -> Record:
    refund = account.find(account.refunds, wish["refund"])
    refunds.fail(account, refund, wish.get("reason", "unknown"))
    return refund


def _dispute(account: Account, wish: Wish) -> Record:
    identifier = wish.get("charge")
    if identifier is None:
        identifier = account.find(account.payment_intents, wish["payment_intent"])["latest_charge"]
    amount = wish.get("amount")
    return disputes.open_dispute(
        account,
        account.find(account.charges, identifier),
        reason=wish.get("reason", "general"),
        amount=None if amount is None else int(amount),
        inquiry=bool(wish.get("inquiry")),
    )


def _decided_dispute(account: Account, wish: Wish) -> Record:
    dispute = account.find(account.disputes, wish["dispute"])
    disputes.settle(account, dispute, wish["outcome"])
    return dispute


def _failed_payout(account: Account, wish: Wish) -> Record:
    payout = account.find(account.payouts, wish["payout"])
    payouts.fail(account, payout, wish.get("reason", "could_not_process"))
    return payout


#: Wish → the fields it may have, and what it does; they are granted in this order.
MONEY: Mapping[str, tuple[frozenset[str], Callable[[Account, Wish], Record]]] = {
    "credit_notes": (
        frozenset(
            {
                "key",
                "invoice",
                "amount",
                "lines",
                "refund_amount",
                "credit_amount",
                "out_of_band_amount",
                "reason",
                "memo",
                "metadata",
            }
        ),
        _credit_note,
    ),
    "payment_intents": (
        frozenset(
            {
                "key",
                "amount",
                "currency",
                "customer",
                "payment_method",
                "confirm",
                "capture_method",
                "description",
                "metadata",
            }
        ),
        _intent,
    ),
    "authentications": (frozenset({"payment_intent", "outcome"}), _authenticate),
    "refunds": (frozenset({"key", "charge", "payment_intent", "amount", "reason", "metadata"}), _refund),
    "failed_refunds": (frozenset({"refund", "reason"}), _failed_refund),
    "disputes": (frozenset({"key", "charge", "payment_intent", "reason", "amount", "inquiry"}), _dispute),
    "decided_disputes": (frozenset({"dispute", "outcome"}), _decided_dispute),
    "failed_payouts": (frozenset({"payout", "reason"}), _failed_payout),
}


def grant(account: Account, kind: str, wish: Wish) -> Record:
    """Grant one wish of a kind in `MONEY`; a field nobody knows raises `ValueError`."""
    known, act = MONEY[kind]
    if surplus := set(wish) - known:
        raise ValueError(f"{kind}: unknown key {', '.join(sorted(surplus))}; known are {', '.join(sorted(known))}")
    return act(account, wish)


def elapse(account: Account, seconds: float) -> None:
    """Move the clock ahead, and let everything that is due by then happen at its own time."""
    account.world.clock.advance(seconds)
    account.catch_up()
