"""Replays that want a page of their own: with an edited record, and of writes that exist already."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import HubError
from hub.operate.runs import FAILURE, From
from hub.queries import timeline
from hub.sdk import exact_json
from ui.doors import Door
from ui.payloads import plain
from ui.replays import FROM_FAILURE, MEANT_OTHERWISE, starting_points, written_from
from ui.visits import Visit

#: More writes than these are confirmed on the command line.
MOST_CONFIRMED = 60
#: A record that is edited may be as large as a webhook.
MAX_RECORD = 2 * 1024 * 1024


def edit(visit: Visit) -> Response:
    """Show the record that a run reads, ready to be corrected."""
    record = visit.console.run_orders.record(visit.place("id"))
    return _edit_page(visit, plain(record))


async def edited(visit: Visit) -> Response:
    """Show what an edit changes, or replay the run with it once that was confirmed."""
    text, orders, run_id = visit.form.get("record", ""), visit.console.run_orders, visit.place("id")
    current = visit.form.get("bundle") == "current"
    try:
        record = exact_json.loads(text)
        changes = await orders.preview_edit(run_id, record, current=current)
        if visit.form.get("sure") == "yes":
            new_id = await orders.replay(
                run_id, actor=visit.actor, current=current, record=record, reason=visit.form.get("reason", "")
            )
            return visit.go(f"/runs/{new_id}", said="replayed")
    except HubError as error:
        # What was typed must not be lost because of a comma.
        return _edit_page(visit, text, error=error, status=422)
    return _edit_page(visit, text, changes=changes)


def repeat(visit: Visit) -> Response:
    """Show what a run has written from a step on, to be confirmed one by one before it is written once more."""
    found = timeline.detail(visit.console.view, visit.place("id"), payloads=visit.may(Permission.VIEW_PAYLOADS))
    start = visit.query("from")
    return visit.page(
        "repeat.html",
        detail=found,
        start=start,
        starts=starting_points(found),
        stopped=FROM_FAILURE if found.run.reason in MEANT_OTHERWISE and found.replayable else None,
        again=written_from(found, start),
        most=MOST_CONFIRMED,
        current=visit.console.bundle().id,
    )


async def repeated(visit: Visit) -> Response:
    """Replay a run with new effects for the writes that were ticked."""
    confirmed = [name.removeprefix("confirm-") for name in visit.form if name.startswith("confirm-")]
    new_id = await visit.console.run_orders.replay(
        visit.place("id"),
        actor=visit.actor,
        start=FAILURE if visit.form.get("from") == FROM_FAILURE else From(step=visit.form.get("from") or None),
        current=visit.form.get("bundle") == "current",
        reason=visit.form.get("reason", ""),
        confirmed=confirmed,
    )
    return visit.go(f"/runs/{new_id}", said="repeated")


def _edit_page(
    visit: Visit,
    text: str,
    *,
    changes: object = None,
    error: HubError | None = None,
    status: int = 200,
) -> Response:
    found = timeline.detail(visit.console.view, visit.place("id"), payloads=False)
    return visit.page(
        "edit.html",
        status=status,
        detail=found,
        text=text,
        changes=changes,
        error=error,
        reason=visit.form.get("reason", ""),
        current=visit.console.bundle().id,
        wants_current=visit.form.get("bundle") == "current",
    )


DOORS = (
    Door(method="GET", path="/runs/{id}/edit", needs=Permission.EDIT_PAYLOAD, handler=edit),
    Door(method="POST", path="/runs/{id}/edit", needs=Permission.EDIT_PAYLOAD, handler=edited, most=MAX_RECORD),
    Door(method="GET", path="/runs/{id}/repeat", needs=Permission.REPEAT_EFFECT, handler=repeat),
    Door(method="POST", path="/runs/{id}/repeat", needs=Permission.REPEAT_EFFECT, handler=repeated),
)
