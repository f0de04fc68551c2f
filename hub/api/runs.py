"""Runs over the API: lists, one in full, replay, cancel, take back."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.errors import FixData
from hub.model.run import RunState, StepState
from hub.operate.holds import LONGEST_REASON
from hub.operate.runs import From, RunOrders
from hub.queries import runs, timeline, waiting
from hub.queries.view import View
from hub.sdk import exact_json

router = APIRouter(prefix="/api/runs")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
PayloadViewer = Annotated[Principal, Depends(needs(Permission.VIEW_PAYLOADS))]
Replayer = Annotated[Principal, Depends(needs(Permission.REPLAY))]
Editor = Annotated[Principal, Depends(needs(Permission.EDIT_PAYLOAD))]
Repeater = Annotated[Principal, Depends(needs(Permission.REPEAT_EFFECT))]
Canceller = Annotated[Principal, Depends(needs(Permission.CANCEL_RUN))]
Undoer = Annotated[Principal, Depends(needs(Permission.UNDO_RUN))]

Revision = Literal["same", "current"]


class Replay(BaseModel):
    """Where it begins and with which revision of the workspace.

    It begins at `from_step`, or where the run stopped (`from_failure`), or, without either, at its start.
    """

    model_config = ConfigDict(extra="forbid")

    from_step: str | None = Field(default=None, max_length=1000)
    from_failure: bool = False
    bundle: Revision = "same"
    reason: str = Field(default="", max_length=LONGEST_REASON)

    def begin(self) -> From:
        """Give where it begins."""
        if self.from_failure and self.from_step is not None:
            raise FixData("A replay begins at a step or where the run stopped, not at both.", code="two-beginnings")
        return From(step=self.from_step, failure=self.from_failure)

    @property
    def current(self) -> bool:
        """Tell whether the workspace of now is meant."""
        return self.bundle == "current"


class Repeat(Replay):
    """Which writes exist already, by their effect keys, and are to be made once more; and why."""

    confirmed: list[str] = Field(max_length=10_000)
    reason: str = Field(min_length=1, max_length=LONGEST_REASON)


class Edit(BaseModel):
    """The record as it should have been, and why; with `preview` only what that changes is told."""

    model_config = ConfigDict(extra="forbid")

    record: Any
    reason: str = Field(default="", max_length=LONGEST_REASON)
    bundle: Revision = "same"
    preview: bool = False


class Reason(BaseModel):
    """Why somebody orders something."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST_REASON)


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
    """Give a run with its event, steps, attempts, effects, exceptions, and what waits behind it."""
    return answer(timeline.detail(request.app.state.view, run_id, payloads=True))


@router.get("/{run_id}/items", summary="Items of a loop of a run")
async def items(
    request: Request,
    run_id: str,
    _principal: PayloadViewer,
    of: Annotated[str, Query(min_length=1, max_length=1000, description="the loop's path, or `undo:`")],
    state: StepState | None = None,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Response:
    """Give one page of the items of a loop with the steps inside them, those that failed first."""
    return answer(timeline.items(request.app.state.view, run_id, of, state=state, number=page, payloads=True))


@router.get("/{run_id}/behind", summary="What waits behind a run")
async def behind(request: Request, run_id: str, _principal: Viewer) -> Response:
    """Give the runs of the same key that wait behind it, with their money by currency."""
    return answer(waiting.behind(request.app.state.view, run_id))


@router.post("/{run_id}/replay", status_code=201, summary="Make a run again")
async def replay(request: Request, run_id: str, order: Replay, principal: Replayer) -> dict[str, str]:
    """Replay with the same effect keys, in the run's place in the order; gives the new run's id."""
    orders: RunOrders = request.app.state.run_orders
    new_id = await orders.replay(
        run_id, actor=principal.actor, start=order.begin(), current=order.current, reason=order.reason
    )
    return {"run": new_id}


@router.post("/{run_id}/repeat", status_code=201, summary="Make a run's writes once more")
async def repeat(request: Request, run_id: str, order: Repeat, principal: Repeater) -> dict[str, str]:
    """Replay with new effect keys, so that what exists is written a second time; each such write has to be named."""
    orders: RunOrders = request.app.state.run_orders
    new_id = await orders.replay(
        run_id,
        actor=principal.actor,
        start=order.begin(),
        current=order.current,
        reason=order.reason,
        confirmed=order.confirmed,
    )
    return {"run": new_id}


@router.get("/{run_id}/record", summary="The record that a run reads, to be edited")
async def record(request: Request, run_id: str, _principal: Editor) -> Response:
    """Give what an edited replay takes: the record of the run's event."""
    orders: RunOrders = request.app.state.run_orders
    return answer(orders.record(run_id))


@router.post(
    "/{run_id}/edit",
    status_code=201,
    summary="Make a run again with an edited record",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": Edit.model_json_schema()}}}
    },
)
async def edit(request: Request, run_id: str, principal: Editor) -> Response:
    """Replay with another record in the place of the event's own, which stays as it is.

    It must fit the schema that the event claims, and be about the same thing. With `preview` nothing is ordered: the
    answer tells what the edit changes.
    """
    orders: RunOrders = request.app.state.run_orders
    # Not read by the framework, whose floats would lose digits of amounts.
    try:
        order = Edit.model_validate(exact_json.loads(await request.body()))
    except ValidationError as error:
        raise RequestValidationError(error.errors()) from None
    current = order.bundle == "current"
    changes = await orders.preview_edit(run_id, order.record, current=current)
    if order.preview:
        return answer({"changes": changes})
    new_id = await orders.replay(
        run_id, actor=principal.actor, current=current, reason=order.reason, record=order.record
    )
    return answer({"run": new_id, "changes": changes}, status=201)


@router.post("/{run_id}/ask-again", summary="Have a held run ask its policy again")
async def ask_again(request: Request, run_id: str, principal: Replayer) -> dict[str, str]:
    """Have a run that a policy holds ask it again now; it goes on only when the policy lets it."""
    orders: RunOrders = request.app.state.run_orders
    await orders.ask_again(run_id, actor=principal.actor)
    return {"run": run_id}


@router.post("/{run_id}/cancel", summary="End a run")
async def cancel(request: Request, run_id: str, why: Reason, principal: Canceller) -> dict[str, str]:
    """End a run; what it did stays done. One that is at work ends once its last write's outcome is known."""
    orders: RunOrders = request.app.state.run_orders
    state = await orders.cancel(run_id, actor=principal.actor, reason=why.reason)
    return {"run": run_id, "state": state.value, "stopping": "" if state is RunState.CANCELLED else "cancel"}


@router.post("/{run_id}/undo", summary="Take back what a run did")
async def undo(request: Request, run_id: str, why: Reason, principal: Undoer) -> dict[str, str]:
    """Take back what a run did, the last write first, also of one that has succeeded; then it is compensated."""
    orders: RunOrders = request.app.state.run_orders
    state = await orders.take_back(run_id, actor=principal.actor, reason=why.reason)
    ended = state in (RunState.CANCELLED, RunState.COMPENSATED)
    return {"run": run_id, "state": state.value, "stopping": "" if ended else "compensate"}
