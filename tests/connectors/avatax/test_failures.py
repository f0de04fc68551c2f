"""AvaTax's refusals are sorted by what to do."""

from __future__ import annotations

import pytest

from connectors.avatax.failures import ALREADY_VOID, classify
from hub.sdk.errors import (
    Conflict,
    FixConnection,
    FixData,
    HubError,
    LimitReached,
    NoSuchRecord,
    NotBegun,
    OutcomeUnknown,
)
from hub.sdk.exact_json import dumps
from hub.sdk.values import Response


def refusal(code: str, status: int = 400) -> Response:
    detail = {"code": code, "description": "Because.", "refersTo": "lines[1].taxCode"}
    return Response(status=status, body=dumps({"error": {"code": code, "message": "No.", "details": [detail]}}))


@pytest.mark.parametrize(
    ("code", "status", "family"),
    [
        ("AuthenticationException", 401, FixConnection),
        ("AuthenticationIncomplete", 401, FixConnection),
        ("AuthorizationException", 403, FixConnection),
        ("PermissionRequired", 403, FixConnection),
        ("CompanyInvalidException", 400, FixConnection),
        ("RateLimitExceededError", 429, LimitReached),
        ("ConcurrentRequestLimitExceeded", 400, LimitReached),
        ("ServiceNotReady", 503, NotBegun),
        ("IdentityServerError", 500, NotBegun),
        ("UnhandledException", 500, OutcomeUnknown),
        ("InternalServerError", 500, OutcomeUnknown),
        ("TimeoutRequested", 504, OutcomeUnknown),
        ("RemoteServerError", 400, OutcomeUnknown),
        ("DocumentCodeConflict", 400, Conflict),
        ("TransactionAlreadyExists", 400, Conflict),
        ("EntityNotFoundError", 404, NoSuchRecord),
        ("InvalidDocumentTypesToFetch", 400, NoSuchRecord),
        ("GetTaxError", 400, FixData),
        ("MissingAddress", 400, FixData),
        ("ModelStateInvalid", 400, FixData),
        ("InvalidDecimalValue", 400, FixData),
        ("SomethingNew", 400, FixData),
    ],
)
def test_a_code_says_what_to_do(code: str, status: int, family: type[HubError]) -> None:
    error = classify(refusal(code, status))
    assert type(error) is family
    assert error.facts == {
        "status": status,
        "error": code,
        "reason": "Because.",
        "refers_to": "lines[1].taxCode",
    }


def test_voiding_what_is_void_is_a_success() -> None:
    assert classify(refusal(ALREADY_VOID)) is None


def test_the_gateways_small_shape_is_read() -> None:
    error = classify(Response(status=400, body=b'{"code": 400, "message": "The request is not well-formed."}'))
    assert isinstance(error, FixData)
    assert error.detail == "The request is not well-formed."
