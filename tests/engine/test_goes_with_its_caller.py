"""A called flow that goes with its caller: what it did is taken back or named, and nothing of it is left open."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hub.audit.kinds import AuditKind
from hub.cli import tables
from hub.cli.output import console
from hub.errors import Conflict
from hub.model.exchange import Request, Response
from hub.model.run import RunState
from hub.queries import timeline
from hub.queries.view import View
from tests.engine.house import House, bundle
from tests.engine.test_children import CALLED, EVENT, PARENT, WORKSPACE, Hut, rows, until
from tests.engine.test_compensation import reversals
from tests.engine.test_lanes import exceptions
from tests.engine.vendor import Vendor
from tests.operate.test_run_orders import entries

ADA = "person:p_ada"
BESIDE = """
flow: tested
title: Calls beside a write
owner: team:tests
on: { event: vendor.thing.made }
key: data.key
business_key: data.id
steps:
  - id: both
    parallel:
      - id: child
        flow: { flow: called, with: vendor/thing, of: data }
      - id: slow
        call: { connection: vendor, operation: native.write, with: vendor/thing, of: "{id: 'slow', value: '1'}" }
        undo: thing.reverse
        retry: patient
"""
BACK = PARENT.replace("steps:", "on_failure: compensate\nsteps:", 1)
FAILING = BACK.replace("{id: 'after', value: child.document}", "{id: 'after', value: 'bad'}")
FOR_GOOD = CALLED.replace("    undo: thing.reverse\n", "")
LONG = CALLED + "  - id: pause\n    wait: { for: P2D }\n"
BETWEEN = """
flow: called
title: Calls on
owner: team:tests
on: { called: vendor.thing@1 }
key: record.key
business_key: record.key
output: "{document: inner.document}"
steps:
  - id: inner
    flow: { flow: innermost, with: vendor/thing, of: "{id: record.key, value: record.value}" }
"""


class Slow(Vendor):
    """Answers writes of one kind only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.goes = asyncio.Semaphore(0), asyncio.Event()

    async def send(self, request: Request, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Serve a request."""
        if request.url.endswith("native") and not self.goes.is_set():
            self.asked.release()
            await self.goes.wait()
        return await super().send(request, headers, timeout)


async def opened(tmp_path: Path, caller: str, called: str = CALLED, **more: str) -> tuple[Hut, House]:
    hut = Hut(tmp_path)
    hut.bundle = bundle(caller, **{**WORKSPACE, "flows__called.yaml": called, **more})
    return hut, await hut.open()


def stays(house: House) -> tuple[str, ...]:
    """Give what the page of the caller and the terminal say has stayed."""
    view = View(environment="test", database=house.database, ambient=house.ambient)
    return timeline.detail(view, rows(house, "tested")[-1]["id"], payloads=False).standing.stays


@pytest.mark.parametrize(
    ("called", "stands", "ends"),
    [
        (LONG, RunState.WAITING, RunState.CANCELLED),
        (CALLED.replace("probe.write", "native.write"), RunState.RUNNING, RunState.RUNNING),
    ],
)
async def test_what_a_called_flow_did_is_taken_back_with_the_run_that_was_cancelled_first(
    tmp_path: Path, called: str, stands: RunState, ends: RunState
) -> None:
    hut = Hut(tmp_path)
    hut.bundle = bundle(BESIDE, **{**WORKSPACE, "flows__called.yaml": called})
    hut.vendor = vendor = Slow()
    house = await hut.open()
    await house.give(EVENT)
    await vendor.asked.acquire()
    if stands is RunState.RUNNING:
        await vendor.asked.acquire()
    await until(house, "called", stands)
    parent = rows(house, "tested")[0]["id"]
    await house.run_orders.cancel(parent, actor=ADA, reason="a mistake")
    assert rows(house, "called")[0]["state"] == ends
    await house.run_orders.take_back(parent, actor=ADA, reason="a greater mistake")
    vendor.goes.set()
    await until(house, "tested", RunState.COMPENSATED)
    assert set(reversals(vendor)) == {document["id"] for document in vendor.documents if document["value"] == "1"}
    assert (rows(house, "called")[0]["state"], stays(house)) == (RunState.COMPENSATED, ())
    await house.stop()


@pytest.mark.parametrize("wrote", [True, False])
async def test_a_called_flow_that_ended_with_a_run_goes_with_the_replay_of_that_run(
    tmp_path: Path, *, wrote: bool
) -> None:
    """What it did is taken back; one that had done nothing stays ended."""
    first = LONG if wrote else LONG.replace("steps:\n", "steps:\n  - id: before\n    wait: { for: P2D }\n")
    hut, house = await opened(tmp_path, PARENT, first)
    await house.give(EVENT)
    await until(house, "called", RunState.WAITING)
    parent = await until(house, "tested", RunState.WAITING)
    await house.run_orders.cancel(parent["id"], actor=ADA, reason="a mistake")
    again = await house.run_orders.replay(parent["id"], actor=ADA)
    await until(house, "tested", RunState.PARKED)
    await house.run_orders.take_back(again, actor=ADA, reason="a greater mistake")
    await until(house, "tested", RunState.COMPENSATED)
    ended = RunState.COMPENSATED if wrote else RunState.CANCELLED
    assert (rows(house, "called")[0]["state"], reversals(hut.vendor)) == (ended, ["doc_1"] if wrote else [])
    assert wrote or hut.vendor.documents == []
    await house.stop()


async def test_what_a_person_cancelled_by_itself_keeps_what_it_did_and_is_named(tmp_path: Path) -> None:
    """That person said that it stays; nobody has said otherwise since, and nobody overlooks it."""
    hut, house = await opened(tmp_path, BACK, LONG)
    await house.give(EVENT)
    child = await until(house, "called", RunState.WAITING)
    await until(house, "tested", RunState.WAITING)
    await house.run_orders.cancel(child["id"], actor=ADA, reason="this is enough")
    await until(house, "tested", RunState.COMPENSATED)
    (case,) = exceptions(house)
    assert (case.reason, case.path) == ("child-cancelled", "child")
    assert case.detail.endswith("Not taken back, because a person had cancelled what was called: child.write.")
    assert (rows(house, "called")[0]["state"], reversals(hut.vendor)) == (RunState.CANCELLED, [])
    assert stays(house) == ("child.write",)
    await house.stop()


async def test_the_exception_of_a_called_flow_closes_with_it(tmp_path: Path) -> None:
    _, house = await opened(tmp_path, PARENT)
    await house.give({**EVENT, "value": "bad"})
    await until(house, "called", RunState.PARKED)
    parent = await until(house, "tested", RunState.WAITING)
    (case,) = exceptions(house)
    await house.run_orders.take_back(parent["id"], actor=ADA, reason="not wanted")
    await until(house, "tested", RunState.COMPENSATED)
    (child,) = rows(house, "called")
    assert (child["state"], exceptions(house)) == (RunState.COMPENSATED, ())
    ordered, told = entries(house, AuditKind.RUN_STOPPING)
    assert (ordered["actor"], ordered["subjects"]) == (ADA, {"run": parent["id"]})
    assert (told["actor"], told["subjects"]) == ("worker_test", {"run": child["id"], "caller": parent["id"]})
    assert [entry["subjects"] for entry in entries(house, AuditKind.CASE_CLOSED)] == [{"case": case.id}]
    await house.stop()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"called": CALLED}, "Taken back: child."),
        ({"called": FOR_GOOD}, "Not taken back, because no way is given: child.write."),
        (
            {"called": BETWEEN, "flows__innermost.yaml": CALLED.replace("flow: called", "flow: innermost")},
            "Taken back: child.",
        ),
        (
            {"called": BETWEEN, "flows__innermost.yaml": FOR_GOOD.replace("flow: called", "flow: innermost")},
            "Not taken back, because no way is given: child.inner.write.",
        ),
    ],
)
async def test_the_exception_of_the_caller_tells_what_became_of_what_it_called(
    tmp_path: Path, files: dict[str, str], said: str
) -> None:
    _, house = await opened(tmp_path, FAILING, **files)
    await house.give(EVENT)
    await until(house, "tested", RunState.COMPENSATED)
    (case,) = exceptions(house)
    assert (case.flow, case.path) == ("tested", "after")
    assert case.detail.removeprefix("The run failed (fix-data). ") == said
    await house.stop()


async def test_who_has_a_run_taken_back_sees_what_stays_in_what_it_called(tmp_path: Path) -> None:
    _, house = await opened(tmp_path, PARENT, FOR_GOOD)
    await house.give(EVENT)
    parent = await until(house, "tested", RunState.SUCCEEDED)
    assert stays(house) == ()
    await house.run_orders.take_back(parent["id"], actor=ADA, reason="not wanted")
    await until(house, "tested", RunState.COMPENSATED)
    assert (stays(house), exceptions(house)) == (("child.write",), ())
    await house.stop()


def test_the_terminal_names_what_stays_and_counts_what_does_not_fit() -> None:
    standing: dict[str, Any] = {"holds": [], "stop": None, "behind": {"waiting": {"runs": 0}}}
    run = {"id": "run_1", "flow": "tested", "state": "compensated", "business_key": "a", "replaced_by": None}
    run |= {"wait_kind": None}
    with console.capture() as seen:
        for paths in (["child.write"], [f"lines[{number}].write" for number in range(25)]):
            tables.show_run({"run": run, "standing": {**standing, "stays": paths}, "steps": []})
    shown = " ".join(seen.get().split())
    assert "Not taken back: child.write" in shown
    assert "lines[19].write and 5 more" in shown


async def test_the_exception_of_a_called_flow_is_not_closed_while_its_caller_waits(tmp_path: Path) -> None:
    """Otherwise the caller would hold its key for ever, and no exception would tell of it."""
    _, house = await opened(tmp_path, PARENT)
    await house.give({**EVENT, "value": "bad"})
    child = await until(house, "called", RunState.PARKED)
    await until(house, "tested", RunState.WAITING)
    (case,) = exceptions(house)
    with pytest.raises(Conflict) as refused:
        await house.orders.close_case(case.id, resolution="done by hand", actor=ADA)
    assert refused.value.code == "caller-waits"
    assert exceptions(house) == (case,)
    # What it says to do instead: the caller tells of itself, and is closed.
    await house.run_orders.cancel(child["id"], actor=ADA, reason="done by hand")
    await until(house, "tested", RunState.PARKED)
    (of_caller,) = exceptions(house)
    assert (of_caller.flow, of_caller.reason) == ("tested", "child-cancelled")
    await house.orders.close_case(of_caller.id, resolution="done by hand", actor=ADA)
    assert (exceptions(house), rows(house, "tested")[0]["blocking"]) == ((), False)
    await house.stop()


async def test_a_caller_that_comes_when_the_exception_was_closed_stops_and_says_so(tmp_path: Path) -> None:
    """The caller had stopped by something else and was closed first; its replay does not wait for what never comes."""
    beside = BESIDE.replace("value: '1'", "value: 'bad'")
    hut, house = await opened(tmp_path, beside)
    await house.give({**EVENT, "value": "bad"})
    child = await until(house, "called", RunState.PARKED)
    parent = await until(house, "tested", RunState.WAITING)
    with_caller = {case.flow: case.id for case in exceptions(house)}
    assert set(with_caller) == {"tested", "called"}
    await house.run_orders.cancel(child["id"], actor=ADA, reason="to see the caller stop")
    parent = await until(house, "tested", RunState.PARKED)
    child = await replayed_until_parked(house, child["id"])
    (of_child,) = [case.id for case in exceptions(house) if case.flow == "called"]
    (of_caller,) = [case.id for case in exceptions(house) if case.flow == "tested"]
    with pytest.raises(Conflict):
        await house.orders.close_case(of_child, resolution="by hand", actor=ADA)
    await house.orders.close_case(of_caller, resolution="by hand", actor=ADA)
    await house.orders.close_case(of_child, resolution="by hand", actor=ADA)
    hut.vendor.forgiving = True
    await house.run_orders.replay(parent["id"], actor=ADA)
    await until(house, "tested", RunState.PARKED)
    (again,) = exceptions(house)
    assert (again.flow, again.reason, again.path) == ("tested", "child-closed", "both.child")
    await house.run_orders.replay(child["id"], actor=ADA)
    await until(house, "called", RunState.SUCCEEDED)
    await house.run_orders.replay(again.run_id, actor=ADA)
    await until(house, "tested", RunState.SUCCEEDED)
    await house.stop()


async def replayed_until_parked(house: House, run_id: str) -> Mapping[str, Any]:
    await house.run_orders.replay(run_id, actor=ADA)
    return await until(house, "called", RunState.PARKED)
