"""Credit notes by Stripe's own library: before payment, after it, both at once; to the cent, in every release."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from hub.sandbox.server import Running
from hub.sdk.exact_json import loads
from tests.connectors.stripe.partners import Client, Inbox, settled
from tests.connectors.stripe.shapes import VERSIONS, misfits, name_of


def bill(call: stripe.StripeClient, currency: str = "eur", lines: Any = None) -> Any:
    """Finalise an invoice over one line of 10.00 and 19 percent, unless lines are given."""
    customer = call.v1.customers.create({"name": "Alder Works"})
    rate = call.v1.tax_rates.create({"display_name": "VAT", "percentage": 19, "inclusive": False})
    draft = call.v1.invoices.create({"customer": customer.id, "currency": currency})
    wanted = lines or [{"amount": 1000, "description": "A", "tax_rates": [rate.id]}]
    call.v1.invoices.add_lines(draft.id, {"lines": wanted})
    return call.v1.invoices.finalize_invoice(draft.id)


def of_line(invoice: Any, place: int = 0, **more: Any) -> list[Any]:
    return [{"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[place].id, **more}]


async def test_before_payment_it_lowers_what_is_due_and_can_be_voided(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> None:
        invoice = bill(call)
        note = call.v1.credit_notes.create({"invoice": invoice.id, "lines": of_line(invoice, amount=400)})
        assert (note.status, note.type, note.total, note.subtotal) == ("issued", "pre_payment", 476, 400)
        assert (note.pre_payment_amount, note.post_payment_amount) == (476, 0)
        assert note.number == f"{invoice.number}-CN-01"
        assert [tax.amount for tax in note.total_taxes or ()] == [76]
        after = call.v1.invoices.retrieve(invoice.id)
        assert (after.total, after.amount_due, after.amount_remaining) == (1190, 714, 714)
        assert (after.pre_payment_credit_notes_amount, after.post_payment_credit_notes_amount) == (476, 0)
        (waiting,) = call.v1.invoice_payments.list({"invoice": invoice.id}).data
        assert waiting.amount_requested == 714
        assert call.v1.credit_notes.void_credit_note(note.id).status == "void"
        with pytest.raises(stripe.InvalidRequestError, match="already voided"):
            call.v1.credit_notes.void_credit_note(note.id)
        assert call.v1.invoices.retrieve(invoice.id).amount_remaining == 1190
        whole = call.v1.credit_notes.create({"invoice": invoice.id, "amount": 1190, "reason": "duplicate"})
        done = call.v1.invoices.retrieve(invoice.id)
        assert (whole.reason, done.status, done.amount_paid, done.amount_remaining) == ("duplicate", "paid", 0, 0)
        with pytest.raises(stripe.InvalidRequestError, match="only void a credit note whose invoice is still open"):
            call.v1.credit_notes.void_credit_note(whole.id)
        assert [one.id for one in call.v1.credit_notes.list({"invoice": invoice.id})] == [whole.id, note.id]

    await client(work)
    kinds = [event["type"] for event in sandbox.world.books.snapshot()["events"]]
    assert kinds.count("credit_note.created") == 2
    assert kinds.count("credit_note.voided") == kinds.count("invoice.paid") == 1


async def test_after_payment_every_cent_has_a_way(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        invoice = bill(call)
        call.v1.invoices.pay(invoice.id, {"payment_method": "pm_card_visa"})
        wrong: list[dict[str, Any]] = [{}, {"refund_amount": 1189}, {"refund_amount": 1000, "credit_amount": 191}]
        for ways in wrong:
            with pytest.raises(stripe.InvalidRequestError, match=r"must equal the post payment credit note amount"):
                call.v1.credit_notes.create({"invoice": invoice.id, "amount": 1190, **ways})  # type: ignore[typeddict-item]
        assert call.v1.refunds.list().data == []
        note: Any = call.v1.credit_notes.create(
            {
                "invoice": invoice.id,
                "lines": of_line(invoice, quantity=1),
                "refund_amount": 700,
                "credit_amount": 400,
                "out_of_band_amount": 90,
            }
        )
        assert (note.type, note.total, note.post_payment_amount, note.out_of_band_amount) == (
            "post_payment",
            1190,
            1190,
            90,
        )
        (part,) = note.refunds
        refund = call.v1.refunds.retrieve(part.refund)
        assert (part.amount_refunded, refund.amount, refund.status) == (700, 700, "succeeded")
        customer = call.v1.customers.retrieve(str(invoice.customer))
        assert customer.balance == -400
        (movement,) = call.v1.customers.balance_transactions.list(str(invoice.customer)).data
        assert (movement.id, movement.amount, movement.type, movement.ending_balance) == (
            note.customer_balance_transaction,
            -400,
            "credit_note",
            -400,
        )
        after = call.v1.invoices.retrieve(invoice.id)
        assert (after.status, after.amount_paid, after.post_payment_credit_notes_amount) == ("paid", 1190, 1190)
        with pytest.raises(stripe.InvalidRequestError, match=r"at most what remains of the invoice \(0\)"):
            call.v1.credit_notes.create({"invoice": invoice.id, "amount": 1, "refund_amount": 1})

    await client(work)


async def test_what_is_paid_too_much_is_the_customers_credit_and_pays_the_next_invoice(client: Client) -> None:
    def pay(call: stripe.StripeClient, invoice: str, customer: str, amount: int) -> Any:
        wanted: Any = {"amount": amount, "currency": "eur", "customer": customer, "payment_method": "pm_card_visa"}
        wanted["confirm"] = True
        intent = call.v1.payment_intents.create(wanted)
        return call.v1.invoices.attach_payment(invoice, {"payment_intent": intent.id})

    def work(call: stripe.StripeClient) -> None:
        invoice = bill(call)
        customer = str(invoice.customer)
        partly = pay(call, str(invoice.id), customer, 190)
        assert (partly.amount_overpaid, call.v1.customers.retrieve(customer).balance) == (0, 0)
        paid = pay(call, str(invoice.id), customer, 1300)
        assert (paid.status, paid.amount_paid, paid.amount_overpaid) == ("paid", 1490, 300)
        (movement,) = call.v1.customers.balance_transactions.list(customer).data
        assert (movement.type, movement.amount, movement.ending_balance, movement.invoice) == (
            "invoice_overpaid",
            -300,
            -300,
            invoice.id,
        )
        events = call.v1.events.list({"limit": 100}).data
        assert [event.data.object["id"] for event in events if event.type == "invoice.overpaid"] == [invoice.id]
        (told,) = [event for event in events if event.type == "customer.updated"]
        assert told.data.object["balance"] == -300
        assert told.data.previous_attributes is not None
        assert told.data.previous_attributes["balance"] == 0
        draft = call.v1.invoices.create({"customer": customer, "currency": "eur"})
        call.v1.invoice_items.create({"customer": customer, "invoice": draft.id, "amount": 1000, "currency": "eur"})
        following = call.v1.invoices.finalize_invoice(str(draft.id))
        assert (following.total, following.amount_due) == (1000, 700)
        assert (following.starting_balance, following.ending_balance) == (-300, 0)

    await client(work)


async def test_of_a_partly_paid_invoice_it_is_mixed(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        invoice = bill(call)
        intent = call.v1.payment_intents.create(
            {"amount": 500, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}
        )
        call.v1.invoices.attach_payment(invoice.id, {"payment_intent": intent.id})
        refund = call.v1.refunds.create({"payment_intent": intent.id, "amount": 310})
        asked: Any = {"invoice": invoice.id, "amount": 1000, "refunds": [{"refund": refund.id}]}
        shown = call.v1.credit_notes.preview(asked)
        note = call.v1.credit_notes.create(asked)
        for one in (shown, note):
            assert (one.type, one.pre_payment_amount, one.post_payment_amount) == ("mixed", 690, 310)
        after = call.v1.invoices.retrieve(invoice.id)
        assert (after.status, after.amount_paid, after.amount_remaining) == ("paid", 500, 0)
        assert len(call.v1.credit_notes.list().data) == 1
        with pytest.raises(stripe.InvalidRequestError, match="Of this refund 0 can be linked"):
            call.v1.credit_notes.create({"invoice": invoice.id, "amount": 100, "refunds": [{"refund": refund.id}]})
        assert call.v1.credit_notes.update(note.id, {"memo": "sorry"}).memo == "sorry"

    await client(work)


async def test_what_cannot_be_credited(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        invoice = bill(call)
        draft = call.v1.invoices.create({"customer": str(invoice.customer)})
        line = invoice.lines.data[0].id
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"invoice": draft.id, "amount": 1}, "an invoice that is draft"),
            ({}, "You must pass one of amount, lines, or shipping_cost"),
            ({"amount": 1191}, r"at most what remains of the invoice \(1190\)"),
            ({"lines": of_line(invoice, amount=1001)}, "at most 1000, what remains of the line"),
            ({"lines": of_line(invoice, quantity=2)}, "at most 1"),
            ({"lines": of_line(invoice)}, "either quantity or amount"),
            ({"lines": [*of_line(invoice, amount=600), *of_line(invoice, amount=401)]}, "at most 400"),
            ({"lines": of_line(invoice, amount=100), "amount": 100}, r"not the sum of the lines \(119\)"),
            ({"lines": [{"type": "invoice_line_item", "invoice_line_item": "il_no"}]}, "No such invoice line item"),
            ({"lines": [{"type": "custom_line_item", "unit_amount": 5}]}, "description"),
            ({"amount": 10, "surplus": 1}, "unknown parameter: surplus"),
            ({"amount": 10, "refund_amount": 10}, r"must equal the post payment credit note amount \(0\)"),
        ]
        for parameters, words in wrong:
            with pytest.raises(stripe.InvalidRequestError, match=words):
                call.v1.credit_notes.create({"invoice": invoice.id, **parameters})  # type: ignore[typeddict-item]
        assert call.v1.credit_notes.list().data == []
        custom: Any = {"type": "custom_line_item", "description": "Goodwill", "unit_amount": 150, "quantity": 2}
        note = call.v1.credit_notes.create({"invoice": invoice.id, "lines": [*of_line(invoice, amount=1), custom]})
        assert (note.total, [one.type for one in note.lines.data]) == (301, ["invoice_line_item", "custom_line_item"])
        assert note.lines.data[0].invoice_line_item == line

    await client(work)


async def test_parts_of_a_line_sum_to_the_whole_with_its_taxes_and_discounts(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        coupon = call.v1.coupons.create({"percent_off": 12.5, "duration": "once"})
        rates = [
            call.v1.tax_rates.create({"display_name": name, "percentage": percent, "inclusive": inclusive}).id
            for name, percent, inclusive in (("A", 7.25, False), ("B", 19, True))
        ]
        lines: Any = [{"amount": 9999, "tax_rates": rates, "discounts": [{"coupon": coupon.id}]}]
        invoice = bill(call, "usd", lines)

        def take(amount: int) -> Any:
            return call.v1.credit_notes.create({"invoice": invoice.id, "lines": of_line(invoice, amount=amount)})

        # One is voided again and made anew in two parts, so that rounding has its chance.
        voided = take(3333)
        notes = [take(1), take(3332)]
        call.v1.credit_notes.void_credit_note(voided.id)
        notes += [take(1111), take(2222), take(3333)]
        assert sum(note.total for note in notes) == invoice.total
        assert sum(note.discount_amount for note in notes) == sum(
            part.amount for part in invoice.total_discount_amounts
        )
        for place in range(2):
            parts = [(note.total_taxes or [])[place].amount for note in notes]
            assert sum(parts) == invoice.total_taxes[place].amount
        done = call.v1.invoices.retrieve(invoice.id)
        assert (done.status, done.amount_remaining) == ("paid", 0)

    await client(work)


async def test_more_lines_than_fit(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        invoice = bill(call)
        custom: Any = [
            {"type": "custom_line_item", "description": str(number), "unit_amount": 1 + number} for number in range(25)
        ]
        note = call.v1.credit_notes.create({"invoice": invoice.id, "lines": custom})
        assert (len(note.lines.data), note.lines.has_more, note.total) == (10, True, 325)
        listed = call.v1.credit_notes.line_items.list(note.id, {"limit": 7})
        assert [line.unit_amount for line in listed.auto_paging_iter()] == list(range(1, 26))

    await client(work)


@pytest.mark.parametrize("version", VERSIONS)
async def test_each_release_shows_it_in_its_shape(client: Client, sandbox: Running, inbox: Inbox, version: str) -> None:
    wish = {"url": inbox.url, "enabled_events": ["credit_note.*"], "api_version": version}
    await sandbox.world.books.seed({"endpoints": [wish]})

    def work(call: stripe.StripeClient) -> Any:
        invoice = bill(call)
        call.v1.invoices.pay(invoice.id, {"payment_method": "pm_card_visa"})
        lines = of_line(invoice, amount=500)
        wanted: Any = {"invoice": invoice.id, "lines": lines, "refund_amount": 595}
        note = call.v1.credit_notes.create(wanted, {"stripe_version": version})
        listed = call.v1.credit_notes.list(options={"stripe_version": version})
        return loads(note.last_response.body), loads(listed.last_response.body)["data"]  # type: ignore[union-attr]

    made, listed = await client(work)
    await settled(sandbox)
    (body,) = inbox.bodies
    told = loads(body)["data"]["object"]
    assert listed == [told] == [made]
    assert not misfits(name_of("credit_note", version), made)
    if version == VERSIONS[0]:
        assert (made["refund"][:3], made["tax_amounts"][0]["amount"]) == ("re_", 95)
    else:
        assert (made["refunds"][0]["amount_refunded"], made["total_taxes"][0]["amount"]) == (595, 95)


async def test_before_basil_one_refund_is_linked_whole(client: Client) -> None:
    options: Any = {"stripe_version": VERSIONS[0]}

    def work(call: stripe.StripeClient) -> None:
        invoice = bill(call)
        intent = next(iter(call.v1.payment_intents.list())).id
        call.v1.invoices.pay(invoice.id, {"payment_method": "pm_card_visa"})
        refund = call.v1.refunds.create({"payment_intent": intent, "amount": 190})
        wanted: Any = {"invoice": invoice.id, "amount": 190, "refund": refund.id}
        assert call.v1.credit_notes.create(wanted, options).to_dict()["refund"] == refund.id
        with pytest.raises(stripe.InvalidRequestError, match="unknown parameter: refund"):
            call.v1.credit_notes.create(wanted)

    await client(work)


async def test_what_a_seed_gives_back_has_its_sums_from_the_sandbox(client: Client, sandbox: Running) -> None:
    """Paid in part, all is taken back, with a refund of what was paid, which fails; a second note is voided."""
    books = sandbox.world.books
    line = {"amount": 1000, "description": "A"}

    def bill(key: str, payments: Any, credits: Any) -> dict[str, Any]:
        create = {"customer": "@alder", "currency": "eur"}
        return {"key": key, "create": create, "lines": [line, line], "payments": payments, "credits": credits}

    whole = {"lines": [{"line": 0, "quantity": 1}, {"line": 1, "quantity": 1}], "fails_after": 0}
    await books.seed(
        {
            "customers": [{"key": "alder", "name": "Alder Works"}],
            "invoices": [
                bill("mixed", [{"amount": 500}], [whole]),
                bill("open", [], [{"amount": 300, "void_after": 0}]),
                bill("paid", [{}], [{"amount": 200, "back": "outside"}, {"amount": 100, "alone": True}]),
            ],
        }
    )
    found = books.snapshot()
    outside, void, mixed = sorted(found["credit_notes"], key=lambda note: note["total"])
    assert (mixed["type"], mixed["pre_payment_amount"], mixed["post_payment_amount"]) == ("mixed", 1500, 500)
    assert (void["status"], void["type"]) == ("void", "pre_payment")
    assert (outside["post_payment_amount"], outside["out_of_band_amount"], outside["refunds"]) == (200, 200, [])
    refunds = {refund["amount"]: refund["status"] for refund in found["refunds"]}
    assert refunds == {500: "failed", 100: "succeeded"}
    with pytest.raises(ValueError, match="credits: unknown key reason"):
        await books.seed({"credits": [{"invoice": "@paid", "amount": 1, "reason": "duplicate"}]})
