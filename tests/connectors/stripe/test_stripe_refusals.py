"""What Stripe refuses, the sandbox refuses too: nothing that a caller sends is dropped without a word."""

from __future__ import annotations

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
