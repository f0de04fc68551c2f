"""What was given back, in the books of the three vendors: as they hold it, and as they should by Stripe's word."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hub.model.money import exponent
from hub.proof import reversals
from hub.proof.evidence import Document, Wanted
from hub.proof.lines import ELSE, Line, day_of, item_of, items, items_made, numbered, posted, tax_codes
from hub.proof.markets import BY_CURRENCY
from hub.proof.reversals import ErpReversal

if TYPE_CHECKING:
    from hub.proof.vendor_documents import Books
    from hub.proof.vendor_families import Families

ERP, TAX = "netsuite", "tax"
MEMO, REFUND = "credit memo", "refund"
#: What takes one of these back.
CHARGED_AGAIN, CAME_BACK = "reversal of a credit memo", "reversal of a refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeNote:
    """A credit note in Stripe's books; `before` is the part that lowers what is due, `refunds` are id → amount.

    `taxed` are the lines that concern the tax engine: money given without its tax does not.
    """

    id: str
    number: str
    invoice: str
    currency: str
    total: Decimal
    tax: Decimal
    before: Decimal
    lines: Sequence[Line]
    refunds: Mapping[str, Decimal] = field(default_factory=dict)
    taxed: frozenset[str] = frozenset()
    voided: bool = False
    day: str = ""
    voided_on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeRefund:
    """A refund in Stripe's books, and the invoice whose payment it gives back."""

    id: str
    invoice: str
    currency: str
    amount: Decimal
    status: str
    day: str = ""
    failed_on: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErpCredit:
    """A credit memo or a customer refund in NetSuite's books; `applied` is the id of what it pays → amount."""

    id: str
    external_id: str
    number: str
    currency: str
    customer: str
    total: Decimal
    tax: Decimal = Decimal(0)
    open: Decimal = Decimal(0)
    lines: Sequence[Line] = ()
    applied: Mapping[str, Decimal] = field(default_factory=dict)
    day: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteDue:
    """What must come of a credit note: nothing unusual, an exception with this reason, or that all is taken back.

    `refused` is one of which the ERP wants nothing, so that its tax is void, and `undone` one that a person takes back,
    be it voided too or not. Of one that is `unrefunded` a person takes back what its refunds had brought about.
    """

    exception: str | None = None
    refused: bool = False
    undone: bool = False
    unrefunded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits:
    """All of it; `filed` are codes of tax documents in a filed return, and `due` is by the note's id."""

    notes: Sequence[StripeNote] = ()
    refunds: Sequence[StripeRefund] = ()
    memos: Sequence[ErpCredit] = ()
    paid_out: Sequence[ErpCredit] = ()
    charged_again: Sequence[ErpReversal] = ()
    came_back: Sequence[ErpReversal] = ()
    #: What takes back an invoice, be it one that was charged again.
    credited: Sequence[ErpReversal] = ()
    #: The days on which people had something taken back, where they are known.
    reversed_on: frozenset[str] = frozenset()
    filed: frozenset[str] = frozenset()
    due: Mapping[str, NoteDue] = field(default_factory=dict)

    def of_invoice(self) -> Mapping[str, str]:
        """Give note or refund → invoice."""
        return {note.id: note.invoice for note in self.notes} | {one.id: one.invoice for one in self.refunds}

    def codes(self) -> Mapping[str, str]:
        """Give the code of every tax document that a note may have → invoice."""
        return {code: note.invoice for note in self.notes for code in (note.number, _corrected(note))}

    def alone(self) -> Iterator[StripeRefund]:
        """Give the refunds that no note explains."""
        explained = {refund for note in self.notes for refund in note.refunds}
        return (refund for refund in self.refunds if refund.id not in explained)

    def charged_elsewhere(self, invoice: str) -> Decimal | None:
        """Give how much of what Stripe's invoice owes another document of the ERP must ask for; None: not to be told.

        The memo of a voided note goes on paying its invoice, and its reversal asks for that again. Nothing can be told
        while a note that lowers the invoice is not in the ERP.
        """
        there = {memo.external_id for memo in self.memos}
        moved = Decimal(0)
        for note in (note for note in self.notes if note.invoice == invoice and note.before):
            if note.id in there:
                moved += note.before if note.voided else 0
            elif not note.voided:
                return None
        return moved

    def is_taken_back(self, name: str) -> bool:
        """Tell by Stripe's books whether a note or a refund is one that the ERP must have taken back."""
        voided = {note.id for note in self.notes if note.voided or self.due_of(note).undone}
        undone = {refund for note in self.notes if self.due_of(note).unrefunded for refund in note.refunds}
        return name in voided | undone | {one.id for one in self.refunds if one.status == "failed"}

    def due_of(self, note: StripeNote) -> NoteDue:
        """Give what must come of a note."""
        return self.due.get(note.id, NoteDue())


def read(
    stripe: Mapping[str, Any],
    netsuite: Mapping[str, Any],
    tax: Mapping[str, Any],
    due: Mapping[str, NoteDue],
    *,
    reversed_on: frozenset[str] = frozenset(),
) -> Credits:
    """Read what was given back from the books of all three, as their control APIs give them."""
    intents = {
        payment["payment"]["payment_intent"]: invoice["id"]
        for invoice in stripe["invoices"]
        for payment in invoice["payments"]
        if payment["payment"].get("payment_intent")
    }
    moments = {one["id"]: one["created"] for one in stripe["balance_transactions"]}
    made = items_made(netsuite)
    sold = {line["id"]: item_of(line, made) for invoice in stripe["invoices"] for line in invoice["lines"]}
    return Credits(
        notes=[_note(note, sold) for note in stripe.get("credit_notes", ())],
        refunds=[
            StripeRefund(
                id=refund["id"],
                invoice=intents.get(refund["payment_intent"], ""),
                currency=refund["currency"].upper(),
                amount=Decimal(refund["amount"]),
                status=refund["status"],
                failed_on=day_of(moments.get(refund.get("failure_balance_transaction"))),
                day=day_of(refund["created"]),
            )
            for refund in stripe.get("refunds", ())
        ],
        memos=[_erp_credit(memo, "entity") for memo in netsuite["creditMemos"] if memo["externalId"]],
        paid_out=[_erp_credit(refund, "customer") for refund in netsuite["refunds"] if refund["externalId"]],
        charged_again=reversals.read(netsuite["invoices"], customer="entity", open="amountRemaining"),
        came_back=reversals.read(netsuite["payments"], customer="customer", total="payment"),
        credited=reversals.read(netsuite["creditMemos"], customer="entity"),
        filed=frozenset(document["code"] for document in tax["documents"] if document["locked"]),
        due=due,
        reversed_on=reversed_on,
    )


def _note(note: Mapping[str, Any], sold: Mapping[str, str]) -> StripeNote:
    return StripeNote(
        id=note["id"],
        number=note["number"],
        invoice=note["invoice"],
        currency=note["currency"].upper(),
        total=Decimal(note["total"]),
        tax=sum((Decimal(tax["amount"]) for tax in note["total_taxes"]), Decimal(0)),
        before=Decimal(note["pre_payment_amount"]),
        lines=[_line(line, sold.get(line["invoice_line_item"], ELSE)) for line in note["lines"]],
        refunds={part["refund"]: Decimal(part["amount_refunded"]) for part in note["refunds"]},
        taxed=frozenset(
            line["id"]
            for line in note["lines"]
            if line["invoice_line_item"] is not None or any(tax["amount"] for tax in line["taxes"])
        ),
        voided=note["status"] == "void",
        voided_on=day_of(note["voided_at"]),
        day=day_of(note["effective_at"] or note["created"]),
    )


def _line(line: Mapping[str, Any], item: str) -> Line:
    taxes = [Decimal(tax["amount"]) for tax in line["taxes"]]
    contained = [Decimal(tax["amount"]) for tax in line["taxes"] if tax["tax_behavior"] == "inclusive"]
    return Line(
        id=line["id"],
        amount=Decimal(line["amount"]) - Decimal(line["discount_amount"]) - sum(contained, Decimal(0)),
        tax=sum(taxes, Decimal(0)),
        item=item,
    )


def _erp_credit(record: Mapping[str, Any], customer: str) -> ErpCredit:
    currency = record["currency"]
    return ErpCredit(
        id=record["id"],
        external_id=record["externalId"],
        number=record["tranId"],
        currency=currency,
        customer=record[customer],
        total=_minor(record["total"], currency),
        tax=_minor(record.get("taxTotal", "0"), currency),
        open=_minor(record["unapplied"], currency),
        lines=posted(record),
        applied={line["doc"]: _minor(line["amount"], currency) for line in record.get("apply", ())},
        day=record["tranDate"],
    )


def _minor(major: Any, currency: str) -> Decimal:
    return Decimal(major).scaleb(exponent(currency))


def documents(books: Books, families: Families) -> Iterator[Document]:
    """Give what NetSuite holds of it; tax documents are told with all others."""
    credits = books.credits
    called = {invoice.id: invoice.external_id or invoice.id for invoice in books.erp_invoices}
    called |= {memo.id: memo.external_id for memo in credits.memos}
    for kind, held in ((MEMO, credits.memos), (REFUND, credits.paid_out)):
        for one in held:
            facts: dict[str, object] = {
                "customer": one.customer,
                "day": one.day,
                "application": {called.get(name, name): amount for name, amount in one.applied.items()},
            }
            if kind == MEMO:
                facts |= {"number": one.number, "tax": one.tax, "open": one.open}
                facts |= {**items(one.lines), **tax_codes(one.lines), **numbered(one.lines)}
            yield Document(
                book=ERP,
                kind=kind,
                name=one.external_id,
                family=families.of_object(one.external_id),
                id=one.id,
                title=one.number if kind == MEMO else one.external_id,
                facts=facts,
                money=one.total,
                currency=one.currency,
            )
    for kind, backs, taken in (
        (CHARGED_AGAIN, credits.charged_again, credits.memos),
        (CAME_BACK, credits.came_back, credits.paid_out),
    ):
        for back, name in _named(credits, backs, taken, families):
            yield reversals.told(back, kind, name, families.of_object(name))
    yield from reversals.of_invoices(credits.credited, families)


def invoices_charged_again(credits: Credits, families: Families) -> Mapping[str, str]:
    """Give the id of each document that charges a note again → Stripe's invoice, of which it asks for a part."""
    invoices = {note.id: note.invoice for note in credits.notes}
    charged = _named(credits, credits.charged_again, credits.memos, families)
    return {back.id: invoices[name] for back, name in charged if name in invoices}


def _named(
    credits: Credits, backs: Sequence[ErpReversal], taken: Sequence[ErpCredit], families: Families
) -> Iterator[tuple[ErpReversal, str]]:
    """Give each reversal with the name of what it takes back, which is one of those `taken`."""
    named = {families.named(back.key) for back in backs}
    # A hub that was restored does not know of every write any more: what is left is told by customer and amount.
    left = [one for one in taken if one.external_id not in named and credits.is_taken_back(one.external_id)]
    for back in backs:
        yield back, families.named(back.key) or _of_these(left, back)


def _of_these(taken: list[ErpCredit], back: ErpReversal) -> str:
    """Take from a list what a reversal takes back, and name it; nothing where there is none."""
    for place, one in enumerate(taken):
        if (one.customer, one.currency, one.total) == (back.customer, back.currency, back.total):
            return taken.pop(place).external_id
    return ""


def never(books: Books, note: StripeNote) -> bool:
    """Tell whether nothing of a note may be in the books, because it or its invoice must be an exception."""
    due, invoice = books.credits.due_of(note), books.due.get(note.invoice)
    return due.exception is not None or due.refused or (invoice is not None and invoice.exception is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One document that an ERP must have of a note, or must not: minor units, and the day that it must have.

    What is not `counted` moves no money by Stripe's word.
    """

    kind: str
    name: str
    title: str
    amount: Decimal
    day: str
    needed: bool
    never: bool
    counted: bool = True

    def wanted(self, book: str, note: StripeNote, facts: Mapping[str, object]) -> Wanted:
        """Give it with what the ERP's book must say of it."""
        moves = self.kind in (MEMO, REFUND)
        return Wanted(
            book=book,
            kind=self.kind,
            name=self.name,
            family=note.invoice,
            title=self.title,
            facts=facts if moves else {**facts, "currency": note.currency, "total": self.amount},
            money=self.amount if moves and self.counted else None,
            currency=note.currency if moves else None,
            needed=self.needed,
            never=self.never,
        )


def parts(books: Books, note: StripeNote, there: Collection[str]) -> Iterator[Part]:
    """Give what an ERP must have of a note and of its refunds, of which those that are `there` are posted."""
    credits, due, none = books.credits, books.credits.due_of(note), never(books, note)
    back = note.voided or due.undone
    for kind, day, wanted_, never_ in (
        (MEMO, note.day, True, False),
        (CHARGED_AGAIN, note.voided_on if note.voided else note.day, back, not back),
    ):
        yield Part(
            kind=kind,
            name=note.id,
            title=note.number,
            amount=note.total,
            day=day,
            needed=wanted_ and not none,
            never=none or never_,
        )
    refunds = {refund.id: refund for refund in credits.refunds}
    for name, amount in note.refunds.items():
        refund, posted = refunds[name], name in there
        failed = refund.status == "failed"
        undone = (failed or due.unrefunded) and posted
        told = Part(
            kind=REFUND,
            name=name,
            title=f"{name} of {note.number}",
            amount=amount,
            day=refund.day,
            needed=not none and (refund.status == "succeeded" or (failed and posted)),
            never=none or refund.status not in {"succeeded", "failed"},
            # One that failed before anybody could post it moves no money, and is not posted.
            counted=posted or not failed,
        )
        yield told
        yield replace(
            told, kind=CAME_BACK, day=refund.failed_on if failed else refund.day, needed=undone, never=not undone
        )


def unexplained(refunds: Iterable[StripeRefund], book: str) -> Iterator[Wanted]:
    """Say of refunds that no note explains that a book may not have them."""
    for refund in refunds:
        yield Wanted(
            book=book,
            kind=REFUND,
            name=refund.id,
            family=refund.invoice,
            money=refund.amount,
            currency=refund.currency,
            never=True,
        )


def wanted(books: Books) -> Iterator[Wanted]:
    """Give what the ERP and the tax engine should hold of what Stripe says was given back."""
    credits = books.credits
    customers = {invoice.external_id: invoice.customer for invoice in books.erp_invoices}
    for note in credits.notes:
        yield from _tax(credits, note, never=never(books, note))
        if note.currency not in books.sap.currencies:
            yield from _in_netsuite(books, note, customers.get(note.invoice))
    yield from unexplained((one for one in credits.alone() if one.currency not in books.sap.currencies), ERP)


def _in_netsuite(books: Books, note: StripeNote, customer: str | None) -> Iterator[Wanted]:
    credits = books.credits
    there = next((memo for memo in credits.memos if memo.external_id == note.id), None)
    given = {one.external_id: one.total for one in credits.paid_out if one.external_id in note.refunds}
    for part in parts(books, note, given):
        facts: dict[str, object] = {"customer": customer, "day": part.day}
        if part.kind == MEMO:
            facts |= {
                "number": note.number,
                "tax": note.tax,
                **items(note.lines),
                **tax_codes(note.lines, BY_CURRENCY[note.currency].tax_code),
                "application": {note.invoice: note.before} if note.before else {},
                "open": note.total - note.before - sum(given.values(), Decimal(0)),
                **numbered(note.lines, there.lines if there is not None else ()),
            }
        elif part.kind == REFUND:
            facts["application"] = {note.id: part.amount}
        elif part.kind == CAME_BACK or not note.voided:
            # The refund goes on paying its memo, and the memo its invoice, of which Stripe asks for nothing more.
            facts["open"] = part.amount
        elif (still := _still_charged(books, note)) is not None:
            facts["open"] = still
        yield part.wanted(ERP, note, facts)
    # What charges it again stays.
    yield reversals.invoice_reversed(
        note.id,
        family=note.invoice,
        title=note.number,
        currency=note.currency,
        total=note.total,
        customer=customer,
        days=credits.reversed_on,
        needed=False,
    )


def _still_charged(books: Books, note: StripeNote) -> Decimal | None:
    """Give what is still to be paid of a voided note that is charged again; None where that cannot be told.

    Payments pay the invoice first. Which of several notes they pay then hangs on which of them was void already.
    """
    invoice = next((one for one in books.stripe if one.id == note.invoice), None)
    elsewhere = books.credits.charged_elsewhere(note.invoice)
    posted = {payment.reference for payment in books.erp_payments}
    if invoice is None or elsewhere is None or any(paid.id not in posted for paid in invoice.payments):
        return None
    still = min(invoice.remaining, elsewhere)
    if elsewhere == note.before:
        return note.total - note.before + still
    if still in (elsewhere, Decimal(0)):
        return note.total if still else note.total - note.before
    return None


def _tax(credits: Credits, note: StripeNote, *, never: bool) -> Iterator[Wanted]:
    taxed = [line for line in note.lines if line.id in note.taxed]
    if not taxed:
        return
    due, filed = credits.due_of(note), note.number in credits.filed
    for code, sign, day, gone in (
        (note.number, -1, note.day, never or due.undone or (note.voided and not filed)),
        (_corrected(note), 1, note.voided_on, never or not (note.voided and filed)),
    ):
        lines = [Line(id=line.id, amount=sign * line.amount, tax=sign * line.tax) for line in taxed]
        yield Wanted(
            book=TAX,
            kind="tax document",
            name=code,
            family=note.invoice,
            facts={
                "currency": note.currency,
                "day": day,
                "net": sum((line.amount for line in lines), Decimal(0)),
                "tax": sum((line.tax for line in lines), Decimal(0)),
                **numbered(lines),
            },
            needed=not gone,
            never=gone,
        )


def _corrected(note: StripeNote) -> str:
    return f"{note.number}-VOID"
