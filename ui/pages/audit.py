"""The audit log: the latest decisions and changes."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.queries import audit
from ui.doors import Door
from ui.visits import Visit


def listing(visit: Visit) -> Response:
    """List the newest entries, or older ones."""
    before = visit.query("before")
    page = audit.page(visit.console.view, before=before)
    return visit.page("audit.html", lines=page.lines, older=page.older, paged=before is not None)


DOORS = (Door(method="GET", path="/audit", needs=Permission.READ_AUDIT, handler=listing),)
