"""NetSuite's error bodies: a problem object with `o:` members, and the RESTlets' own shape."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from connectors.netsuite.sandbox.errands import RESOURCE
from hub.sandbox.exact_json import json_answer
from hub.sandbox.problem import Problem

_TITLES = {
    400: ("Bad Request", "10.4.1"),
    401: ("Unauthorized", "10.4.2"),
    403: ("Forbidden", "10.4.4"),
    404: ("Not Found", "10.4.5"),
    405: ("Method Not Allowed", "10.4.6"),
    415: ("Unsupported Media Type", "10.4.16"),
    # NetSuite's own sample of a 429 carries this title.
    429: ("Bad Request", "10.4.1"),
    500: ("Internal Server Error", "10.5.1"),
    503: ("Service Unavailable", "10.5.4"),
}


class Refusal(Exception):
    """A request is refused: `code` is the o:errorCode, `path` names the field, `parameter` or `header` the place.

    `headers` go out with the answer; `title` replaces the status's own.
    """

    def __init__(
        self,
        detail: str,
        *,
        code: str = "USER_ERROR",
        status: int = 400,
        path: str | None = None,
        parameter: str | None = None,
        header: str | None = None,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Take what is told to the caller."""
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.status = status
        self.path = path
        self.parameter = parameter
        self.header = header
        self.title = title
        self.headers = dict(headers or {})

    def answer(self) -> web.Response:
        """Put the refusal into the record service's words."""
        title, section = _TITLES.get(self.status, _TITLES[500])
        places = {"o:errorPath": self.path, "o:errorQueryParam": self.parameter, "o:errorHeader": self.header}
        detail = {
            "detail": self.detail,
            "o:errorCode": self.code,
            **{name: value for name, value in places.items() if value is not None},
        }
        body = {
            "type": f"https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html#sec{section}",
            "title": self.title or title,
            "status": self.status,
            "o:errorDetails": [detail],
        }
        answer = json_answer(body, status=self.status, headers=self.headers)
        answer.headers["Content-Type"] = f"{RESOURCE}; type=error"
        return answer


class ScriptError(Exception):
    """A RESTlet, or the shell around it, refuses a call."""

    def __init__(self, code: str, message: str, status: int = 400, *, headers: Mapping[str, str] | None = None) -> None:
        """Take NetSuite's code and sentence; `headers` go out with the answer."""
        super().__init__(message)
        self.code = code
        self.status = status
        self.headers = dict(headers or {})

    def answer(self) -> web.Response:
        """Put the refusal into the RESTlets' words."""
        body = {"error": {"code": self.code, "message": str(self)}}
        return json_answer(body, status=self.status, headers=self.headers)


def bad_value(value: object, field: str, path: str) -> Refusal:
    """Refuse a value that the field cannot hold or that names nothing."""
    return Refusal(
        "Error while accessing resource: "
        f"You have entered an Invalid Field Value {value} for the following field: {field}",
        code="INVALID_CONTENT",
        path=path,
    )


def missing(label: str, path: str) -> Refusal:
    """Refuse a record that lacks a required value."""
    return Refusal(f"Error while accessing a resource. Please enter value(s) for: {label}.", path=path)


def nonexistent(key: str) -> Refusal:
    """Refuse an address that leads to no record."""
    return Refusal(
        f"The record instance does not exist. Provide a valid record instance ID. ({key})",
        code="NONEXISTENT_ID",
        status=404,
    )


def too_many() -> Refusal:
    """Refuse a request over the account's concurrency limit."""
    return Refusal("Concurrent request limit exceeded. Request blocked.", code="CONCURRENCY_LIMIT_EXCEEDED", status=429)


def render(problem: Problem) -> web.Response:
    """Put a failure of the kit into NetSuite's words; no Retry-After, because NetSuite documents none."""
    if problem.status == 429:
        return too_many().answer()
    detail = "An unexpected error occurred. Error ID: sandbox" if problem.status == 500 else problem.detail
    return Refusal(detail, code="UNEXPECTED_ERROR", status=problem.status).answer()
