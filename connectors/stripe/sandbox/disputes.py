"""Disputes: a customer asks the bank for the money back; it is withdrawn, with a fee, until the bank has decided."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.balance import book, settlement_of
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.exchange import dispute_fee
from connectors.stripe.sandbox.ledger import FEES, ISSUERS
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.methods import method_of
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record

REASONS = frozenset(
    {
        "credit_not_processed",
        "duplicate",
        "fraudulent",
        "general",
        "product_not_received",
        "product_unacceptable",
        "subscription_canceled",
        "unrecognized",
    }
)
OUTCOMES = ("won", "lost")
_EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)
_ANSWERED_WITHIN = 9 * 86400
#: What a state becomes once the evidence is with the bank.
_SUBMITTED = {"needs_response": "under_review", "warning_needs_response": "warning_under_review"}


def open_dispute(
    account: Account, charge: Record, *, reason: str = "general", amount: int | None = None, inquiry: bool = False
) -> Record:
    """Let a customer dispute a charge; an inquiry asks first and moves no money."""
    wanted = charge["amount_captured"] if amount is None else amount
    if charge["disputed"]:
        raise ApiError.invalid(f"The charge {charge['id']} is disputed already.")
    if reason not in REASONS or not 0 < wanted <= charge["amount_captured"]:
        raise ApiError.invalid(f"A dispute needs a reason of {', '.join(sorted(REASONS))}, and no more than was taken.")
    card = charge["payment_method_details"].get("card", {})
    dispute: Record = {
        "id": account.identifiers.new("dp"),
        "object": "dispute",
        "amount": wanted,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": account.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(_EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": account.now() + _ANSWERED_WITHIN,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "intended_submission_method": "manual",
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": None,
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": card.get("brand", "visa"),
                "case_type": "inquiry" if inquiry else "chargeback",
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    account.disputes.add(dispute)
    charge["disputed"] = True
    if not inquiry:
        _withdraw(account, dispute)
    account.happened("charge.dispute.created", dispute)
    if not inquiry:
        account.happened("charge.dispute.funds_withdrawn", dispute)
    return dispute


def dispute_test_card(account: Account, intent: Record) -> None:
    """Let the customer dispute what one of Stripe's test cards has paid that is disputed."""
    reason = method_of(account, intent["payment_method"]).dispute
    if reason is not None:
        charge = account.find(account.charges, intent["latest_charge"])
        inquiry = reason == "inquiry"
        open_dispute(account, charge, reason="general" if inquiry else reason, inquiry=inquiry)


def settle(account: Account, dispute: Record, outcome: str) -> None:
    """Let the bank decide: `won` brings the money back without the fee, `lost` leaves it with the customer."""
    if dispute["status"] in {"won", "lost", "warning_closed"}:
        raise ApiError.invalid(f"The dispute {dispute['id']} is {dispute['status']} already.")
    inquiry = dispute["status"].startswith("warning_")
    if inquiry and outcome == "won":
        dispute["status"] = "warning_closed"
    elif outcome in OUTCOMES:
        if inquiry:
            _withdraw(account, dispute)
        dispute |= {"status": outcome, "is_charge_refundable": outcome == "won"}
    else:
        raise ApiError.invalid(f"A dispute is {' or '.join(OUTCOMES)}.")
    account.happened("charge.dispute.closed", dispute)
    if inquiry and outcome == "lost":
        account.happened("charge.dispute.funds_withdrawn", dispute)
    if not inquiry and outcome == "won":
        _move(account, dispute, "adjustment", dispute["amount"], "dispute_reversal", "Chargeback reversal")
        account.happened("charge.dispute.funds_reinstated", dispute)


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/disputes/{id}`: evidence and metadata; with `submit` it goes to the bank."""
    dispute = account.find(account.disputes, identifier)
    after = dict(dispute)
    if (part := parameters.part("evidence")) is not None:
        given = {name: value or None for name in _EVIDENCE if (value := part.text(name)) is not None}
        after["evidence"] = dispute["evidence"] | given
        after["evidence_details"] = dispute["evidence_details"] | {"has_evidence": True}
    submit = parameters.boolean("submit")
    after["metadata"] = parameters.metadata(dispute["metadata"])
    parameters.finish()
    if parameters.given("evidence") or submit:
        if dispute["status"] not in _SUBMITTED:
            raise ApiError(
                f"This dispute is already closed or under review: it is {dispute['status']}.",
                param="evidence",
                stored=True,
            )
        if submit is not False:
            details = after["evidence_details"]
            after["evidence_details"] = details | {
                "submission_count": details["submission_count"] + 1,
                "submission_method": "manual",
            }
            after["status"] = _SUBMITTED[dispute["status"]]
    previous = changed(dispute, after)
    dispute.update(after)
    if previous:
        account.happened("charge.dispute.updated", dispute, previous)
    return dispute


def close(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/disputes/{id}/close`: the merchant gives in, which cannot be taken back."""
    parameters.finish()
    dispute = account.find(account.disputes, identifier)
    if dispute["status"] not in _SUBMITTED:
        raise ApiError("This dispute is already closed.", code="dispute_already_closed", stored=True)
    settle(account, dispute, "lost")
    return dispute


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/disputes`: by charge, payment intent and time."""
    charge = parameters.text("charge")
    filters = [equals("payment_intent", parameters.text("payment_intent")), time_range(parameters)]
    among = None if charge is None else account.disputes.where("charge", charge)
    return pages(account.disputes, parameters, filters, url="/v1/disputes", among=among)


def _withdraw(account: Account, dispute: Record) -> None:
    dispute["is_charge_refundable"] = False
    _move(account, dispute, "adjustment", -dispute["amount"], "dispute", "Chargeback withdrawal")
    settlement = settlement_of(account, dispute["currency"])
    fee = book(
        account,
        kind="stripe_fee",
        source=dispute["id"],
        amount=-dispute_fee(settlement),
        currency=settlement,
        settlement=settlement,
        against=FEES,
        description="Dispute fee",
    )
    dispute["balance_transactions"] = [*dispute["balance_transactions"], fee]


def _move(account: Account, dispute: Record, kind: str, amount: int, category: str, description: str) -> None:
    movement = book(
        account,
        kind=kind,
        source=dispute["id"],
        amount=amount,
        currency=dispute["currency"],
        against=ISSUERS,
        category=category,
        description=f"{description} for {dispute['charge']}",
    )
    dispute["balance_transactions"] = [*dispute["balance_transactions"], movement]
