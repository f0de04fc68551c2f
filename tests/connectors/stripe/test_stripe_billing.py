"""The connector bills at its sandbox: from the price list to the paid invoice, found again by the effect's key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import pytest

from connectors.stripe import client
from connectors.stripe.connector import CONNECTOR
from connectors.stripe.samples import SAMPLES
from connectors.stripe.settings import StripeSettings
from connectors.stripe.webhook import parse, verify
from connectors.stripe.writing import MARK
from hub.sandbox.server import Running
from hub.sdk.connector import ReadOperation, WriteOperation
from hub.sdk.errors import FixConnection, FixData, HubError, NoSuchRecord, OutcomeUnknown
from hub.sdk.exact_json import dumps, loads
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey, Response
from tests.connectors.stripe.partners import Inbox, settled

DAY = 86400
SEARCHED = (
    "customer.create",
    "product.create",
    "price.create",
    "subscription.create",
    "invoice.create",
    "payment_intent.create",
)


class Hand:
    """Reads and writes with the connector's operations; each write has a key of its own."""

    def __init__(self, connected: Connected) -> None:
        self.connected = connected
        self._count = 0

    async def write(self, operation: str, /, **record: Any) -> dict[str, Any]:
        self._count += 1
        return dict(await self.connected.write(writing(operation), record, EffectKey(f"{self._count:032x}")))

    async def read(self, operation: str, /, **record: Any) -> dict[str, Any]:
        found = CONNECTOR.operation(operation)
        assert isinstance(found, ReadOperation)
        return dict(await found.read(self.connected, record))


def writing(name: str) -> WriteOperation:
    operation = CONNECTOR.operation(name)
    assert isinstance(operation, WriteOperation)
    return operation


def settings(**more: Any) -> StripeSettings:
    return StripeSettings.model_validate({**SAMPLES.settings, **more})


@asynccontextmanager
async def hand(sandbox: Running, **more: Any) -> AsyncIterator[Hand]:
    found = settings(base_url=sandbox.url, api_key=sandbox.announcement["api_key"], **more)
    connected = Connected(CONNECTOR, found)
    try:
        yield Hand(connected)
    finally:
        await connected.close()


async def test_from_the_price_list_to_the_paid_invoice(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        person = {"invoice_settings": {"default_payment_method": "pm_card_visa"}}
        customer = await stripe.write("customer.create", name="Alder", **person)
        product = await stripe.write("product.create", name="Seats")
        price = await stripe.write(
            "price.create",
            product=product["id"],
            currency="eur",
            unit_amount_decimal="1250.5",
            recurring={"interval": "month"},
        )
        begun = await stripe.write(
            "subscription.create", customer=customer["id"], items=[{"price": price["id"], "quantity": 3}]
        )
        assert begun["status"] == "active"
        first = await stripe.read("invoice.read", id=begun["latest_invoice"])
        assert (first["status"], first["total"]) == ("paid", 3752)
        credit = await stripe.write(
            "invoice_item.create", customer=customer["id"], amount=-52, currency="eur", description="Rounded off"
        )
        assert (await stripe.read("invoice_item.read", id=credit["id"]))["invoice"] is None
        sandbox.world.clock.advance(31 * DAY + 7200)
        listed = await stripe.read("invoice.list", subscription=begun["id"], status="paid")
        assert [one["total"] for one in listed["data"]] == [3700, 3752]
        ending = await stripe.write("subscription.cancel", id=begun["id"])
        assert (ending["status"], ending["cancel_at_period_end"]) == ("active", True)
        (item,) = (await stripe.read("subscription_item.list", subscription=begun["id"]))["data"]
        assert ending["cancel_at"] == item["current_period_end"]


async def test_a_contract_is_amended_and_found_as_it_was_left(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        person = {"invoice_settings": {"default_payment_method": "pm_card_visa"}}
        customer = (await stripe.write("customer.create", name="Alder", **person))["id"]
        product = (await stripe.write("product.create", name="Seats"))["id"]
        monthly = {"product": product, "currency": "eur", "recurring": {"interval": "month"}}
        seats, support, storage = [
            (await stripe.write("price.create", unit_amount=amount, **monthly))["id"] for amount in (1000, 500, 250)
        ]
        begun = await stripe.write(
            "subscription.create",
            customer=customer,
            items=[{"price": seats, "quantity": 3}, {"price": support, "quantity": 1}],
        )

        async def items() -> dict[str, dict[str, Any]]:
            found = await stripe.read("subscription_item.list", subscription=begun["id"])
            return {item["price"]["id"]: item for item in found["data"]}

        before = await items()
        change = {
            "id": begun["id"],
            "items": [
                {"id": before[seats]["id"], "quantity": 5},
                {"id": before[support]["id"], "deleted": True},
                {"price": storage, "quantity": 2},
            ],
            "proration_behavior": "none",
            "metadata": {"amendment": "2"},
        }
        operation = writing("subscription.update")
        key = EffectKey("a" * 32)
        assert await stripe.connected.find(operation, change, key) is None
        changed = await stripe.write("subscription.update", **change)
        assert changed["status"] == "active"
        after = await items()
        assert {price: item["quantity"] for price, item in after.items()} == {seats: 5, storage: 2}
        assert await stripe.connected.find(operation, change, key) == changed
        with pytest.raises(FixData, match="same plan"):
            await stripe.write("subscription.update", id=begun["id"], items=[{"price": seats, "quantity": 1}])
        await stripe.write("subscription.update", id=begun["id"], items=[{"id": after[seats]["id"], "quantity": 6}])
        assert await stripe.connected.find(operation, change, key) is None
        archived = await stripe.write("price.archive", id=support)
        assert archived["active"] is False
        with pytest.raises(FixData):
            await stripe.write("subscription.update", id=begun["id"], items=[{"price": support, "quantity": 1}])
        assert (await stripe.write("price.restore", id=support))["active"] is True
        await stripe.write("subscription.update", id=begun["id"], items=[{"price": support, "quantity": 1}])


async def test_what_ends_at_once_is_credited_once_and_found_by_its_key(sandbox: Running) -> None:
    """What somebody else has ended meanwhile is not as this write leaves it: nobody knows what they have credited."""
    key, operation = EffectKey("c" * 32), writing("subscription.end")
    async with hand(sandbox) as stripe:
        customer = (await stripe.write("customer.create", name="Alder"))["id"]
        product = (await stripe.write("product.create", name="Seats"))["id"]
        monthly = {"product": product, "currency": "eur", "recurring": {"interval": "month"}}
        price = (await stripe.write("price.create", unit_amount=3000, **monthly))["id"]
        terms = {"collection_method": "send_invoice", "days_until_due": 30}
        sold = {"customer": customer, "items": [{"price": price, "quantity": 2}], **terms}
        begun, other = [(await stripe.write("subscription.create", **sold))["id"] for _ in range(2)]
        sandbox.world.clock.advance(15 * DAY)
        ends = {"id": begun, "prorate": True, "invoice_now": False}
        assert await stripe.connected.find(operation, ends, key) is None
        ended = await stripe.connected.write(operation, ends, key)
        assert ended["status"] == "canceled"
        waiting = (await stripe.read("invoice_item.list", customer=customer, pending=True))["data"]
        (credit,) = [item["amount"] for item in waiting]
        assert -6000 < credit < -2500
        assert await stripe.connected.find(operation, ends, key) == ended
        assert await stripe.connected.write(operation, ends, key) == ended
        with pytest.raises(NoSuchRecord):
            await stripe.write("subscription.end", **ends)
        assert len((await stripe.read("invoice_item.list", customer=customer, pending=True))["data"]) == 1
        await stripe.write("subscription.end", id=other, invoice_now=True)
        assert await stripe.connected.find(operation, {**ends, "id": other}, key) is None


async def test_an_item_may_have_a_price_of_its_own(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        customer = (await stripe.write("customer.create", name="Alder"))["id"]
        product = (await stripe.write("product.create", name="Setup"))["id"]
        own = {"currency": "EUR", "product": product, "unit_amount_decimal": "45000"}
        made = await stripe.write("invoice_item.create", customer=customer, price_data=own, quantity=2)
        assert (made["amount"], made["currency"]) == (90000, "eur")
        item = await stripe.read("invoice_item.read", id=made["id"])
        assert item["pricing"]["price_details"]["product"] == product


async def test_only_what_can_be_seen_of_a_change_is_taken_as_done(sandbox: Running) -> None:
    """Of more items than Stripe embeds, of tax rates, and of a change that leaves nothing to be seen."""
    key = EffectKey("b" * 32)
    operation = writing("subscription.update")
    async with hand(sandbox) as stripe:
        person = {"invoice_settings": {"default_payment_method": "pm_card_visa"}}
        customer = (await stripe.write("customer.create", name="Alder", **person))["id"]
        product = (await stripe.write("product.create", name="Seats"))["id"]
        monthly = {"product": product, "currency": "eur", "recurring": {"interval": "month"}}
        prices = [(await stripe.write("price.create", unit_amount=100 + n, **monthly))["id"] for n in range(12)]
        begun = await stripe.write("subscription.create", customer=customer, items=[{"price": p} for p in prices])
        listed = (await stripe.read("subscription_item.list", subscription=begun["id"], limit=100))["data"]
        last = next(item for item in listed if item["price"]["id"] == prices[11])

        async def found(**change: Any) -> bool:
            return await stripe.connected.find(operation, {"id": begun["id"], **change}, key) is not None

        rate = client.writing(
            client.settings_of(stripe.connected),
            "tax_rates",
            form={"display_name": "VAT", "percentage": "19", "inclusive": False},
            key=key,
        )
        vat = client.read_object(await stripe.connected.send(rate), "tax_rate")["id"]
        gone, more = {"id": last["id"], "deleted": True}, {"id": last["id"], "quantity": 4}
        taxed = {"id": last["id"], "tax_rates": [vat]}
        assert not await found(items=[gone])
        assert not await found(items=[more])
        assert not await found(items=[taxed])
        assert not await found(proration_behavior="none")
        assert not await found(description="Seats and more")
        assert not await found(default_tax_rates=[vat])
        assert not await found(automatic_tax={"enabled": True})
        assert await found(automatic_tax={"enabled": False})
        await stripe.write("subscription.update", id=begun["id"], default_tax_rates=[vat])
        assert await found(default_tax_rates=[vat])
        assert not await found(default_tax_rates=[vat, "txr_other"])
        await stripe.write("subscription.update", id=begun["id"], items=[more], description="Seats and more")
        assert await found(items=[more], description="Seats and more", proration_behavior="none")
        await stripe.write("subscription.update", id=begun["id"], items=[taxed])
        assert await found(items=[taxed])
        await stripe.write("subscription.update", id=begun["id"], items=[gone])
        assert await found(items=[gone])


async def test_an_invoice_goes_through_its_states(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        customer = (await stripe.write("customer.create", name="Alder"))["id"]

        async def finalized(amount: int) -> dict[str, Any]:
            draft = await stripe.write("invoice.create", customer=customer, currency="eur")
            item = {"customer": customer, "invoice": draft["id"], "amount": amount}
            await stripe.write("invoice_item.create", **item)
            return await stripe.write("invoice.finalize", id=draft["id"])

        one = await finalized(500)
        assert (one["status"], one["amount_remaining"]) == ("open", 500)
        paid = await stripe.write("invoice.pay", id=one["id"], paid_out_of_band=True)
        assert (paid["status"], paid["amount_remaining"]) == ("paid", 0)
        two = await finalized(700)
        assert (await stripe.write("invoice.mark_uncollectible", id=two["id"]))["status"] == "uncollectible"
        assert (await stripe.write("invoice.void", id=two["id"]))["status"] == "void"
        for name, code in (
            ("invoice.finalize", "invoice-not-editable"),
            ("invoice.pay", "invoice-not-editable"),
            ("invoice.mark_uncollectible", "invoice-not-editable"),
        ):
            with pytest.raises(FixData) as refused:
                await stripe.write(name, id=two["id"])
            assert refused.value.code == code
        with pytest.raises(NoSuchRecord):
            await stripe.write("invoice.void", id="in_nobody")


async def test_what_was_made_is_found_by_the_effects_key(sandbox: Running) -> None:
    await sandbox.world.books.seed(dict(SAMPLES.seed))
    async with hand(sandbox) as stripe:
        for place, sample in enumerate(SAMPLES.writes):
            key = EffectKey(f"{place:032x}")
            operation = writing(sample.operation)
            assert (operation.look is not None) is (sample.operation in SEARCHED)
            if operation.look is None:
                continue
            assert await stripe.connected.look(operation, key) is None
            made = await stripe.connected.write(operation, sample.input, key)
            assert await stripe.connected.look(operation, key) == made
            other = EffectKey("f" * 32)
            assert await stripe.connected.look(operation, other) is None
        books = sandbox.world.books.snapshot()
        marked = [one for kind in ("customers", "products", "prices") for one in books[kind] if MARK in one["metadata"]]
        assert len(marked) == 3


@pytest.mark.parametrize(
    ("body", "family"),
    [
        (b"<html>", OutcomeUnknown),
        (b"[]", OutcomeUnknown),
        ({"object": "list", "data": []}, OutcomeUnknown),
        ({"object": "search_result", "data": [{"id": "cus_1", "object": "customer"}]}, OutcomeUnknown),
        (
            {"object": "search_result", "data": [{"id": "cus_1", "object": "customer", "metadata": {MARK: "other"}}]},
            OutcomeUnknown,
        ),
        (
            {"object": "search_result", "data": [{"id": "in_1", "object": "invoice", "metadata": {MARK: "k"}}]},
            OutcomeUnknown,
        ),
        (
            {
                "object": "search_result",
                "data": [{"id": f"cus_{n}", "object": "customer", "metadata": {MARK: "k"}} for n in range(2)],
            },
            FixData,
        ),
    ],
)
def test_only_what_carries_the_key_is_taken_for_the_write(body: Any, family: type[HubError]) -> None:
    operation = writing("customer.create")
    assert operation.found is not None
    answer = Response(status=200, headers={}, body=body if isinstance(body, bytes) else dumps(body))
    with pytest.raises(family):
        operation.found(answer, EffectKey("k"))


@pytest.mark.parametrize(("version", "named"), [("2025-02-24.acacia", "price"), ("2025-03-31.basil", "pricing[price]")])
async def test_an_item_names_its_price_as_the_version_does(sandbox: Running, version: str, named: str) -> None:
    record = {"customer": "cus_1", "price": "price_1", "quantity": 2}
    request = writing("invoice_item.create").request(settings(api_version=version), record, EffectKey("k"))
    marked = {f"metadata[{MARK}]": ["k"]}
    assert parse_qs(request.body.decode()) == {"customer": ["cus_1"], named: ["price_1"], "quantity": ["2"], **marked}
    async with hand(sandbox, api_version=version) as stripe:
        customer = (await stripe.write("customer.create", name="A"))["id"]
        product = (await stripe.write("product.create", name="Seats"))["id"]
        price = (await stripe.write("price.create", product=product, currency="eur", unit_amount=40))["id"]
        made = await stripe.write("invoice_item.create", customer=customer, price=price, quantity=2)
        assert made["amount"] == 80


async def test_a_connection_may_be_for_a_connected_account(sandbox: Running) -> None:
    await sandbox.world.books.seed({"accounts": [{"key": "shop"}, {"key": "other"}]})
    keys = sandbox.world.books.snapshot()["keys"]
    async with hand(sandbox, account=keys["shop"]) as stripe:
        customer = await stripe.write("customer.create", name="Theirs")
        rule = {"formula": "count"}
        await stripe.write("meter.create", display_name="Calls", event_name="calls", default_aggregation=rule)
        payload = {"stripe_customer_id": customer["id"]}
        await stripe.write("meter_event.create", event_name="calls", identifier="m-1", payload=payload)
        (stream,) = CONNECTOR.streams
        pages = [page async for page in stream.pull(stripe.connected, None, sandbox.world.clock.now())]
        events = [event for page in pages for event in page.events]
        assert {event.data["account"] for event in events} == {keys["shop"]}
        assert "stripe.customer.created" in {event.type for event in events}
    held = sandbox.world.books.snapshot()["accounts"]
    assert [one["id"] for one in held[keys["shop"]]["customers"]] == [customer["id"]]
    assert [one["identifier"] for one in held[keys["shop"]]["usage"]] == ["m-1"]
    assert held[keys["other"]]["customers"] == []
    async with hand(sandbox, account="acct_nobody") as stripe:
        with pytest.raises(FixConnection, match="does not have access"):
            await stripe.read("customer.list")
    with pytest.raises(ValueError, match="account"):
        settings(account="cus_1")


async def test_usage_is_sent_once_and_read_back(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        customer = (await stripe.write("customer.create", name="A"))["id"]
        rule = {"formula": "sum"}
        meter = await stripe.write("meter.create", display_name="C", event_name="calls", default_aggregation=rule)
        event = {
            "event_name": "calls",
            "identifier": "m-1",
            "payload": {"stripe_customer_id": customer, "value": "2.5"},
        }
        key = EffectKey("a" * 32)
        first = await stripe.connected.write(writing("meter_event.create"), event, key)
        assert first == await stripe.connected.write(writing("meter_event.create"), event, key)
        with pytest.raises(FixData) as doubled:
            await stripe.write("meter_event.create", **event)
        assert doubled.value.code == "duplicate-meter-event"
        now = sandbox.world.clock.timestamp() // 3600 * 3600
        span = {"start_time": now - 26 * 3600, "end_time": now + 26 * 3600}
        counted = await stripe.read("meter.counted", id=meter["id"], customer=customer, **span)
        assert [str(one["aggregated_value"]) for one in counted["data"]] == ["2.5"]
        for n in range(30):
            payload = {"stripe_customer_id": customer, "value": "1"}
            moment = datetime.fromtimestamp(now - n * 3600, UTC).isoformat()
            await stripe.write(
                "meter_event.create", event_name="calls", identifier=f"h-{n}", payload=payload, timestamp=moment
            )
        span = {"start_time": now - 40 * 3600, "end_time": now + 26 * 3600}
        counted = await stripe.read(
            "meter.counted", id=meter["id"], customer=customer, value_grouping_window="hour", **span
        )
        assert len(counted["data"]) == 30
        assert sum(one["aggregated_value"] for one in counted["data"]) == Decimal("32.5")


async def test_a_thin_event_comes_in_and_is_read_back(sandbox: Running, inbox: Inbox) -> None:
    kind = "v1.billing.meter.no_meter_found"
    wish: dict[str, Any] = {
        "switches": {"meter_reports_after": 0},
        "destinations": [{"name": "Meters", "enabled_events": [kind], "webhook_endpoint": {"url": inbox.url}}],
        "meter_events": [{"event_name": "nobody", "identifier": "m-1", "payload": {"value": "1"}}],
    }
    made = (await sandbox.world.books.seed(wish))["made"]
    secret = made["destinations"][0]["secret"]
    await settled(sandbox)
    verify(
        settings(webhook_secret=secret),
        {"stripe-signature": inbox.signatures[0]},
        inbox.bodies[0],
        sandbox.world.clock.now(),
    )
    (event,) = parse(inbox.bodies[0])
    assert (event.type, event.record, event.schema) == (f"stripe.{kind}", None, None)
    async with hand(sandbox) as stripe:
        whole = await stripe.read("thin_event.read", id=event.external_id)
        assert whole["data"]["reason"]["error_count"] == 1
        assert loads(inbox.bodies[0])["created"] == whole["created"]


async def test_as_older_libraries_do_a_flag_may_be_written_as_python_writes_it(sandbox: Running) -> None:
    async with hand(sandbox) as stripe:
        customer = (await stripe.write("customer.create", name="A"))["id"]
        operation = writing("invoice.create")
        request = operation.request(stripe.connected.settings, {"customer": customer}, EffectKey("b" * 32))
        answer = await stripe.connected.send(
            type(request)(
                method="POST", url=request.url, headers=request.headers, body=request.body + b"&auto_advance=True"
            )
        )
        assert loads(answer.body)["auto_advance"] is True
