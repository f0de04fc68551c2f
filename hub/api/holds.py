"""Holds over the API: what is held, hold something, and let it go on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.model.hold import HoldKind
from hub.operate.holds import LONGEST_REASON, Held, HoldOrders
from hub.queries import holds

router = APIRouter(prefix="/api/holds")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
Holder = Annotated[Principal, Depends(needs(Permission.HOLD))]


class What(BaseModel):
    """What is meant: a run, a flow or a connection by its `name`, or the `key` of the flow `name`."""

    model_config = ConfigDict(extra="forbid")

    kind: HoldKind
    name: str = Field(min_length=1, max_length=300)
    key: str = Field(default="", max_length=1000)

    def meant(self) -> Held:
        """Give it as orders take it."""
        return Held(kind=self.kind, name=self.name, key=self.key)


class Hold(What):
    """What is to stand still, and why."""

    reason: str = Field(min_length=1, max_length=LONGEST_REASON)


class Resume(What):
    """What may go on, and why if there is something to say."""

    reason: str = Field(default="", max_length=LONGEST_REASON)


@router.get("", summary="List what is held")
async def listing(request: Request, _principal: Viewer) -> Response:
    """List what is held now with what waits for it, paused connections among it, and what was held lately."""
    return answer(holds.listing(request.app.state.view))


@router.post("", status_code=201, summary="Hold a run, a key, a flow or a connection")
async def hold(request: Request, order: Hold, principal: Holder) -> dict[str, str]:
    """Let nothing new of it go out from now on; what is on its way ends. A connection is paused."""
    _assert_may(order, principal)
    orders: HoldOrders = request.app.state.hold_orders
    await orders.hold(order.meant(), reason=order.reason, actor=principal.actor)
    return {"kind": order.kind.value, "name": order.name, "key": order.key, "state": "held"}


@router.post("/resume", summary="Resume what is held")
async def resume(request: Request, order: Resume, principal: Holder) -> dict[str, str]:
    """Let it and the runs that wait for it go on."""
    _assert_may(order, principal)
    orders: HoldOrders = request.app.state.hold_orders
    await orders.resume(order.meant(), reason=order.reason, actor=principal.actor)
    return {"kind": order.kind.value, "name": order.name, "key": order.key, "state": "resumed"}


def _assert_may(what: What, principal: Principal) -> None:
    """Ask for the right that pausing a connection has anywhere else."""
    if what.kind is HoldKind.CONNECTION:
        principal.require(Permission.CONTROL_CONNECTION)
