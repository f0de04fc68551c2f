"""The audit log over the API: read, and verified."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.queries import audit, integrity

router = APIRouter(prefix="/api/audit")


@router.get("", summary="The newest audit entries")
async def listing(
    request: Request,
    _principal: Annotated[Principal, Depends(needs(Permission.READ_AUDIT))],
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """List the newest entries, newest first."""
    return answer({"entries": audit.recent(request.app.state.view, limit=limit)})


@router.post("/verify", summary="Verify the audit log")
async def verify(
    request: Request, _principal: Annotated[Principal, Depends(needs(Permission.READ_AUDIT))]
) -> dict[str, Any]:
    """Check every entry; each fault names the entry it concerns."""
    state = request.app.state
    verdict = await asyncio.to_thread(integrity.verify, state.database, state.verifier)
    return verdict.to_json()
