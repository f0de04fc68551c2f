"""What to try the connector with against its sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.stripe.client import PAGE_SIZE
from connectors.stripe.contract_samples import contract_reads, contract_writes
from connectors.stripe.counted import charged, counts, named, told, updates
from connectors.stripe.sandbox.identifiers import Identifiers
from connectors.stripe.sandbox.sender import sign as signed
from hub.sdk.testing.samples import ListingSample, ReadSample, Samples, Signer, WebhookSample, WriteSample

_IDS = Identifiers(1)
CUSTOMER, INVOICE, PAYMENT = _IDS.short("cus"), _IDS.new("in"), _IDS.new("inpay")
# Billing: a draft, an open invoice, what is sold, a subscription that a sample begins, a meter, and a thin event.
DRAFT, OPEN = _IDS.new("in"), _IDS.new("in")
PRODUCT, PRICE = "prod_seats", _IDS.new("price")
SUBSCRIPTION, SUBSCRIPTION_ITEM = _IDS.new("sub"), _IDS.short("si")
ITEM = _IDS.new("ii")
METER = f"mtr_test_{_IDS.letters('mtr', 32)}"
THIN_EVENT = f"evt_test_{_IDS.letters('thin event', 32)}"

# Money: an invoice with a credit note, a payment that was taken, one that waits, one that is disputed, and a payout.
CREDITED, CREDIT_NOTE = _IDS.new("in"), _IDS.new("cn")
PAID, WAITING, DISPUTED = [_IDS.new("pi") for _ in range(6)][3:]
CHARGE, REFUND, MOVEMENT = _IDS.new("ch"), _IDS.new("re"), _IDS.new("txn")
DISPUTE, PAYOUT = _IDS.new("dp"), _IDS.new("po")

# Stripe Tax: a calculation that is there, and the record that a sample makes of it.
CALCULATION, TRANSACTION = _IDS.new("taxcalc"), _IDS.new("tax")


def sign(secret: str, body: bytes, at: datetime) -> Mapping[str, str]:
    """Sign as Stripe does."""
    return {"Stripe-Signature": signed(body, int(at.timestamp()), [secret])}


def join(first: str, second: str) -> str:
    """Put the v1 signatures of a second header behind those of the first, as while a secret is rolled."""
    return ",".join([first, *(part for part in second.split(",") if part.startswith("v1="))])


_SUBSCRIBED = WriteSample(
    operation="subscription.create",
    input={
        "customer": CUSTOMER,
        "items": [{"price": PRICE, "quantity": 3}],
        "collection_method": "send_invoice",
        "days_until_due": 30,
        "metadata": {"contract": "C-1"},
    },
    documents=named("subscriptions", "customer", CUSTOMER),
)
_ITEM = WriteSample(
    operation="invoice_item.create",
    input={"customer": CUSTOMER, "invoice": DRAFT, "amount": -250, "description": "Credit for an outage"},
    documents=named("invoiceitems", "description", "Credit for an outage"),
)
_NOTED = WriteSample(
    operation="customer.annotate",
    input={"id": CUSTOMER, "metadata": {"netsuite_id": "12"}},
    documents=told("customer.updated", CUSTOMER),
)
_ARCHIVED = WriteSample(operation="price.archive", input={"id": PRICE}, documents=named("prices", "active", False))
_BILLING_SEED: Mapping[str, Any] = {
    "products": [{"key": "product", "id": PRODUCT, "name": "Seats"}],
    "prices": [{"product": PRODUCT, "currency": "eur", "unit_amount": 900, "recurring": {"interval": "month"}}],
    "meters": [{"display_name": "Calls", "event_name": "calls", "default_aggregation": {"formula": "sum"}}],
    "meter_events": [{"event_name": "nobody_knows", "identifier": "m-0", "payload": {"value": "1"}}],
}
_BILLING_READS = (
    ReadSample(operation="invoice_item.list", input={"customer": CUSTOMER, "pending": False, "limit": 3}),
    ReadSample(operation="invoice_item.read", input={"id": ITEM}),
    ReadSample(operation="product.read", input={"id": PRODUCT}),
    ReadSample(operation="product.list", input={"active": True}),
    ReadSample(operation="price.read", input={"id": PRICE}),
    ReadSample(operation="price.list", input={"product": PRODUCT, "type": "recurring"}),
    ReadSample(operation="subscription.read", input={"id": SUBSCRIPTION}, after=[_SUBSCRIBED]),
    ReadSample(operation="subscription.list", input={"customer": CUSTOMER, "status": "all"}, after=[_SUBSCRIBED]),
    ReadSample(operation="subscription_item.read", input={"id": SUBSCRIPTION_ITEM}, after=[_SUBSCRIBED]),
    ReadSample(operation="subscription_item.list", input={"subscription": SUBSCRIPTION}, after=[_SUBSCRIBED]),
    ReadSample(operation="meter.read", input={"id": METER}),
    ReadSample(operation="meter.list", input={"status": "active"}),
    ReadSample(
        operation="meter.counted",
        input={"id": METER, "customer": CUSTOMER, "start_time": 1_699_999_980, "end_time": 4_102_444_800},
    ),
    ReadSample(operation="thin_event.read", input={"id": THIN_EVENT}),
)
_BILLING_WRITES = (
    WriteSample(
        operation="customer.create",
        input={"name": "Beech Works", "email": "pay@beech.example", "address": {"city": "Graz", "country": "AT"}},
        documents=named("customers", "name", "Beech Works"),
    ),
    WriteSample(
        operation="customer.update",
        input={"id": CUSTOMER, "email": "new@alder.example"},
        documents=named("customers", "email", "new@alder.example"),
    ),
    WriteSample(
        operation="product.create",
        input={"name": "Support", "metadata": {"sku": "S-1"}},
        documents=named("products", "name", "Support"),
    ),
    WriteSample(
        operation="price.create",
        input={
            "product": PRODUCT,
            "currency": "eur",
            "lookup_key": "calls-2026",
            "recurring": {"interval": "month", "usage_type": "metered", "meter": METER},
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": [{"up_to": 100, "unit_amount": 0}, {"up_to": "inf", "unit_amount_decimal": "0.25"}],
        },
        documents=named("prices", "lookup_key", "calls-2026"),
    ),
    WriteSample(
        operation="product.update",
        input={"id": PRODUCT, "description": "A place for one person"},
        documents=named("products", "description", "A place for one person"),
    ),
    _ARCHIVED,
    WriteSample(
        operation="price.restore",
        input={"id": PRICE},
        after=(_ARCHIVED,),
        documents=named("prices", "active", True),
    ),
    _SUBSCRIBED,
    WriteSample(
        operation="subscription.update",
        input={
            "id": SUBSCRIPTION,
            "items": [{"id": SUBSCRIPTION_ITEM, "quantity": 5}],
            "proration_behavior": "none",
            "metadata": {"contract": "C-2"},
        },
        documents=lambda books: sum(one["metadata"].get("contract") == "C-2" for one in books["subscriptions"]),
        after=[_SUBSCRIBED],
    ),
    WriteSample(
        operation="subscription.cancel",
        input={"id": SUBSCRIPTION},
        documents=named("subscriptions", "cancel_at_period_end", True),
        after=[_SUBSCRIBED],
    ),
    WriteSample(
        operation="subscription.end",
        input={"id": SUBSCRIPTION, "prorate": True, "invoice_now": False},
        # What is left of the period is credited once.
        documents=lambda books: sum(item["proration"] for item in books["invoiceitems"]),
        after=[_SUBSCRIBED],
    ),
    _ITEM,
    WriteSample(
        operation="invoice.create",
        input={"customer": CUSTOMER, "currency": "usd", "description": "September", "metadata": {"order": "7"}},
        documents=named("invoices", "description", "September"),
    ),
    WriteSample(operation="invoice.finalize", input={"id": DRAFT}, documents=told("invoice.finalized", DRAFT)),
    WriteSample(
        operation="invoice.pay",
        input={"id": OPEN, "paid_out_of_band": True},
        documents=told("invoice.paid", OPEN),
    ),
    # By card, where a second time would take the customer's money twice.
    WriteSample(
        operation="invoice.pay",
        input={"id": OPEN, "payment_method": "pm_card_visa"},
        documents=charged(OPEN),
    ),
    WriteSample(operation="invoice.void", input={"id": OPEN}, documents=told("invoice.voided", OPEN)),
    WriteSample(
        operation="invoice.mark_uncollectible",
        input={"id": OPEN},
        documents=told("invoice.marked_uncollectible", OPEN),
    ),
    WriteSample(
        operation="meter.create",
        input={
            "display_name": "Storage",
            "event_name": "storage",
            "default_aggregation": {"formula": "last"},
            "value_settings": {"event_payload_key": "bytes"},
        },
        documents=named("meters", "event_name", "storage"),
    ),
    WriteSample(
        operation="meter_event.create",
        input={
            "event_name": "calls",
            "identifier": "m-1",
            "payload": {"stripe_customer_id": CUSTOMER, "value": "25"},
        },
        documents=named("usage", "identifier", "m-1"),
    ),
    WriteSample(
        operation="meter_event.report",
        input={"event_name": "calls", "payload": {"stripe_customer_id": CUSTOMER, "value": "7"}},
        documents=counts("7"),
    ),
    WriteSample(
        operation="meter_event.stream",
        input={
            "events": [
                {"event_name": "calls", "payload": {"stripe_customer_id": CUSTOMER, "value": value}}
                for value in ("11", "12", "13")
            ]
        },
        documents=counts("11", "12", "13"),
    ),
)
_MONEY_SEED: Mapping[str, Any] = {
    "credit_notes": [{"invoice": CREDITED, "amount": 150}],
    "payment_intents": [
        {
            "key": "paid",
            "amount": 5000,
            "currency": "eur",
            "customer": "@customer",
            "payment_method": "pm_card_bypassPending",
            "confirm": True,
        },
        {"amount": 2000, "currency": "eur", "customer": "@customer"},
        {"amount": 3000, "currency": "usd", "payment_method": "pm_card_createDispute", "confirm": True},
    ],
    "refunds": [{"payment_intent": "@paid", "amount": 500}],
    "pay_out": True,
}
_MONEY_READS = (
    ReadSample(operation="credit_note.read", input={"id": CREDIT_NOTE}),
    ReadSample(operation="credit_note.list", input={"invoice": CREDITED}),
    ReadSample(operation="refund.read", input={"id": REFUND}),
    ReadSample(operation="refund.list", input={"payment_intent": PAID}),
    ReadSample(operation="charge.read", input={"id": CHARGE}),
    ReadSample(operation="charge.list", input={"customer": CUSTOMER}),
    ReadSample(operation="balance_transaction.read", input={"id": MOVEMENT}),
    ReadSample(operation="balance_transaction.list", input={"payout": PAYOUT, "type": "charge"}),
    ReadSample(operation="payout.read", input={"id": PAYOUT}),
    ReadSample(operation="payout.list", input={"status": "paid"}),
    ReadSample(operation="payout.transactions", input={"id": PAYOUT, "limit": 10}),
    ReadSample(operation="dispute.read", input={"id": DISPUTE}),
    ReadSample(operation="dispute.list", input={"payment_intent": DISPUTED}),
    ReadSample(operation="payment_intent.read", input={"id": PAID}),
    ReadSample(operation="payment_intent.list", input={"customer": CUSTOMER}),
)
_MONEY_WRITES = (
    WriteSample(
        operation="credit_note.create",
        input={
            "invoice": OPEN,
            "lines": [{"type": "custom_line_item", "description": "Goodwill", "unit_amount": 50, "quantity": 2}],
            "reason": "order_change",
            "metadata": {"case": "7"},
        },
        documents=named("credit_notes", "reason", "order_change"),
    ),
    WriteSample(
        operation="credit_note.void",
        input={"id": CREDIT_NOTE},
        documents=told("credit_note.voided", CREDIT_NOTE),
    ),
    WriteSample(
        operation="refund.create",
        input={"payment_intent": PAID, "amount": 700, "metadata": {"case": "8"}},
        documents=named("refunds", "amount", 700),
    ),
    WriteSample(
        operation="payment_intent.create",
        input={"amount": 4200, "currency": "eur", "customer": CUSTOMER, "metadata": {"order": "9"}},
        documents=named("payment_intents", "amount", 4200),
    ),
    WriteSample(
        operation="payment_intent.confirm",
        input={"id": WAITING, "payment_method": "pm_card_visa"},
        documents=told("payment_intent.succeeded", WAITING),
    ),
    WriteSample(
        operation="payment_intent.cancel",
        input={"id": WAITING, "cancellation_reason": "abandoned"},
        documents=told("payment_intent.canceled", WAITING),
    ),
)
_SALE: Mapping[str, Any] = {
    "currency": "usd",
    "line_items": [
        {"amount": 10_000, "reference": "seats", "tax_code": "txcd_10103001"},
        {"amount": 2_500, "reference": "setup", "tax_behavior": "inclusive"},
    ],
    "customer_details": {
        "address": {"line1": "1 Main Street", "city": "New York", "state": "NY", "country": "US"},
        "address_source": "billing",
    },
}
_TAX_SEED: Mapping[str, Any] = {
    "tax_settings": [
        {"defaults": {"tax_code": "txcd_10000000"}, "head_office": {"address": {"state": "CA", "country": "US"}}}
    ],
    "tax_registrations": [
        {"country": "US", "country_options": {"us": {"state": "NY", "type": "state_sales_tax"}}, "active_from": 1}
    ],
    "tax_calculations": [_SALE],
}
_TAXED = WriteSample(
    operation="tax_transaction.create",
    input={"calculation": CALCULATION, "reference": "INV-7", "metadata": {"invoice": "7"}},
    documents=named("tax_transactions", "reference", "INV-7"),
)
_TAX_READS = (
    ReadSample(operation="tax_calculation.read", input={"id": CALCULATION}),
    ReadSample(operation="tax_transaction.read", input={"id": TRANSACTION}, after=[_TAXED]),
)
_TAX_WRITES = (
    WriteSample(
        operation="tax_calculation.create",
        input={**_SALE, "currency": "eur"},
        documents=named("tax_calculations", "currency", "eur"),
    ),
    _TAXED,
    WriteSample(
        operation="tax_transaction.reverse",
        input={"id": TRANSACTION, "reversal_reference": "INV-7-R", "flat_amount": -500},
        documents=named("tax_transactions", "reference", "INV-7-R"),
        after=[_TAXED],
    ),
)

SAMPLES = Samples(
    settings={
        "base_url": "https://stripe.example",
        "api_key": "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
        "webhook_secret": "whsec_Q29uY29yZEN1cnJlbnQ",
        "webhook_secret_previous": "whsec_Q29uY29yZFByZXZpb3Vz",
    },
    seed={
        "switches": {"rate": None, "meter_reports_after": 0, "payout_seconds": 0},
        **_BILLING_SEED,
        **_MONEY_SEED,
        **_TAX_SEED,
        "customers": [{"key": "customer", "name": "Alder Works", "email": "billing@alder.example"}],
        "invoices": [
            {
                "create": {"customer": "@customer", "currency": "eur"},
                "lines": [{"description": f"Day {day}", "amount": 100 + day} for day in range(230)],
                "payments": [{"amount": 500, "by": "report"}],
            },
            {
                "create": {"customer": "@customer", "currency": "eur"},
                "lines": [{"description": "Setup", "amount": 1200}],
                "finalize": False,
            },
            {"create": {"customer": "@customer", "currency": "eur"}, "lines": [{"amount": 700}]},
            {"create": {"customer": "@customer", "currency": "eur"}, "lines": [{"amount": 900}]},
        ],
    },
    reads=(
        ReadSample(operation="invoice.read", input={"id": INVOICE}),
        ReadSample(operation="invoice.list", input={"customer": CUSTOMER, "status": "open", "created": {"gte": 1}}),
        ReadSample(operation="invoice_payment.read", input={"id": PAYMENT}),
        ReadSample(operation="invoice_payment.list", input={"invoice": INVOICE, "limit": 1}),
        ReadSample(
            operation="invoice_payment.list", input={"payment": {"type": "payment_intent", "payment_intent": "pi_none"}}
        ),
        ReadSample(operation="customer.read", input={"id": CUSTOMER}),
        ReadSample(operation="customer.list", input={"email": "billing@alder.example"}),
        ReadSample(
            operation="customer.search",
            input={"metadata": {"netsuite_id": "12"}, "limit": 2},
            after=[_NOTED],
        ),
        *_BILLING_READS,
        *_MONEY_READS,
        *_TAX_READS,
        *contract_reads(TRANSACTION),
    ),
    writes=(
        WriteSample(
            operation="invoice.annotate",
            input={"id": INVOICE, "metadata": {"netsuite_id": "4711", "old": None}},
            # Paying a part updates the invoice once, before the note does.
            documents=lambda books: updates(books, "invoice.updated", INVOICE) - 1,
        ),
        _NOTED,
        *_BILLING_WRITES,
        *_MONEY_WRITES,
        *_TAX_WRITES,
        *contract_writes(TRANSACTION),
    ),
    webhooks=(
        WebhookSample(
            fixture="invoice_finalized.json",
            events=[
                {
                    "type": "stripe.invoice.finalized",
                    "schema": "stripe.invoice@2025-09-30",
                    "occurred_at": datetime(2026, 1, 31, 9, 0, tzinfo=UTC),
                }
            ],
        ),
        WebhookSample(
            fixture="invoice_finalized_acacia.json",
            events=[{"type": "stripe.invoice.finalized", "schema": "stripe.invoice@2024-09-30", "subject": "in_1"}],
        ),
        WebhookSample(
            fixture="invoice_payment_paid.json",
            events=[{"type": "stripe.invoice_payment.paid", "schema": "stripe.invoice_payment@2025-09-30"}],
        ),
        WebhookSample(
            fixture="credit_note_created.json",
            events=[{"type": "stripe.credit_note.created", "schema": "stripe.credit_note@2026-09-30"}],
        ),
        WebhookSample(
            fixture="refund_failed.json",
            events=[{"type": "stripe.refund.failed", "schema": "stripe.refund@2026-09-30"}],
        ),
        WebhookSample(
            fixture="payout_reconciled.json",
            events=[{"type": "stripe.payout.reconciliation_completed", "schema": "stripe.payout@2026-09-30"}],
        ),
        WebhookSample(
            fixture="customer_updated.json",
            events=[{"type": "stripe.customer.updated", "schema": "stripe.customer@2025-09-30"}],
        ),
        WebhookSample(
            fixture="subscription_updated.json",
            events=[{"type": "stripe.customer.subscription.updated", "schema": "stripe.subscription@2026-09-30"}],
        ),
        WebhookSample(
            fixture="subscription_updated_acacia.json",
            events=[{"type": "stripe.customer.subscription.updated", "schema": "stripe.subscription@2024-09-30"}],
        ),
        WebhookSample(
            fixture="charge_succeeded_acacia.json",
            events=[{"type": "stripe.charge.succeeded", "schema": "stripe.charge@2024-09-30"}],
        ),
        WebhookSample(
            fixture="dispute_created.json",
            events=[{"type": "stripe.charge.dispute.created", "schema": "stripe.dispute@2026-09-30"}],
        ),
        WebhookSample(
            fixture="meter_error_report.json",
            events=[
                {
                    "type": "stripe.v1.billing.meter.error_report_triggered",
                    "subject": "mtr_test_1",
                    "occurred_at": datetime(2026, 1, 31, 9, 0, tzinfo=UTC),
                    "schema": None,
                }
            ],
        ),
    ),
    listings=(
        ListingSample(
            listing="customers",
            records=lambda books: [customer["id"] for customer in books["customers"]],
            # More than one page of them.
            seed={"customers": [{"name": f"Customer {number}"} for number in range(PAGE_SIZE + 20)]},
        ),
    ),
    signer=Signer(
        sign=sign,
        secret="webhook_secret",
        other_secret="whsec_QW5vdGhlclNlY3JldA",
        header="stripe-signature",
        join=join,
    ),
)
