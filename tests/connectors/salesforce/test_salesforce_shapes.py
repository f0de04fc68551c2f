"""Records as Salesforce sends them fit the connector's schemas, to the last digit, whatever kind of org it is."""

from __future__ import annotations

from decimal import Decimal
from importlib.resources import files
from typing import Any

import jsonschema_rs
import pytest

from connectors.salesforce.answers import record_of
from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.kinds import KINDS
from connectors.salesforce.soql import rows
from hub.schemas.drift import compile_drift
from hub.sdk.values import Request, Response
from tests.connectors.salesforce.connected import org, settings


def fixture(name: str) -> Response:
    """Give an answer out of the fixtures."""
    return Response(status=200, body=files("connectors.salesforce").joinpath("fixtures", name).read_bytes())


def findings(name: str, record: Any) -> list[str]:
    """Tell how a record differs from a schema."""
    return [f"{one.kind} {one.path}" for one in compile_drift(CONNECTOR.schemas[name])(record)]


def unselected(name: str, record: Any) -> list[str]:
    """Tell what a page misses that selects what it is about alone."""
    return [f"missing-field {field}" for field in sorted({*CONNECTOR.schemas[name]["x-answered"]} - record.keys())]


def test_an_account_is_told_without_what_describes_it_and_to_the_last_digit() -> None:
    record = record_of(fixture("account.json"))
    assert record["AnnualRevenue"] == Decimal("912260031.10")
    assert {"attributes", "BillingAddress", "ShippingAddress"}.isdisjoint(record)
    assert findings("salesforce.account@68.0", record) == unselected("salesforce.account@68.0", record)


class One:
    """A session that gives one answer."""

    settings = settings()

    async def send(self, request: Request) -> Response:
        """Give the page of orders."""
        return fixture("order_query.json")


async def test_children_and_what_they_lead_to_come_plain() -> None:
    [order] = await rows(One(), "SELECT Id FROM Order")
    [item] = order["OrderItems"]
    assert (item["UnitPrice"], item["Product2"]["ProductCode"]) == (Decimal("304086677.0333"), "S-1")
    assert "BillingAddress" not in order
    of_items = ["missing-field OrderItems[].Description", "missing-field OrderItems[].PricebookEntryId"]
    assert findings("salesforce.order@68.0", order) == [*of_items, *unselected("salesforce.order@68.0", order)]


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
async def test_each_schema_has_every_field_of_its_object(kind: Any) -> None:
    """As far as the sandbox has them; what its objects have beside is in no org but the tests'."""
    async with org() as here:
        told = await here.read("object.describe", {"object": kind.object})
        known = CONNECTOR.schemas[kind.schema]["properties"]
        wanted = {one["name"]: one["type"] for one in told["fields"] if one["type"] != "address"}
        assert wanted.keys() <= known.keys()
        sums = {name for name, type in wanted.items() if type == "currency"}
        assert all(known[name]["x-unit"] == "major" for name in sums)
        jsonschema_rs.meta.validate(dict(CONNECTOR.schemas[kind.schema]))
