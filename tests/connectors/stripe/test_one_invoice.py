"""One invoice in four releases is one invoice: through webhooks and reads, by one flow; and for any invoice at all."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.stripe.sandbox.amounts import step
from connectors.stripe.sandbox.rendering import render
from connectors.stripe.versions import schema_version
from hub.mapping.compiled import apply
from hub.sandbox.exact_json import dumps
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.exact_json import loads
from tests.connectors.stripe.partners import Inbox, settled
from tests.connectors.stripe.shapes import VERSIONS, misfits, name_of
from tests.connectors.stripe.small_hub import bring, connection, small_hub, workspace

INVOICE_TO_HUB = "stripe/invoice_to_hub"


def company(currency: str, country: str) -> dict[str, Any]:
    """Describe one customer, rates, discounts and a product in a currency."""
    return {
        "products": [{"key": "plan", "id": "prod_plan", "name": "Plan"}],
        "tax_rates": [
            {"key": "on_top", "display_name": "VAT", "percentage": "19", "inclusive": False, "country": country},
            {"key": "within", "display_name": "VAT", "percentage": "7.25", "inclusive": True, "country": country},
        ],
        "coupons": [
            {"key": "percent", "percent_off": "12.5"},
            {"key": "amount", "amount_off": 700 * step(currency), "currency": currency},
        ],
        "customers": [
            {"key": "customer", "name": "Alder Works", "address": {"country": country, "line1": "1 Main Street"}}
        ],
    }


def invoice(currency: str) -> dict[str, Any]:
    """Ask for an invoice with everything that moves amounts."""
    unit = step(currency)
    price = {"currency": currency, "product": "@plan", "unit_amount_decimal": "1249.5"}
    return {
        "key": "invoice",
        "create": {"customer": "@customer", "currency": currency, "discounts": [{"coupon": "@amount"}]},
        "subscription": "sub_1",
        "lines": [
            {
                "price_data": price,
                "quantity": 7,
                "tax_rates": ["@on_top"],
                "discounts": [{"coupon": "@percent"}],
                "subscription_item": "si_1",
            },
            {"amount": -1310 * unit, "tax_rates": ["@on_top"], "proration": True, "subscription_item": "si_1"},
            {"amount": 2140 * unit, "tax_rates": ["@within"], "description": "Handbook"},
            {"amount": 0, "description": "Free of charge"},
        ],
        "payments": [{"by": "card"}],
    }


@pytest.mark.parametrize(("currency", "country"), [("eur", "DE"), ("jpy", "JP"), ("kwd", "KW")])
async def test_one_flow_takes_all_releases(
    sandbox: Running, inbox: Inbox, tmp_path: Path, currency: str, country: str
) -> None:
    async with small_hub(tmp_path, sandbox, inbox) as hub:
        await sandbox.world.books.seed({**company(currency, country), "invoices": [invoice(currency)]})
        await settled(sandbox)
        assert len(inbox.bodies) == len(VERSIONS)
        await bring(hub, inbox)
        assert await hub.settled() == {"succeeded": len(VERSIONS)}
        outputs = hub.outputs()
    assert set(outputs) == {connection(version) for version in VERSIONS}
    records = [outputs[name][0][path] for name in outputs for path in ("brought", "read")]
    assert all(record == records[0] for record in records)
    (booked,) = sandbox.world.books.snapshot()["invoices"]
    assert records[0]["total"] == {"minor": booked["total"], "currency": currency.upper()}
    assert records[0]["tax_total"]["minor"] == sum(tax["amount"] for tax in booked["total_taxes"])
    assert sum(line["amount"]["minor"] for line in records[0]["lines"]) == booked["total_excluding_tax"]
    assert [line["amount"]["minor"] > 0 for line in records[0]["lines"]] == [True, False, True, False]


AMOUNTS = st.integers(-20_000, 500_000)
LINES = st.lists(
    st.fixed_dictionaries(
        {"amount": AMOUNTS},
        optional={
            "tax_rates": st.lists(st.sampled_from(["@on_top", "@within"]), min_size=1, max_size=2, unique=True),
            "discounts": st.just([{"coupon": "@percent"}]),
            "proration": st.booleans(),
            "subscription_item": st.just("si_1"),
        },
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    currency=st.sampled_from([("eur", "DE"), ("jpy", "JP"), ("kwd", "KW"), ("usd", "US")]),
    lines=LINES,
    create=st.sampled_from([{}, {"discounts": [{"coupon": "@amount"}]}]),
    origin=st.sampled_from([{}, {"subscription": "sub_1"}]),
    payment=st.sampled_from([None, {"by": "card"}, {"by": "outside"}, {"by": "report"}, {"by": "card", "amount": 100}]),
)
def test_any_invoice_is_the_same_in_all_releases(
    currency: tuple[str, str], lines: list[dict[str, Any]], create: Any, origin: Any, payment: Any
) -> None:
    code, country = currency
    wish: dict[str, Any] = {
        "key": "invoice",
        "create": {"customer": "@customer", "currency": code, **create},
        "lines": [{**line, "amount": line["amount"] * step(code)} for line in lines],
        "payments": [payment] if payment else [],
        **origin,
    }
    shown = asyncio.run(rendered({**company(code, country), "invoices": [wish]}))
    bundle = workspace()
    wanted = bundle.mappings[INVOICE_TO_HUB].source
    records = []
    for version, payload in shown.items():
        assert not misfits(name_of("invoice", version), payload), version
        newest = bundle.read_as(f"stripe.invoice@{schema_version(version)}", payload, wanted)
        assert not misfits(wanted, newest, made=True), version
        records.append(apply(bundle.mappings[INVOICE_TO_HUB], newest))
    assert all(record == records[0] for record in records)


async def rendered(wish: dict[str, Any]) -> dict[str, Any]:
    """Seed a sandbox and give its one invoice as each release shows it, with all lines."""
    async with running(find("stripe")) as sandbox:
        books: Any = sandbox.world.books
        await books.seed(wish)
        (invoice,) = books.snapshot()["invoices"]
        whole = {name: value for name, value in invoice.items() if name != "payments"}
        url = f"/v1/invoices/{invoice['id']}/lines"
        whole["lines"] = {"object": "list", "data": invoice["lines"], "has_more": False, "url": url}
        return {version: loads(dumps(render(books.account, whole, version))) for version in VERSIONS}


@pytest.mark.parametrize(
    ("shown", "claim"),
    [
        # A release of the future that adds fields and a value; one from before all that are registered; no version.
        ("2026-09-30.endive", "2027-03-31.fennel"),
        ("2024-09-30.acacia", "2023-10-16"),
        ("2026-09-30.endive", "not a version"),
    ],
)
async def test_a_version_that_was_never_registered_is_taken_in_and_read(
    sandbox: Running, inbox: Inbox, tmp_path: Path, shown: str, claim: str
) -> None:
    drift = {"invoice": {"set": {"score": 7, "billing_reason": "agent"}}, "line_item": {"set": {"margin": 12}}}
    async with small_hub(tmp_path, sandbox, inbox) as hub:
        await sandbox.world.books.seed({**company("eur", "DE"), "switches": {"drift": drift, "claim": claim}})
        await sandbox.world.books.seed({"invoices": [invoice("eur")]})
        await settled(sandbox)
        await bring(hub, inbox, shown)
        assert await hub.settled() == {"succeeded": 1}
        ((made,),) = hub.outputs().values()
        (event,) = hub.rows("events")
    assert event["schema"] == f"stripe.invoice@{schema_version(claim)}"
    assert event["schema"] not in workspace().schemas
    assert made["brought"] == made["read"]
    (booked,) = sandbox.world.books.snapshot()["invoices"]
    assert made["brought"]["total"] == {"minor": booked["total"], "currency": "EUR"}
    assert made["brought"]["tax_total"]["minor"] == sum(tax["amount"] for tax in booked["total_taxes"])


async def test_what_cannot_be_read_any_more_becomes_a_case_and_is_kept(
    sandbox: Running, inbox: Inbox, tmp_path: Path
) -> None:
    drift = {"invoice": {"drop": ["number"]}}
    async with small_hub(tmp_path, sandbox, inbox) as hub:
        await sandbox.world.books.seed(
            {**company("eur", "DE"), "switches": {"drift": drift, "claim": "2027-03-31.fennel"}}
        )
        await sandbox.world.books.seed({"invoices": [invoice("eur")]})
        await settled(sandbox)
        await bring(hub, inbox)
        assert await hub.settled() == {"parked": len(VERSIONS)}
        cases, events = hub.rows("cases"), hub.rows("events")
    assert {case["reason"] for case in cases} == {"required-missing"}
    assert all('"field":"number"' in case["facts"] for case in cases)
    assert [event["state"] for event in events] == ["accepted"] * len(VERSIONS)
    assert all("total" in loads(event["data"])["object"] for event in events)
