"""Business events: the handshake, what an event says, several for one save, and deliveries that fail."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from connectors.s4hana.sandbox.tenant import Tenant
from tests.connectors.s4hana.conftest import ORDERS, PARTNERS, Plain

PARTNER = {"BusinessPartnerCategory": "2", "OrganizationBPName1": "Zed"}
CREATED = "sap.s4.beh.businesspartner.v1.BusinessPartner.Created.v1"
CHANGED = "sap.s4.beh.businesspartner.v1.BusinessPartner.Changed.v1"


@dataclass
class Subscriber:
    """Somebody who is told of events: what came, and what it answers."""

    url: str = ""
    allowed: str = "*"
    statuses: list[int] = field(default_factory=list)
    asked: list[Any] = field(default_factory=list)
    came: list[tuple[Any, bytes]] = field(default_factory=list)

    async def ask(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers)
        return web.Response(status=200, headers={"WebHook-Allowed-Origin": self.allowed, "Allow": "POST"})

    async def take(self, request: web.Request) -> web.Response:
        self.came.append((request.headers, await request.read()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.came]

    @property
    def types(self) -> list[str]:
        return [each["type"] for each in self.events]


@pytest.fixture
async def subscriber() -> AsyncIterator[Subscriber]:
    """Give a subscriber that listens on loopback."""
    found = Subscriber()
    application = web.Application()
    application.router.add_route("OPTIONS", "/", found.ask)
    application.router.add_post("/", found.take)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield found
    await runner.cleanup()


async def settled(plain: Plain, *, seconds: float = 0) -> None:
    """Move the clock, and wait until every delivery that is due has been answered."""
    tenant = plain.served.world.books
    assert isinstance(tenant, Tenant)
    if seconds:
        await plain.control("clock", {"advance": seconds})
    tenant.events.work()
    for _ in range(500):
        await plain.control("health")
        if not tenant.events.sending:
            return


async def subscribe(plain: Plain, subscriber: Subscriber, **more: Any) -> bool:
    made = await plain.seed(subscribe=[{"url": subscriber.url, **more}])
    return bool(made["subscribe"][0]["agreed"])


async def test_an_event_has_keys_and_no_more(plain: Plain, subscriber: Subscriber) -> None:
    assert await subscribe(plain, subscriber)
    assert subscriber.asked[0]["WebHook-Request-Origin"] == "127.0.0.1"
    number = (await plain.post(PARTNERS, PARTNER)).d["BusinessPartner"]
    await settled(plain)
    headers, _ = subscriber.came[0]
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert headers["WebHook-Request-Origin"] == "127.0.0.1"
    (event,) = subscriber.events
    assert (event["type"], event["specversion"], event["data"]) == (CREATED, "1.0", {"BusinessPartner": number})
    assert event["source"].startswith("/default/sap.s4.beh/") and event["time"].endswith("Z")
    assert event["datacontenttype"] == "application/json" and len(event["id"]) == 36


async def test_nothing_is_sent_to_who_does_not_agree(plain: Plain, subscriber: Subscriber) -> None:
    subscriber.allowed = "elsewhere.example"
    assert not await subscribe(plain, subscriber)
    await plain.post(PARTNERS, PARTNER)
    await settled(plain)
    assert not subscriber.came
    assert not (await plain.seed(subscribe=[{"url": "http://127.0.0.1:9/"}]))["subscribe"][0]["agreed"]


async def test_one_save_raises_several_events_and_a_failed_one_none(plain: Plain, subscriber: Subscriber) -> None:
    await subscribe(plain, subscriber)
    await plain.seed(settings={"changed_events": 3})
    assert (await plain.write("PATCH", f"{PARTNERS}('10100001')", {"SearchTerm1": "X"})).status == 204
    await settled(plain)
    assert subscriber.types == [CHANGED] * 3 and len({each["id"] for each in subscriber.events}) == 3
    wrong = {**PARTNER, "to_BusinessPartnerAddress": [{"CityName": "Ulm"}]}
    assert (await plain.post(PARTNERS, wrong)).status == 400
    await settled(plain)
    assert len(subscriber.came) == 3


async def test_each_kind_of_document_has_its_events(plain: Plain, subscriber: Subscriber, make_order: Any) -> None:
    await subscribe(plain, subscriber)
    made = (await plain.post(ORDERS, make_order())).d["SalesOrder"]
    await plain.write("PATCH", f"{ORDERS}('{made}')", {"PurchaseOrderByCustomer": "X"}, If_Match="*")
    await plain.seed(bill=[made])
    await settled(plain)
    posted = {
        "CompanyCode": "1010",
        "FiscalYear": str(plain.served.world.clock.now().year),
        "AccountingDocument": "9000000001",
    }
    told = [(each["type"].removeprefix("sap.s4.beh."), each["data"]) for each in subscriber.events]
    for expected in (
        ("salesorder.v1.SalesOrder.Created.v1", {"SalesOrder": made}),
        ("salesorder.v1.SalesOrder.Changed.v1", {"SalesOrder": made}),
        ("billingdocument.v1.BillingDocument.Created.v1", {"BillingDocument": "90000001"}),
        ("journalentry.v1.JournalEntry.Created.v1", posted),
    ):
        assert expected in told
    assert len({name for name, _ in told}) == 4


async def test_types_are_chosen_by_patterns(plain: Plain, subscriber: Subscriber, make_order: Any) -> None:
    await subscribe(plain, subscriber, types=["*.SalesOrder.*"], headers={"Authorization": "Bearer x"})
    await plain.post(PARTNERS, PARTNER)
    await plain.post(ORDERS, make_order())
    await settled(plain)
    assert subscriber.types == ["sap.s4.beh.salesorder.v1.SalesOrder.Created.v1"]
    assert subscriber.came[0][0]["Authorization"] == "Bearer x"


async def test_a_failed_delivery_is_tried_again_by_the_clock(plain: Plain, subscriber: Subscriber) -> None:
    await subscribe(plain, subscriber, waits=[30, 60])
    subscriber.statuses += [503, 500, 500]
    await plain.post(PARTNERS, PARTNER)
    await settled(plain)
    assert len(subscriber.came) == 1
    await settled(plain, seconds=29)
    assert len(subscriber.came) == 1
    await settled(plain, seconds=2)
    await settled(plain, seconds=61)
    await settled(plain, seconds=86_400)
    assert len(subscriber.came) == 3 and len({each["id"] for each in subscriber.events}) == 1
    log = (await plain.books())["events"]
    assert [(each["attempt"], each["status"]) for each in log] == [(1, 503), (2, 500), (3, 500)]


async def test_who_is_gone_is_told_no_more(plain: Plain, subscriber: Subscriber) -> None:
    await subscribe(plain, subscriber)
    subscriber.statuses.append(410)
    await plain.post(PARTNERS, PARTNER)
    await settled(plain)
    await plain.post(PARTNERS, PARTNER)
    await settled(plain, seconds=86_400)
    assert len(subscriber.came) == 1


@pytest.mark.parametrize(
    ("kind", "bodies", "whole"),
    [("event_duplicate", 2, 2), ("event_lost", 0, 0), ("event_malformed", 2, 1), ("event_shuffle", 1, 1)],
)
async def test_deliveries_suffer_faults(
    plain: Plain, subscriber: Subscriber, kind: str, bodies: int, whole: int
) -> None:
    await subscribe(plain, subscriber)
    await plain.control("faults", [{"kind": kind, "times": 1, "match": {"path": "BusinessPartner"}, "seconds": 5}])
    await plain.post(PARTNERS, PARTNER)
    for _ in range(3):
        await settled(plain, seconds=6)
    assert len(subscriber.came) == bodies
    assert sum(body.endswith(b"}}") for _, body in subscriber.came) == whole
    assert (await plain.control("faults"))["injected"] == {kind: 1}
