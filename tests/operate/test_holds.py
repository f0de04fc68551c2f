"""Holds: placed and lifted once, with one reason and one audit entry, and listed with what waits for them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import insert, select

from hub.audit.kinds import AuditKind
from hub.errors import Conflict, FixData, NotFound
from hub.model.hold import HoldKind
from hub.model.run import RunState
from hub.operate.holds import Held, HoldOrders
from hub.queries import holds, waiting
from hub.queries.amounts import Amount
from hub.queries.runs import RunFilter, listing
from hub.queries.view import View
from hub.sdk import exact_json
from hub.store import held
from hub.store.committer import Work
from hub.store.tables import audit
from hub.store.tables import runs as runs_table
from tests.ui.stage import Stage, stage

FLOW = "invoice-to-erp"
REASON = "Ask Vic (vic@example.com) first"


@pytest_asyncio.fixture
async def set_up(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path, people=False, count=12) as made:
        yield made


@pytest.fixture
def view(set_up: Stage) -> View:
    return set_up.console.view


@pytest.fixture
def orders(set_up: Stage) -> HoldOrders:
    return set_up.console.hold_orders


def entries(set_up: Stage, *kinds: AuditKind) -> list[Any]:
    """Give the audit's entries of these kinds."""
    with set_up.database.reading() as connection:
        rows = connection.execute(select(audit.c.entry).where(audit.c.kind.in_(kinds)).order_by(audit.c.sequence))
        return [exact_json.loads(row) for row in rows.scalars()]


def open_run(view: View, **wanted: Any) -> str:
    """Give a run that is not at its end."""
    return listing(view, RunFilter(**wanted)).runs[0].id


async def add_runs(set_up: Stage, *rows: dict[str, Any]) -> None:
    """Put runs into the store as they would stand behind one another."""
    now = 1_760_000_000_000_000
    made = [
        {
            "environment": set_up.console.view.environment,
            "flow": FLOW,
            "bundle": "b",
            "event_id": "event_x",
            "business_key": row["id"],
            "state": "queued",
            "blocking": True,
            "wait_kind": None,
            "parent_run": None,
            "epoch": 0,
            "generation": 0,
            "money_minor": None,
            "money_currency": None,
            "created_at": now + index,
            "updated_at": now,
            "position": 1_000_000 + index,
            **row,
        }
        for index, row in enumerate(rows)
    ]
    await set_up.committer.commit(Work(lambda tx: tx.connection.execute(insert(runs_table), made)))


async def test_each_kind_is_held_and_resumed_with_one_entry_each(set_up: Stage, orders: HoldOrders, view: View) -> None:
    run_id = open_run(view, state=RunState.WAITING)
    things = [
        Held(kind=HoldKind.RUN, name=run_id),
        Held(kind=HoldKind.KEY, name=FLOW, key="cus 1 / é"),
        Held(kind=HoldKind.FLOW, name=FLOW),
        Held(kind=HoldKind.CONNECTION, name="netsuite"),
    ]
    for thing in things:
        await orders.hold(thing, reason=REASON, actor="person:p_1")
    found = holds.listing(view).holds
    assert [(row.kind, row.name, row.key) for row in found] == [(each.kind, each.name, each.key) for each in things]
    assert {(row.reason, row.by_name) for row in found} == {(REASON, "person:p_1")}
    placed = entries(set_up, AuditKind.HOLD_PLACED, AuditKind.CONNECTION_PAUSED)
    assert len(placed) == 4 and REASON not in str(placed) and "é" not in str(placed)
    assert len({entry["facts"]["reason"] for entry in placed}) == 1
    for thing in things:
        await orders.resume(thing, reason="They agreed", actor="person:p_2")
    assert holds.listing(view).holds == ()
    assert len(entries(set_up, AuditKind.HOLD_LIFTED, AuditKind.CONNECTION_RESUMED)) == 4
    ended = holds.listing(view).ended
    assert {(row.kind, row.reason, row.ended_reason, row.ended_by_name) for row in ended} == {
        (each.kind, REASON, "They agreed", "person:p_2") for each in things[:3]
    }


async def test_the_same_order_again_changes_nothing_and_another_one_is_told_who_holds_it(
    set_up: Stage, orders: HoldOrders
) -> None:
    flow = Held(kind=HoldKind.FLOW, name=FLOW)
    for _ in range(2):
        await orders.hold(flow, reason=REASON, actor="person:p_1")
    assert len(entries(set_up, AuditKind.HOLD_PLACED)) == 1
    with pytest.raises(Conflict) as caught:
        await orders.hold(flow, reason="Something else", actor="person:p_2")
    assert caught.value.facts == {"by": "person:p_1", "reason": REASON}
    await orders.resume(flow, actor="person:p_2")
    with pytest.raises(Conflict):
        await orders.resume(flow, actor="person:p_2")
    # What was resumed can be held again.
    await orders.hold(flow, reason="Something else", actor="person:p_2")


async def test_a_connection_is_held_once_as_everything_else(set_up: Stage, orders: HoldOrders, view: View) -> None:
    """Who pauses what the hub has paused already does not take away why that was."""
    vendor = Held(kind=HoldKind.CONNECTION, name="netsuite")
    with pytest.raises(Conflict, match="Nobody holds it"):
        await orders.resume(vendor, actor="person:p_2")
    for _ in range(2):
        await orders.hold(vendor, reason=REASON, actor="person:p_1")
    with pytest.raises(Conflict) as caught:
        await orders.hold(vendor, reason="Something else", actor="person:p_2")
    assert (caught.value.code, caught.value.facts) == ("held-already", {"by": "person:p_1", "reason": REASON})
    assert [row.reason for row in holds.listing(view).holds] == [REASON]
    await orders.resume(vendor, reason="They agreed", actor="person:p_2")
    with pytest.raises(Conflict, match="Nobody holds it"):
        await orders.resume(vendor, actor="person:p_2")
    assert len(entries(set_up, AuditKind.CONNECTION_PAUSED)) == 1
    assert len(entries(set_up, AuditKind.CONNECTION_RESUMED)) == 1
    # What only the process lets rest, because that was not recorded any more, can be resumed too.
    set_up.console.accounts["netsuite"].paused = "refused"
    await orders.resume(vendor, actor="person:p_2")
    assert set_up.console.accounts["netsuite"].paused is None


async def test_what_cannot_be_held_is_refused(orders: HoldOrders, view: View) -> None:
    for wrong in (
        Held(kind=HoldKind.RUN, name="run_nope"),
        Held(kind=HoldKind.FLOW, name="no-such-flow"),
        Held(kind=HoldKind.KEY, name="no-such-flow", key="k"),
        Held(kind=HoldKind.CONNECTION, name="nowhere"),
    ):
        with pytest.raises(NotFound):
            await orders.hold(wrong, reason=REASON, actor="local")
    for state in (RunState.SUCCEEDED, RunState.PARKED):
        with pytest.raises(Conflict):
            await orders.hold(Held(kind=HoldKind.RUN, name=open_run(view, state=state)), reason=REASON, actor="local")
    with pytest.raises(FixData):
        await orders.hold(Held(kind=HoldKind.FLOW, name=FLOW), reason="  ", actor="local")
    with pytest.raises(FixData):
        await orders.hold(Held(kind=HoldKind.KEY, name=FLOW), reason=REASON, actor="local")


async def test_what_waits_for_a_hold_is_counted_with_its_money(set_up: Stage, orders: HoldOrders, view: View) -> None:
    euros = {"money_currency": "EUR", "wait_kind": "order"}
    await add_runs(
        set_up,
        {"id": "run_1", "key": "a", "money_minor": 2**63 - 1, **euros},
        {"id": "run_2", "key": "a", "money_minor": 2**63 - 1, **euros},
        {"id": "run_3", "key": "a", "money_minor": 5, "money_currency": "JPY", "wait_kind": "order"},
        {"id": "run_4", "key": "a", "wait_kind": "order"},
        {"id": "run_5", "key": "b", "money_minor": -7, **euros},
    )
    await orders.hold(Held(kind=HoldKind.KEY, name=FLOW, key="a"), reason=REASON, actor="local")
    (hold,) = holds.listing(view).holds
    assert (hold.waiting.runs, hold.waiting.without_amount) == (4, 1)
    assert hold.waiting.money == (
        Amount(value=Decimal(2 * (2**63 - 1)).scaleb(-2), currency="EUR"),
        Amount(value=Decimal(5), currency="JPY"),
    )


async def test_what_stands_behind_a_run_is_told_with_its_money(set_up: Stage, view: View) -> None:
    await add_runs(
        set_up,
        {"id": "run_1", "key": "a", "state": "parked", "money_minor": 100, "money_currency": "EUR"},
        {"id": "run_2", "key": "a", "money_minor": 250, "money_currency": "EUR", "wait_kind": "order"},
        {"id": "run_3", "key": "a", "money_minor": 7, "money_currency": "USD", "wait_kind": "order"},
        {"id": "run_4", "key": "busy", "state": "running"},
        {"id": "run_5", "key": "busy", "wait_kind": "order"},
        {"id": "run_6", "key": "alone", "state": "parked"},
        {"id": "run_7", "key": "let-go", "state": "parked", "blocking": False},
        {"id": "run_8", "key": "let-go", "wait_kind": "order"},
    )
    behind = waiting.behind(view, "run_1")
    assert [run.id for run in behind.runs] == ["run_2", "run_3"]
    assert [str(amount.value) for amount in behind.waiting.money] == ["2.50", "0.07"]
    assert [run.id for run in waiting.behind(view, "run_2").runs] == ["run_3"]
    for alone in ("run_6", "run_7", "run_3"):
        assert waiting.behind(view, alone).waiting.runs == 0
    blocked = waiting.blocked(view)
    assert (blocked.keys, blocked.waiting.runs, [key.head.id for key in blocked.heads]) == (1, 2, ["run_1"])
    assert blocked.waiting == blocked.heads[0].waiting == behind.waiting


async def test_a_hold_is_over_the_runs_that_a_held_one_has_called(
    set_up: Stage, orders: HoldOrders, view: View
) -> None:
    await add_runs(
        set_up,
        {"id": "run_1", "key": "a", "state": "waiting"},
        {"id": "run_2", "key": "b", "flow": "child", "parent_run": "run_1"},
        {"id": "run_3", "key": "c", "flow": "grandchild", "parent_run": "run_2"},
        {"id": "run_4", "key": "d", "flow": "child", "parent_run": "run_gone"},
    )
    await orders.hold(Held(kind=HoldKind.RUN, name="run_1"), reason=REASON, actor="local")
    with set_up.database.reading() as connection:
        found = held.held(connection, view.environment)
        for run, key, flow, parent, expected in (
            ("run_1", "a", FLOW, None, True),
            ("run_2", "b", "child", "run_1", True),
            ("run_3", "c", "grandchild", "run_2", True),
            ("run_4", "d", "child", "run_gone", False),
        ):
            over = held.hold_over(connection, found, run=run, key=key, flow=flow, parent_run=parent)
            assert over == (("hold:run:run_1:", REASON) if expected else None)
        assert held.held(connection, "elsewhere") == held.Holds()
