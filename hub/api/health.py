"""Whether the hub works, for load balancers and people."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from hub.api.answers import answer

router = APIRouter(prefix="/api")
#: What an orchestrator asks of every process, whatever its roles; open to everybody.
probes = APIRouter()


def version() -> str:
    """Give the version of the hub that runs."""
    try:
        return installed("concord-hub")
    except PackageNotFoundError:
        return "unknown"


@router.get("/health", summary="Whether the hub works")
async def health(request: Request) -> dict[str, Any]:
    """Tell that requests are answered, and how many alarms there are; open to everybody, so it says not which."""
    state = request.app.state
    number = await state.alarms()
    told = {"version": version(), "environment": state.environment, "alarms": number}
    replica = getattr(state, "replica", None)
    if replica is not None:
        told["replica"] = replica()
    return {"status": "alarmed" if number else "ok", **told}


@probes.get("/healthz", summary="Whether the process lives")
async def healthz(request: Request) -> dict[str, Any]:
    """Answer 200 as long as the process can answer at all.

    It must not be restarted because its database is away or full: nothing would be better after that.
    """
    state = request.app.state
    return {"status": "ok", "version": version(), "environment": state.environment, "roles": state.roles}


@probes.get("/readyz", summary="Whether the process takes new work")
async def readyz(request: Request) -> Response:
    """Answer 200 while new work is taken, and 503 with the reason while it is not."""
    return _readiness(request)


@router.get("/ready", summary="Whether the hub takes new work")
async def ready(request: Request) -> Response:
    """Answer 200 while new work is taken, and 503 with the reason while it is not; open to everybody."""
    return _readiness(request)


def _readiness(request: Request) -> Response:
    state = str(request.app.state.readiness())
    found = answer({"status": state})
    if state != "ready":
        found.status_code = 503
        found.headers["retry-after"] = "5"
    return found
