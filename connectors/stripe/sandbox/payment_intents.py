"""Payment intents: from the wish to be paid to the money, through every state that lies between."""

from __future__ import annotations

from typing import Any, NoReturn

from connectors.stripe.sandbox import charges
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.currencies import check_amount, currency_of
from connectors.stripe.sandbox.events import changed
from connectors.stripe.sandbox.exchange import check_charge
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.methods import SLOW, Decline, Method, attach, method_of
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.searching import search
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.versions import ENDIVE

_CONFIRMABLE = frozenset({"requires_payment_method", "requires_confirmation"})
_CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)
_REASONS = ("abandoned", "duplicate", "fraudulent", "requested_by_customer")
_UNUSED = (
    "automatic_payment_methods",
    "confirmation_method",
    "mandate_data",
    "payment_method_options",
    "return_url",
    "shipping",
)
#: Notes that are shown again as they were given.
_TEXTS = ("description", "receipt_email", "setup_future_usage", "statement_descriptor", "statement_descriptor_suffix")
#: For so many seconds an issuer keeps money aside that nobody takes.
_HELD = 7 * 86400
_UNEXPECTED = "payment_intent_unexpected_state"
_AUTHENTICATION = Decline(
    code="authentication_required",
    reason="authentication_required",
    message="Your card was declined. This transaction requires authentication.",
)


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/payment_intents`; with `confirm` it is paid at once, as far as the payment method lets it be."""
    currency = currency_of(parameters.required("currency"))
    amount = parameters.integer("amount")
    if amount is None:
        raise ApiError.missing_parameter("amount")
    check_charge(check_amount(amount, currency), currency)
    customer = parameters.text("customer")
    if customer is not None:
        account.find(account.customers, customer, param="customer")
    capture = parameters.choice("capture_method", "automatic", "automatic_async", "manual") or "automatic_async"
    confirm = parameters.boolean("confirm") or False
    off_session = _off_session(parameters, confirm=confirm)
    method = parameters.text("payment_method")
    wanted = {**_texts(parameters), "metadata": parameters.metadata()}
    _types(parameters)
    parameters.accept(*_UNUSED)
    parameters.finish()
    kept = attach(account, method) if method else None
    if confirm and kept is None:
        raise _no_method()
    intent = open_intent(account, amount=amount, currency=currency, customer=customer)
    intent |= {**wanted, "capture_method": capture}
    if kept is not None:
        intent |= {"payment_method": kept, "status": "requires_confirmation"}
    account.happened("payment_intent.created", intent)
    if confirm:
        pay(account, intent, off_session=off_session)
    return intent


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/payment_intents/{id}`: amount, method and notes, before it is under way."""
    intent = account.find(account.payment_intents, identifier)
    after = dict(intent)
    touched = [name for name in ("amount", "currency", "payment_method", "customer") if parameters.given(name)]
    if touched and intent["status"] not in {*_CONFIRMABLE, "requires_action"}:
        _unexpected(
            intent,
            f"This PaymentIntent's {touched[0]} could not be updated because it has a status of {intent['status']}.",
        )
    if (currency := parameters.text("currency")) is not None:
        after["currency"] = currency_of(currency)
    if (amount := parameters.integer("amount")) is not None:
        after["amount"] = check_charge(check_amount(amount, after["currency"]), after["currency"])
    if customer := parameters.text("customer"):
        after["customer"] = account.find(account.customers, customer, param="customer")["id"]
    after |= _texts(parameters)
    method = parameters.text("payment_method")
    after["metadata"] = parameters.metadata(intent["metadata"])
    _types(parameters)
    parameters.accept(*_UNUSED)
    parameters.finish()
    if method:
        after |= {"payment_method": attach(account, method), "status": "requires_confirmation", "next_action": None}
    previous = changed(intent, after)
    intent.update(after)
    if set(previous) & {"metadata", "description"}:
        account.happened("payment_intent.updated", intent, previous)
    return intent


def confirm(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/payment_intents/{id}/confirm`."""
    intent = account.find(account.payment_intents, identifier)
    method = parameters.text("payment_method")
    off_session = _off_session(parameters, confirm=True)
    told = _texts(parameters)
    _types(parameters)
    parameters.accept(*_UNUSED, "capture_method")
    parameters.finish()
    if intent["status"] == "succeeded":
        _unexpected(
            intent,
            "You cannot confirm this PaymentIntent because it has already succeeded after being previously confirmed.",
        )
    if intent["status"] not in _CONFIRMABLE:
        _unexpected(intent, f"You cannot confirm this PaymentIntent because it has a status of {intent['status']}.")
    intent |= told
    if method:
        intent["payment_method"] = attach(account, method)
    if intent["payment_method"] is None:
        raise _no_method()
    pay(account, intent, off_session=off_session)
    return intent


def capture(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/payment_intents/{id}/capture`: takes what was held, or a part; the rest is let go."""
    intent = account.find(account.payment_intents, identifier)
    wanted = parameters.integer("amount_to_capture")
    parameters.accept("final_capture", "statement_descriptor", "metadata")
    parameters.finish()
    if intent["status"] != "requires_capture":
        _unexpected(
            intent,
            "This PaymentIntent could not be captured because it has a status of "
            f"{intent['status']}. Only a PaymentIntent with one of the following statuses may be captured: "
            "requires_capture.",
        )
    amount = intent["amount_capturable"] if wanted is None else check_amount(wanted, intent["currency"])
    if not 0 < amount <= intent["amount_capturable"]:
        raise ApiError.invalid(
            "The amount to capture must be at least 1 and at most what was authorized.",
            param="amount_to_capture",
            code="amount_too_large" if amount > 0 else "amount_too_small",
        )
    charge = account.find(account.charges, intent["latest_charge"])
    charges.settle(account, charge, method_of(account, intent["payment_method"]), amount)
    account.happened("charge.captured", charge)
    _succeed(account, intent, amount)
    return intent


def cancel(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/payment_intents/{id}/cancel`: before the money is there."""
    intent = account.find(account.payment_intents, identifier)
    reason = parameters.choice("cancellation_reason", *_REASONS)
    parameters.finish()
    if intent["status"] not in _CANCELABLE:
        _unexpected(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
            f"with one of the following statuses may be canceled: {', '.join(_CANCELABLE)}.",
        )
    end(account, intent, reason)
    return intent


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/payment_intents`."""
    filters = [equals("customer", parameters.text("customer")), time_range(parameters)]
    return pages(account.payment_intents, parameters, filters, url="/v1/payment_intents")


def search_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/payment_intents/search`."""
    fields = frozenset({"amount", "created", "currency", "customer", "status"})
    return search(account, account.payment_intents, parameters, fields=fields, url="/v1/payment_intents/search")


def open_intent(account: Account, *, amount: int, currency: str, customer: str | None) -> Record:
    """Keep a payment intent that nobody has paid yet."""
    identifier = account.identifiers.new("pi")
    return account.payment_intents.add(
        {
            "id": identifier,
            "object": "payment_intent",
            "allowed_payment_method_types": None,
            "amount": amount,
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "application": None,
            "application_fee_amount": None,
            "automatic_payment_methods": None,
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": "automatic_async",
            "client_secret": f"{identifier}_secret_{account.identifiers.letters('secret', 25)}",
            "confirmation_method": "automatic",
            "created": account.now(),
            "currency": currency,
            "customer": customer,
            "customer_account": None,
            "description": None,
            "excluded_payment_method_types": None,
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "metadata": {},
            "next_action": None,
            "on_behalf_of": None,
            "payment_method": None,
            "payment_method_configuration_details": None,
            "payment_method_options": {},
            "payment_method_types": ["card"],
            "payment_record": None,
            "processing": None,
            "receipt_email": None,
            "review": None,
            "setup_future_usage": None,
            "shipping": None,
            "source": None,
            "statement_descriptor": None,
            "statement_descriptor_suffix": None,
            "status": "requires_payment_method",
            "transfer_data": None,
            "transfer_group": None,
        }
    )


def pay(account: Account, intent: Record, *, off_session: bool = False) -> None:
    """Charge a payment intent's method; a refusal raises `ApiError` with the issuer's reason."""
    method = method_of(account, intent["payment_method"])
    if method.asks and not off_session:
        intent |= {"status": "requires_action", "next_action": {"type": "use_stripe_sdk", "use_stripe_sdk": {}}}
        account.happened("payment_intent.requires_action", intent)
        return
    if method.asks:
        refuse(account, intent, method, _AUTHENTICATION)
    if method.slow:
        _wait(account, intent, method)
    elif method.decline is not None:
        refuse(account, intent, method, method.decline)
    else:
        take(account, intent, method)


def take(account: Account, intent: Record, method: Method) -> None:
    """Charge a method that lets itself be charged: the money is there, or held until it is captured."""
    held = intent["capture_method"] == "manual"
    charge = charges.charge(account, intent, method, captured=not held)
    intent |= {"latest_charge": charge["id"], "last_payment_error": None, "next_action": None}
    if not held:
        _succeed(account, intent, intent["amount"])
    else:
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        account.happened("payment_intent.amount_capturable_updated", intent)
        account.agenda.plan(account.now() + _HELD, lambda: _expire(account, intent))


def refuse(account: Account, intent: Record, method: Method, decline: Decline) -> NoReturn:
    """Let a charge fail, and say so as Stripe does: 402, with the payment intent beside the reason."""
    raise _failed(account, intent, method, decline)


def end(account: Account, intent: Record, reason: str | None) -> None:
    """Cancel a payment intent; what was held is let go."""
    intent |= {
        "status": "canceled",
        "amount_capturable": 0,
        "canceled_at": account.now(),
        "cancellation_reason": reason,
        "next_action": None,
        "processing": None,
    }
    charge = account.charges.get(intent["latest_charge"]) if intent["latest_charge"] else None
    if charge is not None and charge["status"] == "succeeded" and not charge["captured"]:
        charge |= {"refunded": True, "amount_refunded": charge["amount"]}
        account.happened("charge.expired" if reason == "automatic" else "charge.refunded", charge)
    if charge is not None and charge["status"] == "pending":
        charge |= {"status": "failed", "paid": False, "failure_message": "The payment was canceled."}
        account.happened("charge.failed", charge)
    account.happened("payment_intent.canceled", intent)


def authenticate(account: Account, identifier: str, *, passed: bool) -> None:
    """Let the customer answer what the issuer asks: the charge then goes through, or is refused."""
    intent = account.find(account.payment_intents, identifier)
    if intent["status"] != "requires_action":
        raise ApiError.invalid(f"{identifier} asks for nothing: it is {intent['status']}.")
    method = method_of(account, intent["payment_method"])
    if passed:
        take(account, intent, method)
    else:
        reason = "We are unable to authenticate your payment method. Please choose a different one and try again."
        _failed(account, intent, method, Decline(code="payment_intent_authentication_failure", message=reason))


def _succeed(account: Account, intent: Record, amount: int) -> None:
    intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0, "processing": None}
    account.happened("payment_intent.succeeded", intent)
    for watcher in account.payment_watchers:
        watcher(intent)


def _wait(account: Account, intent: Record, method: Method) -> None:
    charge = charges.charge(account, intent, method, captured=False, status="pending")
    intent |= {"status": "processing", "latest_charge": charge["id"], "last_payment_error": None}
    account.happened("payment_intent.processing", intent)

    def arrive() -> None:
        if intent["status"] != "processing":
            return
        if method.decline is not None:
            charge.update(
                status="failed", paid=False, failure_code=method.decline.code, failure_message=method.decline.message
            )
            account.happened("charge.failed", charge)
            _failed(account, intent, method, method.decline, charge)
            return
        charges.settle(account, charge, method, charge["amount"])
        account.happened("charge.succeeded", charge)
        _succeed(account, intent, charge["amount"])

    account.agenda.plan(account.now() + SLOW, arrive)


def _failed(
    account: Account, intent: Record, method: Method, decline: Decline, charge: Record | None = None
) -> ApiError:
    failed = charge or charges.charge(account, intent, method, captured=False, status="failed")
    error = ApiError(
        decline.message,
        status=402,
        kind="card_error",
        code=decline.code,
        stored=True,
        charge=failed["id"],
        **({"decline_code": decline.reason} if decline.reason else {}),
    )
    intent |= {
        "status": "requires_payment_method",
        "last_payment_error": dict(error.body["error"]),
        "latest_charge": failed["id"],
        "next_action": None,
        "payment_method": None,
        "processing": None,
    }
    account.happened("payment_intent.payment_failed", intent)
    error.body["error"]["payment_intent"] = dict(intent)
    return error


def _expire(account: Account, intent: Record) -> None:
    if intent["status"] == "requires_capture":
        end(account, intent, "automatic")


def _off_session(parameters: Parameters, *, confirm: bool) -> bool:
    off = parameters.boolean("off_session") or False
    if off and not confirm:
        raise ApiError.invalid("You can only use off_session when confirm is true.", param="off_session")
    return off


def _texts(parameters: Parameters) -> dict[str, str | None]:
    return {name: value or None for name in _TEXTS if (value := parameters.text(name)) is not None}


def _types(parameters: Parameters) -> None:
    if parameters.version < ENDIVE:
        parameters.accept("payment_method_types")
    elif parameters.given("payment_method_types"):
        raise ApiError.invalid(
            "The payment_method_types parameter is no longer supported. Use allowed_payment_method_types instead.",
            param="payment_method_types",
            code="payment_method_types_no_longer_supported",
        )
    else:
        parameters.accept("allowed_payment_method_types")


def _no_method() -> ApiError:
    return ApiError.invalid(
        "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
        "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a payment "
        "method.",
        code=_UNEXPECTED,
    )


def _unexpected(intent: Record, message: str) -> NoReturn:
    raise ApiError(message, code=_UNEXPECTED, stored=True, payment_intent=dict(intent))
