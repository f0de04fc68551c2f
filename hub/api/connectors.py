"""Connectors over the API: which are installed, how good they are, and what certification showed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.operate.connecting import Connecting
from hub.queries import connectors

router = APIRouter(prefix="/api/connectors")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]


@router.get("", summary="List the connectors that are installed")
def listing(request: Request, _principal: Viewer) -> Response:
    """List connectors with their operations, quality and certification, and packages that could not be loaded."""
    connecting: Connecting = request.app.state.connecting
    views = connectors.connector_views(connecting.connectors.values())
    broken = connectors.not_loaded(connecting.connectors)
    return answer(
        {
            "connectors": [connectors.view_as_json(view) for view in views],
            "broken": [connectors.plugin_as_json(plugin) for plugin in broken],
        }
    )


@router.get("/{name}", summary="One connector")
def one(request: Request, name: str, _principal: Viewer) -> Response:
    """Give one connector with its operations, quality and certification."""
    connecting: Connecting = request.app.state.connecting
    return answer(connectors.view_as_json(connectors.find(connecting.connectors, name)))
