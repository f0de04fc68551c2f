"""Stripe's errors: type, code, message and param, in the body Stripe gives them."""

from __future__ import annotations

from typing import Any, Self

from aiohttp import web

from hub.sandbox.exact_json import json_answer
from hub.sandbox.problem import Problem


class ApiError(Exception):
    """A request that Stripe refuses."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        stored: bool = False,
        **extra: Any,
    ) -> None:
        """Take the parts of the body; `stored` tells that execution had begun, so that the answer is replayed."""
        super().__init__(message)
        self.status = status
        self.stored = stored
        self.body: dict[str, Any] = {"error": {"message": message, "type": kind, **extra}}
        if code is not None:
            self.body["error"]["code"] = code
            self.body["error"]["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        if param is not None:
            self.body["error"]["param"] = param

    @classmethod
    def invalid(cls, message: str, *, param: str | None = None, code: str | None = None) -> Self:
        """The request does not make sense."""
        return cls(message, param=param, code=code)

    @classmethod
    def missing_parameter(cls, param: str) -> Self:
        """A required parameter is not there."""
        return cls(f"Missing required param: {param}.", param=param, code="parameter_missing")

    @classmethod
    def unknown_parameter(cls, param: str) -> Self:
        """A parameter is not one of this endpoint's."""
        return cls(f"Received unknown parameter: {param}", param=param, code="parameter_unknown")

    @classmethod
    def no_such(cls, kind: str, identifier: str, *, param: str = "id", status: int = 404) -> Self:
        """The object is not there: 404 when it is in the path, 400 when a parameter names it."""
        return cls(f"No such {kind}: '{identifier}'", status=status, param=param, code="resource_missing")

    @classmethod
    def not_editable(cls, message: str) -> Self:
        """The invoice is in a state that does not allow this."""
        return cls(message, code="invoice_not_editable", stored=True)


_MESSAGES = {
    "rate": "Request rate limit exceeded. Learn more about rate limits at https://stripe.com/docs/rate-limits.",
    "concurrency": "Too many requests are being processed at once. Please retry later.",
    "fault": "An error occurred with our connection to Stripe. Please try again later.",
    "crash": "An unknown error occurred",
}
_LIMITS = {
    "rate": "global-rate",
    "concurrency": "global-concurrency",
    "endpoint-rate": "endpoint-rate",
    "endpoint-concurrency": "endpoint-concurrency",
    "fault": "global-rate",
}


def render(problem: Problem) -> web.Response:
    """Put the kit's refusals into Stripe's words."""
    headers: dict[str, str] = {}
    error: dict[str, Any] = {"message": _MESSAGES.get(problem.reason, problem.detail)}
    if problem.status == 429:
        error |= {"type": "invalid_request_error", "code": "rate_limit", "message": _MESSAGES["rate"]}
        headers["Stripe-Rate-Limited-Reason"] = _LIMITS.get(problem.reason, "global-rate")
    else:
        error |= {"type": "api_error"}
    if problem.retry_after is not None:
        headers["Retry-After"] = problem.retry_after
    return json_answer({"error": error}, status=problem.status, headers=headers)
