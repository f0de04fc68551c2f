"""The console as a router: every door of every page, each with what it asks of whoever comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi import APIRouter, Depends, HTTPException
from fastapi.sse import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response

from hub.access.permissions import Permission
from hub.errors import NotAllowed, NotAuthenticated, NotFound
from ui import live
from ui.assets import assets
from ui.console import Console
from ui.doors import Door, enter, recognise, require
from ui.pages import (
    approvals,
    audit,
    connections,
    connectors,
    crossrefs,
    effects,
    events,
    exceptions,
    flows,
    holds,
    lineage,
    overview,
    remakes,
    revisions,
    runs,
    schedules,
    schemas,
    search,
    sign_in,
    streams,
    things,
)
from ui.visits import Visit

#: Every page of the console; a page that is not here does not exist.
DOORS: tuple[Door, ...] = (
    *sign_in.DOORS,
    *overview.DOORS,
    *flows.DOORS,
    *lineage.DOORS,
    *runs.DOORS,
    *remakes.DOORS,
    *holds.DOORS,
    *schedules.DOORS,
    *streams.DOORS,
    *effects.DOORS,
    *exceptions.DOORS,
    *approvals.DOORS,
    *connections.DOORS,
    *connectors.DOORS,
    *events.DOORS,
    *schemas.DOORS,
    *crossrefs.DOORS,
    *things.DOORS,
    *revisions.DOORS,
    *audit.DOORS,
    *search.DOORS,
)
#: Paths below these are no pages of the console; what is unknown there is answered by those who own them.
_FOREIGN = ("/api/", "/hooks/")


def router(console: Console) -> APIRouter:
    """Give the console's routes; include it last, because it answers for every address nobody else has.

    Raises `Fatal` when the browser files are missing from the installation.
    """
    files = assets()
    made = APIRouter(include_in_schema=False)
    for door in DOORS:
        made.add_api_route(door.path, _endpoint(console, door), methods=[door.method], response_model=None)

    async def static(version: str, name: str) -> Response:
        try:
            return files.answer(version, name)
        except NotFound as error:
            raise HTTPException(status_code=404, detail=error.detail) from None

    async def admitted(request: Request) -> None:
        try:
            visit = await recognise(Visit(console=console, request=request), Permission.VIEW, counts=False)
            await require(visit, Permission.VIEW)
        except (NotAuthenticated, NotAllowed) as error:
            raise HTTPException(status_code=401, detail=error.detail) from None

    async def stream(request: Request) -> AsyncIterator[ServerSentEvent]:
        async for event in live.changes(console, request):
            yield event

    made.add_api_route("/static/{version}/{name:path}", static, methods=["GET"], response_model=None)
    made.add_api_route(
        "/live", stream, methods=["GET"], response_class=EventSourceResponse, dependencies=[Depends(admitted)]
    )
    made.add_api_route("/{rest:path}", _nowhere(console), methods=["GET"], response_model=None)
    return made


def _endpoint(console: Console, door: Door) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await enter(console, door, request)

    return endpoint


def _nowhere(console: Console) -> Callable[[Request], Awaitable[Response]]:
    door = Door(method="GET", path="/{rest:path}", needs=Permission.VIEW, handler=overview.nowhere)

    async def endpoint(request: Request) -> Response:
        if request.url.path.startswith(_FOREIGN):
            raise HTTPException(status_code=404, detail="There is no such address.")
        return await enter(console, door, request)

    return endpoint
