"""Stripe's test payment methods: what is charged to each, and what then happens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.problems import ApiError

#: How a bank debit takes its time, in seconds.
SLOW = 4 * 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """Why a charge is refused: the error's code, the issuer's own reason, and the words for people."""

    code: str
    message: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A payment method: what refuses a charge, whether the customer is asked first, and what follows a success.

    - `slow`: a charge is under way for days, and then succeeds, or is declined.
    - `dispute`: the reason that the customer gives soon after.
    - `refund`: how a refund goes, `pending` at first or `failed` after a while.
    - `instant`: the money is available at once.
    """

    kind: str = "card"
    brand: str = "visa"
    last4: str = "4242"
    decline: Decline | None = None
    asks: bool = False
    slow: bool = False
    dispute: str | None = None
    refund: str | None = None
    instant: bool = False


def _declined(reason: str, message: str = "Your card was declined.", code: str = "card_declined") -> Method:
    return Method(last4="0002", decline=Decline(code=code, reason=reason, message=message))


_FUNDS = "Your card has insufficient funds."
_EXPIRED, _CVC = "Your card has expired.", "Your card's security code is incorrect."
_PROCESSING = "An error occurred while processing your card. Try again in a little bit."
#: Source: Stripe's page on testing; those of them that behave differently.
METHODS: Mapping[str, Method] = {
    "pm_card_visa": Method(),
    "pm_card_mastercard": Method(brand="mastercard", last4="4444"),
    "pm_card_amex": Method(brand="amex", last4="8431"),
    "pm_card_chargeDeclined": _declined("generic_decline"),
    "pm_card_visa_chargeDeclined": _declined("generic_decline"),
    "pm_card_chargeCustomerFail": _declined("generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": _declined("insufficient_funds", _FUNDS),
    "pm_card_visa_chargeDeclinedInsufficientFunds": _declined("insufficient_funds", _FUNDS),
    "pm_card_visa_chargeDeclinedLostCard": _declined("lost_card"),
    "pm_card_visa_chargeDeclinedStolenCard": _declined("stolen_card"),
    "pm_card_chargeDeclinedExpiredCard": _declined("expired_card", _EXPIRED, "expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": _declined("incorrect_cvc", _CVC, "incorrect_cvc"),
    "pm_card_chargeDeclinedProcessingError": _declined("processing_error", _PROCESSING, "processing_error"),
    "pm_card_authenticationRequired": Method(last4="3184", asks=True),
    "pm_card_threeDSecure2Required": Method(last4="3220", asks=True),
    "pm_card_createDispute": Method(last4="0259", dispute="fraudulent"),
    "pm_card_createDisputeProductNotReceived": Method(last4="2685", dispute="product_not_received"),
    "pm_card_createDisputeInquiry": Method(last4="1976", dispute="inquiry"),
    "pm_card_pendingRefund": Method(last4="7726", refund="pending"),
    "pm_card_refundFail": Method(last4="5126", refund="failed"),
    "pm_card_bypassPending": Method(last4="0077", instant=True),
    "pm_usBankAccount_success": Method(kind="us_bank_account", last4="6789", slow=True, refund="pending"),
    "pm_usBankAccount_insufficientFunds": Method(
        kind="us_bank_account",
        last4="2227",
        slow=True,
        decline=Decline(
            code="payment_method_provider_decline",
            reason="insufficient_funds",
            message="The customer's account has insufficient funds to cover this payment.",
        ),
    ),
}


def known(account: Account, identifier: str, *, param: str = "payment_method") -> str:
    """Give the id of a payment method back; refuses one that is neither the account's nor a test method."""
    if identifier not in account.methods and identifier not in METHODS:
        raise ApiError(f"No such PaymentMethod: '{identifier}'", status=400, param=param, code="resource_missing")
    return identifier


def attach(account: Account, identifier: str, *, param: str = "payment_method") -> str:
    """Give the id under which a payment method is kept: a test method becomes one of the account's own."""
    if known(account, identifier, param=param) in account.methods:
        return identifier
    made = account.identifiers.new("pm")
    account.methods[made] = identifier
    return made


def method_of(account: Account, identifier: str) -> Method:
    """Give how a payment method of the account behaves."""
    return METHODS[account.methods[identifier]]
