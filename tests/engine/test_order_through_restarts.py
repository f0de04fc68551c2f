"""The order of a key outlives a restart: whoever comes back to a place that others have gone past is not forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.model.effect import Idempotency
from hub.model.run import RunState
from hub.store import runs
from hub.store.committer import Work
from tests.engine.house import FastClock, House
from tests.engine.test_held_by_people import Slow
from tests.engine.test_once import one_write, things
from tests.engine.vendor import Vendor
from tests.operate.test_run_orders import rows


@pytest.mark.parametrize("end", ["crash", "hand back"])
async def test_a_replay_behind_a_later_run_goes_on_when_the_process_that_worked_on_that_is_gone(
    tmp_path: Path, end: str
) -> None:
    """Else the later run waits for the replay, whose place is before it, and the replay for the later run."""
    flow = one_write(Idempotency.NATIVE)
    clock = FastClock()
    house = House(tmp_path, Vendor(), flow, clock=clock)
    await house.start()
    first, second = things(2, keys=1)
    await house.give(first)
    await house.settled()
    await house.stop()
    slow = Slow()
    house = House(tmp_path, slow, flow, clock=clock)
    await house.start()
    await house.give(second)
    await slow.reached.wait()
    replayed = await house.run_orders.replay(rows(house)[0].id, actor="person:p_1")
    while next(run for run in rows(house) if run.id == replayed).wait_kind != "order":
        await clock.sleep(0.1)
    if end == "hand back":
        await house.committer.commit(Work(lambda tx: runs.hand_back(tx, environment="test", owner="worker_test")))
    await house.crash()
    house = House(tmp_path, Vendor(), flow, clock=clock)
    await house.start()
    assert await house.settled() == {"succeeded": 2}
    assert {run.state for run in rows(house)} == {RunState.SUCCEEDED}
    await house.stop()
