"""A replay with an edited record, or with other files, writes nothing beside what stands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hub.engine import outcomes
from hub.errors import Conflict
from hub.model.exchange import Request
from hub.model.run import RunState
from hub.operate.runs import FAILURE
from hub.store.replays import written
from tests.engine.house import House, bundle
from tests.engine.test_compensation import reversals
from tests.engine.test_lanes import Hut, exceptions, flow, once
from tests.engine.test_once import FILES
from tests.engine.test_taken_back import latest

ADA = "person:p_ada"
WHY = "it was mistyped"
WRITE = """
  - id: write
    call: { connection: WHERE, operation: KIND.write, with: vendor/thing, of: "{id: data.id, value: data.value}" }
"""
LAST = """
  - id: last
    call: { connection: vendor, operation: upsert.write, with: vendor/thing, of: "{id: 'z', value: data.more}" }
"""
ARMS = """
  - id: way
    on_failure: continue
    branch:
      - name: red
        when: data.colour == 'red'
        steps:
          - id: a
            call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
      - name: blue
        steps:
          - id: b
            call: { connection: vendor, operation: probe.write, with: vendor/thing, of: data }
"""
LINES = """
  - id: lines
    foreach:
      each: data.lines
      as: line
      by: line.id
      failures: continue
      steps:
        - id: write
          call: { connection: vendor, operation: native.write, with: vendor/thing, of: line }
"""
MANY = """
  - id: lines
    call:
      connection: vendor
      operation: native.write
      each: data.lines
      item: id
      with: vendor/thing
      failures: continue
"""
CALLED = """
flow: called
title: Is called
owner: team:tests
on: { called: vendor.thing@1 }
key: record.id
business_key: record.id
steps:
  - id: inner
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: record }
"""
CALLS = """
  - id: sub
    flow: { flow: called, of: "{id: data.id, value: data.value}" }
"""
EVENT = {"id": "a", "key": "k", "value": "100", "more": "bad", "colour": "red", "where": "vendor"}
ITEMS = [{"id": "1", "value": "10"}, {"id": "2", "value": "20"}]
OTHER = {"connections__other.yaml": "connection: other\nconnector: vendor\n"}


def write(kind: str = "native", where: str = "vendor") -> str:
    return WRITE.replace("KIND", kind).replace("WHERE", where)


async def parked(tmp_path: Path, steps: str, event: Mapping[str, Any] = EVENT) -> tuple[Hut, House]:
    """Give a house in which the last step of a run has failed."""
    hut = Hut(tmp_path, flow(steps), {**FILES, **OTHER, "flows__called.yaml": CALLED})
    house = await hut.open()
    house.connect("other", hut.vendor)
    await house.give(event)
    assert await house.settled() == {"parked": 1}
    return hut, house


async def replayed(house: House, change: Mapping[str, Any] | None = None, **order: Any) -> dict[str, Any]:
    """Replay the latest run, edited where there is a change, and give the run that takes its place at its end."""
    if change is not None:
        order |= {"record": {**EVENT, "more": "x", **change}}
    await house.run_orders.replay(latest(house)["id"], actor=ADA, reason=WHY, **order)
    await house.settled()
    return latest(house)


def books(hut: Hut) -> list[tuple[str, str, str]]:
    return [(each["kind"], each["key"], each["value"]) for each in hut.vendor.documents]


def keys(house: House) -> dict[str, str]:
    with house.database.reading() as connection:
        return {row["path"]: row["key"] for row in written(connection, latest(house))}


async def stopped(hut: Hut, house: House, change: Mapping[str, Any] | None, reason: str, **order: Any) -> str:
    """Replay, see that it stops for this reason and writes nothing, and give what a person is told."""
    before = books(hut)
    run = await replayed(house, change, **order)
    assert (run["state"], run["reason"]) == (RunState.PARKED, reason)
    # Who only orders it again gets no further.
    assert (await replayed(house))["reason"] == reason
    assert (await replayed(house, start=FAILURE))["reason"] == reason
    assert books(hut) == before
    [case] = exceptions(house)
    assert case.reason == reason
    return case.detail


@pytest.mark.parametrize("kind", ["native", "upsert", "probe"])
async def test_an_edit_of_what_was_written_stops_and_is_written_once_more_on_order(tmp_path: Path, kind: str) -> None:
    hut, house = await parked(tmp_path, write(kind) + LAST)
    assert "write" in await stopped(hut, house, {"value": "200"}, "written-differently")
    [key] = keys(house).values()
    run = await replayed(house, start=FAILURE, confirmed=[key])
    assert run["state"] == RunState.SUCCEEDED
    assert books(hut)[-2:] == [(kind, "a", "200"), ("upsert", "z", "x")]
    await house.stop()


async def test_an_edit_of_something_else_recognises_what_was_written(tmp_path: Path) -> None:
    hut, house = await parked(tmp_path, write("probe") + CALLS + ARMS + MANY + LAST, {**EVENT, "lines": ITEMS})
    before = books(hut)
    assert (await replayed(house, {"lines": ITEMS}))["state"] == RunState.SUCCEEDED
    assert books(hut) == [*before, ("upsert", "z", "x")]
    await house.stop()


async def test_a_plain_replay_recognises_whatever_it_would_write_now(tmp_path: Path) -> None:
    hut, house = await parked(tmp_path, write() + LAST)
    before = books(hut)
    hut.bundle = bundle(flow(write().replace("data.value", "'other'") + LAST.replace("data.more", "'x'")), **FILES)
    await house.stop()
    house = await hut.open()
    # Its own files are said to be these: what was recorded is recognised, and not formed anew.
    assert (await replayed(house))["state"] == RunState.SUCCEEDED
    assert books(hut) == [*before, ("upsert", "z", "x")]
    await house.stop()


async def test_a_plain_replay_of_an_edited_one_recognises_what_that_has_written_and_called(tmp_path: Path) -> None:
    first = LAST.replace("last", "first").replace("data.more", "data.first").replace("'z'", "'f'")
    hut, house = await parked(tmp_path, first + write() + CALLS + LAST, {**EVENT, "first": "bad"})
    assert (await replayed(house, {"first": "x", "more": "bad"}))["state"] == RunState.PARKED
    before = books(hut)
    assert len(before) == 3
    other = (write() + CALLS).replace("data.value", "'other'")
    hut.bundle = bundle(
        flow(first + other + LAST.replace("data.more", "'x'")), **FILES, **{"flows__called.yaml": CALLED}
    )
    await house.stop()
    house = await hut.open()
    assert (await replayed(house))["state"] == RunState.SUCCEEDED
    assert books(hut) == [*before, ("upsert", "z", "x")]
    await house.stop()


async def test_an_edit_that_leads_to_another_connection_writes_no_second(tmp_path: Path) -> None:
    hut, house = await parked(tmp_path, write(where='"=data.where"') + LAST)
    detail = await stopped(hut, house, {"where": "other"}, "left-standing")
    assert "write" in detail
    run = await replayed(house, start=FAILURE, confirmed=list(keys(house).values()))
    assert (run["state"], len(hut.vendor.documents)) == (RunState.SUCCEEDED, 3)
    await house.stop()


@pytest.mark.parametrize(
    "new",
    [write("probe"), write("probe").replace("id: write", "id: renamed"), ""],
    ids=["another operation", "renamed besides", "gone"],
)
async def test_other_files_leave_nothing_standing_unseen(tmp_path: Path, new: str) -> None:
    hut, house = await parked(tmp_path, write() + LAST)
    hut.bundle = bundle(flow(new + LAST.replace("data.more", "'x'")), **FILES)
    await house.stop()
    house = await hut.open()
    old = books(hut)
    await replayed(house, current=True)
    run = latest(house)
    assert (run["state"], run["reason"]) == (RunState.PARKED, "left-standing")
    assert [each for each in books(hut) if each[0] != "upsert"] == old
    await replayed(house, start=FAILURE, confirmed=list(keys(house).values()))
    assert latest(house)["state"] == RunState.SUCCEEDED
    assert len(hut.vendor.documents) == (3 if new else 2)
    await house.stop()


async def test_an_edit_that_takes_the_other_arm_stops_before_it(tmp_path: Path) -> None:
    hut, house = await parked(tmp_path, ARMS + LAST)
    assert "way.a" in await stopped(hut, house, {"colour": "blue"}, "left-standing")
    with pytest.raises(Conflict) as refused:
        await replayed(house, start=FAILURE, confirmed=["0" * 32])
    assert refused.value.code == "confirm-effects"
    run = await replayed(house, start=FAILURE, confirmed=[keys(house)["way.a"]])
    assert run["state"] == RunState.SUCCEEDED
    assert [kind for kind, _, _ in books(hut)] == ["native", "probe", "upsert"]
    await house.stop()


async def test_an_edit_that_leaves_a_step_out_stops_at_it(tmp_path: Path) -> None:
    hut, house = await parked(tmp_path, write() + "    when: data.colour == 'red'\n" + LAST)
    await stopped(hut, house, {"colour": "blue"}, "left-standing")
    await house.stop()


@pytest.mark.parametrize("steps", [LINES, MANY])
async def test_items_that_are_named_or_priced_otherwise_stop_the_loop(tmp_path: Path, steps: str) -> None:
    hut, house = await parked(tmp_path, steps + LAST, {**EVENT, "lines": ITEMS})
    assert len(hut.vendor.documents) == 2
    renamed = [{**ITEMS[0], "id": "01"}, ITEMS[1], {"id": "3", "value": "30"}]
    assert "lines[1]" in await stopped(hut, house, {"lines": renamed}, "left-standing")
    await house.stop()


@pytest.mark.parametrize("steps", [LINES, MANY])
async def test_an_item_of_another_amount_is_not_gone_past(tmp_path: Path, steps: str) -> None:
    hut, house = await parked(tmp_path, steps + LAST, {**EVENT, "lines": ITEMS})
    priced = [{**ITEMS[0], "value": "11"}, ITEMS[1]]
    assert "lines[1]" in await stopped(hut, house, {"lines": priced}, "written-differently")
    await house.stop()


async def test_a_called_flow_is_not_taken_for_one_with_another_record(tmp_path: Path) -> None:
    hut, house = await parked(tmp_path, CALLS + LAST)
    assert "sub" in await stopped(hut, house, {"value": "200"}, "written-differently")
    await house.stop()


async def test_a_called_flow_in_the_other_arm_is_not_left_standing(tmp_path: Path) -> None:
    called = ARMS.replace(
        "call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }",
        'flow: { flow: called, of: "{id: data.id, value: data.value}" }',
    )
    hut, house = await parked(tmp_path, called + LAST)
    assert "way.a" in await stopped(hut, house, {"colour": "blue"}, "left-standing")
    run = await replayed(house, start=FAILURE, confirmed=[keys(house)["way.a.inner"]])
    assert (run["state"], len(hut.vendor.documents)) == (RunState.SUCCEEDED, 3)
    await house.stop()


async def test_a_write_of_unknown_outcome_is_found_out_and_not_sent_again_as_it_was(tmp_path: Path) -> None:
    def lost(request: Request, number: int) -> str | None:
        return "lost-before" if request.url.endswith("probe") and number < 60 else None

    hut = Hut(tmp_path, flow(write("probe")), FILES, fault=lost)
    house = await hut.open()
    await house.give(EVENT)
    assert await house.settled() == {"parked": 1}
    hut.vendor.fault = lambda _request, _number: None
    run = await replayed(house, {"value": "200"})
    assert (run["state"], books(hut)) == (RunState.SUCCEEDED, [("probe", "a", "200")])
    await house.stop()


async def test_what_only_the_end_shows_is_confirmed_without_writing_anything(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(write() + LAST), FILES)
    house = await once(hut, {**EVENT, "more": "x"})
    before = books(hut)
    assert len(before) == 2
    hut.bundle = bundle(flow(LAST), **FILES)
    await house.stop()
    house = await hut.open()
    await stopped(hut, house, None, "left-standing", current=True)
    run = await replayed(house, start=FAILURE, confirmed=[keys(house)["write"]])
    assert (run["state"], books(hut)) == (RunState.SUCCEEDED, before)
    await house.stop()


async def test_what_was_written_otherwise_is_taken_back_and_written_anew(tmp_path: Path) -> None:
    undone = write().rstrip() + "\n    undo: thing.reverse\n"
    hut, house = await parked(tmp_path, undone + LAST)
    await stopped(hut, house, {"value": "200"}, "written-differently")
    await house.run_orders.take_back(latest(house)["id"], actor=ADA, reason=WHY)
    await house.settled()
    assert reversals(hut.vendor) == ["doc_1"]
    run = await replayed(house, confirmed=list(keys(house).values()))
    assert (run["state"], books(hut)[-2:]) == (RunState.SUCCEEDED, [("native", "a", "200"), ("upsert", "z", "x")])
    # From here on that is what is recognised.
    assert (await replayed(house))["state"] == RunState.SUCCEEDED
    assert len(books(hut)) == 4
    await house.stop()


REQUEST = Request(method="POST", url="https://old.example/v1/notes?x=1", headers={}, body=b"{}")


@pytest.mark.parametrize(
    ("url", "body", "alike"),
    [
        (REQUEST.url, b"{}", True),
        # The service has moved.
        ("https://new.example/v1/notes?x=1", b"{}", True),
        ("https://old.example/v1/notes?x=2", b"{}", False),
        (REQUEST.url, b"[]", False),
    ],
)
def test_a_request_is_known_by_its_path_and_its_body(url: str, body: bytes, *, alike: bool) -> None:
    now = Request(method="POST", url=url, headers={"Key": "another"}, body=body)
    assert outcomes.is_request(outcomes.columns_of(REQUEST), now) is alike
