"""What a read gives is compared with its schema: counted, decided by the connection's policy, and told in a case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import select

from hub.queries import drift, events, timeline
from hub.queries.view import View
from hub.store.tables import decisions, runs
from tests.engine.house import House, bundle
from tests.engine.vendor import Vendor

FLOW = """
flow: tested
title: A piece, read
owner: team:tests
on: { event: vendor.thing.made }
key: data.id
business_key: data.id
steps:
  - id: piece
    call: { connection: vendor, operation: piece.read, by: =data.id }
"""
POLICY = """
policy: pieces
kind: drift
version: 4
match: first
rules:
  - name: weights are numbers
    when: finding.kind == 'changed-type' && event.type == 'vendor.thing.made'
    then: { action: quarantine }
"""
GUARDED = "connection: vendor\nconnector: vendor\ndrift: pieces\n"
AS_IT_SHOULD_BE = {"id": "a", "weight": 3, "colour": "red"}


async def read(folder: Path, compiled: Any, *pieces: Mapping[str, Any]) -> House:
    """Run the flow once for each piece that the vendor has."""
    house = House(folder, Vendor(pieces={piece["id"]: piece for piece in pieces}), compiled)
    await house.start()
    await house.give(*({"id": piece["id"]} for piece in pieces))
    await house.settled()
    return house


async def test_what_a_read_gives_is_counted(tmp_path: Path) -> None:
    """Without a policy the run goes on, and the event is what it was."""
    pieces = [AS_IT_SHOULD_BE, {"id": "b", "weight": 1, "colour": "green"}, {"id": "c", "weight": "2", "size": 9}]
    house = await read(tmp_path, bundle(FLOW), *pieces)
    assert await house.settled() == {"succeeded": 3}
    await house.stop()
    view = View(environment="test", database=house.database, ambient=house.ambient)
    found = {(row.kind, row.path, row.example, row.count, row.action) for row in drift.listing(view, payloads=True)}
    assert found == {
        ("new-value", "colour", "green", 1, "accept"),
        ("changed-type", "weight", "2", 1, "accept"),
        ("unknown-field", "size", "9", 1, "accept"),
    }
    assert all(event.drift == () for event in events.listing(view, payloads=True).events)


async def test_what_the_policy_refuses_parks_the_run_until_somebody_has_mended_it(tmp_path: Path) -> None:
    """The case says what differs; the next revision's policy lets a replay pass."""
    guarded = bundle(FLOW, **{"connections/vendor.yaml": GUARDED, "policies/pieces.yaml": POLICY})
    house = await read(tmp_path, guarded, {"id": "c", "weight": "2"})
    assert await house.settled() == {"parked": 1}
    view = View(environment="test", database=house.database, ambient=house.ambient)
    with house.database.reading() as connection:
        (decided,) = connection.execute(select(decisions)).mappings()
        (run,) = connection.execute(select(runs.c.id)).scalars()
    assert (decided["policy"], decided["version"], decided["path"], decided["event_id"]) == ("pieces", 4, "piece", None)
    detail = timeline.detail(view, run, payloads=True)
    (case,) = detail.cases
    assert case.reason == "answer-drifted"
    assert [decision.policy for step in detail.steps for decision in step.decisions] == ["pieces"]
    house.bundle = bundle(FLOW)
    await house.run_orders.replay(run, actor="local")
    assert (await house.settled()).get("succeeded") == 1
    await house.stop()


async def test_what_is_decided_about_each_item_of_a_loop_is_kept(tmp_path: Path) -> None:
    """Several items are read one after the other by the same hand; what is decided of the second one counts too."""
    looped = """
flow: tested
title: Pieces, read
owner: team:tests
on: { event: vendor.thing.made }
key: data.id
business_key: data.id
steps:
  - id: pieces
    foreach:
      each: data.pieces
      as: piece
      by: piece
      failures: continue
      steps:
        - id: read
          call: { connection: vendor, operation: piece.read, by: =piece }
"""
    names = ["a", "b", "c"]
    vendor = Vendor(pieces={name: {"id": name, "weight": "2"} for name in names})
    compiled = bundle(looped, **{"connections/vendor.yaml": GUARDED, "policies/pieces.yaml": POLICY})
    house = House(tmp_path, vendor, compiled)
    await house.start()
    await house.give({"id": "all", "pieces": names})
    assert await house.settled() == {"succeeded": 1}
    await house.stop()
    with house.database.reading() as connection:
        decided = connection.execute(select(decisions.c.path).order_by(decisions.c.path)).scalars().all()
    assert decided == [f"pieces[{name}].read" for name in names]
