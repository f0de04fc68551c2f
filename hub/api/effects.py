"""Writes over the API: what is in doubt, one in full, and the word of a person who has found out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.model.effect import EffectState
from hub.operate.effects import EffectOrders
from hub.operate.holds import LONGEST_REASON
from hub.queries import effects, summary

router = APIRouter(prefix="/api/effects")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
PayloadViewer = Annotated[Principal, Depends(needs(Permission.VIEW_PAYLOADS))]
Resolver = Annotated[Principal, Depends(needs(Permission.RESOLVE_EFFECT))]


class Settle(BaseModel):
    """What became of a write, and from what it is known.

    Of one that was made, `output` is what the operation would have given: mostly `{"id": …}`, the target's id.
    """

    model_config = ConfigDict(extra="forbid")

    verdict: Literal["done", "not-applied"]
    evidence: str = Field(min_length=1, max_length=LONGEST_REASON)
    output: dict[str, Any] | None = None


@router.get("", summary="List writes")
async def listing(
    request: Request,
    _principal: Viewer,
    state: Annotated[list[EffectState] | None, Query()] = None,
    before: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """List writes in these states, by default those in doubt, the newest first; `next` goes on."""
    states = effects.IN_DOUBT if state is None else tuple(state)
    return answer(effects.listing(request.app.state.view, states=states, before=before, limit=limit))


@router.get("/open", summary="Writes whose outcome is not known yet")
async def open_effects(request: Request, _principal: Viewer) -> Response:
    """List the effects that have an intent and no outcome."""
    return answer({"effects": summary.open_effects(request.app.state.view)})


@router.get("/{key}", summary="One write in full")
async def detail(request: Request, key: str, _principal: PayloadViewer) -> Response:
    """Give a write with the request as it was recorded, its attempts, and what a person said of it."""
    found = effects.detail(request.app.state.view, key, request.app.state.accounts, payloads=True)
    return answer(found)


@router.post("/{key}/settle", summary="Say what became of a write")
async def settle(request: Request, key: str, order: Settle, principal: Resolver) -> Response:
    """Settle a write that nobody could find out about; its run goes on from there."""
    orders: EffectOrders = request.app.state.effect_orders
    done = await orders.settle(
        key,
        done=order.verdict == "done",
        evidence=order.evidence,
        output=order.output,
        actor=principal.actor,
    )
    return answer({"effect": key, "run": done.run, "still_in_doubt": done.still_in_doubt})
