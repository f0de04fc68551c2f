"""Decisions over the API: which policy decided what, from what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.queries import decisions
from hub.queries.view import View

router = APIRouter(prefix="/api/decisions")

PayloadViewer = Annotated[Principal, Depends(needs(Permission.VIEW_PAYLOADS))]


@router.get("", summary="List decisions of policies")
async def listing(
    request: Request,
    _principal: PayloadViewer,
    policy: str | None = None,
    run: str | None = None,
    event: str | None = None,
    connection: str | None = None,
    before: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """List decisions with rule, inputs and version, the newest first; `next` is `before` of the following page."""
    view: View = request.app.state.view
    found = decisions.listing(
        view, policy=policy, run_id=run, event_id=event, connection=connection, before=before, limit=limit
    )
    return answer(found)
