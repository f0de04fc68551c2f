"""Streams over the API: how far each was read, what may be missing, and spans to be read again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.runs import Reason
from hub.api.security import needs
from hub.intake.backfills import Backfills
from hub.intake.listings import MOST_IN_ONE
from hub.intake.streams import Streams
from hub.queries import alarms, streams

router = APIRouter(prefix="/api")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
Controller = Annotated[Principal, Depends(needs(Permission.CONTROL_STREAM))]


class Span(BaseModel):
    """Which part of a stream is read again, both ends included, and why; without `until`, to this moment.

    Of a listing it is when the records were made; without `since`, all are meant, and with `batch` so many of them
    come in one event.
    """

    model_config = ConfigDict(extra="forbid")

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    batch: int | None = Field(default=None, ge=1, le=MOST_IN_ONE)
    reason: str = Field(min_length=1, max_length=1000)


@router.get("/streams", summary="List streams")
async def listing(request: Request, _principal: Viewer) -> Response:
    """List the streams of this environment's connections: how they are read, how far, and what went wrong."""
    state = request.app.state
    found = streams.listing(state.view, state.watched, alarms.listing(state.view, state.watched), state.polls.going)
    return answer({"streams": found})


@router.post("/streams/{connection}/{stream}/settle-gap", summary="Settle what may be missing of a stream")
async def settle(request: Request, connection: str, stream: str, why: Reason, principal: Controller) -> dict[str, int]:
    """Say that somebody has seen to what may be missing; gives how many gaps that were."""
    orders: Streams = request.app.state.streams
    return {"settled": await orders.settle_gap(connection, stream, actor=principal.actor, reason=why.reason)}


@router.post("/streams/{connection}/{stream}/backfill", status_code=201, summary="Read a span of a stream again")
async def backfill(request: Request, connection: str, stream: str, span: Span, principal: Controller) -> dict[str, str]:
    """Order a back-fill; what is known is left out, and its runs wait behind all others. Gives its id."""
    orders: Backfills = request.app.state.backfills
    made = await orders.order(
        connection,
        stream,
        since=None if span.since is None else _utc(span.since),
        until=None if span.until is None else _utc(span.until),
        actor=principal.actor,
        reason=span.reason,
        batch=span.batch,
    )
    orders.tick()
    return {"backfill": made}


@router.get("/backfills", summary="List back-fills")
async def backfills(request: Request, _principal: Viewer, limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> Response:
    """List back-fills with their progress, the newest first."""
    return answer({"backfills": streams.backfills(request.app.state.view, limit=limit)})


@router.get("/backfills/{backfill_id}", summary="Show a back-fill")
async def show(request: Request, backfill_id: str, _principal: Viewer) -> Response:
    """Show one back-fill with its progress."""
    return answer(streams.backfill(request.app.state.view, backfill_id))


@router.post("/backfills/{backfill_id}/cancel", summary="End a back-fill")
async def cancel(request: Request, backfill_id: str, why: Reason, principal: Controller) -> dict[str, str]:
    """End a back-fill that is open; what it has brought stays."""
    orders: Backfills = request.app.state.backfills
    await orders.cancel(backfill_id, actor=principal.actor, reason=why.reason)
    return {"backfill": backfill_id, "state": "cancelled"}


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
