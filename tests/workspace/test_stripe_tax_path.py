"""The shipped flow with Stripe Tax as its engine, and the same sales through all three engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import hub
from hub.connections.registry import load_connectors
from hub.errors import FixData
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import read_files
from tests.workspace.test_money_path import CUSTOMERS, every_kind, line, open_books, wish
from tests.workspace.walk import Walk, walking

POLICY = b"""
policy: tax-engine
kind: route
version: 2
title: Stripe taxes everything
owner: team:tax
match: first
rules:
  - name: everything
    when: invoice.entity
    then: { connection: stripe }
"""
SELLER: dict[str, Any] = {
    "switches": {"rate": None},
    "tax_settings": [
        {"defaults": {"tax_code": "txcd_99999999"}, "head_office": {"address": {"state": "CA", "country": "US"}}}
    ],
    "tax_registrations": [
        {"country": "US", "country_options": {"us": {"state": "NY", "type": "state_sales_tax"}}, "active_from": 1},
        *({"country": country, "active_from": 1} for country in ("DE", "JP", "GB", "AU")),
    ],
}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    files = dict(read_files(Path(hub.__file__).resolve().parent.parent))
    flow = files["flows/invoice-to-erp.yaml"]
    files |= {"policies/tax-engine.yaml": POLICY}
    files.pop("policies/tax-engine_examples.yaml")
    compiled, lints = compile_bundle(files, catalogue_of([*load_connectors().values()]))
    assert compiled is not None, [str(lint) for lint in lints]
    assert compiled.files["flows/invoice-to-erp.yaml"] == flow
    return compiled


@pytest.fixture
async def walk(bundle: Bundle) -> AsyncIterator[Walk]:
    async with walking(bundle) as walk:
        await walk.sandboxes["stripe"].world.books.seed(SELLER)
        yield walk


async def test_the_shipped_flow_runs_with_stripe_tax(walk: Walk) -> None:
    """Unchanged: quote and commit agree with the invoice, and Stripe Tax holds a record of each."""
    invoices = [each for key in ("de", "jp", "gb", "au") for each in every_kind(key)]
    us = {"create": {"customer": "@us", "currency": "usd"}, "lines": [line("us", 10_000)]}
    ids = await open_books(walk, wish([*invoices, us]))
    for invoice in ids:
        scope = await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
        assert scope["tax"]["status"] == "committed"
        assert scope["tax"]["tax_total"] == scope["quote"]["tax_total"]
        kept = scope["tax_document"]
        assert (kept["invoice_id"], kept["tax_total"]) == (invoice, scope["invoice"]["tax_total"])
        assert all(line["reason"] and line["details"] for line in kept["lines"] if line["tax"]["minor"])
        assert kept["nexus"] == [{**kept["nexus"][0], "collecting": True}]
    assert walk.sandboxes["tax"].world.books.snapshot()["documents"] == []
    books = walk.sandboxes["stripe"].world.books.snapshot()
    recorded = {one["metadata"]["concord_code"]: one for one in books["tax_transactions"]}
    assert len(recorded) == len(ids) == len(walk.sandboxes["netsuite"].world.books.snapshot()["invoices"])
    for invoice in books["invoices"]:
        transaction = recorded[invoice["number"]]
        taxes = sum(each["amount_tax"] for each in transaction["line_items"])
        assert taxes == sum(each["amount"] for each in invoice["total_taxes"])


async def test_a_place_without_a_registration_is_told_and_stops_the_invoice(walk: Walk) -> None:
    """What billing has taxed and the engine does not collect is no small difference."""
    create = {"customer": "@kw", "currency": CUSTOMERS["kw"][2]}
    (invoice,) = await open_books(walk, wish([{"create": create, "lines": [line("kw", 1099)]}]))
    with pytest.raises(FixData) as stopped:
        await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    assert stopped.value.code == "tax-mismatch"
    assert walk.sandboxes["stripe"].world.books.snapshot()["tax_transactions"] == []
