"""One account seen in four releases: by Stripe's own library, by webhook endpoints, and in the list of events."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from hub.sandbox.server import Running
from hub.sdk.exact_json import loads
from tests.connectors.stripe.partners import Client, Inbox, settled
from tests.connectors.stripe.shapes import VERSIONS, misfits, name_of

ACACIA, BASIL, CLOVER, ENDIVE = VERSIONS
SEED: dict[str, Any] = {
    "products": [{"key": "plan", "id": "prod_plan", "name": "Plan"}],
    "prices": [{"key": "price", "product": "@plan", "currency": "eur", "unit_amount_decimal": "1249.5"}],
    "tax_rates": [
        {"key": "on_top", "display_name": "VAT", "percentage": "19", "inclusive": False},
        {"key": "within", "display_name": "VAT", "percentage": "7", "inclusive": True},
    ],
    "coupons": [{"key": "percent", "percent_off": "15"}],
    "customers": [{"key": "customer", "name": "Alder Works", "address": {"country": "DE"}}],
    "invoices": [
        {
            "key": "invoice",
            "create": {"customer": "@customer", "currency": "eur", "discounts": [{"coupon": "@percent"}]},
            "subscription": "sub_1",
            "lines": [
                {"pricing": {"price": "@price"}, "quantity": 3, "tax_rates": ["@on_top"], "subscription_item": "si_1"},
                {"amount": -1311, "tax_rates": ["@on_top"], "proration": True, "subscription_item": "si_1"},
                {"amount": 2140, "tax_rates": ["@within"], "description": "Handbook"},
                {"amount": 0, "description": "Free of charge"},
            ],
            "payments": [{"by": "card"}],
        }
    ],
}


def raw(answer: Any) -> Any:
    """Give an answer as it came: the library makes numbers of the texts that hold decimals."""
    return loads(answer.last_response.body)


@pytest.fixture
async def invoice(sandbox: Running) -> str:
    await sandbox.world.books.seed(SEED)
    return str(sandbox.world.books.snapshot()["keys"]["invoice"])


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_library_gets_what_the_release_describes(client: Client, invoice: str, version: str) -> None:
    options: Any = {"stripe_version": version}

    def work(call: stripe.StripeClient) -> dict[str, Any]:
        seen = {"invoice": raw(call.v1.invoices.retrieve(invoice, options=options))}
        seen["invoiceitem"] = raw(call.v1.invoice_items.list(options=options))["data"][0]
        seen["customer"] = raw(call.v1.customers.list(options=options))["data"][0]
        if version != ACACIA:
            seen["invoice_payment"] = raw(call.v1.invoice_payments.list(options=options))["data"][0]
        return seen

    for kind, payload in (await client(work)).items():
        assert not misfits(name_of(kind, version), payload), kind


async def test_what_basil_took_away_is_there_before(client: Client, invoice: str) -> None:
    def work(call: stripe.StripeClient) -> tuple[Any, ...]:
        older = call.v1.invoices.retrieve(invoice, options={"stripe_version": ACACIA})
        newer = call.v1.invoices.retrieve(invoice, {"expand": ["payments"]}, {"stripe_version": BASIL})
        return raw(older), raw(newer)

    older, newer = await client(work)
    assert (older["paid"], older["paid_out_of_band"], newer["status"]) == (True, False, "paid")
    assert older["payment_intent"] == newer["payments"]["data"][0]["payment"]["payment_intent"]
    assert older["subscription"] == newer["parent"]["subscription_details"]["subscription"] == "sub_1"
    assert older["tax"] == sum(tax["amount"] for tax in newer["total_taxes"])
    assert [tax["inclusive"] for tax in older["total_tax_amounts"]] == [False, True]
    assert older["discount"]["coupon"]["percent_off"] == 15
    first, prorated, within, free = older["lines"]["data"]
    assert (first["price"]["unit_amount_decimal"], first["type"], first["subscription_item"]) == (
        "1249.5",
        "subscription",
        "si_1",
    )
    assert (prorated["amount"], prorated["proration"], prorated["price"]) == (-1311, True, None)
    assert within["amount_excluding_tax"] == 2140 - within["tax_amounts"][0]["amount"]
    assert (free["amount"], free["type"], free["tax_amounts"]) == (0, "invoiceitem", [])
    gone = {"paid", "charge", "tax", "discount", "subscription", "total_tax_amounts", "payment_intent", "quote"}
    assert not gone & newer.keys()


async def test_what_cannot_be_expanded_is_told(client: Client, invoice: str) -> None:
    def expanded(call: stripe.StripeClient, path: str, version: str) -> Any:
        return call.v1.invoices.retrieve(invoice, {"expand": [path]}, {"stripe_version": version}).to_dict()

    def work(call: stripe.StripeClient) -> None:
        older = expanded(call, "payment_intent", ACACIA)
        assert older["payment_intent"]["invoice"] == invoice
        assert expanded(call, "discounts", BASIL)["discounts"][0]["coupon"]["percent_off"] == 15
        source = expanded(call, "discounts.source.coupon", CLOVER)["discounts"][0]["source"]
        assert source["coupon"]["percent_off"] == 15
        for path, version in (
            ("payment_intent", BASIL),
            ("charge", ENDIVE),
            ("subscription", CLOVER),
            ("payments", ACACIA),
            ("discounts.source.coupon", BASIL),
        ):
            with pytest.raises(stripe.InvalidRequestError, match="This property cannot be expanded") as refused:
                expanded(call, path, version)
            assert refused.value.http_status == 400

    await client(work)


async def test_parameters_and_paths_that_a_release_does_not_have(client: Client, sandbox: Running) -> None:
    await sandbox.world.books.seed(SEED)
    keys = sandbox.world.books.snapshot()["keys"]

    def item(call: stripe.StripeClient, version: str, **more: Any) -> Any:
        wanted: Any = {"customer": keys["customer"], "quantity": 2, **more}
        return call.v1.invoice_items.create(wanted, {"stripe_version": version})

    def work(call: stripe.StripeClient) -> None:
        assert item(call, ACACIA, price=keys["price"]).amount == 2499
        assert item(call, ACACIA, unit_amount=700, currency="eur").amount == 1400
        assert item(call, BASIL, pricing={"price": keys["price"]}).amount == 2499
        for version, wrong in ((BASIL, {"price": keys["price"]}), (ACACIA, {"pricing": {"price": keys["price"]}})):
            with pytest.raises(stripe.InvalidRequestError) as refused:
                item(call, version, currency="eur", amount=5, **wrong)
            assert (refused.value.code, refused.value.param) == ("parameter_unknown", next(iter(wrong)))
        pay: Any = {"amount": 500, "currency": "eur", "payment_method_types": ["card"]}
        call.v1.payment_intents.create(pay, {"stripe_version": "2026-08-26.dahlia"})
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call.v1.payment_intents.create(pay, {"stripe_version": ENDIVE})
        assert refused.value.code == "payment_method_types_no_longer_supported"
        with pytest.raises(stripe.InvalidRequestError, match=r"Unrecognized request URL \(GET: /v1/invoice_payments\)"):
            call.v1.invoice_payments.list(options={"stripe_version": ACACIA})
        with pytest.raises(stripe.InvalidRequestError, match="Invalid Stripe API version"):
            call.v1.customers.list(options={"stripe_version": "2027-03-31.fennel"})

    await client(work)


async def test_endpoints_get_their_own_versions_of_one_event(sandbox: Running, inbox: Inbox) -> None:
    for version in VERSIONS:
        wish = {"url": inbox.url, "enabled_events": ["invoice.*", "invoice_payment.paid"], "api_version": version}
        await sandbox.world.books.seed({"endpoints": [wish]})
    await sandbox.world.books.seed(SEED)
    await settled(sandbox)
    seen: dict[str, dict[str, list[Any]]] = {}
    for body in inbox.bodies:
        event = loads(body)
        seen.setdefault(event["type"], {}).setdefault(event["api_version"], []).append(event["data"])
    assert set(seen["invoice.finalized"]) == set(VERSIONS)
    for kind, versions in seen.items():
        for version, found in versions.items():
            (data,) = found
            assert not misfits(name_of(data["object"]["object"], version), data["object"]), (kind, version)
    assert len({data["id"] for kind in seen for found in seen[kind].values() for data in [found[0]["object"]]}) == 2
    # Before basil there are no invoice payments, and no events of them.
    assert set(seen["invoice_payment.paid"]) == set(VERSIONS) - {ACACIA}


async def test_an_event_keeps_the_shape_it_had(client: Client, sandbox: Running) -> None:
    await sandbox.world.books.seed({"switches": {"api_version": BASIL}, **SEED})
    await sandbox.world.books.seed({"switches": {"api_version": ENDIVE}})

    def work(call: stripe.StripeClient) -> None:
        wanted: Any = {"type": "invoice.paid"}
        for version in (ACACIA, ENDIVE):
            (event,) = raw(call.v1.events.list(wanted, {"stripe_version": version}))["data"]
            assert event["api_version"] == BASIL
            assert not misfits(name_of("invoice", BASIL), event["data"]["object"])

    await client(work)


async def test_what_was_before_is_told_in_the_older_words(sandbox: Running, inbox: Inbox) -> None:
    wish = {"url": inbox.url, "enabled_events": ["invoice.updated"], "api_version": ACACIA}
    await sandbox.world.books.seed({"endpoints": [wish]})
    paid = [{"amount": 500, "by": "card"}]
    await sandbox.world.books.seed({**SEED, "invoices": [{**SEED["invoices"][0], "payments": paid}]})
    await settled(sandbox)
    (body,) = inbox.bodies
    before = loads(body)["data"]["previous_attributes"]
    assert set(before) == {"amount_remaining"}


async def test_a_vendor_that_drifts(client: Client, sandbox: Running, inbox: Inbox) -> None:
    drift = {
        "invoice": {"set": {"score": 7, "billing_reason": "agent"}, "drop": ["footer"], "as_text": ["attempt_count"]},
        "line_item": {"set": {"margin": 12}},
    }
    await sandbox.world.books.seed(
        {
            "switches": {"drift": drift, "claim": "2027-03-31.fennel"},
            "endpoints": [{"url": inbox.url, "enabled_events": ["invoice.paid"]}],
            **SEED,
        }
    )
    await settled(sandbox)
    (body,) = inbox.bodies
    event = loads(body)
    assert event["api_version"] == "2027-03-31.fennel"
    found = event["data"]["object"]
    assert (found["score"], found["billing_reason"], found["attempt_count"]) == (7, "agent", "1")
    assert "footer" not in found
    assert {line["margin"] for line in found["lines"]["data"]} == {12}
    read = await client(lambda call: raw(call.v1.invoices.retrieve(found["id"])))
    assert read["score"] == 7
    await sandbox.world.books.seed({"switches": {"drift": {}, "claim": None}})
    read = await client(lambda call: raw(call.v1.invoices.retrieve(found["id"])))
    assert not misfits(name_of("invoice", ENDIVE), read)


async def test_a_drift_that_nobody_knows_is_refused(sandbox: Running) -> None:
    with pytest.raises(ValueError, match=r"drift\.invoice: known are as_text, drop, set"):
        await sandbox.world.books.seed({"switches": {"drift": {"invoice": {"rename": {}}}}})
