"""A tax document's life between connector and sandbox: recorded once, found again, voided, refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from connectors.avatax.connector import CONNECTOR
from connectors.avatax.models import commit_model
from connectors.avatax.sandbox.app import sandbox
from hub.sandbox.server import Running, running
from hub.sdk.connector import ReadOperation, WriteOperation
from hub.sdk.errors import Conflict, FixConnection, FixData, LimitReached, NoSuchRecord, OutcomeUnknown
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey, Response
from tests.connectors.avatax.test_fixtures import FIXTURES

KEY = EffectKey("a" * 32)
OTHER_KEY = EffectKey("b" * 32)


def sale(country: str = "DE", region: str = "", **changes: Any) -> dict[str, Any]:
    place = {"line1": "1 Main Street", "city": "Town", "country": country, "region": region}
    return {
        "code": "INV-1",
        "date": "2026-01-31",
        "customer_id": "ACME",
        "currency": "EUR",
        "ship_from": place,
        "ship_to": place,
        "lines": [{"id": "1", "amount": 100}],
        **changes,
    }


#: The number of the first document in the sandbox.
FIRST = "85000000001"


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
        return await self.connected.write(self.write("tax.commit"), record, key)

    async def void(self, code: str = "INV-1") -> Mapping[str, Any]:
        return await self.connected.write(self.write("tax.void"), {"code": code, "id": FIRST}, KEY)

    async def adjust(self, id: str) -> Mapping[str, Any]:
        lower = {**sale(lines=[{"id": "1", "amount": 80}]), "id": id, "reason": "price", "description": "It fell."}
        return await self.connected.write(self.write("tax.adjust"), lower, OTHER_KEY)

    async def refund(self, code: str, *, key: EffectKey = OTHER_KEY, **more: Any) -> Mapping[str, Any]:
        record = {"id": FIRST, "code": "INV-1", "refund_code": code, "date": "2026-02-10", **more}
        return await self.connected.write(self.write("tax.refund"), record, key)

    async def look(self, key: EffectKey = KEY) -> Mapping[str, Any] | None:
        return await self.connected.look(self.write("tax.commit"), key)

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
    quote = await engine.read("tax.quote", sale())
    assert (quote["status"], quote["kind"], quote["tax_total"]) == ("quoted", "estimate", Decimal(19))
    assert "id" not in quote
    assert engine.books() == []


async def test_a_second_commit_changes_nothing(engine: Engine) -> None:
    first = await engine.commit(sale())
    assert (first["status"], first["total"], first["tax_total"]) == ("committed", 100, Decimal(19))
    with pytest.raises(Conflict):
        await engine.commit(sale(lines=[{"id": "1", "amount": 999}]))
    assert engine.books() == [("INV-1", "Committed", 1)]
    assert await engine.look() == first


@pytest.mark.parametrize("kind", ["timeout_after_commit", "reset_after_commit", "500_after_commit", "malformed_body"])
async def test_an_unknown_outcome_is_looked_up(engine: Engine, kind: str) -> None:
    engine.served.world.faults.replace([{"kind": kind, "times": 1}])
    with pytest.raises(OutcomeUnknown):
        await engine.commit(sale())
    found = await engine.look()
    assert found is not None
    assert found["tax_total"] == Decimal(19)
    assert engine.books() == [("INV-1", "Committed", 1)]


async def test_a_look_up_finds_its_own_key_alone(engine: Engine) -> None:
    await engine.commit(sale())
    assert await engine.look(OTHER_KEY) is None


async def test_an_old_document_is_found(engine: Engine) -> None:
    await engine.commit(sale(date="2019-03-01"))
    assert await engine.look() is not None


async def test_a_look_up_prefers_the_present_revision(engine: Engine) -> None:
    await engine.commit(sale())
    body = commit_model(engine.connected.settings, sale(lines=[{"id": "1", "amount": 200}]), KEY)  # type: ignore[arg-type]
    engine.served.world.books.create_or_adjust(  # type: ignore[attr-defined]
        body, reason="PriceAdjusted", description=""
    )
    found = await engine.look()
    assert found is not None
    assert (found["version"], found["tax_total"]) == (2, Decimal(38))


async def test_voiding_twice_is_a_success(engine: Engine) -> None:
    await engine.commit(sale())
    assert await engine.void() == {"code": "INV-1", "status": "voided"}
    assert await engine.void() == {"status": "voided"}
    assert engine.books() == [("INV-1", "Cancelled", 1)]


async def test_the_code_of_a_void_document_is_free(engine: Engine) -> None:
    await engine.commit(sale())
    await engine.void()
    await engine.commit(sale(), OTHER_KEY)
    assert engine.books() == [("INV-1", "Cancelled", 1), ("INV-1", "Committed", 1)]
    assert (await engine.read("tax.read", {"code": "INV-1"}))["status"] == "committed"


async def test_a_reported_document_stays(engine: Engine) -> None:
    await engine.commit(sale())
    await engine.seed(lock=["INV-1"])
    assert (await engine.read("tax.read", {"code": "INV-1"}))["status"] == "filed"
    for change in (engine.void(), engine.adjust(FIRST)):
        with pytest.raises(FixData) as refusal:
            await change
        assert refusal.value.code == "document-filed"
        assert "tax.refund" in refusal.value.detail
    assert engine.books() == [("INV-1", "Committed", 1)]


async def test_what_was_reported_is_corrected_by_a_negative_document(engine: Engine) -> None:
    await engine.commit(sale(lines=[{"id": "1", "amount": 100}, {"id": "2", "amount": 50}]))
    await engine.seed(lock=["INV-1"])
    back = await engine.refund("CN-1", lines=["2"])
    assert (back["kind"], back["status"], back["total"]) == ("return", "committed", -50)
    assert (back["tax_total"], [line["id"] for line in back["lines"]]) == (Decimal("-9.5"), ["2"])
    assert await engine.connected.look(engine.write("tax.refund"), OTHER_KEY) == back
    with pytest.raises(Conflict):
        await engine.refund("CN-1", key=EffectKey("c" * 32))
    assert engine.books() == [("INV-1", "Committed", 1), ("CN-1", "Committed", 1)]


async def test_a_refund_has_the_tax_of_its_sale(engine: Engine) -> None:
    await engine.commit(sale())
    await engine.seed(rates={"DE": "0.25"})
    assert (await engine.refund("CN-1"))["tax_total"] == Decimal(-19)
    assert (await engine.read("tax.quote", sale()))["tax_total"] == 25


async def test_an_adjustment_takes_the_place_of_the_revision_that_is_meant(engine: Engine) -> None:
    first = await engine.commit(sale())
    second = await engine.adjust(first["id"])
    assert (second["version"], second["tax_total"]) == (2, Decimal("15.2"))
    assert second["id"] != first["id"]
    assert engine.books() == [("INV-1", "Adjusted", 1), ("INV-1", "Committed", 2)]
    found = await engine.look()
    assert found is not None and found["id"] == first["id"], "the commit happened, whatever came after it"


async def test_a_return_of_a_part_is_a_document_of_its_own(engine: Engine) -> None:
    await engine.commit(sale())
    part = {"kind": "return", "code": "INV-1", "date": "2026-03-01", "tax_date": "2026-01-31"}
    made = await engine.commit(sale(lines=[{"id": "1", "amount": Decimal("-10.00")}], **part), OTHER_KEY)
    assert (made["kind"], made["tax_total"], made["tax_date"]) == ("return", Decimal("-1.9"), "2026-01-31")
    assert (await engine.read("tax.read", {"code": "INV-1", "kind": "return"}))["id"] == made["id"]


async def test_what_was_billed_is_recorded_and_what_avatax_calculates_is_told(engine: Engine) -> None:
    """One cent beside the tax of the part, on the day of the sale; the line next to it has AvaTax's own."""
    lines = [
        {"id": "1", "amount": Decimal("-10.01"), "billed_tax": Decimal("-1.91")},
        {"id": "2", "amount": Decimal("-10.01")},
    ]
    note = sale(kind="return", date="2026-03-01", tax_date="2026-01-31", lines=lines)
    quote, made = await engine.read("tax.quote", note), await engine.commit(note)
    for told in (quote, made, await engine.look(), await engine.read("tax.read", {"code": "INV-1", "kind": "return"})):
        assert told is not None
        assert [(line["tax"], line.get("calculated_tax")) for line in told["lines"]] == [
            (Decimal("-1.91"), Decimal("-1.90")),
            (Decimal("-1.90"), None),
        ]
        assert all(sum(part["tax"] for part in line["details"]) == line["tax"] for line in told["lines"])
        assert (told["tax_total"], told["date"], told["tax_date"]) == (Decimal("-3.81"), "2026-03-01", "2026-01-31")


async def test_what_was_billed_on_the_day_itself_needs_no_other_day(engine: Engine) -> None:
    made = await engine.commit(sale(lines=[{"id": "1", "amount": 100, "billed_tax": 19}, {"id": "2", "amount": 1}]))
    assert (made["tax_total"], made["tax_date"]) == (Decimal("19.19"), "2026-01-31")
    assert [line.get("calculated_tax") for line in made["lines"]] == [19, None]


async def test_an_adjustment_may_say_what_was_billed(engine: Engine) -> None:
    sold = await engine.commit(sale())
    lower = {**sale(lines=[{"id": "1", "amount": 80, "billed_tax": Decimal("15.21")}]), "reason": "price"}
    there = {**lower, "id": sold["id"], "description": "It fell."}
    made = await engine.connected.write(engine.write("tax.adjust"), there, OTHER_KEY)
    assert (made["tax_total"], made["lines"][0]["calculated_tax"]) == (Decimal("15.21"), Decimal("15.20"))


async def test_what_was_billed_where_nobody_taxes_is_not_the_tax(engine: Engine) -> None:
    """AvaTax distributes over those who tax the line; where nobody does, the answer says that it has no tax."""
    quote = await engine.read("tax.quote", sale("US", "OR", lines=[{"id": "1", "amount": 100, "billed_tax": 19}]))
    assert (quote["tax_total"], quote["lines"][0]["calculated_tax"]) == (0, 0)


async def test_the_answer_says_why_nothing_is_taken(engine: Engine) -> None:
    nowhere = await engine.read("tax.quote", sale("US", "OR"))
    assert [line["reason"] for line in nowhere["lines"]] == ["not-collecting"]
    assert nowhere["nexus"] == [{"country": "US", "region": "OR", "collecting": False}]
    exempt = await engine.read("tax.quote", sale("US", "CA", exemption={"reason": "resale", "number": "R-1"}))
    assert (exempt["lines"][0]["reason"], exempt["exempt_total"], exempt["tax_total"]) == ("exempt-customer", 100, 0)
    assert exempt["nexus"] == [{"country": "US", "region": "CA", "collecting": True}]
    lines = [{"id": "1", "amount": 100, "tax_code": "NT"}]
    assert (await engine.read("tax.quote", sale(lines=lines)))["lines"][0]["reason"] == "exempt-product"
    assert (await engine.read("tax.quote", sale("KW")))["lines"][0]["reason"] == "zero-rated"


async def test_an_inclusive_line_keeps_its_gross(engine: Engine) -> None:
    quote = await engine.read("tax.quote", sale(lines=[{"id": "1", "amount": 119, "inclusive": True}]))
    assert (quote["total"], quote["tax_total"]) == (100, 19)


async def test_an_address_is_resolved_or_not(engine: Engine) -> None:
    found = await engine.read(
        "address.resolve", {"line1": "1 Main St", "city": "Irvine", "region": "CA", "country": "US"}
    )
    assert (found["resolved"], found["quality"], found["address"]["city"]) == (True, "Rooftop", "Irvine")
    lost = await engine.read("address.resolve", {"city": "Berlin", "country": "DE"})
    assert (lost["resolved"], lost["address"]) == (False, {"city": "Berlin", "country": "DE"})
    assert lost["messages"][0]["severity"] == "error"


async def test_codes_with_the_paths_characters(engine: Engine) -> None:
    code = "A/B+C?D%E#F G"
    committed = await engine.commit(sale(code=code))
    assert committed["code"] == code
    assert (await engine.read("tax.read", {"code": code}))["id"] == committed["id"]
    assert (await engine.void(code))["status"] == "voided"


async def test_a_document_is_read_by_its_code(engine: Engine) -> None:
    committed = await engine.commit(sale())
    assert await engine.read("tax.read", {"code": "INV-1"}) == committed
    with pytest.raises(NoSuchRecord):
        await engine.read("tax.read", {"code": "INV-2"})


async def test_what_the_vendor_refuses_names_the_place(engine: Engine) -> None:
    with pytest.raises(FixData) as refusal:
        await engine.commit(sale(lines=[{"id": "7", "amount": 1, "tax_code": "XX"}]))
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
    operation = CONNECTOR.operation("tax.commit")
    assert isinstance(operation, WriteOperation)
    answer = (FIXTURES / "transaction_committed.json").read_text(encoding="utf-8")
    body = answer.replace('"totalTax": 93.01', '"totalTax": 123456789012345.67').replace('"tax": -3.88', '"tax": 0.10')
    record = operation.result(Response(status=201, body=body.encode()))
    assert str(record["tax_total"]) == "123456789012345.67"
    assert str(record["lines"][1]["tax"]) == "0.10"
