"""What was taken back is never believed to stand: whoever orders it once more gets it made anew, under a new key."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hub.errors import Conflict
from hub.model.exchange import Request
from hub.model.run import RunState
from hub.operate.runs import FAILURE, START, From
from hub.sdk import exact_json
from hub.store.replays import written
from tests.engine.house import House, bundle
from tests.engine.test_children import EVENT, PARENT, WORKSPACE, kinds, rows, until
from tests.engine.test_children import Hut as Calling
from tests.engine.test_compensation import ITEM_SAGA, SAGA, reversals
from tests.engine.test_lanes import HEAD, Hut, exceptions, flow, of_lines, once, state

ADA = "person:p_ada"
WHY = "the customer asked for it"


def made(hut: Hut | Calling, kind: str) -> Counter[str]:
    """Count what the vendor was made to write, by key."""
    return Counter(
        document["key"]
        for document in hut.vendor.documents
        if (document["kind"], document["value"] == "reversed") == (kind, False)
    )


def latest(house: House) -> dict[str, Any]:
    with house.database.reading() as connection:
        row = connection.exec_driver_sql("select * from runs where replaced_by is null and flow = 'tested'").one()
        return dict(row._mapping)


def confirmable(house: House, run: dict[str, Any]) -> list[str]:
    with house.database.reading() as connection:
        return [row["key"] for row in written(connection, run)]


@pytest.mark.parametrize("start", [START, FAILURE, From(step="lines[l4].first"), From(step="lines[l4]")])
async def test_an_item_that_took_back_what_it_did_is_made_anew_and_the_others_are_not(
    tmp_path: Path, start: From
) -> None:
    hut = Hut(tmp_path, ITEM_SAGA)
    house = await once(hut, of_lines(6, 4))
    first = state(house)
    assert (made(hut, "native")["l4"], made(hut, "probe")["l4"], len(reversals(hut.vendor))) == (1, 0, 1)
    await house.run_orders.replay(first["id"], actor=ADA, start=start, record=of_lines(6), reason=WHY)
    await house.settled()
    assert latest(house)["state"] == RunState.SUCCEEDED
    # The first one of the item does not stand: it was reversed.
    assert made(hut, "native") == {**{f"l{number}": 1 for number in range(6)}, "l4": 2}
    assert made(hut, "probe") == {f"l{number}": 1 for number in range(6)}
    # What was made anew is recognised from then on, and is what is taken back.
    await house.run_orders.replay(latest(house)["id"], actor=ADA)
    await house.settled()
    assert made(hut, "native")["l4"] == 2
    await house.run_orders.take_back(latest(house)["id"], actor=ADA, reason=WHY)
    await house.settled()
    assert latest(house)["state"] == RunState.COMPENSATED
    assert len(set(reversals(hut.vendor))) == len(reversals(hut.vendor)) == 7
    await house.stop()


async def test_a_step_behind_what_was_taken_back_is_no_beginning(tmp_path: Path) -> None:
    hut = Hut(tmp_path, ITEM_SAGA)
    house = await once(hut, of_lines(6, 4))
    with pytest.raises(Conflict, match=r"was taken back\. Replay from there") as refused:
        await house.run_orders.replay(state(house)["id"], actor=ADA, start=From(step="lines[l4].second"))
    assert refused.value.facts["steps"] == "lines[l4].first"
    await house.stop()


async def test_all_that_was_taken_back_is_made_anew_from_the_start_only_and_as_often_as_it_is_ordered(
    tmp_path: Path,
) -> None:
    hut = Hut(tmp_path, flow(SAGA, HEAD + "on_failure: park\n"))
    house = await once(hut, {"id": "a", "key": "k", "value": "1"})
    await house.run_orders.take_back(state(house)["id"], actor=ADA, reason=WHY)
    assert await house.settled() == {"compensated": 1}
    run = latest(house)
    keys = confirmable(house, run)
    for start in (FAILURE, From(step="third"), From(step="first")):
        with pytest.raises(Conflict, match="new effect"):
            await house.run_orders.replay(run["id"], actor=ADA, start=start)
        with pytest.raises(Conflict, match="Replay it from the start"):
            await house.run_orders.replay(run["id"], actor=ADA, start=start, confirmed=keys, reason=WHY)
    with pytest.raises(Conflict, match="new effect"):
        await house.run_orders.replay(run["id"], actor=ADA)
    await house.run_orders.replay(run["id"], actor=ADA, confirmed=keys, reason=WHY)
    assert await house.settled() == {"parked": 1}
    assert (made(hut, "native")["a"], hut.vendor.seen["upsert"]) == (2, 2)
    # It parked anew; what the first run did and took back keeps nobody from replaying it.
    for start in (FAILURE, START):
        await house.run_orders.replay(latest(house)["id"], actor=ADA, start=start)
        assert await house.settled() == {"parked": 1}
    assert (made(hut, "native")["a"], hut.vendor.seen["upsert"]) == (2, 2)
    await house.stop()


async def test_a_new_event_about_what_was_taken_back_stops_for_a_person(tmp_path: Path) -> None:
    """Nobody has ordered it once more; and the old effects do not answer for it."""
    two = SAGA.partition("  - id: third")[0]
    hut = Hut(tmp_path, flow(two, HEAD.replace("business_key: data.id", "business_key: data.key")))
    house = await once(hut, {"id": "a", "key": "k", "value": "1"})
    await house.run_orders.take_back(state(house)["id"], actor=ADA, reason=WHY)
    await house.settled()
    await house.give({"id": "b", "key": "k", "value": "2"})
    assert await house.settled() == {"compensated": 1, "parked": 1}
    (case,) = exceptions(house)
    assert (case.reason, case.path) == ("taken-back", "first")
    assert made(hut, "native") == {"a": 1}
    # Whoever orders it confirms all that was written about it, also by the run before.
    with house.database.reading() as connection:
        row = connection.exec_driver_sql("select * from runs where state = 'parked'").one()
    run = dict(row._mapping)
    assert len(confirmable(house, run)) == 2
    await house.run_orders.replay(run["id"], actor=ADA, confirmed=confirmable(house, run), reason=WHY)
    assert await house.settled() == {"compensated": 1, "succeeded": 1}
    assert made(hut, "native") == {"a": 1, "b": 1}
    await house.stop()


@pytest.mark.parametrize("start", [START, FAILURE])
async def test_a_called_flow_that_was_taken_back_does_not_answer_for_its_caller(tmp_path: Path, start: From) -> None:
    hut = Calling(tmp_path)
    house = await hut.open()
    await house.give(EVENT)
    parent = await until(house, "tested", RunState.SUCCEEDED)
    (child,) = rows(house, "called")
    await house.run_orders.take_back(child["id"], actor=ADA, reason=WHY)
    await until(house, "called", RunState.COMPENSATED)
    with pytest.raises(Conflict, match=r"was taken back\. Replay from there"):
        await house.run_orders.replay(parent["id"], actor=ADA, start=From(step="after"))
    await house.run_orders.replay(parent["id"], actor=ADA, start=start)
    parent = await until(house, "tested", RunState.PARKED)
    (case,) = exceptions(house)
    assert (case.reason, case.path) == ("child-taken-back", "child")
    # Once the called flow was ordered once more, its caller goes on with what that has made.
    await house.run_orders.replay(
        child["id"], actor=ADA, confirmed=confirmable(house, dict(rows(house, "called")[-1])), reason=WHY
    )
    await until(house, "called", RunState.SUCCEEDED)
    await house.run_orders.replay(parent["id"], actor=ADA, start=FAILURE)
    await until(house, "tested", RunState.SUCCEEDED)
    assert made(hut, "probe")["a"] == 2
    assert made(hut, "native")["after"] == 1
    await house.stop()


async def test_a_caller_that_was_taken_back_calls_anew(tmp_path: Path) -> None:
    """The called run has a new generation too: its old writes do not stand either."""
    hut = Calling(tmp_path)
    house = await hut.open()
    await house.give(EVENT)
    parent = await until(house, "tested", RunState.SUCCEEDED)
    before = kinds(hut.vendor)
    await house.run_orders.take_back(parent["id"], actor=ADA, reason=WHY)
    await until(house, "tested", RunState.COMPENSATED)
    # Who ordered it knows.
    assert exceptions(house) == ()
    assert len(reversals(hut.vendor)) == 2
    await house.run_orders.replay(parent["id"], actor=ADA, confirmed=confirmable(house, latest(house)), reason=WHY)
    await until(house, "tested", RunState.SUCCEEDED)
    assert made(hut, "probe")["a"] == made(hut, "native")["after"] == 2
    assert {row["generation"] for row in rows(house, "called")} == {0, 1}
    assert before == sorted(set(before))
    await house.stop()


async def test_that_an_item_takes_back_what_it_did_is_durable_before_anything_is(tmp_path: Path) -> None:
    """Otherwise one that is interrupted there could go on with its next step, as if the first still stood."""
    seen: list[dict[str, Any]] = []

    def fault(request: Request, _number: int) -> str | None:
        if b"reversed" in request.body:
            with house.database.reading() as connection:
                row = connection.exec_driver_sql("select state, error from steps where path = 'lines[l4]'").one()
            seen.append({"state": row.state, "back": exact_json.loads(row.error)["back"]})
        return None

    hut = Hut(tmp_path, ITEM_SAGA, fault=fault)
    house = await hut.open()
    await house.give(of_lines(6, 4))
    await house.settled()
    assert seen == [{"state": "waiting", "back": exact_json.loads(item_error(house))["code"]}]
    await house.stop()


def item_error(house: House) -> str:
    with house.database.reading() as connection:
        return str(connection.exec_driver_sql("select error from steps where path = 'lines[l4]'").scalar_one())


async def test_a_called_flow_goes_with_its_caller_and_one_exception_tells_of_both(tmp_path: Path) -> None:
    hut = Calling(tmp_path)
    failing = PARENT.replace("steps:", "on_failure: compensate\nsteps:", 1)
    failing = failing.replace("{id: 'after', value: child.document}", "{id: 'after', value: 'bad'}")
    hut.bundle = bundle(failing, **WORKSPACE)
    house = await hut.open()
    await house.give(EVENT)
    await until(house, "tested", RunState.COMPENSATED)
    assert [child["state"] for child in rows(house, "called")] == [RunState.COMPENSATED]
    (case,) = exceptions(house)
    assert (case.flow, case.path) == ("tested", "after")
    await house.stop()
