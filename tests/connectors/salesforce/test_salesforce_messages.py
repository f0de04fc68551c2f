"""Outbound messages of the sandbox: what they say, when they are sent again, and what acknowledges them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web

from connectors.salesforce.sandbox.envelopes import is_acknowledged
from connectors.salesforce.sandbox.org import Org
from hub.sandbox.world import World

_ACK = (
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    '<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>{}</Ack></notificationsResponse>'
    "</soapenv:Body></soapenv:Envelope>"
)
_OUT = "{http://soap.sforce.com/2005/09/outbound}"


def _read(body: bytes) -> ET.Element:
    return ET.fromstring(body.decode())  # noqa: S314 (what the sandbox itself wrote)


class Subscriber:
    """Takes messages and answers them as it is told."""

    def __init__(self) -> None:
        self.url = ""
        self.answers: list[str] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.came = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.came.set()
        answer = self.answers.pop(0) if self.answers else _ACK.format("true")
        if answer == "500":
            return web.Response(status=500)
        return web.Response(text=answer, content_type="text/xml")

    async def message(self, number: int) -> ET.Element:
        """Wait for the message of a number, and read it."""
        async with asyncio.timeout(10):
            while len(self.bodies) <= number:
                self.came.clear()
                await self.came.wait()
        found = _read(self.bodies[number]).find(f".//{_OUT}notifications")
        assert found is not None
        return found


@pytest.fixture
async def subscriber() -> AsyncIterator[Subscriber]:
    made = Subscriber()
    application = web.Application()
    application.router.add_post("/om", made.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/om"
    yield made
    await runner.cleanup()


def _told(message: ET.Element) -> list[dict[str, str]]:
    """Give the fields of each record in a message."""
    return [
        {field.tag.rpartition("}")[2]: field.text or "" for field in sent[1]}
        for sent in message.findall(f"{_OUT}Notification")
    ]


async def _settled(plain: Any) -> None:
    async with asyncio.timeout(10):
        while plain.served.world.progress()["messages_waiting"]:
            await asyncio.sleep(0.01)


async def test_a_change_is_told_in_soap(plain: Any, subscriber: Subscriber) -> None:
    fields = ["Id", "Name", "AnnualRevenue", "On_Credit_Hold__c", "CreatedDate", "Phone"]
    (action,) = (await plain.seed(subscriptions=[{"object": "Account", "fields": fields, "url": subscriber.url}]))[
        "subscriptions"
    ]
    id = await plain.make("Account", Name="A & <B>", AnnualRevenue=12)
    message = await subscriber.message(0)
    assert [part.tag for part in message][:5] == [
        f"{_OUT}{name}" for name in ("OrganizationId", "ActionId", "SessionId", "EnterpriseUrl", "PartnerUrl")
    ]
    assert message.findtext(f"{_OUT}OrganizationId") == plain.facts["organization_id"]
    assert message.findtext(f"{_OUT}ActionId") == action
    (told,) = _told(message)
    assert (told["Id"], told["Name"], told["AnnualRevenue"]) == (id, "A & <B>", "12.0")
    assert told["On_Credit_Hold__c"] == "false" and told["CreatedDate"].endswith("Z") and "Phone" not in told
    assert message.findtext(f"{_OUT}Notification/{_OUT}Id", "").startswith("04l")
    assert subscriber.headers[0]["soapaction"] == '""'
    assert subscriber.headers[0]["content-type"].startswith("text/xml")
    await _settled(plain)
    assert (await plain.books())["messages"][0]["acknowledged"] is True


async def test_only_what_is_wanted_is_told(plain: Any, subscriber: Subscriber) -> None:
    wish = {"object": "Account", "fields": ["Name"], "url": subscriber.url, "on": ["update"], "when": "Rating = 'Hot'"}
    await plain.seed(subscriptions=[wish])
    id = await plain.make("Account", Name="One", Rating="Hot")
    await plain.patch(f"/sobjects/Account/{id}", {"Rating": "Cold"})
    await plain.post(
        "/composite/sobjects",
        {
            "allOrNone": True,
            "records": [
                {"attributes": {"type": "Account"}, "Name": "x", "Rating": "Hot"},
                {"attributes": {"type": "Account"}},
            ],
        },
    )
    await plain.patch(f"/sobjects/Account/{id}", {"Rating": "Hot", "Name": "Two"})
    assert _told(await subscriber.message(0)) == [{"Id": id, "Name": "Two"}]
    await _settled(plain)
    assert len(subscriber.bodies) == 1
    for wrong in ({"object": "Nothing"}, {"fields": ["Nothing"]}, {"when": "Nothing = 1"}, {"colour": 1}):
        assert (await plain.control("seed", {"subscriptions": [{**wish, **wrong}]})).status == 400


async def test_a_hundred_travel_together_with_what_stands_when_they_leave(plain: Any, subscriber: Subscriber) -> None:
    await plain.seed(subscriptions=[{"object": "Account", "fields": ["Name"], "url": subscriber.url}])
    records = [{"attributes": {"type": "Account"}, "Name": str(number)} for number in range(150)]
    await plain.post("/composite/sobjects", {"records": records})
    first, second = await subscriber.message(0), await subscriber.message(1)
    assert (len(_told(first)), len(_told(second))) == (100, 50)


@pytest.mark.parametrize("answer", ["500", "", "no soap", _ACK.format("false"), "<Ack>true</Ack>"])
async def test_what_is_not_acknowledged_comes_again_as_it_stands_then(
    plain: Any, subscriber: Subscriber, answer: str
) -> None:
    subscriber.answers = [answer]
    await plain.seed(subscriptions=[{"object": "Account", "fields": ["Name"], "url": subscriber.url}])
    id = await plain.make("Account", Name="One")
    first = await subscriber.message(0)
    await plain.seed(subscriptions=[])
    await plain.call("PATCH", f"/sobjects/Account/{id}", {"Name": "Two"})
    await subscriber.message(1)
    await plain.advance(16)
    again = await subscriber.message(2)
    assert _told(again) == [{"Id": id, "Name": "Two"}]
    path = f"{_OUT}Notification/{_OUT}Id"
    assert again.findtext(path) == first.findtext(path)
    await _settled(plain)


async def test_waits_grow_and_end_after_a_day(plain: Any, subscriber: Subscriber) -> None:
    subscriber.answers = ["500"] * 100
    await plain.seed(subscriptions=[{"object": "Account", "fields": ["Name"], "url": subscriber.url}])
    await plain.make("Account", Name="One")
    await subscriber.message(0)
    for place, wait in enumerate((15, 30, 60, 120, 240, 480, 960, 1920, 3840, 7200, 7200), start=1):
        await plain.advance(wait - 2)
        if place in (1, 6):
            # Long enough for the sender to look at the clock.
            await asyncio.sleep(0.12)
        assert len(subscriber.bodies) == place
        await plain.advance(3)
        await subscriber.message(place)
    await plain.advance(86_400)
    await _settled(plain)
    assert plain.served.world.progress()["messages_dropped"] == 1


async def test_of_a_record_that_is_gone_only_the_id_is_left(plain: Any, subscriber: Subscriber) -> None:
    subscriber.answers = ["500"]
    await plain.seed(subscriptions=[{"object": "Account", "fields": ["Name"], "url": subscriber.url, "session": True}])
    id = await plain.make("Account", Name="One")
    await subscriber.message(0)
    await plain.call("DELETE", f"/sobjects/Account/{id}")
    await plain.advance(20)
    message = await subscriber.message(1)
    assert _told(message) == [{"Id": id}]
    headers = {"Authorization": f"Bearer {message.findtext(f'{_OUT}SessionId')}"}
    assert (await plain.call("GET", "/limits", headers=headers)).status == 200


async def test_messages_get_lost_doubled_and_torn(plain: Any, subscriber: Subscriber) -> None:
    await plain.seed(subscriptions=[{"object": "Account", "fields": ["Name"], "url": subscriber.url}])
    await plain.faults({"kind": "message_lost", "times": 1}, {"kind": "message_duplicate", "times": 1})
    await plain.make("Account", Name="One")
    async with asyncio.timeout(10):
        while not (await plain.control("faults")).body["injected"]:
            await asyncio.sleep(0.01)
    await plain.advance(16)
    assert _told(await subscriber.message(0)) == _told(await subscriber.message(1))
    await _settled(plain)
    await plain.faults({"kind": "message_torn", "times": 1, "match": {"path": "Account"}})
    subscriber.answers = ["500"]
    await plain.make("Account", Name="Two")
    async with asyncio.timeout(10):
        while len(subscriber.bodies) < 3:
            await asyncio.sleep(0.01)
    with pytest.raises(ET.ParseError):
        _read(subscriber.bodies[2])


async def test_in_a_simulation_the_world_posts() -> None:
    world = World(name="salesforce", seed=1)
    posted: list[tuple[str, bytes]] = []
    answers = [500, None, 200]

    async def post(url: str, _headers: Any, body: bytes, _seconds: float) -> int | None:
        posted.append((url, body))
        return answers[len(posted) - 1]

    world.post = post
    org = Org(world)
    await org.messages.start()
    try:
        await org.seed({"subscriptions": [{"object": "Account", "url": "sim://hub"}]})
        await org.seed({"records": [{"type": "Account", "Name": "One"}]})
        async with asyncio.timeout(10):
            while len(posted) < 3:
                world.clock.advance(20)
                await asyncio.sleep(0.01)
            while org.messages.waiting:
                await asyncio.sleep(0.01)
    finally:
        await org.messages.stop()
    assert {url for url, _ in posted} == {"sim://hub"}
    assert len({body for _, body in posted}) == 1


def test_only_well_formed_soap_acknowledges() -> None:
    assert is_acknowledged(_ACK.format("true").encode())
    assert is_acknowledged(_ACK.format(" 1 ").encode())
    entity = '<!DOCTYPE x [<!ENTITY t "true">]>' + _ACK.format("&t;")
    for body in (_ACK.format("false"), _ACK.format("true")[:-5], "<Ack>true</Ack>", entity, ""):
        assert not is_acknowledged(body.encode())
