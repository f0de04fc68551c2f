"""Runs: the list with its filters, one run as a timeline, its replay and its end."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import FixData
from hub.model.flow_steps import UNDOING
from hub.model.run import RunState, StepState
from hub.operate.runs import FAILURE, From
from hub.queries import approvals, flows, runs, timeline
from hub.queries.run_tree import tree_of
from hub.queries.runs import RunFilter
from ui.doors import Door
from ui.replays import FROM_FAILURE, plan_replay, starting_points
from ui.visits import Visit


def listing(visit: Visit) -> Response:
    """List runs by the filters of the address."""
    view = visit.console.view
    state = _state(visit.query("state"))
    wanted = RunFilter(state=state, flow=visit.query("flow"), key=visit.query("key"), text=visit.query("text"))
    page = runs.listing(view, wanted, before=visit.query("before"))
    kept = {
        name: value for name in ("state", "flow", "key", "text", "before") if (value := visit.query(name)) is not None
    }
    values: dict[str, Any] = {
        "page": page,
        "filter": wanted,
        "address": "/runs" + (f"?{urlencode(kept)}" if kept else ""),
        "older": "/runs?" + urlencode({**kept, "before": page.next}) if page.next else None,
        "paged": "before" in kept,
    }
    if visit.wants_part:
        return visit.part("run_rows.html", **values)
    counted = runs.counts(view)
    totals = {each: sum(states.get(each, 0) for states in counted.values()) for each in RunState}
    names = sorted({*counted, *(flow.name for flow in flows.listing(view, visit.console.bundle()))})
    return visit.page("runs.html", totals=totals, flow_names=names, states=tuple(RunState), **values)


def detail(visit: Visit) -> Response:
    """Show one run, or its live part."""
    found = timeline.detail(visit.console.view, visit.place("id"), payloads=visit.may(Permission.VIEW_PAYLOADS))
    flow = visit.console.bundle().flows.get(found.run.flow)
    values = {
        "detail": found,
        "tree": tree_of(found.steps, found.loops),
        "plans": plan_replay(found, flow),
        "current": visit.console.bundle().id,
        "ahead": _ahead(visit, found),
        "starts": starting_points(found),
        "approvals": approvals.listing(visit.console.view, state=None, run_id=found.run.id).approvals,
    }
    return visit.show("run.html", values)


def _ahead(visit: Visit, found: timeline.RunDetail) -> tuple[flows.StepPlan, ...]:
    """Give the steps still to come, when the revision the run is pinned to is the one at hand."""
    bundle = visit.console.bundle()
    flow = bundle.flows.get(found.run.flow)
    if flow is None or bundle.id != found.run.bundle or found.run.state is RunState.CANCELLED:
        return ()
    done = {step.path for step in found.steps} | {loop.path for loop in found.loops}
    return tuple(plan for plan in flows.plan(flow, {}) if plan.id not in done)


def items(visit: Visit) -> Response:
    """Show a page of the items of a loop, or of what was taken back."""
    run_id, of, state = visit.place("id"), visit.query("of") or "", visit.query("state")
    number = int(visit.query("page") or "1") if (visit.query("page") or "1").isdecimal() else 1
    may = visit.may(Permission.VIEW_PAYLOADS)
    found = timeline.items(visit.console.view, run_id, of, state=_step_state(state), number=number, payloads=may)
    tree = tree_of(found.steps, found.loops, around=of)

    def page(wanted: int) -> str | None:
        kept = {"of": of, **({"state": state} if state else {}), "page": wanted}
        return f"/runs/{run_id}/items?{urlencode(kept)}" if 1 <= wanted <= found.pages else None

    return visit.page(
        "items.html",
        detail=found,
        called="What was taken back" if of == UNDOING else of,
        nodes=tree.undone or tree.steps,
        newer=page(number - 1),
        older=page(number + 1),
    )


async def replay(visit: Visit) -> Response:
    """Make a run again, from its start or from the step that stopped it."""
    start = visit.form.get("from", "")
    new_id = await visit.console.run_orders.replay(
        visit.place("id"),
        actor=visit.actor,
        start=FAILURE if start == FROM_FAILURE else From(step=start or None),
        current=visit.form.get("bundle") == "current",
    )
    return visit.go(f"/runs/{new_id}", said="replayed")


async def ask_again(visit: Visit) -> Response:
    """Have a held run ask its policy again now."""
    await visit.console.run_orders.ask_again(visit.place("id"), actor=visit.actor)
    return visit.go(f"/runs/{visit.place('id')}", said="asked-again")


async def cancel(visit: Visit) -> Response:
    """End a run, at once or as soon as it is known what became of its last write."""
    run_id = visit.place("id")
    state = await visit.console.run_orders.cancel(run_id, actor=visit.actor, reason=visit.form.get("reason", ""))
    return visit.go(f"/runs/{run_id}", said="cancelled" if state is RunState.CANCELLED else "cancelling")


async def undo(visit: Visit) -> Response:
    """Take back what a run did."""
    run_id = visit.place("id")
    state = await visit.console.run_orders.take_back(run_id, actor=visit.actor, reason=visit.form.get("reason", ""))
    return visit.go(f"/runs/{run_id}", said="cancelled" if state is RunState.CANCELLED else "undoing")


def _step_state(text: str | None) -> StepState | None:
    if text is None:
        return None
    try:
        return StepState(text)
    except ValueError:
        known = ", ".join(state.value for state in StepState)
        raise FixData("There is no such state of an item.", code="unknown-state", known=known) from None


def _state(text: str | None) -> RunState | None:
    if text is None:
        return None
    try:
        return RunState(text)
    except ValueError:
        raise FixData(
            "There is no such state of a run.", code="unknown-state", known=", ".join(state.value for state in RunState)
        ) from None


DOORS = (
    Door(method="GET", path="/runs", needs=Permission.VIEW, handler=listing),
    Door(method="GET", path="/runs/{id}", needs=Permission.VIEW, handler=detail),
    Door(method="GET", path="/runs/{id}/items", needs=Permission.VIEW, handler=items),
    Door(method="POST", path="/runs/{id}/replay", needs=Permission.REPLAY, handler=replay),
    Door(method="POST", path="/runs/{id}/ask-again", needs=Permission.REPLAY, handler=ask_again),
    Door(method="POST", path="/runs/{id}/cancel", needs=Permission.CANCEL_RUN, handler=cancel),
    Door(method="POST", path="/runs/{id}/undo", needs=Permission.UNDO_RUN, handler=undo),
)
