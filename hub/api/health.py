"""Whether the hub works, for load balancers and people."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Any

from fastapi import APIRouter, Request

router = APIRouter(prefix="/api")


def version() -> str:
    """Give the version of the hub that runs."""
    try:
        return installed("concord-hub")
    except PackageNotFoundError:
        return "unknown"


@router.get("/health", summary="Whether the hub works")
async def health(request: Request) -> dict[str, Any]:
    """Tell that requests are answered; open to everybody, so it says nothing of the business."""
    return {"status": "ok", "version": version(), "environment": request.app.state.environment}
