"""Revisions over the API: what serves, plans of what another would change, and publishing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.errors import HubError
from hub.queries import revisions
from hub.queries.view import View
from hub.release.desk import Confirmation, Desk, Job, Wanted
from hub.release.folder import FolderState
from hub.release.parcel import unpacked
from hub.release.shadow import MOST_EVENTS
from hub.workspace.origin import Origin

router = APIRouter(prefix="/api/revisions")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
Planner = Annotated[Principal, Depends(needs(Permission.PLAN_REVISION))]
Publisher = Annotated[Principal, Depends(needs(Permission.PUBLISH_REVISION))]
Events = Annotated[int, Field(ge=0, le=MOST_EVENTS)]


class RevisionOrder(BaseModel):
    """A revision: a word the hub knows (`published`, a number, a bundle's id), or files and their commit."""

    model_config = ConfigDict(extra="forbid")

    word: str = Field(max_length=200)
    files: str | None = None
    commit: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")
    dirty: bool = False


class PlanOrder(BaseModel):
    """Which two revisions are compared, and over how many of the newest events."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    before: RevisionOrder = Field(alias="from", default_factory=lambda: RevisionOrder(word="published"))
    after: RevisionOrder = Field(alias="to")
    events: Events = 1000


class PublishOrder(BaseModel):
    """Which revision is to serve; what must be confirmed is confirmed with a reason."""

    model_config = ConfigDict(extra="forbid")

    to: RevisionOrder
    events: Events = 1000
    confirm: bool = False
    reason: str | None = Field(default=None, max_length=2000)


@router.get("", summary="List revisions")
async def listing(
    request: Request,
    _principal: Viewer,
    before: int | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """List revisions, the newest first, and tell whether the workspace folder differs from what serves."""
    view: View = request.app.state.view
    folder: Callable[[], FolderState] = request.app.state.folder
    found = revisions.listing(view, limit=limit, before=before)
    return answer({"environment": view.environment, "revisions": found, "folder": folder()})


@router.post("/plan", status_code=202, summary="Plan a revision")
async def plan(request: Request, order: PlanOrder, _principal: Planner) -> Response:
    """Begin to compare two revisions; ask for the job until it is done."""
    desk: Desk = request.app.state.desk
    return answer(_job(desk.plan(_wanted(order.before), _wanted(order.after), events=order.events)))


@router.post("/publish", status_code=202, summary="Publish a revision")
async def publish(request: Request, order: PublishOrder, principal: Publisher) -> Response:
    """Begin to publish; the job is `held` when something must be confirmed with a reason first."""
    desk: Desk = request.app.state.desk
    confirmation = Confirmation(confirmed=order.confirm, reason=order.reason)
    return answer(_job(desk.publish(_wanted(order.to), confirmation, actor=principal.actor, events=order.events)))


@router.get("/jobs/{job_id}", summary="How far a plan or publish is")
async def job(request: Request, job_id: str, _principal: Planner) -> Response:
    """Give a job with its progress, and its plan once it has one."""
    desk: Desk = request.app.state.desk
    return answer(_job(desk.job(job_id)))


@router.delete("/jobs/{job_id}", summary="Cancel a plan")
async def cancel(request: Request, job_id: str, _principal: Planner) -> Response:
    """End a job at the next event; what was published stays published."""
    desk: Desk = request.app.state.desk
    return answer(_job(desk.cancel(job_id)))


@router.get("/{number}", summary="One revision in full")
async def detail(request: Request, number: int, principal: Viewer) -> Response:
    """Give a revision with what was known of its change when it was published."""
    found = revisions.detail(request.app.state.view, number)
    plan = found.plan if principal.may(Permission.VIEW_PAYLOADS) else revisions.without_examples(found.plan)
    return answer({"revision": found.revision, "current": found.current, "plan": plan})


def _wanted(order: RevisionOrder) -> Wanted:
    files = None if order.files is None else unpacked(order.files)
    origin = None if order.commit is None else Origin(commit=order.commit, dirty=order.dirty)
    return Wanted(word=order.word, files=files, origin=origin)


def _job(found: Job) -> dict[str, Any]:
    return {
        "job": found.id,
        "state": found.state,
        "progress": {"done": found.progress.done, "total": found.progress.total},
        "plan": found.plan,
        "number": found.number,
        "how": found.how,
        "problem": _problem(found.problem),
    }


def _problem(error: HubError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    facts = {name: str(fact) for name, fact in error.facts.items()}
    return {"code": error.code, "detail": error.detail, "facts": facts}
