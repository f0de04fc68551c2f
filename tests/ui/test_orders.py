"""Orders of the console: holds, ends, edits, writes once more, and writes that a person settles."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select, update

from hub.model.effect import LEFT_STANDING, NEWER, EffectState
from hub.model.event import EventFilter, EventState
from hub.model.hold import HoldKind
from hub.model.run import RunState, StepState
from hub.queries import cases, effects, events, holds, overview, runs, timeline
from hub.queries.runs import RunFilter
from hub.sdk import exact_json
from hub.store import tables
from hub.store.committer import Work
from tests.ui.stage import ADMIN, OPERATOR, VIEWER, Stage
from tests.ui.visitors import SignIn, order
from ui.progress import Progress

WHY = "The books are checked"


def one(set_up: Stage, state: RunState) -> runs.RunRow:
    """Give a run in a state."""
    return runs.listing(set_up.console.view, RunFilter(state=state)).runs[0]


async def test_a_run_its_key_and_its_flow_are_held_and_resumed(set_up: Stage, sign_in: SignIn) -> None:
    operator, viewer = await sign_in(OPERATOR), await sign_in(VIEWER)
    run = one(set_up, RunState.WAITING)
    page = f"/runs/{run.id}"
    for kind, words in (
        (f"flow:{run.flow}", "Its flow is held"),
        (f"key:{run.flow}", "Its key is held"),
        ("run", "This run is held"),
    ):
        form = {"kind": kind, "name": run.id, "key": run.key, "reason": WHY, "back": page}
        held = await order(operator, page, "/holds", **form)
        assert held.headers["location"] == f"{page}?said=held"
        assert words in (await operator.get(page)).text
    listed = (await operator.get("/holds")).text
    assert listed.count(WHY) == 3 and "by Olu Adeyemi" in listed and listed.count(">Resume<") == 3
    assert "Resume" not in (await viewer.get("/holds")).text and "Hold it" not in (await viewer.get(page)).text
    assert "This flow is held" in (await operator.get(f"/flows/{run.flow}")).text
    assert "Held:" in (await operator.get("/")).text
    again = await order(operator, page, "/holds", kind="run", name=run.id, reason="Another", back=page)
    assert again.status_code == 409 and "held already" in again.text
    for row in holds.listing(set_up.console.view).holds:
        form = {"kind": row.kind.value, "name": row.name, "key": row.key, "back": "/holds"}
        assert (await order(operator, "/holds", "/holds/resume", **form)).headers["location"] == "/holds?said=let-go"
    assert "Nothing is held" in (await operator.get("/holds")).text
    nothing = await order(operator, page, "/holds", kind="planet", name="x", reason=WHY)
    assert nothing.status_code == 422
    elsewhere = await order(operator, page, "/holds", kind="flow", name=run.flow, reason=WHY, back="//evil.example")
    assert elsewhere.headers["location"] == "/?said=held"


async def test_the_holds_of_a_connection_are_its_pause(set_up: Stage, sign_in: SignIn) -> None:
    operator = await sign_in(OPERATOR)
    await order(operator, "/connections", "/connections/netsuite/pause", reason=WHY)
    page = (await operator.get("/holds")).text
    assert "Paused" in page and WHY in page and "by Olu Adeyemi" in page
    await order(operator, "/holds", "/holds/resume", kind="connection", name="netsuite")
    assert "Nothing is held" in (await operator.get("/holds")).text
    assert set_up.console.accounts["netsuite"].paused is None


async def test_a_run_is_cancelled_at_once_or_when_its_write_is_known(set_up: Stage, sign_in: SignIn) -> None:
    operator = await sign_in(OPERATOR)
    run = one(set_up, RunState.QUEUED) if _has(set_up, RunState.QUEUED) else one(set_up, RunState.PARKED)
    page = f"/runs/{run.id}"
    done = await order(operator, page, f"{page}/cancel", reason="Not needed")
    assert done.headers["location"] == f"{page}?said=cancelled"
    shown = (await operator.get(page)).text
    assert "Cancelled" in shown and "by Olu Adeyemi" in shown and "Not needed" in shown
    ended = one(set_up, RunState.SUCCEEDED)
    refused = await order(operator, page, f"/runs/{ended.id}/cancel", reason="x")
    assert refused.status_code == 409


def _has(set_up: Stage, state: RunState) -> bool:
    return bool(runs.listing(set_up.console.view, RunFilter(state=state)).runs)


async def test_what_a_run_did_is_taken_back(set_up: Stage, sign_in: SignIn) -> None:
    operator, viewer = await sign_in(OPERATOR), await sign_in(VIEWER)
    run = one(set_up, RunState.SUCCEEDED)
    page = f"/runs/{run.id}"
    assert "Take back" in (await operator.get(page)).text and "Take back" not in (await viewer.get(page)).text
    written = timeline.detail(set_up.console.view, run.id, payloads=False).standing.written
    done = await order(operator, page, f"{page}/undo", reason="Wrong customer")
    assert done.headers["location"] == f"{page}?said=undoing"
    assert "What it did is being taken back" in (await operator.get(page)).text
    compensated = update(tables.runs).where(tables.runs.c.id == run.id).values(state="compensated")
    await set_up.committer.commit(Work(lambda tx: tx.connection.execute(compensated)))
    shown = (await operator.get(page)).text
    assert all(write.path in shown.partition("Not taken back:")[2].partition("</p>")[0] for write in written)


async def test_a_record_is_edited_in_two_steps(set_up: Stage, sign_in: SignIn) -> None:
    operator = await sign_in(OPERATOR)
    case = next(case for case in cases.listing(set_up.console.view).cases if case.flow == "invoice-to-erp")
    page = f"/runs/{case.run_id}/edit"
    shown = (await operator.get(page)).text
    record = set_up.console.run_orders.record(case.run_id)
    assert "customer_name" in shown
    broken = await order(operator, page, page, record="{", reason=WHY)
    assert broken.status_code == 422 and "not readable JSON" in broken.text and ">{</textarea>" in broken.text
    wrong = await order(operator, page, page, record=_text({**record, "customer_name": 5}), reason=WHY)
    assert wrong.status_code == 422 and "customer_name" in wrong.text and "is not of type" in wrong.text
    good = _text({**record, "customer_name": "Söhne & Co"})
    looked = await order(operator, page, page, record=good, reason=WHY)
    assert looked.status_code == 200 and "1 change" in looked.text and "Replay with them" in looked.text
    assert timeline.detail(set_up.console.view, case.run_id, payloads=False).run.replaced_by is None
    done = await order(operator, page, page, record=good, reason=WHY, sure="yes")
    new_id = done.headers["location"].removeprefix("/runs/").partition("?")[0]
    found = timeline.detail(set_up.console.view, new_id, payloads=True)
    assert (
        found.standing.ordered_by == "Olu Adeyemi" and found.event is not None and found.event.edited_from is not None
    )
    event = (await operator.get(f"/events/{found.event.id}")).text
    assert "Edited by a person" in event and "Söhne &amp; Co" in event
    assert "The edited one" in (await operator.get(f"/events/{found.event.edited_from}")).text


def _text(record: Any) -> str:
    return exact_json.dumps(record).decode()


async def test_writes_are_made_once_more_only_when_each_is_confirmed(set_up: Stage, sign_in: SignIn) -> None:
    admin, operator = await sign_in(ADMIN), await sign_in(OPERATOR)
    run = one(set_up, RunState.SUCCEEDED)
    page = f"/runs/{run.id}/repeat"
    assert (await operator.get(page)).status_code == 403
    shown = (await admin.get(page)).text
    keys = re.findall(r'name="confirm-(\w+)" value="yes" required', shown)
    assert keys
    few = await order(
        admin, page, page, **{"from": "", "reason": WHY}, **{f"confirm-{keys[0]}": "yes"} if len(keys) > 1 else {}
    )
    assert few.status_code == 409 and "Confirm each write" in few.text
    done = await order(admin, page, page, **{"from": "", "reason": WHY}, **{f"confirm-{key}": "yes" for key in keys})
    assert done.status_code == 303 and "said=repeated" in done.headers["location"]
    new_id = done.headers["location"].removeprefix("/runs/").partition("?")[0]
    with set_up.database.reading() as connection:
        assert connection.execute(select(tables.runs.c.generation).where(tables.runs.c.id == new_id)).scalar() == 1


async def test_a_write_that_was_refused_as_older_is_ordered_all_the_same(set_up: Stage, sign_in: SignIn) -> None:
    """The page says that it goes over something newer, and the order needs it confirmed."""
    admin = await sign_in(ADMIN)
    run = one(set_up, RunState.SUCCEEDED)
    refused = update(tables.effects).where(tables.effects.c.run_id == run.id)
    refused = refused.values(state=EffectState.FAILED.value, reason=NEWER, output=None)
    await set_up.committer.commit(Work(lambda tx: tx.connection.execute(refused)))
    page = f"/runs/{run.id}/repeat"
    shown = (await admin.get(page)).text
    keys = re.findall(r'name="confirm-(\w+)" value="yes" required', shown)
    assert keys and shown.count("goes over something newer") == len(keys)
    assert f'href="{page}"' in (await admin.get(f"/runs/{run.id}")).text
    done = await order(admin, page, page, **{"from": "", "reason": WHY}, **{f"confirm-{key}": "yes" for key in keys})
    assert done.status_code == 303


async def test_what_a_run_stopped_at_that_would_leave_it_standing_is_confirmed_where_it_stopped(
    set_up: Stage, sign_in: SignIn
) -> None:
    """Only what no step has met that stays; no other run is asked for that place."""
    admin = await sign_in(ADMIN)
    run = one(set_up, RunState.SUCCEEDED)
    page = f"/runs/{run.id}/repeat"
    assert "where it stopped" not in (await admin.get(page)).text
    with set_up.database.reading() as connection:
        wrote = connection.execute(
            select(tables.effects).where(tables.effects.c.run_id == run.id, tables.effects.c.path == "tax")
        ).all()
    unmet = update(tables.steps).where(tables.steps.c.run_id == run.id, tables.steps.c.path == wrote[0].path)
    unmet = unmet.values(state=StepState.FAILED.value)
    parked = update(tables.runs).where(tables.runs.c.id == run.id)
    parked = parked.values(state=RunState.PARKED.value, reason=LEFT_STANDING, blocking=True)
    await set_up.committer.commit(Work(lambda tx: tx.connection.execute(unmet)))
    await set_up.committer.commit(Work(lambda tx: tx.connection.execute(parked)))
    assert "until that is confirmed, or taken back" in (await admin.get(f"/runs/{run.id}")).text
    assert "where it stopped" in (await admin.get(page)).text
    shown = (await admin.get(f"{page}?from=failure")).text
    assert re.findall(r'name="confirm-(\w+)" value="yes" required', shown) == [wrote[0].key]
    done = await order(admin, page, page, **{"from": "failure", "reason": WHY, f"confirm-{wrote[0].key}": "yes"})
    assert done.status_code == 303 and "said=repeated" in done.headers["location"]


@pytest.mark.parametrize("verdict", ["done", "not-applied"])
async def test_a_write_in_doubt_is_settled_on_the_page_of_its_exception(
    set_up: Stage, sign_in: SignIn, verdict: str
) -> None:
    operator, viewer = await sign_in(OPERATOR), await sign_in(VIEWER)
    run, key = await _in_doubt(set_up)
    case = next(case for case in cases.listing(set_up.console.view).cases if case.run_id == run)
    page = (await operator.get(f"/exceptions/{case.id}")).text
    assert "The write in doubt" in page and "It was not made" in page and key in page
    assert "It was not made" not in (await viewer.get(f"/exceptions/{case.id}")).text
    assert key in (await operator.get("/effects")).text
    form = {"verdict": verdict, "evidence": "Seen in the list"} | ({"id": "17"} if verdict == "done" else {})
    for wrong in ({"verdict": verdict}, {"verdict": "perhaps", "evidence": "x"}):
        assert (await order(operator, f"/exceptions/{case.id}", f"/effects/{key}/settle", **wrong)).status_code == 422
    done = await order(operator, f"/exceptions/{case.id}", f"/effects/{key}/settle", **form)
    new_id = done.headers["location"].removeprefix("/runs/").partition("?")[0]
    assert timeline.detail(set_up.console.view, new_id, payloads=False).run.replay_of == run
    shown = (await operator.get(f"/effects/{key}")).text
    assert "Olu Adeyemi said that it was" in shown and "Seen in the list" in shown


async def _in_doubt(set_up: Stage) -> tuple[str, str]:
    """Let nobody know what became of a write of a parked run; gives both."""
    parked = {case.run_id for case in cases.listing(set_up.console.view).cases}
    known = effects.listing(set_up.console.view, states=tuple(EffectState), limit=500).effects
    effect = next((each for each in known if each.run_id in parked), None)
    assert effect is not None
    changed = update(tables.effects).where(tables.effects.c.key == effect.key).values(state="parked", output=None)
    await set_up.committer.commit(Work(lambda tx: tx.connection.execute(changed)))
    return effect.run_id, effect.key


async def test_the_overview_tells_which_keys_stand_still(set_up: Stage, sign_in: SignIn) -> None:
    operator = await sign_in(OPERATOR)
    case = cases.listing(set_up.console.view).cases[0]
    later = one(set_up, RunState.SUCCEEDED)
    head = timeline.detail(set_up.console.view, case.run_id, payloads=False).run

    def work(transaction: Any) -> None:
        waits = {"flow": head.flow, "key": head.key, "state": "queued", "blocking": True, "wait_kind": "order"}
        money = {"money_minor": 123456, "money_currency": "EUR", "position": 9_999_999}
        transaction.connection.execute(update(tables.runs).where(tables.runs.c.id == later.id).values(**waits, **money))

    await set_up.committer.commit(Work(work))
    for page in (f"/exceptions/{case.id}", f"/runs/{head.id}"):
        shown = (await operator.get(page)).text
        assert "Waiting behind it" in shown and "1 run waits" in shown and "1,234.56" in shown
    assert "1 key stands still" in (await operator.get("/")).text


async def test_many_are_released_lot_by_lot(set_up: Stage, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page goes on by itself where scripts run, and by a button where they do not."""
    await set_up.keep()
    operator = await sign_in(OPERATOR)
    wanted = EventFilter(state=EventState.REJECTED)
    total = events.releasable(set_up.console.view, wanted)
    assert total > 1
    release = set_up.console.event_orders.release_all
    monkeypatch.setattr(
        set_up.console.event_orders, "release_all", lambda *args, **kwargs: release(*args, **{**kwargs, "limit": 1})
    )
    answer = await order(operator, "/events?state=rejected", "/events/release", state="rejected", reason="mended")
    lots = 1
    while "Go on" in answer.text:
        form = dict(
            re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', answer.text.partition('id="progress"')[2])
        )
        answer = await operator.post("/events/release", data=form, headers={"HX-Request": "true"})
        assert answer.status_code == 200 and "</html>" not in answer.text
        lots += 1
    assert lots == total and f"of {total} events are released." in answer.text
    assert overview.read(set_up.console.view).events > 0


def test_progress_goes_from_form_to_form() -> None:
    begun = Progress.of({}, 5)
    assert (begun.total, begun.after) == (5, None)
    first = begun.add(seen=2, done=1, left={"no-key": 1}, after="event_2")
    second = Progress.of(first.form(), 99)
    assert second == first
    last = second.add(seen=4, done=2, left={"no-key": 1, "held": 1}, after=None)
    assert (last.total, last.seen, last.done, last.left) == (6, 6, 3, {"no-key": 2, "held": 1})
    with pytest.raises(Exception, match="begin again"):
        Progress.of({"after": "x", "total": "many"}, 1)


def test_each_kind_of_hold_has_its_words() -> None:
    assert {kind.value for kind in HoldKind} == {"run", "key", "flow", "connection"}
