"""Sales orders of the connector against the sandbox: repeats, others' changes, billing, closing, and parents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from connectors.netsuite import customers, sales_orders
from connectors.netsuite.client import RECORDS, write
from connectors.netsuite.connector import CONNECTOR
from connectors.netsuite.samples import SALES_ORDER, SAMPLES, SETTINGS
from connectors.netsuite.settings import NetSuiteSettings
from hub.engine.guards import Memory, Seen, newer
from hub.sandbox.server import Running
from hub.sdk.calls import carried
from hub.sdk.connector import Record
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import dumps, loads
from hub.sdk.guards import Standing
from hub.sdk.testing.live import LiveChecks
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey, Request, Response

KEY, OTHER_KEY = EffectKey("0123456789abcdef0123456789abcdef"), EffectKey("fedcba9876543210fedcba9876543210")
MADE_UP = NetSuiteSettings.model_validate(SETTINGS)


class Live(LiveChecks):
    """The connector and its sandbox, without the battery's own tests."""

    __test__ = False
    connector = CONNECTOR
    samples = replace(SAMPLES, seed={"customers": SAMPLES.seed["customers"]})


def order_of(served: Running) -> Mapping[str, Any]:
    (found,) = served.world.books.snapshot()["salesOrders"]
    return dict(found)


def writes_of(served: Running) -> list[str]:
    return [one["action"] for one in served.world.books.snapshot()["accepted"] if one["type"] == "salesOrder"]


def closed(served: Running) -> list[bool]:
    return [line["isClosed"] for line in order_of(served)["item"]]


async def person(connected: Connected, address: str, change: Mapping[str, Any], method: str = "PATCH") -> None:
    """Change something as somebody else at the account does."""
    await connected.send(write(method, f"{connected.settings.base_url}{RECORDS}/{address}", change))


async def bill(connected: Connected, id: str, *lines: tuple[int, int]) -> None:
    """Make an invoice of so many of an order's lines."""
    items = [{"orderLine": line, "quantity": quantity} for line, quantity in lines]
    await person(connected, f"salesOrder/{id}/!transform/invoice", {"item": {"items": items}}, "POST")


async def stands(connected: Connected, record: Record = SALES_ORDER) -> tuple[Standing, bool]:
    guard = sales_orders.UPSERT.guard
    assert guard is not None
    assert guard.look is not None
    request = sales_orders.UPSERT.request(connected.settings, record, KEY)
    standing, holds = await connected.stand(guard.look, request)
    assert standing is not None
    return standing, holds


async def test_repeated_order_is_written_once() -> None:
    async with Live().serving() as (served, connected):
        first = await connected.write(sales_orders.UPSERT, SALES_ORDER, KEY)
        before, holds = await stands(connected)
        assert await connected.write(sales_orders.UPSERT, SALES_ORDER, KEY) == first
        after, _ = await stands(connected)
        assert (holds, after.version) == (True, before.version)
        order = order_of(served)
        assert (order["externalId"], order["status"], order["total"]) == ("ct_9", "F", "1698.80")
        assert [line["line"] for line in order["item"]] == [1, 2]
        read = await sales_orders.READ.ask(connected, {"external_id": "ct_9"})
        assert (read["orderStatus"]["id"], read["endDate"], read["total"]) == ("F", "2026-12-31", loads(b"1698.8"))


async def test_approval_and_bills_change_no_version_and_closing_does() -> None:
    waiting = {**SALES_ORDER, "orderStatus": "A"}
    async with Live().serving() as (served, connected):
        made = await connected.write(sales_orders.UPSERT, waiting, KEY)
        before, holds = await stands(connected, waiting)
        assert holds
        await person(connected, f"salesOrder/{made['id']}", {"orderStatus": "B"})
        await bill(connected, made["id"], (1, 3), (2, 0))
        after, holds = await stands(connected, waiting)
        assert (after.version, holds) == (before.version, True)
        # An amendment of the contract: more of what is billed in part, which stays the line it is.
        more = [{**SALES_ORDER["item"][0], "quantity": 24}, SALES_ORDER["item"][1]]
        await connected.write(sales_orders.UPSERT, {**SALES_ORDER, "item": more}, KEY)
        assert [line["quantityBilled"] for line in order_of(served)["item"]] == ["3", "0"]
        assert (await stands(connected))[1] is False
        await person(connected, f"salesOrder/{made['id']}", {"item": {"items": [{"line": 2, "isClosed": True}]}})
        moved, holds = await stands(connected, {**SALES_ORDER, "item": more})
        assert (moved.version == after.version, holds) == (False, False)


async def test_less_than_is_billed_is_refused() -> None:
    async with Live().serving() as (_, connected):
        made = await connected.write(sales_orders.UPSERT, SALES_ORDER, KEY)
        await bill(connected, made["id"], (1, 3), (2, 0))
        for lines in ([{**SALES_ORDER["item"][0], "quantity": 2}], [{"item": {"id": "101"}, "quantity": 12}]):
            with pytest.raises(FixData) as refusal:
                await connected.write(sales_orders.UPSERT, {**SALES_ORDER, "item": lines}, KEY)
            assert refusal.value.code == "user-error"
    with pytest.raises(FixData, match="needs its lines"):
        sales_orders.UPSERT.request(MADE_UP, {"externalId": "ct_9", "entity": {"id": "1"}}, KEY)


async def test_closing_leaves_what_is_billed() -> None:
    async with Live().serving() as (served, connected):
        made = await connected.write(sales_orders.UPSERT, SALES_ORDER, KEY)
        await bill(connected, made["id"], (1, 3))
        # Line 2 is billed in full, line 1 in part.
        assert await connected.find(sales_orders.CLOSE, made, KEY) is None
        assert await connected.write(sales_orders.CLOSE, made, KEY) == made
        assert closed(served) == [True, False]
        assert (order_of(served)["status"], [line["quantityBilled"] for line in order_of(served)["item"]]) == (
            "G",
            ["3", "1"],
        )
        assert await connected.find(sales_orders.CLOSE, {"external_id": "ct_9"}, OTHER_KEY) == made
        sent = writes_of(served)
        # There is nothing to close any more, so that nothing is written.
        assert await connected.write(sales_orders.CLOSE, {"external_id": "ct_9"}, OTHER_KEY) == made
        assert writes_of(served) == sent == ["create", "update"]
        (invoice,) = served.world.books.snapshot()["invoices"]
        assert invoice["status"] == "Open"


@pytest.mark.parametrize("kind", ["reset_after_commit", "500_after_commit"])
async def test_lost_answer_of_a_closing_is_looked_up(kind: str) -> None:
    async with Live().serving() as (served, connected):
        made = await connected.write(sales_orders.UPSERT, {**SALES_ORDER, "orderStatus": "A"}, KEY)
        served.world.faults.replace([{"kind": kind, "times": 1, "match": {"method": "PATCH"}}])
        with pytest.raises(OutcomeUnknown):
            await connected.write(sales_orders.CLOSE, made, KEY)
        assert await connected.find(sales_orders.CLOSE, made, KEY) == made
        assert (order_of(served)["status"], closed(served)) == ("H", [True, True])


async def test_a_write_after_a_closing_waits_for_a_person() -> None:
    """Whether the contract goes on after all is nothing that an amendment of it says."""
    async with Live().serving() as (_, connected):
        made = await connected.write(sales_orders.UPSERT, SALES_ORDER, KEY)
        written, _ = await stands(connected)
        await connected.write(sales_orders.CLOSE, made, OTHER_KEY)
        standing, holds = await stands(connected)
        assert not holds
        seen = Seen(standing=standing, holds=holds, response=Response(status=200))
        memory = Memory(version=written.version, moment=1, written=True)
        assert newer(seen, memory, moment=2, ordered=False, same_as_last=False) is not None
        told = replace(memory, told=frozenset({standing.version}))
        assert newer(seen, told, moment=2, ordered=True, same_as_last=False) is None
        await connected.write(sales_orders.UPSERT, SALES_ORDER, OTHER_KEY)
        again, holds = await stands(connected)
        assert (again.version, holds) == (written.version, True)


async def test_an_order_that_is_not_there_is_not_closed() -> None:
    async with Live().serving() as (_, connected):
        with pytest.raises(FixData) as refusal:
            await connected.write(sales_orders.CLOSE, {"id": "5001"}, KEY)
        assert refusal.value.code == "not-found"


@pytest.mark.parametrize(
    ("lines", "closing"),
    [
        ([{"line": 1, "quantity": 2, "quantityBilled": 2}, {"line": 2, "quantity": 2}], [2]),
        ([{"line": 1, "quantity": -2, "quantityBilled": -1}, {"line": 3, "isClosed": True}], [1]),
        ([{"line": 1, "quantity": 0}, {"line": 2, "description": "a text"}], [2]),
        ([{"line": 1, "quantity": 1, "isClosed": False}, {"line": 2, "quantity": 1, "isClosed": True}], [1]),
        ([], None),
    ],
)
async def test_open_lines_are_closed_in_one_change(lines: list[Any], closing: list[int] | None) -> None:
    sent: list[Request] = []

    async def send(request: Request) -> Response:
        sent.append(request)
        if request.method == "PATCH":
            return Response(status=204, headers={"location": request.url})
        return Response(status=200, body=dumps({"id": "7", "item": {"items": lines}}))

    request = sales_orders.close_request(MADE_UP, {"id": "7"}, KEY)
    answer = await carried(sales_orders.close_calls(MADE_UP, request), send)
    assert sales_orders.CLOSE.result(answer) == {"id": "7"}
    assert [one.url.partition("/salesOrder")[2] for one in sent[:1]] == ["/7?expandSubResources=true"]
    written = [loads(one.body)["item"]["items"] for one in sent[1:]]
    assert written == ([] if closing is None else [[{"line": line, "isClosed": True} for line in closing]])


@pytest.mark.parametrize(
    "body",
    [
        {"id": "8", "item": {"items": []}},
        {"id": "7", "item": {"links": []}},
        {"id": "7", "item": {"items": [], "hasMore": True}},
        {"id": "7", "item": {"items": [{"quantity": 1}]}},
        {"id": "7", "item": None},
        {"id": "7"},
        {},
    ],
)
async def test_what_is_not_the_order_closes_nothing(body: Any) -> None:
    async def send(request: Request) -> Response:
        assert request.method == "GET"
        return Response(status=200, body=dumps(body))

    request = sales_orders.close_request(MADE_UP, {"id": "7"}, KEY)
    with pytest.raises((OutcomeUnknown, FixData)):
        await carried(sales_orders.close_calls(MADE_UP, request), send)
    with pytest.raises((OutcomeUnknown, FixData)):
        await carried(sales_orders.close_find(MADE_UP, request, KEY), send)


async def test_parent_of_a_customer_is_written() -> None:
    async with Live().serving() as (served, connected):
        child = {"externalId": "cus_9", "companyName": "Nine", "subsidiary": {"id": "1"}, "parent": {"id": "1001"}}
        made = await connected.write(customers.UPSERT, child, KEY)
        guard = customers.UPSERT.guard
        assert guard is not None
        assert guard.look is not None
        _, holds = await connected.stand(guard.look, customers.UPSERT.request(connected.settings, child, KEY))
        assert holds
        assert (await customers.READ.ask(connected, made))["parent"]["id"] == "1001"
        with pytest.raises(FixData) as refusal:
            await connected.write(customers.UPSERT, {"id": "1001", "parent": made}, KEY)
        assert (refusal.value.code, refusal.value.facts["path"]) == ("invalid-content", "parent")
        await connected.write(customers.UPSERT, {"externalId": "cus_9", "companyName": "Nine", "parent": None}, KEY)
        assert "parent" not in served.world.books.snapshot()["customers"][1]
