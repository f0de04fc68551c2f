"""What was given back of invoices whose books are in S/4HANA: as the ledger has it, and as it should by Stripe's word.

A credit memo and what charges it again bear the end of the note's number, a refund and what takes it back the refund's
id in their lines; which of the two it is, the customer's side of the entry says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from hub.proof import credit_books, sap_books
from hub.proof.credit_books import CAME_BACK, CHARGED_AGAIN, MEMO, REFUND, StripeNote
from hub.proof.crm import SAP
from hub.proof.evidence import Document, OneOf, Wanted
from hub.proof.lines import numbered, tax_codes
from hub.proof.sap_books import CLEARING, TAX_CODE, Entry, SapBooks, accounts, own_line

if TYPE_CHECKING:
    from hub.proof.vendor_documents import Books, StripeInvoice
    from hub.proof.vendor_families import Families

#: SAP's type of a customer's credit memo, and how many signs of a number stand in an entry's reference.
CREDIT_MEMO, REFERENCE = "DG", 16


class GivenBack:
    """The tenant's entries that are about notes and refunds: found once, and asked for often."""

    def __init__(self, books: Books) -> None:
        """Index the entries by what they are about."""
        ends = {note.number[-REFERENCE:]: note.id for note in books.credits.notes}
        refunds = {refund.id for refund in books.credits.refunds}
        found = ((entry, _told(entry, ends, refunds)) for entry in books.sap.entries)
        self._told = {entry.id: about for entry, about in found if about is not None}
        self._there = {self._told[entry.id]: entry for entry in books.sap.entries if entry.id in self._told}
        memos = {id: name for id, (kind, name) in self._told.items() if kind == MEMO}
        numbers = {invoice.number: invoice.id for invoice in books.stripe}
        self._called = {**sap_books.invoice_names(books.sap, numbers), **memos}

    def told(self, entry: Entry) -> tuple[str, str] | None:
        """Give what an entry is of a note or a refund, and Stripe's id of that; None where it is of neither."""
        return self._told.get(entry.id)

    def entry(self, kind: str, name: str) -> Entry | None:
        """Give the entry of a kind that stands for a note or a refund."""
        return self._there.get((kind, name))

    def application(self, entry: Entry) -> str:
        """Give Stripe's id of the invoice or the note that an entry belongs to; nothing for one that names none."""
        refers = next((item.refers for item in entry.items if item.customer), "")
        return self._called.get(refers, refers)

    def moved(self, note: StripeNote) -> Decimal:
        """Give what the entries of a note add to what the document that they belong to asks for, in minor units."""
        paid_out = sum((amount for name, amount in note.refunds.items() if self.entry(REFUND, name)), Decimal(0))
        again = note.total if self.entry(CHARGED_AGAIN, note.id) else 0
        return paid_out + again - (note.total if self.entry(MEMO, note.id) else 0)

    def owed(self, books: Books, invoice: StripeInvoice) -> Decimal:
        """Give what an invoice and all that belongs to it must ask for when all its payments are there, in minor units.

        Stripe lowers what is due by the note's part from before the payment. Here the whole note belongs to the invoice
        then, and so does what is paid out of it.
        """
        undone = [paid.amount for paid in invoice.payments if paid.id in books.sap.payouts.taken_back]
        moved = [self.moved(note) + (0 if note.voided else note.before) for note in lowering(books, invoice.id)]
        return sum([*undone, *moved], invoice.remaining)

    def is_charged_again(self, books: Books, invoice: str) -> bool:
        """Tell whether something that an invoice was lowered by is asked for again."""
        return any(self.entry(CHARGED_AGAIN, note.id) for note in lowering(books, invoice))


def lowering(books: Books, invoice: str) -> Iterator[StripeNote]:
    """Give the notes that lower what is due of an invoice, voided or not."""
    return (note for note in books.credits.notes if note.invoice == invoice and note.before)


def _told(entry: Entry, ends: Mapping[str, str], refunds: Collection[str]) -> tuple[str, str] | None:
    if entry.type in (CREDIT_MEMO, sap_books.INVOICE):
        note = ends.get(entry.reference)
        return None if note is None else (MEMO if entry.type == CREDIT_MEMO else CHARGED_AGAIN, note)
    name = next((item.text for item in entry.items if item.text in refunds), None)
    return None if name is None else (REFUND if entry.total > 0 else CAME_BACK, name)


def evened(owed: Decimal, *, again: bool = False) -> object:
    """Say whether what belongs together must be cleared: it must once nothing is owed.

    What is charged `again` may have come when all was even, and stands open beside what was cleared.
    """
    return OneOf(values=frozenset((True, False))) if owed and again else not owed


def document(books: Books, given_back: GivenBack, entry: Entry, families: Families) -> Document:
    """Give one of these entries as the oracle judges it: amounts are positive where they go the way that they must."""
    sap = books.sap
    kind, name = given_back.told(entry) or ("", "")
    sign = -1 if kind in (MEMO, CAME_BACK) else 1
    amount = sign * entry.total
    facts: dict[str, object] = {
        "books": entry.company,
        "customer": " ".join(entry.customers),
        "day": entry.day,
        "application": given_back.application(entry),
        "cleared": all(item.cleared for item in entry.items if item.customer),
    }
    if kind in (REFUND, CAME_BACK):
        facts["account"] = " ".join(entry.money)
    else:
        lines = [replace(line, amount=sign * line.amount) for line in entry.lines]
        facts["tax"] = sign * entry.tax
        facts |= {**accounts(lines), **tax_codes(lines), **numbered(lines)}
    if kind == MEMO:
        facts["open"] = Decimal(0) if given_back.application(entry) else -sap.still_owed(entry)
    moves = kind in (MEMO, REFUND)
    return Document(
        book=SAP,
        kind=kind,
        name=name,
        family=families.of_object(name),
        id=entry.id,
        title=entry.reference,
        facts=facts | ({} if moves else {"currency": entry.currency, "total": amount}),
        money=amount if moves else None,
        currency=entry.currency if moves else None,
        marker=sap.writes.get(entry.mark, entry.mark),
    )


def wanted(books: Books, given_back: GivenBack, companies: Mapping[str, str]) -> Iterator[Wanted]:
    """Give what the tenant should hold; `companies` is the company code that sells in each currency."""
    own, credits = books.sap.currencies, books.credits
    for note in credits.notes:
        if note.currency in own:
            yield from _of_note(books, given_back, note, companies[note.currency])
    yield from credit_books.unexplained((one for one in credits.alone() if one.currency in own), SAP)


def _of_note(books: Books, given_back: GivenBack, note: StripeNote, company: str) -> Iterator[Wanted]:
    invoice = next((one for one in books.stripe if one.id == note.invoice), None)
    sold = next((one for one in books.sap.invoices if invoice is not None and one.reference == invoice.number), None)
    # What lowers what is due belongs to its invoice, and so does all that comes to it later.
    applied = note.invoice if note.before else ""
    same: dict[str, object] = {"books": company}
    if sold is not None:
        same["customer"] = " ".join(sold.customers)
    owed, again = -given_back.moved(note), False
    if applied and invoice is not None:
        owed, again = given_back.owed(books, invoice), given_back.is_charged_again(books, invoice.id)
    cleared = evened(owed, again=again)
    posted = {name for name in note.refunds if given_back.entry(REFUND, name)}
    for part in credit_books.parts(books, note, posted):
        facts: dict[str, object] = {**same, "day": part.day, "application": applied or note.id, "cleared": cleared}
        if part.kind in (MEMO, CHARGED_AGAIN):
            there = given_back.entry(part.kind, note.id)
            lines = [own_line(line) for line in note.lines]
            facts |= {"tax": note.tax, **accounts(lines), **tax_codes(note.lines, TAX_CODE)}
            facts |= numbered(lines, there.lines if there is not None else ())
        else:
            facts["account"] = CLEARING
        if part.kind == MEMO:
            facts |= {"application": applied, "open": Decimal(0) if applied else owed}
        if part.kind == CAME_BACK:
            # It waits until it is paid out anew.
            facts |= {"application": "", "cleared": False}
        yield part.wanted(SAP, note, facts)


def refunds(sap: SapBooks, known: frozenset[str]) -> tuple[frozenset[str], frozenset[str]]:
    """Name the refunds that the tenant has, and those that it has taken back; `known` are Stripe's."""
    paid_out: set[str] = set()
    came_back: set[str] = set()
    for entry in sap.payments:
        names = {item.text for item in entry.items} & known
        (paid_out if entry.total > 0 else came_back).update(names)
    return frozenset(paid_out), frozenset(came_back)
