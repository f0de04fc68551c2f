"""AvaTax changes its answers: the field that the connector can no longer read is named, whatever call it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from connectors.avatax.connector import CONNECTOR
from connectors.avatax.samples import ADJUSTED, FIRST, IRVINE, SALE
from connectors.avatax.sandbox.app import sandbox
from hub.model.kinds import Kind
from hub.sandbox.evolving import read_changes
from hub.sandbox.server import Running, running
from hub.schemas.shape import Shape, shape_of
from hub.sdk.connector import ReadOperation, WriteOperation
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.guards import ReadBefore
from hub.sdk.testing.sending import Connected
from hub.sdk.values import EffectKey

KEY = EffectKey("a" * 32)
SHAPE = shape_of(CONNECTOR.schemas["avatax.transaction@2"])


class Engine:
    """Calls the connector's operations against a sandbox whose answers change."""

    def __init__(self, served: Running, connected: Connected) -> None:
        self.served = served
        self.connected = connected

    def change(self, path: str, **deeds: Any) -> None:
        """Let answers under some addresses differ from now on; nothing else differs any more."""
        self.served.world.changes = read_changes([{"path": path, **deeds}])

    async def write(self, name: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
        return await self.connected.write(operation(name), record, KEY)


def operation(name: str) -> WriteOperation:
    found = CONNECTOR.operation(name)
    assert isinstance(found, WriteOperation)
    return found


@pytest_asyncio.fixture
async def engine() -> AsyncIterator[Engine]:
    async with running(sandbox) as served:
        announced = {
            name: value for name, value in served.announcement.items() if name in CONNECTOR.settings.model_fields
        }
        settings = CONNECTOR.settings.model_validate({**announced, "base_url": served.url, "timeout": 5.0})
        connected = Connected(CONNECTOR, settings)
        try:
            yield Engine(served, connected)
        finally:
            await connected.close()


def always_there(shape: Shape = SHAPE, path: str = "") -> Iterator[tuple[str, Shape]]:
    """Give the fields that the schema says AvaTax always gives, with their places as findings of drift have them."""
    for name, field in shape.fields.items():
        place = f"{path}.{name}" if path else name
        if name in shape.given:
            yield place, field
        items = field.items
        if items is not None and items.given:
            yield from always_there(items, f"{place}[]")


FIELDS = dict(always_there())


def of_another_kind(shape: Shape) -> Any:
    return {"value": "x"} if Kind.OBJECT not in shape.kinds else "x"


def test_what_the_connector_reads_is_marked_level_by_level() -> None:
    assert len(FIELDS) > 28
    assert {path.count("[]") for path in FIELDS} == {0, 1, 2}


async def test_each_field_of_a_recorded_document_is_named_when_it_is_gone(engine: Engine) -> None:
    """The document is recorded: nothing is known of it until the answer can be read, and nothing is sent twice."""
    for number, path in enumerate(FIELDS):
        engine.change("transactions/create", drop=[path.replace("[]", "")])
        with pytest.raises(OutcomeUnknown) as refused:
            await engine.write("tax.commit", {**SALE, "code": f"INV-{number}"})
        told = {"kind": "missing-field", "path": path, "what": "required"}
        assert (refused.value.code, refused.value.facts) == ("answer-drifted", told)


async def test_each_field_of_a_recorded_document_is_named_when_it_is_another_thing(engine: Engine) -> None:
    for number, (path, shape) in enumerate(FIELDS.items()):
        engine.change("transactions/create", set={path.replace("[]", ""): of_another_kind(shape)})
        with pytest.raises(OutcomeUnknown) as refused:
            await engine.write("tax.commit", {**SALE, "code": f"INV-{number}"})
        facts = refused.value.facts
        assert (refused.value.code, facts["kind"], facts["path"]) == ("answer-drifted", "changed-type", path)
        assert str(facts["what"]).startswith("object instead of ")


@pytest.mark.parametrize("path", ["status", "type"])
async def test_a_value_that_nobody_knows_is_named_and_not_taken_for_another(engine: Engine, path: str) -> None:
    """An unknown type was once a sale. The value itself is not told where payloads are not shown."""
    engine.change("transactions/create", set={path: "Unheard"})
    with pytest.raises(OutcomeUnknown) as refused:
        await engine.write("tax.commit", SALE)
    assert (refused.value.code, refused.value.facts) == ("answer-drifted", {"kind": "new-value", "path": path})


async def test_one_of_two_names_is_enough(engine: Engine) -> None:
    """A deprecated twin goes without harm; of older accounts it is all there is."""
    for number, (gone, there) in enumerate([("customerCode", "ACME"), ("customerVendorCode", "ACME")]):
        engine.change("transactions/create", drop=[gone])
        made = await engine.write("tax.commit", {**SALE, "code": f"INV-{number}"})
        assert made["customer_id"] == there
    engine.change("transactions/create", drop=["lines.details.jurisdictionType"])
    made = await engine.write("tax.commit", {**SALE, "code": "INV-3"})
    levels = [detail["level"] for detail in made["lines"][0]["details"]]
    assert levels == ["state", "county", "special", "special"]
    for number, (first, other) in enumerate(
        [("customerCode", "customerVendorCode"), ("lines.details.jurisdictionType", "lines.details.jurisType")]
    ):
        engine.change("transactions/create", drop=[first, other])
        with pytest.raises(OutcomeUnknown) as refused:
            await engine.write("tax.commit", {**SALE, "code": f"INV-{number + 4}"})
        assert str(refused.value.facts["path"]).replace("[]", "") == first


async def test_why_a_part_is_not_taxed_is_asked_only_where_there_is_such_a_part(engine: Engine) -> None:
    """Whether the company has no nexus there, or the product is exempt, could not be told any more."""
    oregon = {**IRVINE, "region": "OR"}
    nowhere = {**SALE, "ship_from": oregon, "ship_to": oregon}
    engine.change("transactions/create", drop=["lines.details.nonTaxableType"])
    assert (await engine.write("tax.commit", SALE))["status"] == "committed"
    with pytest.raises(OutcomeUnknown) as refused:
        await engine.write("tax.commit", {**nowhere, "code": "INV-2"})
    assert refused.value.facts["path"] == "lines[].details[].nonTaxableType"


async def test_what_a_look_finds_and_cannot_read_is_for_a_person(engine: Engine) -> None:
    """It would be the same at every look: the run stops at once, and its exception names the field."""
    await engine.write("tax.commit", SALE)
    commit = operation("tax.commit")
    gone = {"totalTax": "totalTax", "lines.tax": "lines[].tax", "referenceCode": "value[].referenceCode"}
    for name, path in gone.items():
        engine.change(r"transactions\?", drop=[f"value.{name}"])
        with pytest.raises(FixData) as refused:
            await engine.connected.look(commit, KEY)
        assert (refused.value.code, refused.value.facts["path"]) == ("answer-drifted", path)


async def test_a_document_that_is_to_be_changed_is_looked_at_before(engine: Engine) -> None:
    """Nothing is adjusted or voided while it cannot be told what stands there."""
    await engine.write("tax.commit", SALE)
    engine.change("INV", drop=["id"])
    for name, record in (("tax.adjust", ADJUSTED), ("tax.void", {"code": SALE["code"], "id": FIRST})):
        guard = operation(name).guard
        assert isinstance(guard, ReadBefore)
        request = operation(name).request(engine.connected.settings, record, KEY)
        answer = await engine.connected.send(guard.look.current(engine.connected.settings, request))
        with pytest.raises(FixData) as refused:
            guard.look.standing(answer)
        assert (refused.value.code, refused.value.facts["path"]) == ("answer-drifted", "id")


@pytest.mark.parametrize("path", ["code", "status"])
async def test_a_void_says_which_document_it_is_about(engine: Engine, path: str) -> None:
    await engine.write("tax.commit", SALE)
    engine.change("/void", drop=[path])
    with pytest.raises(OutcomeUnknown) as refused:
        await engine.write("tax.void", {"code": SALE["code"], "id": FIRST})
    assert (refused.value.code, refused.value.facts["path"]) == ("answer-drifted", path)


async def test_a_read_names_it_too(engine: Engine) -> None:
    """Nothing hangs on it, and asking again would give the same: it is for a person at once."""
    await engine.write("tax.commit", SALE)
    engine.change("transactions/INV", drop=["lines.details.rate"])
    reading = CONNECTOR.operation("tax.read")
    assert isinstance(reading, ReadOperation)
    with pytest.raises(FixData) as refused:
        await reading.ask(engine.connected, {"code": SALE["code"]})
    assert refused.value.facts["path"] == "lines[].details[].rate"
