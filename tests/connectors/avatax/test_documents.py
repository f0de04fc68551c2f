"""A tax document's life between connector and sandbox: recorded once, found again, voided, refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from connectors.avatax.connector import CONNECTOR
from connectors.avatax.sandbox.app import sandbox
from hub.sandbox.server import Running, running
from hub.sdk.connector import ReadOperation, WriteOperation
from hub.sdk.errors import Conflict, FixConnection, FixData, LimitReached, NotFound, OutcomeUnknown
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey, Response

KEY = EffectKey("a" * 32)
OTHER_KEY = EffectKey("b" * 32)


def sale(country: str = "DE", region: str = "", **changes: Any) -> dict[str, Any]:
    place = {"line1": "1 Main Street", "city": "Town", "country": country, "region": region}
    return {
        "code": "INV-1",
        "date": "2026-01-31",
        "customerCode": "ACME",
        "currencyCode": "EUR",
        "addresses": {"singleLocation": place},
        "lines": [{"number": "1", "amount": 100}],
        **changes,
    }


#: The number of the first document in the sandbox.
FIRST = 85_000_000_001


class Engine:
    """Calls the connector's operations against the running sandbox."""

    def __init__(self, served: Running, connected: Connected) -> None:
        self.served = served
        self.connected = connected

    def write(self, name: str) -> WriteOperation:
        operation = CONNECTOR.operation(name)
        assert isinstance(operation, WriteOperation)
        return operation

    async def commit(self, record: Mapping[str, Any], key: EffectKey = KEY) -> Mapping[str, Any]:
        return await self.connected.write(self.write("transaction.commit"), record, key)

    async def void(self, code: str = "INV-1") -> Mapping[str, Any]:
        return await self.connected.write(self.write("transaction.void"), {"code": code, "id": FIRST}, KEY)

    async def look(self, key: EffectKey = KEY) -> Mapping[str, Any] | None:
        return await self.connected.look(self.write("transaction.commit"), key)

    async def read(self, name: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
        operation = CONNECTOR.operation(name)
        assert isinstance(operation, ReadOperation)
        return await operation.read(self.connected, record)

    def books(self) -> list[tuple[str, str, int]]:
        documents = self.served.world.books.snapshot()["documents"]
        return [(document["code"], str(document["status"]), document["version"]) for document in documents]

    async def seed(self, **wish: Any) -> None:
        await self.served.world.books.seed(wish)


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[Engine]:
    async with running(sandbox) as served:
        announced = {
            name: value for name, value in served.announcement.items() if name in CONNECTOR.settings.model_fields
        }
        settings = CONNECTOR.settings.model_validate({**announced, "base_url": served.url, "timeout": 1.0})
        connected = Connected(CONNECTOR, settings)
        try:
            yield Engine(served, connected)
        finally:
            await connected.close()


async def test_a_quote_is_not_recorded(engine: Engine) -> None:
    quote = await engine.read("transaction.quote", {**sale(), "lines": [{"number": "1", "amount": 100}]})
    assert (quote["status"], quote["totalTax"]) == ("Temporary", Decimal(19))
    assert engine.books() == []


async def test_a_second_commit_changes_nothing(engine: Engine) -> None:
    first = await engine.commit(sale())
    assert (first["status"], first["totalAmount"], first["totalTax"]) == ("Committed", 100, Decimal(19))
    with pytest.raises(Conflict):
        await engine.commit(sale(lines=[{"number": "1", "amount": 999}]))
    assert engine.books() == [("INV-1", "Committed", 1)]
    assert await engine.look() == first


@pytest.mark.parametrize("kind", ["timeout_after_commit", "reset_after_commit", "500_after_commit", "malformed_body"])
async def test_an_unknown_outcome_is_looked_up(engine: Engine, kind: str) -> None:
    engine.served.world.faults.replace([{"kind": kind, "times": 1}])
    with pytest.raises(OutcomeUnknown):
        await engine.commit(sale())
    found = await engine.look()
    assert found is not None
    assert found["totalTax"] == Decimal(19)
    assert engine.books() == [("INV-1", "Committed", 1)]


async def test_a_look_up_finds_its_own_key_alone(engine: Engine) -> None:
    await engine.commit(sale())
    assert await engine.look(OTHER_KEY) is None


async def test_an_old_document_is_found(engine: Engine) -> None:
    await engine.commit(sale(date="2019-03-01"))
    assert await engine.look() is not None


async def test_a_look_up_prefers_the_present_revision(engine: Engine) -> None:
    await engine.commit(sale())
    model = {**sale(lines=[{"number": "1", "amount": 200}]), "type": "SalesInvoice", "commit": True}
    engine.served.world.books.create_or_adjust(  # type: ignore[attr-defined]
        {**model, "referenceCode": KEY}, reason="PriceAdjusted", description=""
    )
    found = await engine.look()
    assert found is not None
    assert (found["version"], found["totalTax"]) == (2, Decimal(38))


async def test_voiding_twice_is_a_success(engine: Engine) -> None:
    await engine.commit(sale())
    assert await engine.void() == {"code": "INV-1", "status": "Cancelled"}
    assert await engine.void() == {"status": "Cancelled"}
    assert engine.books() == [("INV-1", "Cancelled", 1)]


async def test_the_code_of_a_void_document_is_free(engine: Engine) -> None:
    await engine.commit(sale())
    await engine.void()
    await engine.commit(sale(), OTHER_KEY)
    assert engine.books() == [("INV-1", "Cancelled", 1), ("INV-1", "Committed", 1)]
    assert (await engine.read("transaction.read", {"code": "INV-1"}))["status"] == "Committed"


async def test_a_reported_document_stays(engine: Engine) -> None:
    await engine.commit(sale())
    await engine.seed(lock=["INV-1"])
    with pytest.raises(Conflict) as refusal:
        await engine.void()
    assert refusal.value.facts["error"] == "CannotModifyLockedTransaction"


async def test_codes_with_the_paths_characters(engine: Engine) -> None:
    code = "A/B+C?D%E#F G"
    committed = await engine.commit(sale(code=code))
    assert committed["code"] == code
    assert (await engine.read("transaction.read", {"code": code}))["id"] == committed["id"]
    assert (await engine.void(code))["status"] == "Cancelled"


async def test_a_document_is_read_by_its_number(engine: Engine) -> None:
    committed = await engine.commit(sale())
    assert await engine.read("transaction.read", {"id": committed["id"]}) == committed
    with pytest.raises(NotFound):
        await engine.read("transaction.read", {"code": "INV-2"})


async def test_what_the_vendor_refuses_names_the_place(engine: Engine) -> None:
    with pytest.raises(FixData) as refusal:
        await engine.commit(sale(lines=[{"number": "7", "amount": 1, "taxCode": "XX"}]))
    assert refusal.value.facts["error"] == "GetTaxError"
    assert refusal.value.facts["refers_to"] == "lines[7].taxCode"
    assert engine.books() == []


async def test_limits_are_waited_for(engine: Engine) -> None:
    await engine.seed(limits={"rate": 1})
    await engine.commit(sale())
    with pytest.raises(LimitReached):
        await engine.commit(sale(code="INV-2"))


async def test_a_ping_that_says_200_may_still_refuse(engine: Engine) -> None:
    await CONNECTOR.ping(engine.connected)
    wrong = CONNECTOR.settings.model_validate(
        {"base_url": engine.served.url, "account_id": "1", "license_key": "2", "company_code": "DEFAULT"}
    )
    connected = Connected(CONNECTOR, wrong)
    with pytest.raises(FixConnection):
        await CONNECTOR.ping(connected)
    await connected.close()


def test_amounts_keep_every_digit() -> None:
    operation = CONNECTOR.operation("transaction.commit")
    assert isinstance(operation, WriteOperation)
    body = b'{"status":"Committed","totalAmount":0.1000,"totalTax":123456789012345.67,"lines":[{"tax":0.10}]}'
    record = operation.result(Response(status=201, body=body))
    assert str(record["totalTax"]) == "123456789012345.67"
    assert str(record["lines"][0]["tax"]) == "0.10"
