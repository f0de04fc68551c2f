"""The sandbox taxes a subscription's invoices by itself, by the place of the customer and what is sold."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from hub.sandbox.server import Running
from tests.connectors.stripe.partners import Client

BERLIN = {"city": "Berlin", "country": "DE", "line1": "Torstraße 1", "postal_code": "10119"}
TERMS: Any = {"collection_method": "send_invoice", "days_until_due": 30, "automatic_tax": {"enabled": True}}


def set_up(call: stripe.StripeClient, *countries: str) -> None:
    defaults = {"tax_code": "txcd_10000000", "tax_behavior": "exclusive"}
    settings: Any = {"defaults": defaults, "head_office": {"address": BERLIN}}
    call.v1.tax.settings.update(settings)
    for country in countries:
        options = {country.lower(): {"type": "standard"}}
        wanted: Any = {"country": country, "country_options": options, "active_from": "now"}
        call.v1.tax.registrations.create(wanted)


def subscribed(call: stripe.StripeClient, country: str, *, code: str | None = None, **person: Any) -> Any:
    """Subscribe a customer to something of 100.05 a month, and give the first invoice."""
    buyer: Any = {"name": "Alder", "address": {"country": country}, **person}
    customer = call.v1.customers.create(buyer).id
    thing: Any = {"name": "Seats", **({"tax_code": code} if code else {})}
    product = call.v1.products.create(thing).id
    price = call.v1.prices.create(
        {"product": product, "currency": "eur", "unit_amount": 10005, "recurring": {"interval": "month"}}
    ).id
    call.v1.invoice_items.create({"customer": customer, "currency": "eur", "amount": 200})
    wanted: Any = {"customer": customer, "items": [{"price": price}], **TERMS}
    made = call.v1.subscriptions.create(wanted)
    assert made.automatic_tax.enabled
    return call.v1.invoices.retrieve(str(made.latest_invoice))


@pytest.mark.parametrize(
    ("country", "code", "person", "taxes", "reason"),
    [
        ("DE", None, {}, [1901, 38], "standard_rated"),
        ("FR", None, {}, [2001, 40], "standard_rated"),
        ("FR", "txcd_35010000", {}, [550, 40], "reduced_rated"),
        ("FR", None, {"tax_id_data": [{"type": "eu_vat", "value": "FR12345678901"}]}, [0, 0], "reverse_charge"),
        ("DE", None, {"tax_exempt": "exempt"}, [0, 0], "customer_exempt"),
        ("JP", None, {}, [0, 0], "not_collecting"),
    ],
)
async def test_each_line_is_taxed_where_the_customer_is(
    client: Client, country: str, code: str | None, person: Any, taxes: list[int], reason: str
) -> None:
    def work(call: stripe.StripeClient) -> None:
        set_up(call, "DE", "FR")
        invoice = subscribed(call, country, code=code, **person)
        lines = {line.amount: line.taxes for line in invoice.lines.data}
        assert [sum(tax.amount for tax in lines[amount] or ()) for amount in (10005, 200)] == taxes
        assert invoice.total == 10205 + sum(taxes)
        assert (invoice.automatic_tax.enabled, invoice.automatic_tax.status) == (True, "complete")
        assert [tax.taxability_reason for tax in lines[10005] or ()] == [reason]

    await client(work)


async def test_it_is_refused_where_nothing_could_be_taxed(client: Client, sandbox: Running) -> None:
    def work(call: stripe.StripeClient) -> None:
        with pytest.raises(stripe.InvalidRequestError, match="set up Stripe Tax"):
            subscribed(call, "DE")
        set_up(call, "DE")
        with pytest.raises(stripe.InvalidRequestError, match="location"):
            subscribed(call, "US")
        rate = call.v1.tax_rates.create({"display_name": "VAT", "percentage": 19, "inclusive": False}).id
        customer = call.v1.customers.create({"address": {"country": "DE"}}).id
        product = call.v1.products.create({"name": "Seats"}).id
        price: Any = {"product": product, "currency": "eur", "unit_amount": 1, "recurring": {"interval": "month"}}
        both: Any = {"customer": customer, "items": [{"price_data": price}], "default_tax_rates": [rate], **TERMS}
        with pytest.raises(stripe.InvalidRequestError, match="default_tax_rates"):
            call.v1.subscriptions.create(both)
        untaxed: Any = {**both, "automatic_tax": {"enabled": False}}
        begun = call.v1.subscriptions.create(untaxed)
        with pytest.raises(stripe.InvalidRequestError, match="default_tax_rates"):
            call.v1.subscriptions.update(begun.id, {"automatic_tax": {"enabled": True}})
        changed: Any = {"automatic_tax": {"enabled": True}, "default_tax_rates": ""}
        assert call.v1.subscriptions.update(begun.id, changed).automatic_tax.enabled

    await client(work)
