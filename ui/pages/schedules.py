"""Schedules: when flows start next, what became of their firings, and the orders on them."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.queries import alarms, schedules
from ui.doors import Door
from ui.visits import Visit


def listing(visit: Visit) -> Response:
    """List the schedules of the present revision."""
    console = visit.console
    found = alarms.listing(console.view, console.watched)
    return visit.show("schedules.html", {"schedules": schedules.listing(console.view, console.bundle(), found)})


def detail(visit: Visit) -> Response:
    """Show one schedule with its last firings."""
    console = visit.console
    found = alarms.listing(console.view, console.watched)
    shown = schedules.detail(console.view, console.bundle(), found, visit.place("flow"))
    runbooks = {alarm.runbook: console.bundle().runbook(alarm.runbook) for alarm in shown.schedule.alarms}
    return visit.show("schedule.html", {"detail": shown, "runbooks": runbooks})


async def run(visit: Visit) -> Response:
    """Start a scheduled flow now."""
    await visit.console.schedules.run_now(visit.place("flow"), actor=visit.actor)
    return visit.go(f"/schedules/{visit.place('flow')}", said="started")


async def hold(visit: Visit) -> Response:
    """Let a schedule start nothing."""
    flow = visit.place("flow")
    await visit.console.schedules.hold(flow, actor=visit.actor, reason=visit.form.get("reason", ""))
    return visit.go(f"/schedules/{flow}", said="schedule-held")


async def resume(visit: Visit) -> Response:
    """Let a held schedule go on."""
    flow = visit.place("flow")
    await visit.console.schedules.resume(flow, actor=visit.actor, reason=visit.form.get("reason", ""))
    return visit.go(f"/schedules/{flow}", said="schedule-resumed")


DOORS = (
    Door(method="GET", path="/schedules", needs=Permission.VIEW, handler=listing),
    Door(method="GET", path="/schedules/{flow}", needs=Permission.VIEW, handler=detail),
    Door(method="POST", path="/schedules/{flow}/run", needs=Permission.CONTROL_SCHEDULE, handler=run),
    Door(method="POST", path="/schedules/{flow}/hold", needs=Permission.CONTROL_SCHEDULE, handler=hold),
    Door(method="POST", path="/schedules/{flow}/resume", needs=Permission.CONTROL_SCHEDULE, handler=resume),
)
