"""Exceptions: the work list by what is alike, one exception with its runbook, and what can be done about it."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.model.case import CaseFilter
from hub.queries import cases, effects, timeline
from ui.doors import Door
from ui.progress import Progress
from ui.replays import plan_replay
from ui.visits import Visit

#: So many writes in doubt are shown with an exception; the others have pages of their own.
MOST_DOUBTS = 5


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
    return visit.page("exception_group.html", page=page, group=found)


def detail(visit: Visit) -> Response:
    """Show one exception."""
    console = visit.console
    found = cases.detail(console.view, visit.place("id"), console.bundle())
    payloads = visit.may(Permission.VIEW_PAYLOADS)
    run = timeline.detail(console.view, found.case.run_id, payloads=payloads)
    flow = console.bundle().flows.get(found.case.flow)
    differences = tuple(part.strip() for part in found.facts.get("differences", "").split("; ") if part.strip())
    return visit.page(
        "exception.html",
        detail=found,
        run=run,
        doubts=tuple(
            effects.detail(console.view, key, console.accounts, payloads=payloads)
            for key in found.in_doubt[:MOST_DOUBTS]
        ),
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
    """Replay every exception of a group, from where each stopped, some at a time and behind all other work."""
    fingerprint, view = visit.place("fingerprint"), visit.console.view
    group = next((each for each in cases.groups(view) if each.fingerprint == fingerprint), None)
    progress = Progress.of(visit.form, group.count if group is not None else 0)
    done = await visit.console.run_orders.replay_cases(
        CaseFilter(fingerprint=fingerprint),
        actor=visit.actor,
        current=True,
        after=progress.after,
    )
    progress = progress.add(seen=done.seen, done=done.replayed, left=done.left, after=done.next)
    return visit.show(
        "progress.html",
        {
            "heading": "Replay together",
            "words": "runs are replayed",
            "back": "/exceptions",
            "back_name": "Exceptions",
            "action": f"/exceptions/alike/{fingerprint}/replay",
            "total": progress.total,
            "seen": progress.seen,
            "done": progress.done,
            "left": progress.left,
            "next": done.next,
            "form": progress.form(),
        },
    )


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
