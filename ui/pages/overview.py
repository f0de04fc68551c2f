"""The first page: what is going on, what is stuck, and what it may cost."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import NotFound
from hub.model.hold import HoldKind
from hub.queries import alarms, approvals, cases, connections, flows, holds, overview, runs, waiting
from hub.queries.runs import RunFilter
from ui import records
from ui.doors import Door
from ui.visits import Visit


def show(visit: Visit) -> Response:
    """Show the overview, or its live part."""
    view, bundle = visit.console.view, visit.console.bundle()
    listed = flows.listing(view, bundle)
    busiest = max(listed, key=lambda flow: (sum(flow.runs.values()), flow.steps), default=None)
    values = {
        "overview": overview.read(view),
        "flows": listed,
        "main": flows.detail(view, bundle, busiest.name) if busiest is not None else None,
        "groups": cases.groups(view)[:5],
        "asking": approvals.waiting(view, payloads=visit.may(Permission.VIEW_PAYLOADS), limit=4),
        "asking_total": approvals.pending_count(view),
        "asking_money": approvals.money_waiting(view),
        "alarms": alarms.listing(view, visit.console.watched),
        "stopped": [
            connection
            for connection in connections.listing(view, visit.console.accounts)
            if connection.standing is connections.Standing.PAUSED
        ],
        "name_of": records.name_of,
        "held": [each for each in holds.listing(view).holds if each.kind is not HoldKind.CONNECTION],
        "blocked": waiting.blocked(view),
        "runs": runs.listing(view, RunFilter(), limit=9).runs,
    }
    return visit.show("overview.html", values)


def badge(visit: Visit) -> Response:
    """Show the number of open exceptions beside the navigation."""
    return visit.part("badge.html", open_cases=cases.open_count(visit.console.view))


def nowhere(visit: Visit) -> Response:
    """Answer for an address that leads nowhere."""
    raise NotFound("No page of the console has this address.", address=visit.request.url.path)


DOORS = (
    Door(method="GET", path="/", needs=Permission.VIEW, handler=show),
    Door(method="GET", path="/badge", needs=Permission.VIEW, handler=badge),
)
