"""Exceptions: the work list by what is alike, one exception with its runbook, and what can be done about it."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import HubError
from hub.queries import cases, timeline
from ui.doors import Door
from ui.replays import plan_replay
from ui.visits import Visit

#: How many exceptions one order may replay; the next order takes the next ones.
MOST_AT_ONCE = 200


def listing(visit: Visit) -> Response:
    """List the open exceptions by group, or the closed ones one by one."""
    view = visit.console.view
    shown = visit.query("show")
    if shown == "closed":
        return visit.page(
            "closed_exceptions.html", page=cases.listing(view, state="closed", before=visit.query("before"))
        )
    mine = visit.person.id if shown == "mine" and visit.person is not None else None
    values = {
        "groups": cases.groups(view, owner=mine),
        "mine": mine is not None,
        "at_risk": cases.at_risk(view),
        "total": cases.open_count(view),
    }
    return visit.show("exceptions.html", values)


def group(visit: Visit) -> Response:
    """List every open exception of one group."""
    view = visit.console.view
    page = cases.listing(view, fingerprint=visit.place("fingerprint"), before=visit.query("before"))
    found = next((each for each in cases.groups(view) if each.fingerprint == visit.place("fingerprint")), None)
    return visit.page("exception_group.html", page=page, group=found, most=MOST_AT_ONCE)


def detail(visit: Visit) -> Response:
    """Show one exception."""
    console = visit.console
    found = cases.detail(console.view, visit.place("id"), console.bundle())
    run = timeline.detail(console.view, found.case.run_id, payloads=visit.may(Permission.VIEW_PAYLOADS))
    flow = console.bundle().flows.get(found.case.flow)
    differences = tuple(part.strip() for part in found.facts.get("differences", "").split("; ") if part.strip())
    return visit.page(
        "exception.html",
        detail=found,
        run=run,
        plans=plan_replay(run, flow) if found.case.state == "open" else (),
        differences=tuple(part.partition(": ") for part in differences),
        step=next((step for step in run.steps if step.path == found.case.path), None),
        facts={name: fact for name, fact in found.facts.items() if name != "differences"},
    )


async def assign(visit: Visit) -> Response:
    """Make an exception the person's own, or give it back."""
    release = visit.form.get("release") == "yes"
    owner = None if release or visit.person is None else visit.person.id
    await visit.console.orders.assign_case(visit.place("id"), owner=owner, actor=visit.actor)
    said = "released" if release else "assigned"
    if visit.form.get("back") == "list":
        return visit.go("/exceptions", said=said)
    return visit.go(f"/exceptions/{visit.place('id')}", said=said)


async def replay(visit: Visit) -> Response:
    """Replay the run of an exception."""
    new_id = await visit.console.run_orders.replay_case(
        visit.place("id"),
        actor=visit.actor,
        from_start=visit.form.get("from", "") == "",
        current=visit.form.get("bundle") == "current",
    )
    return visit.go(f"/runs/{new_id}", said="replayed")


async def replay_group(visit: Visit) -> Response:
    """Replay every exception of a group, from the step that stopped each."""
    page = cases.listing(visit.console.view, fingerprint=visit.place("fingerprint"), limit=MOST_AT_ONCE)
    for case in page.cases:
        try:
            await visit.console.run_orders.replay_case(case.id, actor=visit.actor, current=True)
        except HubError:
            # Somebody else was quicker with this one; the list shows how it stands now.
            continue
    return visit.go("/exceptions", said="replayed-all")


async def close(visit: Visit) -> Response:
    """Close an exception that was settled elsewhere."""
    await visit.console.orders.close_case(
        visit.place("id"), resolution=visit.form.get("resolution", ""), actor=visit.actor
    )
    return visit.go(f"/exceptions/{visit.place('id')}", said="closed")


DOORS = (
    Door(method="GET", path="/exceptions", needs=Permission.VIEW, handler=listing),
    Door(method="GET", path="/exceptions/alike/{fingerprint}", needs=Permission.VIEW, handler=group),
    Door(method="POST", path="/exceptions/alike/{fingerprint}/replay", needs=Permission.REPLAY, handler=replay_group),
    Door(method="GET", path="/exceptions/{id}", needs=Permission.VIEW, handler=detail),
    Door(method="POST", path="/exceptions/{id}/assign", needs=Permission.WORK_CASE, handler=assign),
    Door(method="POST", path="/exceptions/{id}/replay", needs=Permission.REPLAY, handler=replay),
    Door(method="POST", path="/exceptions/{id}/close", needs=Permission.WORK_CASE, handler=close),
)
