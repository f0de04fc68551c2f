"""Drift over the API: how payloads differ from their schemas, and which versions are in use."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.queries import drift
from hub.queries.view import View

router = APIRouter(prefix="/api")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
Word = Annotated[str | None, Query(max_length=300)]


@router.get("/drift", summary="How payloads differ from their schemas")
async def listing(
    request: Request, principal: Viewer, connection: Word = None, schema: Word = None, kind: Word = None
) -> Response:
    """List what differs with count, first and last time, example and action; what was seen last stands at first."""
    view: View = request.app.state.view
    payloads = principal.may(Permission.VIEW_PAYLOADS)
    found = drift.listing(view, payloads=payloads, connection=connection, schema=schema, kind=kind)
    return answer({"drift": found})


@router.get("/schemas", summary="Series of schemas and their versions in use")
async def series(request: Request, principal: Viewer) -> Response:
    """List every registered series with its versions, the events of the last seven days, and what drifts."""
    view: View = request.app.state.view
    payloads = principal.may(Permission.VIEW_PAYLOADS)
    return answer({"series": drift.series(view, request.app.state.current_bundle(), payloads=payloads)})
