"""What users of Stripe do every day beside invoicing: payment methods, items, coupons, balances, destinations."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from hub.sandbox.server import Running
from tests.connectors.stripe.partners import Client

DAY = 86400


def refused(code: str | None, work: Any, match: str | None = None) -> None:
    with pytest.raises(stripe.StripeError, match=match) as error:
        work()
    assert error.value.code == code


def sold(call: stripe.StripeClient, cents: int = 1000) -> Any:
    """Make a product with a monthly price of its own."""
    price: Any = {"currency": "eur", "unit_amount": cents, "recurring": {"interval": "month"}}
    return call.v1.products.create({"name": "Seats", "default_price_data": price, "expand": ["default_price"]})


async def test_a_payment_method_is_one_customers(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        one, other = call.v1.customers.create({}).id, call.v1.customers.create({}).id
        card: Any = {"type": "card", "card": {"token": "tok_mastercard"}, "billing_details": {"name": "Alder"}}
        made = call.v1.payment_methods.create(card)
        assert made.card is not None
        assert (made.customer, made.card.brand, made.card.last4, made.billing_details.name) == (
            None,
            "mastercard",
            "4444",
            "Alder",
        )
        assert call.v1.payment_methods.attach(made.id, {"customer": one}).customer == one
        refused(None, lambda: call.v1.payment_methods.attach(made.id, {"customer": other}), "already been attached")
        second = call.v1.payment_methods.attach("pm_card_visa", {"customer": one})
        assert second.id != "pm_card_visa"
        assert [one.id for one in call.v1.payment_methods.list({"customer": one})] == [second.id, made.id]
        assert [one.id for one in call.v1.customers.payment_methods.list(one, {"limit": 1}).auto_paging_iter()] == [
            second.id,
            made.id,
        ]
        changed = call.v1.payment_methods.update(made.id, {"billing_details": {"address": {"city": "Graz"}}})
        assert changed.billing_details.address is not None
        assert (changed.billing_details.name, changed.billing_details.address.city) == ("Alder", "Graz")
        call.v1.customers.update(one, {"invoice_settings": {"default_payment_method": made.id}})
        assert call.v1.payment_methods.detach(made.id).customer is None
        settings = call.v1.customers.retrieve(one).invoice_settings
        assert settings is not None
        assert settings.default_payment_method is None
        refused(None, lambda: call.v1.payment_methods.detach(made.id), "not attached")
        kinds = [event.type for event in call.v1.events.list({"types": ["payment_method.attached"]})]
        assert len(kinds) == 2
        number: Any = {"type": "card", "card": {"number": "4242424242424242", "exp_month": 1, "exp_year": 2030}}
        refused(None, lambda: call.v1.payment_methods.create(number), "unsafe")
        for token in ("tok_nothing", "visa"):
            wrong: Any = {"type": "card", "card": {"token": token}}
            refused("resource_missing", lambda wrong=wrong: call.v1.payment_methods.create(wrong))
        refused("resource_missing", lambda: call.v1.payment_methods.retrieve("pm_nothing"))

    await client(work)


async def test_what_a_customer_pays_with_is_what_was_attached(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        product = sold(call)
        settings: Any = {"default_payment_method": "pm_card_chargeCustomerFail"}
        wanted: Any = {"payment_method": "pm_card_chargeCustomerFail", "invoice_settings": settings}
        customer: Any = call.v1.customers.create(wanted)
        (kept,) = call.v1.payment_methods.list({"customer": customer.id})
        assert customer.invoice_settings.default_payment_method == kept.id
        items: Any = [{"price": product.default_price.id}]
        begun: Any = {"customer": customer.id, "items": items, "payment_behavior": "allow_incomplete"}
        assert call.v1.subscriptions.create(begun).status == "incomplete"
        # An invoice's own payment method comes before the customer's.
        draft = call.v1.invoices.create(
            {"customer": customer.id, "currency": "eur", "default_payment_method": "pm_card_visa"}
        )
        call.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 500}]})
        call.v1.invoices.finalize_invoice(draft.id, {"auto_advance": True})
        assert call.v1.invoices.retrieve(draft.id).status == "paid"

    await client(work)


@pytest.mark.parametrize(
    "method",
    [
        "pm_card_chargeDeclinedInsufficientFunds",
        "pm_card_visa_chargeDeclinedStolenCard",
        "pm_card_chargeDeclinedExpiredCard",
        "pm_card_authenticationRequired",
    ],
)
async def test_no_test_card_that_is_declined_pays_for_a_subscription(client: Client, method: str) -> None:
    def work(call: stripe.StripeClient) -> None:
        price = sold(call).default_price.id
        customer = call.v1.customers.create({"invoice_settings": {"default_payment_method": method}}).id
        assert call.v1.subscriptions.create({"customer": customer, "items": [{"price": price}]}).status == "incomplete"
        (invoice,) = call.v1.invoices.list({"customer": customer}).data
        assert (invoice.status, invoice.amount_paid) == ("open", 0)

    await client(work)


async def test_an_invoice_is_paid_with_what_its_customer_has(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        def opened(method: str | None) -> str:
            settings: Any = {} if method is None else {"invoice_settings": {"default_payment_method": method}}
            customer = call.v1.customers.create(settings).id
            draft = call.v1.invoices.create({"customer": customer, "currency": "eur"})
            call.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 500}]})
            return call.v1.invoices.finalize_invoice(draft.id, {"auto_advance": False}).id

        failing = opened("pm_card_chargeCustomerFail")
        refused("card_declined", lambda: call.v1.invoices.pay(failing))
        assert call.v1.invoices.pay(failing, {"payment_method": "pm_card_visa"}).status == "paid"
        call.v1.invoices.pay(opened("pm_card_createDispute"))
        assert [dispute.reason for dispute in call.v1.disputes.list()] == ["fraudulent"]
        # Where nobody has named anything to charge, nothing is charged.
        bare = opened(None)
        refused("missing", lambda: call.v1.invoices.pay(bare))
        kept = call.v1.invoices.retrieve(bare)
        assert (kept.status, kept.amount_paid, kept.attempt_count) == ("open", 0, 0)
        assert [charge.amount for charge in call.v1.charges.list({"customer": str(kept.customer)})] == []

    await client(work)


async def test_a_default_payment_method_is_one_that_there_is(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        nothing: Any = {"default_payment_method": "pm_nothing"}
        customer = call.v1.customers.create({}).id
        price = sold(call).default_price.id
        begun: Any = {"customer": customer, "items": [{"price": price}], **nothing}
        draft = call.v1.invoices.create({"customer": customer, "currency": "eur"}).id
        for write in (
            lambda: call.v1.customers.create({"invoice_settings": nothing}),
            lambda: call.v1.customers.update(customer, {"invoice_settings": nothing}),
            lambda: call.v1.invoices.update(draft, nothing),
            lambda: call.v1.subscriptions.create(begun),
        ):
            refused("resource_missing", write)

    await client(work)


async def test_a_product_with_its_first_price(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        product = sold(call, 1250)
        assert (product.default_price.unit_amount, product.default_price.product) == (1250, product.id)
        assert [one.id for one in call.v1.prices.list({"product": product.id})] == [product.default_price.id]
        features: Any = [{"name": "Fast"}]
        assert (
            call.v1.products.update(product.id, {"marketing_features": features}).marketing_features[0].name == "Fast"
        )
        wrong: Any = {"name": "A", "default_price_data": {"currency": "eur"}}
        refused("parameter_missing", lambda: call.v1.products.create(wrong))
        assert [one.name for one in call.v1.products.list()] == ["Seats"]

    await client(work)


async def test_a_price_is_not_below_nothing(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        product = call.v1.products.create({"name": "A"}).id
        for amount in ({"unit_amount": -5}, {"unit_amount_decimal": "-0.5"}):
            wanted: Any = {"product": product, "currency": "eur", **amount}
            refused("parameter_invalid_integer", lambda wanted=wanted: call.v1.prices.create(wanted))
        assert call.v1.prices.create({"product": product, "currency": "eur", "unit_amount": 0}).unit_amount == 0

    await client(work)


async def test_a_first_payment_is_confirmed_by_the_customer(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        price = sold(call).default_price.id
        customer = call.v1.customers.create({}).id
        begun: Any = call.v1.subscriptions.create(
            {
                "customer": customer,
                "items": [{"price": price}],
                "payment_behavior": "default_incomplete",
                "expand": ["latest_invoice.confirmation_secret"],
            }
        )
        secret = begun.latest_invoice.confirmation_secret
        intent = str(secret.client_secret).partition("_secret_")[0]
        assert (begun.status, secret.type) == ("incomplete", "payment_intent")
        assert call.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa"}).status == "succeeded"
        assert call.v1.subscriptions.retrieve(begun.id).status == "active"
        paid: Any = call.v1.invoices.retrieve(begun.latest_invoice.id, {"expand": ["confirmation_secret"]})
        assert paid.confirmation_secret is None

    await client(work)


async def test_lines_of_a_draft_are_changed_and_taken_out(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer = call.v1.customers.create({}).id
        draft = call.v1.invoices.create({"customer": customer, "currency": "eur"})
        call.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 100}, {"amount": 200}, {"amount": 400}]})
        first, second, third = [line.id for line in call.v1.invoices.line_items.list(draft.id)]
        assert call.v1.invoices.line_items.update(draft.id, first, {"amount": 150, "description": "A"}).amount == 150
        assert call.v1.invoices.update_lines(draft.id, {"lines": [{"id": second, "amount": 250}]}).total == 800
        wrong: Any = {"lines": [{"id": second, "amount": 1}, {"id": "il_nothing", "amount": 1}]}
        refused("resource_missing", lambda: call.v1.invoices.update_lines(draft.id, wrong))
        assert call.v1.invoices.retrieve(draft.id).total == 800
        taken: Any = {"lines": [{"id": second, "behavior": "unassign"}, {"id": third, "behavior": "delete"}]}
        assert call.v1.invoices.remove_lines(draft.id, taken).total == 150
        waiting = call.v1.invoice_items.list({"customer": customer, "pending": True})
        assert [item.amount for item in waiting] == [250]
        call.v1.invoices.finalize_invoice(draft.id)
        late: Any = {"lines": [{"id": first, "behavior": "delete"}]}
        refused("invoice_not_editable", lambda: call.v1.invoices.remove_lines(draft.id, late))
        refused("invoice_not_editable", lambda: call.v1.invoices.line_items.update(draft.id, first, {"amount": 1}))

    await client(work)


async def test_items_of_a_subscription_by_themselves(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        seats, extra = sold(call).default_price.id, sold(call, 300).default_price.id
        customer = call.v1.customers.create({"invoice_settings": {"default_payment_method": "pm_card_visa"}}).id
        begun = call.v1.subscriptions.create({"customer": customer, "items": [{"price": seats, "quantity": 2}]})
        first = begun["items"].data[0].id
        added = call.v1.subscription_items.create({"subscription": begun.id, "price": extra, "quantity": 5})
        assert (added.subscription, added.quantity, added.price.id) == (begun.id, 5, extra)
        quantity = call.v1.subscription_items.update(first, {"quantity": 4, "proration_behavior": "none"}).quantity
        assert quantity == 4
        gone = call.v1.subscription_items.delete(added.id)
        assert gone.to_dict() == {"id": added.id, "object": "subscription_item", "deleted": True}
        assert [one.id for one in call.v1.subscription_items.list({"subscription": begun.id})] == [first]
        refused(None, lambda: call.v1.subscription_items.delete(first), "at least one item")
        refused("resource_missing", lambda: call.v1.subscription_items.update(added.id, {"quantity": 1}))
        surplus: Any = {"subscription": begun.id, "price": extra, "colour": "red"}
        refused("parameter_unknown", lambda: call.v1.subscription_items.create(surplus))

    await client(work)


async def test_coupons_and_tax_rates_change_little(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        call.v1.coupons.create({"id": "TEN", "percent_off": 10, "duration": "once"})
        assert call.v1.coupons.update("TEN", {"name": "Ten off", "metadata": {"a": "1"}}).name == "Ten off"
        surplus: Any = {"percent_off": 20}
        refused("parameter_unknown", lambda: call.v1.coupons.update("TEN", surplus))
        customer = call.v1.customers.create({}).id
        draft = call.v1.invoices.create({"customer": customer, "currency": "eur", "discounts": [{"coupon": "TEN"}]})
        call.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 1000}]})
        assert call.v1.coupons.delete("TEN").to_dict()["deleted"] is True
        refused("resource_missing", lambda: call.v1.coupons.retrieve("TEN"))
        # Who has the discount already keeps it.
        assert call.v1.invoices.finalize_invoice(draft.id).total == 900
        rate = call.v1.tax_rates.create({"display_name": "VAT", "percentage": 19, "inclusive": False})
        assert call.v1.tax_rates.update(rate.id, {"active": False, "description": "old"}).active is False
        assert [one.id for one in call.v1.tax_rates.list({"active": True})] == []

    await client(work)


async def test_every_change_of_a_balance_is_kept(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer = call.v1.customers.create({}).id
        credit = call.v1.customers.balance_transactions.create(
            customer, {"amount": -700, "currency": "eur", "description": "Goodwill"}
        )
        assert (credit.type, credit.ending_balance, credit.description) == ("adjustment", -700, "Goodwill")
        draft = call.v1.invoices.create({"customer": customer, "currency": "eur"})
        call.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 500}]})
        final = call.v1.invoices.finalize_invoice(draft.id)
        assert (final.status, final.amount_due, final.ending_balance) == ("paid", 0, -200)
        listed = call.v1.customers.balance_transactions.list(customer)
        assert [(one.type, one.amount, one.ending_balance) for one in listed] == [
            ("applied_to_invoice", 500, -200),
            ("adjustment", -700, -700),
        ]
        assert listed.data[0].invoice == draft.id
        assert sum(one.amount for one in listed) == call.v1.customers.retrieve(customer).balance

    await client(work)


async def test_a_balance_in_one_currency_pays_nothing_in_another(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        def billed(customer: str, currency: str) -> Any:
            draft = call.v1.invoices.create({"customer": customer, "currency": currency})
            call.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 2000}]})
            final = call.v1.invoices.finalize_invoice(draft.id)
            return final.amount_due, final.starting_balance, final.ending_balance

        customer = call.v1.customers.create({}).id
        move = call.v1.customers.balance_transactions.create
        move(customer, {"amount": -500, "currency": "eur"})
        assert call.v1.customers.retrieve(customer).currency == "eur"
        assert billed(customer, "usd") == (2000, 0, 0)
        assert move(customer, {"amount": -300, "currency": "usd"}).ending_balance == -300
        assert call.v1.customers.retrieve(customer).balance == -500
        assert billed(customer, "usd") == (1700, -300, 0)
        assert billed(customer, "eur") == (1500, -500, 0)
        assert move(customer, {"amount": 10, "currency": "usd"}).ending_balance == 10
        assert call.v1.customers.retrieve(customer).balance == 0

    await client(work)


async def test_notes_on_an_invoice_and_a_payment_are_shown_again(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer = call.v1.customers.create({}).id
        fields: Any = [{"name": "PO", "value": "7"}]
        wanted: Any = {"customer": customer, "custom_fields": fields, "statement_descriptor": "ALDER"}
        draft: Any = call.v1.invoices.create(wanted)
        assert ([one.value for one in draft.custom_fields], draft.statement_descriptor) == (["7"], "ALDER")
        asked: Any = {
            "amount": 500,
            "currency": "eur",
            "receipt_email": "a@b.example",
            "setup_future_usage": "off_session",
        }
        intent = call.v1.payment_intents.create(asked)
        assert (intent.receipt_email, intent.setup_future_usage) == ("a@b.example", "off_session")
        taxed: Any = {"customer": customer, "automatic_tax": {"enabled": True}}
        refused(None, lambda: call.v1.invoices.create(taxed), "automatic_tax")
        call.v1.invoices.create({"customer": customer, "automatic_tax": {"enabled": False}})

    await client(work)


async def test_lines_of_a_credit_note_that_is_not_made(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer = call.v1.customers.create({}).id
        draft = call.v1.invoices.create({"customer": customer, "currency": "eur"})
        call.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 100 + day} for day in range(15)]})
        final = call.v1.invoices.finalize_invoice(draft.id)
        every = call.v1.invoices.line_items.list(final.id, {"limit": 100}).data
        lines: Any = [{"type": "invoice_line_item", "invoice_line_item": one.id, "amount": 50} for one in every]
        shown = call.v1.credit_notes.preview_lines.list({"invoice": final.id, "lines": lines, "limit": 100})
        assert [line.amount for line in shown] == [50] * 15
        assert call.v1.credit_notes.list({"invoice": final.id}).data == []

    await client(work)


async def test_a_destination_is_changed_switched_off_and_deleted(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> None:
        wanted: Any = {
            "name": "meters",
            "type": "webhook_endpoint",
            "event_payload": "thin",
            "enabled_events": ["v1.billing.meter.no_meter_found"],
            "webhook_endpoint": {"url": "https://hooks.example/a"},
        }
        made = call.v2.core.event_destinations.create(wanted)
        place = {"url": "https://hooks.example/b"}
        moved: Any = {"name": "usage", "webhook_endpoint": place, "include": ["webhook_endpoint.url"]}
        changed: Any = call.v2.core.event_destinations.update(made.id, moved)
        assert (changed.name, changed.webhook_endpoint.url) == ("usage", "https://hooks.example/b")
        off: Any = call.v2.core.event_destinations.disable(made.id)
        assert (off.status, off.status_details.disabled.reason) == ("disabled", "user")
        call.v1.billing.meter_events.create({"event_name": "nobody", "payload": {"value": "1"}})

    await client(work)
    sandbox.world.clock.advance(60)

    def rest(call: stripe.StripeClient) -> None:
        (made,) = call.v2.core.event_destinations.list().data
        assert call.v2.core.events.list({}).data != []
        assert call.v2.core.event_destinations.enable(made.id).status == "enabled"
        call.v2.core.event_destinations.delete(made.id)
        assert call.v2.core.event_destinations.list().data == []
        refused("resource_missing", lambda: call.v2.core.event_destinations.retrieve(made.id))

    await client(rest)
    # While it was switched off, nothing was sent.
    assert sandbox.world.books.snapshot()["deliveries"] == []
