"""Ending a run and having it taken back: at once where nothing is in doubt, else as soon as it is known."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, FixData, NotFound
from hub.model.effect import EffectState, Idempotency
from hub.model.hold import HoldKind
from hub.model.run import RunState
from hub.operate.holds import Held
from hub.queries import cases, holds
from hub.queries.view import View
from hub.sdk import exact_json
from hub.store.tables import audit, effects, runs
from tests.engine.house import House, bundle
from tests.engine.test_children import EVENT, WORKSPACE
from tests.engine.test_children import PARENT as CALLER
from tests.engine.test_held_by_people import Slow, vendor_of
from tests.engine.test_once import FILES, ONE_WRITE, one_write, things
from tests.engine.vendor import Vendor

ADA, OLU = "person:p_ada", "person:p_olu"
PATIENT = "policy: patient\nkind: retry\nfirst: 3600\nceiling: 3600\njitter: 0\n"
WHY = "It was the wrong invoice"


def saga(undo: str = "thing.reverse") -> Any:
    """Compile a flow whose one write can be taken back."""
    flow = ONE_WRITE.format(kind="native").replace("retry: patient", f"undo: {undo}\n    retry: patient")
    return bundle(flow, **FILES)


async def opened(tmp_path: Path, compiled: Any, vendor: Vendor | None = None) -> House:
    house = House(tmp_path, vendor or Vendor(), compiled)
    await house.start()
    return house


def rows(house: House, table: Any = runs) -> list[Any]:
    with house.database.reading() as connection:
        return list(connection.execute(select(table).order_by(table.c.created_at)))


def entries(house: House, *kinds: AuditKind) -> list[Any]:
    with house.database.reading() as connection:
        found = connection.execute(select(audit.c.entry).where(audit.c.kind.in_(kinds)).order_by(audit.c.sequence))
        return [exact_json.loads(entry) for entry in found.scalars()]


def open_cases(house: House) -> tuple[cases.CaseRow, ...]:
    return cases.listing(View(environment="test", database=house.database, ambient=house.ambient)).cases


async def test_a_run_that_only_waits_ends_at_once_and_once(tmp_path: Path) -> None:
    vendor = Vendor(fault=lambda request, number: "refused-connection")
    flow = bundle(ONE_WRITE.format(kind="native"), **FILES, **{"policies__patient.yaml": PATIENT})
    house = await opened(tmp_path, flow, vendor)
    await house.give(*things(2, keys=1))
    await house.settled(waiting=["timer"], behind=True)
    first, second = rows(house)
    for _ in range(2):
        assert await house.run_orders.cancel(first.id, actor=ADA, reason=WHY) is RunState.CANCELLED
    (entry,) = entries(house, AuditKind.RUN_CANCELLED)
    assert (entry["actor"], entry["subjects"]) == (ADA, {"run": first.id}) and WHY not in str(entry)
    # The next one of its key is let go.
    await house.settled(waiting=["timer"])
    assert {run.id: run.state for run in rows(house)} == {first.id: "cancelled", second.id: "waiting"}
    assert exact_json.loads(rows(house)[0].stopping_order)["reason"] == WHY
    await house.stop()


async def test_a_run_in_hand_ends_once_its_write_is_known(tmp_path: Path) -> None:
    vendor = Slow()
    house = await opened(tmp_path, one_write(Idempotency.NATIVE), vendor)
    await house.give(*things(1))
    await vendor.reached.wait()
    (run,) = rows(house)
    for _ in range(2):
        assert await house.run_orders.cancel(run.id, actor=ADA, reason=WHY) is RunState.RUNNING
    assert len(entries(house, AuditKind.RUN_STOPPING)) == 1
    vendor.answer.set()
    # It had nothing left to do when it heard of it.
    assert await house.settled() == {"succeeded": 1}
    await house.stop()


@pytest.mark.parametrize(
    ("kind", "fault"), [("probe", "lost-after"), ("probe", "lost-before"), ("native", "lost-after")]
)
async def test_an_unknown_write_is_found_out_before_the_end(tmp_path: Path, kind: str, fault: str) -> None:
    vendor = Vendor(fault=lambda request, number: fault if number == 1 else None)
    flow = bundle(ONE_WRITE.format(kind=kind), **FILES, **{"policies__patient.yaml": PATIENT})
    house = await opened(tmp_path, flow, vendor)
    await house.give(*things(1))
    await house.settled(waiting=["timer"])
    (run,) = rows(house)
    assert await house.run_orders.cancel(run.id, actor=ADA, reason=WHY) is RunState.QUEUED
    assert await house.settled() == {"cancelled": 1}
    (effect,) = rows(house, effects)
    done = fault == "lost-after"
    assert effect.state == (EffectState.DONE if done else EffectState.FAILED)
    assert len(vendor.documents) == (1 if done else 0)
    assert open_cases(house) == ()
    await house.stop()


async def test_a_write_that_only_a_person_can_settle_is_settled_first(tmp_path: Path) -> None:
    vendor = Vendor(fault=lambda request, number: "lost-after")
    house = await opened(tmp_path, one_write(Idempotency.UNSAFE), vendor)
    await house.give(*things(1))
    assert await house.settled() == {"parked": 1}
    (run,), (effect,) = rows(house), rows(house, effects)
    for order in (house.run_orders.cancel, house.run_orders.take_back):
        with pytest.raises(Conflict) as caught:
            await order(run.id, actor=ADA, reason=WHY)
        assert (caught.value.code, caught.value.facts["effect"]) == ("outcome-unknown", effect.key)
    await house.stop()


async def test_what_was_done_is_taken_back_also_of_a_run_at_its_end(tmp_path: Path) -> None:
    house = await opened(tmp_path, saga())
    await house.give(*things(1))
    assert await house.settled() == {"succeeded": 1}
    (run,) = rows(house)
    assert await house.run_orders.take_back(run.id, actor=ADA, reason=WHY) is RunState.QUEUED
    assert await house.settled() == {"compensated": 1}
    assert [document["value"] for document in vendor_of(house).documents] == ["0", "reversed"]
    assert await house.run_orders.take_back(run.id, actor=ADA, reason=WHY) is RunState.COMPENSATED
    assert len(entries(house, AuditKind.RUN_STOPPING)) == 1
    with pytest.raises(Conflict, match="come to its end"):
        await house.run_orders.cancel(run.id, actor=ADA, reason=WHY)
    # Its writes are there and reversed: to post again is a new effect, and a plain replay is refused.
    with pytest.raises(Conflict) as caught:
        await house.run_orders.replay(run.id, actor=ADA)
    assert caught.value.code == "taken-back"
    await house.stop()


async def test_a_run_that_has_done_nothing_is_cancelled_when_it_is_to_be_taken_back(tmp_path: Path) -> None:
    house = await opened(tmp_path, saga())
    flow = Held(kind=HoldKind.FLOW, name="tested")
    await house.hold_orders.hold(flow, reason=WHY, actor=OLU)
    await house.give(*things(1))
    await house.settled(waiting=["hold"])
    (run,) = rows(house)
    assert await house.run_orders.take_back(run.id, actor=ADA, reason=WHY) is RunState.CANCELLED
    assert vendor_of(house).documents == []
    await house.stop()


async def test_an_order_ends_the_runs_own_hold(tmp_path: Path) -> None:
    vendor = Slow(fault=lambda request, number: "lost-before" if number == 1 else None)
    house = await opened(tmp_path, one_write(Idempotency.PROBE), vendor)
    await house.give(*things(1))
    await vendor.reached.wait()
    (run,) = rows(house)
    await house.hold_orders.hold(Held(kind=HoldKind.RUN, name=run.id), reason=WHY, actor=OLU)
    vendor.answer.set()
    await house.settled(waiting=["hold"])
    await house.run_orders.cancel(run.id, actor=ADA, reason=WHY)
    assert await house.settled() == {"cancelled": 1}
    view = View(environment="test", database=house.database, ambient=house.ambient)
    assert holds.listing(view).holds == ()
    await house.stop()


async def both(house: House, *states: str) -> None:
    """Wait until the caller and what it has called are in these states."""
    async with asyncio.timeout(10):
        while [run.state for run in rows(house)] != [*states]:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("order", "states"), [("cancel", "cancelled succeeded"), ("take_back", "compensated compensated")]
)
async def test_a_called_flow_in_hand_hears_of_it_too(tmp_path: Path, order: str, states: str) -> None:
    """What it had on its way is recorded; it is taken back where that was ordered."""
    vendor = Slow()
    house = await opened(tmp_path, bundle(CALLER, **WORKSPACE), vendor)
    await house.give(EVENT)
    await vendor.reached.wait()
    await both(house, "waiting", "running")
    parent, _child = rows(house)
    await getattr(house.run_orders, order)(parent.id, actor=ADA, reason=WHY)
    vendor.answer.set()
    await both(house, *states.split())
    assert [effect.state for effect in rows(house, effects)] == ["done"] * (1 if order == "cancel" else 2)
    await house.stop()


async def test_a_called_flow_that_waits_is_cancelled_with_who_called_it(tmp_path: Path) -> None:
    vendor = Vendor(fault=lambda request, number: "refused-connection")
    house = await opened(tmp_path, bundle(CALLER, **WORKSPACE, **{"policies__patient.yaml": PATIENT}), vendor)
    await house.give(EVENT)
    await both(house, "waiting", "waiting")
    parent, child = rows(house)
    await house.run_orders.cancel(parent.id, actor=ADA, reason=WHY)
    await both(house, "cancelled", "cancelled")
    assert [entry["subjects"]["run"] for entry in entries(house, AuditKind.RUN_CANCELLED)] == [parent.id, child.id]
    await house.stop()


async def test_orders_without_a_reason_or_a_run_are_refused(tmp_path: Path) -> None:
    house = await opened(tmp_path, one_write(Idempotency.NATIVE))
    await house.give(*things(1))
    assert await house.settled() == {"succeeded": 1}
    (run,) = rows(house)
    for order in (house.run_orders.cancel, house.run_orders.take_back):
        with pytest.raises(FixData):
            await order(run.id, actor=ADA, reason=" ")
        with pytest.raises(NotFound):
            await order("run_nope", actor=ADA, reason=WHY)
    await house.stop()
