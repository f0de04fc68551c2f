"""The processes that share the hub's data: roles, versions, leases, and the runs in their hands."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs

router = APIRouter(prefix="/api/workers")


@router.get("", summary="List the processes that share the data")
async def workers(
    request: Request,
    _principal: Annotated[Principal, Depends(needs(Permission.VIEW))],
    ended: Annotated[bool, Query(description="Also those that have ended in the last week.")] = False,  # noqa: FBT002 - a query
) -> Response:
    """List them, the oldest first; `shared` is false where one process is alone with its data."""
    lines, shared = await asyncio.to_thread(request.app.state.workers, ended=ended)
    return answer({"shared": shared, "workers": lines})
