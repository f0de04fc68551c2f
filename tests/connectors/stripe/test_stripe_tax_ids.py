"""Tax ids of customers with Stripe's own library: shown only where they are asked for, and told of apart."""

from __future__ import annotations

import pytest
import stripe

from connectors.stripe.connector import CONNECTOR
from connectors.stripe.listings import customers
from hub.sandbox.server import Running
from hub.sdk.testing.sending import Connected
from tests.connectors.stripe.partners import Client


async def test_they_are_shown_where_they_are_asked_for(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        made = call.v1.customers.create({"name": "Alder", "tax_id_data": [{"type": "eu_vat", "value": "DE123456789"}]})
        assert "tax_ids" not in call.v1.customers.retrieve(made.id)
        later = call.v1.customers.tax_ids.create(made.id, {"type": "gb_vat", "value": "GB123456789"})
        assert (later.country, later.customer) == ("GB", made.id)
        shown = call.v1.customers.retrieve(made.id, {"expand": ["tax_ids"]}).tax_ids
        assert shown is not None
        assert [one.value for one in shown.data] == ["GB123456789", "DE123456789"]
        assert [one.id for one in call.v1.customers.tax_ids.list(made.id)] == [one.id for one in shown.data]
        call.v1.tax_ids.delete(later.id)
        listed = call.v1.customers.list({"expand": ["data.tax_ids"]}).data[0].tax_ids
        assert listed is not None
        assert [one.country for one in listed.data] == ["DE"]
        told = call.v1.events.list({"types": ["customer.tax_id.created", "customer.tax_id.deleted"]})
        assert [event.type for event in told] == [
            "customer.tax_id.deleted",
            "customer.tax_id.created",
            "customer.tax_id.created",
        ]

    await client(work)


async def test_what_is_none_is_refused(client: Client) -> None:
    def work(call: stripe.StripeClient) -> None:
        customer = call.v1.customers.create({"name": "Birch"}).id
        with pytest.raises(stripe.InvalidRequestError, match="no type of tax id"):
            call.v1.customers.tax_ids.create(customer, {"type": "passport", "value": "1"})
        for number in range(5):
            call.v1.customers.tax_ids.create(customer, {"type": "us_ein", "value": str(number)})
        with pytest.raises(stripe.InvalidRequestError, match="at most 5"):
            call.v1.customers.tax_ids.create(customer, {"type": "us_ein", "value": "6"})
        call.v1.customers.delete(customer)
        gone = call.v1.customers.retrieve(customer, {"expand": ["tax_ids"]})
        assert gone.deleted

    await client(work)


async def test_all_customers_are_listed_page_by_page_with_their_tax_ids(sandbox: Running) -> None:
    """A new one that comes meanwhile moves none out of sight, and the cursor leads on behind the last of a page."""
    wish = [{"name": f"Cedar {number}"} for number in range(230)]
    wish[0]["tax_id_data"] = [{"type": "eu_vat", "value": "DE1"}]  # type: ignore[assignment]
    await sandbox.world.books.seed({"customers": wish})
    settings = {"base_url": sandbox.url, "api_key": sandbox.announcement["api_key"], "webhook_secret": "whsec_none"}
    connected = Connected(CONNECTOR, CONNECTOR.settings.model_validate(settings))
    try:
        found = []
        since = sandbox.world.clock.now().replace(year=2000)
        async for page in customers(connected, None, since):
            found.append(page)
            if len(found) == 1:
                await sandbox.world.books.seed({"customers": [{"name": "Late"}]})
        assert [len(page.events) for page in found] == [100, 100, 30]
        events = [event for page in found for event in page.events]
        assert len({event.external_id for event in events}) == 230
        assert {event.type for event in events} == {"stripe.customer.listed"}
        oldest = events[-1].data["object"]
        assert (oldest["name"], oldest["tax_ids"]["data"][0]["value"]) == ("Cedar 0", "DE1")
        assert events[-1].schema == "stripe.customer@2026-09-30"
        behind = [page async for page in customers(connected, found[1].cursor, since)]
        assert [page.cursor for page in behind] == [found[2].cursor]
    finally:
        await connected.close()
