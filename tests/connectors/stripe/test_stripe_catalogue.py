"""Products, prices and search with Stripe's own library: what can be changed, what cannot, and what is found."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
import stripe

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.prices import cost, create
from connectors.stripe.sandbox.products import create as create_product
from hub.sandbox.server import Running
from hub.sandbox.world import World
from tests.connectors.stripe.partners import Client


async def test_products_change_and_prices_hold_them(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        product = call.v1.products.create({"id": "prod_seats", "name": "Seats", "metadata": {"sku": "S"}})
        with pytest.raises(stripe.InvalidRequestError) as taken:
            call.v1.products.create({"id": "prod_seats", "name": "Seats"})
        assert taken.value.code == "resource_already_exists"
        price = call.v1.prices.create({"product": product.id, "currency": "eur", "unit_amount": 900})
        changed = call.v1.products.update(
            product.id, {"active": False, "default_price": price.id, "unit_label": "seat"}
        )
        assert (changed.active, changed.default_price, changed.unit_label) == (False, price.id, "seat")
        with pytest.raises(stripe.InvalidRequestError, match="cannot be deleted"):
            call.v1.products.delete(product.id)
        empty = call.v1.products.create({"name": "Empty"})
        call.v1.products.delete(empty.id)
        assert [one.id for one in call.v1.products.list({"active": False})] == [product.id]
        assert [event.type for event in call.v1.events.list({"types": ["product.updated", "product.deleted"]})] == [
            "product.deleted",
            "product.updated",
        ]

    await client(work)


async def test_what_a_price_costs_never_changes(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        product = call.v1.products.create({"name": "Seats"}).id
        price = call.v1.prices.create(
            {
                "product": product,
                "currency": "eur",
                "unit_amount_decimal": Decimal("12.5"),
                "lookup_key": "seats",
                "recurring": {"interval": "month", "interval_count": 3},
            }
        )
        assert (price.type, price.unit_amount, price.unit_amount_decimal) == ("recurring", None, Decimal("12.5"))
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call.raw_request("post", f"/v1/prices/{price.id}", unit_amount=1)
        assert (refused.value.code, refused.value.param) == ("parameter_unknown", "unit_amount")
        changed = call.v1.prices.update(price.id, {"active": False, "nickname": "old", "tax_behavior": "exclusive"})
        assert (changed.active, changed.nickname, changed.tax_behavior) == (False, "old", "exclusive")
        with pytest.raises(stripe.InvalidRequestError, match="cannot be changed"):
            call.v1.prices.update(price.id, {"tax_behavior": "inclusive"})
        with pytest.raises(stripe.InvalidRequestError, match="already uses that lookup key"):
            call.v1.prices.create({"product": product, "currency": "eur", "unit_amount": 1, "lookup_key": "seats"})
        other = call.v1.prices.create(
            {
                "product": product,
                "currency": "eur",
                "unit_amount": 1,
                "lookup_key": "seats",
                "transfer_lookup_key": True,
            }
        )
        described: Any = {
            "product_data": {"name": "Made with it"},
            "currency": "eur",
            "unit_amount": 5,
            "expand": ["product"],
        }
        with_product = call.v1.prices.create(described)
        assert with_product.to_dict()["product"]["name"] == "Made with it"
        assert [one.id for one in call.v1.prices.list({"lookup_keys": ["seats"]})] == [other.id]
        assert [one.id for one in call.v1.prices.list({"type": "recurring", "product": product})] == [price.id]
        customer = call.v1.customers.create({"name": "A"}).id
        wrong: Any = {"customer": customer, "pricing": {"price": price.id}}
        with pytest.raises(stripe.InvalidRequestError, match="inactive"):
            call.v1.invoice_items.create(wrong)
        call.v1.prices.update(price.id, {"active": True})
        with pytest.raises(stripe.InvalidRequestError, match="type=one_time"):
            call.v1.invoice_items.create(wrong)

    await client(work)


GRADUATED = [{"up_to": 10, "unit_amount": 100}, {"up_to": 20, "unit_amount": 50, "flat_amount": 500}, {"up_to": "inf"}]


@pytest.mark.parametrize(
    ("terms", "quantity", "amount"),
    [
        ({"unit_amount_decimal": "0.5"}, "3", 2),
        ({"unit_amount_decimal": "0.5"}, "1", 1),
        ({"unit_amount": 300, "transform_quantity": {"divide_by": 5, "round": "up"}}, "11", 900),
        ({"unit_amount": 300, "transform_quantity": {"divide_by": 5, "round": "down"}}, "14", 600),
        ({"tiers_mode": "graduated"}, "0", 0),
        ({"tiers_mode": "graduated"}, "10", 1000),
        ({"tiers_mode": "graduated"}, "12", 1000 + 500 + 100),
        ({"tiers_mode": "graduated"}, "25", 1000 + 500 + 500 + 5),
        ({"tiers_mode": "volume"}, "10", 1000),
        ({"tiers_mode": "volume"}, "12", 500 + 600),
        ({"tiers_mode": "volume"}, "100", 100),
    ],
)
def test_a_quantity_costs_what_the_terms_say(terms: dict[str, Any], quantity: str, amount: int) -> None:
    account = Account(World(name="stripe", seed=1))
    product = create_product(account, Parameters({"name": "Calls"}))["id"]
    if "tiers_mode" in terms:
        last = {"up_to": "inf", "unit_amount": 1}
        terms = {**terms, "billing_scheme": "tiered", "tiers": [*GRADUATED[:2], last]}
    wanted = {"product": product, "currency": "eur", "recurring": {"interval": "month"}, **terms}
    price = create(account, Parameters(wanted))
    assert cost(account, price, Decimal(quantity)) == amount


async def test_search_finds_by_metadata_and_fields(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> None:
        names = [f"Customer {number}" for number in range(23)]
        made = [
            call.v1.customers.create(
                {"name": name, "email": f"a{place}@x.example", "metadata": {"order": f"7-{place}"}}
            )
            for place, name in enumerate(names)
        ]

        def found(query: str) -> list[str]:
            return [one.id for one in call.v1.customers.search({"query": query, "limit": 5}).auto_paging_iter()]

        assert found('metadata["order"]:"7-4"') == [made[4].id]
        assert found("metadata['order']:'7-4' OR email:'a5@x.example'") == [made[5].id, made[4].id]
        assert found('name~"customer" AND -email:"a3@x.example"') == [
            one.id for one in reversed(made) if one != made[3]
        ]
        assert found('metadata["absent"]:null created>0') == [one.id for one in reversed(made)]
        assert found('metadata["absent"]:"1"') == []
        for query in ("name", 'nick:"a"', 'name:"a" AND email:"b" OR email:"c"', 'name~"a"', "created>x"):
            with pytest.raises(stripe.InvalidRequestError):
                found(query)

    await client(work)


async def test_search_is_behind(client: Client, sandbox: Running) -> None:
    await sandbox.world.books.seed({"switches": {"search_delay": 60}})

    def work(call: stripe.StripeClient) -> int:
        return len(call.v1.customers.search({"query": 'name:"Alder"'}).data)

    await client(lambda call: call.v1.customers.create({"name": "Alder"}))
    assert await client(work) == 0
    sandbox.world.clock.advance(61)
    assert await client(work) == 1


async def test_an_invoice_shows_where_its_customer_is_delivered_to(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        place: Any = {"name": "A", "address": {"line1": "Ring 1", "city": "Bern", "country": "CH"}}
        customer = call.v1.customers.create({"name": "A", "shipping": place}).id
        draft: Any = call.v1.invoices.create({"customer": customer, "currency": "chf"})
        assert (draft.customer_shipping.name, draft.customer_shipping.address.city) == ("A", "Bern")
        assert draft.customer_address is None

    await client(work)


async def test_an_item_on_a_draft_is_in_its_currency_and_of_its_customer(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer, other = (call.v1.customers.create({}).id for _ in range(2))
        draft = call.v1.invoices.create({"customer": customer, "currency": "usd"}).id
        euros: Any = {"currency": "eur", "unit_amount": 300, "product_data": {"name": "Seats"}}
        price = call.v1.prices.create(euros).id
        wrong: dict[str, list[Any]] = {
            "currency": [
                {"customer": customer, "amount": 500, "currency": "eur"},
                {"customer": customer, "pricing": {"price": price}, "currency": "eur"},
            ],
            "pricing": [{"customer": customer, "pricing": {"price": price}}],
            "customer": [{"customer": other, "amount": 500, "currency": "usd"}],
        }
        for place, items in wrong.items():
            for item in items:
                item["invoice"] = draft
                with pytest.raises(stripe.InvalidRequestError) as refused:
                    call.v1.invoice_items.create(item)
                assert refused.value.param == place
        call.v1.invoice_items.create({"customer": customer, "amount": 700, "currency": "USD", "invoice": draft})
        made = call.v1.invoices.retrieve(draft)
        assert (made.currency, made.total, [line.amount for line in made.lines.data]) == ("usd", 700, [700])

    await client(work)
    assert len(sandbox.world.books.snapshot()["invoiceitems"]) == 1


async def test_an_item_changes_until_its_invoice_is_final(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer = call.v1.customers.create({"name": "A"}).id
        product = call.v1.products.create({"name": "Seats"}).id
        price = call.v1.prices.create({"product": product, "currency": "eur", "unit_amount": 300}).id
        draft = call.v1.invoices.create({"customer": customer, "currency": "eur"})
        item = call.v1.invoice_items.create({"customer": customer, "invoice": draft.id, "pricing": {"price": price}})
        call.v1.invoice_items.update(item.id, {"quantity": 4, "description": "Four seats"})
        changed = call.v1.invoices.retrieve(draft.id)
        assert (changed.total, changed.lines.data[0].description, changed.lines.data[0].quantity) == (
            1200,
            "Four seats",
            4,
        )
        call.v1.invoice_items.update(item.id, {"amount": 50})
        assert call.v1.invoices.finalize_invoice(draft.id).total == 50
        with pytest.raises(stripe.InvalidRequestError) as late:
            call.v1.invoice_items.update(item.id, {"amount": 60})
        assert late.value.code == "invoice_not_editable"

    await client(work)
