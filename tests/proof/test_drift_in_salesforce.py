"""Whatever an org changes in a record that is read: each field that comes, goes or becomes another is named at once.

Over HTTP against the sandbox, with the hub's own engine and the drift policy that ships. Of every field of every object
with a schema; those that may go unnoticed are exactly those which the page on drift tells, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import hub
from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.expected import in_records
from connectors.salesforce.kinds import KINDS, ORDER_LINES, Kind
from connectors.salesforce.samples import SAMPLES
from connectors.salesforce.settings import SalesforceSettings
from hub.model.run import RunState
from hub.proof.certification.stand import ENVIRONMENT, Stand, stand
from hub.queries import drift
from hub.queries.view import View
from hub.schemas.shape import Shape, shape_of
from hub.sdk.connector import ReadOperation
from hub.sdk.testing.sending import Connected
from tests.proof.test_drift_sweep import NEW, UNHEARD, of_another_kind
from tests.proof.test_vendor_drift import bundle_of, call, change

SETTINGS = SalesforceSettings.model_validate(SAMPLES.settings)
#: Where the records of lists stand in the answers.
PLACES = {
    "OpportunityLineItems[].": "records.",
    "QuoteLineItems[].": "records.",
    "OrderItems[].": "records.",
    "Orders[].": "records.",
    "Orders[].OrderItems[].": "records.OrderItems.records.",
}
PAGE = Path(hub.__file__).resolve().parent.parent / "docs" / "drift.md"
EACH = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])


def objects(kind: Kind) -> Iterator[tuple[str, str]]:
    """Give the objects of which a record of a kind tells, each with the path to its fields."""
    yield kind.object, ""
    yield from ((of.object, f"{of.relation}[].") for of in kind.lines)
    if kind.name == "contract":
        yield from (("Order", "Orders[]."), (ORDER_LINES.object, f"Orders[].{ORDER_LINES.relation}[]."))


def untold() -> Mapping[str, set[str]]:
    """Give the fields that may go unnoticed, as the page tells them, by object."""
    part = PAGE.read_text().partition("### Fields that Salesforce may take away unnoticed")[2].partition("\n#")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", part, re.MULTILINE)
    return {object: set(re.findall(r"`(\w+)`", told)) for object, told in rows}


class Watched:
    """One read of a hub, made again and again while the org changes."""

    def __init__(self, hub: Stand, kind: Kind) -> None:
        self.hub = hub
        self.id = str(next(one["Id"] for one in hub.books()["records"][kind.object] if one.get(_key(kind))))
        self._view = View(environment=ENVIRONMENT, database=hub.database, ambient=hub.ambient)
        self._calls = 0
        self._known: set[tuple[str, str]] = set()

    async def read(self) -> tuple[set[tuple[str, str]], RunState]:
        """Read the record; gives what was found for the first time, and how the run ended."""
        self._calls += 1
        _, state = await call(self.hub, {"id": self.id}, f"call-{self._calls}")
        found = {(row.kind, row.path) for row in drift.listing(self._view, payloads=True)}
        fresh, self._known = found - self._known, found
        return fresh, state


def _key(kind: Kind) -> str:
    return "Billing_Price_Id__c" if kind.object == "PricebookEntry" else "Billing_Id__c"


def watching(kind: Kind) -> Any:
    sample = next(one for one in SAMPLES.reads if one.operation == f"{kind.name}.read")
    sample = replace(sample, input={"id": "x"}, after=())
    return stand(CONNECTOR, SAMPLES, bundle_of(CONNECTOR, SAMPLES, sample))


@EACH
async def test_a_field_that_is_gone_is_named_at_the_first_read(kind: Kind) -> None:
    """One after the other; what nothing reads is told and holds nothing back, all else waits for a person."""
    given = shape_of(CONNECTOR.schemas[kind.schema])
    for object, at in objects(kind):
        silent = set()
        async with watching(kind) as hub:
            watched = Watched(hub, kind)
            assert await watched.read() == (set(), RunState.SUCCEEDED)
            todo = await fields(hub, object, at)
            for needed, name in sorted((is_needed(given, at, name), name) for name in todo):
                await hub.sandbox.world.books.seed({"remove_fields": [f"{object}.{name}"]})
                found, state = await watched.read()
                if not found:
                    silent.add(name)
                    continue
                assert found == {("missing-field", f"{at}{name}")}
                assert state is (RunState.PARKED if needed else RunState.SUCCEEDED)
        # What the org's own fields are for, only its settings know.
        assert {name for name in silent if not name.endswith("__c")} == untold()[object] & {*todo}


@EACH
def test_the_page_tells_which_fields_may_go_unnoticed(kind: Kind) -> None:
    """Of the standard ones; those of an org's own are for the setting `expects`."""
    for (object, at), document in zip(objects(kind), documents(kind), strict=True):
        told = {*document.get("required", ()), *document.get("x-answered", ()), *document.get("x-shown", ())}
        assert told <= document["properties"].keys()
        shown = {f"{at}{name}?" for name in document["x-shown"]}
        assert shown <= {*in_records(SETTINGS)[kind.schema]}
        lists = {name for name, field in document["properties"].items() if field.get("type") in ("array", "object")}
        standard = {name for name in document["properties"] if not name.endswith("__c")} - lists - {"Product2"}
        assert standard - told == untold()[object], object


def test_what_is_not_asked_for_is_not_missed() -> None:
    """With `select`, and in versions of the API that no schema describes."""
    of_all = in_records(SETTINGS)
    some = in_records(SETTINGS.model_copy(update={"select": {"OrderItem": ("UnitPrice",), "Account": ("Name",)}}))
    assert not any(path.startswith("OrderItems[].") for path in some["salesforce.order@68.0"])
    assert not any("OrderItems[]." in path for path in some["salesforce.contract@68.0"])
    assert some["salesforce.account@68.0"] == []
    assert some["salesforce.quote@68.0"] == of_all["salesforce.quote@68.0"]
    assert not any(in_records(SETTINGS.model_copy(update={"api_version": "60.0"})).values())
    named = in_records(SETTINGS.model_copy(update={"expects": ("Account.Site",)}))["salesforce.account@68.0"]
    assert ("Site" in named, "Site?" in named) == (True, False)


def documents(kind: Kind) -> Iterator[Mapping[str, Any]]:
    """Give what the schema of a kind says of each of its objects."""
    for _, at in objects(kind):
        document: Any = CONNECTOR.schemas[kind.schema]
        for step in at.split("[].")[:-1]:
            document = document["properties"][step]["items"]
        yield document


@EACH
async def test_what_comes_or_is_another_thing_is_named_at_the_first_read(kind: Kind) -> None:
    """In the record itself and in what lists in it have."""
    async with watching(kind) as hub:
        watched = Watched(hub, kind)
        assert await watched.read() == (set(), RunState.SUCCEEDED)
        for (object, at), document in zip(objects(kind), documents(kind), strict=True):
            found = shape_of(document).fields
            there = [name for name in await fields(hub, object, at) if name in found]
            assert there
            added = {"object": object, "name": NEW, "type": "string", "length": 20}
            await hub.sandbox.world.books.seed({"fields": [added]})
            assert await watched.read() == ({("unknown-field", f"{at}{NEW}")}, RunState.SUCCEEDED)
            await hub.sandbox.world.books.seed({"remove_fields": [f"{object}.{NEW}"]})
            tellers = [name for name in there if found[name].values is not None]
            for name in tellers:
                await answers(hub, object, at, {name: UNHEARD})
                assert await watched.read() == ({("new-value", f"{at}{name}")}, RunState.SUCCEEDED)
            others = {name: of_another_kind(found[name]) for name in there if name not in tellers}
            for name, value in others.items():
                await answers(hub, object, at, {name: value})
                assert await watched.read() == ({("changed-type", f"{at}{name}")}, RunState.PARKED), name
            await change(hub, [])


async def answers(hub: Stand, object: str, at: str, fields: Mapping[str, Any]) -> None:
    """Let the org answer with other values in these fields of its records."""
    path, inner = ("/query", PLACES[at]) if at else (f"/sobjects/{object}/[0-9A-Za-z]{{18}}", "")
    await change(hub, [{"path": path, "set": {f"{inner}{name}": value for name, value in fields.items()}}])


async def fields(hub: Stand, object: str, at: str) -> list[str]:
    """Give the fields of an object but for those by which records are found: without them the read is refused."""
    found_by = {"Id", "SystemModstamp", "ContractId", "Product2Id"} | {of.parent for one in KINDS for of in one.lines}
    connected = Connected(hub.connector, hub.beside)
    try:
        operation = CONNECTOR.operation("object.describe")
        assert isinstance(operation, ReadOperation)
        told = (await operation.read(connected, {"object": object}))["fields"]
    finally:
        await connected.close()
    names = [one["name"] for one in told if one["type"] != "address"]
    return [name for name in names if name not in (found_by if at else {"Id"})]


def is_needed(shape: Shape, at: str, name: str) -> bool:
    """Tell whether what ships needs a field: the schema says that it is always there."""
    for step in at.split("[].")[:-1]:
        items = shape.fields[step].items
        assert items is not None
        shape = items
    return name in shape.given
