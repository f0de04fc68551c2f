"""A held run's page says who holds it and why, shows the decision with its values, and lets a person ask again."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import update

from hub.model.run import RunState
from hub.policy.rules import Decision
from hub.queries import runs, timeline
from hub.queries.runs import RunFilter
from hub.store import decisions, holds
from hub.store import tables as stored
from hub.store.committer import Transaction, Work
from tests.ui.stage import OPERATOR, VIEWER, Stage
from tests.ui.visitors import SignIn, order


async def held_run(set_up: Stage) -> str:
    """Let a waiting run be held by a policy; gives its id."""
    view = set_up.console.view
    run = runs.listing(view, RunFilter(state=RunState.WAITING)).runs[0]
    step = timeline.detail(view, run.id, payloads=False).steps[-1]
    decision = Decision(
        policy="erp-holds",
        kind="hold",
        version=7,
        rules=("closed <period>",),
        output={"reason": "The period 2026-01 is closed."},
        inputs={"input.tranDate": "2026-01-31"},
    )
    row = decisions.row(
        decision,
        id="decision_1",
        environment=view.environment,
        bundle="b",
        at=datetime(2026, 2, 1, tzinfo=UTC),
        run_id=run.id,
        path=step.path,
    )

    def work(transaction: Transaction) -> None:
        decisions.keep(transaction.connection, [row])
        held = {"wait_kind": "hold", "wait_on": holds.TOPIC, "reason": "closed <period>: The period 2026-01 is closed."}
        transaction.connection.execute(update(stored.runs).where(stored.runs.c.id == run.id).values(**held))

    await set_up.committer.commit(Work(work))
    return run.id


async def test_the_page_of_a_held_run(set_up: Stage, sign_in: SignIn) -> None:
    run_id = await held_run(set_up)
    operator, viewer = await sign_in(OPERATOR), await sign_in(VIEWER)
    page = (await operator.get(f"/runs/{run_id}")).text
    assert "Held by a policy." in page and "Closed &lt;period&gt;: The period 2026-01 is closed." in page
    assert "<strong>closed &lt;period&gt;</strong> of the policy <strong>erp-holds</strong>, version 7" in page
    assert "input.tranDate" in page
    # It waits, which is no failure.
    shown = timeline.detail(set_up.console.view, run_id, payloads=False)
    assert any(step.error is not None and step.state == "waiting" for step in shown.steps)
    assert 'class="error waits"' in page and 'class="error"' not in page
    seen = (await viewer.get(f"/runs/{run_id}")).text
    assert "erp-holds" in seen and "input.tranDate" not in seen and "Ask the policy again" not in seen
    assert (await order(operator, f"/runs/{run_id}", f"/runs/{run_id}/ask-again")).status_code == 303
    assert timeline.detail(set_up.console.view, run_id, payloads=False).run.state is RunState.QUEUED
    assert (await order(operator, "/crossrefs", f"/runs/{run_id}/ask-again")).status_code == 409
