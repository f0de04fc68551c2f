"""Connections with their health, and the switch that stops and starts their work."""

from __future__ import annotations

from starlette.responses import Response

from hub.access.permissions import Permission
from hub.queries import connections
from ui.doors import Door
from ui.visits import Visit


def listing(visit: Visit) -> Response:
    """Show every connection of this environment."""
    values = {"connections": connections.listing(visit.console.view, visit.console.accounts)}
    return visit.show("connections.html", values)


async def pause(visit: Visit) -> Response:
    """Let a connection take no more work."""
    reason = visit.form.get("reason", "").strip()
    await visit.console.orders.set_connection(visit.place("name"), active=False, reason=reason, actor=visit.actor)
    return visit.go("/connections", said="paused")


async def resume(visit: Visit) -> Response:
    """Let a connection take work again."""
    await visit.console.orders.set_connection(visit.place("name"), active=True, reason="", actor=visit.actor)
    return visit.go("/connections", said="resumed")


DOORS = (
    Door(method="GET", path="/connections", needs=Permission.VIEW, handler=listing),
    Door(method="POST", path="/connections/{name}/pause", needs=Permission.CONTROL_CONNECTION, handler=pause),
    Door(method="POST", path="/connections/{name}/resume", needs=Permission.CONTROL_CONNECTION, handler=resume),
)
