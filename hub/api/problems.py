"""Errors as RFC 9457 problem documents; here alone a HubError becomes an HTTP status."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from hub.errors import (
    Conflict,
    Fatal,
    FixConnection,
    FixData,
    HubError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    RetryLater,
    TooMuchAtOnce,
    WebhookRejected,
)
from hub.intake.deliveries import TooManyEvents
from hub.sdk import exact_json

MEDIA_TYPE = "application/problem+json"

#: Seconds after which a sender may come again, when nothing else is known.
COME_AGAIN = 5.0

#: The first family that fits counts.
_STATUSES: tuple[tuple[type[HubError], int], ...] = (
    (NotFound, 404),
    (Conflict, 409),
    (NotAllowed, 403),
    (NotAuthenticated, 401),
    (WebhookRejected, 401),
    (FixData, 422),
    (FixConnection, 409),
    (TooMuchAtOnce, 429),
    (RetryLater, 503),
    (Fatal, 503),
)


class BodyTooLarge(HubError):
    """The body is larger than this door takes."""

    code = "too-large"


class WrongMediaType(HubError):
    """The body is not of the content type this door takes."""

    code = "wrong-media-type"


class TooSlow(HubError):
    """The body did not come in time; nothing of it was taken."""

    code = "too-slow"


class WrongEncoding(HubError):
    """The body is packed in a way that this door does not unpack."""

    code = "wrong-encoding"


def status_of(error: HubError) -> int:
    """Give the HTTP status of an error's family."""
    if isinstance(error, TooSlow):
        return 408
    if isinstance(error, BodyTooLarge | TooManyEvents):
        return 413
    if isinstance(error, WrongMediaType | WrongEncoding):
        return 415
    return next((status for family, status in _STATUSES if isinstance(error, family)), 400)


def problem(
    status: int,
    *,
    code: str,
    title: str,
    detail: str,
    facts: dict[str, object] | None = None,
    after: float | None = None,
) -> Response:
    """Give a problem document; `after` asks to come again in so many seconds."""
    body = {"type": f"urn:concord:problem:{code}", "title": title, "status": status, "code": code, "detail": detail}
    if facts:
        body["facts"] = {name: str(fact) for name, fact in facts.items()}
    headers = {} if after is None else {"retry-after": str(max(1, math.ceil(after)))}
    return Response(exact_json.dumps(body), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def of_error(error: HubError) -> Response:
    """Give the problem document of an error."""
    title = (type(error).__doc__ or "").strip().splitlines()[0]
    after = (error.after or COME_AGAIN) if isinstance(error, RetryLater) else None
    return problem(
        status_of(error), code=error.code, title=title, detail=error.detail, facts=dict(error.facts), after=after
    )


def _place(location: Sequence[str | int]) -> str:
    """Name a field as its sender does: that it stands in the body or the query is said only of these themselves."""
    where, *within = location
    if within and isinstance(within[0], str) and where in ("body", "query"):
        return ".".join(map(str, within))
    return str(where) if where == "body" else ".".join(map(str, location))


def _told(fault: Mapping[str, Any]) -> str:
    """Say what is wrong with a field, in words where the framework has only its own."""
    match fault["type"]:
        case "missing":
            return "it is missing"
        case "string_too_short" if fault["ctx"]["min_length"] == 1:
            return "it must not be empty"
        case "extra_forbidden":
            return "it is not known here"
        case "json_invalid":
            return "it is not readable JSON"
        case "model_attributes_type" | "model_type":
            return "it is not a JSON object, sent as application/json"
        case _:
            return str(fault["msg"])


def install(app: FastAPI) -> None:
    """Let every error of the API leave as a problem document."""

    async def hub_error(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HubError)
        return of_error(error)

    async def invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        faults = {_place(fault["loc"]): _told(fault) for fault in error.errors()}
        return problem(
            422,
            code="invalid-request",
            title="The request does not fit.",
            detail="; ".join(f"{place}: {message}" for place, message in faults.items()),
        )

    async def http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return problem(
            error.status_code, code=f"http-{error.status_code}", title=str(error.detail), detail=str(error.detail)
        )

    app.add_exception_handler(HubError, hub_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
