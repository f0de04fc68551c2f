"""Refunds: money that goes back to a customer, at once, after a while, or in the end not at all."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox import charges
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.balance import book
from connectors.stripe.sandbox.currencies import check_amount
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.ledger import PAYERS
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.methods import Method, method_of
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record

_REASONS = ("duplicate", "fraudulent", "requested_by_customer")
#: After so many seconds a bank has taken a refund in, or has sent it back.
_TAKEN_IN, _SENT_BACK = 3 * 86400, 5 * 86400


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/refunds`: of a charge or a payment intent, whole or in part."""
    charge_id, intent_id = parameters.text("charge"), parameters.text("payment_intent")
    amount = parameters.integer("amount")
    reason = parameters.choice("reason", *_REASONS)
    metadata = parameters.metadata()
    parameters.accept("instructions_email", "origin", "refund_application_fee", "reverse_transfer")
    parameters.finish()
    charge = _charge(account, charge_id, intent_id)
    return give_back(account, charge, amount, reason=reason, metadata=metadata)


def give_back(
    account: Account, charge: Record, amount: int | None, *, reason: str | None = None, metadata: Any = None
) -> Record:
    """Give back an amount of a charge, or all that remains; more than remains is refused."""
    remaining = check_refundable(account, charge)
    wanted = remaining if amount is None else check_amount(amount, charge["currency"])
    if wanted < 1:
        raise ApiError.invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    if wanted > remaining:
        raise ApiError.invalid(
            f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({remaining}).", param="amount"
        )
    method = method_of(account, charge["payment_method"])
    pending = method.refund == "pending"
    refund: Record = {
        "id": account.identifiers.new("re" if method.kind == "card" else "pyr"),
        "object": "refund",
        "amount": wanted,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": account.now(),
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "description": None,
        "destination_details": _destination(method),
        "metadata": dict(metadata or {}),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if pending else "succeeded",
        "transfer_reversal": None,
    }
    if pending:
        refund["pending_reason"] = "processing"
    movement = book(
        account,
        kind="refund" if method.kind == "card" else "payment_refund",
        source=refund["id"],
        amount=-wanted,
        currency=refund["currency"],
        against=PAYERS,
        description=f"REFUND FOR CHARGE ({charge['description']})" if charge["description"] else "REFUND FOR CHARGE",
    )
    refund["balance_transaction"] = movement["id"]
    account.refunds.add(refund)
    before = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
    _count(charge, wanted)
    account.happened("refund.created", refund)
    account.happened("charge.refunded", charge, changed(before, charge))
    if pending:
        account.agenda.plan(account.now() + _TAKEN_IN, lambda: _arrive(account, refund))
    elif method.refund == "failed":
        account.agenda.plan(account.now() + _SENT_BACK, lambda: _send_back(account, refund))
    return refund


def cancel(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/refunds/{id}/cancel`: only while the customer must act, which no refund of this sandbox asks for."""
    parameters.finish()
    refund = account.find(account.refunds, identifier)
    raise ApiError.invalid(
        f"Refund cannot be canceled because it has a status of {refund['status']}.", code="refund_not_cancelable"
    )


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/refunds/{id}`: metadata only."""
    refund = account.find(account.refunds, identifier)
    before = dict(refund)
    metadata = parameters.metadata(refund["metadata"])
    parameters.finish()
    refund["metadata"] = metadata
    if previous := changed(before, refund):
        account.happened("refund.updated", refund, previous)
    return refund


def fail(account: Account, refund: Record, reason: str) -> None:
    """Let a refund fail after all: the money comes back to the balance, and can be refunded again."""
    if refund["status"] not in {"pending", "succeeded"}:
        raise ApiError.invalid(f"The refund {refund['id']} is {refund['status']} already.")
    charge = account.find(account.charges, refund["charge"])
    movement = book(
        account,
        kind="refund_failure",
        source=refund["id"],
        amount=refund["amount"],
        currency=refund["currency"],
        against=PAYERS,
        description="REFUND FAILURE",
    )
    refund |= {
        "status": "failed",
        "failure_balance_transaction": movement["id"],
        "failure_reason": reason,
    }
    refund.pop("pending_reason", None)
    _count(charge, -refund["amount"])
    account.happened("refund.failed", refund)
    account.happened("charge.updated", charge, {"amount_refunded": charge["amount_refunded"] + refund["amount"]})


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/refunds`: by charge, payment intent and time."""
    charge = parameters.text("charge")
    filters = [equals("payment_intent", parameters.text("payment_intent")), time_range(parameters)]
    among = None if charge is None else account.refunds.where("charge", charge)
    return pages(account.refunds, parameters, filters, url="/v1/refunds", among=among)


def _charge(account: Account, charge_id: str | None, intent_id: str | None) -> Record:
    if charge_id:
        found = account.find(account.charges, charge_id, param="charge")
        if intent_id and found["payment_intent"] != intent_id:
            raise ApiError.invalid("The charge is not one of this payment intent.", param="payment_intent")
        return found
    if not intent_id:
        raise ApiError(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
        )
    intent = account.find(account.payment_intents, intent_id, param="payment_intent")
    if intent["status"] != "succeeded":
        raise ApiError.invalid(
            f"This PaymentIntent ({intent_id}) does not have a successful charge to refund.",
            param="payment_intent",
            code="payment_intent_unexpected_state",
        )
    return account.find(account.charges, intent["latest_charge"])


def check_refundable(account: Account, charge: Record) -> int:
    """Give what of a charge can be given back; a charge of which nothing can is refused with Stripe's reason."""
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise ApiError.invalid(
            f"Charge {charge['id']} cannot be refunded: it is {charge['status']} and not captured.",
            param="charge",
            code="charge_not_refundable",
        )
    if not all(dispute["is_charge_refundable"] for dispute in account.disputes.where("charge", charge["id"])):
        raise ApiError.invalid(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            param="charge",
            code="charge_disputed",
        )
    remaining = charges.refundable(charge)
    if remaining == 0:
        raise ApiError(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", stored=True)
    return remaining


def _count(charge: Record, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charges.refundable(charge) == 0


def _arrive(account: Account, refund: Record) -> None:
    if refund["status"] != "pending":
        return
    refund["status"] = "succeeded"
    refund.pop("pending_reason", None)
    account.happened("refund.updated", refund, {"status": "pending"})


def _send_back(account: Account, refund: Record) -> None:
    if refund["status"] == "succeeded":
        fail(account, refund, "expired_or_canceled_card")


def _destination(method: Method) -> dict[str, Any]:
    if method.kind != "card":
        return {"type": "us_bank_transfer", "us_bank_transfer": {"reference": None, "reference_status": "pending"}}
    card = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}
    return {"card": card, "type": "card"}
