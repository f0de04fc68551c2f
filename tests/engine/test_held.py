"""A hold policy keeps writes from going out: until its time, until another revision, through restarts and crashes."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hub.errors import Conflict
from hub.model.ambient import of_micros
from hub.model.effect import Idempotency
from hub.model.exchange import Request
from hub.queries import timeline
from hub.queries.view import View
from hub.sdk import exact_json
from hub.store import bundles, holds
from hub.store.committer import Work
from hub.store.tables import decisions, effects, runs
from tests.engine.house import FastClock, House, bundle
from tests.engine.test_once import FILES, ONE_WRITE, THREE_WRITES, _live, exceptions, things
from tests.engine.vendor import Vendor

GUARDED = "connection: vendor\nconnector: vendor\nhold: freeze\n"
FREEZE = """
policy: freeze
kind: hold
version: {version}
match: all
rules:
  - name: year end
    when: {when}
    then: {{ reason: Nothing is written while the books are closed{until} }}
"""


def guarded(when: str, until: str = "", version: int = 1, flow: str | None = None) -> Any:
    """Compile a flow whose writes are held under a condition."""
    policy = FREEZE.format(when=when, until=f", until: {until}" if until else "", version=version)
    files = {"connections__vendor.yaml": GUARDED, "policies__freeze.yaml": policy}
    return bundle(flow or ONE_WRITE.format(kind=Idempotency.UPSERT.value), **FILES, **files)


def rows(house: House, table: Any) -> list[Any]:
    """Read a table."""
    with house.database.reading() as connection:
        return list(connection.execute(select(table)))


async def test_nothing_goes_out_until_the_hold_ends(tmp_path: Path) -> None:
    """The run says who holds it and until when, through a restart; when the time has come it is written once."""
    vendor, clock = Vendor(), FastClock()
    compiled = guarded("now < '2026-01-01T06:00:00Z'", until="'2026-01-01T06:00:00Z'")
    house = House(tmp_path, vendor, compiled, clock=clock)
    await house.start()
    await house.give(*things(3))
    await house.settled(waiting=["hold"])
    assert vendor.bodies == {} and rows(house, effects) == []
    for run in rows(house, runs):
        assert (run.state, run.wait_kind) == ("waiting", "hold")
        assert run.reason == "year end: Nothing is written while the books are closed"
        assert str(of_micros(run.wait_until)) == "2026-01-01 06:00:00+00:00"
    await house.crash()

    house = House(tmp_path, vendor, compiled, clock=clock)
    await house.start()
    await asyncio.sleep(0.1)
    await house.settled(waiting=["hold"])
    assert vendor.bodies == {}
    clock.leap(timedelta(hours=7))
    house.worker.wake()
    assert await house.settled() == {"succeeded": 3}
    assert len(vendor.documents) == 3
    assert exceptions(house) == ()
    await house.stop()


async def test_every_answer_is_kept_and_shown(tmp_path: Path) -> None:
    """Once when it holds, however often it is asked, and once when it lets go."""
    vendor, clock = Vendor(), FastClock()
    compiled = guarded("input.value == '0' && today < '2026-01-02'", until="'2026-01-02'", version=4)
    house = House(tmp_path, vendor, compiled, clock=clock)
    await house.start()
    await house.give(*things(1))
    await house.settled(waiting=["hold"])
    (run,) = rows(house, runs)
    for _ in range(3):
        await house.run_orders.ask_again(run.id, actor="person:p_1")
        await house.settled(waiting=["hold"])
    clock.leap(timedelta(days=1))
    house.worker.wake()
    assert await house.settled() == {"succeeded": 1}
    held, free = rows(house, decisions)
    assert (held.policy, held.version, held.run_id, held.path) == ("freeze", 4, run.id, "write")
    assert (exact_json.loads(held.rules), exact_json.loads(free.rules)) == (["year end"], [])
    assert exact_json.loads(held.inputs) == {"input.value": "0", "today": "2026-01-01"}
    assert exact_json.loads(free.inputs) == {"input.value": "0", "today": "2026-01-02"}
    view = View(environment="test", database=house.database, ambient=house.ambient)
    (step,) = timeline.detail(view, run.id, payloads=True).steps
    assert [decision.rules for decision in step.decisions] == [("year end",), ()]
    (step,) = timeline.detail(view, run.id, payloads=False).steps
    assert [decision.inputs for decision in step.decisions] == [None, None]
    with pytest.raises(Conflict):
        await house.run_orders.ask_again(run.id, actor="person:p_1")
    await house.stop()


async def test_a_newer_revision_lets_held_runs_ask_at_once(tmp_path: Path) -> None:
    """The policy of the current revision counts, not that of the run's own."""
    vendor = Vendor()
    house = House(tmp_path, vendor, guarded("now"))
    await house.start()
    await house.give(*things(2))
    await house.settled(waiting=["hold"])
    house.bundle = guarded("operation == 'none'", version=2)
    await house.committer.commit(
        Work(lambda tx: bundles.keep(tx, bundle_id=house.bundle.id, files=house.bundle.files, actor="test"))
    )
    assert await house.settled(seconds=5.0) == {"succeeded": 2}
    assert {row.version for row in rows(house, decisions)} == {1, 2}
    await house.stop()


async def test_without_an_end_it_is_asked_again_by_itself(tmp_path: Path) -> None:
    vendor, clock = Vendor(), FastClock()
    house = House(tmp_path, vendor, guarded("now < '2026-01-01T00:05:00Z'"), clock=clock)
    await house.start()
    await house.give(*things(1))
    await house.settled(waiting=["hold"])
    # On a busy machine it may just be asked again.
    while (run := rows(house, runs)[0]).wait_until is None:
        await asyncio.sleep(0.01)
    waits = of_micros(run.wait_until) - of_micros(run.updated_at)
    assert timedelta(seconds=40) < waits <= timedelta(seconds=66)
    assert await house.settled(seconds=30.0) == {"succeeded": 1}
    await house.stop()


async def test_a_write_that_began_is_not_held(tmp_path: Path) -> None:
    """Its outcome must be found out, whatever a policy says by then; only what is new waits."""
    vendor = Vendor(fault=lambda request, number: "lost-after" if number == 1 else None)
    house = House(tmp_path, vendor, guarded("operation == 'none'"))
    await house.start()
    await house.give(*things(1))
    async with asyncio.timeout(10):
        while not vendor.bodies:
            await asyncio.sleep(0)
    house.bundle = guarded("now")
    assert await house.settled() == {"succeeded": 1}
    assert len(vendor.documents) == 1
    await house.stop()


@pytest.mark.parametrize("point", range(1, 16))
async def test_a_crash_at_every_durable_point_of_a_held_run(tmp_path: Path, point: int) -> None:
    """The process dies after its n-th durable write, held or not; the next one finishes once the hold is over."""

    def fault(request: Request, number: int) -> str | None:
        return "lost-after" if number % 3 == 0 else None

    vendor = Vendor(fault=fault)
    # The second write of each run is held.
    compiled = guarded("operation == 'upsert.write'", flow=THREE_WRITES)
    events = things(2)
    await _live(tmp_path, vendor, compiled, events, point)
    assert [document for document in vendor.documents if document["kind"] != "native"] == []
    house = House(tmp_path, vendor, guarded("operation == 'none'", flow=THREE_WRITES))
    await house.start()
    await house.committer.commit(Work(holds.ask_again))
    await house.give(*events)
    assert await house.settled() == {"succeeded": 2}
    per_kind = [(document["kind"], document["key"]) for document in vendor.documents]
    assert sorted(per_kind) == sorted((kind, key) for kind in ("native", "probe", "upsert") for key in ("t0", "t1"))
    assert len({row.id for row in rows(house, decisions)}) == len(rows(house, decisions))
    await house.stop()


async def test_a_step_that_asks_how_many_must_agree(tmp_path: Path) -> None:
    """It sees the run's entity and money, and its answer is the step's output; nothing waits for the people yet."""
    approve = """
policy: large
kind: approve
version: 2
match: first
rules:
  - name: large
    when: money.minor >= `100` && entity == 'DE01'
    then: { approvals: 2, role: approver }
"""
    flow = (
        ONE_WRITE.format(kind=Idempotency.UPSERT.value)
        .replace("steps:", "entity: data.entity\nmoney: data.total\nsteps:\n  - id: agreed\n    decide: large")
        .replace("    retry: patient", "    when: agreed.approvals\n    retry: patient")
    )
    vendor = Vendor()
    house = House(tmp_path, vendor, bundle(flow, **FILES, **{"policies__large.yaml": approve}))
    await house.start()
    for number, minor in enumerate((99, 100)):
        total = {"minor": minor, "currency": "EUR"}
        await house.give({"id": f"t{number}", "key": f"k{number}", "value": "1", "entity": "DE01", "total": total})
    assert await house.settled() == {"succeeded": 2}
    assert [document["key"] for document in vendor.documents] == ["t1"]
    kept = sorted((exact_json.loads(row.inputs)["money.minor"], row.rules) for row in rows(house, decisions))
    assert kept == [(99, "[]"), (100, '["large"]')]
    await house.stop()
