"""Runs over the API: lists, one in full, replay and cancel."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.model.run import RunState
from hub.operate.orders import Orders
from hub.queries import runs, timeline
from hub.queries.view import View

router = APIRouter(prefix="/api/runs")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
PayloadViewer = Annotated[Principal, Depends(needs(Permission.VIEW_PAYLOADS))]
Replayer = Annotated[Principal, Depends(needs(Permission.REPLAY))]
Canceller = Annotated[Principal, Depends(needs(Permission.CANCEL_RUN))]


class Replay(BaseModel):
    """From which step (none: from the start), and with the run's own bundle or the current one."""

    model_config = ConfigDict(extra="forbid")

    from_step: str | None = None
    bundle: Literal["same", "current"] = "same"


class Reason(BaseModel):
    """Why somebody orders something."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=1000)


@router.get("", summary="List runs")
async def listing(
    request: Request,
    _principal: Viewer,
    state: RunState | None = None,
    flow: str | None = None,
    key: str | None = None,
    text: str | None = None,
    before: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """List runs, the newest first; `next` of a page is `before` of the following one."""
    view: View = request.app.state.view
    found = runs.RunFilter(state=state, flow=flow, key=key, text=text)
    return answer(runs.listing(view, found, before=before, limit=limit))


@router.get("/{run_id}", summary="One run in full")
async def detail(request: Request, run_id: str, _principal: PayloadViewer) -> Response:
    """Give a run with its event, steps, attempts, effects and exceptions."""
    return answer(timeline.detail(request.app.state.view, run_id, payloads=True))


@router.post("/{run_id}/replay", status_code=201, summary="Make a run again")
async def replay(request: Request, run_id: str, order: Replay, principal: Replayer) -> dict[str, str]:
    """Replay with the same effect keys, in the run's place in the order; gives the new run's id."""
    orders: Orders = request.app.state.orders
    bundle = request.app.state.current_bundle().id if order.bundle == "current" else None
    return {"run": await orders.replay_run(run_id, actor=principal.actor, from_step=order.from_step, bundle=bundle)}


@router.post("/{run_id}/ask-again", summary="Have a held run ask its policy again")
async def ask_again(request: Request, run_id: str, principal: Replayer) -> dict[str, str]:
    """Have a run that a policy holds ask it again now; it goes on only when the policy lets it."""
    orders: Orders = request.app.state.orders
    await orders.ask_again(run_id, actor=principal.actor)
    return {"run": run_id}


@router.post("/{run_id}/cancel", summary="End a run")
async def cancel(request: Request, run_id: str, why: Reason, principal: Canceller) -> dict[str, str]:
    """End a run that is queued, waiting or parked; what it did stays done."""
    orders: Orders = request.app.state.orders
    await orders.cancel_run(run_id, actor=principal.actor, reason=why.reason)
    return {"run": run_id, "state": RunState.CANCELLED.value}
