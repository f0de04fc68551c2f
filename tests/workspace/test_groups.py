"""Groups of companies through the shipped flows: below whom a customer stands in NetSuite, across subsidiaries too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.ui.stage import shipped_bundle
from tests.workspace.test_payout_path import stripe
from tests.workspace.walk import Walk, walking

GROUP = "001000000000001AAA"


@pytest.fixture
async def walk() -> AsyncIterator[Walk]:
    async with walking(shipped_bundle()) as walk:
        yield walk


async def kept(walk: Walk, name: str, country: str, metadata: dict[str, str]) -> dict[str, Any]:
    """Make a customer in billing, let the flow bring it into the books, and give the scope of its run."""
    address = {"line1": "Ring 1", "city": "Town", "postal_code": "1", "country": country}
    made = await stripe(walk, customers=[{"key": name, "name": name, "address": address, "metadata": metadata}])
    id = next(one["id"] for one in made["customers"] if one["name"] == name)
    return await walk.flow("customer-to-erp", {"id": id, "object": "customer"})


async def test_a_daughter_stands_below_the_record_of_its_parent_whichever_subsidiary_sells_to_it(walk: Walk) -> None:
    above = (await kept(walk, "Group", "DE", {}))["way"]["link"]["netsuite"]
    walk.crossrefs["customer", "salesforce", GROUP, "netsuite"] = above
    daughter = await kept(walk, "Daughter", "US", {"crm_parent": GROUP})
    assert daughter["way"]["books"]["post"]["id"] == daughter["way"]["link"]["netsuite"]
    books = walk.sandboxes["netsuite"].world.books.snapshot()["customers"]
    below = {one["companyName"]: (one.get("parent"), one["subsidiary"]) for one in books}
    assert below == {"Group": (None, "2"), "Daughter": (above, "1")}
    # What is so already is not written again.
    again = await walk.flow("customer-to-erp", {"id": daughter["customer"]["id"], "object": "customer"})
    assert again["way"]["books"]["post"] is None
