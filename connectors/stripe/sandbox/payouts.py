"""Payouts: the balance on its way to the merchant's bank, by itself with what it is made of, or by hand."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.balance import available, book
from connectors.stripe.sandbox.currencies import check_amount, currency_of
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.exchange import payout_step
from connectors.stripe.sandbox.ledger import BANK, HELD
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record

_DAY = 86400
#: A payout waits for so many seconds before it leaves; until then it can be canceled.
_LEAVES_AFTER = 3600
#: Why a bank sends a payout back. Source: Stripe's page on payout failures.
FAILURES = {
    "account_closed": "The bank account has been closed.",
    "account_frozen": "The bank account has been frozen.",
    "could_not_process": "The bank could not process this payout.",
    "incorrect_account_holder_name": "Your bank notified us that the bank account holder name on file is incorrect.",
    "invalid_account_number": "The routing number seems correct, but the account number is invalid.",
    "no_account": "The bank account could not be located.",
}


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/payouts`: by hand, of what is available; Stripe does not tell what such a payout is made of."""
    amount = parameters.integer("amount")
    if amount is None:
        raise ApiError.missing_parameter("amount")
    currency = currency_of(parameters.required("currency"))
    method = parameters.choice("method", "standard", "instant") or "standard"
    wanted = {
        "description": parameters.text("description") or None,
        "metadata": parameters.metadata(),
        "statement_descriptor": parameters.text("statement_descriptor") or None,
    }
    parameters.accept("destination", "source_type", "payout_method")
    parameters.finish()
    check_amount(amount, currency)
    if amount <= 0:
        raise ApiError.invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    if amount % payout_step(currency):
        raise ApiError.invalid(
            f"Payouts in {currency} must be whole: the amount must be a multiple of {payout_step(currency)}.",
            param="amount",
        )
    if amount > available(account, currency):
        raise ApiError(
            "You have insufficient funds in your Stripe account for this transfer. Your card balance is too low.",
            code="balance_insufficient",
            stored=True,
        )
    payout = _open(account, amount, currency, automatic=False)
    payout |= {**wanted, "method": method}
    _move(account, payout, "payout", -amount, "STRIPE PAYOUT")
    _send(account, payout)
    return payout


def pay_out(account: Account) -> list[Record]:
    """Make one automatic payout in each currency of everything that is available and that none has taken yet.

    A balance below nothing stays until more comes in, or is taken from the bank where the account allows that.
    """
    made = []
    for currency in sorted({one["currency"] for one in account.unpaid.values()}):
        taken = [one for one in account.unpaid.values() if one["currency"] == currency and one["status"] == "available"]
        whole = sum(one["net"] for one in taken)
        amount = whole - whole % payout_step(currency)
        if amount == 0 or (amount < 0 and not account.switches.debits_bank):
            continue
        if whole > amount:
            taken.append(_hold(account, whole - amount, currency))
        payout = _open(account, amount, currency, automatic=True)
        taken.append(_move(account, payout, "payout", -amount, "STRIPE PAYOUT"))
        account.paid_out[payout["id"]] = taken
        for one in taken:
            del account.unpaid[one["id"]]
        if whole > amount:
            _release(account, whole - amount, currency)
        _send(account, payout)
        made.append(payout)
    return made


def every_day(account: Account) -> None:
    """Pay out at each midnight (UTC) from now on, as long as the account's payouts are made by themselves."""
    now = account.now()

    def midnight() -> None:
        if account.switches.payouts == "daily":
            pay_out(account)
            every_day(account)

    account.agenda.plan(now - now % _DAY + _DAY, midnight)


def cancel(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/payouts/{id}/cancel`: a payout made by hand that has not left yet."""
    parameters.finish()
    payout = account.find(account.payouts, identifier)
    if payout["status"] != "pending" or payout["automatic"]:
        raise ApiError(
            f"Payouts can only be canceled while they are pending; this one is {payout['status']}.",
            code="payouts_not_cancelable",
            stored=True,
        )
    payout["status"] = "canceled"
    payout["failure_balance_transaction"] = _move(account, payout, "payout_cancel", payout["amount"], "PAYOUT CANCEL")[
        "id"
    ]
    account.happened("payout.canceled", payout)
    return payout


def fail(account: Account, payout: Record, code: str) -> None:
    """Let the bank send a payout back, be it paid already: the money returns to the balance."""
    if payout["status"] in {"failed", "canceled"}:
        raise ApiError.invalid(f"The payout {payout['id']} is {payout['status']} already.")
    if code not in FAILURES:
        raise ApiError.invalid(f"{code} is no reason of a failed payout; known are {', '.join(sorted(FAILURES))}.")
    returned = _move(account, payout, "payout_failure", payout["amount"], "PAYOUT FAILURE")
    payout |= {
        "failure_balance_transaction": returned["id"],
        "failure_code": code,
        "failure_message": FAILURES[code],
        "status": "failed",
    }
    account.happened("payout.failed", payout)


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/payouts/{id}`: metadata only."""
    payout = account.find(account.payouts, identifier)
    before = dict(payout)
    metadata = parameters.metadata(payout["metadata"])
    parameters.finish()
    payout["metadata"] = metadata
    if previous := changed(before, payout):
        account.happened("payout.updated", payout, previous)
    return payout


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/payouts`: by status, time and day of arrival."""
    filters = [
        equals("status", parameters.choice("status", "pending", "in_transit", "paid", "failed", "canceled")),
        equals("destination", parameters.text("destination")),
        time_range(parameters),
        time_range(parameters, "arrival_date"),
    ]
    return pages(account.payouts, parameters, filters, url="/v1/payouts")


def _open(account: Account, amount: int, currency: str, *, automatic: bool) -> Record:
    now = account.now()
    return account.payouts.add(
        {
            "id": account.identifiers.new("po"),
            "object": "payout",
            "amount": amount,
            "application_fee": None,
            "application_fee_amount": None,
            "arrival_date": now + account.switches.payout_seconds,
            "automatic": automatic,
            "balance_transaction": None,
            "created": now,
            "currency": currency,
            "description": "STRIPE PAYOUT" if automatic else None,
            "destination": "ba_1SandboxBankAccount00000",
            "failure_balance_transaction": None,
            "failure_code": None,
            "failure_message": None,
            "livemode": False,
            "metadata": {},
            "method": "standard",
            "original_payout": None,
            "payout_method": None,
            "reconciliation_status": "in_progress" if automatic else "not_applicable",
            "reversed_by": None,
            "source_type": "card",
            "statement_descriptor": None,
            "status": "pending",
            "trace_id": {"status": "pending", "value": None},
            "type": "bank_account",
        }
    )


def _move(account: Account, payout: Record, kind: str, amount: int, description: str) -> Record:
    currency = payout["currency"]
    movement = book(
        account,
        kind=kind,
        source=payout["id"],
        amount=amount,
        currency=currency,
        settlement=currency,
        against=BANK,
        description=description,
    )
    if kind == "payout":
        payout["balance_transaction"] = movement["id"]
    return movement


def _hold(account: Account, amount: int, currency: str) -> Record:
    """Keep back what is less than a whole unit, where only whole ones can be paid out."""
    return _rest(account, "payout_minimum_balance_hold", -amount, currency)


def _release(account: Account, amount: int, currency: str) -> Record:
    """Let the next payout have what this one kept back."""
    return _rest(account, "payout_minimum_balance_release", amount, currency)


def _rest(account: Account, kind: str, amount: int, currency: str) -> Record:
    return book(account, kind=kind, source=None, amount=amount, currency=currency, settlement=currency, against=HELD)


def _send(account: Account, payout: Record) -> None:
    account.happened("payout.created", payout)
    now = account.now()
    account.agenda.plan(now + min(_LEAVES_AFTER, account.switches.payout_seconds), lambda: _leave(account, payout))
    account.agenda.plan(now + account.switches.payout_seconds, lambda: _arrive(account, payout))


def _leave(account: Account, payout: Record) -> None:
    if payout["status"] == "pending":
        payout["status"] = "in_transit"
        account.happened("payout.updated", payout, {"status": "pending"})


def _arrive(account: Account, payout: Record) -> None:
    if payout["status"] == "in_transit":
        payout |= {"status": "paid", "trace_id": {"status": "supported", "value": payout["id"][-16:].upper()}}
        account.happened("payout.paid", payout)
    # What a bank sent back on its way is told of too: its movements are in no other payout.
    if payout["automatic"]:
        payout["reconciliation_status"] = "completed"
        account.happened("payout.reconciliation_completed", payout)
