"""Backups over the API: the hub copies its files into a folder of the command, which checks and packs them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from hub.access.permissions import Permission, Principal
from hub.api.answers import answer
from hub.api.security import needs
from hub.operate.backups import Backup, Backups
from hub.queries import restores

router = APIRouter(prefix="/api")

Keeper = Annotated[Principal, Depends(needs(Permission.BACK_UP))]


class Folder(BaseModel):
    """Where the copy goes: a folder on the hub's machine that belongs to the hub's user alone."""

    model_config = ConfigDict(extra="forbid")

    folder: str = Field(min_length=2, max_length=4096, pattern=r"^/")


class Made(BaseModel):
    """A backup that was made of a copy, and verified."""

    model_config = ConfigDict(extra="forbid")

    made_at: str = Field(pattern=r"^[0-9TZ:.+-]{10,40}$")
    bytes: int = Field(ge=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    entries: int = Field(ge=0)


@router.post("/backups/copy", status_code=202, summary="Copy the data while the hub works")
async def copy(request: Request, order: Folder, _principal: Keeper) -> Response:
    """Begin to copy database and signed heads as they are at one moment; ask for its progress until it is done."""
    backups: Backups = request.app.state.backups
    backups.start(Path(order.folder))
    return answer(backups.state)


@router.get("/backups/copy", summary="How far the copying is")
async def progress(request: Request, _principal: Keeper) -> Response:
    """Give the pages done; `problem` tells why there is no copy."""
    backups: Backups = request.app.state.backups
    return answer(backups.state)


@router.post("/backups/made", status_code=204, summary="Remember a backup")
async def made(request: Request, backup: Made, principal: Keeper) -> Response:
    """Write down when the last verified backup was made, and audit it."""
    backups: Backups = request.app.state.backups
    await backups.made(Backup(**backup.model_dump()), actor=principal.actor)
    return Response(status_code=204)


@router.get("/restore", summary="What became of what the data did not know after a restore")
async def restore(request: Request, _principal: Annotated[Principal, Depends(needs(Permission.VIEW))]) -> Response:
    """Count the writes that may have been made between the backup and the restore."""
    return answer(restores.reconciled(request.app.state.view))
