"""The demo's books as evidence: what NetSuite and AvaTax should hold by Stripe's word, and what they do hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from hub.proof import credit_books, crm_books, customers, payouts, reversals, sap_documents
from hub.proof.consent import people_needed
from hub.proof.credit_books import StripeNote
from hub.proof.crm import SAP
from hub.proof.evidence import Consent, Delivery, Document, Evidence, Expected, HubRecords, OneOf, Wanted, Write
from hub.proof.lines import items, numbered, tax_codes
from hub.proof.markets import BY_CURRENCY
from hub.proof.vendor_documents import Books, Due, ErpInvoice, ErpPayment, StripeInvoice
from hub.proof.vendor_families import Families

STRIPE, ERP, TAX = "stripe", "netsuite", "tax"
#: Which flows an event starts in the shipped workspace.
FLOWS: Mapping[str, Sequence[str]] = {
    "stripe.invoice.finalized": ("invoice-to-erp",),
    "stripe.invoice_payment.paid": ("payment-to-erp",),
    "stripe.invoice.marked_uncollectible": ("collections-notice",),
    "stripe.credit_note.created": ("credit-note-to-erp",),
    "stripe.credit_note.voided": ("credit-note-to-erp",),
    "stripe.refund.created": ("refund-to-erp",),
    "stripe.refund.updated": ("refund-to-erp",),
    "stripe.refund.failed": ("refund-to-erp",),
    "concord.schedule.invoices-agree": ("invoices-agree",),
    "concord.flow.posted-invoice-agrees": ("posted-invoice-agrees",),
    **payouts.FLOWS,
    **customers.FLOWS,
}
#: The reason of the exception about a call whose outcome nobody knows.
UNKNOWN_OUTCOME = "outcome-unknown"


#: Writes whose target tells the id of what it has made.
_MAKING = {
    (ERP, operation)
    for operation in (
        "invoice.upsert",
        "payment.upsert",
        "credit_memo.upsert",
        "credit_memo.reverse",
        "invoice.reverse",
        "customer.upsert",
        "payment.reverse",
        "journal_entry.reverse",
        "refund.upsert",
        "refund.reverse",
        "journal_entry.upsert",
    )
}


#: The same of those that tell it otherwise: the field that has its whole name.
_NAMED: Mapping[tuple[str, str], str] = {
    **{
        (SAP, operation): "document"
        for operation in ("invoice.post", "credit_memo.post", "payment.post", "journal_entry.post")
    },
    (SAP, "business_partner.create"): "id",
    (STRIPE, "customer.create"): "id",
}


def made(connection: str, operation: str, output: Any) -> str | None:
    """Give the id of what a write is said to have made."""
    if (connection, operation) in _NAMED:
        return str(output[_NAMED[connection, operation]])
    return str(output["id"]) if (connection, operation) in _MAKING else None


def evidence(books: Books, hub: HubRecords, families: Families) -> Evidence:
    """Give the neutral evidence."""
    meant, posted = _meant(hub), _posted(books)
    return Evidence(
        deliveries=[
            Delivery(event=sent.event, family=families.of_event(sent.event), status=sent.status, spoiled=sent.spoiled)
            for sent in books.sent
        ],
        documents=[
            *_documents(books, families),
            *credit_books.documents(books, families),
            *payouts.documents(books.payouts, families.of_write),
            *customers.documents(books.customers),
            *crm_books.documents(books.crm),
            *sap_documents.documents(books, families),
        ],
        wanted=[
            *(wanted for invoice in books.stripe for wanted in _wanted(books, invoice, posted.get(invoice.id))),
            *credit_books.wanted(books),
            *payouts.wanted(books.payouts, frozenset(one.reference for one in books.erp_payments)),
            *customers.wanted(books.customers),
            *crm_books.wanted(books.crm),
            *sap_documents.wanted(books),
        ],
        writes=[
            Write(
                book=request.vendor,
                address=request.address,
                marker=request.marker,
                family=families.of_write(request.marker),
                sha256=request.sha256,
                refused=request.refused,
                meant=meant.get(request.sha256, ""),
            )
            for request in books.requests
        ],
        hub=hub,
        expected=_expected(books),
        flows=FLOWS if not books.crm.accounts else _with_crm(),
        consents={**_consents(books.stripe), **_consents(books.credits.notes)},
    )


def _with_crm() -> dict[str, Sequence[str]]:
    """Give the flows of each event, with those that tell the CRM."""
    return {event: (*FLOWS.get(event, ()), *crm_books.FLOWS.get(event, ())) for event in {*FLOWS, *crm_books.FLOWS}}


def _meant(hub: HubRecords) -> dict[str, str]:
    """Give what each recorded body was meant for, by its hash; a body of several things tells nothing."""
    found: dict[str, set[str]] = defaultdict(set)
    for effect in hub.effects:
        for body in (effect.sha256, effect.without_currency):
            found[body].add(f"{effect.business_key} {effect.undoes}".strip())
    return {body: next(iter(things)) for body, things in found.items() if body and len(things) == 1}


def _consents(told: Sequence[StripeInvoice] | Sequence[StripeNote]) -> dict[str, Consent]:
    return {
        f"stripe:{one.id}": Consent(people=people) for one in told if (people := people_needed(one.total, one.currency))
    }


def _expected(books: Books) -> dict[str, Expected]:
    alone = {refund.invoice for refund in books.credits.alone()}
    return {
        invoice: Expected(exceptions=_reasons(books, invoice, due), waits=invoice in alone)
        for invoice, due in books.due.items()
    }


def _reasons(books: Books, invoice: str, due: Due) -> list[str]:
    notes = [books.credits.due_of(note).exception for note in books.credits.notes if note.invoice == invoice]
    unknown = UNKNOWN_OUTCOME if due.notice_unknown else None
    return [reason for reason in (due.exception, *notes, unknown) if reason is not None]


def _documents(books: Books, families: Families) -> Iterator[Document]:
    stripe = {invoice.id: invoice for invoice in books.stripe}
    again = credit_books.invoices_charged_again(books.credits, families)
    for invoice in books.erp_invoices:
        yield Document(
            book=ERP,
            kind="invoice",
            name=invoice.external_id or "",
            family=families.of_object(invoice.external_id or ""),
            id=invoice.id,
            title=invoice.number,
            facts=_erp_facts(invoice),
            money=invoice.total,
            currency=invoice.currency,
        )
    for payment in books.erp_payments:
        yield Document(
            book=ERP,
            kind="payment",
            name=payment.reference,
            family=families.of_object(payment.reference),
            id=payment.id,
            facts={"customer": payment.customer, "application": _applied(payment, again), "day": payment.day},
            money=payment.amount,
            currency=payment.currency,
            place=payment.accepted,
            subject=payment.reference,
        )
    for name in sorted(_posted(books).keys() & stripe.keys()):
        # What the hub noted on Stripe's invoice is a document too, in Stripe's book.
        reference = {"reference to the ERP": stripe[name].erp_id}
        yield Document(book=STRIPE, kind="reference", name=name, family=name, facts=reference)
    for number in books.notices:
        yield Document(book=ERP, kind="notice", name=number, family=families.of_number(number))
    for document in books.tax_documents:
        yield Document(
            book=TAX,
            kind="tax document",
            name=document.code,
            family=families.of_number(document.code),
            facts={
                "currency": document.currency,
                "day": document.day,
                "net": document.amount,
                "tax": document.tax,
                **numbered(document.lines),
            },
        )


def _applied(payment: ErpPayment, again: Mapping[str, str]) -> Mapping[str, Decimal]:
    """Give how much a payment pays of each invoice, with what charges the invoice's notes `again`."""
    paid: dict[str, Decimal] = {}
    for name, amount in payment.applied.items():
        invoice = again.get(name, name)
        paid[invoice] = paid.get(invoice, Decimal(0)) + amount
    return paid


def _erp_facts(invoice: ErpInvoice) -> dict[str, object]:
    return {
        "number": invoice.number,
        "tax": invoice.tax,
        "customer": invoice.customer,
        "remaining": invoice.remaining,
        "day": invoice.day,
        **items(invoice.lines),
        **tax_codes(invoice.lines),
        **numbered(invoice.lines),
    }


def _wanted(books: Books, invoice: StripeInvoice, posted: str | None) -> Iterator[Wanted]:
    due = books.due.get(invoice.id)
    excused = due is not None and due.exception is not None
    document = next((each for each in books.tax_documents if each.code == invoice.number), None)
    if invoice.currency not in books.sap.currencies:
        yield from _in_netsuite(books, invoice, due)
    yield Wanted(
        book=TAX,
        kind="tax document",
        name=invoice.number,
        family=invoice.id,
        # The tax of an invoice that must become an exception may well differ: that is what the exception is about.
        facts={}
        if excused
        else {
            "currency": invoice.currency,
            "day": invoice.day,
            "net": invoice.total - invoice.tax,
            "tax": invoice.tax,
            **numbered(invoice.lines, document.lines if document is not None else ()),
        },
        needed=not excused,
        never=due is not None and due.void,
    )
    if posted is not None:
        reference = {"reference to the ERP": posted}
        yield Wanted(
            book=STRIPE, kind="reference", name=invoice.id, title=invoice.number, family=invoice.id, facts=reference
        )


def _posted(books: Books) -> dict[str, str]:
    """Give each posted invoice → what its ERP calls it, by Stripe's id."""
    posted = {invoice.external_id or "": invoice.id for invoice in books.erp_invoices}
    numbers = {invoice.number: invoice.id for invoice in books.stripe}
    return posted | {numbers.get(entry.reference, ""): entry.id for entry in books.sap.invoices}


def _in_netsuite(books: Books, invoice: StripeInvoice, due: Due | None) -> Iterator[Wanted]:
    excused = due is not None and due.exception is not None
    posted = next((each for each in reversed(books.erp_invoices) if each.external_id == invoice.id), None)
    there = {payment.reference: payment for payment in books.erp_payments}
    yield Wanted(
        book=ERP,
        kind="invoice",
        name=invoice.id,
        family=invoice.id,
        title=invoice.number,
        facts=_erp_wanted(invoice, posted, due, there, books.credits),
        money=invoice.total,
        currency=invoice.currency,
        never=excused,
    )
    yield reversals.invoice_reversed(
        invoice.id,
        family=invoice.id,
        title=invoice.number,
        currency=invoice.currency,
        total=invoice.total,
        customer=posted.customer if posted is not None else None,
        days=books.credits.reversed_on,
        needed=due is not None and due.reversed,
    )
    for payment in invoice.payments:
        facts: dict[str, object] = {"application": {invoice.id: payment.amount}, "day": payment.day}
        if posted is not None:
            facts["customer"] = posted.customer
        yield Wanted(
            book=ERP,
            kind="payment",
            name=payment.id,
            title=f"{payment.id} of {invoice.number}",
            family=invoice.id,
            facts=facts,
            money=payment.amount,
            currency=invoice.currency,
            needed=not excused,
        )
        yield from payouts.payment_reversed(
            books.payouts,
            payment.id,
            family=invoice.id,
            currency=invoice.currency,
            amount=payment.amount,
            day=payment.day,
        )
    if due is not None and due.notice:
        yield Wanted(book=ERP, kind="notice", name=invoice.number, family=invoice.id, needed=not excused)


def _erp_wanted(
    invoice: StripeInvoice,
    posted: ErpInvoice | None,
    due: Due | None,
    payments: Mapping[str, ErpPayment],
    credits: credit_books.Credits,
) -> dict[str, object]:
    facts: dict[str, object] = {
        "number": invoice.number,
        "tax": invoice.tax,
        "day": invoice.day,
        **items(invoice.lines),
        **tax_codes(invoice.lines, BY_CURRENCY[invoice.currency].tax_code),
        **numbered(invoice.lines, posted.lines if posted is not None else ()),
    }
    if due is not None:
        facts["customer"] = OneOf(values=due.customers)
    elsewhere = credits.charged_elsewhere(invoice.id)
    if all(paid.id in payments for paid in invoice.payments) and elsewhere is not None:
        # Payments pay the invoice before what charges its notes again.
        left = max(invoice.remaining - elsewhere, Decimal(0))
        facts["remaining"] = Decimal(0) if due is not None and due.reversed else left
    return facts
