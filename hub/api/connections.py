"""Connections over the API: health, pause and resume."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.runs import Reason
from hub.api.security import needs
from hub.operate.orders import Orders
from hub.queries import connections

router = APIRouter(prefix="/api/connections")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
Controller = Annotated[Principal, Depends(needs(Permission.CONTROL_CONNECTION))]


@router.get("", summary="List connections with their health")
async def listing(request: Request, _principal: Viewer) -> Response:
    """List the connections of this environment."""
    return answer({"connections": connections.listing(request.app.state.view, request.app.state.accounts)})


@router.post("/{name}/pause", summary="Pause a connection")
async def pause(request: Request, name: str, why: Reason, principal: Controller) -> dict[str, str]:
    """Let a connection take no more work; its runs wait."""
    orders: Orders = request.app.state.orders
    await orders.set_connection(name, active=False, reason=why.reason, actor=principal.actor)
    return {"connection": name, "state": "paused"}


@router.post("/{name}/resume", summary="Resume a connection")
async def resume(request: Request, name: str, why: Reason, principal: Controller) -> dict[str, str]:
    """Let a connection and the runs that wait for it go on."""
    orders: Orders = request.app.state.orders
    await orders.set_connection(name, active=True, reason=why.reason, actor=principal.actor)
    return {"connection": name, "state": "active"}
