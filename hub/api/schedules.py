"""Schedules over the API: when flows start next, what became of their firings, run now, hold and resume."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.runs import Reason
from hub.api.security import needs
from hub.intake.schedules import Schedules
from hub.queries import alarms, schedules

router = APIRouter(prefix="/api")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
Controller = Annotated[Principal, Depends(needs(Permission.CONTROL_SCHEDULE))]


@router.get("/alarms", summary="List what should have happened and has not")
async def alarming(request: Request, _principal: Viewer) -> Response:
    """List the alarms as they stand now, the oldest first; they are told once and stay until they are over."""
    return answer({"alarms": alarms.listing(request.app.state.view, request.app.state.watched)})


@router.get("/schedules", summary="List schedules")
async def listing(request: Request, _principal: Viewer) -> Response:
    """List the schedules of the revision that serves, with their next and last firings."""
    state = request.app.state
    found = schedules.listing(state.view, state.current_bundle(), alarms.listing(state.view, state.watched))
    return answer({"schedules": found})


@router.get("/schedules/{flow}", summary="One schedule with its last firings")
async def detail(request: Request, flow: str, _principal: Viewer) -> Response:
    """Give one schedule with its last firings, the newest first."""
    state = request.app.state
    found = alarms.listing(state.view, state.watched)
    return answer(schedules.detail(state.view, state.current_bundle(), found, flow))


@router.post("/schedules/{flow}/run", status_code=201, summary="Start a scheduled flow now")
async def run(request: Request, flow: str, principal: Controller) -> dict[str, str]:
    """Start a flow beside its times; gives the event that starts it. Its next time stays as it is."""
    orders: Schedules = request.app.state.schedules
    return {"schedule": flow, "event": await orders.run_now(flow, actor=principal.actor)}


@router.post("/schedules/{flow}/hold", summary="Hold a schedule")
async def hold(request: Request, flow: str, why: Reason, principal: Controller) -> dict[str, str]:
    """Let a schedule start nothing until it is resumed; what is due meanwhile is not made up for."""
    orders: Schedules = request.app.state.schedules
    await orders.hold(flow, actor=principal.actor, reason=why.reason)
    return {"schedule": flow, "state": "held"}


@router.post("/schedules/{flow}/resume", summary="Resume a schedule")
async def resume(request: Request, flow: str, why: Reason, principal: Controller) -> dict[str, str]:
    """Let a held schedule go on with its next time."""
    orders: Schedules = request.app.state.schedules
    await orders.resume(flow, actor=principal.actor, reason=why.reason)
    return {"schedule": flow, "state": "active"}
