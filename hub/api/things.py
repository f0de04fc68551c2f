"""Things of master data over the API: what names them, what became of them, and what people say of two."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.errors import FixData, NotFound
from hub.model.thing import PairState
from hub.operate.orders import Orders
from hub.operate.things import LONGEST_REASON, ThingOrders
from hub.queries import things

router = APIRouter(prefix="/api")

Viewer = Annotated[Principal, Depends(needs(Permission.VIEW))]
Writer = Annotated[Principal, Depends(needs(Permission.WRITE_CROSSREF))]
Name = Annotated[str, Field(min_length=1, max_length=300)]


class Order(BaseModel):
    """Why something is ordered; people will ask what it rests on."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=1, max_length=LONGEST_REASON)


class Word(Order):
    """What a person says of a pair; of the same thing, which of the two stays and which ids others are given."""

    verdict: Literal["same", "different"]
    keep: str | None = None
    primary: dict[str, str] = Field(default_factory=dict)


class Merge(Order):
    """Which thing stays, which one becomes it, and by system the id that others are given."""

    into: Name
    gone: Name
    primary: dict[str, str] = Field(default_factory=dict)


class Split(Order):
    """The merge that is taken back."""

    merge: Name


class Move(Order):
    """What stands above the thing from now on: a thing, what a system calls so, or nothing."""

    parent: str | None = None
    system: str | None = None
    id: str | None = None


class Id(Order):
    """An id of a system."""

    system: Name
    id: Name


@router.get("/things", summary="Find things by an id that names them, or ever did")
async def listing(
    request: Request,
    principal: Viewer,
    id: Annotated[str, Query(min_length=1)],
    entity: str | None = None,
    at: AwareDatetime | None = None,
) -> Response:
    """Give each thing whole; with `at` (a time with its offset) as it was, and only those that the id named then.

    Names are withheld from whoever may not see payloads.
    """
    view, payloads = request.app.state.view, principal.may(Permission.VIEW_PAYLOADS)
    if at is not None:
        return answer({"things": things.at_moment(view, id=id, entity=entity, moment=at, payloads=payloads)})
    known = things.named(view, id=id, entity=entity)
    found = [things.show(view, of, thing, payloads=payloads) for of, thing in known]
    return answer({"things": found})


@router.get("/things/{entity}/{thing}", summary="Show a thing")
async def show(
    request: Request, entity: str, thing: str, principal: Viewer, at: AwareDatetime | None = None
) -> Response:
    """Give its ids, its place in the tree and its history; with `at` as it was."""
    payloads = principal.may(Permission.VIEW_PAYLOADS)
    found = things.show(request.app.state.view, entity, thing, moment=at, payloads=payloads)
    if found is None:
        raise NotFound("There has never been such a thing.", entity=entity, thing=thing)
    return answer(found)


@router.post("/things/{entity}/merge", summary="Make two things one")
async def merge(request: Request, entity: str, order: Merge, principal: Writer) -> dict[str, str]:
    """What named one names the other from now on; nothing is changed in any system."""
    name = await _orders(request).merge(
        entity,
        into=order.into,
        gone=order.gone,
        primary=order.primary,
        actor=principal.actor,
        reason=order.reason,
    )
    return {"thing": order.into, "merge": name}


@router.post("/things/{entity}/split", summary="Take a merge back")
async def split(request: Request, entity: str, order: Split, principal: Writer) -> dict[str, str]:
    """What came with the merge names its own thing again."""
    await _orders(request).split(entity, order.merge, actor=principal.actor, reason=order.reason)
    return {"merge": order.merge, "state": "split"}


@router.post("/things/{entity}/prefer", summary="Let another id of a system be given to others")
async def prefer(request: Request, entity: str, order: Id, principal: Writer) -> dict[str, str]:
    """An alias becomes the primary id, and that one an alias."""
    given = {"system": order.system, "id": order.id}
    await _orders(request).prefer(entity, **given, actor=principal.actor, reason=order.reason)
    return given


@router.post("/things/{entity}/untie", summary="Untie an id from its thing")
async def untie(request: Request, entity: str, order: Id, principal: Writer) -> dict[str, str]:
    """The id names nothing any more; the history keeps what it named."""
    given = {"system": order.system, "id": order.id}
    await _orders(request).untie(entity, **given, actor=principal.actor, reason=order.reason)
    return given


@router.post("/things/{entity}/{thing}/parent", summary="Put a thing under another one")
async def move(request: Request, entity: str, thing: str, order: Move, principal: Writer) -> dict[str, str | None]:
    """It goes with all that is below it; without a parent it stands under none."""
    parent = order.parent
    if order.system is not None and order.id is not None:
        of = {"system": order.system, "id": order.id}
        parent = things.thing_of(request.app.state.view, entity=entity, **of)
        if parent is None:
            raise NotFound("Nothing is tied to this id.", **of)
    elif (order.system is None) != (order.id is None):
        raise FixData("An id is told with its system.", code="half-an-id")
    await _orders(request).move(entity, thing, parent=parent, actor=principal.actor, reason=order.reason)
    return {"thing": thing, "parent": parent}


@router.get("/duplicates", summary="List records that may be about one thing")
async def duplicates(
    request: Request,
    principal: Viewer,
    entity: str | None = None,
    state: PairState = PairState.OPEN,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """List pairs, those that wait the oldest first; their records are withheld from whoever may not see payloads.

    `total` is how many there are, listed or not. `shared_keys` are keys whose values so many things have that nobody
    is asked about those.
    """
    view = request.app.state.view
    found = things.waiting(
        view,
        entity=entity,
        state=state,
        payloads=principal.may(Permission.VIEW_PAYLOADS),
        limit=limit,
    )
    total = things.count(view, state, entity=entity) if len(found) >= limit else len(found)
    return answer({"pairs": found, "total": total, "shared_keys": things.shared_keys(view)})


@router.get("/duplicates/{pair}", summary="Show two records side by side")
async def duplicate(request: Request, pair: str, principal: Viewer) -> Response:
    """Give both with the fields in which they differ."""
    found = things.pair(request.app.state.view, pair, payloads=principal.may(Permission.VIEW_PAYLOADS))
    if found is None:
        raise NotFound("There is no such pair.", pair=pair)
    return answer(found)


@router.post("/duplicates/{pair}", summary="Say whether two records are about one thing")
async def decide(request: Request, pair: str, order: Word, principal: Writer) -> dict[str, str]:
    """What is said counts for good; the run that waits goes on when it is replayed."""
    thing = await _orders(request).decide(
        pair,
        same=order.verdict == "same",
        keep=order.keep,
        primary=order.primary,
        actor=principal.actor,
        reason=order.reason,
    )
    return {"pair": pair, "verdict": order.verdict, "thing": thing}


def _orders(request: Request) -> ThingOrders:
    orders: Orders = request.app.state.orders
    return orders.things
