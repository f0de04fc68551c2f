"""Schemas: series and versions in use, when they go, and how payloads differ from them."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.queries import drift
from ui.doors import Door
from ui.visits import Visit

#: So many ways in which one series differs are shown; a page that is kept up to date must stay small.
MOST_SHOWN = 100


def listing(visit: Visit) -> Response:
    """Show every series, those that drift at first."""
    console = visit.console
    found = drift.series(console.view, console.bundle(), payloads=visit.may(Permission.VIEW_PAYLOADS))
    values = {
        "used": [series for series in found if series.in_use],
        "others": [series for series in found if not series.in_use],
        "most": MOST_SHOWN,
        "today": console.ambient.now().date(),
    }
    return visit.show("schemas.html", values)


DOORS = (Door(method="GET", path="/schemas", needs=Permission.VIEW, handler=listing),)
