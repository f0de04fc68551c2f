"""What NetSuite's refusals mean for the caller."""

from __future__ import annotations

import re
from typing import Any

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
from hub.sdk.exact_json import loads
from hub.sdk.limit_headers import retry_after
from hub.sdk.values import Response

#: RESTlet errors that come while a script runs: it may have saved some of its work before.
_SCRIPT_BROKE_OFF = frozenset(
    {"SSS_TIME_LIMIT_EXCEEDED", "SSS_USAGE_LIMIT_EXCEEDED", "SSS_INSTRUCTION_COUNT_EXCEEDED", "UNEXPECTED_ERROR"}
)
_TOO_MANY_AT_ONCE = frozenset({"CONCURRENCY_LIMIT_EXCEEDED", "SSS_REQUEST_LIMIT_EXCEEDED"})
_JOB = re.compile(r"/services/rest/async/v1/job/([A-Za-z0-9_-]+)/?$")
_LONGEST_CODE, _LONGEST_REASON = 80, 500


def classify(response: Response) -> HubError | None:
    """Give the error an answer stands for, None for success."""
    status = response.status
    if 200 <= status < 300:
        return None
    code, facts = _reason(response)
    if code == "IDEMPOTENCY_ERROR" and status == 400:
        # The first request with this key was taken on, and the answer names its job.
        return None if job_of(response) is not None else OutcomeUnknown("NetSuite knows the key, and names no job.")
    facts["status"] = status
    # NetSuite documents no Retry-After; a gateway before it may send one.
    after = retry_after(response.headers)
    if status == 429 or code in _TOO_MANY_AT_ONCE:
        return LimitReached(
            "NetSuite has too many requests in flight.", after=after, kind=LimitKind.CONCURRENCY, **facts
        )
    if 300 <= status < 400:
        return FixConnection(
            "NetSuite answers from another host; set the account's own.",
            code="redirected",
            location=response.headers.get("location", ""),
            **facts,
        )
    challenge = response.headers.get("www-authenticate")
    if challenge is not None:
        facts["challenge"] = challenge[:_LONGEST_REASON]
    if status in (401, 403) or (status == 400 and challenge is not None):
        return FixConnection("NetSuite refused the credentials or rights.", code=_kebab(code) or None, **facts)
    if status == 425:
        return NotBegun("NetSuite did not take the request.", after=after, **facts)
    if status == 503:
        # A gateway or the maintenance page answered; what is behind it may have worked on the request before.
        return RetryLater("NetSuite could not serve the request.", after=after, **facts)
    if status in (408, 499) or status >= 500 or code in _SCRIPT_BROKE_OFF:
        return OutcomeUnknown("NetSuite failed while it worked on the request.", **facts)
    if code == "RCRD_HAS_BEEN_CHANGED":
        # Two writers met at one record; NetSuite rolled this one back.
        return NotBegun("NetSuite was writing the same record.", code="record-changed", **facts)
    if status == 404:
        # Only NetSuite itself can say that there is none.
        family = NoSuchRecord if code == "NONEXISTENT_ID" else FixData
        return family("NetSuite has no such record.", code="not-found", **facts)
    return FixData("NetSuite refused the data.", code=_kebab(code) or "bad-request", **facts)


def job_of(response: Response) -> str | None:
    """Give the job that `Location` names; None when it names none."""
    found = _JOB.search(response.headers.get("location", ""))
    return None if found is None else found[1]


def _reason(response: Response) -> tuple[str, dict[str, Any]]:
    try:
        body = loads(response.body)
    except FixData:
        return "", {}
    if not isinstance(body, dict):
        return "", {}
    details = body.get("o:errorDetails")
    if isinstance(details, list) and details and isinstance(details[0], dict):
        first = details[0]
        code = str(first.get("o:errorCode") or "")[:_LONGEST_CODE]
        facts = {"error": code, "reason": str(first.get("detail") or "")[:_LONGEST_REASON]}
        if first.get("o:errorPath"):
            facts["path"] = str(first["o:errorPath"])[:_LONGEST_REASON]
        return code, facts
    # RESTlets have a shape of their own.
    error = body.get("error")
    if isinstance(error, dict):
        code = str(error.get("code") or "")[:_LONGEST_CODE]
        return code, {"error": code, "reason": str(error.get("message") or "")[:_LONGEST_REASON]}
    return str(body.get("o:errorCode") or "")[:_LONGEST_CODE], {}


def _kebab(code: str) -> str:
    return code.lower().replace("_", "-")
