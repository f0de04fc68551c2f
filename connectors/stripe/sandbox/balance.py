"""The balance and its transactions: every movement of the merchant's money at Stripe, gross, fee and net."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.exchange import converted, rate_between, settled_in
from connectors.stripe.sandbox.ledger import BALANCE, FEES
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record

#: Type → what it is called in reports. A dispute is an adjustment and says so itself.
_CATEGORIES = {
    "charge": "charge",
    "payment": "charge",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund_failure",
    "payout": "payout",
    "payout_cancel": "payout_reversal",
    "payout_failure": "payout_reversal",
    "payout_minimum_balance_hold": "payout_minimum_balance_hold",
    "payout_minimum_balance_release": "payout_minimum_balance_release",
    "stripe_fee": "fee",
}


def settlement_of(account: Account, currency: str) -> str:
    """Give the currency that money of a currency settles in here."""
    settles = account.switches.settles
    return settled_in(currency, settles, settles[0])


def book(
    account: Account,
    *,
    kind: str,
    source: str | None,
    amount: int,
    currency: str,
    against: str,
    settlement: str | None = None,
    fee: int = 0,
    category: str | None = None,
    description: str | None = None,
    delay: int = 0,
) -> Record:
    """Make a balance transaction and post both its sides.

    `amount` (signed) is in `currency` and is converted into the settlement currency, which `fee` is already in.
    `delay` is for how many seconds the money stays pending.
    """
    settles = settlement or settlement_of(account, currency)
    rate = rate_between(currency, settles)
    gross = converted(amount, currency, settles)
    now = account.now()
    details = [
        {
            "amount": fee,
            "application": None,
            "currency": settles,
            "description": "Stripe processing fees",
            "type": "stripe_fee",
        }
    ]
    record: Record = {
        "id": account.identifiers.new("txn"),
        "object": "balance_transaction",
        "amount": gross,
        "available_on": now + delay,
        "balance_type": "payments",
        "created": now,
        "currency": settles,
        "description": description,
        "exchange_rate": rate,
        "fee": fee,
        "fee_details": details if fee else [],
        "net": gross - fee,
        "reporting_category": category or _CATEGORIES[kind],
        "source": source,
        "status": "pending" if delay else "available",
        "type": kind,
    }
    account.balance_transactions.add(record)
    account.unpaid[record["id"]] = record
    account.ledger.post(record["id"], settles, {BALANCE: gross - fee, FEES: fee, against: -gross})
    if delay:
        account.agenda.plan(now + delay, lambda: record.update(status="available"))
    return record


def available(account: Account, currency: str) -> int:
    """Give what of a currency could be paid out now."""
    return _sum(account, "available").get(currency, 0)


def retrieve_balance(account: Account, parameters: Parameters) -> Record:
    """`GET /v1/balance`: what is available and what is still pending, by currency."""
    parameters.finish()
    currencies = sorted({*account.switches.settles[:1], *_sum(account, None)})
    ready, waiting = _sum(account, "available"), _sum(account, "pending")

    def shown(sums: dict[str, int]) -> list[dict[str, Any]]:
        return [
            {"amount": sums.get(one, 0), "currency": one, "source_types": {"card": sums.get(one, 0)}}
            for one in currencies
        ]

    return {"object": "balance", "available": shown(ready), "livemode": False, "pending": shown(waiting)}


def list_transactions(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/balance_transactions`: by type, source, currency, time, and by automatic payout."""
    payout, source = parameters.text("payout"), parameters.text("source")
    filters = [
        equals("type", parameters.text("type")),
        equals("currency", parameters.text("currency")),
        time_range(parameters),
    ]
    among: Sequence[Record] | None = None
    if payout is not None:
        if not account.find(account.payouts, payout, param="payout")["automatic"]:
            raise ApiError.invalid(
                "Balance transaction history can only be filtered on automatic transfers, not manual.", param="payout"
            )
        among = account.paid_out.get(payout, [])
        filters.append(equals("source", source))
    elif source is not None:
        among = account.balance_transactions.where("source", source)
    return pages(account.balance_transactions, parameters, filters, url="/v1/balance_transactions", among=among)


def _sum(account: Account, status: str | None) -> dict[str, int]:
    """Sum what no automatic payout has taken yet; what one took sums to nothing with the payout itself."""
    sums: dict[str, int] = {}
    for record in account.unpaid.values():
        if status in {None, record["status"]}:
            sums[record["currency"]] = sums.get(record["currency"], 0) + record["net"]
    return sums
