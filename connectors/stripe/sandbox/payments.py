"""Payments of invoices: by card, reported from outside, in parts; each is an invoice payment."""

from __future__ import annotations

from typing import Any

from connectors.stripe.sandbox import customer_balance
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.currencies import check_amount, currency_of
from connectors.stripe.sandbox.invoice_sums import show
from connectors.stripe.sandbox.listing import equals, pages, time_range
from connectors.stripe.sandbox.methods import attach as attach_method
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.payment_intents import end, open_intent, pay
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record


def must_be_payable(invoice: Record) -> None:
    """Refuse to pay what is not open."""
    if invoice["status"] == "paid":
        raise ApiError.invalid("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] not in {"open", "uncollectible"}:
        raise ApiError.not_editable(f"This invoice can't be paid: it is {invoice['status']}.")


def open_default(account: Account, invoice: Record) -> None:
    """Make the invoice payment that Stripe keeps in step with what remains."""
    intent = open_intent(
        account, amount=invoice["amount_due"], currency=invoice["currency"], customer=invoice["customer"]
    )
    payment = _add(account, invoice, "payment_intent", intent["id"], invoice["amount_due"], default=True)
    account.waiting_payments[intent["id"]] = payment


def pay_default(account: Account, invoice: Record, method: str | None) -> None:
    """Charge all that remains to a payment method; a refusal raises `ApiError` with the issuer's reason."""
    payment = _default(account, invoice)
    if payment is None:
        settle(account, invoice)
        return
    intent = account.find(account.payment_intents, payment["payment"]["payment_intent"])
    if intent["status"] == "processing":
        raise ApiError("The payment of this invoice is under way already.", code="invoice_not_editable", stored=True)
    if method is None:
        raise ApiError.invalid(
            "There is no `default_payment_method` set on the associated Customer, Invoice, or Subscription. Set a "
            "default on one of those objects, or specify the Payment Method you wish to use in the `payment_method` "
            "parameter.",
            code="missing",
        )
    kept = attach_method(account, method)
    intent |= {"amount": invoice["amount_remaining"], "payment_method": kept}
    invoice |= {"attempted": True, "attempt_count": invoice["attempt_count"] + 1}
    try:
        pay(account, intent, off_session=True)
    except ApiError:
        account.happened("invoice.payment_failed", show(account, invoice))
        raise


def book_paid(account: Account, intent: Record) -> None:
    """Book a payment intent that has succeeded with the invoice that waits for it."""
    payment = account.waiting_payments.pop(intent["id"], None)
    if payment is not None and payment["status"] == "open":
        _book(account, account.find(account.invoices, payment["invoice"]), payment, intent["amount_received"])


def keep_default_in_step(account: Account, invoice: Record) -> None:
    """Let the payment that Stripe keeps ready ask for what remains."""
    payment = _default(account, invoice)
    if payment is not None:
        payment["amount_requested"] = invoice["amount_remaining"]
        intent = account.find(account.payment_intents, payment["payment"]["payment_intent"])
        intent["amount"] = invoice["amount_remaining"]


def pay_part(account: Account, invoice: Record, amount: int) -> None:
    """Take a part of an invoice by card, as a further payment of it, however small."""
    intent = open_intent(account, amount=amount, currency=invoice["currency"], customer=invoice["customer"])
    intent["payment_method"] = attach_method(account, "pm_card_visa")
    account.happened("payment_intent.created", intent)
    pay(account, intent)
    attach(account, invoice["id"], Parameters({"payment_intent": intent["id"]}))


def pay_outside(account: Account, invoice: Record) -> None:
    """Take all that remains as paid outside Stripe: no charge and no invoice payment."""
    cancel_default(account, invoice)
    remaining = invoice["amount_remaining"]
    invoice |= {
        "amount_paid": invoice["amount_paid"] + remaining,
        "amount_paid_off_stripe": invoice["amount_paid_off_stripe"] + remaining,
        "amount_remaining": 0,
    }
    settle(account, invoice)


def attach(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/invoices/{id}/attach_payment`: a succeeded payment pays the invoice, whole or in part."""
    invoice = account.find(account.invoices, identifier)
    intent_id, record_id = parameters.text("payment_intent"), parameters.text("payment_record")
    parameters.finish()
    if (intent_id is None) == (record_id is None):
        raise ApiError.missing_parameter("payment_intent")
    must_be_payable(invoice)
    kind = "payment_intent" if intent_id is not None else "payment_record"
    table = account.payment_intents if intent_id is not None else account.payment_records
    source = account.find(table, intent_id or record_id or "", param=kind)
    currency, received = _received(source)
    if currency != invoice["currency"]:
        raise ApiError.invalid("The payment's currency is not the invoice's.", param=kind)
    if any(payment["payment"].get(kind) == source["id"] for payment in _of(account, invoice)):
        raise ApiError.invalid("This payment is already attached to the invoice.", param=kind)
    if received <= 0:
        raise ApiError.invalid("This sandbox attaches payments that have succeeded.", param=kind)
    payment = _add(account, invoice, kind, source["id"], received, default=False)
    if kind == "payment_record":
        invoice["amount_paid_off_stripe"] += min(received, invoice["amount_remaining"])
    _book(account, invoice, payment, received)
    return show(account, invoice)


def settle(account: Account, invoice: Record) -> None:
    """Mark an invoice paid of which nothing remains."""
    invoice |= {
        "status": "paid",
        "attempted": True,
        "status_transitions": invoice["status_transitions"] | {"paid_at": account.now()},
    }
    account.happened("invoice.paid", show(account, invoice))
    account.happened("invoice.payment_succeeded", show(account, invoice))
    if invoice["amount_overpaid"]:
        account.happened("invoice.overpaid", show(account, invoice))


def cancel_default(account: Account, invoice: Record, reason: str | None = None) -> None:
    """Take back the payment that nobody will make any more."""
    payment = _default(account, invoice)
    if payment is not None:
        payment |= {
            "status": "canceled",
            "status_transitions": payment["status_transitions"] | {"canceled_at": account.now()},
        }
        intent = account.find(account.payment_intents, payment["payment"]["payment_intent"])
        end(account, intent, reason)


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/invoice_payments`: by invoice, status, or the payment behind it."""
    invoice = parameters.text("invoice")
    if invoice is not None:
        account.find(account.invoices, invoice, param="invoice")
    filters = [equals("status", parameters.choice("status", "open", "paid", "canceled")), time_range(parameters)]
    behind = parameters.part("payment")
    if behind is not None:
        kind = behind.required("type")
        wanted = behind.text(kind)
        behind.accept("payment_intent", "payment_record")
        filters.append(lambda payment: payment["payment"].get(kind) == wanted)
    among = None if invoice is None else account.invoice_payments.where("invoice", invoice)
    return pages(account.invoice_payments, parameters, filters, url="/v1/invoice_payments", among=among)


def report(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/payment_records/report_payment`: money that came in outside Stripe."""
    requested = parameters.part("amount_requested")
    if requested is None:
        raise ApiError.missing_parameter("amount_requested")
    currency = currency_of(requested.required("currency"), param=requested.name("currency"))
    value = requested.integer("value")
    if value is None:
        raise ApiError.missing_parameter(requested.name("value"))
    check_amount(value, currency, param=requested.name("value"))
    if parameters.integer("initiated_at") is None:
        raise ApiError.missing_parameter("initiated_at")
    outcome = parameters.choice("outcome", "guaranteed", "failed", "canceled")
    guaranteed = value if outcome == "guaranteed" else 0
    customer = parameters.part("customer_details")
    customer_id = customer.text("customer") if customer is not None else None
    for part in ("payment_method_details", "processor_details", "guaranteed", "failed", "canceled"):
        parameters.accept(part)
    parameters.accept("customer_presence", "description", "shipping_details")
    record: Record = {
        "id": account.identifiers.new("pr"),
        "object": "payment_record",
        "created": account.now(),
        "customer_details": {"customer": customer_id, "email": None, "name": None, "phone": None},
        "description": parameters.text("description"),
        "latest_payment_attempt_record": None,
        "livemode": False,
        "metadata": parameters.metadata(),
        "payment_method_details": {"type": "custom"},
        "processor_details": {"type": "custom"},
        "reported_by": "self",
    }
    for name in ("amount", "amount_requested"):
        record[name] = {"currency": currency, "value": value}
    for name in ("amount_authorized", "amount_canceled", "amount_failed", "amount_refunded"):
        record[name] = {"currency": currency, "value": 0}
    record["amount_guaranteed"] = {"currency": currency, "value": guaranteed}
    parameters.finish()
    account.payment_records.add(record)
    return record


def _received(source: Record) -> tuple[str, int]:
    if source["object"] == "payment_intent":
        return source["currency"], source["amount_received"]
    return source["amount_guaranteed"]["currency"], source["amount_guaranteed"]["value"]


def _add(account: Account, invoice: Record, kind: str, source: str, amount: int, *, default: bool) -> Record:
    if kind == "payment_intent":
        account.invoices_of_intents[source] = invoice["id"]
    return account.invoice_payments.add(
        {
            "id": account.identifiers.new("inpay"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": amount,
            "created": account.now(),
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": default,
            "livemode": False,
            "payment": {kind: source, "type": kind},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        }
    )


def _book(account: Account, invoice: Record, payment: Record, received: int) -> None:
    paid = min(received, invoice["amount_remaining"])
    payment |= {
        "amount_paid": received,
        "status": "paid",
        "status_transitions": payment["status_transitions"] | {"paid_at": account.now()},
    }
    invoice |= {
        "amount_paid": invoice["amount_paid"] + received,
        "amount_remaining": invoice["amount_remaining"] - paid,
        "amount_overpaid": invoice["amount_overpaid"] + received - paid,
    }
    customer = account.customers.get(invoice["customer"]) or {"deleted": True}
    if received > paid and not customer.get("deleted"):
        customer_balance.move(
            account,
            customer,
            amount=paid - received,
            currency=invoice["currency"],
            kind="invoice_overpaid",
            invoice=invoice["id"],
        )
    if invoice["amount_remaining"] > 0:
        keep_default_in_step(account, invoice)
    account.happened("invoice_payment.paid", payment)
    if invoice["amount_remaining"] == 0:
        cancel_default(account, invoice)
        settle(account, invoice)
    else:
        account.happened(
            "invoice.updated", show(account, invoice), {"amount_remaining": invoice["amount_remaining"] + paid}
        )


def _of(account: Account, invoice: Record) -> list[Record]:
    return account.invoice_payments.where("invoice", invoice["id"])


def _default(account: Account, invoice: Record) -> Record | None:
    return next(
        (payment for payment in _of(account, invoice) if payment["is_default"] and payment["status"] == "open"), None
    )
