"""Flows: the list, and one flow as a graph and in words."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.queries import flows, holds, runs
from hub.queries.runs import RunFilter
from ui.doors import Door
from ui.visits import Visit


def listing(visit: Visit) -> Response:
    """List the flows of the present revision."""
    values = {"flows": flows.listing(visit.console.view, visit.console.bundle())}
    return visit.show("flows.html", values)


def detail(visit: Visit) -> Response:
    """Show one flow."""
    view = visit.console.view
    found = flows.detail(view, visit.console.bundle(), visit.place("name"))
    latest = runs.listing(view, RunFilter(flow=found.flow.name), limit=8).runs
    return visit.page("flow.html", detail=found, runs=latest, hold=holds.of_flow(view, found.flow.name))


DOORS = (
    Door(method="GET", path="/flows", needs=Permission.VIEW, handler=listing),
    Door(method="GET", path="/flows/{name}", needs=Permission.VIEW, handler=detail),
)
