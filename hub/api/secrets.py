"""Secrets over the API: stored, never read back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, SecretStr

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.queries import secrets

router = APIRouter(prefix="/api/secrets")


class Values(BaseModel):
    """The secret fields of a connector's settings."""

    model_config = ConfigDict(extra="forbid")

    values: dict[str, SecretStr]


@router.get("", summary="List secrets")
async def listing(
    request: Request, _principal: Annotated[Principal, Depends(needs(Permission.STORE_SECRET))]
) -> Response:
    """List names, versions and ages; the values cannot be read."""
    return answer({"secrets": secrets.listing(request.app.state.view)})


@router.post("/rotate-key", summary="Change the vault key")
async def rotate_key(
    request: Request,
    principal: Annotated[Principal, Depends(needs(Permission.STORE_SECRET))],
    forget: Annotated[bool, Query(description="Take earlier keys out of the key file.")] = False,  # noqa: FBT002 - a query
) -> Response:
    """Seal all secrets with a new vault key while the hub serves; gives what was done."""
    rotate: Callable[..., Awaitable[Any]] = request.app.state.rotate_key
    return answer(await rotate(forget=forget, actor=principal.actor))


@router.put("/{name}", summary="Store a secret")
async def put(
    request: Request,
    name: str,
    secret: Values,
    principal: Annotated[Principal, Depends(needs(Permission.STORE_SECRET))],
) -> dict[str, Any]:
    """Seal a new version; the connections that name it use it from now on."""
    store: Callable[..., Awaitable[int]] = request.app.state.store_secret
    values = {field: value.get_secret_value() for field, value in secret.values.items()}
    return {"name": name, "version": await store(name, values, actor=principal.actor)}
