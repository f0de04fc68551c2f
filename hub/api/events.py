"""Events and numbers over the API."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.model.event import EventFilter, EventState
from hub.operate.events import MOST_AT_ONCE, EventOrders
from hub.queries import events, summary

router = APIRouter(prefix="/api")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
PayloadViewer = Annotated[Principal, Depends(needs(Permission.VIEW_PAYLOADS))]
Releaser = Annotated[Principal, Depends(needs(Permission.RELEASE_EVENT))]
Word = Annotated[str | None, Query(max_length=300)]


class ReleaseOrder(BaseModel):
    """Why the event is released."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=2000)


class Wanted(BaseModel):
    """Which events are meant; what is left out means any. `code` is the reason for which they were kept."""

    model_config = ConfigDict(extra="forbid")

    state: EventState | None = None
    connection: str | None = Field(default=None, max_length=300)
    type: str | None = Field(default=None, max_length=300)
    schema_: str | None = Field(default=None, alias="schema", max_length=300)
    kind: str | None = Field(default=None, max_length=300)
    path: str | None = Field(default=None, max_length=300)
    code: str | None = Field(default=None, max_length=300)


class BulkRelease(ReleaseOrder):
    """Which events are released, and why; `after` goes on behind an earlier answer's `next`."""

    filter: Wanted
    after: str | None = Field(default=None, max_length=100)
    limit: int = Field(default=MOST_AT_ONCE, ge=1, le=MOST_AT_ONCE)


@router.get("/events", summary="List events")
async def listing(
    request: Request,
    principal: Viewer,
    state: EventState | None = None,
    connection: Word = None,
    type: Word = None,
    schema: Word = None,
    kind: Word = None,
    path: Word = None,
    code: Word = None,
    text: Word = None,
    flagged: Literal["yes"] | None = None,
    before: Word = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """List events, the newest first; `next` of a page is `before` of the following one.

    `code` is the reason for which an event was kept, `kind` and `path` are those of a drift finding that it has.
    """
    wanted = EventFilter(
        state=state,
        connection=connection,
        type=type,
        schema=schema,
        reason=code,
        kind=kind,
        path=path,
        flagged=flagged is not None,
        text=text,
    )
    payloads = principal.may(Permission.VIEW_PAYLOADS)
    return answer(events.listing(request.app.state.view, wanted, payloads=payloads, before=before, limit=limit))


@router.get("/events/payloads", summary="Records that claim a schema")
async def payloads(
    request: Request,
    _principal: PayloadViewer,
    schema: Annotated[str, Query(min_length=1, max_length=300)],
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Give the records of the newest events of a schema (`name@version`) or of a whole series (`name`)."""
    return answer(events.payloads(request.app.state.view, schema, limit=limit))


@router.get("/events/{event_id}", summary="One event in full")
async def detail(request: Request, event_id: str, _principal: PayloadViewer) -> Response:
    """Give an event with its data, the runs it started, and what policies decided on it."""
    return answer(events.detail(request.app.state.view, event_id, payloads=True))


@router.post("/events/release", summary="Release many events")
async def release_all(request: Request, order: BulkRelease, principal: Releaser) -> Response:
    """Let kept events start what they should have started, the oldest first; each starts nothing twice."""
    orders: EventOrders = request.app.state.event_orders
    meant = order.filter
    wanted = EventFilter(
        state=meant.state,
        connection=meant.connection,
        type=meant.type,
        schema=meant.schema_,
        reason=meant.code,
        kind=meant.kind,
        path=meant.path,
    )
    done = await orders.release_all(
        wanted, actor=principal.actor, reason=order.reason, after=order.after, limit=order.limit
    )
    return answer(done)


@router.post("/events/{event_id}/release", summary="Release an event")
async def release(request: Request, event_id: str, order: ReleaseOrder, principal: Releaser) -> Response:
    """Let a kept event start what it should have started; a second order starts nothing twice."""
    orders: EventOrders = request.app.state.event_orders
    return answer(await orders.release(event_id, actor=principal.actor, reason=order.reason))


@router.get("/summary", summary="What the hub has in hand")
async def numbers(request: Request, _principal: Viewer) -> Response:
    """Count runs, effects, events and open exceptions."""
    return answer(summary.summary(request.app.state.view))
