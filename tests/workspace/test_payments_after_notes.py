"""Payments of invoices in NetSuite whose credit notes were voided: what charges them again is paid too."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from connectors.stripe.sandbox import payments
from connectors.stripe.sandbox.parameters import Parameters
from hub.errors import FixData, NotMapped
from tests.workspace.test_credits import VOIDED, bill, books, bundle, major, noted, walk, written
from tests.workspace.test_money_path import CUSTOMERS, open_books, wish
from tests.workspace.test_payout_path import at_stripe
from tests.workspace.walk import Walk

__all__ = ["bundle", "walk"]


async def sold(walk: Walk, customer: str) -> dict[str, Any]:
    """Sell something, and have it posted; gives Stripe's invoice."""
    (invoice,) = await open_books(walk, wish([bill(customer)]))
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    return dict(books(walk, "stripe")["invoices"][0])


async def lowered(walk: Walk, invoice: Mapping[str, Any], amount: int) -> dict[str, Any]:
    """Have an invoice lowered by a credit note, and that posted."""
    note = await noted(walk, invoice=invoice["id"], amount=amount)
    await walk.flow("credit-note-to-erp", note)
    return note


async def voided(walk: Walk, note: Mapping[str, Any], *, posted: bool = True) -> None:
    """Have a note voided, and what charges it again posted."""
    await written(walk, "credit_note.void", {"id": note["id"]})
    if posted:
        await walk.flow("credit-note-to-erp", note, event=VOIDED)


async def paid(walk: Walk, invoice: Mapping[str, Any], amount: int | None = None) -> dict[str, Any]:
    """Have an invoice paid at Stripe, whole unless an amount is named; gives the payment."""
    if amount is None:
        await written(walk, "invoice.pay", {"id": invoice["id"], "payment_method": "pm_card_visa"})
    else:
        payments.pay_part(at_stripe(walk), at_stripe(walk).invoices.get(invoice["id"]), amount)
    made = [one for one in books(walk, "stripe")["invoices"][0]["payments"] if one["status"] == "paid"]
    return dict(max(made, key=lambda one: one["created"] if amount is None else one["amount_paid"] == amount))


def open_items(walk: Walk) -> dict[str, list[int]]:
    """Give what is open of invoices, of credit memos and of payments in NetSuite, each in the order they were made."""
    currency = books(walk, "stripe")["invoices"][0]["currency"].upper()
    fields = {"invoices": "amountRemaining", "creditMemos": "unapplied", "payments": "unapplied"}
    held = books(walk, "netsuite")
    return {kind: [major(one[field], currency) for one in held[kind]] for kind, field in fields.items()}


@pytest.mark.parametrize("customer", CUSTOMERS)
async def test_a_payment_pays_what_a_voided_note_is_charged_again_with(walk: Walk, customer: str) -> None:
    invoice = await sold(walk, customer)
    await voided(walk, await lowered(walk, invoice, 1000))
    payment = await paid(walk, invoice)
    await walk.flow("payment-to-erp", payment)
    assert open_items(walk) == {"invoices": [0, 0], "creditMemos": [0], "payments": [0]}
    (posted,) = books(walk, "netsuite")["payments"]
    currency = invoice["currency"].upper()
    assert [major(line["amount"], currency) for line in posted["apply"]] == [invoice["total"] - 1000, 1000]
    assert (major(posted["payment"], currency), posted["writes"]) == (payment["amount_paid"], 1)


async def test_payments_in_parts_pay_the_invoice_first(walk: Walk) -> None:
    invoice = await sold(walk, "de")
    before = await paid(walk, invoice, 300)
    await walk.flow("payment-to-erp", before)
    await voided(walk, await lowered(walk, invoice, 1000))
    left = invoice["total"] - 1000 - 300
    second = await paid(walk, invoice, left + 400)
    await walk.flow("payment-to-erp", second)
    assert open_items(walk) == {"invoices": [0, 600], "creditMemos": [0], "payments": [0, 0]}
    third = await paid(walk, invoice, 600)
    await walk.flow("payment-to-erp", third)
    assert open_items(walk) == {"invoices": [0, 0], "creditMemos": [0], "payments": [0, 0, 0]}


async def test_of_several_notes_those_that_are_void_are_paid(walk: Walk) -> None:
    invoice = await sold(walk, "us")
    first, stays, last = [await lowered(walk, invoice, amount) for amount in (1000, 700, 500)]
    for note in (last, first):
        await voided(walk, note)
    payment = await paid(walk, invoice)
    assert payment["amount_paid"] == invoice["total"] - stays["total"]
    await walk.flow("payment-to-erp", payment)
    assert open_items(walk) == {"invoices": [0, 0, 0], "creditMemos": [0, 0, 0], "payments": [0]}
    (posted,) = books(walk, "netsuite")["payments"]
    assert [Decimal(line["amount"]) for line in posted["apply"]][1:] == [Decimal(10), Decimal(5)]


async def test_a_payment_waits_until_a_voided_note_is_charged_again(walk: Walk) -> None:
    """Nothing is written before, so that the run goes on by itself and the payment is applied once."""
    invoice = await sold(walk, "de")
    note = await lowered(walk, invoice, 1000)
    await voided(walk, note, posted=False)
    payment = await paid(walk, invoice)
    with pytest.raises(NotMapped):
        await walk.flow("payment-to-erp", payment)
    assert books(walk, "netsuite")["payments"] == []
    await walk.flow("credit-note-to-erp", note, event=VOIDED)
    await walk.flow("payment-to-erp", payment)
    assert open_items(walk) == {"invoices": [0, 0], "creditMemos": [0], "payments": [0]}


async def test_a_voided_note_that_is_in_no_books_is_not_paid(walk: Walk) -> None:
    """Its run has stopped, as when people refused it: the invoice owes all of it."""
    invoice = await sold(walk, "gb")
    await voided(walk, await noted(walk, invoice=invoice["id"], amount=1000), posted=False)
    await walk.flow("payment-to-erp", await paid(walk, invoice))
    assert open_items(walk) == {"invoices": [0], "creditMemos": [], "payments": [0]}


@pytest.mark.parametrize("told", [True, False])
async def test_what_is_paid_too_much_beyond_a_voided_note_stays_open(walk: Walk, *, told: bool) -> None:
    invoice = await sold(walk, "de")
    await voided(walk, await lowered(walk, invoice, 1000))
    account = at_stripe(walk)
    asked = {"value": invoice["total"] + 700, "currency": "eur"}
    given = {"amount_requested": asked, "initiated_at": account.now(), "outcome": "guaranteed"}
    reported = payments.report(account, Parameters(given))
    payments.attach(account, invoice["id"], Parameters({"payment_record": reported["id"]}))
    (payment,) = [one for one in books(walk, "stripe")["invoices"][0]["payments"] if one["status"] == "paid"]
    if not told:
        account.invoices.get(invoice["id"])["amount_overpaid"] = 699
        with pytest.raises(FixData) as refused:
            await walk.flow("payment-to-erp", payment)
        assert refused.value.code == "payment-not-applied"
        return
    await walk.flow("payment-to-erp", payment)
    assert open_items(walk) == {"invoices": [0, 0], "creditMemos": [0], "payments": [700]}


async def test_a_refund_pays_out_what_is_credited_after_such_a_payment(walk: Walk) -> None:
    invoice = await sold(walk, "de")
    await voided(walk, await lowered(walk, invoice, 1000))
    await walk.flow("payment-to-erp", await paid(walk, invoice))
    note = await noted(walk, invoice=invoice["id"], amount=1500, refund_amount=1500)
    await walk.flow("credit-note-to-erp", note)
    await walk.flow("refund-to-erp", {"id": note["refunds"][0]["refund"]})
    assert open_items(walk) == {"invoices": [0, 0], "creditMemos": [0, 0], "payments": [0]}
