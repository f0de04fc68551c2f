"""Salesforce's error bodies: a JSON array with a code, a sentence and the fields; HTML where a gateway answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from hub.sandbox.exact_json import json_answer
from hub.sandbox.problem import Problem

_PAGE = (
    "<html><head><title>{title}</title></head><body><h1>{title}</h1>"
    "<p>We are down for maintenance, or the server could not be reached.</p></body></html>"
)
#: What the kit's refusals are in Salesforce's words. There is no 429: whoever asks too much gets a 403.
_KIT: Mapping[int, tuple[int, str, str]] = {
    400: (400, "FIELD_INTEGRITY_EXCEPTION", "The request was refused."),
    401: (401, "INVALID_SESSION_ID", "Session expired or invalid"),
    403: (403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id"),
    404: (404, "NOT_FOUND", "The requested resource does not exist"),
    409: (409, "CONFLICT", "The resource is in another state than the request needs."),
    410: (410, "GONE", "The requested resource is no longer available"),
    429: (403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
    500: (
        500,
        "UNKNOWN_EXCEPTION",
        "An unexpected error occurred. Please include this ErrorId if you contact support: 1234567890-12345 (-1)",
    ),
    503: (503, "SERVER_UNAVAILABLE", "The server is temporarily unavailable."),
}


class Refusal(Exception):
    """A request, or one record of it, is refused; `more` stands beside code and message in the error's object."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        fields: Sequence[str] | None = None,
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take the code, the sentence and the names of the fields that it is about."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields
        self.more = dict(more or {})
        self.headers = dict(headers or {})

    def body(self) -> list[dict[str, Any]]:
        """Give the array that a call is answered with."""
        named = {} if self.fields is None else {"fields": list(self.fields)}
        return [{"message": self.message, "errorCode": self.code, **named, **self.more}]

    def in_collection(self) -> dict[str, Any]:
        """Give the object that stands among the errors of one record of a collection."""
        named = {"statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}
        return {**named, **self.more}


class Undone(Exception):
    """Everything since the last mark is to be undone; `answer` is what the caller is told nevertheless."""

    def __init__(self, answer: Any) -> None:
        """Take the answer."""
        super().__init__("undone")
        self.answer = answer


def missing_resource() -> Refusal:
    """Refuse an address that leads nowhere."""
    return Refusal("NOT_FOUND", "The requested resource does not exist", status=404)


def no_such_column(field: str, name: str) -> Refusal:
    """Refuse a field that an object does not have, or that is hidden from the user."""
    return Refusal("INVALID_FIELD", f"No such column '{field}' on sobject of type {name}")


def session_invalid() -> Refusal:
    """Refuse a token that is unknown, revoked or too long idle."""
    return Refusal(
        "INVALID_SESSION_ID", "Session expired or invalid", status=401, headers={"WWW-Authenticate": "Token"}
    )


def gateway_page(status: int) -> web.Response:
    """Answer as the machines in front of Salesforce do: with a page."""
    title = {502: "502 Bad Gateway", 504: "504 Gateway Time-out"}.get(status, "503 Service Unavailable")
    return web.Response(text=_PAGE.format(title=title), status=status, content_type="text/html")


def render(problem: Problem) -> web.Response:
    """Put a failure of the kit into Salesforce's words; there is no Retry-After, whatever is asked for."""
    if problem.status in (502, 504):
        return gateway_page(problem.status)
    status, code, message = _KIT.get(problem.status, _KIT[500])
    headers = {"WWW-Authenticate": "Token"} if status == 401 else None
    return json_answer([{"message": message, "errorCode": code}], status=status, headers=headers)
