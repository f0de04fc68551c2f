"""What changes in an org is noticed at the first call and at the first event, read or sent; over HTTP, in a hub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import select

from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.samples import ACCOUNT, SAMPLES
from hub.model.run import RunState
from hub.operate.events import EventOrders
from hub.proof.certification.flows import CONNECTION
from hub.proof.certification.readings import streams_of
from hub.proof.certification.stand import ENVIRONMENT, Stand, stand
from hub.queries import drift
from hub.queries.view import View
from hub.sdk import exact_json
from hub.sdk.errors import FixConnection, FixData
from hub.sdk.testing.samples import Samples
from hub.store.tables import events
from tests.connectors.salesforce.connected import org, settings
from tests.proof.test_vendor_drift import bundle_of, call

#: What is held back; all else is taken in and shown.
KEPT_BACK = {"changed-type", "missing-field"}
SENT = ("Name", "Type", "AnnualRevenue", "SystemModstamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an admin does, what the record then has, and what must be said of it."""

    wish: Mapping[str, Any]
    value: Mapping[str, Any]
    kind: str
    path: str
    detail: str
    operation: str = "account.read"
    stream: str = "accounts"
    fields: tuple[str, ...] = SENT


def account_field(name: str, **declared: Any) -> dict[str, Any]:
    return {"fields": [{"object": "Account", "name": name, "type": "string", "length": 20, **declared}]}


def picked(object: str, field: str, value: str) -> dict[str, Any]:
    return {"picklist_values": [{"object": object, "field": field, "values": [value]}]}


ADDED = Change(
    wish=account_field("Loyalty__c"),
    value={"Loyalty__c": "gold"},
    kind="unknown-field",
    path="Loyalty__c",
    detail="string",
    fields=(*SENT, "Loyalty__c"),
)
REMOVED = Change(
    wish={"remove_fields": ["Account.Type"]},
    value={"Name": "Alder"},
    kind="missing-field",
    path="Type",
    detail="required",
)
RETYPED = Change(
    wish=account_field("AnnualRevenue"),
    value={"AnnualRevenue": "a lot"},
    kind="changed-type",
    path="AnnualRevenue",
    detail="string instead of null or number",
)
CHANGES = {
    "added": ADDED,
    "added where there are no amounts": Change(
        wish={"fields": [{"object": "Product2", "name": "Shelf__c", "type": "string", "length": 20}]},
        value={"Shelf__c": "top"},
        kind="unknown-field",
        path="Shelf__c",
        detail="string",
        operation="product.read",
        stream="products",
        fields=("Name", "Shelf__c", "SystemModstamp"),
    ),
    "removed": REMOVED,
    "retyped": RETYPED,
    "new value": Change(
        wish=picked("Account", "Type", "Customer - Galactic"),
        value={"Type": "Customer - Galactic"},
        kind="new-value",
        path="Type",
        detail="Customer - Galactic",
    ),
    "new family": Change(
        wish=picked("Product2", "Family", "Robots"),
        value={"Family": "Robots"},
        kind="new-value",
        path="Family",
        detail="Robots",
        operation="product.read",
        stream="products",
        fields=("Name", "Family", "SystemModstamp"),
    ),
    "new unit": Change(
        wish=picked("Product2", "QuantityUnitOfMeasure", "Parsec"),
        value={"QuantityUnitOfMeasure": "Parsec"},
        kind="new-value",
        path="QuantityUnitOfMeasure",
        detail="Parsec",
        operation="product.read",
        stream="products",
        fields=("Name", "QuantityUnitOfMeasure", "SystemModstamp"),
    ),
    "new kind of order": Change(
        wish=picked("Order", "Type", "Swap"),
        value={"Type": "Swap"},
        kind="new-value",
        path="Type",
        detail="Swap",
        operation="order.read",
        stream="orders",
        fields=("Type", "SystemModstamp"),
    ),
}
OBJECTS = {"accounts": "Account", "products": "Product2", "orders": "Order"}
EACH = pytest.mark.parametrize("name", sorted(CHANGES))


@asynccontextmanager
async def hub_of(operation: str, samples: Samples = SAMPLES) -> AsyncIterator[tuple[Stand, View]]:
    """Serve an org and a hub whose connection the shipped policy guards."""
    sample = next(one for one in samples.reads if one.operation == operation)
    key = "external_id" if operation == "contract.read" else "id"
    sample = replace(sample, input={key: "x"}, after=())
    async with stand(CONNECTOR, samples, bundle_of(CONNECTOR, samples, sample)) as hub:
        yield hub, View(environment=ENVIRONMENT, database=hub.database, ambient=hub.ambient)


def record_of(hub: Stand, object: str) -> str:
    """Give the id of the org's first record of an object."""
    return ACCOUNT if object == "Account" else str(hub.books()["records"][object][0]["Id"])


async def happen(hub: Stand, change: Change) -> None:
    """Let an admin change the org, and somebody the record."""
    object = OBJECTS[change.stream]
    await hub.sandbox.world.books.seed(change.wish)
    if change.value:
        made = {"type": object, "id": record_of(hub, object), **change.value}
        await hub.sandbox.world.books.seed({"changes": [made]})


async def poll(hub: Stand, stream: str) -> None:
    """Read a stream as the hub reads it."""
    found = next(one for one in CONNECTOR.streams if one.name == stream)
    await streams_of(hub).read(hub.account, found, overlap=found.overlap)


def told(view: View) -> set[tuple[str, str, str | None, str]]:
    """Give what was found; other records of the page have nothing in the new field."""
    found = {(one.kind, one.path, one.detail, one.action) for one in drift.listing(view, payloads=True)}
    return {one for one in found if one[2] != "null"}


def expected(change: Change) -> set[tuple[str, str, str | None, str]]:
    action = "quarantine" if change.kind in KEPT_BACK else "accept"
    return {(change.kind, change.path, change.detail, action)}


def states(hub: Stand, type: str) -> set[str]:
    """Give what became of the events of a type."""
    with hub.database.reading() as reading:
        return set(reading.execute(select(events.c.state).where(events.c.type == type)).scalars())


@EACH
async def test_the_first_call_notices(name: str) -> None:
    change = CHANGES[name]
    async with hub_of(change.operation) as (hub, view):
        wanted = {"id": record_of(hub, OBJECTS[change.stream])}
        assert (await call(hub, wanted, "before"))[1] is RunState.SUCCEEDED
        assert told(view) == set()
        await happen(hub, change)
        ended = (await call(hub, wanted, "after"))[1]
        assert told(view) == expected(change)
        assert ended is (RunState.PARKED if change.kind in KEPT_BACK else RunState.SUCCEEDED)


@EACH
async def test_the_first_event_that_is_read_notices(name: str) -> None:
    change = CHANGES[name]
    async with hub_of(change.operation) as (hub, view):
        await poll(hub, change.stream)
        assert told(view) == set()
        await happen(hub, change)
        await poll(hub, change.stream)
        assert told(view) == expected(change)
        kind = change.operation.partition(".")[0]
        assert ("quarantined" in states(hub, f"salesforce.{kind}.changed")) is (change.kind in KEPT_BACK)


@asynccontextmanager
async def door(hub: Stand) -> AsyncIterator[str]:
    """Let a hub take outbound messages over HTTP; gives the address."""

    async def take(request: web.Request) -> web.Response:
        headers = {":query": request.query_string, **{name.lower(): value for name, value in request.headers.items()}}
        await hub.intake.webhook(CONNECTION, headers, await request.read())
        answer = hub.intake.acknowledgement(CONNECTION)
        assert answer is not None
        return web.Response(body=answer.body, headers={"content-type": answer.content_type})

    app = web.Application()
    app.router.add_post("/hooks/salesforce", take)
    async with TestServer(app) as server:
        secret = hub.account.settings.model_dump()["webhook_secret"].get_secret_value()
        yield str(server.make_url("/hooks/salesforce").with_query(key=secret))


def acknowledged(hub: Stand) -> int:
    return sum(bool(one["acknowledged"]) for one in hub.books()["messages"])


async def is_sent(hub: Stand, change: Change, url: str) -> None:
    """Let an admin change the org, put the fields into a message, and somebody change the record."""
    object = OBJECTS[change.stream]
    await hub.sandbox.world.books.seed(change.wish)
    subscription = {"object": object, "fields": list(change.fields), "url": url}
    await hub.sandbox.world.books.seed({"subscriptions": [subscription]})
    await hub.sandbox.world.books.seed({"changes": [{"type": object, "id": record_of(hub, object), **change.value}]})
    before = acknowledged(hub)
    await hub.until(lambda: acknowledged(hub) > before)


@pytest.mark.parametrize("name", sorted(CHANGES.keys() - {"removed"}))
async def test_the_first_event_that_is_sent_notices(name: str) -> None:
    """What a message leaves out may be empty: of that the next test."""
    change = CHANGES[name]
    async with hub_of(change.operation) as (hub, view), door(hub) as url:
        await is_sent(hub, replace(change, wish={}, value={"Description": "x"}, fields=SENT[-1:]), url)
        assert told(view) == set()
        await is_sent(hub, change, url)
        assert told(view) == expected(change)
        (found,) = drift.listing(view, payloads=True)
        kind = change.operation.partition(".")[0]
        assert found.series == f"salesforce.{kind}_sent"
        assert ("quarantined" in states(hub, f"salesforce.{kind}.sent")) is (change.kind in KEPT_BACK)


async def test_what_a_message_leaves_out_is_missed_where_the_record_is_read() -> None:
    """Salesforce leaves out what is empty: nobody can tell that from what is gone. A flow reads the record anyhow."""
    async with hub_of("account.read") as (hub, view), door(hub) as url:
        await hub.sandbox.world.books.seed({"subscriptions": [{"object": "Account", "fields": list(SENT), "url": url}]})
        await is_sent(hub, replace(REMOVED, fields=("Name", "SystemModstamp")), url)
        assert (told(view), states(hub, "salesforce.account.sent")) == (set(), {"unrouted"})
        assert (await call(hub, {"id": ACCOUNT}, "after"))[1] is RunState.PARKED
        assert told(view) == expected(REMOVED)


async def test_a_message_without_the_currency_of_its_amounts_is_kept_and_released() -> None:
    """With `currency` the settings say what the message leaves out; the bytes were kept meanwhile."""
    async with hub_of("account.read") as (hub, view), door(hub) as url:
        hub.connect(currency="")
        change = Change(wish={}, value={"AnnualRevenue": 9}, kind="", path="", detail="")
        await is_sent(hub, change, url)
        with hub.database.reading() as reading:
            kept = reading.execute(select(events.c.id, events.c.state, events.c.reason)).one()
        assert (kept.state, kept.reason) == ("rejected", "no-currency")
        orders = EventOrders(
            environment=ENVIRONMENT,
            ambient=hub.ambient,
            database=hub.database,
            committer=hub.committer,
            accounts=hub.accounts,
            bundle=hub.bundle,
            take=hub.intake.read_again,
        )
        with pytest.raises(FixData) as refusal:
            await orders.release(kept.id, actor="local", reason="now?")
        assert refusal.value.code == "still-unreadable"
        hub.connect(currency="USD")
        await orders.release(kept.id, actor="local", reason="the settings say it")
        assert states(hub, "salesforce.account.sent") == {"unrouted"}
        with hub.database.reading() as reading:
            told_now = reading.execute(select(events.c.data).where(events.c.type == "salesforce.account.sent"))
            record = exact_json.loads(told_now.scalar_one())["record"]
        assert (record["AnnualRevenue"], record["CurrencyIsoCode"]) == (9, "USD")
        assert told(view) == set()


# --- fields of the org's own ---

OWN = Change(
    wish={"remove_fields": ["Account.Segments__c"]},
    value={"Name": "Alder"},
    kind="missing-field",
    path="Segments__c",
    detail="expected",
)
ITEM = Change(
    wish={"remove_fields": ["OrderItem.Line_Key__c"]},
    value={},
    kind="missing-field",
    path="Orders[].OrderItems[].Line_Key__c",
    detail="expected",
    operation="contract.read",
    stream="orders",
)
EXPECTS = ("Account.Segments__c", "OrderItem.Line_Key__c", "Order.Billing_Id__c", "Usage__c.Metric__c")


def expecting() -> Samples:
    return replace(SAMPLES, settings={**SAMPLES.settings, "expects": EXPECTS})


@pytest.mark.parametrize("change", [OWN, ITEM], ids=["account", "item"])
async def test_an_expected_field_that_is_gone_is_missed_at_the_first_call(change: Change) -> None:
    async with hub_of(change.operation, expecting()) as (hub, view):
        wanted = {"id": ACCOUNT} if change is OWN else {"external_id": "ctr_1"}
        assert (await call(hub, wanted, "before"))[1] is RunState.SUCCEEDED
        await hub.sandbox.world.books.seed(change.wish)
        assert (await call(hub, wanted, "after"))[1] is RunState.PARKED
        assert told(view) == expected(change)


async def test_an_expected_field_that_is_gone_is_missed_at_the_first_event() -> None:
    async with hub_of("account.read", expecting()) as (hub, view):
        await poll(hub, "accounts")
        assert told(view) == set()
        await happen(hub, OWN)
        await poll(hub, "accounts")
        assert told(view) == expected(OWN)
        assert "quarantined" in states(hub, "salesforce.account.changed")


async def test_without_the_setting_nobody_knows_that_the_orgs_own_field_is_read() -> None:
    async with hub_of("account.read") as (hub, view):
        await happen(hub, OWN)
        assert (await call(hub, {"id": ACCOUNT}, "after"))[1] is RunState.SUCCEEDED
        assert told(view) == set()


async def test_the_test_of_a_connection_names_the_expected_fields_that_are_gone() -> None:
    async with org(expects=(*EXPECTS, "Nothing__c.Colour__c")) as here:
        with pytest.raises(FixConnection) as refusal:
            await CONNECTOR.ping(here.connected)
        assert refusal.value.code == "expected-field-gone"
        assert refusal.value.facts["fields"] == "Nothing__c.Colour__c"
    async with org(expects=EXPECTS) as here:
        await CONNECTOR.ping(here.connected)
        await here.seed(OWN.wish)
        with pytest.raises(FixConnection) as gone:
            await CONNECTOR.ping(here.connected)
        assert gone.value.facts["fields"] == "Account.Segments__c"


async def test_a_record_of_no_schema_that_lacks_what_is_expected_is_refused() -> None:
    async with org(expects=EXPECTS) as here:
        usage = {"type": "Usage__c", "Account__c": ACCOUNT, "Metric__c": "seats", "Key__c": "u1", "Quantity__c": 1}
        await here.seed({"records": [usage]})
        wanted = {"object": "Usage__c", "value": "u1"}
        assert (await here.read("record.find", wanted))["record"]["Metric__c"] == "seats"
        own_objects = next(stream for stream in CONNECTOR.streams if stream.name == "own_objects")
        since = here.sandbox.world.clock.now().replace(year=2020)
        assert [page async for page in own_objects.pull(here.connected, None, since)]
        await here.seed({"remove_fields": ["Usage__c.Metric__c"]})
        for name in ("record.read", "record.find"):
            with pytest.raises(FixData) as refusal:
                await here.read(name, wanted)
            assert (refusal.value.code, refusal.value.facts["fields"]) == ("expected-field-gone", "Metric__c")
        with pytest.raises(FixData) as refusal:
            [page async for page in own_objects.pull(here.connected, None, since)]
        assert refusal.value.code == "expected-field-gone"


@pytest.mark.parametrize(
    "changed",
    [
        {"expects": ("Segment__c",)},
        {"expects": ("Account.Owner.Name",)},
        {"expects": ("Account.Segment__c",), "select": {"Account": ("Name",)}},
    ],
)
def test_what_cannot_be_expected_is_refused_with_the_settings(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expects"):
        settings(**changed)
