"""The check-up over the API: how the hub and its machine are, with what to do."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs

router = APIRouter(prefix="/api/doctor")


@router.get("", summary="Examine the hub and its machine")
async def doctor(
    request: Request,
    _principal: Annotated[Principal, Depends(needs(Permission.EXAMINE))],
    deep: Annotated[bool, Query(description="Read every page, hash and audit entry as well.")] = False,  # noqa: FBT002 - a query
) -> Response:
    """Give the findings with their marks (`ok`, `note`, `warn`, `fail`), and the worst of these."""
    found = await request.app.state.doctor.examine(deep=deep)
    return answer({"mark": found.mark, "findings": found.findings})
