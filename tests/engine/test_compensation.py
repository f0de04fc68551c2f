"""Compensation: what a run did is taken back in reverse order, once, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.model.exchange import Request
from hub.model.run import RunState, Stopping
from hub.sdk import exact_json
from hub.store import resuming, stopping
from hub.store.committer import Work
from tests.engine.house import House, loop
from tests.engine.test_lanes import HEAD, Hut, exceptions, flow, of_lines, once, state, told
from tests.engine.vendor import Vendor

SAGA = """
  - id: first
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
    undo: thing.reverse
    retry: patient
  - id: second
    call: { connection: vendor, operation: upsert.write, with: vendor/thing, of: data }
    undo: { operation: thing.reverse, by: =second.id }
    retry: patient
  - id: third
    call: { connection: vendor, operation: probe.write, with: vendor/thing, of: "{id: data.id, value: 'bad'}" }
    retry: patient
"""


def reversals(vendor: Vendor) -> list[str]:
    return [document["key"] for document in vendor.documents if document["value"] == "reversed"]


@pytest.mark.parametrize("faults", [None, "lost-after", "500-before"])
async def test_what_was_done_is_taken_back_in_reverse_order(tmp_path: Path, faults: str | None) -> None:
    chance = random.Random(7)

    def fault(_request: Request, _number: int) -> str | None:
        return faults if chance.random() < 0.4 else None

    money = "on_failure: compensate\nmoney: \"{minor: length(first.id), currency: 'EUR'}\"\n"
    hut = Hut(tmp_path, flow(SAGA, HEAD + money), fault=fault)
    house = await once(hut, {"id": "a", "key": "k", "value": "1"})
    assert state(house)["state"] == RunState.COMPENSATED
    made = {document["kind"]: document["id"] for document in hut.vendor.documents if document["key"] == "a"}
    assert reversals(hut.vendor) == [made["upsert"], made["native"]]
    assert [(case.reason, case.path) for case in exceptions(house)] == [("fix-data", "third")]
    assert state(house)["money_minor"] == len("doc_1")
    await house.stop()


async def test_a_compensation_that_is_killed_goes_on_and_takes_nothing_back_twice(tmp_path: Path) -> None:
    hut = Hut(tmp_path, flow(SAGA, HEAD + "on_failure: compensate\n"))
    for life in range(12):
        house = await hut.open()
        if life == 0:
            await house.give({"id": "a", "key": "k", "value": "1"})
        await asyncio.sleep(0.004 * life)
        await house.crash()
    house = await hut.open()
    await house.settled()
    assert state(house)["state"] == RunState.COMPENSATED
    assert len(reversals(hut.vendor)) == 2
    await house.stop()


CALM = flow("""
  - id: first
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
    undo: thing.reverse
  - id: pause
    wait: { for: PT1H }
  - id: second
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
    undo: thing.reverse
""")


async def stop(house: House, how: Stopping) -> None:
    order = {"actor": "person:p_1", "reason": "not wanted"}
    run_id = state(house)["id"]
    await house.committer.commit(Work(lambda tx: stopping.tell_to_stop(tx, run_id, how, order)))
    house.worker.wake()
    await house.settled()


@pytest.mark.parametrize(
    ("how", "end", "back"), [(Stopping.CANCEL, "cancelled", 0), (Stopping.COMPENSATE, "compensated", 1)]
)
async def test_a_waiting_run_ends_or_takes_back_when_it_is_told_to(
    tmp_path: Path, how: Stopping, end: str, back: int
) -> None:
    hut = Hut(tmp_path, CALM)
    house = await hut.open()
    await house.give({"id": "a", "key": "k", "value": "1"})
    await house.settled(waiting=["timer"])
    await stop(house, how)
    assert state(house)["state"] == end
    assert len(reversals(hut.vendor)) == back
    # Who ordered it needs no case to know of it.
    assert exceptions(house) == ()
    await house.stop()


async def test_who_has_a_working_run_taken_back_needs_no_exception_either(tmp_path: Path) -> None:
    """The worker hears of the order only when it is under way; it must still know whose order it was."""
    told_in: list[House] = []
    order = {"actor": "person:p_1", "reason": "not wanted"}

    def fault(_request: Request, number: int) -> str | None:
        if number == 1:
            (house,) = told_in
            run_id = state(house)["id"]
            house.committer.submit(Work(lambda tx: stopping.tell_to_stop(tx, run_id, Stopping.COMPENSATE, order)))
        return None

    pause = "  - id: pause\n    wait: { for: PT1H }\n"
    assert pause in CALM
    hut = Hut(tmp_path, CALM.replace(pause, ""), fault=fault)
    house = await hut.open()
    told_in.append(house)
    await house.give({"id": "a", "key": "k", "value": "1"})
    await house.settled()
    assert state(house)["state"] == RunState.COMPENSATED
    assert state(house)["reason"] == "not wanted"
    assert exceptions(house) == ()
    await house.stop()


@pytest.mark.parametrize("fault", ["lost-after", "lost-before"])
async def test_what_was_found_out_only_after_the_order_is_taken_back_by_its_own_answer(
    tmp_path: Path, fault: str
) -> None:
    """The undo reads what its call gave, which the run had not heard when it was told to stop."""
    told_in: list[House] = []
    steps = SAGA.replace("upsert.write", "probe.write").partition("  - id: third")[0]

    def told(_request: Request, number: int) -> str | None:
        if number != 2:
            return None
        (house,) = told_in
        order = {"actor": "person:p_1", "reason": "not wanted"}
        run_id = state(house)["id"]
        house.committer.submit(Work(lambda tx: stopping.tell_to_stop(tx, run_id, Stopping.COMPENSATE, order)))
        return fault

    hut = Hut(tmp_path, flow(steps), fault=told)
    house = await hut.open()
    told_in.append(house)
    await house.give({"id": "a", "key": "k", "value": "1"})
    await house.settled()
    assert state(house)["state"] == RunState.COMPENSATED
    made = [document["id"] for document in hut.vendor.documents if document["key"] == "a"]
    assert reversals(hut.vendor) == made[::-1]
    await house.stop()


PROBED = flow(
    """
  - id: first
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
    undo: { operation: probe.write, with: vendor/thing, of: data }
    retry: patient
  - id: second
    call: { connection: vendor, operation: native.write, with: vendor/thing, of: "{id: data.id, value: 'bad'}" }
    retry: patient
""",
    HEAD + "on_failure: compensate\n",
)


async def test_a_taking_back_that_was_found_not_to_have_happened_is_intended_anew(tmp_path: Path) -> None:
    """Once it is known that it failed, it is not unknown again without a new intent."""

    def fault(request: Request, _number: int) -> str | None:
        lost = request.url.endswith("/probe") and hut.vendor.seen["probe"] == 0 and not struck
        if lost:
            struck.append(True)
        return "500-before" if lost else None

    struck: list[bool] = []
    hut = Hut(tmp_path, PROBED, fault=fault)
    house = await once(hut, {"id": "a", "key": "k", "value": "1"})
    assert state(house)["state"] == RunState.COMPENSATED
    with house.database.reading() as connection:
        (key,) = connection.exec_driver_sql("select key from effects where path = 'undo:first'").scalars()
        entries = [exact_json.loads(row) for row in connection.exec_driver_sql("select entry from audit").scalars()]
    told = [entry["kind"] for entry in entries if entry["subjects"].get("effect") == key]
    assert told == ["effect.intended", "effect.unknown", "effect.resolved", "effect.intended", "effect.done"]
    await house.stop()


async def test_a_finished_run_can_be_taken_back(tmp_path: Path) -> None:
    hut = Hut(tmp_path, CALM.replace("PT1H", "PT1S"))
    house = await once(hut, {"id": "a", "key": "k", "value": "1"})
    assert state(house)["state"] == RunState.SUCCEEDED
    await stop(house, Stopping.COMPENSATE)
    assert len(reversals(hut.vendor)) == 2
    await house.stop()


ITEM = """
- id: first
  call: { connection: vendor, operation: native.write, with: vendor/thing, of: "{id: line.id, value: 'good'}" }
  undo: thing.reverse
  retry: patient
- id: second
  call: { connection: vendor, operation: probe.write, with: vendor/thing, of: line }
  on_failure: compensate
  retry: patient
"""
ITEM_SAGA = flow(loop(ITEM, concurrency=3, failures="continue"))


@pytest.mark.parametrize("crashes", [0, 8])
async def test_an_item_takes_back_what_it_did_and_the_others_stay(tmp_path: Path, crashes: int) -> None:
    chance = random.Random(3)
    hut = Hut(tmp_path, ITEM_SAGA, fault=lambda _request, _number: "500-before" if chance.random() < 0.2 else None)
    house = await hut.open()
    await house.give(of_lines(20, 4, 9))
    for _ in range(crashes):
        await asyncio.sleep(0.03)
        await house.crash()
        house = await hut.open()
    await house.settled()
    made = {document["key"]: document["id"] for document in hut.vendor.documents if document["kind"] == "native"}
    assert sorted(reversals(hut.vendor)) == sorted([made["l4"], made["l9"]])
    assert told(house)["lines"] == {"count": 20, "succeeded": 18, "failed": 2}
    await house.stop()


async def test_an_item_that_takes_back_what_it_did_names_what_stays(tmp_path: Path) -> None:
    for_good = ITEM.replace("  undo: thing.reverse\n", "")
    hut = Hut(tmp_path, flow(loop(for_good, concurrency=3, failures="park")))
    house = await once(hut, of_lines(6, 4))
    (case,) = exceptions(house)
    assert case.detail.endswith("Not taken back, because no way is given: lines[l4].first.")
    assert reversals(hut.vendor) == []
    await house.stop()


async def test_an_item_of_thousands_reads_only_what_it_did_itself_to_take_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    done_effects = resuming.done_effects

    def counted(*given: Any, **named: Any) -> Any:
        found = done_effects(*given, **named)
        read.append(len(found))
        return found

    monkeypatch.setattr(resuming, "done_effects", counted)
    hut = Hut(tmp_path, ITEM_SAGA)
    house = await once(hut, of_lines(40, 10, 39))
    assert read == [1, 1]
    assert len(reversals(hut.vendor)) == 2
    await house.stop()


ITEM_CHECKED = ITEM_SAGA.replace(
    "call: { connection: vendor, operation: probe.write, with: vendor/thing, of: line }",
    "map: vendor/thing\n          of: line\n          expect: { equal: [line.value, line.id], else: { case: not-ok } }",
).replace("          retry: patient\n", "")


async def test_an_item_that_fails_right_after_its_write_takes_it_back(tmp_path: Path) -> None:
    hut = Hut(tmp_path, ITEM_CHECKED)
    house = await once(hut, {"id": "a", "key": "k", "lines": [{"id": "l0", "value": "no"}]})
    assert len(reversals(hut.vendor)) == 1
    assert state(house)["state"] == "succeeded"
    await house.stop()


async def test_an_item_that_was_taken_back_does_not_go_on_when_others_do(tmp_path: Path) -> None:
    pause = "- id: pause\n  wait: { for: PT1H }\n"
    hut = Hut(tmp_path, flow(loop(ITEM + pause, failures="park")))
    house = await hut.open()
    await house.give(of_lines(3, 0))
    await house.settled(waiting=["timer"])
    assert len(reversals(hut.vendor)) == 1
    # From now on it would go through, on top of what was taken back.
    hut.vendor.forgiving = True
    hut.clock.leap(timedelta(hours=1))
    house.worker.wake()
    await house.settled()
    assert state(house)["state"] == "parked"
    made = [d for d in hut.vendor.documents if d["key"] == "l0"]
    assert [d["kind"] for d in made] == ["native"]
    await house.stop()
