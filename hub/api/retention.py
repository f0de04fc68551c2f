"""Retention over the API: what would be pruned, and the order to do it now."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.operate.retention import Pruning

router = APIRouter(prefix="/api/retention")


@router.get("", summary="What would be pruned now")
async def outlook(request: Request, _principal: Annotated[Principal, Depends(needs(Permission.VIEW))]) -> Response:
    """Give the policy in seconds, what it would take now, and what it took last; nothing is changed."""
    pruning: Pruning = request.app.state.pruning
    found = await pruning.outlook()
    seconds = {
        name: None if time is None else int(time.total_seconds())
        for name, time in (("payloads", found.payloads), ("answers", found.answers))
    }
    return answer({**seconds, "due": asdict(found.due), "last": found.last, "last_at": found.last_at})


@router.post("/prune", summary="Prune now")
async def prune(request: Request, principal: Annotated[Principal, Depends(needs(Permission.PRUNE))]) -> Response:
    """Take away what is older than the policy, in small transactions; answers when it is done."""
    pruning: Pruning = request.app.state.pruning
    return answer(asdict(await pruning.prune(actor=principal.actor)))
