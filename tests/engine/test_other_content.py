"""Events about the same thing: what was done for one is recognised by the next, unless that says something else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.errors import Conflict
from hub.model.effect import Idempotency
from hub.model.exchange import Request
from hub.model.run import RunState
from hub.operate.runs import FAILURE, START
from hub.sdk import exact_json
from hub.store import effects as stored
from hub.store import tables
from hub.store.replays import written
from tests.engine.house import House, bundle_for
from tests.engine.target import Target, connector
from tests.engine.test_children import until
from tests.engine.test_compensation import reversals
from tests.engine.test_every_answer import finished, kept, living
from tests.engine.test_lanes import Hut, exceptions, flow
from tests.engine.test_many import FLOW, LINE, TOLD, bulk_documents, lines
from tests.engine.test_meant_otherwise import CALLED, CALLS, LINES, MANY
from tests.engine.test_once import FILES

ADA = "person:p_ada"
WHY = "it was deleted there by hand"
#: Several events are about one thing, and none of them waits for another.
HEAD = """
flow: tested
title: Many events about one thing
owner: team:tests
on: { event: vendor.thing.made }
key: data.id
business_key: data.thing
"""
WRITE = """
  - id: write
    call: { connection: vendor, operation: KIND.write, with: vendor/thing, of: "{id: data.thing, value: data.value}" }
    undo: thing.reverse
    retry: patient
"""
SECOND = """
  - id: second
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: "{id: 'second', value: data.second}" }
"""
TELLS = """
  - id: told
    emit: { type: concord.thing.changed, subject: data.thing, of: "{value: data.value}" }
"""


def write(kind: str = "native") -> str:
    return WRITE.replace("KIND", kind)


CALLS_IT = CALLS.replace("data.id", "data.thing")


def hut_of(tmp_path: Path, steps: str, **more: Any) -> Hut:
    return Hut(tmp_path, flow(steps, HEAD), {**FILES, "flows__called.yaml": CALLED}, **more)


async def tells(house: House, event: str, value: str = "100.00", **more: Any) -> dict[str, Any]:
    """Give an event about the one thing, and the run that comes of it when nothing moves any more."""
    await house.give({"id": event, "thing": "INV1", "value": value, **more})
    await house.settled()
    return newest(house)


def newest(house: House) -> dict[str, Any]:
    with house.database.reading() as connection:
        statement = "select * from runs where flow = 'tested' and replaced_by is null order by created_at desc, id desc"
        row = connection.exec_driver_sql(statement).first()
    assert row is not None
    return dict(row._mapping)


def output(house: House, run: dict[str, Any], path: str = "write") -> Any:
    with house.database.reading() as connection:
        row = connection.exec_driver_sql(
            f"select output from steps where run_id = '{run['id']}' and path = '{path}'"  # noqa: S608 - its own names
        ).one()
    return exact_json.loads(row.output)


async def anew(house: House, run: dict[str, Any], **order: Any) -> dict[str, Any]:
    """Order the writes about a run's thing once more, as a person does that has looked at them."""
    with house.database.reading() as connection:
        confirmed = [row["key"] for row in written(connection, run)]
    await house.run_orders.replay(run["id"], actor=ADA, reason=WHY, confirmed=confirmed, **order)
    await house.settled()
    return newest(house)


def assert_stopped(house: House, run: dict[str, Any], path: str) -> str:
    assert (run["state"], run["reason"]) == (RunState.PARKED, "written-differently")
    case = next(case for case in exceptions(house) if case.run_id == run["id"])
    assert (case.reason, case.path) == ("written-differently", path)
    return case.detail


def values(hut: Hut) -> list[str]:
    return [document["value"] for document in hut.vendor.documents]


@pytest.mark.parametrize("kind", list(Idempotency))
async def test_another_amount_under_the_same_key_stops_and_the_same_is_recognised(
    tmp_path: Path, kind: Idempotency
) -> None:
    hut = hut_of(tmp_path, write(kind.value))
    house = await hut.open()
    first = await tells(house, "e1")
    assert first["state"] == RunState.SUCCEEDED
    other = await tells(house, "e2", "250.00")
    assert "earlier event with the same business key" in assert_stopped(house, other, "write")
    assert (await tells(house, "e3"))["state"] == RunState.SUCCEEDED
    assert output(house, newest(house)) == {"id": "doc_1"}
    # Who only orders it again gets no further, whichever of them.
    for start in (START, FAILURE):
        await house.run_orders.replay(other["id"], actor=ADA, start=start)
        await house.settled()
        other = next(each for each in kept(house, tables.runs) if each.replay_of == other["id"])._asdict()
        assert_stopped(house, other, "write")
    assert values(hut) == ["100.00"]
    await house.stop()


@pytest.mark.parametrize("kind", ["native", "upsert"])
async def test_what_a_person_orders_once_more_answers_from_then_on(tmp_path: Path, kind: str) -> None:
    hut = hut_of(tmp_path, write(kind))
    house = await hut.open()
    await tells(house, "e1")
    other = await tells(house, "e2", "250.00")
    assert (await anew(house, other))["state"] == RunState.SUCCEEDED
    assert values(hut) == (["250.00"] if kind == "upsert" else ["100.00", "250.00"])
    last = hut.vendor.documents[-1]["id"]
    again = await tells(house, "e3", "250.00")
    assert (again["state"], output(house, again)) == (RunState.SUCCEEDED, {"id": last})
    assert_stopped(house, await tells(house, "e4", "100.00"), "write")
    assert hut.vendor.documents[-1]["value"] == "250.00"
    await house.stop()


async def test_a_later_event_is_given_the_newest_document(tmp_path: Path) -> None:
    hut = hut_of(tmp_path, write("probe") + CALLS_IT + TELLS)
    house = await hut.open()
    first = await tells(house, "e1")
    assert (await anew(house, first))["state"] == RunState.SUCCEEDED
    made = len(hut.vendor.documents)
    later = await tells(house, "e2")
    assert later["state"] == RunState.SUCCEEDED
    marks = [document["id"] for document in hut.vendor.documents if document["kind"] == "probe"]
    assert len(marks) == 2
    assert output(house, later) == {"id": marks[1]}
    # So are what was told and what was called: the newer of both.
    (newer,) = (each for each in kept(house, tables.runs) if each.flow == "tested" and each.generation == 1)
    for path in ("sub", "told"):
        told = [step for step in kept(house, tables.steps) if step.run_id == newer.id and step.path == path]
        assert told[0].output is None or output(house, later, path) == exact_json.loads(told[0].output)
    assert len(hut.vendor.documents) == made
    await house.stop()


async def test_what_was_only_written_when_it_was_ordered_once_more_is_not_written_beside_that(tmp_path: Path) -> None:
    """The step had failed at first, or had not been reached: under the first key there is nothing of it."""
    hut = hut_of(tmp_path, write() + SECOND)
    house = await hut.open()
    first = await tells(house, "e1", second="bad")
    assert first["state"] == RunState.PARKED
    hut.vendor.forgiving = True
    assert (await anew(house, first))["state"] == RunState.SUCCEEDED
    before = list(values(hut))
    assert before == ["100.00", "100.00", "bad"]
    assert (await tells(house, "e2", second="bad"))["state"] == RunState.SUCCEEDED
    assert output(house, newest(house)) == {"id": "doc_2"}
    assert values(hut) == before
    await house.stop()


async def test_a_newer_one_that_was_refused_is_made_under_its_own_key(tmp_path: Path) -> None:
    """So the run that was to make it finds it made, and makes no second."""
    hut = hut_of(tmp_path, write() + SECOND)
    house = await hut.open()
    first = await tells(house, "e1", second="bad")
    parked = await anew(house, first)
    assert parked["state"] == RunState.PARKED
    hut.vendor.forgiving = True
    assert (await tells(house, "e2", second="bad"))["state"] == RunState.SUCCEEDED
    await house.run_orders.replay(parked["id"], actor=ADA)
    await house.settled()
    assert values(hut) == ["100.00", "100.00", "bad"]
    await house.stop()


async def test_a_newer_one_of_unknown_outcome_is_found_out_and_not_gone_past(tmp_path: Path) -> None:
    hut = hut_of(tmp_path, write("unsafe"))
    house = await hut.open()
    first = await tells(house, "e1")
    hut.vendor.fault = lambda request, _number: "lost-after" if request.url.endswith("unsafe") else None
    assert (await anew(house, first))["reason"] == "outcome-unknown"
    hut.vendor.fault = lambda _request, _number: None
    assert (await tells(house, "e2"))["reason"] == "outcome-unknown"
    assert len(hut.vendor.documents) == 2
    await house.stop()


async def test_what_was_taken_back_and_written_anew_answers_with_the_new_one(tmp_path: Path) -> None:
    hut = hut_of(tmp_path, write())
    house = await hut.open()
    first = await tells(house, "e1")
    await house.run_orders.take_back(first["id"], actor=ADA, reason=WHY)
    await house.settled()
    assert (await tells(house, "e2", "250.00"))["reason"] == "taken-back"
    assert (await anew(house, newest(house)))["state"] == RunState.SUCCEEDED
    assert output(house, await tells(house, "e3", "250.00")) == {"id": hut.vendor.documents[-1]["id"]}
    assert (len(hut.vendor.documents), len(reversals(hut.vendor))) == (3, 1)
    await house.stop()


async def test_a_second_event_with_another_content_is_not_told_for_told(tmp_path: Path) -> None:
    hut = hut_of(tmp_path, TELLS)
    house = await hut.open()
    await tells(house, "e1")
    assert (await tells(house, "e2"))["state"] == RunState.SUCCEEDED
    other = await tells(house, "e3", "250.00")
    assert_stopped(house, other, "told")
    assert (await anew(house, other))["state"] == RunState.SUCCEEDED
    told = [each.data for each in kept(house, tables.events) if each.type == "concord.thing.changed"]
    assert [exact_json.loads(data)["record"]["value"] for data in told] == ["100.00", "250.00"]
    with pytest.raises(Conflict):
        # What was not stopped so has nothing that could be told once more.
        await anew(house, newest(house))
    await house.stop()


async def test_a_flow_that_another_run_has_called_with_another_record_is_not_taken_for_this_ones(
    tmp_path: Path,
) -> None:
    hut = hut_of(tmp_path, CALLS_IT)
    house = await hut.open()
    await tells(house, "e1")
    assert (await tells(house, "e2"))["state"] == RunState.SUCCEEDED
    assert_stopped(house, await tells(house, "e3", "250.00"), "sub")
    assert values(hut) == ["100.00"]
    await house.stop()


@pytest.mark.parametrize(("steps", "path"), [(TELLS, "told"), (CALLS_IT, "sub")])
async def test_of_two_at_the_same_moment_one_is_first_and_the_other_is_compared(
    tmp_path: Path, steps: str, path: str
) -> None:
    hut = hut_of(tmp_path, "  - id: pause\n    wait: { for: PT1M }\n" + steps)
    house = await hut.open()
    values = [f"{number}.00" for number in range(4)]
    for number, value in enumerate(values):
        await house.give({"id": f"e{number}", "thing": "INV1", "value": value})
    await house.settled(waiting=["timer"])
    hut.clock.leap(timedelta(minutes=2))
    house.worker.wake()
    assert await house.settled() == {"parked": 3, "succeeded": 1}
    assert {(case.reason, case.path) for case in exceptions(house)} == {("written-differently", path)}
    await house.stop()


async def test_an_edited_run_of_a_called_flow_answers_for_who_would_call_it_so(tmp_path: Path) -> None:
    hut = hut_of(tmp_path, CALLS_IT)
    house = await hut.open()
    await tells(house, "e1")
    (child,) = [each for each in kept(house, tables.runs) if each.flow == "called"]
    record = {"id": "INV1", "value": "250.00"}
    await house.run_orders.replay(child.id, actor=ADA, reason=WHY, record=record)
    edited = await until(house, "called", RunState.PARKED)
    assert edited["reason"] == "written-differently"
    with house.database.reading() as connection:
        confirmed = [row["key"] for row in written(connection, edited)]
    await house.run_orders.replay(edited["id"], actor=ADA, reason=WHY, confirmed=confirmed)
    await until(house, "called", RunState.SUCCEEDED)
    assert (await tells(house, "e2", "250.00"))["state"] == RunState.SUCCEEDED
    assert values(hut) == ["100.00", "250.00"]
    await house.stop()


@pytest.mark.parametrize("steps", [LINES, MANY])
async def test_an_item_with_another_amount_stops_the_run(tmp_path: Path, steps: str) -> None:
    hut = hut_of(tmp_path, steps)
    house = await hut.open()
    items = [{"id": "1", "value": "10"}, {"id": "2", "value": "20"}]
    await tells(house, "e1", lines=items)
    assert (await tells(house, "e2", lines=items))["state"] == RunState.SUCCEEDED
    other = await tells(house, "e3", lines=[items[0], {**items[1], "value": "21"}])
    assert (other["state"], other["reason"]) == (RunState.PARKED, "written-differently")
    assert values(hut) == ["10", "20"]
    await house.stop()


@pytest.mark.parametrize("kind", list(Idempotency))
async def test_items_of_one_request_are_compared_one_by_one_and_the_newest_answers(
    tmp_path: Path, kind: Idempotency
) -> None:
    text = FLOW.format(operation=f"{kind}.bulk", failures="park").replace("data.id", "data.thing")
    more = {"mappings__vendor__line.yaml": LINE, "mappings__vendor__told.yaml": TOLD}
    target = Target()
    async with target.serving(), living(tmp_path, target, bundle_for(connector, text, **FILES, **more)) as house:
        for number, changed in enumerate([{}, {}, {"l3": "another"}], start=1):
            event = {"id": f"e{number}", "key": f"e{number}", "thing": "a", "lines": lines(8, **changed)}
            await house.give(event)
            await finished(house)
        assert bulk_documents(target) == sorted(f"l{number}" for number in range(8))
        other = newest(house)
        assert (other["state"], other["reason"]) == (RunState.PARKED, "written-differently")
        assert (await anew(house, other))["state"] == RunState.SUCCEEDED
        made = len(target.documents)
        await house.give({"id": "e4", "key": "e4", "thing": "a", "lines": lines(8, l3="another")})
        await finished(house)
        last = newest(house)
        assert last["state"] == RunState.SUCCEEDED
        with house.database.reading() as connection:
            rows = [row for row in stored.of_keys(connection, _keys(house)).values() if row["path"] == "posts[l3]"]
        assert len(target.documents) == made
        assert output(house, last, "posts[l3]") == exact_json.loads(
            max(rows, key=lambda row: row["generation"])["output"]
        )


def _keys(house: House) -> list[str]:
    return [row.key for row in kept(house, tables.effects)]


async def test_a_write_that_was_left_half_way_is_not_gone_on_with_for_another_event(tmp_path: Path) -> None:
    """What was found out is compared, also where the run that took it over could not find it out at once."""
    looks, refused = 0, 1000

    def fault(request: Request, _number: int) -> str | None:
        nonlocal looks
        if request.method == "POST":
            return "lost-after" if not hut.vendor.documents else None
        looks += 1
        return "lost-before" if looks < refused else None

    hut = hut_of(tmp_path, write("probe").replace("    retry: patient\n", ""), fault=fault)
    house = await hut.open()
    first = await tells(house, "e1")
    assert (first["state"], hut.vendor.documents[0]["value"]) == (RunState.PARKED, "100.00")
    refused = looks + 3
    other = await tells(house, "e2", "250.00")
    assert looks >= refused
    assert_stopped(house, other, "write")
    assert values(hut) == ["100.00"]
    # The one that it was written for finds it.
    await house.run_orders.replay(first["id"], actor=ADA)
    await house.settled()
    assert values(hut) == ["100.00"]
    assert sorted(each.state for each in kept(house, tables.runs) if each.replaced_by is None) == [
        "parked",
        "succeeded",
    ]
    await house.stop()


async def test_what_surely_was_not_written_is_written_with_what_the_later_event_says(tmp_path: Path) -> None:
    hut = hut_of(tmp_path, write("native"))
    house = await hut.open()
    assert (await tells(house, "e1", "bad"))["state"] == RunState.PARKED
    assert (await tells(house, "e2", "250.00"))["state"] == RunState.SUCCEEDED
    assert values(hut) == ["250.00"]
    await house.stop()
