"""Approvals over the API: what people are asked, and a person's vote."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hub.access.people import Person
from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import person_or_local, person_with
from hub.model.approval import ApprovalState
from hub.operate.approvals import ApprovalOrders
from hub.operate.holds import LONGEST_REASON
from hub.queries import approvals

router = APIRouter(prefix="/api/approvals")

Viewer = Annotated[Principal, Depends(person_or_local(Permission.VIEW))]
Approver = Annotated[Person, Depends(person_with(Permission.APPROVE))]


class Agreement(BaseModel):
    """The person's password once more, and what they want to say."""

    model_config = ConfigDict(extra="forbid")

    password: SecretStr = Field(max_length=1024)
    reason: str = Field(default="", max_length=LONGEST_REASON)


class Refusal(BaseModel):
    """Why it is refused."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST_REASON)


@router.get("", summary="List approvals")
async def listing(
    request: Request,
    principal: Viewer,
    state: ApprovalState | Literal["any"] = ApprovalState.PENDING,
    run: Annotated[str | None, Query(max_length=100)] = None,
    before: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """List approvals, the newest first; `next` of a page is `before` of the following one."""
    found = approvals.listing(
        request.app.state.view,
        state=None if state == "any" else state,
        run_id=run,
        payloads=principal.may(Permission.VIEW_PAYLOADS),
        before=before,
        limit=limit,
    )
    return answer(found)


@router.get("/{approval_id}", summary="One approval in full")
async def detail(request: Request, approval_id: str, principal: Viewer) -> Response:
    """Give what is asked, by which rule, who has said what, and until when; the record for who may see payloads."""
    payloads = principal.may(Permission.VIEW_PAYLOADS)
    return answer(approvals.detail(request.app.state.view, approval_id, payloads=payloads))


@router.post("/{approval_id}/approve", summary="Agree")
async def approve(request: Request, approval_id: str, order: Agreement, person: Approver) -> dict[str, str]:
    """Agree to what a run would write; it goes on once as many people as are needed have agreed."""
    orders: ApprovalOrders = request.app.state.approval_orders
    state = await orders.approve(
        approval_id, person=person, password=order.password.get_secret_value(), reason=order.reason
    )
    return {"approval": approval_id, "state": state.value}


@router.post("/{approval_id}/refuse", summary="Refuse")
async def refuse(request: Request, approval_id: str, order: Refusal, person: Approver) -> dict[str, str]:
    """Refuse it: the run stops for somebody who mends it, and writes nothing."""
    orders: ApprovalOrders = request.app.state.approval_orders
    state = await orders.refuse(approval_id, person=person, reason=order.reason)
    return {"approval": approval_id, "state": state.value}
