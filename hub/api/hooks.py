"""The webhook door: raw bytes in, verified before anything is read, durable before it is acknowledged."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from starlette.routing import Route

from hub.api.problems import BodyTooLarge
from hub.intake.door import Intake

#: No vendor of the money path sends more in one webhook.
MAX_BODY = 1024 * 1024
#: A sender hears the 413 only if its body is read to the end; beyond this the connection is just closed.
LONGEST_PATIENCE = 16 * MAX_BODY

router = APIRouter()


@router.post("/hooks/{connection}", status_code=202, summary="Take a webhook of a connection")
async def hook(request: Request, connection: Annotated[str, Path(max_length=100)]) -> Response:
    """Answer 202 once the event is durable; 401 not trusted, 404 unknown connection, 413 too large."""
    return await _take(request, connection)


async def take(request: Request) -> Response:
    """Take a webhook as `hook` does, by a path of its own (`ROUTE`)."""
    return await _take(request, request.path_params["connection"])


#: Put before all other routes, it takes the webhooks past what reads parameters by their types: that costs as much as
#: making an event durable. `hook` describes it to whoever reads the API's description.
ROUTE = Route("/hooks/{connection}", take, methods=["POST"])


async def _take(request: Request, connection: str) -> Response:
    intake: Intake = request.app.state.intake
    body = await _body(request, intake, connection)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers.raw}
    await intake.webhook(connection, headers, body)
    return Response(status_code=202)


async def _body(request: Request, intake: Intake, connection: str) -> bytes:
    parts, size = bytearray(), 0
    async for part in request.stream():
        size += len(part)
        if size <= MAX_BODY:
            parts += part
        elif size > LONGEST_PATIENCE:
            break
    if size > MAX_BODY:
        intake.count_refusal(intake.bucket(connection), "too-large")
        raise BodyTooLarge(limit=MAX_BODY)
    return bytes(parts)
