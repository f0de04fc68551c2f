"""AvaTax's refusals: error codes with their numbers, and the body they come in."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from hub.sandbox.exact_json import json_answer
from hub.sandbox.problem import Problem

#: Error code → its number in Avalara's reference, and its usual HTTP status.
CODES: dict[str, tuple[int, int]] = {
    "EntityNotFoundError": (4, 404),
    "InvalidQueryField": (17, 400),
    "InvalidQueryValue": (18, 400),
    "SyntaxError": (19, 400),
    "UnterminatedValueError": (21, 400),
    "AuthenticationException": (30, 401),
    "AuthenticationIncomplete": (34, 401),
    "OpenClauseException": (46, 400),
    "JsonFormatError": (47, 400),
    "InvalidDecimalValue": (48, 400),
    "UnhandledException": (50, 500),
    "ModelStateInvalid": (70, 400),
    "InvalidCountry": (125, 400),
    "TransactionAlreadyCancelled": (198, 400),
    "InternalServerError": (209, 500),
    "GetTaxError": (300, 400),
    "AddressConflictException": (301, 400),
    "DocumentCodeConflict": (303, 400),
    "MissingAddress": (304, 400),
    "FetchLimit": (308, 400),
    "InvalidAddress": (309, 400),
    "MissingLine": (311, 400),
    "InvalidDocumentTypesToFetch": (315, 400),
    "TimeoutRequested": (316, 504),
    "InvalidPostalCode": (317, 400),
    "DocumentNotCommitted": (313, 400),
    "CannotModifyLockedTransaction": (1100, 400),
    "TransactionIsCommitted": (1313, 400),
    "FieldNotQueryableError": (1408, 400),
    "InvalidDocumentStatus": (1314, 400),
    "ServiceNotReady": (1718, 503),
    "RateLimitExceededError": (1723, 429),
}


class Refusal(Exception):
    """AvaTax refuses a call, with one of its error codes."""

    def __init__(self, code: str, message: str, *, description: str = "", refers_to: str = "") -> None:
        """Take the code, the sentence, and what in the request it is about."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.description = description or message
        self.refers_to = refers_to


@dataclass(frozen=True, slots=True, kw_only=True)
class _Envelope:
    code: str
    message: str
    description: str
    refers_to: str

    def to_json(self) -> dict[str, object]:
        number, status = CODES[self.code]
        detail = {
            "code": self.code,
            "number": number,
            "message": self.message,
            "description": self.description,
            "faultCode": "Server" if status >= 500 else "Client",
            "helpLink": f"http://developer.avalara.com/avatax/errors/{self.code}",
            "refersTo": self.refers_to,
            "severity": "Exception" if status >= 500 else "Error",
        }
        target = "HttpRequestHeaders" if status == 401 else "HttpRequest"
        return {"error": {"code": self.code, "message": self.message, "target": target, "details": [detail]}}


def answer_refusal(refusal: Refusal) -> web.Response:
    """Put a refusal into the error envelope."""
    envelope = _Envelope(
        code=refusal.code,
        message=refusal.message,
        description=refusal.description,
        refers_to=refusal.refers_to,
    )
    return json_answer(envelope.to_json(), status=CODES[refusal.code][1])


def answer_problem(problem: Problem) -> web.Response:
    """Put what the kit reports (limits, faults) into AvaTax's words."""
    codes = {
        401: "AuthenticationException",
        429: "RateLimitExceededError",
        502: "ServiceNotReady",
        503: "ServiceNotReady",
    }
    code = codes.get(problem.status, "InternalServerError" if problem.reason == "crash" else "UnhandledException")
    answer = answer_refusal(Refusal(code, problem.detail))
    answer.set_status(problem.status)
    if problem.retry_after is not None:
        answer.headers["Retry-After"] = problem.retry_after
    return answer
