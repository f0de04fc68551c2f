"""An order that a person gives in the very moment in which the hub decides for itself: the person's stands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hub.audit.kinds import AuditKind
from hub.model.exchange import Request, Response
from hub.model.run import RunState
from hub.sdk import exact_json
from hub.store import run_orders
from hub.store.committer import Work
from tests.engine.house import House
from tests.engine.test_children import EVENT, rows, until
from tests.engine.test_children import Hut as Family
from tests.engine.test_compensation import SAGA, reversals
from tests.engine.test_lanes import HEAD, Hut, exceptions, flow, state
from tests.engine.test_order_of_taking_back import Slow
from tests.engine.vendor import Vendor
from tests.operate.test_run_orders import entries

PERSON, WHY = "person:p_1", "not wanted"
ORDERS = {"cancel": run_orders.cancel, "undo": run_orders.take_back}


class Overheard(Vendor):
    """A vendor during whose answers to the requests of these numbers people's orders become durable."""

    def __init__(self, orders: dict[int, str], faults: dict[int, str] | None = None) -> None:
        """Begin without a house."""
        super().__init__(fault=lambda _request, number: (faults or {}).get(number))
        self.house: House | None = None
        self.orders = orders

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Serve one request after a person has ordered what belongs to it."""
        order = self.orders.pop(self.number + 1, None)
        if order is not None and self.house is not None:
            give = partial(ORDERS[order], run_id=state(self.house)["id"], actor=PERSON, reason=WHY)
            await self.house.committer.commit(Work(give))
        return await super().send(request, headers, timeout)


async def gone(directory: Path, flow: str, vendor: Overheard) -> House:
    """Let one run go through."""
    hut = Hut(directory, flow)
    hut.vendor = vendor
    house = vendor.house = await hut.open()
    await house.give({"id": "a", "key": "k", "value": "1"})
    await house.settled()
    assert not vendor.orders
    return house


@pytest.mark.parametrize(("order", "end", "back"), [("cancel", "cancelled", 0), ("undo", "compensated", 2)])
async def test_what_a_person_orders_stands_over_the_turning_back_of_a_run_that_fails(
    tmp_path: Path, order: str, end: str, back: int
) -> None:
    vendor = Overheard({3: order})
    house = await gone(tmp_path, flow(SAGA, HEAD + "on_failure: compensate\n"), vendor)
    run = state(house)
    assert (run["state"], len(reversals(vendor))) == (end, back)
    said = exact_json.loads(run["stopping_order"])
    assert (said["actor"], said["reason"]) == (PERSON, WHY)
    assert entries(house, AuditKind.RUN_TURNED_BACK) == []
    assert [entry["actor"] for entry in entries(house, AuditKind.RUN_STOPPING)] == [PERSON]
    # Why the run failed is not lost, though nobody needs to be called.
    with house.database.reading() as connection:
        failed = connection.exec_driver_sql("select path from steps where state = 'failed'").scalars().all()
    assert (failed, exceptions(house)) == (["third"], ())
    await house.stop()


async def test_who_changes_an_end_into_a_taking_back_is_heard_while_the_run_ends(tmp_path: Path) -> None:
    """Between the two orders the run finds out what became of its write."""
    vendor = Overheard({2: "cancel", 3: "undo"}, {2: "lost-after"})
    house = await gone(tmp_path, flow(SAGA.replace("upsert.write", "probe.write")), vendor)
    made = [document["id"] for document in vendor.documents if document["key"] == "a"]
    assert (state(house)["state"], reversals(vendor)) == (RunState.COMPENSATED, made[::-1])
    assert [entry["facts"]["how"] for entry in entries(house, AuditKind.RUN_STOPPING)] == ["cancel", "compensate"]
    await house.stop()


async def caller_taken_back(house: House) -> None:
    await house.run_orders.take_back(state(house)["id"], actor="person:p_2", reason="wrong customer")


async def test_a_called_flow_keeps_the_order_that_a_person_gave_it_in_the_same_moment(tmp_path: Path) -> None:
    """Its caller, which is taken back, does not overrule who ends it."""
    hut = Family(tmp_path)
    hut.vendor = vendor = Slow()
    house = await hut.open()
    original, ordered = house.committer.commit, False

    async def commit(write: Any) -> Any:
        nonlocal ordered
        if isinstance(write, Work) and state(house)["state"] == RunState.COMPENSATING and not ordered:
            ordered = True
            called = rows(house, "called")[0]["id"]
            await original(Work(lambda tx: run_orders.cancel(tx, called, actor=PERSON, reason=WHY)))
        return await original(write)

    await house.give(EVENT)
    await vendor.asked.wait()
    await until(house, "tested", RunState.WAITING)
    house.committer.commit = commit  # type: ignore[method-assign]
    await caller_taken_back(house)
    while not ordered:
        await asyncio.sleep(0.005)
    await until(house, "tested", RunState.WAITING)
    assert rows(house, "called")[0]["stopping"] == "cancel"
    vendor.goes.set()
    await house.settled()
    await house.stop()


async def test_a_called_flow_that_came_to_its_end_before_it_heard_is_taken_back_with_its_caller(tmp_path: Path) -> None:
    """The order to end, which came too late, is no reason to wait for ever."""
    hut = Family(tmp_path)
    hut.vendor = vendor = Slow()
    house = await hut.open()
    await house.give(EVENT)
    await vendor.asked.wait()
    await house.run_orders.cancel(rows(house, "called")[0]["id"], actor=PERSON, reason=WHY)
    vendor.goes.set()
    await until(house, "tested", RunState.SUCCEEDED)
    assert rows(house, "called")[0]["stopping"] == "cancel"
    await caller_taken_back(house)
    assert await house.settled() == {"compensated": 1}
    assert rows(house, "called")[0]["state"] == RunState.COMPENSATED
    await house.stop()


@pytest.mark.parametrize(("value", "end"), [("1", AuditKind.RUN_SUCCEEDED), ("bad", AuditKind.RUN_PARKED)])
async def test_an_end_that_a_person_prevented_is_not_audited(tmp_path: Path, value: str, end: AuditKind) -> None:
    first, third = SAGA.partition("  - id: second")[0], "  - id: third" + SAGA.partition("  - id: third")[2]
    house = await gone(tmp_path, flow(first + third.replace("'bad'", f"'{value}'")), Overheard({2: "undo"}))
    assert state(house)["state"] == RunState.COMPENSATED
    assert entries(house, end, AuditKind.CASE_OPENED) == []
    assert [entry["actor"] for entry in entries(house, AuditKind.RUN_COMPENSATED)] == ["worker_test"]
    await house.stop()
