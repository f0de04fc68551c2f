"""Crossrefs over the API: look up, and tie ids together."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.operate.orders import Orders
from hub.queries import crossrefs

router = APIRouter(prefix="/api/crossrefs")


class Links(BaseModel):
    """Rows of system → id, each naming one thing; `replace` lets a row change what was tied before."""

    model_config = ConfigDict(extra="forbid")

    rows: list[dict[str, str]] = Field(max_length=10_000)
    replace: bool = False


@router.put("/{entity}", summary="Tie ids together")
async def put(
    request: Request,
    entity: str,
    links: Links,
    principal: Annotated[Principal, Depends(needs(Permission.WRITE_CROSSREF))],
) -> dict[str, int]:
    """Tie the ids of each row; runs that wait for one go on."""
    orders: Orders = request.app.state.orders
    return {"rows": await orders.link(entity, links.rows, actor=principal.actor, replace=links.replace)}


@router.get("", summary="List crossrefs")
async def listing(
    request: Request,
    _principal: Annotated[Principal, Depends(needs(Permission.VIEW))],
    entity: str | None = None,
    id: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> Response:
    """List things by entity or by an id in any system."""
    found = crossrefs.find(request.app.state.view, entity=entity, id=id, limit=limit)
    return answer({"things": [_listed(each) for each in found]})


def _listed(thing: crossrefs.Thing) -> dict[str, Any]:
    aliases: dict[str, list[str]] = {}
    for system, id in thing.aliases:
        aliases.setdefault(system, []).append(id)
    return {"entity": thing.entity, "thing": thing.thing, "ids": dict(thing.ids), "aliases": aliases}
