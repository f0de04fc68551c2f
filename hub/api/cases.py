"""Exceptions over the API: lists, one in full, replay, assign and close."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.model.case import CaseFilter
from hub.operate.holds import LONGEST_REASON
from hub.operate.orders import Orders
from hub.operate.runs import MOST_AT_ONCE, RunOrders
from hub.queries import cases
from hub.queries.view import View

router = APIRouter(prefix="/api/cases")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
Replayer = Annotated[Principal, Depends(needs(Permission.REPLAY))]
Worker = Annotated[Principal, Depends(needs(Permission.WORK_CASE))]


class CaseReplay(BaseModel):
    """From the step that failed, or from the start; with the run's own bundle or the current one."""

    model_config = ConfigDict(extra="forbid")

    from_start: bool = False
    bundle: Literal["same", "current"] = "same"
    reason: str = Field(default="", max_length=LONGEST_REASON)


class Alike(BaseModel):
    """Which open exceptions are meant; what is left out means any, and one at least is given."""

    model_config = ConfigDict(extra="forbid")

    fingerprint: str | None = Field(default=None, max_length=300)
    reason: str | None = Field(default=None, max_length=300)
    flow: str | None = Field(default=None, max_length=300)
    path: str | None = Field(default=None, max_length=1000)


class BulkReplay(CaseReplay):
    """Which exceptions' runs are replayed, and how; `after` goes on behind an earlier answer's `next`."""

    filter: Alike
    after: str | None = Field(default=None, max_length=100)
    limit: int = Field(default=MOST_AT_ONCE, ge=1, le=MOST_AT_ONCE)


class Assignment(BaseModel):
    """Who takes care of it: a person's id, or nobody."""

    model_config = ConfigDict(extra="forbid")

    owner: str | None = Field(default=None, max_length=200)


class Closing(BaseModel):
    """How it was settled outside the hub."""

    model_config = ConfigDict(extra="forbid")

    resolution: str = Field(min_length=1, max_length=2000)


@router.get("", summary="List exceptions")
async def listing(
    request: Request,
    _principal: Viewer,
    state: Literal["open", "closed", "any"] = "open",
    reason: str | None = None,
    before: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """List exceptions, the newest first; `next` of a page is `before` of the following one."""
    view: View = request.app.state.view
    wanted = None if state == "any" else state
    return answer(cases.listing(view, state=wanted, reason=reason, before=before, limit=limit))


@router.get("/{case_id}", summary="One exception in full")
async def detail(request: Request, case_id: str, _principal: Viewer) -> Response:
    """Give an exception with its facts, how many are alike, and its runbook."""
    return answer(cases.detail(request.app.state.view, case_id, request.app.state.current_bundle()))


@router.post("/replay", summary="Replay the runs of many exceptions")
async def replay_all(request: Request, order: BulkReplay, principal: Replayer) -> Response:
    """Replay those that fit, the oldest first and behind all other work; `next` of the answer goes on."""
    orders: RunOrders = request.app.state.run_orders
    done = await orders.replay_cases(
        CaseFilter(**order.filter.model_dump()),
        actor=principal.actor,
        from_start=order.from_start,
        current=order.bundle == "current",
        reason=order.reason,
        after=order.after,
        limit=order.limit,
    )
    return answer(done)


@router.post("/{case_id}/replay", status_code=201, summary="Replay an exception's run")
async def replay(request: Request, case_id: str, order: CaseReplay, principal: Replayer) -> dict[str, str]:
    """Replay with the same effect keys; gives the new run's id."""
    orders: RunOrders = request.app.state.run_orders
    new_id = await orders.replay_case(
        case_id,
        actor=principal.actor,
        from_start=order.from_start,
        current=order.bundle == "current",
        reason=order.reason,
    )
    return {"run": new_id}


@router.post("/{case_id}/assign", summary="Give an exception an owner")
async def assign(request: Request, case_id: str, order: Assignment, principal: Worker) -> dict[str, str | None]:
    """Give it an owner, or take it away."""
    orders: Orders = request.app.state.orders
    await orders.assign_case(case_id, owner=order.owner, actor=principal.actor)
    return {"case": case_id, "owner": order.owner}


@router.post("/{case_id}/close", summary="Close an exception")
async def close(request: Request, case_id: str, order: Closing, principal: Worker) -> dict[str, str]:
    """Close what was settled outside the hub."""
    orders: Orders = request.app.state.orders
    await orders.close_case(case_id, resolution=order.resolution, actor=principal.actor)
    return {"case": case_id, "state": "closed"}
