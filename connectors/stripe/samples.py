"""What to try the connector with against its sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.stripe.sandbox.identifiers import Identifiers
from connectors.stripe.sandbox.sender import sign as signed
from hub.sdk.testing.samples import ReadSample, Samples, Signer, WebhookSample, WriteSample

_IDS = Identifiers(1)
CUSTOMER, INVOICE, PAYMENT = _IDS.short("cus"), _IDS.new("in"), _IDS.new("inpay")


def sign(secret: str, body: bytes, at: datetime) -> Mapping[str, str]:
    """Sign as Stripe does."""
    return {"Stripe-Signature": signed(body, int(at.timestamp()), [secret])}


def join(first: str, second: str) -> str:
    """Put the v1 signatures of a second header behind those of the first, as while a secret is rolled."""
    return ",".join([first, *(part for part in second.split(",") if part.startswith("v1="))])


def updates(books: Mapping[str, Any], kind: str, identifier: str) -> int:
    """Count how often the vendor recorded a change of an object."""
    return sum(event["type"] == kind and event["object"] == identifier for event in books["events"])


SAMPLES = Samples(
    settings={
        "base_url": "https://stripe.example",
        "api_key": "sk_test_4eC39HqLyjWDarjtT1zdp7dc",
        "webhook_secret": "whsec_Q29uY29yZEN1cnJlbnQ",
        "webhook_secret_previous": "whsec_Q29uY29yZFByZXZpb3Vz",
    },
    seed={
        "switches": {"rate": None},
        "customers": [{"key": "customer", "name": "Alder Works", "email": "billing@alder.example"}],
        "invoices": [
            {
                "create": {"customer": "@customer", "currency": "eur"},
                "lines": [{"description": f"Day {day}", "amount": 100 + day} for day in range(230)],
                "payments": [{"amount": 500, "by": "report"}],
            }
        ],
    },
    reads=(
        ReadSample(operation="invoice.read", input={"id": INVOICE}),
        ReadSample(operation="invoice.list", input={"customer": CUSTOMER, "status": "open", "created": {"gte": 1}}),
        ReadSample(operation="invoice_payment.read", input={"id": PAYMENT}),
        ReadSample(operation="invoice_payment.list", input={"invoice": INVOICE, "limit": 1}),
        ReadSample(operation="customer.read", input={"id": CUSTOMER}),
        ReadSample(operation="customer.list", input={"email": "billing@alder.example"}),
    ),
    writes=(
        WriteSample(
            operation="invoice.annotate",
            input={"id": INVOICE, "metadata": {"netsuite_id": "4711", "old": None}},
            # Paying a part updates the invoice once, before the note does.
            documents=lambda books: updates(books, "invoice.updated", INVOICE) - 1,
        ),
        WriteSample(
            operation="customer.annotate",
            input={"id": CUSTOMER, "metadata": {"netsuite_id": "12"}},
            documents=lambda books: updates(books, "customer.updated", CUSTOMER),
        ),
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
            fixture="customer_updated.json",
            events=[{"type": "stripe.customer.updated", "schema": "stripe.customer@2025-09-30"}],
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
