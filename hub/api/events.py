"""Events and numbers over the API."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.model.event import EventState
from hub.queries import events, summary
from hub.queries.view import View

router = APIRouter(prefix="/api")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
PayloadViewer = Annotated[Principal, Depends(needs(Permission.VIEW_PAYLOADS))]


@router.get("/events", summary="List events")
async def listing(
    request: Request,
    _principal: Viewer,
    state: EventState | None = None,
    before: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """List events, the newest first; `next` of a page is `before` of the following one."""
    view: View = request.app.state.view
    return answer(events.listing(view, state=state, before=before, limit=limit))


@router.get("/events/{event_id}", summary="One event in full")
async def detail(request: Request, event_id: str, _principal: PayloadViewer) -> Response:
    """Give an event with its data and the runs it started."""
    return answer(events.detail(request.app.state.view, event_id, payloads=True))


@router.get("/summary", summary="What the hub has in hand")
async def numbers(request: Request, _principal: Viewer) -> Response:
    """Count runs, effects, events and open exceptions."""
    return answer(summary.summary(request.app.state.view))


@router.get("/effects/open", summary="Writes whose outcome is not known yet")
async def open_effects(request: Request, _principal: Viewer) -> Response:
    """List the effects that have an intent and no outcome."""
    return answer({"effects": summary.open_effects(request.app.state.view)})
