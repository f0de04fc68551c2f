"""Credit notes and refunds in the shipped flows: what Stripe gave back is what NetSuite and the tax engine have."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest

from hub.errors import FixData, NotMapped
from hub.model.money import Money
from hub.sdk.connector import WriteOperation
from hub.sdk.values import EffectKey
from hub.workspace.bundle import Bundle
from tests.workspace.test_money_path import CUSTOMERS, UNIT, bundle, line, open_books, wish
from tests.workspace.walk import Walk, walking

VOIDED = "stripe.credit_note.voided"

__all__ = ["bundle"]


@pytest.fixture
async def walk(bundle: Bundle) -> AsyncIterator[Walk]:
    async with walking(bundle) as walk:
        yield walk


def major(amount: Any, currency: str) -> int:
    return Money.of_major(Decimal(str(amount)), currency).minor


def books(walk: Walk, vendor: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = walk.sandboxes[vendor].world.books.snapshot()
    return found


async def noted(walk: Walk, **wanted: Any) -> dict[str, Any]:
    """Let Stripe make a credit note; gives it as the books have it."""
    await walk.sandboxes["stripe"].world.books.seed({"credit_notes": [wanted]})
    note: dict[str, Any] = books(walk, "stripe")["credit_notes"][-1]
    return note


def bill(customer: str, *payments: Mapping[str, Any]) -> dict[str, Any]:
    create = {"customer": f"@{customer}", "currency": CUSTOMERS[customer][2], "discounts": [{"coupon": "@loyal"}]}
    lines = [line(customer, 1099, "seats", 10), line(customer, 333, "usage", 37)]
    return {"create": create, "lines": lines, "payments": list(payments)}


@pytest.mark.parametrize("customer", CUSTOMERS)
async def test_what_is_still_due_is_lowered_by_a_credit_note(walk: Walk, customer: str) -> None:
    (invoice,) = await open_books(walk, wish([bill(customer)]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    sold = books(walk, "stripe")["invoices"][0]
    taken = {"type": "invoice_line_item", "invoice_line_item": sold["lines"][0]["id"], "quantity": 10}
    note = await noted(walk, invoice=invoice, lines=[taken])
    scope = await walk.flow("credit-note-to-erp", note)

    currency, returned = note["currency"].upper(), scope["issued"]["returned"]
    (memo,) = books(walk, "netsuite")["creditMemos"]
    (document,) = books(walk, "netsuite")["invoices"]
    now = books(walk, "stripe")["invoices"][0]
    assert major(memo["total"], currency) == note["total"]
    assert major(memo["unapplied"], currency) == 0
    assert major(document["amountRemaining"], currency) == now["amount_remaining"] == sold["total"] - note["total"]
    assert major(-returned["tax_total"], currency) == sum(tax["amount"] for tax in note["total_taxes"])
    assert (returned["kind"], returned["tax_date"]) == ("return", scope["invoice"]["issued_on"])


async def written(walk: Walk, name: str, record: dict[str, Any]) -> None:
    """Have something done at Stripe, as a person at its dashboard would."""
    operation = walk.connectors["stripe"].operation(name)
    assert isinstance(operation, WriteOperation)
    await walk.connected["stripe"].write(operation, record, EffectKey(f"test:{name}:{record.get('id', '')}"))


@pytest.mark.parametrize("customer", CUSTOMERS)
async def test_a_refund_pays_out_what_was_credited_after_the_payment(walk: Walk, customer: str) -> None:
    (invoice,) = await open_books(walk, wish([bill(customer, {"by": "card"})]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    (sold,) = books(walk, "stripe")["invoices"]
    (paid,) = [payment for payment in sold["payments"] if payment["status"] == "paid"]
    await walk.flow("payment-to-erp", paid)
    # All of it, by its amount alone: nothing is said of tax, and none is taken back.
    note = await noted(walk, invoice=invoice, amount=sold["total"], refund_amount=sold["total"])
    scope = await walk.flow("credit-note-to-erp", note)
    assert scope["issued"]["returned"] is None
    (part,) = note["refunds"]
    scope = await walk.flow("refund-to-erp", {"id": part["refund"]})

    currency = note["currency"].upper()
    (memo,), (refund,) = (books(walk, "netsuite")[name] for name in ("creditMemos", "refunds"))
    assert major(memo["total"], currency) == major(refund["total"], currency) == sold["total"]
    assert (major(memo["unapplied"], currency), memo["apply"]) == (0, [])
    assert scope["outcome"]["refund"]["payment_id"] == paid["id"]
    assert refund["account"] == "123"

    # It comes back: what was paid out is there again, as a payment that waits to be applied.
    await walk.sandboxes["stripe"].world.books.seed({"failed_refunds": [{"refund": part["refund"]}]})
    await walk.flow("refund-to-erp", {"id": part["refund"]})
    back = books(walk, "netsuite")["payments"][-1]
    assert major(back["unapplied"], currency) == sold["total"]


async def test_a_refund_that_failed_is_found_where_its_ties_are_lost(walk: Walk) -> None:
    """As after the restore of a backup that is older than the credit note."""
    (invoice,) = await open_books(walk, wish([bill("de", {"by": "card"})]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    (sold,) = books(walk, "stripe")["invoices"]
    note = await noted(walk, invoice=invoice, amount=sold["total"], refund_amount=sold["total"])
    await walk.flow("credit-note-to-erp", note)
    refund = {"id": note["refunds"][0]["refund"]}
    await walk.flow("refund-to-erp", refund)
    walk.crossrefs.clear()
    await walk.sandboxes["stripe"].world.books.seed({"failed_refunds": [{"refund": refund["id"]}]})
    scope = await walk.flow("refund-to-erp", refund)
    assert scope["outcome"]["taken"] == "failed"
    assert major(books(walk, "netsuite")["payments"][-1]["unapplied"], "EUR") == sold["total"]


async def test_a_refund_that_is_under_way_pays_nothing_out_yet(walk: Walk) -> None:
    (invoice,) = await open_books(walk, wish([bill("jp")]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    await written(walk, "invoice.pay", {"id": invoice, "payment_method": "pm_card_pendingRefund"})
    (sold,) = books(walk, "stripe")["invoices"]
    note = await noted(walk, invoice=invoice, amount=sold["total"], refund_amount=sold["total"])
    await walk.flow("credit-note-to-erp", note)
    refund = note["refunds"][0]["refund"]
    scope = await walk.flow("refund-to-erp", {"id": refund})
    assert (scope["found"]["status"], scope["outcome"]["taken"]) == ("pending", None)
    assert books(walk, "netsuite")["refunds"] == []
    await walk.sandboxes["stripe"].world.books.seed({"elapse": 4 * 86400})
    scope = await walk.flow("refund-to-erp", {"id": refund})
    assert scope["outcome"]["taken"] == "succeeded"
    (paid_out,) = books(walk, "netsuite")["refunds"]
    assert major(paid_out["total"], "JPY") == sold["total"]


async def test_what_goes_to_the_balance_or_outside_of_stripe_stays_open(walk: Walk) -> None:
    (invoice,) = await open_books(walk, wish([bill("kw", {"by": "card"})]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    note = await noted(walk, invoice=invoice, amount=3000, credit_amount=1000, out_of_band_amount=2000)
    await walk.flow("credit-note-to-erp", note)
    (memo,) = books(walk, "netsuite")["creditMemos"]
    assert (major(memo["unapplied"], "KWD"), memo["apply"]) == (3000, [])


async def test_a_refund_of_which_the_note_names_a_part_stops(walk: Walk) -> None:
    (invoice,) = await open_books(walk, wish([bill("us", {"by": "card"})]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    (sold,) = books(walk, "stripe")["invoices"]
    intent = sold["payments"][0]["payment"]["payment_intent"]
    await walk.sandboxes["stripe"].world.books.seed({"refunds": [{"payment_intent": intent, "amount": 500}]})
    (refund,) = books(walk, "stripe")["refunds"]
    part = {"refund": refund["id"], "amount_refunded": 200}
    await written(walk, "credit_note.create", {"invoice": invoice, "amount": 200, "refunds": [part]})
    await walk.flow("credit-note-to-erp", books(walk, "stripe")["credit_notes"][0])
    with pytest.raises(FixData) as refused:
        await walk.flow("refund-to-erp", {"id": refund["id"]})
    assert refused.value.code == "refund-in-parts"
    assert books(walk, "netsuite")["refunds"] == []


async def test_a_refund_without_a_credit_note_stops(walk: Walk) -> None:
    (invoice,) = await open_books(walk, wish([bill("de", {"by": "card"})]))
    (sold,) = books(walk, "stripe")["invoices"]
    intent = sold["payments"][0]["payment"]["payment_intent"]
    await walk.sandboxes["stripe"].world.books.seed({"refunds": [{"payment_intent": intent, "amount": 100}]})
    (refund,) = books(walk, "stripe")["refunds"]
    with pytest.raises(NotMapped):
        await walk.flow("refund-to-erp", {"id": refund["id"]})
    # Of one that failed nothing is looked for any more.
    await walk.sandboxes["stripe"].world.books.seed({"failed_refunds": [{"refund": refund["id"]}]})
    scope = await walk.flow("refund-to-erp", {"id": refund["id"]})
    assert scope["outcome"]["taken"] is None
    assert invoice


@pytest.mark.parametrize("filed", [False, True])
async def test_a_voided_note_is_charged_again_and_its_tax_document_corrected(walk: Walk, *, filed: bool) -> None:
    (invoice,) = await open_books(walk, wish([bill("us")]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    (sold,) = books(walk, "stripe")["invoices"]
    taken = {"type": "invoice_line_item", "invoice_line_item": sold["lines"][0]["id"], "quantity": 10}
    note = await noted(walk, invoice=invoice, lines=[taken])
    await walk.flow("credit-note-to-erp", note)
    if filed:
        await walk.sandboxes["tax"].world.books.seed({"lock": [note["number"]]})
    await written(walk, "credit_note.void", {"id": note["id"]})
    scope = await walk.flow("credit-note-to-erp", note, event=VOIDED)

    assert scope["untaxed"]["taken"] == ("filed" if filed else "open")
    documents = {document["code"]: document for document in books(walk, "tax")["documents"]}
    returned, tax = documents[note["number"]], sum(tax["amount"] for tax in note["total_taxes"])
    if filed:
        assert returned["status"] == "Committed"
        assert major(documents[f"{note['number']}-VOID"]["total_tax"], "USD") == tax
        assert documents[f"{note['number']}-VOID"]["type"] == "SalesInvoice"
    else:
        assert returned["status"] == "Cancelled"
        assert len(documents) == 2
    first, again = books(walk, "netsuite")["invoices"]
    (memo,) = books(walk, "netsuite")["creditMemos"]
    # The memo goes on paying the first; both together owe what Stripe's invoice does.
    assert major(first["amountRemaining"], "USD") == sold["total"] - note["total"]
    assert major(again["total"], "USD") == major(again["amountRemaining"], "USD") == note["total"]
    assert ([line["doc"] for line in memo["apply"]], memo["writes"]) == ([first["id"]], 1)


async def test_a_note_is_taken_back_whichever_event_comes_first(walk: Walk) -> None:
    """Nothing waits for what comes behind it, and a tie that a restored hub has lost is not needed."""
    (invoice,) = await open_books(walk, wish([bill("us")]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    (sold,) = books(walk, "stripe")["invoices"]
    taken = {"type": "invoice_line_item", "invoice_line_item": sold["lines"][0]["id"], "quantity": 10}
    note = await noted(walk, invoice=invoice, lines=[taken])
    await written(walk, "credit_note.void", {"id": note["id"]})
    scope = await walk.flow("credit-note-to-erp", note, event=VOIDED)
    assert (scope["standing"], books(walk, "netsuite")["creditMemos"]) == (None, [])

    await walk.flow("credit-note-to-erp", note)
    assert len(books(walk, "netsuite")["creditMemos"]) == 1
    again = books(walk, "netsuite")["invoices"][-1]
    assert major(again["amountRemaining"], "USD") == note["total"]

    walk.crossrefs.clear()
    scope = await walk.flow("credit-note-to-erp", note, event=VOIDED)
    assert scope["standing"]["number"] == note["number"]


async def test_a_filed_sale_is_corrected_by_a_document_of_its_own(walk: Walk) -> None:
    (invoice,) = await open_books(walk, wish([bill("de")]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    (sold,) = books(walk, "stripe")["invoices"]
    await walk.sandboxes["tax"].world.books.seed({"lock": [sold["number"]]})
    taken = {"type": "invoice_line_item", "invoice_line_item": sold["lines"][0]["id"], "quantity": 10}
    note = await noted(walk, invoice=invoice, lines=[taken])
    await walk.flow("credit-note-to-erp", note)
    documents = {document["code"]: document for document in books(walk, "tax")["documents"]}
    assert (documents[sold["number"]]["status"], documents[sold["number"]]["locked"]) == ("Committed", True)
    assert documents[note["number"]]["type"] == "ReturnInvoice"


async def test_a_note_of_an_invoice_that_is_not_posted_waits(walk: Walk) -> None:
    (invoice,) = await open_books(walk, wish([bill("gb")]))
    note = await noted(walk, invoice=invoice, amount=100)
    with pytest.raises(NotMapped):
        await walk.flow("credit-note-to-erp", note)
    assert books(walk, "netsuite")["creditMemos"] == []


def odd(customer: str) -> tuple[int, int]:
    """Find a price of which the tax of one piece is another than half the tax of two, each rounded."""
    rate = Decimal(CUSTOMERS[customer][3]) / 100

    def whole(exact: Decimal) -> int:
        return int(exact.quantize(Decimal(1), ROUND_HALF_UP))

    for price in range(1001, 1200):
        if whole(whole(price * 2 * rate) / Decimal(2)) != whole(price * rate):
            return price, 2
    raise AssertionError(customer)


@pytest.mark.parametrize("customer", CUSTOMERS)
async def test_the_tax_of_a_part_is_what_billing_billed_back(walk: Walk, customer: str) -> None:
    """Stripe takes back a share of the line's tax; the engine would tax the part otherwise, and records the share."""
    price, quantity = odd(customer)
    create = {"customer": f"@{customer}", "currency": CUSTOMERS[customer][2]}
    (invoice,) = await open_books(walk, wish([{"create": create, "lines": [line(customer, price, "seats", quantity)]}]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    (sold,) = books(walk, "stripe")["invoices"]
    taken = {"type": "invoice_line_item", "invoice_line_item": sold["lines"][0]["id"], "quantity": 1}
    note = await noted(walk, invoice=invoice, lines=[taken])
    scope = await walk.flow("credit-note-to-erp", note)

    currency, tax = note["currency"].upper(), sum(tax["amount"] for tax in note["total_taxes"])
    (made,) = scope["issued"]["returned"]["lines"]
    assert -major(made["tax"], currency) == -major(scope["issued"]["returned"]["tax_total"], currency) == tax
    assert abs(major(made["calculated_tax"], currency) + tax) == UNIT[customer]
    assert sum(part["tax"] for part in made["details"]) == made["tax"]
    (memo,) = books(walk, "netsuite")["creditMemos"]
    assert (major(memo["taxTotal"], currency), major(memo["total"], currency)) == (tax, note["total"])


async def test_a_filed_return_of_a_part_is_taken_back_with_the_tax_it_has(walk: Walk) -> None:
    price, quantity = odd("de")
    create = {"customer": "@de", "currency": "eur"}
    (invoice,) = await open_books(walk, wish([{"create": create, "lines": [line("de", price, "seats", quantity)]}]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    (sold,) = books(walk, "stripe")["invoices"]
    taken = {"type": "invoice_line_item", "invoice_line_item": sold["lines"][0]["id"], "quantity": 1}
    note = await noted(walk, invoice=invoice, lines=[taken])
    await walk.flow("credit-note-to-erp", note)
    await walk.sandboxes["tax"].world.books.seed({"lock": [note["number"]]})
    await written(walk, "credit_note.void", {"id": note["id"]})
    await walk.flow("credit-note-to-erp", note, event=VOIDED)
    taxes = {document["code"]: document["total_tax"] for document in books(walk, "tax")["documents"]}
    tax = sum(tax["amount"] for tax in note["total_taxes"])
    assert major(taxes[f"{note['number']}-VOID"], "EUR") == major(-taxes[note["number"]], "EUR") == tax


@pytest.mark.parametrize(("amount", "stops"), [(100, False), (200, True)])
async def test_beyond_the_tolerance_of_a_line_the_note_stops(walk: Walk, amount: int, *, stops: bool) -> None:
    """Of 1.00 a rate of 20 instead of 19 is a cent, as rounding is; of 2.00 it is two, and no other line makes up."""
    (invoice,) = await open_books(walk, wish([bill("de")]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    (sold,) = books(walk, "stripe")["invoices"]
    custom = {"type": "custom_line_item", "description": "Credit", "quantity": 1}
    right = {"type": "invoice_line_item", "invoice_line_item": sold["lines"][0]["id"], "quantity": 10}
    note = await noted(
        walk, invoice=invoice, lines=[right, {**custom, "unit_amount": amount, "tax_rates": ["@tax-gb"]}]
    )
    if not stops:
        assert (await walk.flow("credit-note-to-erp", note))["issued"]["returned"]["status"] == "committed"
        return
    with pytest.raises(FixData) as refused:
        await walk.flow("credit-note-to-erp", note)
    assert (refused.value.code, note["lines"][1]["id"] in str(refused.value)) == ("tax-mismatch", True)
    assert [document["code"] for document in books(walk, "tax")["documents"]] == [sold["number"]]


async def test_another_tax_than_the_engine_finds_stops_the_note(walk: Walk) -> None:
    (invoice,) = await open_books(walk, wish([bill("de")]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    untaxed = {"type": "custom_line_item", "description": "Credit", "unit_amount": 1000, "quantity": 1}
    (sold,) = books(walk, "stripe")["invoices"]
    wrong = {**untaxed, "tax_rates": ["@tax-gb"]}
    note = await noted(walk, invoice=invoice, lines=[untaxed, wrong])
    with pytest.raises(FixData) as refused:
        await walk.flow("credit-note-to-erp", note)
    assert refused.value.code == "tax-mismatch"
    assert [document["code"] for document in books(walk, "tax")["documents"]] == [sold["number"]]
