"""Changes are read in order and none is lost; queries by key go on where paging ends."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.netsuite import queries, streams
from connectors.netsuite.connector import CONNECTOR
from connectors.netsuite.customers import UPSERT
from connectors.netsuite.samples import CUSTOMER, MAKE_INVOICE, MAKE_PAYMENT, MAKE_SALES_ORDER, SAMPLES, SETTINGS
from connectors.netsuite.settings import NetSuiteSettings
from hub.sandbox.main import find
from hub.sandbox.server import Running, running
from hub.sdk.connector import Page
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey, Response

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CUSTOMERS, TRANSACTIONS = streams.STREAMS


@pytest.fixture
async def served() -> AsyncIterator[Running]:
    async with running(find("netsuite")) as sandbox:
        await sandbox.world.books.seed({"customers": SAMPLES.seed["customers"]})
        yield sandbox


def _connect(served: Running, **changed: Any) -> Connected:
    facts = {name: served.announcement[name] for name in NetSuiteSettings.model_fields if name in served.announcement}
    settings = {**SETTINGS, **facts, "base_url": served.url, **changed}
    return Connected(CONNECTOR, NetSuiteSettings.model_validate(settings))


@pytest.fixture
async def connected(served: Running) -> AsyncIterator[Connected]:
    made = _connect(served)
    yield made
    await made.close()


async def _pages(connected: Any, cursor: str | None = None, stream: Any = CUSTOMERS) -> list[Page]:
    return [page async for page in stream.pull(connected, cursor, LONG_AGO)]


def _later(served: Running, seconds: float = 5) -> None:
    served.world.clock.advance(seconds)


async def _seed(served: Running, number: int) -> None:
    wish = [{"companyName": f"C{n}", "externalId": f"c{n}", "subsidiary": {"id": "1"}} for n in range(number)]
    await served.world.books.seed({"customers": wish})


async def test_changes_come_in_order_and_go_on_behind_the_cursor(served: Running, connected: Connected) -> None:
    _later(served)
    await connected.write(UPSERT, CUSTOMER, EffectKey("k"))
    _later(served)
    (page,) = await _pages(connected)
    assert [event.subject for event in page.events] == ["1001", "1002"]
    assert {event.type for event in page.events} == {"netsuite.customer.changed"}
    assert page.events[1].data == {
        "id": "1002",
        "externalid": "cus_9",
        "creditholdoverride": "AUTO",
        "entityid": "CUST00002",
        "companyname": "Nine",
        "isinactive": "F",
        "as_made": "T",
    }
    assert page.cursor == f"{page.events[1].occurred_at:%Y-%m-%dT%H:%M:%SZ} 1002"
    assert not await _pages(connected, page.cursor)
    await connected.write(UPSERT, {**CUSTOMER, "companyName": "Ten"}, EffectKey("k"))
    _later(served)
    (again,) = await _pages(connected, page.cursor)
    assert [event.data["companyname"] for event in again.events] == ["Ten"]
    assert again.events[0].external_id != page.events[1].external_id


async def test_the_latest_seconds_are_left_for_later(served: Running, connected: Connected) -> None:
    assert not await _pages(connected)
    _later(served)
    assert len(await _pages(connected)) == 1


async def test_transactions_are_told_with_their_type(served: Running, connected: Connected) -> None:
    for sample in (MAKE_INVOICE, MAKE_PAYMENT, MAKE_SALES_ORDER):
        operation: Any = CONNECTOR.operation(sample.operation)
        await connected.write(operation, sample.input, EffectKey("k"))
    _later(served)
    (page,) = await _pages(connected, stream=TRANSACTIONS)
    assert sorted((event.data["type"], event.data["entity"]) for event in page.events) == [
        ("CustInvc", "1001"),
        ("CustPymt", "1001"),
        ("SalesOrd", "1001"),
    ]


async def test_many_changes_come_in_pages_of_one_query_each(served: Running, connected: Connected) -> None:
    await _seed(served, 2500)
    _later(served)
    seen: list[str] = []
    async for page in CUSTOMERS.pull(connected, None, LONG_AGO):
        assert len(page.events) <= 1000
        seen += [event.subject for event in page.events]
        if len(seen) == 1000:
            # One that was read and one that was not are changed meanwhile; no other may be lost for it.
            for one in ("c5", "c2000"):
                record = {"externalId": one, "companyName": "new", "subsidiary": {"id": "1"}}
                await connected.write(UPSERT, record, EffectKey(one))
            _later(served)
    assert len(seen) == len(set(seen)) == 2500
    missing = {str(id) for id in range(1001, 3502)} - set(seen)
    assert missing == {"3002"}
    (rest,) = await _pages(connected, page.cursor)
    assert [event.subject for event in rest.events] == ["1007", "3002"]
    queried = [entry.path for entry in served.world.requests.since(0) if "suiteql" in entry.path]
    assert all(path.endswith("limit=1000&offset=0") for path in queried)


class Autumn:
    """An account in a zone whose summer time ends, and rows that bear its time."""

    def __init__(self, rows: list[dict[str, str]], now: datetime) -> None:
        self.settings = NetSuiteSettings.model_validate({**SETTINGS, "time_zone": "America/Los_Angeles"})
        self.rows = rows
        self.now = now
        self.asked: list[list[str]] = []

    async def send(self, request: Any) -> Response:
        if request.method == "GET":
            return Response(status=200, body=f'{{"serverTime": "{self.now:%Y-%m-%dT%H:%M:%SZ}"}}'.encode())
        params = json.loads(request.body)["params"]
        self.asked.append(params)
        behind, until, _, _, last = params
        found = [
            row
            for row in sorted(self.rows, key=lambda row: (row["changed"], int(row["id"])))
            if (row["changed"] > behind or (row["changed"] == behind and int(row["id"]) > int(last)))
            and row["changed"] < until
        ]
        return Response(status=200, body=queries_page(found))


def queries_page(found: list[dict[str, str]]) -> bytes:
    return json.dumps({"items": found, "hasMore": False}).encode()


async def test_the_hour_that_comes_twice_is_read_twice() -> None:
    # Summer time ends in California on 2026-11-01 at 09:00 UTC: the hour from one to two comes twice.
    before = {"id": "1", "changed": "2026-11-01 01:59:00"}
    account = Autumn([before], datetime(2026, 11, 1, 8, 59, 30, tzinfo=UTC))
    (page,) = await _pages(account)
    assert page.events[0].occurred_at == datetime(2026, 11, 1, 8, 59, tzinfo=UTC)
    account.rows.append({"id": "2", "changed": "2026-11-01 01:05:00"})
    account.now = datetime(2026, 11, 1, 10, 30, tzinfo=UTC)
    (again,) = await _pages(account, page.cursor)
    assert [event.subject for event in again.events] == ["2", "1"]


async def test_times_are_asked_for_in_the_users_zone() -> None:
    account = Autumn([], datetime(2026, 7, 1, 12, tzinfo=UTC))
    assert not await _pages(account, "2026-07-01T10:00:00Z 77")
    assert account.asked == [["2026-07-01 03:00:00", "2026-07-01 04:59:58", *["2026-07-01 03:00:00"] * 2, "77"]]


@pytest.mark.parametrize("row", [{"id": "1"}, {"changed": "2026-01-01 00:00:00"}, {"id": "1", "changed": "1/1/2026"}])
async def test_rows_that_cannot_be_read_stop_the_reading(row: dict[str, str]) -> None:
    class Odd(Autumn):
        async def send(self, request: Any) -> Response:
            if request.method == "GET":
                return await super().send(request)
            return Response(status=200, body=queries_page([row]))

    with pytest.raises(OutcomeUnknown):
        await _pages(Odd([], datetime(2026, 7, 1, tzinfo=UTC)))


BY_ID = {"q": "SELECT id, externalid FROM customer WHERE isinactive = ? AND id > ? ORDER BY id", "params": ["F"]}


async def test_query_by_key_goes_on_where_it_stopped(served: Running, connected: Connected) -> None:
    await _seed(served, 2200)
    whole = await queries.QUERY.read(connected, {**BY_ID, "by": "id"})
    assert [row["id"] for row in whole["items"]] == [str(id) for id in range(1001, 3202)]
    assert "next" not in whole
    first = await queries.QUERY.read(connected, {**BY_ID, "by": "id", "most": 1500})
    assert (len(first["items"]), first["next"]) == (1500, "2500")
    rest = await queries.QUERY.read(connected, {**BY_ID, "by": "id", "after": first["next"]})
    assert [row["id"] for row in rest["items"]] == [str(id) for id in range(2501, 3202)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT externalid FROM customer WHERE id > ? ORDER BY id",
        "SELECT id FROM customer WHERE id > ? ORDER BY id DESC",
        "SELECT id FROM customer WHERE '1001' = ? ORDER BY id",
    ],
)
async def test_query_without_its_key_is_refused(served: Running, connected: Connected, query: str) -> None:
    await _seed(served, 3)
    with pytest.raises(FixData) as refusal:
        await queries.QUERY.read(connected, {"q": query, "by": "id", "after": "1001"})
    assert refusal.value.code == "key-order"


async def test_the_pool_is_shared_and_refused_requests_are_told_as_limits(served: Running) -> None:
    await served.world.books.seed({"settings": {"others": 4, "latency": 0.1}})
    connected = _connect(served)
    await CONNECTOR.ping(connected)
    answers = await asyncio.gather(*(CONNECTOR.ping(connected) for _ in range(3)), return_exceptions=True)
    assert sorted(getattr(answer, "code", "") for answer in answers) == ["", "limit-reached", "limit-reached"]
    await connected.close()
    assert timedelta() < streams.OVERLAP
