"""What S/4HANA holds, as the oracle judges it, and what it should hold by Stripe's word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from hub.proof import payouts, sap_books, sap_credits
from hub.proof.crm import COMPANY_CODES, ENTITIES, SAP
from hub.proof.customers import CUSTOMER
from hub.proof.evidence import Document, OneOf, Wanted
from hub.proof.lines import numbered, tax_codes
from hub.proof.markets import BY_CURRENCY
from hub.proof.payouts import PayoutBooks
from hub.proof.sap_books import CLEARING, OUTSIDE, TAX_CODE, Entry, SapBooks, accounts, own_line
from hub.proof.sap_credits import GivenBack

if TYPE_CHECKING:
    from hub.proof.vendor_documents import Books, Due, StripeInvoice
    from hub.proof.vendor_families import Families

#: Kinds of documents that only this ERP has.
BALANCE, STRAY, REVERSAL = "trial balance", "journal entry", "reversal"


def documents(books: Books, families: Families) -> Iterator[Document]:
    """Give what the tenant holds: customers, invoices, payments, payouts, anything else, and its trial balances."""
    sap = books.sap
    given_back = GivenBack(books)
    names = _names(books)
    for partner in sap.partners:
        yield Document(
            book=SAP,
            kind=CUSTOMER,
            name=partner.external_id or partner.id,
            family=families.of_object(partner.external_id),
            id=partner.id,
            title=str(partner.facts["name"]),
            facts={**partner.facts, "companies": " ".join(partner.companies)},
        )
    for entry in sap.entries:
        if given_back.told(entry) is not None:
            yield sap_credits.document(books, given_back, entry, families)
        elif entry.takes_back and not sap_books.payout_of(entry):
            yield _reversal(sap, entry, names, families)
        elif entry.type == sap_books.INVOICE:
            yield _invoice(sap, entry, names[entry.id], families)
        elif entry.type == sap_books.PAYMENT:
            yield _payment(sap, entry, names, families)
        elif not sap_books.payout_of(entry):
            told = entry.reference or entry.id
            yield Document(
                book=SAP, kind=STRAY, name=entry.id, family=families.of_number(told), id=entry.id, title=told
            )
    yield from payouts.documents(sap.payouts, families.of_write)
    for name, total in balances(sap).items():
        facts = {"debits less credits": total}
        yield Document(book=SAP, kind=BALANCE, name=name, family=f"{BALANCE} {name}", facts=facts)


def balances(sap: SapBooks) -> dict[str, Decimal]:
    """Give debits less credits of each company by currency: of documents, and once more in the company's own."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in sap.entries:
        for item in entry.items:
            sums[f"{entry.company} {entry.currency}"] += item.amount
            sums[f"{entry.company} in its own currency"] += item.local
    return dict(sorted(sums.items()))


def _names(books: Books) -> dict[str, str]:
    numbers = {invoice.number: invoice.id for invoice in books.stripe}
    return sap_books.invoice_names(books.sap, numbers)


def _invoice(sap: SapBooks, entry: Entry, name: str, families: Families) -> Document:
    remaining = sap.still_owed(entry)
    lines = entry.lines
    return Document(
        book=SAP,
        kind="invoice",
        name=name,
        family=families.of_object(name),
        id=entry.id,
        title=entry.reference,
        facts={
            "books": entry.company,
            "number": entry.reference,
            "customer": " ".join(entry.customers),
            "day": entry.day,
            "tax": entry.tax,
            "remaining": remaining,
            "cleared": all(item.cleared for item in entry.items if item.customer),
            **accounts(lines),
            **tax_codes(lines),
            **numbered(lines),
        },
        money=entry.total,
        currency=entry.currency,
        marker=sap.writes.get(entry.mark, entry.mark),
    )


def _payment(sap: SapBooks, entry: Entry, names: Mapping[str, str], families: Families) -> Document:
    owed = [item for item in entry.items if item.customer]
    name = next((item.text for item in owed if item.text), entry.id)
    applied: dict[str, Decimal] = defaultdict(Decimal)
    for item in owed:
        applied[names.get(item.refers, item.refers)] -= item.amount
    return Document(
        book=SAP,
        kind="payment",
        name=name,
        family=families.of_object(name),
        id=entry.id,
        facts={
            "books": entry.company,
            "customer": " ".join(entry.customers),
            "application": dict(applied),
            "account": " ".join(entry.money),
            "day": entry.day,
        },
        money=-entry.total,
        currency=entry.currency,
        place=entry.number,
        subject=name,
        marker=sap.writes.get(entry.mark, entry.mark),
    )


def _reversal(sap: SapBooks, entry: Entry, names: Mapping[str, str], families: Families) -> Document:
    """Tell of what takes back an invoice, or a payment that its items name."""
    texts = (item.text for item in entry.items if item.customer and item.text)
    name = names.get(entry.takes_back) or next(texts, entry.takes_back)
    return Document(
        book=SAP,
        kind=REVERSAL,
        name=name,
        family=families.of_object(name),
        id=entry.id,
        facts={"books": entry.company, "total": -entry.total, "day": entry.day},
        marker=sap.writes.get(entry.mark, entry.mark),
    )


def _taken_back(name: str, family: str, company: str, total: Decimal, day: str, *, needed: bool) -> Wanted:
    """Say that a document must be taken back whole, on its own day, by one other; or that none may do so."""
    facts: dict[str, object] = {"books": company, "total": total, "day": day}
    return Wanted(book=SAP, kind=REVERSAL, name=name, family=family, facts=facts, needed=needed, never=not needed)


# --- what must be ---------------------------------------------------------------------------------


def company_of(currency: str) -> str:
    """Give the company code of the entity that sells in a currency."""
    return COMPANY_CODES[ENTITIES[BY_CURRENCY[currency].country]]


def wanted(books: Books) -> Iterator[Wanted]:
    """Give what the tenant should hold: customers, invoices and all that comes of them, payouts, books that balance."""
    sap = books.sap
    given_back = GivenBack(books)
    for invoice in books.stripe:
        if invoice.currency in sap.currencies:
            yield from _of_invoice(books, given_back, invoice, books.due.get(invoice.id))
    for customer in sap.customers:
        address = customer["address"]
        lines = [address.get(name) for name in ("line1", "line2") if address.get(name)]
        yield Wanted(
            book=SAP,
            kind=CUSTOMER,
            name=customer["id"],
            family=customer["id"],
            title=customer["name"],
            facts={
                "name": customer["name"],
                "street": OneOf(values=frozenset({lines[0], ", ".join(lines)})) if lines else None,
                "city": address.get("city"),
                "postal code": address.get("postal_code"),
                "country": address.get("country"),
                "companies": COMPANY_CODES[ENTITIES[address["country"]]],
            },
        )
    yield from sap_credits.wanted(books, given_back, {currency: company_of(currency) for currency in sap.currencies})
    yield from payouts.wanted(paid_out(books), paid(sap))
    for name in balances(sap):
        facts = {"debits less credits": Decimal(0)}
        yield Wanted(book=SAP, kind=BALANCE, name=name, family=f"{BALANCE} {name}", facts=facts)


def paid_out(books: Books) -> PayoutBooks:
    """Give the payouts with the refunds that the tenant has, and has taken back."""
    known = frozenset(refund.id for refund in books.credits.refunds)
    refunds, undone = sap_credits.refunds(books.sap, known)
    return replace(books.sap.payouts, refunds=refunds, undone=undone)


def paid(sap: SapBooks) -> frozenset[str]:
    """Name the payments that the tenant has."""
    return frozenset(item.text for entry in sap.payments for item in entry.items if item.customer and item.text)


def _of_invoice(books: Books, given_back: GivenBack, invoice: StripeInvoice, due: Due | None) -> Iterator[Wanted]:
    """Give what the tenant should hold of one of Stripe's invoices: it and its payments, in the right company code."""
    sap, excused = books.sap, due is not None and due.exception is not None
    company = company_of(invoice.currency)
    there = next((one for one in sap.invoices if one.reference == invoice.number), None)
    lines = [own_line(line) for line in invoice.lines]
    facts: dict[str, object] = {
        "books": company,
        "number": invoice.number,
        "day": invoice.day,
        "tax": invoice.tax,
        **accounts(lines),
        **tax_codes(invoice.lines, TAX_CODE),
        **numbered(lines, there.lines if there is not None else ()),
    }
    if due is not None:
        facts["customer"] = OneOf(values=due.customers)
    if all(payment.id in paid(sap) for payment in invoice.payments):
        owed = given_back.owed(books, invoice)
        facts["remaining"] = owed = Decimal(0) if due is not None and due.reversed else owed
        if invoice.total:
            # There is nothing to clear an item of nothing with.
            facts["cleared"] = sap_credits.evened(owed, again=given_back.is_charged_again(books, invoice.id))
    yield Wanted(
        book=SAP,
        kind="invoice",
        name=invoice.id,
        family=invoice.id,
        title=invoice.number,
        facts=facts,
        money=invoice.total,
        currency=invoice.currency,
        never=excused,
    )
    reversed_ = due is not None and due.reversed
    yield _taken_back(invoice.id, invoice.id, company, invoice.total, invoice.day, needed=reversed_)
    for payment in invoice.payments:
        by_card = payment.id in sap.payouts.charged
        undone = payment.id in sap.payouts.taken_back
        yield _taken_back(payment.id, invoice.id, company, -payment.amount, payment.day, needed=undone)
        yield Wanted(
            book=SAP,
            kind="payment",
            name=payment.id,
            title=f"{payment.id} of {invoice.number}",
            family=invoice.id,
            facts={
                "books": company,
                "application": {invoice.id: payment.amount},
                "account": CLEARING if by_card else OUTSIDE,
                "day": payment.day,
                **({"customer": " ".join(there.customers)} if there is not None else {}),
            },
            money=payment.amount,
            currency=invoice.currency,
            needed=not excused,
        )
