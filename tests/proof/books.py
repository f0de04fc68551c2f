"""Synthetic books for the oracle: a small world in which everything agrees, to be spoiled by a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from hub.proof import money_path
from hub.proof.evidence import Case, Effect, Event, Evidence, HubRecords, Run
from hub.proof.lines import Line
from hub.proof.money_path import FLOWS
from hub.proof.vendor_documents import (
    Books,
    Due,
    ErpInvoice,
    ErpPayment,
    Payment,
    Request,
    Sent,
    StripeInvoice,
    TaxDocument,
)
from hub.proof.vendor_families import Families

GOOD, BAD, TOLD = "in_good", "in_bad", "in_told"


def d(number: int) -> Decimal:
    """Give minor units."""
    return Decimal(number)


def invoice(name: str, *, payments: int = 0, erp_id: str | None = "5001") -> StripeInvoice:
    """Give an invoice over 119.00 EUR with two lines."""
    paid = [Payment(id=f"inpay_{name}_{number}", amount=d(3000)) for number in range(payments)]
    return StripeInvoice(
        id=name,
        number=f"N-{name}",
        currency="EUR",
        total=d(11900),
        tax=d(1900),
        remaining=d(11900 - 3000 * payments),
        lines=[Line(id="il_1", amount=d(12000), tax=d(2280)), Line(id="il_2", amount=d(-2000), tax=d(-380))],
        payments=paid,
        erp_id=erp_id,
    )


def erp(one: StripeInvoice) -> ErpInvoice:
    """Give what NetSuite has of an invoice."""
    return ErpInvoice(
        id=one.erp_id or "0",
        external_id=one.id,
        number=one.number,
        currency=one.currency,
        customer="77",
        total=one.total,
        tax=one.tax,
        remaining=one.remaining,
        lines=posted(one.lines),
    )


def posted(lines: Sequence[Line]) -> list[Line]:
    """Give lines as the German books have them."""
    return [replace(line, tax_code="202" if line.tax else "") for line in lines]


def tax(one: StripeInvoice) -> TaxDocument:
    """Give what AvaTax has of an invoice."""
    return TaxDocument(code=one.number, currency=one.currency, amount=one.total - one.tax, tax=one.tax, lines=one.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The vendors' books and the hub's records."""

    books: Books
    hub: HubRecords

    @property
    def evidence(self) -> Evidence:
        """Give it as the oracle judges it."""
        effects = {effect.key: effect.business_key for effect in self.hub.effects}
        return money_path.evidence(self.books, self.hub, Families(self.books, effects))


def world() -> World:
    """Give a world with a posted and twice paid invoice, an expected exception, and a notice nobody knows of."""
    good, bad, told = invoice(GOOD, payments=2), invoice(BAD, erp_id=None), invoice(TOLD, erp_id="5002")
    payments = [
        ErpPayment(
            id=str(6000 + number),
            reference=payment.id,
            currency="EUR",
            customer="77",
            amount=payment.amount,
            applied={GOOD: payment.amount},
            accepted=number,
        )
        for number, payment in enumerate(good.payments)
    ]
    objects = [GOOD, good.payments[0].id, good.payments[1].id, BAD, TOLD, TOLD]
    owners = [GOOD, GOOD, GOOD, BAD, TOLD, TOLD]
    types = [
        "stripe.invoice.finalized",
        *["stripe.invoice_payment.paid"] * 2,
        *["stripe.invoice.finalized"] * 2,
        "stripe.invoice.marked_uncollectible",
    ]
    events = [
        Event(
            id=f"event_{n}",
            external_id=f"evt_{n}",
            family=owner,
            type=kind,
            subject=name,
            state="accepted",
            deliveries=1,
        )
        for n, (name, owner, kind) in enumerate(zip(objects, owners, types, strict=True))
    ]
    runs = [
        Run(
            id=f"run_{n}",
            family=event.family,
            flow=FLOWS[event.type][0],
            key=event.family,
            business_key=f"stripe:{event.subject}",
            event_id=event.id,
            position=n,
            state="parked" if event.subject == BAD or n == 5 else "succeeded",
        )
        for n, event in enumerate(events)
    ]
    books = Books(
        stripe=[good, bad, told],
        sent=[
            *(Sent(event=event.external_id, status=202) for event in events),
            Sent(event="evt_0", status=None),
        ],
        subjects={event.external_id: event.subject for event in events},
        erp_invoices=[erp(good), erp(told)],
        erp_payments=payments,
        notices=[told.number],
        tax_documents=[tax(good), tax(told)],
        requests=[
            Request(vendor="netsuite", address="/invoice/eid:in_good", marker=GOOD, sha256="aa"),
            Request(vendor="netsuite", address="/invoice/eid:in_good", marker=GOOD, sha256="aa"),
            Request(vendor="netsuite", address="/customerPayment", marker="concord:key_1", sha256="bb"),
        ],
        due={
            GOOD: Due(customers=frozenset({"77"})),
            BAD: Due(customers=frozenset({"77"}), exception="customer-not-mapped"),
            TOLD: Due(customers=frozenset({"77", "78"}), notice=True, notice_unknown=True),
        },
    )
    hub = HubRecords(
        events=events,
        runs=runs,
        cases=[
            Case(run_id="run_3", family=BAD, reason="customer-not-mapped"),
            Case(run_id="run_5", family=TOLD, reason="outcome-unknown"),
        ],
        effects=[
            Effect(
                key="key_1",
                family=GOOD,
                business_key=f"stripe:{good.payments[0].id}",
                state="done",
                run_id="run_1",
                connection="netsuite",
                operation="payment.upsert",
                output_id="6000",
            )
        ],
    )
    return World(books=books, hub=hub)


def with_hub(world: World, **changed: Any) -> World:
    """Give the world with other records of the hub."""
    return replace(world, hub=replace(world.hub, **changed))


def with_books(world: World, **changed: Any) -> World:
    """Give the world with other books."""
    return replace(world, books=replace(world.books, **changed))
