"""Approvals within steps that are gone past: what was not approved is not gone past, and what was goes on to count."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from textwrap import indent

import pytest

from hub.model.approval import Verdict
from hub.store.tables import cases, effects
from tests.engine.office import FLOW, GUARD, Office, compiled, office, thing

HEAD = FLOW.partition("  - id: ok")[0]
APPROVED = """
- id: ok
  approve: large
  of: "{id: data.id, value: data.value}"
"""
FAILS = """
- id: quote
  call: { connection: vendor, operation: native.write, with: vendor/thing, of: "{id: 'q', value: 'bad'}" }
"""
EVENT = """
- id: paid
  wait: { event: vendor.thing.paid, subject: data.id, timeout: P7D, case: never-paid }
"""
WRITE = """
- id: write
  call: { connection: vendor, operation: native.write, with: vendor/thing, of: data }
  retry: patient
"""


def within(kind: str, id: str, steps: str, more: str = "") -> str:
    """Put steps into a `parallel`, or into the one arm of a branch."""
    if kind == "parallel":
        return f"\n- id: {id}\n{indent(more, '  ')}\n  parallel:\n{indent(steps, '    ')}"
    return f"\n- id: {id}\n{indent(more, '  ')}\n  branch:\n    - name: only\n      steps:\n{indent(steps, '        ')}"


def of_lines(steps: str) -> str:
    """Put steps into a loop over lines that goes on without those that fail."""
    lines = "each: data.lines\n    by: line.id\n    as: line\n    failures: continue"
    return f"\n- id: lines\n  foreach:\n    {lines}\n    steps:\n{indent(steps, '      ')}"


GONE_PAST = "on_failure: continue"
BESIDE = within("parallel", "both", FAILS + APPROVED, GONE_PAST)


async def opened(tmp_path: Path, *steps: str, **files: str) -> Office:
    """Give a house whose flow has these steps, and a thing to write."""
    return await office(tmp_path, compiled(flow=HEAD + indent("".join(steps), "  "), **files))


@pytest.mark.parametrize(
    "steps",
    [
        BESIDE,
        within("parallel", "both", APPROVED + FAILS, GONE_PAST),
        within("branch", "way", within("parallel", "both", FAILS + APPROVED), GONE_PAST),
        within("parallel", "all", within("parallel", "both", FAILS + APPROVED, GONE_PAST), GONE_PAST),
        within("parallel", "all", EVENT + within("parallel", "both", FAILS + APPROVED), f"{GONE_PAST}\ntimeout: PT1H"),
    ],
    ids=["parallel", "the other way round", "in a branch", "in a parallel", "beside a wait that ends"],
)
async def test_what_was_refused_beside_a_failure_is_not_gone_past(tmp_path: Path, steps: str) -> None:
    here = await opened(tmp_path, steps, WRITE)
    await here.house.give(thing(minor=200))
    await here.waits()
    await here.say("ann", Verdict.REFUSED)
    if "timeout: PT1H" in steps:
        await here.waits("event", "timer")
        here.clock.leap(timedelta(hours=2))
        here.house.worker.wake()
    assert await here.house.settled() == {"parked": 1}
    assert here.written == []
    assert [row.reason for row in here.rows(cases)] == ["approval-refused"]
    await here.house.stop()


async def test_what_is_gone_past_beside_an_approval_is_no_exception_while_people_are_asked(tmp_path: Path) -> None:
    here = await opened(tmp_path, BESIDE, WRITE)
    await here.house.give(thing(minor=200))
    await here.waits()
    assert here.rows(cases) == []
    await here.say("ann")
    assert await here.house.settled() == {"succeeded": 1}
    assert (here.written, here.rows(cases)) == (["t0"], [])
    await here.house.stop()


async def test_what_is_to_be_taken_back_beside_a_pending_approval_is_not_gone_past(tmp_path: Path) -> None:
    fails = f"{FAILS}  on_failure: compensate\n"
    here = await opened(tmp_path, within("parallel", "both", APPROVED + fails, GONE_PAST), WRITE)
    await here.house.give(thing(minor=200))
    assert await here.house.settled() == {"parked": 1}
    assert here.written == []
    await here.house.stop()


async def test_what_was_refused_in_an_item_stops_nothing_outside_of_it(tmp_path: Path) -> None:
    here = await opened(tmp_path, of_lines(BESIDE + WRITE.replace("of: data", "of: line")), WRITE)
    await here.house.give(thing(minor=200, lines=[{"id": "l0", "value": "0"}, {"id": "l1", "value": "1"}]))
    await here.waits()
    by_path = {row.path: index for index, row in enumerate(here.asked())}
    await here.say("ann", Verdict.REFUSED, which=by_path["lines[l0].both.ok"])
    await here.waits()
    await here.say("ann", which=by_path["lines[l1].both.ok"])
    assert await here.house.settled() == {"succeeded": 1}
    assert here.written == ["l1", "t0"]
    await here.house.stop()


@pytest.mark.parametrize("verdict", [Verdict.AGREED, Verdict.REFUSED])
async def test_a_timeout_does_not_end_a_wait_for_people_beside_an_event(tmp_path: Path, verdict: Verdict) -> None:
    here = await opened(tmp_path, within("parallel", "both", EVENT + APPROVED, f"{GONE_PAST}\ntimeout: PT1H"), WRITE)
    await here.house.give(thing(minor=200))
    await here.waits()
    here.clock.leap(timedelta(hours=2))
    await here.again()
    await here.waits()
    assert ([row.state for row in here.asked()], here.written) == (["pending"], [])
    await here.say("ann", verdict)
    agreed = verdict is Verdict.AGREED
    assert await here.house.settled() == ({"succeeded": 1} if agreed else {"parked": 1})
    assert here.written == (["t0"] if agreed else [])
    await here.house.stop()


async def test_nobody_is_asked_any_more_once_a_run_has_succeeded(tmp_path: Path) -> None:
    """An item that takes back what it did has asked for something, and the run goes on without the item."""
    beside = within("parallel", "both", APPROVED + f"{FAILS}  on_failure: compensate\n")
    here = await opened(tmp_path, of_lines(beside), WRITE)
    await here.house.give(thing(minor=200, lines=[{"id": "l0", "value": "0"}]))
    assert await here.house.settled() == {"succeeded": 1}
    assert [(row.state, row.reason) for row in here.asked()] == [("void", "run-ended")]
    await here.house.stop()


@pytest.mark.parametrize(
    "steps",
    [
        within("branch", "way", APPROVED + FAILS, GONE_PAST),
        within("parallel", "both", APPROVED + FAILS, GONE_PAST),
        within("branch", "way", within("parallel", "both", APPROVED + FAILS), GONE_PAST),
    ],
    ids=["branch", "parallel", "both"],
)
async def test_what_was_approved_in_a_step_that_was_gone_past_stands_before_later_writes(
    tmp_path: Path, steps: str
) -> None:
    here = await opened(tmp_path, steps, EVENT, WRITE)
    await here.house.give(thing(minor=200))
    await here.waits()
    await here.say("ann")
    await here.waits("event")
    await here.change("ann", disabled=True)
    await here.again()
    await here.house.pay("t0")
    await here.waits()
    assert here.written == []
    assert [(row.state, row.reason) for row in here.asked()] == [("void", "approver-left"), ("pending", None)]
    await here.say("ben")
    assert await here.house.settled() == {"succeeded": 1}
    assert here.written == ["t0"]
    assert here.rows(effects, effects.c.created_at)[-1].approvals == f'["{here.asked()[-1].id}"]'
    await here.house.stop()


async def test_what_was_refused_when_it_was_asked_anew_is_not_gone_past(tmp_path: Path) -> None:
    """Who agreed has left before the write, and who is asked in their place refuses."""
    here = await opened(tmp_path, APPROVED, f"{WRITE}  {GONE_PAST}\n", **GUARD)
    await here.house.give(thing(minor=200))
    await here.waits()
    await here.say("ann")
    await here.waits("hold")
    await here.change("ann", disabled=True)
    here.clock.leap(timedelta(hours=6))
    here.house.worker.wake()
    await here.waits()
    await here.say("ben", Verdict.REFUSED)
    assert await here.house.settled() == {"parked": 1}
    assert ([case.reason for case in here.rows(cases)], here.written) == (["approval-refused"], [])
    await here.house.stop()
