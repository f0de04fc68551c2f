"""The audit log: the latest decisions and changes."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.queries import audit
from ui.doors import Door
from ui.visits import Visit


def listing(visit: Visit) -> Response:
    """List the newest entries, or those before a number."""
    before = visit.query("before")
    number = int(before) if before is not None and before.isdecimal() and len(before) < 19 else None
    lines = audit.recent(visit.console.view, before=number)
    return visit.page("audit.html", lines=lines, paged=number is not None)


DOORS = (Door(method="GET", path="/audit", needs=Permission.READ_AUDIT, handler=listing),)
