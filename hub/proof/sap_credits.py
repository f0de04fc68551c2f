"""What was given back of invoices whose books are in S/4HANA: as the ledger has it, and as it should by Stripe's word.

A credit memo and what charges it again bear the end of the note's number, a refund and what takes it back the refund's
id in their lines; which of the two it is, the customer's side of the entry says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from hub.proof import credit_books, sap_books
from hub.proof.credit_books import CAME_BACK, CHARGED_AGAIN, MEMO, REFUND, Credits, StripeNote
from hub.proof.crm import SAP
from hub.proof.evidence import Document, Wanted
from hub.proof.lines import Line, numbered
from hub.proof.sap_books import CLEARING, Entry, SapBooks

if TYPE_CHECKING:
    from hub.proof.vendor_documents import Books
    from hub.proof.vendor_families import Families

#: SAP's type of a customer's credit memo, and how many signs of a number stand in an entry's reference.
CREDIT_MEMO, REFERENCE = "DG", 16


def told(entry: Entry, credits: Credits) -> tuple[str, str] | None:
    """Give what an entry is of a note or a refund, and Stripe's id of that; None where it is of neither."""
    if entry.type in (CREDIT_MEMO, sap_books.INVOICE):
        note = _ends(credits).get(entry.reference)
        return None if note is None else (MEMO if entry.type == CREDIT_MEMO else CHARGED_AGAIN, note.id)
    refunds = {refund.id for refund in credits.refunds}
    name = next((item.text for item in entry.items if item.text in refunds), None)
    return None if name is None else (REFUND if entry.total > 0 else CAME_BACK, name)


def _ends(credits: Credits) -> Mapping[str, StripeNote]:
    return {note.number[-REFERENCE:]: note for note in credits.notes}


def document(books: Books, entry: Entry, kind: str, name: str, families: Families) -> Document:
    """Give one of these entries as the oracle judges it; all amounts are positive."""
    sap = books.sap
    amount = abs(entry.total)
    facts: dict[str, object] = {
        "books": entry.company,
        "customer": " ".join(entry.customers),
        "day": entry.day,
        "application": _called(books).get(_refers(entry), _refers(entry)),
    }
    if kind in (REFUND, CAME_BACK):
        facts["account"] = " ".join(entry.money)
        facts["cleared"] = all(item.cleared for item in entry.items if item.customer)
    else:
        facts["tax"] = abs(entry.tax)
        facts |= numbered([replace(line, amount=abs(line.amount)) for line in entry.lines])
    return Document(
        book=SAP,
        kind=kind,
        name=name,
        family=families.of_object(name),
        id=entry.id,
        title=entry.reference,
        facts=facts | ({} if kind in (MEMO, REFUND) else {"currency": entry.currency, "total": amount}),
        money=amount if kind in (MEMO, REFUND) else None,
        currency=entry.currency if kind in (MEMO, REFUND) else None,
        marker=sap.writes.get(entry.mark, entry.mark),
    )


def _refers(entry: Entry) -> str:
    return next((item.refers for item in entry.items if item.customer), "")


def _called(books: Books) -> dict[str, str]:
    """Give each document of the tenant's → Stripe's id of the invoice or the note that it stands for."""
    found = {}
    for entry in books.sap.entries:
        about = told(entry, books.credits)
        if about is not None and about[0] == MEMO:
            found[entry.id] = about[1]
    numbers = {invoice.number: invoice.id for invoice in books.stripe}
    return {**sap_books.invoice_names(books.sap, numbers), **found}


def wanted(books: Books, companies: Mapping[str, str]) -> Iterator[Wanted]:
    """Give what the tenant should hold; `companies` is the company code that sells in each currency."""
    for note in books.credits.notes:
        if note.currency in books.sap.currencies:
            yield from _of_note(books, note, companies[note.currency])
    for refund in books.credits.alone():
        if refund.currency in books.sap.currencies:
            yield Wanted(book=SAP, kind=REFUND, name=refund.id, family=refund.invoice, never=True)


def _of_note(books: Books, note: StripeNote, company: str) -> Iterator[Wanted]:
    sap, credits, never = books.sap, books.credits, credit_books.never(books, note)
    due, number = credits.due_of(note), next((one.number for one in books.stripe if one.id == note.invoice), "")
    sold = next((entry for entry in sap.invoices if entry.reference == number), None)
    there = {about: entry for entry in sap.entries if (about := told(entry, credits)) is not None}
    memo = there.get((MEMO, note.id))
    # What lowers what is due belongs to its invoice, and so does all that comes to it later.
    applied = note.invoice if note.before else ""
    same: dict[str, object] = {"books": company}
    if sold is not None:
        same["customer"] = " ".join(sold.customers)
    lines = [Line(id="", amount=abs(line.amount), tax=Decimal(0)) for line in note.lines]
    whole = {**same, "tax": note.tax, **numbered(lines, memo.lines if memo is not None else ())}
    back = note.voided or due.undone
    yield Wanted(
        book=SAP,
        kind=MEMO,
        name=note.id,
        family=note.invoice,
        title=note.number,
        facts={**whole, "day": note.day, "application": applied},
        money=note.total,
        currency=note.currency,
        needed=not never,
        never=never,
    )
    yield Wanted(
        book=SAP,
        kind=CHARGED_AGAIN,
        name=note.id,
        family=note.invoice,
        title=note.number,
        facts={
            **whole,
            "currency": note.currency,
            "total": note.total,
            "day": note.voided_on if note.voided else note.day,
            "application": applied or note.id,
        },
        needed=back and not never,
        never=never or not back,
    )
    states = {refund.id: refund for refund in credits.refunds}
    for name, amount in note.refunds.items():
        refund, posted = states[name], (REFUND, name) in there
        failed = refund.status == "failed"
        yield Wanted(
            book=SAP,
            kind=REFUND,
            name=name,
            family=note.invoice,
            title=f"{name} of {note.number}",
            facts={
                **same,
                "account": CLEARING,
                "day": refund.day,
                "application": applied or note.id,
                "cleared": True,
            },
            money=None if failed and not posted else amount,
            currency=note.currency,
            needed=not never and (refund.status == "succeeded" or (failed and posted)),
            never=never or refund.status not in {"succeeded", "failed"},
        )
        undone = failed or due.unrefunded
        yield Wanted(
            book=SAP,
            kind=CAME_BACK,
            name=name,
            family=note.invoice,
            title=f"{name} of {note.number}",
            facts={
                **same,
                "account": CLEARING,
                "currency": note.currency,
                "total": amount,
                "day": refund.failed_on if failed else refund.day,
                "application": "",
                "cleared": False,
            },
            needed=undone and posted,
            never=not undone or not posted,
        )


def refunds(sap: SapBooks, known: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Name the refunds that the tenant has, and those that it has taken back; `known` are Stripe's."""
    paid_out: set[str] = set()
    came_back: set[str] = set()
    for entry in sap.payments:
        names = {item.text for item in entry.items} & known
        (paid_out if entry.total > 0 else came_back).update(names)
    return frozenset(paid_out), frozenset(came_back)
