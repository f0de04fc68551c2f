"""Revisions that read different versions of one vendor's records: what was recorded is read anew by each."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hub.model.event import InboundEvent, Via
from hub.release.changes import compare
from hub.release.report import Shadow
from hub.release.shadow import Bounds, Progress, Versions, replay
from hub.sdk.connector import ReadOperation
from hub.store.database import Database
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from tests.engine.house import House
from tests.engine.vendor import Vendor, connector
from tests.release.company import FILES, MONEY, changed

FLOW = """
flow: tested
title: Read things
owner: team:tests
on: { event: vendor.thing.made }
key: data.id
business_key: data.id
steps:
  - id: claimed
    map: company/thing
  - id: whole
    call: { connection: vendor, operation: thing.read, by: =data.id }
  - id: made
    map: company/thing
    of: whole
  - id: through
    call: { connection: vendor, operation: thing.read, by: =data.id, into: company/thing }
"""
#: The vendor's oldest version has the amount under another name than its newer ones.
THINGS = {"1": "cents", "2": "amount", "3": "value"}


def _mapping(name: str, source: str, target: str, field: str) -> str:
    return f"mapping: {name}\nversion: 1\nfrom: {source}\nto: {target}\nfields:\n  {field}\n"


def _schema(field: str) -> str:
    return json.dumps({"type": "object", "properties": {field: {"type": "integer"}}, "required": [field]})


BOOKED = {
    "type": "object",
    "properties": {"total": MONEY},
    "x-postings": [{"account": "receivable", "amount": "total"}],
}
WORKSPACE = {
    "flows/tested.yaml": FLOW,
    "connections/vendor.yaml": FILES["connections/vendor.yaml"],
    "mappings/company/thing.yaml": _mapping(
        "company/thing", "vendor.thing@2", "company.thing@1", "total: money(amount, 'EUR')"
    ),
    "mappings/vendor/two.yaml": _mapping("vendor/two", "vendor.thing@1", "vendor.thing@2", "amount: cents"),
    "mappings/vendor/three.yaml": _mapping("vendor/three", "vendor.thing@2", "vendor.thing@3", "value: amount"),
    "schemas/company.thing@1.json": json.dumps(BOOKED),
    **{f"schemas/vendor.thing@{version}.json": _schema(field) for version, field in THINGS.items()},
}
READS_THREE = (
    "mappings/company/thing.yaml",
    "vendor.thing@2\nto: company.thing@1\nfields:\n  total: money(amount",
    "vendor.thing@3\nto: company.thing@1\nfields:\n  total: money(value",
)
RESTATED = ("mappings/vendor/two.yaml", "amount: cents", "amount: add(cents, `1`)")


async def _read(_session: Any, _given: Any) -> dict[str, int]:
    return {"cents": 500}


#: The vendor with a read that answers in its oldest version.
READER = replace(
    connector,
    operations=(
        *connector.operations,
        ReadOperation(
            name="thing.read",
            title="Read",
            input={"type": "object"},
            output={"$ref": "vendor.thing@2"},
            read=_read,
            gives=lambda _settings: "vendor.thing@1",
        ),
    ),
)
CATALOGUE = catalogue_of([READER])


def built(*changes: tuple[str, str, str]) -> Bundle:
    files = changed(*changes, files=WORKSPACE)
    found, lints = compile_bundle({path: text.encode() for path, text in files.items()}, CATALOGUE)
    assert found is not None, [str(lint) for lint in lints]
    return found


async def _recorded(folder: Path) -> None:
    house = House(folder, Vendor(), built())
    house.accounts["vendor"].connector = READER
    await house.start()
    thing = InboundEvent(
        external_id="t1",
        type="vendor.thing.made",
        schema="vendor.thing@1",
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        data={"id": "t1", "cents": 500},
    )
    await house.intake.accept("vendor", [thing], Via.API)
    assert await house.settled() == {"succeeded": 1}
    await house.stop()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Give what a house recorded whose vendor speaks an older version than the flow reads."""
    folder = tmp_path_factory.mktemp("recorded")
    asyncio.run(_recorded(folder))
    opened = Database(folder)
    yield opened
    opened.close()


def shadow(database: Database, before: Bundle, after: Bundle) -> Shadow:
    versions = Versions(before=before, after=after, flows=compare(before, after).flows, catalogue=CATALOGUE)
    return replay(database, "test", versions, Bounds(), Progress())


def test_each_revision_reads_what_was_recorded_in_its_own_version(database: Database) -> None:
    found = shadow(database, built(), built(READS_THREE))
    assert (found.events, found.runs) == (1, 1)
    assert (found.differing, found.failures, found.untold) == (0, (), ())


def test_another_upcast_moves_the_money_of_all_that_are_read_through_it(database: Database) -> None:
    found = shadow(database, built(), built(RESTATED))
    assert {(one.step, one.what) for one in found.fields} == {
        ("claimed", "output: total.minor"),
        ("made", "output: total.minor"),
        ("through", "output: total.minor"),
    }
    assert [(one.currency, one.amount) for one in found.money] == [("EUR", Decimal("0.01"))]
