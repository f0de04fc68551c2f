"""A hub makes a thing at Stripe once, whatever becomes of the answers: by the key, and by the search behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.stripe.writing import MARK
from hub.sandbox.server import Running
from tests.connectors.stripe.partners import Inbox, settled
from tests.connectors.stripe.shapes import VERSIONS
from tests.connectors.stripe.small_hub import bring, small_hub, workspace

FLOW = """
flow: sells
title: A product for each invoice
owner: team:tests
on: { event: stripe.invoice.finalized }
key: join(':', [event.connection, data.object.id])
business_key: join(':', [event.connection, data.object.id])
steps:
  - id: brought
    map: stripe/invoice_to_hub
  - id: product
    call: { connection: =event.connection, operation: product.create, with: stripe/product_of_invoice, of: brought }
"""
MAPPING = """
mapping: stripe/product_of_invoice
version: 1
from: canonical.invoice@1
to: stripe.product_wish@1
fields:
  name: number
"""
SCHEMA = """
{
  "type": "object",
  "properties": {"name": {"type": "string"}},
  "required": ["name"],
  "additionalProperties": false
}
"""
FILES = (
    ("flows/sells.yaml", FLOW),
    ("mappings/stripe/product_of_invoice.yaml", MAPPING),
    ("schemas/stripe.product_wish@1.json", SCHEMA),
)
POST = {"path": "/v1/products", "method": "POST"}


@pytest.mark.parametrize(
    ("fault", "sent"),
    [
        ({"kind": "timeout_after_commit", "match": POST, "times": 1}, 2),
        ({"kind": "500_after_commit", "match": POST, "times": 2}, 3),
        # Stripe keeps the failure under the key: only a look tells that nothing was made, and another key makes it.
        ({"kind": "stored_500", "match": POST, "times": 1}, 4),
    ],
)
async def test_a_product_is_made_once(
    tmp_path: Path, sandbox: Running, inbox: Inbox, fault: dict[str, Any], sent: int
) -> None:
    newest = VERSIONS[-1]
    async with small_hub(tmp_path, sandbox, inbox, bundle=workspace(FILES), settle=0.0, timeout=1.0) as hub:
        sandbox.world.faults.replace([fault])
        wish = {
            "customers": [{"key": "customer", "name": "Alder", "address": {"country": "AT", "city": "Graz"}}],
            "invoices": [
                {"create": {"customer": "@customer", "currency": "eur"}, "lines": [{"amount": 500, "description": "A"}]}
            ],
        }
        await sandbox.world.books.seed(wish)
        await settled(sandbox)
        await bring(hub, inbox, newest)
        ended = await hub.settled(seconds=60)
        assert ended == {"succeeded": 1}, [row["detail"] for row in hub.rows("cases")]
    books = sandbox.world.books.snapshot()
    (product,) = books["products"]
    assert product["name"] == books["invoices"][0]["number"]
    assert len(product["metadata"][MARK]) == 32
    posts = [one for one in sandbox.world.requests.since(0, limit=1000) if one.path == "/v1/products"]
    assert len(posts) == sent
