"""Connectors: which are installed, what they can do, how good they are, and what certification showed."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.queries import connectors
from ui.doors import Door
from ui.visits import Visit


def listing(visit: Visit) -> Response:
    """Show every connector that is installed, and the packages that could not be loaded."""
    installed = visit.console.connecting.connectors
    return visit.page(
        "connectors.html",
        connectors=connectors.connector_views(installed.values()),
        broken=connectors.not_loaded(installed),
    )


def one(visit: Visit) -> Response:
    """Show one connector, and the connections that speak through it."""
    name = visit.place("name")
    view = connectors.find(visit.console.connecting.connectors, name)
    used = sorted(each.name for each in visit.console.accounts.values() if each.connector.name == name)
    return visit.page("connector.html", each=view, connections=used)


DOORS = (
    Door(method="GET", path="/connectors", needs=Permission.VIEW, handler=listing),
    Door(method="GET", path="/connectors/{name}", needs=Permission.VIEW, handler=one),
)
