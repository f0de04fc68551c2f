"""The stream that tells open pages that something has changed; they then ask for their own parts anew."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi.sse import ServerSentEvent
from starlette.requests import Request

from hub.access.permissions import Permission
from hub.errors import NotAuthenticated
from ui.console import Console
from ui.doors import recognise, require
from ui.visits import Visit

#: After so long without a change the session is looked at again.
_LOOK_SECONDS = 15.0
#: Changes closer together than this are told as one.
_REST_SECONDS = 1.0


async def changes(console: Console, request: Request) -> AsyncIterator[ServerSentEvent]:
    """Yield an event for every burst of changes, until the session or the process ends, or the browser goes away.

    The event's id is the version, so that a browser that comes back learns at once whether it has missed any.
    """
    seen = console.changes.version
    last = request.headers.get("last-event-id", "")
    if last.isdecimal() and int(last) != seen:
        seen = -1
    yield ServerSentEvent(comment="open", retry=2000)
    while not await request.is_disconnected():
        version = await console.changes.wait(seen, _LOOK_SECONDS)
        if console.changes.closed:
            return
        if version != seen:
            seen = version
            yield ServerSentEvent(event="changed", raw_data=str(version), id=str(version))
            await asyncio.sleep(_REST_SECONDS)
        visit = Visit(console=console, request=request)
        try:
            await require(await recognise(visit, Permission.VIEW, counts=False), Permission.VIEW)
        except NotAuthenticated:
            yield ServerSentEvent(event="ended", raw_data="session")
            return
