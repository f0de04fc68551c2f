"""Records are read in the version that a flow's mapping was written for, wherever they come from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.engine.readings import answer_of, source_of, wanted_schema
from hub.engine.values import call_input, mapped
from hub.errors import FixData
from hub.model.flow import Call, Map
from hub.model.flow_steps import every_step
from hub.store.tables import events
from hub.workspace.bundle import Bundle
from tests.engine.house import House, bundle
from tests.engine.vendor import Vendor

FLOW = """
flow: tested
title: Records of several versions
owner: team:tests
on: { event: vendor.thing.made }
key: data.id
business_key: data.id
steps:
  - id: whole
    call: { connection: vendor, operation: document.read, by: =data.id }
  - id: unread
    call: { connection: vendor, operation: document.read, by: =data.id }
  - id: through
    call: { connection: vendor, operation: document.read, by: =data.id, into: vendor/plain }
  - id: event_name
    map: vendor/plain
  - id: record_name
    map: vendor/plain
    of: record
  - id: whole_name
    map: vendor/plain
    of: whole
  - id: part_name
    map: vendor/plain
    of: data.part
  - id: write
    call: { connection: vendor, operation: native.write, with: vendor/plain, of: record }
  - id: outer
    call: { connection: vendor, operation: document.read, by: =data.id }
  - id: way
    branch:
      - name: only
        steps:
          - id: inner
            call: { connection: vendor, operation: document.read, by: =data.id }
          - id: lines
            foreach:
              each: data.lines
              steps:
                - id: looked
                  call: { connection: vendor, operation: document.read, by: =item.id }
                - id: looked_name
                  map: vendor/plain
                  of: looked
                - id: outer_name
                  map: vendor/plain
                  of: outer
          - id: both
            parallel:
              - id: lone
                call: { connection: vendor, operation: document.read, by: =data.id }
              - id: told
                call: { connection: vendor, operation: document.read, by: =data.id }
  - id: inner_name
    map: vendor/plain
    of: way.inner
  - id: told_name
    emit: { type: concord.thing.told, with: vendor/plain, of: way.both.told }
"""


def schema(*fields: str) -> str:
    properties = {name: {"type": "string"} for name in fields}
    return json.dumps({"type": "object", "properties": properties, "required": list(fields)})


def mapping(named: str, source: str, target: str, **fields: str) -> str:
    lines = "\n".join(f"  {field}: {expression}" for field, expression in fields.items())
    return f"mapping: {named}\nversion: 1\nfrom: {source}\nto: {target}\nfields:\n{lines}\n"


FILES = {
    "schemas__vendor.thing@1.json": schema("id", "title"),
    "schemas__vendor.thing@2.json": schema("id", "name"),
    "schemas__vendor.thing@3.json": schema("id", "called"),
    "schemas__hub.thing@1.json": schema("name"),
    "mappings__vendor__plain.yaml": mapping("vendor/plain", "vendor.thing@2", "hub.thing@1", name="name"),
    "mappings__vendor__up.yaml": mapping("vendor/up", "vendor.thing@1", "vendor.thing@2", id="id", name="title"),
}


@pytest.fixture(scope="module")
def workspace() -> Bundle:
    return bundle(FLOW, **FILES)


def scope(claimed: str | None, **record: str) -> dict[str, Any]:
    return {"event": {"schema": claimed}, "record": record, "data": {"id": "t1", "part": {"name": "part"}}}


def action(workspace: Bundle, step: str) -> Any:
    return next(one.action for one in workspace.flows["tested"].steps if one.id == step)


@pytest.mark.parametrize(
    ("claimed", "record"),
    [
        ("vendor.thing@1", {"id": "t1", "title": "chair"}),
        ("vendor.thing@2", {"id": "t1", "name": "chair"}),
        # Never registered: read as the latest that is not newer, and as the oldest.
        ("vendor.thing@1.5", {"id": "t1", "title": "chair"}),
        ("vendor.thing@0", {"id": "t1", "title": "chair"}),
        # Without a schema, or with that of something else, the mapping takes it as it is.
        (None, {"id": "t1", "name": "chair"}),
        ("vendor.other@1", {"id": "t1", "name": "chair"}),
    ],
)
@pytest.mark.parametrize("step", ["event_name", "record_name", "write"])
def test_an_event_s_record_is_read_as_the_mapping_wants(
    workspace: Bundle, step: str, claimed: str | None, record: dict[str, str]
) -> None:
    does = action(workspace, step)
    seen = scope(claimed, **record)
    made = mapped(workspace, does, seen) if isinstance(does, Map) else call_input(workspace, does, seen)
    assert made == {"name": "chair"}


def test_what_is_named_otherwise_is_taken_as_it_is(workspace: Bundle) -> None:
    assert mapped(workspace, action(workspace, "part_name"), scope("vendor.thing@1")) == {"name": "part"}


def test_where_no_way_leads_it_is_said(workspace: Bundle) -> None:
    with pytest.raises(FixData, match=r"`vendor\.thing@3` cannot be read as `vendor\.thing@2`") as refused:
        source_of(workspace, None, "vendor/plain", scope("vendor.thing@3", id="t1", called="chair"))
    assert refused.value.code == "no-upcast"


@pytest.mark.parametrize(
    ("step", "wanted"),
    [
        ("whole", "vendor.thing@2"),
        ("through", "vendor.thing@2"),
        ("unread", None),
        # Within steps, from within them, and from outside.
        ("outer", "vendor.thing@2"),
        ("inner", "vendor.thing@2"),
        ("looked", "vendor.thing@2"),
        ("told", "vendor.thing@2"),
        ("lone", None),
    ],
)
def test_a_call_s_answer_is_wanted_in_the_version_that_a_mapping_reads(
    workspace: Bundle, step: str, wanted: str | None
) -> None:
    flow = workspace.flows["tested"]
    found = next(one for one in every_step(flow.steps) if one.id == step)
    assert isinstance(found.action, Call)
    assert wanted_schema(workspace, flow, found) == wanted


@pytest.mark.parametrize(
    ("step", "given", "declared", "made"),
    [
        ("whole", "vendor.thing@1", "vendor.thing@3", {"id": "t1", "name": "chair"}),
        ("whole", None, None, {"id": "t1", "title": "chair"}),
        ("unread", "vendor.thing@1", "vendor.thing@2", {"id": "t1", "name": "chair"}),
        # Nobody reads it, and no way leads to what the operation declares: it stays what it is.
        ("unread", "vendor.thing@1", "vendor.thing@3", {"id": "t1", "title": "chair"}),
        ("unread", None, "vendor.thing@2", {"id": "t1", "title": "chair"}),
    ],
)
def test_an_answer_is_brought_to_one_version(
    workspace: Bundle, step: str, given: str | None, declared: str | None, made: dict[str, str]
) -> None:
    flow = workspace.flows["tested"]
    found = next(one for one in flow.steps if one.id == step)
    answer = {"id": "t1", "title": "chair"}
    assert answer_of(workspace, flow, found, answer, given=given, declared=declared) == made
    assert answer == {"id": "t1", "title": "chair"}


TELLS = """
flow: tested
title: Tells what came in an older version
owner: team:tests
on: { event: vendor.thing.made }
key: data.id
business_key: data.id
steps:
  - id: told
    emit: { type: concord.thing.told, subject: data.id, with: vendor/plain }
"""
HEARS = """
flow: hears
title: Hears of it
owner: team:tests
on: { event: concord.thing.told }
key: record.name
business_key: record.name
steps:
  - id: noted
    crossref: { entity: thing, ids: { a: =record.name, b: =event.subject } }
"""


async def test_what_is_told_of_an_event_is_read_in_the_version_that_its_mapping_wants(tmp_path: Path) -> None:
    house = House(tmp_path, Vendor(), bundle(TELLS, **{**FILES, "flows__hears.yaml": HEARS}))
    await house.start()
    await house.give({"id": "t1", "title": "chair"}, schema="vendor.thing@1")
    assert await house.settled() == {"succeeded": 1}
    with house.database.reading() as connection:
        (told,) = connection.execute(select(events.c.data).where(events.c.type == "concord.thing.told")).scalars()
    assert json.loads(told) == {"record": {"name": "chair"}}
    await house.stop()
