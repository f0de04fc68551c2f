"""The webhook door: raw bytes in, verified before anything is read, durable before it is acknowledged."""

from __future__ import annotations

from collections.abc import AsyncIterator, MutableMapping
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import Response
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope, Send

from hub.api import sending
from hub.api.bodies import parts, whole
from hub.api.problems import BodyTooLarge, of_error
from hub.errors import HubError
from hub.intake.door import Intake
from hub.sdk.connector import QUERY, Acknowledgement

#: No vendor of the money path sends more in one webhook.
MAX_BODY = 1024 * 1024

_PREFIX = "/hooks/"
_TAKEN: Message = {"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]}
_NOTHING: Message = {"type": "http.response.body", "body": b""}

router = APIRouter()


@router.post("/hooks/{connection}", status_code=202, summary="Take a webhook of a connection")
async def hook(request: Request, connection: str) -> Response:
    """Answer 202 once the event is durable; 401 not trusted, 404 unknown connection, 413 too large.

    A connector whose vendor wants to hear something else says what it is answered instead of 202.
    """
    said = await _take(request.app.state.intake, connection, request.scope, request.stream())
    if said is None:
        return Response(status_code=202)
    return Response(said.body, status_code=said.status, media_type=said.content_type)


@router.options("/hooks/{connection}", summary="Consent to webhooks of a connection")
async def consent(request: Request, connection: str) -> Response:
    """Answer 200 with the headers that the sender asks for; 401 refused, 404 for who is asked for no consent."""
    intake: Intake = request.app.state.intake
    return Response(headers={"allow": "POST", **intake.handshake(connection, dict(request.headers))})


class Door:
    """The application, with a way in of their own for webhooks and for sent events, which answers as their routes do.

    A webhook has one parameter and no answer: what a framework does for a request costs as much as making the event
    durable.
    """

    def __init__(self, app: FastAPI) -> None:
        """Stand before an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a webhook or sent events, or hand the request on."""
        if sending.is_meant(scope):
            await sending.serve(self._app.state.deliveries, scope, receive, send)
            return
        connection = _connection(scope)
        if connection is None:
            await self._app(scope, receive, send)
            return
        try:
            said = await _take(self._app.state.intake, connection, scope, parts(receive))
        except ClientDisconnect:
            return
        except HubError as error:
            await of_error(error)(scope, receive, send)
            return
        if said is None:
            await send(_TAKEN)
            await send(_NOTHING)
            return
        headers = [(b"content-type", said.content_type.encode()), (b"content-length", b"%d" % len(said.body))]
        await send({"type": "http.response.start", "status": said.status, "headers": headers})
        await send({"type": "http.response.body", "body": said.body})


def _connection(scope: Scope) -> str | None:
    if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(_PREFIX):
        return None
    name: str = scope["path"][len(_PREFIX) :]
    return name if name and "/" not in name else None


async def _take(
    intake: Intake, connection: str, scope: MutableMapping[str, Any], stream: AsyncIterator[bytes]
) -> Acknowledgement | None:
    body = await _body(stream, intake, connection)
    named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    # After the headers, so that none can stand in its place.
    named[QUERY] = scope.get("query_string", b"").decode("latin-1")
    await intake.webhook(connection, named, body)
    return intake.acknowledgement(connection)


async def _body(stream: AsyncIterator[bytes], intake: Intake, connection: str) -> bytes:
    try:
        return await whole(stream, MAX_BODY)
    except BodyTooLarge:
        intake.count_refusal(intake.bucket(connection), "too-large")
        raise
