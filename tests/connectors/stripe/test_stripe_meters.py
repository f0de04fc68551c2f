"""Meters in the sandbox, with Stripe's own library: what counts, what does not and is told of later, what it costs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import stripe

from hub.sandbox.server import Running
from tests.connectors.stripe.partners import Client, Inbox, settled

DAY, HOUR = 86400, 3600


def metered(call: stripe.StripeClient, formula: str = "sum") -> tuple[str, str]:
    """Make a meter of calls and a customer who can be charged."""
    rule: Any = {"formula": formula}
    meter = call.v1.billing.meters.create({"display_name": "Calls", "event_name": "calls", "default_aggregation": rule})
    settings: Any = {"default_payment_method": "pm_card_visa"}
    return meter.id, call.v1.customers.create({"name": "Alder", "invoice_settings": settings}).id


def send(call: stripe.StripeClient, customer: str, value: str, identifier: str, **more: Any) -> Any:
    wanted: Any = {
        "event_name": "calls",
        "payload": {"stripe_customer_id": customer, "value": value},
        "identifier": identifier,
        **more,
    }
    return call.v1.billing.meter_events.create(wanted)


async def test_a_meter_from_active_to_inactive_and_back(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        meter, _ = metered(call)
        with pytest.raises(stripe.InvalidRequestError) as taken:
            metered(call)
        assert taken.value.code == "resource_already_exists"
        assert call.v1.billing.meters.update(meter, {"display_name": "API calls"}).display_name == "API calls"
        gone = call.v1.billing.meters.deactivate(meter)
        assert gone.status == "inactive"
        assert gone.status_transitions.deactivated_at is not None
        with pytest.raises(stripe.InvalidRequestError):
            call.v1.billing.meters.deactivate(meter)
        product = call.v1.products.create({"name": "Calls"}).id
        priced: Any = {
            "product": product,
            "currency": "eur",
            "unit_amount": 1,
            "recurring": {"interval": "month", "usage_type": "metered", "meter": meter},
        }
        with pytest.raises(stripe.InvalidRequestError, match="inactive"):
            call.v1.prices.create(priced)
        assert call.v1.billing.meters.reactivate(meter).status == "active"
        assert call.v1.prices.create(priced).recurring is not None
        assert [one.id for one in call.v1.billing.meters.list({"status": "active"})] == [meter]
        kinds = [event.type for event in call.v1.events.list({"types": ["billing.meter.*"]})]
        assert kinds == [
            "billing.meter.reactivated",
            "billing.meter.deactivated",
            "billing.meter.updated",
            "billing.meter.created",
        ]

    await client(work)


@pytest.mark.parametrize(("formula", "expected"), [("sum", 12.5), ("count", 3), ("last", 4)])
async def test_events_add_up(client: Client, sandbox: Running, formula: str, expected: float) -> None:
    now = sandbox.world.clock.timestamp()

    def work(call: stripe.StripeClient) -> None:
        meter, customer = metered(call, formula)
        for value, at in (("5", now - 7200), ("4", now - 60), ("3.5", now - 3600)):
            send(call, customer, value, f"e-{value}", timestamp=at)
        begin, end = (now - 2 * DAY) // DAY * DAY, (now + DAY) // DAY * DAY
        wanted: Any = {"customer": customer, "start_time": begin, "end_time": end}
        (whole,) = call.v1.billing.meters.event_summaries.list(meter, wanted).data
        assert float(whole.aggregated_value) == expected
        by_hour: Any = {**wanted, "value_grouping_window": "hour"}
        by_hour["limit"] = 1
        hours = list(call.v1.billing.meters.event_summaries.list(meter, by_hour).auto_paging_iter())
        assert len(hours) in {2, 3}
        assert all(one.end_time - one.start_time == HOUR for one in hours)
        wanted["start_time"] = begin + 1
        with pytest.raises(stripe.InvalidRequestError, match="aligned"):
            call.v1.billing.meters.event_summaries.list(meter, wanted)

    await client(work)


async def test_what_is_refused_at_once(client: Client, sandbox: Running) -> None:
    now = sandbox.world.clock.timestamp()

    def work(call: stripe.StripeClient) -> tuple[str, str]:
        meter, customer = metered(call)
        for at, code in ((now - 35 * DAY - 60, "timestamp_too_far_in_past"), (now + 400, "timestamp_in_future")):
            with pytest.raises(stripe.InvalidRequestError) as refused:
                send(call, customer, "1", "late", timestamp=at)
            assert refused.value.code == code
        send(call, customer, "1", "once")
        with pytest.raises(stripe.InvalidRequestError, match="already exists with identifier once"):
            send(call, customer, "1", "once")
        with pytest.raises(stripe.InvalidRequestError, match="100 characters"):
            send(call, customer, "1", "x" * 101)
        return meter, customer

    meter, customer = await client(work)
    sandbox.world.clock.advance(DAY)
    await client(lambda call: send(call, customer, "1", "once"))
    assert [one["identifier"] for one in sandbox.world.books.snapshot()["usage"]] == ["once", "once"]
    assert meter


async def test_an_event_is_cancelled_within_a_day(client: Client, sandbox: Running) -> None:
    def adjust(call: stripe.StripeClient, identifier: str) -> Any:
        wanted: Any = {"event_name": "calls", "type": "cancel", "cancel": {"identifier": identifier}}
        return call.v1.billing.meter_event_adjustments.create(wanted)

    def work(call: stripe.StripeClient) -> None:
        _, customer = metered(call)
        send(call, customer, "1", "a")
        send(call, customer, "2", "b")
        assert adjust(call, "a").status == "complete"
        with pytest.raises(stripe.InvalidRequestError) as gone:
            adjust(call, "a")
        assert gone.value.code == "resource_missing"

    await client(work)
    assert [one["identifier"] for one in sandbox.world.books.snapshot()["usage"]] == ["b"]
    sandbox.world.clock.advance(DAY + 60)

    def late(call: stripe.StripeClient) -> None:
        with pytest.raises(stripe.InvalidRequestError, match="within 24 hours"):
            adjust(call, "b")

    await client(late)


async def test_mistakes_are_told_of_later_by_thin_events(client: Client, sandbox: Running, inbox: Inbox) -> None:
    def register(call: stripe.StripeClient) -> tuple[str, str, str]:
        wanted: Any = {
            "name": "Meters",
            "type": "webhook_endpoint",
            "event_payload": "thin",
            "enabled_events": ["v1.billing.meter.error_report_triggered", "v1.billing.meter.no_meter_found"],
            "webhook_endpoint": {"url": inbox.url},
            "include": ["webhook_endpoint.signing_secret"],
        }
        made = call.v2.core.event_destinations.create(wanted)
        assert made.webhook_endpoint is not None
        assert made.webhook_endpoint.signing_secret is not None
        again = call.v2.core.event_destinations.retrieve(made.id)
        assert again.webhook_endpoint is None
        meter, customer = metered(call)
        send(call, "cus_nobody", "1", "m-1")
        send(call, customer, "many", "m-2")
        send(call, customer, "2", "m-3")
        call.v1.billing.meter_events.create({"event_name": "other", "payload": {"value": "1"}, "identifier": "m-4"})
        return made.webhook_endpoint.signing_secret, meter, customer

    secret, meter, _ = await client(register)
    sandbox.world.clock.advance(11)
    books = await settled(sandbox)
    assert [one["identifier"] for one in books["usage"]] == ["m-3"]
    assert len(inbox.bodies) == 2

    def read(call: stripe.StripeClient) -> None:
        for body, signature in zip(inbox.bodies, inbox.signatures, strict=True):
            told = call.parse_event_notification(body, signature, secret)
            assert "data" not in json.loads(body)
            whole: Any = told.fetch_event()
            codes = {one.code: one.error_count for one in whole.data.reason.error_types}
            if told.type == "v1.billing.meter.no_meter_found":
                assert codes == {"no_meter": 1}
                continue
            assert codes == {"meter_event_customer_not_found": 1, "meter_event_invalid_value": 1}
            samples = [
                sample.request.identifier for one in whole.data.reason.error_types for sample in one.sample_errors
            ]
            assert samples == ["m-1", "m-2"]
            related: Any = told
            assert related.related_object.id == meter
            assert related.fetch_related_object().event_name == "calls"
        listed = call.v2.core.events.list({"object_id": meter})
        assert [event.type for event in listed.data] == ["v1.billing.meter.error_report_triggered"]

    await client(read)


async def test_usage_is_billed_behind_until_the_draft_is_final(client: Client, sandbox: Running) -> None:
    def begin(call: stripe.StripeClient) -> tuple[str, Any]:
        meter, customer = metered(call)
        product = call.v1.products.create({"name": "Calls"}).id
        priced: Any = {
            "product": product,
            "currency": "eur",
            "billing_scheme": "tiered",
            "tiers_mode": "graduated",
            "tiers": [{"up_to": 100, "unit_amount": 0}, {"up_to": "inf", "unit_amount_decimal": "0.25"}],
            "recurring": {"interval": "month", "usage_type": "metered", "meter": meter},
        }
        price = call.v1.prices.create(priced)
        assert call.v1.prices.retrieve(price.id, {"expand": ["tiers"]}).to_dict()["tiers"][0]["up_to"] == 100
        with pytest.raises(stripe.InvalidRequestError, match="quantity for metered"):
            call.v1.subscriptions.create({"customer": customer, "items": [{"price": price.id, "quantity": 1}]})
        made = call.v1.subscriptions.create({"customer": customer, "items": [{"price": price.id}]})
        assert (made.status, made.latest_invoice) == ("active", None)
        send(call, customer, "150", "a")
        return customer, made

    customer, made = await client(begin)
    end = made["items"].data[0].current_period_end
    sandbox.world.clock.advance(end - sandbox.world.clock.timestamp() + 60)

    def late(call: stripe.StripeClient) -> str:
        invoice = call.v1.invoices.list({"subscription": made.id}).data[0]
        assert (invoice.status, invoice.total, invoice.lines.data[0].quantity) == ("draft", 13, 150)
        send(call, customer, "251", "b", timestamp=end - 5)
        send(call, customer, "1000", "c", timestamp=end + 5)
        return invoice.id

    identifier = await client(late)
    sandbox.world.clock.advance(HOUR)
    invoice = await client(lambda call: call.v1.invoices.retrieve(identifier))
    # 401 calls, of which 301 cost a quarter of a cent each: 75.25, rounded once.
    assert (invoice.status, invoice.total, invoice.lines.data[0].quantity) == ("paid", 75, 401)
    assert invoice.number is not None

    def cancel(call: stripe.StripeClient) -> Any:
        ended = call.v1.subscriptions.cancel(made.id, {"invoice_now": True})
        return call.v1.invoices.retrieve(str(ended.latest_invoice))

    assert (await client(cancel)).total == 225


async def test_the_second_api_counts_events_and_knows_keys_its_own_way(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> None:
        _, customer = metered(call)
        wanted: Any = {"event_name": "calls", "identifier": "v2-1", "payload": {"stripe_customer_id": customer}}
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call.v2.billing.meter_events.create(wanted, options={"idempotency_key": "k"})
        assert refused.value.code == "meter_event_invalid_value"
        wanted["payload"]["value"] = "7"
        # What failed was not kept: the key may be used for what is right.
        first = call.v2.billing.meter_events.create(wanted, options={"idempotency_key": "k"})
        again = call.v2.billing.meter_events.create(wanted, options={"idempotency_key": "k"})
        assert first.to_dict() == again.to_dict()
        assert again.last_response is not None
        assert again.last_response.headers["Idempotent-Replayed"] == "true"
        assert datetime.fromisoformat(first.timestamp).tzinfo == UTC
        with pytest.raises(stripe.InvalidRequestError, match="already exists"):
            call.v2.billing.meter_events.create(wanted)
        other: Any = {**wanted, "identifier": "v2-2"}
        with pytest.raises(stripe.IdempotencyError, match="same parameters"):
            call.v2.billing.meter_events.create(other, options={"idempotency_key": "k"})
        other["colour"] = "red"
        with pytest.raises(stripe.InvalidRequestError, match="unknown field"):
            call.v2.billing.meter_events.create(other)
        adjusted: Any = {"event_name": "calls", "type": "cancel", "cancel": {"identifier": "v2-1"}}
        assert call.v2.billing.meter_event_adjustments.create(adjusted).status == "complete"

    await client(work)
    assert sandbox.world.books.snapshot()["usage"] == []


async def test_the_stream_has_a_session_that_ends(client: Client, sandbox: Running) -> None:
    _, customer = await client(metered)
    session = await client(lambda call: call.v2.billing.meter_event_session.create())
    events = [
        {"event_name": "calls", "identifier": f"s-{n}", "payload": {"stripe_customer_id": customer, "value": "1"}}
        for n in range(101)
    ]
    url = f"{sandbox.url}/v2/billing/meter_event_stream"
    token = {"Authorization": f"Bearer {session.authentication_token}"}

    async with aiohttp.ClientSession() as http:

        async def post(some: list[Any], headers: dict[str, str]) -> tuple[int, Any]:
            async with http.post(url, json={"events": some}, headers=headers) as answer:
                return answer.status, await answer.json()

        assert (await post(events, token))[0] == 400
        assert (await post(events[:100], token))[0] == 200
        assert (await post(events[:1], token))[0] == 400
        assert len(sandbox.world.books.snapshot()["usage"]) == 100
        key = {"Authorization": f"Bearer {sandbox.announcement['api_key']}"}
        assert (await post(events[100:], key))[0] == 401
        sandbox.world.clock.advance(15 * 60)
        status, body = await post(events[100:], token)
        assert (status, body["error"]["type"]) == (401, "temporary_session_expired")
