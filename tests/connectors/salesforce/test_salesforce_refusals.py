"""What Salesforce's refusals mean, code by code, and what its answers tell of limits."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.salesforce.answers import first_refusal, results_of
from connectors.salesforce.failures import NEXT_WINDOW, classify, limits_seen, of_row
from hub.sdk.errors import (
    FixConnection,
    FixData,
    HubError,
    LimitKind,
    LimitReached,
    NoSuchRecord,
    NotBegun,
    OutcomeUnknown,
    RetryLater,
)
from hub.sdk.exact_json import dumps
from hub.sdk.values import Response

DAY = "TotalRequests Limit exceeded."
AT_ONCE = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."

CASES: list[tuple[int, str, str, type[HubError], str]] = [
    (400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access", NotBegun, "unable-to-lock-row"),
    (400, "DUPLICATE_VALUE", "duplicate value found", FixData, "duplicate-value"),
    (400, "DUPLICATES_DETECTED", "Use one of these records?", FixData, "duplicates-detected"),
    (400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]", FixData, "required-field-missing"),
    (400, "INVALID_QUERY_LOCATOR", "invalid query locator", FixData, "invalid-query-locator"),
    (400, "QUERY_TIMEOUT", "Your query request was running for too long.", RetryLater, "query-timeout"),
    (401, "INVALID_SESSION_ID", "Session expired or invalid", FixConnection, "invalid-session-id"),
    (403, "REQUEST_LIMIT_EXCEEDED", DAY, LimitReached, "day-used-up"),
    (403, "REQUEST_LIMIT_EXCEEDED", AT_ONCE, LimitReached, "limit-reached"),
    (403, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access", FixData, "insufficient-access-or-readonly"),
    (403, "API_DISABLED_FOR_ORG", "API is not enabled", FixConnection, "api-disabled-for-org"),
    (404, "ENTITY_IS_DELETED", "entity is deleted", NoSuchRecord, "entity-is-deleted"),
    (404, "NOT_FOUND", "The requested resource does not exist", NoSuchRecord, "not-found"),
    (410, "GONE", "The requested resource is no longer available", FixConnection, "version-retired"),
    (420, "", "", NotBegun, "not-begun"),
    (500, "UNKNOWN_EXCEPTION", "ErrorId: 1-2", OutcomeUnknown, "outcome-unknown"),
    (503, "SERVER_UNAVAILABLE", "maintenance", RetryLater, "server-unavailable"),
]


def refused(status: int, code: str, message: str = "", **more: Any) -> Response:
    """Give an answer as REST refuses."""
    body = dumps([{"message": message, "errorCode": code, **more}]) if code else b""
    return Response(status=status, body=body)


@pytest.mark.parametrize(("status", "code", "message", "family", "named"), CASES)
def test_each_code_has_its_family(status: int, code: str, message: str, family: type[HubError], named: str) -> None:
    error = classify(refused(status, code, message))
    assert type(error) is family
    assert error.code == named
    assert not message or error.facts["reason"] == message


def test_a_used_up_day_is_waited_for_and_a_moments_crowd_is_not() -> None:
    day, crowd = (classify(refused(403, "REQUEST_LIMIT_EXCEEDED", told)) for told in (DAY, AT_ONCE))
    assert isinstance(day, LimitReached)
    assert (day.kind, day.after) == (LimitKind.QUOTA, NEXT_WINDOW)
    assert isinstance(crowd, LimitReached)
    assert (crowd.kind, crowd.after) == (LimitKind.CONCURRENCY, None)


def test_a_page_of_a_gateway_is_no_word_of_salesforces() -> None:
    page = b"<html><title>502 Bad Gateway</title></html>"
    assert type(classify(Response(status=502, body=page))) is OutcomeUnknown
    assert type(classify(Response(status=503, body=page))) is RetryLater
    missing = classify(Response(status=404, body=page))
    assert isinstance(missing, FixData)
    assert "error" not in missing.facts


def test_several_matches_are_named() -> None:
    urls = ["/services/data/v68.0/sobjects/Account/001A", "/services/data/v68.0/sobjects/Account/001B"]
    error = classify(Response(status=300, body=dumps(urls)))
    assert isinstance(error, FixData)
    assert (error.code, error.facts["ids"]) == ("found-twice", "001A, 001B")


def test_a_row_of_a_collection_calls_its_code_otherwise() -> None:
    error = of_row([{"statusCode": "DUPLICATES_DETECTED", "message": "Use one of these?", "fields": ["Name"]}])
    assert isinstance(error, FixData)
    assert (error.code, error.facts["fields"]) == ("duplicates-detected", "Name")


def test_the_row_that_made_all_fall_is_told_not_those_that_fell_with_it() -> None:
    fell = {"statusCode": "ALL_OR_NONE_OPERATION_ROLLED_BACK", "message": "Record rolled back", "fields": []}
    own = {"statusCode": "STRING_TOO_LONG", "message": "Name: too large", "fields": ["Name"]}
    rows = [{"success": False, "errors": [one]} for one in (fell, own, fell)]
    error = first_refusal(results_of(Response(status=200, body=dumps(rows))))
    assert isinstance(error, FixData)
    assert (error.code, error.facts["record"], error.facts["refused"]) == ("string-too-long", 1, 1)
    locked = [{"success": False, "errors": [{**own, "statusCode": "UNABLE_TO_LOCK_ROW"}]}]
    assert isinstance(first_refusal(results_of(Response(status=200, body=dumps(locked)))), NotBegun)


@pytest.mark.parametrize(
    ("header", "used", "quota"),
    [
        ("api-usage=25/5000", 25, 5000),
        ("api-usage=18/15000; per-app-api-usage=17/250(appName=sample-app)", 18, 15000),
        ("api-bursts=1/750; api-usage=3/9", 3, 9),
    ],
)
def test_the_days_use_is_read(header: str, used: int, quota: int) -> None:
    seen = limits_seen(Response(status=200, headers={"sforce-limit-info": header}))
    assert seen is not None
    assert (seen.used, seen.quota) == (used, quota)


@pytest.mark.parametrize("header", ["", "per-app-api-usage=17/250(appName=a)", "api-usage=x/5", "api-usage=-1/5"])
def test_what_is_no_use_of_the_day_is_nothing(header: str) -> None:
    assert limits_seen(Response(status=200, headers={"sforce-limit-info": header})) is None
