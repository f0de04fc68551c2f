"""What is given back of invoices with their books in S/4HANA: the ledger has it, and what belongs together is even."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import hub
from hub.connections.registry import load_connectors
from hub.errors import FixData
from hub.model.money import Money
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import read_files
from tests.workspace.test_credits import VOIDED, bill, books, noted, written
from tests.workspace.test_money_path import CUSTOMERS, ONE, line, open_books, wish
from tests.workspace.test_payout_path import at_stripe
from tests.workspace.walk import Walk, walking

#: Customer → its number and the company code that sells to it.
NUMBERS = {"de": ("11000001", "1010"), "jp": ("11500001", "1510")}
CLEARING, RECEIVABLE = "11002080", "12100000"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Give the shipped workspace with the German and the Japanese company's books in S/4HANA."""
    files = dict(read_files(Path(hub.__file__).resolve().parent.parent))
    table = "mappings/tables/entity_books.csv"
    for entity in (b"DE01", b"JP01"):
        files[table] = files[table].replace(entity + b",netsuite", entity + b",s4hana")
    compiled, lints = compile_bundle(files, catalogue_of([*load_connectors().values()]))
    assert compiled is not None, [str(lint) for lint in lints]
    return compiled


@pytest.fixture
async def walk(bundle: Bundle) -> AsyncIterator[Walk]:
    async with walking(bundle, "s4hana") as walk:
        customers = [
            {"number": number, "name": f"Customer {key}", "company_codes": [company]}
            for key, (number, company) in NUMBERS.items()
        ]
        await walk.sandboxes["s4hana"].world.books.seed({"customers": customers})
        yield walk


async def sold(walk: Walk, customer: str, *payments: Mapping[str, Any]) -> dict[str, Any]:
    """Sell something, and have it and its payments posted; gives Stripe's invoice."""
    (invoice,) = await open_books(walk, wish([bill(customer, *payments)]))
    (told,) = books(walk, "stripe")["invoices"]
    walk.crossrefs["customer", "stripe", told["customer"], "s4hana"] = NUMBERS[customer][0]
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    for payment in told["payments"]:
        if payment["status"] == "paid":
            await walk.flow("payment-to-erp", payment)
    return dict(told)


def entries(walk: Walk, type: str) -> list[tuple[dict[str, Decimal], bool]]:
    """Give amounts by account, and whether the customer's item is cleared, of each entry of a type, in their order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in books(walk, "s4hana")["tables"]["JournalItem"]:
        if row["AccountingDocumentType"] == type:
            found.setdefault(row["AccountingDocument"], []).append(row)
    return [
        (
            {row["GLAccount"]: Decimal(row["AmountInTransactionCurrency"]) for row in rows},
            any(row.get("IsCleared") for row in rows if row.get("Customer")),
        )
        for _, rows in sorted(found.items())
    ]


def owed(walk: Walk) -> Decimal:
    """Add up what is open on the customers' accounts."""
    rows = books(walk, "s4hana")["tables"]["JournalItem"]
    amounts = (row["AmountInTransactionCurrency"] for row in rows if row.get("Customer") and not row.get("IsCleared"))
    return sum(map(Decimal, amounts), Decimal(0))


async def test_an_invoice_below_zero_is_an_entry_in_the_customers_favour(walk: Walk) -> None:
    (invoice,) = await open_books(walk, wish([{**ONE, "lines": [line("de", 1099), line("de", -5000, None)]}]))
    (told,) = books(walk, "stripe")["invoices"]
    walk.crossrefs["customer", "stripe", told["customer"], "s4hana"] = NUMBERS["de"][0]
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    ((entry, cleared),) = entries(walk, "DR")
    assert (entry[RECEIVABLE], cleared, owed(walk)) == (Decimal("-46.42"), False, Decimal("-46.42"))


@pytest.mark.parametrize("customer", NUMBERS)
async def test_a_refund_pays_out_what_was_credited_after_the_payment(walk: Walk, customer: str) -> None:
    invoice, currency = await sold(walk, customer, {"by": "card"}), CUSTOMERS[customer][2].upper()
    note = await noted(walk, invoice=invoice["id"], amount=1000, refund_amount=1000)
    await walk.flow("credit-note-to-erp", note)
    amount = Money(minor=1000, currency=currency).major
    ((memo, cleared),) = entries(walk, "DG")
    assert (memo[RECEIVABLE], cleared, owed(walk)) == (-amount, False, -amount)

    refund = {"id": note["refunds"][0]["refund"]}
    await walk.flow("refund-to-erp", refund)
    assert entries(walk, "DZ")[1] == ({RECEIVABLE: amount, CLEARING: -amount}, True)
    # Nothing is open any more: the refund has evened the memo.
    assert owed(walk) == 0

    # It comes back, and the hub has been restored meanwhile: the customer is credited with it again.
    walk.crossrefs.clear()
    await walk.sandboxes["stripe"].world.books.seed({"failed_refunds": [{"refund": refund["id"]}]})
    scope = await walk.flow("refund-to-erp", refund)
    assert scope["outcome"]["taken"] == "failed"
    assert entries(walk, "DZ")[2] == ({RECEIVABLE: -amount, CLEARING: amount}, False)
    assert owed(walk) == -amount


@pytest.mark.parametrize("told", [True, False])
async def test_a_payment_may_come_after_the_note_that_pays_it_out(walk: Walk, *, told: bool) -> None:
    """The note belongs to its invoice as a whole, so that the payment is open until the refund; all else is told."""
    (invoice,) = await open_books(walk, wish([bill("de", {"amount": 1000, "by": "card"})]))
    (billed,) = books(walk, "stripe")["invoices"]
    walk.crossrefs["customer", "stripe", billed["customer"], "s4hana"] = NUMBERS["de"][0]
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    note = await noted(walk, invoice=invoice, amount=billed["total"], refund_amount=1000)
    await walk.flow("credit-note-to-erp", note)
    assert note["pre_payment_amount"] == billed["total"] - 1000
    assert owed(walk) == 0
    (payment,) = (one for one in billed["payments"] if one["status"] == "paid")
    if not told:
        at_stripe(walk).invoices.get(invoice)["post_payment_credit_notes_amount"] = 999
        with pytest.raises(FixData) as refused:
            await walk.flow("payment-to-erp", payment)
        assert refused.value.code == "payment-not-applied"
        return
    await walk.flow("payment-to-erp", payment)
    assert owed(walk) == -10
    await walk.flow("refund-to-erp", {"id": note["refunds"][0]["refund"]})
    assert owed(walk) == 0


@pytest.mark.parametrize("told", [True, False])
async def test_a_payment_may_come_before_a_voided_note_is_charged_again(walk: Walk, *, told: bool) -> None:
    """Until then the note lowers the invoice in these books alone; what lowers it at Stripe too explains nothing."""
    invoice = await sold(walk, "de")
    notes = [await noted(walk, invoice=invoice["id"], amount=amount) for amount in (1000, 500)]
    for note in notes:
        await walk.flow("credit-note-to-erp", note)
    await written(walk, "credit_note.void", {"id": notes[0]["id"]})
    await written(walk, "invoice.pay", {"id": invoice["id"], "payment_method": "pm_card_visa"})
    (payment,) = [each for each in books(walk, "stripe")["invoices"][0]["payments"] if each["status"] == "paid"]
    billed = at_stripe(walk).invoices.get(invoice["id"])
    assert payment["amount_paid"] == billed["total"] - 500
    if not told:
        billed["pre_payment_credit_notes_amount"] = 501
        with pytest.raises(FixData) as refused:
            await walk.flow("payment-to-erp", payment)
        assert refused.value.code == "payment-not-applied"
        return
    await walk.flow("payment-to-erp", payment)
    assert owed(walk) == -10
    await walk.flow("credit-note-to-erp", notes[0], event=VOIDED)
    assert owed(walk) == 0


async def test_a_refund_that_failed_before_it_was_posted_moves_nothing(walk: Walk) -> None:
    invoice = await sold(walk, "de", {"by": "card"})
    note = await noted(walk, invoice=invoice["id"], amount=1000, refund_amount=1000)
    await walk.flow("credit-note-to-erp", note)
    refund = {"id": note["refunds"][0]["refund"]}
    await walk.sandboxes["stripe"].world.books.seed({"failed_refunds": [{"refund": refund["id"]}]})
    scope = await walk.flow("refund-to-erp", refund)
    assert (scope["outcome"]["taken"], len(entries(walk, "DZ"))) == (None, 1)


@pytest.mark.parametrize("tied", [True, False])
async def test_a_voided_note_is_charged_again(walk: Walk, *, tied: bool) -> None:
    """A restored hub that has lost the tie finds the memo by its number."""
    invoice = await sold(walk, "de")
    taken = {"type": "invoice_line_item", "invoice_line_item": invoice["lines"][0]["id"], "quantity": 4}
    note = await noted(walk, invoice=invoice["id"], lines=[taken])
    await walk.flow("credit-note-to-erp", note)
    total = Money(minor=invoice["total"], currency="EUR").major
    ((memo, _),) = entries(walk, "DG")
    assert owed(walk) == total - Money(minor=note["total"], currency="EUR").major

    await written(walk, "credit_note.void", {"id": note["id"]})
    if not tied:
        walk.crossrefs.clear()
    scope = await walk.flow("credit-note-to-erp", note, event=VOIDED)
    assert scope["shown"]["number"] == note["number"]
    (again, _) = entries(walk, "DR")[1]
    assert again == {account: -amount for account, amount in memo.items()}
    assert owed(walk) == total
    # What was taken back and what takes it back belong to the invoice: its whole payment evens all of them.
    if tied:
        await written(walk, "invoice.pay", {"id": invoice["id"], "payment_method": "pm_card_visa"})
        (payment,) = [each for each in books(walk, "stripe")["invoices"][0]["payments"] if each["status"] == "paid"]
        await walk.flow("payment-to-erp", payment)
        assert owed(walk) == 0


async def test_a_void_of_what_was_never_posted_writes_nothing(walk: Walk) -> None:
    invoice = await sold(walk, "jp")
    note = await noted(walk, invoice=invoice["id"], amount=100)
    await written(walk, "credit_note.void", {"id": note["id"]})
    scope = await walk.flow("credit-note-to-erp", note, event=VOIDED)
    assert (scope["charged"]["taken"], entries(walk, "DG"), len(entries(walk, "DR"))) == (None, [], 1)
