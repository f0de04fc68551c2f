"""What Stripe refuses, the sandbox refuses too: nothing that a caller sends is dropped without a word."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
import stripe

from connectors.stripe.sandbox.routes import ROUTES
from hub.sandbox.server import Running
from tests.connectors.stripe.partners import Client

LISTS = sorted(path for method, path, _ in ROUTES if method == "GET" and "{" not in path)
#: What a list needs beside, so that it is the surplus that is refused.
NEEDED = {
    "/v1/subscription_items": "subscription",
    "/v1/credit_notes/preview": "invoice",
    "/v1/credit_notes/preview/lines": "invoice",
}


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_refuses_a_filter_that_it_does_not_know(sandbox: Running, path: str) -> None:
    headers = {"Authorization": f"Bearer {sandbox.announcement['api_key']}"}
    query = {"query": "created>1"} if path.endswith("/search") else {}
    asked = {**query, "colour": "red"}
    async with aiohttp.ClientSession(headers=headers) as http, http.get(sandbox.url + path, params=asked) as answer:
        error = (await answer.json())["error"]
    wanted = ("parameter_missing", NEEDED[path]) if path in NEEDED else ("parameter_unknown", "colour")
    assert (answer.status, error["code"], error["param"]) == (400, *wanted)


async def test_lines_of_an_invoice_refuse_it_too(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        draft = call.v1.invoices.create({"customer": call.v1.customers.create({}).id, "currency": "eur"})
        surplus: Any = {"colour": "red"}
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call.v1.invoices.line_items.list(draft.id, surplus)
        assert refused.value.code == "parameter_unknown"

    await client(work)


@pytest.mark.parametrize("email", ["nobody", "@b.example", "a b@c.example", "a@"])
async def test_an_email_that_is_none(client: Client, email: str) -> None:
    def work(call: stripe.StripeClient) -> None:
        with pytest.raises(stripe.InvalidRequestError, match="Invalid email address") as refused:
            call.v1.customers.create({"email": email})
        assert (refused.value.code, refused.value.param) == ("email_invalid", "email")

    await client(work)


async def test_where_goods_go_is_kept(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        address = {"line1": "Ring 1", "city": "Wien", "country": "AT"}
        place: Any = {"name": "Gate 2", "phone": "+43 1", "address": address}
        half: Any = {"shipping": {"phone": "+43 1"}}
        made: Any = call.v1.customers.create({"shipping": place})
        assert (made.shipping.name, made.shipping.address.city, made.shipping.address.state) == ("Gate 2", "Wien", None)
        with pytest.raises(stripe.InvalidRequestError) as refused:
            call.v1.customers.create(half)
        assert refused.value.param == "shipping[address]"
        none: Any = {"shipping": ""}
        assert call.v1.customers.update(made.id, none).shipping is None

    await client(work)


async def test_a_tax_code_has_its_form(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        with pytest.raises(stripe.InvalidRequestError, match="No such tax code") as refused:
            call.v1.products.create({"name": "A", "tax_code": "software"})
        assert (refused.value.code, refused.value.param) == ("resource_missing", "tax_code")

    await client(work)


@pytest.mark.parametrize(("name", "most"), [("name", 256), ("phone", 20), ("description", 5000)])
async def test_a_text_is_no_longer_than_stripe_takes(client: Client, name: str, most: int) -> None:
    def work(call: stripe.StripeClient) -> None:
        fits: Any = {name: "+43 1 555-" + "7" * (most - 10)}
        made: Any = call.v1.customers.create(fits)
        longer: Any = {name: f"{fits[name]}8"}
        told = re.escape(
            f"Invalid string: {longer[name][:10]}...{longer[name][-10:]}; must be at most {most} characters"
        )
        for write in (call.v1.customers.create, lambda change: call.v1.customers.update(made.id, change)):
            with pytest.raises(stripe.InvalidRequestError, match=told) as refused:
                write(longer)
            assert refused.value.param == name

    await client(work)


async def test_the_longest_text_goes_by_the_endpoint_and_the_place(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        call.v1.products.create({"name": "n" * 300, "description": "d" * 40_000, "unit_label": "u" * 12})
        writes: dict[str, Callable[[], object]] = {
            "unit_label": lambda: call.v1.products.create({"name": "A", "unit_label": "u" * 13}),
            "name": lambda: call.v1.coupons.create({"name": "n" * 41, "percent_off": 5}),
            "address[line1]": lambda: call.v1.customers.create({"address": {"line1": "l" * 5001}}),
            "preferred_locales[1]": lambda: call.v1.customers.create({"preferred_locales": ["de", "l" * 5001]}),
            "product_data[unit_label]": lambda: call.v1.prices.create(
                {"currency": "eur", "unit_amount": 5, "product_data": {"name": "A", "unit_label": "u" * 13}}
            ),
            "line_items[0][reference]": lambda: call.v1.tax.calculations.create(
                {
                    "currency": "eur",
                    "line_items": [{"amount": 5, "reference": "r" * 501}],
                    "customer_details": {"address": {"country": "DE"}, "address_source": "billing"},
                }
            ),
        }
        for place, write in writes.items():
            with pytest.raises(stripe.InvalidRequestError, match="must be at most") as refused:
                write()
            assert refused.value.param == place

    await client(work)
