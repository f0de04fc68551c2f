"""Subscriptions in the sandbox, with Stripe's own library: periods, renewals, changes within one, and their end."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.stripe.sandbox import customers, prices, products, subscriptions
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.terms import after, period_at
from hub.sandbox.server import Running
from hub.sandbox.world import World
from tests.connectors.stripe.partners import Client, Inbox

DAY, HOUR = 86400, 3600


def seconds(year: int, month: int, day: int, hour: int) -> int:
    return int(datetime(year, month, day, hour, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("interval", "count", "periods", "expected"),
    [
        ("day", 10, 3, (2026, 3, 2, 9)),
        ("week", 2, 1, (2026, 2, 14, 9)),
        ("month", 1, 1, (2026, 2, 28, 9)),
        ("month", 1, 2, (2026, 3, 31, 9)),
        ("month", 3, 1, (2026, 4, 30, 9)),
        ("month", 1, 11, (2026, 12, 31, 9)),
        ("year", 1, 1, (2027, 1, 31, 9)),
    ],
)
def test_periods_follow_the_calendar(
    interval: str, count: int, periods: int, expected: tuple[int, int, int, int]
) -> None:
    anchor = seconds(2026, 1, 31, 9)
    terms = {"interval": interval, "interval_count": count}
    end = after(anchor, terms, periods)
    assert end == seconds(*expected)
    start, ends = period_at(anchor, terms, end - 1)
    assert ends == end
    assert start == after(anchor, terms, periods - 1)
    assert period_at(anchor, terms, end)[0] == end


def sold(call: stripe.StripeClient, *, method: str | None = "pm_card_visa", amount: int = 3000) -> tuple[str, str]:
    """Make a customer who can be charged and a monthly price."""
    wanted: Any = {"name": "Alder"}
    if method is not None:
        wanted["invoice_settings"] = {"default_payment_method": method}
    customer = call.v1.customers.create(wanted).id
    product = call.v1.products.create({"name": "Seats"}).id
    price = call.v1.prices.create(
        {"product": product, "currency": "eur", "unit_amount": amount, "recurring": {"interval": "month"}}
    )
    return customer, price.id


def types(call: stripe.StripeClient, *wanted: str) -> list[str]:
    """Give the types of events, oldest first."""
    listed = call.v1.events.list({"limit": 100})
    return [event.type for event in reversed(listed.data) if event.type in wanted]


async def test_a_subscription_renews_and_is_charged(client: Client, sandbox: Running) -> None:
    def begin(call: stripe.StripeClient) -> Any:
        customer, price = sold(call)
        made = call.v1.subscriptions.create({"customer": customer, "items": [{"price": price, "quantity": 2}]})
        assert made.status == "active"
        first = call.v1.invoices.retrieve(str(made.latest_invoice))
        assert (first.status, first.total, first.billing_reason) == ("paid", 6000, "subscription_create")
        line = first.lines.data[0]
        item = made["items"].data[0]
        assert (line.period.start, line.period.end) == (item.current_period_start, item.current_period_end)
        assert line.parent is not None
        assert line.parent.subscription_item_details is not None
        assert line.parent.subscription_item_details.subscription_item == item.id
        assert types(call, "customer.subscription.created", "invoice.paid", "customer.subscription.updated") == [
            "customer.subscription.created",
            "invoice.paid",
            "customer.subscription.updated",
        ]
        return made

    made = await client(begin)
    period_end = made["items"].data[0].current_period_end

    def look(call: stripe.StripeClient) -> Any:
        found = call.v1.subscriptions.retrieve(made.id)
        return found, call.v1.invoices.retrieve(str(found.latest_invoice))

    sandbox.world.clock.advance(period_end - sandbox.world.clock.timestamp() + 60)
    found, invoice = await client(look)
    assert found["items"].data[0].current_period_start == period_end
    assert (invoice.status, invoice.total, invoice.billing_reason) == ("draft", 6000, "subscription_cycle")
    assert (invoice.created, invoice.automatically_finalizes_at) == (period_end, period_end + HOUR)
    sandbox.world.clock.advance(HOUR)
    found, invoice = await client(look)
    assert (invoice.status, invoice.amount_paid) == ("paid", 6000)
    assert invoice.status_transitions.paid_at == period_end + HOUR
    # Several periods at once: each is billed in its turn.
    sandbox.world.clock.advance(100 * DAY)
    invoices = await client(lambda call: call.v1.invoices.list({"subscription": made.id}).data)
    assert len(invoices) == 5
    starts = [one.lines.data[0].period.start for one in reversed(invoices)]
    ends = [one.lines.data[0].period.end for one in reversed(invoices)]
    assert starts[1:] == ends[:-1]


async def test_changes_within_a_period_are_prorated_by_the_second(client: Client, sandbox: Running) -> None:
    def begin(call: stripe.StripeClient) -> Any:
        customer, price = sold(call)
        return call.v1.subscriptions.create({"customer": customer, "items": [{"price": price, "quantity": 2}]})

    made = await client(begin)
    item = made["items"].data[0]
    start, end = item.current_period_start, item.current_period_end
    middle = start + (end - start) // 4

    def change(call: stripe.StripeClient) -> None:
        changed = call.v1.subscriptions.update(
            made.id, {"items": [{"id": item.id, "quantity": 5}], "proration_date": middle}
        )
        assert changed["items"].data[0].quantity == 5
        pending = call.v1.invoice_items.list({"customer": str(made.customer), "pending": True}).data
        left = (end - middle) / (end - start)
        assert sorted(one.amount for one in pending) == [-round(6000 * left), round(15000 * left)]
        assert all(one.proration for one in pending)
        with pytest.raises(stripe.InvalidRequestError):
            call.v1.subscriptions.update(made.id, {"items": [{"id": item.id, "quantity": 7}, {"id": "si_other"}]})
        assert call.v1.subscriptions.retrieve(made.id)["items"].data[0].quantity == 5

    await client(change)
    sandbox.world.clock.advance(end - sandbox.world.clock.timestamp() + 1)
    latest = await client(lambda call: call.v1.invoices.list({"subscription": made.id}).data[0])
    assert sorted(line.amount for line in latest.lines.data) == [-4500, 11250, 15000]
    assert latest.total == 15000 + 11250 - 4500

    def at_once(call: stripe.StripeClient) -> Any:
        call.v1.subscriptions.update(
            made.id, {"items": [{"id": item.id, "quantity": 6}], "proration_behavior": "always_invoice"}
        )
        return call.v1.invoices.list({"subscription": made.id}).data[0]

    invoice = await client(at_once)
    assert (invoice.billing_reason, invoice.status) == ("subscription_update", "paid")
    assert 2990 <= invoice.total <= 3000
    assert len(invoice.lines.data) == 2


@settings(max_examples=60, deadline=None)
@given(
    price=st.integers(1, 100_000),
    first=st.integers(0, 50),
    changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 50)), max_size=6),
)
def test_what_is_prorated_adds_up_to_what_was_had(price: int, first: int, changes: list[tuple[float, int]]) -> None:
    account = Account(World(name="stripe", seed=1))
    customer = customers.create(account, Parameters({"name": "A"}))["id"]
    product = products.create(account, Parameters({"name": "Seats"}))["id"]
    terms = {"product": product, "currency": "eur", "unit_amount": price, "recurring": {"interval": "month"}}
    sold_at = prices.create(account, Parameters(terms))["id"]
    wanted = {
        "customer": customer,
        "items": [{"price": sold_at, "quantity": first}],
        "collection_method": "send_invoice",
        "days_until_due": 30,
    }
    made = subscriptions.create(account, Parameters(wanted))
    item = made["items"]["data"][0]
    start, end = item["current_period_start"], item["current_period_end"]
    had, at, quantity = Fraction(0), start, first
    for share, other in sorted(changes):
        moment = start + int((end - start) * share)
        had += Fraction(quantity * price * (moment - at), end - start)
        update = {"items": [{"id": item["id"], "quantity": other}], "proration_date": moment}
        subscriptions.update(account, made["id"], Parameters(update))
        at, quantity = moment, other
    had += Fraction(quantity * price * (end - at), end - start)
    billed = first * price + sum(one["amount"] for one in account.invoiceitems.oldest_first())
    assert abs(billed - had) <= len(changes)


async def test_a_new_item_is_billed_for_what_is_left_of_the_period(client: Client, sandbox: Running) -> None:
    def begin(call: stripe.StripeClient) -> tuple[Any, str]:
        customer, price = sold(call)
        product = call.v1.products.create({"name": "Desks"}).id
        terms: Any = {"product": product, "currency": "eur", "unit_amount": 900, "recurring": {"interval": "month"}}
        other = call.v1.prices.create(terms).id
        return call.v1.subscriptions.create({"customer": customer, "items": [{"price": price}]}), other

    made, other = await client(begin)
    start, end = made["items"].data[0].current_period_start, made["items"].data[0].current_period_end
    sandbox.world.clock.advance((end - start) // 3)

    def add(call: stripe.StripeClient) -> list[int]:
        call.v1.subscriptions.update(made.id, {"items": [{"price": other, "quantity": 2}]})
        return [one.amount for one in call.v1.invoice_items.list({"customer": str(made.customer), "pending": True})]

    (amount,) = await client(add)
    assert abs(amount - 1200) <= 1


async def test_a_trial_costs_nothing_until_it_ends(client: Client, sandbox: Running) -> None:
    def begin(call: stripe.StripeClient) -> Any:
        customer, price = sold(call)
        made = call.v1.subscriptions.create(
            {"customer": customer, "items": [{"price": price}], "trial_period_days": 14}
        )
        assert made.status == "trialing"
        assert call.v1.invoices.retrieve(str(made.latest_invoice)).total == 0
        return made

    made = await client(begin)
    sandbox.world.clock.advance(14 * DAY + 2 * HOUR)
    found = await client(lambda call: call.v1.subscriptions.retrieve(made.id))
    assert (found.status, found.billing_cycle_anchor) == ("active", made.trial_end)
    invoice = await client(lambda call: call.v1.invoices.retrieve(str(found.latest_invoice)))
    assert (invoice.status, invoice.total) == ("paid", 3000)


async def test_who_cannot_be_charged(client: Client, sandbox: Running) -> None:
    def nobody(call: stripe.StripeClient) -> None:
        customer, price = sold(call, method=None)
        wanted: Any = {"customer": customer, "items": [{"price": price}]}
        with pytest.raises(stripe.InvalidRequestError) as missing:
            call.v1.subscriptions.create(wanted)
        assert missing.value.code == "resource_missing"
        later: Any = {**wanted, "payment_behavior": "default_incomplete"}
        made = call.v1.subscriptions.create(later)
        assert made.status == "incomplete"
        invoice = str(made.latest_invoice)
        assert call.v1.invoices.retrieve(invoice).status == "open"
        call.v1.invoices.pay(invoice, {"payment_method": "pm_card_visa"})
        assert call.v1.subscriptions.retrieve(made.id).status == "active"

    def declined(call: stripe.StripeClient) -> str:
        customer, price = sold(call, method="pm_card_chargeDeclined")
        wanted: Any = {"customer": customer, "items": [{"price": price}]}
        strict: Any = {**wanted, "payment_behavior": "error_if_incomplete"}
        with pytest.raises(stripe.CardError) as refused:
            call.v1.subscriptions.create(strict)
        assert refused.value.code == "card_declined"
        assert call.v1.subscriptions.list({"customer": customer, "status": "all"}).data == []
        made = call.v1.subscriptions.create(wanted)
        assert made.status == "incomplete"
        return made.id

    await client(nobody)
    identifier = await client(declined)
    sandbox.world.clock.advance(24 * HOUR)
    found = await client(lambda call: call.v1.subscriptions.retrieve(identifier))
    assert found.status == "incomplete_expired"
    assert (await client(lambda call: call.v1.invoices.retrieve(str(found.latest_invoice)))).status == "void"


async def test_a_charge_that_fails_is_tried_again_and_ends_it(client: Client, sandbox: Running) -> None:
    def begin(call: stripe.StripeClient) -> tuple[str, str]:
        customer, price = sold(call)
        return customer, call.v1.subscriptions.create({"customer": customer, "items": [{"price": price}]}).id

    customer, identifier = await client(begin)
    bad: Any = {"invoice_settings": {"default_payment_method": "pm_card_chargeCustomerFail"}}
    await client(lambda call: call.v1.customers.update(customer, bad))
    sandbox.world.clock.advance(32 * DAY)
    found = await client(lambda call: call.v1.subscriptions.retrieve(identifier))
    assert found.status == "past_due"
    invoice = await client(lambda call: call.v1.invoices.retrieve(str(found.latest_invoice)))
    assert (invoice.status, invoice.attempted) == ("open", True)
    assert invoice.next_payment_attempt is not None
    good: Any = {"invoice_settings": {"default_payment_method": "pm_card_visa"}}
    await client(lambda call: call.v1.customers.update(customer, good))
    sandbox.world.clock.advance(4 * DAY)
    assert (await client(lambda call: call.v1.subscriptions.retrieve(identifier))).status == "active"
    await client(lambda call: call.v1.customers.update(customer, bad))
    sandbox.world.clock.advance(60 * DAY)
    ended = await client(lambda call: call.v1.subscriptions.retrieve(identifier))
    assert (ended.status, ended.cancellation_details and ended.cancellation_details.reason) == (
        "canceled",
        "payment_failed",
    )


async def test_the_end(client: Client, sandbox: Running) -> None:
    def begin(call: stripe.StripeClient) -> tuple[Any, Any]:
        customer, price = sold(call)
        wanted: Any = {"customer": customer, "items": [{"price": price}]}
        return call.v1.subscriptions.create(wanted), call.v1.subscriptions.create(wanted)

    now, later = await client(begin)

    def end(call: stripe.StripeClient) -> None:
        ended = call.v1.subscriptions.cancel(now.id, {"prorate": True, "invoice_now": True})
        assert ended.status == "canceled"
        credit = call.v1.invoices.retrieve(str(ended.latest_invoice))
        assert credit.total <= -2999
        with pytest.raises(stripe.InvalidRequestError) as again:
            call.v1.subscriptions.cancel(now.id)
        assert (again.value.http_status, again.value.code) == (404, "resource_missing")
        call.v1.subscriptions.update(now.id, {"metadata": {"note": "kept"}})
        with pytest.raises(stripe.InvalidRequestError, match="canceled subscription"):
            call.v1.subscriptions.update(now.id, {"description": "no"})
        marked = call.v1.subscriptions.update(later.id, {"cancel_at_period_end": True})
        assert (marked.status, marked.cancel_at) == ("active", marked["items"].data[0].current_period_end)
        assert [one.id for one in call.v1.subscriptions.list()] == [later.id]
        assert [one.id for one in call.v1.subscriptions.list({"status": "canceled"})] == [now.id]

    await client(end)
    sandbox.world.clock.advance(32 * DAY)
    found = await client(lambda call: call.v1.subscriptions.retrieve(later.id))
    assert found.status == "canceled"
    assert found.ended_at == found.cancel_at
    # The other's end is more than the 30 days ago for which events are kept.
    assert await client(lambda call: types(call, "customer.subscription.deleted")) == ["customer.subscription.deleted"]
    assert len(await client(lambda call: call.v1.invoices.list({"subscription": later.id}).data)) == 1


async def test_a_sent_invoice_is_finalised_and_due(client: Client, sandbox: Running) -> None:
    def begin(call: stripe.StripeClient) -> Any:
        customer, price = sold(call, method=None)
        coupon = call.v1.coupons.create({"percent_off": 50, "duration": "once"}).id
        rate = call.v1.tax_rates.create({"display_name": "VAT", "percentage": 20, "inclusive": False}).id
        with pytest.raises(stripe.InvalidRequestError) as missing:
            call.v1.subscriptions.create(
                {"customer": customer, "items": [{"price": price}], "collection_method": "send_invoice"}
            )
        assert missing.value.param == "days_until_due"
        return call.v1.subscriptions.create(
            {
                "customer": customer,
                "items": [{"price": price, "tax_rates": [rate]}],
                "collection_method": "send_invoice",
                "days_until_due": 30,
                "discounts": [{"coupon": coupon}],
            }
        )

    made = await client(begin)
    assert made.status == "active"
    sandbox.world.clock.advance(HOUR + 1)
    invoice = await client(lambda call: call.v1.invoices.retrieve(str(made.latest_invoice)))
    assert (invoice.status, invoice.total, invoice.amount_paid) == ("open", 1800, 0)
    assert invoice.due_date == invoice.created + 30 * DAY
    sandbox.world.clock.advance(32 * DAY)
    later = await client(lambda call: call.v1.invoices.list({"subscription": made.id}).data[0])
    assert (later.status, later.total) == ("open", 3600)


async def test_a_draft_waits_for_an_endpoint_that_does_not_take_it(
    client: Client, sandbox: Running, inbox: Inbox
) -> None:
    inbox.statuses = [500] * 100
    wish = {
        "switches": {"webhook_waits": [0.01] * 3},
        "endpoints": [{"url": inbox.url, "enabled_events": ["invoice.created"]}],
    }
    await sandbox.world.books.seed(wish)

    def begin(call: stripe.StripeClient) -> str:
        customer = call.v1.customers.create({"name": "A"}).id
        draft = call.v1.invoices.create({"customer": customer, "currency": "eur", "auto_advance": True})
        call.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 100, "description": "A"}]})
        return draft.id

    identifier = await client(begin)
    for hours, status in ((2, "draft"), (40, "draft"), (32, "open")):
        sandbox.world.clock.advance(hours * HOUR)
        assert (await client(lambda call: call.v1.invoices.retrieve(identifier))).status == status


async def test_acacia_shows_the_period_on_the_subscription(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer, price = sold(call)
        made = call.v1.subscriptions.create({"customer": customer, "items": [{"price": price}]})
        acacia: Any = {"stripe_version": "2025-02-24.acacia"}
        shown = call.v1.subscriptions.retrieve(made.id, options=acacia)
        wanted: Any = {"expand": ["subscription"]}
        linked = call.v1.invoices.retrieve(str(made.latest_invoice), wanted, options=acacia)
        assert linked.to_dict()["subscription"] == shown.to_dict()
        item = made["items"].data[0]
        old = shown.to_dict()
        assert (old["current_period_start"], old["current_period_end"]) == (
            item.current_period_start,
            item.current_period_end,
        )
        assert "current_period_end" not in old["items"]["data"][0]
        assert "billing_mode" not in old
        assert old["items"]["data"][0]["price"]["recurring"]["aggregate_usage"] is None
        assert made.billing_mode.type == "flexible"

    await client(work)


async def test_versions_begin_subscriptions_their_own_way(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer, price = sold(call)
        coupon = call.v1.coupons.create({"percent_off": 10, "duration": "forever"}).id
        wanted: Any = {"customer": customer, "items": [{"price": price}], "coupon": coupon}
        acacia: Any = {"stripe_version": "2025-02-24.acacia"}
        made = call.v1.subscriptions.create(wanted, options=acacia).to_dict()
        assert made["discount"]["coupon"]["id"] == coupon
        assert call.v1.invoices.retrieve(made["latest_invoice"]).total == 2700
        assert call.v1.subscriptions.retrieve(made["id"]).billing_mode.type == "classic"
        with pytest.raises(stripe.InvalidRequestError) as gone:
            call.v1.subscriptions.create(wanted)
        assert (gone.value.code, gone.value.param) == ("parameter_unknown", "coupon")

    await client(work)


async def test_a_subscription_shows_its_first_items_and_lists_all(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer, _ = sold(call)
        product = call.v1.products.create({"name": "Modules"}).id
        data: Any = {"currency": "eur", "product": product, "recurring": {"interval": "month"}}
        items: Any = [{"price_data": {**data, "unit_amount": 100 + n}} for n in range(12)]
        made = call.v1.subscriptions.create({"customer": customer, "items": items})
        assert (len(made["items"].data), made["items"].has_more) == (10, True)
        listed = list(call.v1.subscription_items.list({"subscription": made.id, "limit": 5}).auto_paging_iter())
        assert sorted(item.price.unit_amount or 0 for item in listed) == [100 + n for n in range(12)]
        assert call.v1.subscription_items.retrieve(listed[0].id).subscription == made.id
        extra: Any = {"items": [{"price_data": {**data, "unit_amount": 1}} for _ in range(9)]}
        with pytest.raises(stripe.InvalidRequestError, match="up to 20 items"):
            call.v1.subscriptions.update(made.id, extra)

    await client(work)


async def test_who_is_deleted_is_billed_no_more(client: Client, sandbox: Running) -> None:
    def begin(call: stripe.StripeClient) -> tuple[str, str, str]:
        customer, price = sold(call)
        made = call.v1.subscriptions.create({"customer": customer, "items": [{"price": price}]})
        draft = call.v1.invoices.create({"customer": customer, "currency": "eur", "auto_advance": True})
        call.v1.customers.delete(customer)
        return customer, made.id, draft.id

    _, identifier, draft = await client(begin)
    sandbox.world.clock.advance(40 * DAY)

    def look(call: stripe.StripeClient) -> None:
        assert call.v1.subscriptions.retrieve(identifier).status == "canceled"
        assert len(call.v1.invoices.list({"subscription": identifier}).data) == 1
        assert call.v1.invoices.retrieve(draft).status == "draft"

    await client(look)
