"""Connections over the API: made, tested, paused and resumed, and how they do."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, SecretStr

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.runs import Reason
from hub.api.security import needs
from hub.connections.diagnosis import Diagnosis
from hub.operate.connecting import Connecting, Wish
from hub.operate.orders import Orders
from hub.queries import connections

router = APIRouter(prefix="/api/connections")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
Controller = Annotated[Principal, Depends(needs(Permission.CONTROL_CONNECTION))]


@router.get("", summary="List connections with their health")
async def listing(request: Request, _principal: Viewer) -> Response:
    """List the connections of this environment."""
    return answer({"connections": connections.listing(request.app.state.view, request.app.state.accounts)})


class Order(BaseModel):
    """An account to connect: settings and secrets by the field of its connector's settings."""

    model_config = ConfigDict(extra="forbid")

    connector: str
    name: str
    settings: dict[str, Any] = {}
    secrets: dict[str, SecretStr] = {}


@router.post("", summary="Connect an account")
async def connect(
    request: Request, order: Order, principal: Annotated[Principal, Depends(needs(Permission.STORE_SECRET))]
) -> Response:
    """Write its settings into the workspace, seal its secrets, and test it; gives what was done and the diagnosis."""
    connecting: Connecting = request.app.state.connecting
    wish = Wish(
        connector=order.connector,
        name=order.name,
        settings=order.settings,
        secrets={field: value.get_secret_value() for field, value in order.secrets.items()},
    )
    made = await connecting.connect(wish, actor=principal.actor)
    return answer(
        {
            "connection": made.connection,
            "written": made.written,
            "version": made.version,
            "serves": made.serves,
            "governed": made.governed,
            "diagnosis": told(made.diagnosis),
        }
    )


@router.get("/{name}/settings", summary="Show a connection's settings")
def settings(
    request: Request, name: str, _principal: Annotated[Principal, Depends(needs(Permission.STORE_SECRET))]
) -> Response:
    """Give the settings that the workspace's files have of it here, without its secrets; none for a new one."""
    connecting: Connecting = request.app.state.connecting
    return answer({"connection": name, "settings": connecting.known(name)})


@router.post("/{name}/test", summary="Test a connection")
async def test(request: Request, name: str, _principal: Controller) -> Response:
    """Look stage by stage at what keeps a connection from working; nothing is changed at the vendor."""
    connecting: Connecting = request.app.state.connecting
    return answer(told(await connecting.test(name)))


def told(diagnosis: Diagnosis) -> dict[str, Any]:
    """Give a diagnosis as JSON."""
    return {
        "connection": diagnosis.connection,
        "at": diagnosis.at,
        "works": diagnosis.works,
        "checks": diagnosis.checks,
    }


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
