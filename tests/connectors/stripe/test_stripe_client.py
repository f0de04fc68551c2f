"""Stripe's own client library works against the sandbox: every call, paging, errors, idempotency, versions."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import pytest
import stripe

from hub.sandbox.server import Running
from tests.connectors.stripe.partners import Client


def portrait(call: stripe.StripeClient) -> tuple[str, Any]:
    """Make a customer with one finalised invoice of 1,190 EUR cents; gives the customer's id and the invoice."""
    customer = call.v1.customers.create({"name": "Alder Works", "email": "billing@alder.example"})
    rate = call.v1.tax_rates.create({"display_name": "VAT", "percentage": 19, "inclusive": False})
    draft = call.v1.invoices.create({"customer": customer.id, "currency": "eur"})
    call.v1.invoices.add_lines(draft.id, {"lines": [{"amount": 1000, "description": "A", "tax_rates": [rate.id]}]})
    return customer.id, call.v1.invoices.finalize_invoice(draft.id)


async def test_customers(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        made = call.v1.customers.create(
            {"name": "Alder", "metadata": {"a": "1", "b": "2"}, "address": {"city": "Berlin", "country": "DE"}}
        )
        changed = call.v1.customers.update(made.id, {"metadata": {"a": "", "c": "3"}, "email": "x@y.example"})
        assert changed.metadata is not None
        assert changed.metadata.to_dict() == {"b": "2", "c": "3"}
        found = call.v1.customers.retrieve(made.id)
        assert (found.email, found.address and found.address.city) == ("x@y.example", "Berlin")
        others = [call.v1.customers.create({"name": str(number)}).id for number in range(25)]
        listed = [one.id for one in call.v1.customers.list({"limit": 7}).auto_paging_iter()]
        assert listed == [*reversed(others), made.id]
        page = call.v1.customers.list({"limit": 3, "ending_before": listed[10]})
        assert [one.id for one in page.data] == listed[7:10]
        assert [one.id for one in page.auto_paging_iter()] == list(reversed(listed[:10]))
        call.v1.customers.delete(made.id)
        assert call.v1.customers.retrieve(made.id).to_dict() == {"id": made.id, "object": "customer", "deleted": True}
        assert made.id not in [one.id for one in call.v1.customers.list({"limit": 100})]

    await client(work)


async def test_an_invoice_from_draft_to_paid_in_parts(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer, invoice = portrait(call)
        assert (invoice.status, invoice.total, invoice.amount_remaining) == ("open", 1190, 1190)
        assert invoice.number is not None
        record = call.v1.payment_records.report_payment(
            {
                "amount_requested": {"value": 190, "currency": "eur"},
                "customer_details": {"customer": customer},
                "initiated_at": int(time.time()),
                "outcome": "guaranteed",
                "guaranteed": {"guaranteed_at": int(time.time())},
                "payment_method_details": {"type": "custom", "custom": {"display_name": "Wire"}},
                "processor_details": {"type": "custom", "custom": {"payment_reference": "W-1"}},
            }
        )
        partly = call.v1.invoices.attach_payment(invoice.id, {"payment_record": record.id})
        assert (partly.status, partly.amount_paid, partly.amount_remaining) == ("open", 190, 1000)
        intent = call.v1.payment_intents.create(
            {"amount": 400, "currency": "eur", "customer": customer, "confirm": True, "payment_method": "pm_card_visa"}
        )
        partly = call.v1.invoices.attach_payment(invoice.id, {"payment_intent": intent.id})
        assert partly.amount_remaining == 600
        whole = call.v1.invoices.pay(invoice.id, {"payment_method": "pm_card_visa"})
        assert (whole.status, whole.amount_paid, whole.amount_remaining) == ("paid", 1190, 0)
        payments = call.v1.invoice_payments.list({"invoice": invoice.id, "status": "paid"})
        assert [(one.amount_paid, one.payment.type, one.is_default) for one in payments] == [
            (400, "payment_intent", False),
            (190, "payment_record", False),
            (600, "payment_intent", True),
        ]
        assert call.v1.invoice_payments.retrieve(payments.data[0].id).invoice == invoice.id
        by_source = call.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent.id}})
        assert [one.amount_paid for one in by_source] == [400]
        kinds = [event.type for event in call.v1.events.list({"limit": 100})]
        assert kinds.count("invoice_payment.paid") == 3
        assert kinds.count("invoice.paid") == kinds.count("invoice.payment_succeeded") == 1

    await client(work)


async def test_states_that_do_not_allow_it(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer, invoice = portrait(call)
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call.v1.invoices.finalize_invoice(invoice.id)
        assert refused.value.code == "invoice_not_editable"
        with pytest.raises(stripe.InvalidRequestError, match="no longer editable"):
            call.v1.invoices.add_lines(invoice.id, {"lines": [{"amount": 1}]})
        with pytest.raises(stripe.InvalidRequestError, match="can't be updated"):
            call.v1.invoices.update(invoice.id, {"description": "late"})
        noted = call.v1.invoices.update(invoice.id, {"metadata": {"erp": "4711"}})
        assert noted.metadata is not None
        assert noted.metadata["erp"] == "4711"
        with pytest.raises(stripe.CardError) as declined:
            call.v1.invoices.pay(invoice.id, {"payment_method": "pm_card_chargeDeclined"})
        assert declined.value.http_status == 402
        assert call.v1.invoices.mark_uncollectible(invoice.id).status == "uncollectible"
        assert call.v1.invoices.pay(invoice.id, {"paid_out_of_band": True}).status == "paid"
        with pytest.raises(stripe.InvalidRequestError, match="already paid"):
            call.v1.invoices.pay(invoice.id)
        with pytest.raises(stripe.InvalidRequestError, match="can't void"):
            call.v1.invoices.void_invoice(invoice.id)
        _, second = portrait(call)
        assert call.v1.invoices.void_invoice(second.id).status == "void"
        draft = call.v1.invoices.create({"customer": customer})
        assert call.v1.invoices.delete(draft.id).to_dict()["deleted"] is True
        free = call.v1.invoices.create({"customer": customer, "currency": "eur"})
        assert call.v1.invoices.finalize_invoice(free.id).status == "paid"

    await client(work)


async def test_pending_items_products_and_prices(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer = call.v1.customers.create({"name": "A"}).id
        product = call.v1.products.create({"name": "Seats", "tax_code": "txcd_10103001"})
        price = call.v1.prices.create({"product": product.id, "currency": "usd", "unit_amount": 1250})
        call.v1.invoice_items.create({"customer": customer, "pricing": {"price": price.id}, "quantity": 3})
        call.v1.invoice_items.create({"customer": customer, "amount": -50, "currency": "usd", "description": "credit"})
        other = call.v1.invoice_items.create({"customer": customer, "amount": 7, "currency": "eur"})
        draft = call.v1.invoices.create({"customer": customer, "pending_invoice_items_behavior": "include"})
        assert draft.total == 3700
        details = draft.lines.data[0].pricing
        assert details is not None
        assert details.price_details is not None
        assert details.price_details.product == product.id
        pending = call.v1.invoice_items.list({"customer": customer, "pending": True})
        assert [item.id for item in pending] == [other.id]
        call.v1.invoice_items.create({"customer": customer, "invoice": draft.id, "amount": 300, "currency": "usd"})
        assert call.v1.invoices.retrieve(draft.id).total == 4000
        assert [one.id for one in call.v1.prices.list({"product": product.id})] == [price.id]
        assert call.v1.products.retrieve(product.id).tax_code == "txcd_10103001"

    await client(work)


async def test_more_lines_than_fit(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer = call.v1.customers.create({"name": "A"}).id
        draft = call.v1.invoices.create({"customer": customer, "currency": "eur"})
        lines = [{"amount": number, "description": str(number)} for number in range(130)]
        shown = call.v1.invoices.add_lines(draft.id, {"lines": lines})  # type: ignore[typeddict-item]
        assert (len(shown.lines.data), shown.lines.has_more) == (10, True)
        every = list(shown.lines.auto_paging_iter())
        assert [line.amount for line in every] == list(range(130))
        listed = call.v1.invoices.line_items.list(draft.id, {"limit": 100})
        assert (len(listed.data), listed.has_more) == (100, True)
        assert shown.total == sum(range(130))

    await client(work)


async def test_expand(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer, invoice = portrait(call)
        found = call.v1.invoices.retrieve(
            invoice.id, {"expand": ["customer", "payments.data.payment.payment_intent", "discounts"]}
        )
        assert isinstance(found.customer, stripe.Customer)
        assert found.payments is not None
        assert found.payments.data[0].payment.payment_intent.status == "requires_payment_method"  # type: ignore[union-attr]
        listed = call.v1.invoices.list({"customer": customer, "expand": ["data.customer"]})
        assert isinstance(listed.data[0].customer, stripe.Customer)
        with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
            call.v1.invoices.retrieve(invoice.id, {"expand": ["payment_intent"]})
        assert isinstance(call.v1.invoices.retrieve(invoice.id).customer, str)

    await client(work)


async def test_wrong_requests(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer = call.v1.customers.create({"name": "A"}).id
        wrong: list[tuple[dict[str, Any], str | None, str]] = [
            ({}, "parameter_missing", "customer"),
            ({"customer": "cus_nobody"}, "resource_missing", "customer"),
            ({"customer": customer, "currency": "zzz"}, None, "currency"),
            ({"customer": customer, "surplus": "1"}, "parameter_unknown", "surplus"),
            ({"customer": customer, "days_until_due": "soon"}, "parameter_invalid_integer", "days_until_due"),
        ]
        for parameters, code, param in wrong:
            with pytest.raises(stripe.InvalidRequestError) as refused:
                call.v1.invoices.create(parameters)  # type: ignore[arg-type]
            assert (refused.value.code, refused.value.param) == (code, param)
            assert refused.value.request_id is not None
        with pytest.raises(stripe.InvalidRequestError) as missing:
            call.v1.invoices.retrieve("in_nothing")
        assert missing.value.http_status == 404
        with pytest.raises(stripe.InvalidRequestError, match="Unrecognized request URL"):
            call.raw_request("get", "/v1/nothing")
        stranger = stripe.StripeClient("sk_test_wrong", base_addresses={"api": sandbox.url})
        with pytest.raises(stripe.AuthenticationError):
            stranger.v1.customers.list()
        stranger._requestor._get_http_client().close()  # type: ignore[no-untyped-call]
        for currency, amount in (("kwd", 1005), ("isk", 150)):
            draft = call.v1.invoices.create({"customer": customer, "currency": currency})
            with pytest.raises(stripe.InvalidRequestError, match="Invalid amount"):
                call.v1.invoices.add_lines(draft.id, {"lines": [{"amount": amount}]})

    await client(work)


async def test_idempotency(client: Client, sandbox: Running) -> None:
    key: Any = {"idempotency_key": "key-1"}

    def replay(call: stripe.StripeClient) -> None:
        first = call.v1.customers.create({"name": "A"}, key)
        again = call.v1.customers.create({"name": "A"}, key)
        assert again.id == first.id
        assert again.last_response is not None
        headers: Any = again.last_response.headers
        assert headers["Idempotent-Replayed"] == "true"
        assert first.last_response is not None
        assert headers["Original-Request"] == first.last_response.request_id
        with pytest.raises(stripe.IdempotencyError, match="same parameters") as other:
            call.v1.customers.create({"name": "B"}, key)
        assert other.value.http_status == 400
        with pytest.raises(stripe.IdempotencyError, match="same endpoint"):
            call.v1.products.create({"name": "A"}, key)
        assert len(call.v1.customers.list().data) == 1
        # What was refused before anything began leaves the key free.
        unused: Any = {"idempotency_key": "key-2"}
        with pytest.raises(stripe.InvalidRequestError):
            call.v1.invoices.create({"customer": "cus_nobody"}, unused)
        assert call.v1.invoices.create({"customer": first.id}, unused).status == "draft"

    await client(replay)
    sandbox.world.clock.advance(25 * 3600)
    await client(lambda call: call.v1.customers.create({"name": "A"}, key))
    assert len(sandbox.world.books.snapshot()["customers"]) == 2


@pytest.mark.parametrize(
    ("again", "status"), [("email=a%40b.example&name=A&preferred_locales%5B0%5D=de", 200), ("name=A", 400)]
)
async def test_parameters_are_the_same_in_any_order(sandbox: Running, again: str, status: int) -> None:
    headers = {
        "Authorization": f"Bearer {sandbox.announcement['api_key']}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Idempotency-Key": "key",
    }
    async with aiohttp.ClientSession(headers=headers) as http:
        for body, wanted in (("name=A&email=a@b.example&preferred_locales[]=de", 200), (again, status)):
            async with http.post(f"{sandbox.url}/v1/customers", data=body) as answer:
                assert answer.status == wanted
                replayed = answer.headers.get("Idempotent-Replayed")
    assert (replayed == "true") is (status == 200)
    assert len(sandbox.world.books.snapshot()["customers"]) == 1


async def test_two_at_once_with_one_key(client: Client, sandbox: Running) -> None:
    await sandbox.world.books.seed({"switches": {"latency": 0.3}})

    async def create() -> object:
        try:
            made = await client(lambda call: call.v1.customers.create({"name": "A"}, {"idempotency_key": "key"}))
        except stripe.StripeError as error:
            return error.http_status
        return made.object

    assert sorted(map(str, await asyncio.gather(create(), create(), create()))) == ["409", "409", "customer"]
    assert len(sandbox.world.books.snapshot()["customers"]) == 1


async def test_a_failure_is_kept_under_its_key(client: Client, sandbox: Running) -> None:
    sandbox.world.faults.replace([{"kind": "stored_500", "times": 1}])
    key: Any = {"idempotency_key": "key"}
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failed:
            await client(lambda call: call.v1.customers.create({"name": "A"}, key))
        assert failed.value.http_status == 500
    assert sandbox.world.books.snapshot()["customers"] == []
    await client(lambda call: call.v1.customers.create({"name": "A"}))


async def test_the_library_gets_over_lost_answers(client: Client, sandbox: Running) -> None:
    sandbox.world.faults.replace([{"kind": "reset_after_commit", "times": 1}, {"kind": "500_after_commit", "times": 1}])
    made = await client(lambda call: call.v1.customers.create({"name": "A"}, {"max_network_retries": 3}))
    assert [one["id"] for one in sandbox.world.books.snapshot()["customers"]] == [made.id]
    assert sandbox.world.faults.injected == {"reset_after_commit": 1, "500_after_commit": 1}


async def test_limits_refuse_in_stripes_words(client: Client, sandbox: Running) -> None:
    await sandbox.world.books.seed({"switches": {"rate": 2}})

    def work(call: stripe.StripeClient) -> None:
        for _ in range(2):
            call.v1.customers.list()
        with pytest.raises(stripe.RateLimitError) as limited:
            call.v1.customers.list()
        assert limited.value.error is not None
        assert limited.value.error.code == "rate_limit"
        headers: Any = limited.value.headers
        assert headers["Stripe-Rate-Limited-Reason"] == "global-rate"

    await client(work)


async def test_events_by_type_and_time(client: Client, sandbox: Running) -> None:
    await client(portrait)
    sandbox.world.clock.advance(100)
    await client(portrait)
    since = sandbox.world.clock.timestamp() - 50

    def work(call: stripe.StripeClient) -> None:
        every = list(call.v1.events.list({"limit": 3}).auto_paging_iter())
        assert len({event.id for event in every}) == len(every) == 10
        assert [event.created for event in every] == sorted((event.created for event in every), reverse=True)
        late = call.v1.events.list({"created": {"gte": since}})
        assert [event.id for event in late] == [event.id for event in every[:5]]
        assert [event.type for event in call.v1.events.list({"type": "invoice.*"})] == [
            "invoice.finalized",
            "invoice.created",
        ] * 2
        some = call.v1.events.list({"types": ["invoice.finalized", "customer.created"]})
        assert len(some.data) == 4
        found = call.v1.events.retrieve(every[0].id)
        assert (found.data.object["status"], found.request and found.request.idempotency_key) is not None

    await client(work)
    sandbox.world.clock.advance(31 * 24 * 3600)
    assert (await client(lambda call: call.v1.events.list())).data == []


async def test_versions_show_what_they_know(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        _, invoice = portrait(call)
        seen = {}
        for version in ("2025-09-30.clover", "2026-03-25.dahlia", "2026-10-28.endive"):
            found = call.v1.invoices.retrieve(invoice.id, options={"stripe_version": version}).to_dict()
            line = found["lines"]["data"][0]
            seen[version] = [
                "amount_paid_off_stripe" in found,
                "status_details" in found,
                "subtotal" in line,
                "quantity_decimal" in line,
            ]
        assert seen == {
            "2025-09-30.clover": [False] * 4,
            "2026-03-25.dahlia": [True, False, True, True],
            "2026-10-28.endive": [True] * 4,
        }
        event = call.v1.events.list({"type": "invoice.finalized"}, {"stripe_version": "2026-10-28.endive"}).data[0]
        assert event.api_version == "2026-09-30.endive"
        with pytest.raises(stripe.InvalidRequestError, match="API version"):
            call.v1.invoices.retrieve(invoice.id, options={"stripe_version": "2019-01-01"})

    await client(work)


async def test_basic_authorisation_is_good_too(sandbox: Running) -> None:
    headers = {"Authorization": aiohttp.encode_basic_auth(str(sandbox.announcement["api_key"]), "")}
    async with aiohttp.ClientSession() as http, http.get(f"{sandbox.url}/v1/customers", headers=headers) as answer:
        assert answer.status == 200
        assert answer.headers["Stripe-Version"] == "2026-09-30.endive"
