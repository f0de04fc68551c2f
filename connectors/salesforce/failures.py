"""What Salesforce's refusals mean for the caller: by the code in the body, whatever status it came with.

A body is an array of errors (REST and Bulk), or an object (logins); a gateway answers with a page. Limits are refused
with 403 and never with 429, and nothing says when to come again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
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
from hub.sdk.limit_headers import Seen, retry_after
from hub.sdk.values import Response

#: The day's requests are counted over the last 24 hours: some come free each hour.
NEXT_WINDOW = 3600.0
#: Somebody else held the record for longer than Salesforce waits, which is ten seconds.
LOCKED = 5.0
_LONGEST_CODE, _LONGEST_REASON, _MOST_FIELDS = 80, 500, 20
#: Who asks is not let in, whatever the data.
_CONNECTION = frozenset(
    {
        "API_CURRENTLY_DISABLED",
        "API_DISABLED_FOR_ORG",
        "CLIENT_NOT_ACCESSIBLE_FOR_USER",
        "INVALID_AUTH_HEADER",
        "INVALID_LOGIN",
        "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
        "INVALID_SESSION_ID",
        "LOGIN_MUST_USE_SECURITY_TOKEN",
        "ORG_LOCKED",
        "PASSWORD_LOCKOUT",
        "URL_NOT_RESET",
    }
)
_RECORD = "INSUFFICIENT_ACCESS"
#: Salesforce took the whole request back; the same may succeed in a moment.
_TAKEN_BACK = frozenset({"UNABLE_TO_LOCK_ROW", "ALL_OR_NONE_OPERATION_ROLLED_BACK", "PROCESSING_HALTED"})
_SLOW = frozenset({"QUERY_TIMEOUT", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG"})
_BROKE_OFF = frozenset({"UNKNOWN_EXCEPTION", "UNEXPECTED_ERROR"})
_USAGE = re.compile(r"(?:^|;)\s*api-usage=([0-9]{1,12})/([0-9]{1,12})(?=\s*(?:;|$))")

#: What people are told beside Salesforce's own sentence.
_ADVICE: Mapping[str, str] = {
    "API_DISABLED_FOR_ORG": "The edition has no API, or it is switched off for the user: give them `API Enabled`.",
    "CLIENT_NOT_ACCESSIBLE_FOR_USER": "Give the user's profile or permission set the app.",
    "INSUFFICIENT_ACCESS_OR_READONLY": "Give the user the right to edit the object and its fields.",
    "INSUFFICIENT_ACCESS": "Give the user the right to the object and its fields.",
}


def classify(response: Response) -> HubError | None:
    """Give the error an answer stands for, None for success."""
    status = response.status
    if 200 <= status < 300:
        return None
    return understood(status, errors_of(response), response)


def understood(status: int, errors: Sequence[Mapping[str, Any]], response: Response | None = None) -> HubError:
    """Say what a refusal with these errors means, of a whole answer or of one record's part in one."""
    code, facts = _facts(errors)
    facts["status"] = status
    headers = {} if response is None else response.headers
    after = retry_after(headers)
    limit = _limit(status, code, str(facts.get("reason", "")), after, facts)
    if limit is not None:
        return limit
    if code in _TAKEN_BACK or status == 420:
        what = "Somebody else holds the record." if code == "UNABLE_TO_LOCK_ROW" else "Salesforce took it back."
        wait = after or (LOCKED if code in _TAKEN_BACK else None)
        return NotBegun(what, code=kebab(code) or None, after=wait, **facts)
    if code in _ADVICE:
        facts["advice"] = _ADVICE[code]
    if code.startswith(_RECORD):
        # Rights are given record by record: others may well be written.
        return FixData("The user may not do this with the record.", code=kebab(code), **facts)
    if code in _CONNECTION or status in (401, 403):
        return FixConnection("Salesforce refused the credentials or rights.", code=kebab(code) or None, **facts)
    if status == 300:
        return FixData("Several records have this external id.", code="found-twice", **_matches(response), **facts)
    if 300 <= status < 400:
        location = headers.get("location", "")
        return FixConnection(
            "Salesforce answers from another host; set the org's own.", code="redirected", location=location, **facts
        )
    if status == 410:
        return FixConnection(
            "Salesforce no longer speaks this version.",
            code="version-retired",
            advice="Raise `api_version`, and look at the release notes in between.",
            **facts,
        )
    if status == 425:
        return NotBegun("Salesforce did not take the request.", after=after, **facts)
    broke_off = status in (408, 499) or (status >= 500 and status != 503)
    if code in _BROKE_OFF or (broke_off and code not in _SLOW):
        return OutcomeUnknown("Salesforce failed while it worked on the request.", after=after, **facts)
    if status == 503 or code in _SLOW:
        # Maintenance or a gateway answers; what is behind it may have worked on the request before.
        return RetryLater("Salesforce could not serve the request.", code=kebab(code) or None, after=after, **facts)
    if status == 404 and code in ("", "NOT_FOUND", "ENTITY_IS_DELETED"):
        gone = code == "ENTITY_IS_DELETED"
        what = "The record was deleted." if gone else "Salesforce has no such record."
        # Only Salesforce itself can say that there is none.
        family = NoSuchRecord if code else FixData
        return family(what, code="entity-is-deleted" if gone else "not-found", **facts)
    return FixData("Salesforce refused the data.", code=kebab(code) or "bad-request", **facts)


def of_row(errors: object) -> HubError:
    """Say what the errors of one record of a collection mean, which are always about data."""
    found = [error for error in errors if isinstance(error, Mapping)] if isinstance(errors, list) else []
    return understood(400, found)


def errors_of(response: Response) -> list[Mapping[str, Any]]:
    """Give the errors that a body has; none for a page, or for anything else that is not Salesforce's."""
    try:
        body = loads(response.body)
    except FixData:
        return []
    found = body if isinstance(body, list) else [body]
    return [error for error in found if isinstance(error, Mapping)]


def limits_seen(response: Response) -> Seen | None:
    """Read how many of the day's requests are used (`api-usage=25/5000`)."""
    found = _USAGE.search(response.headers.get("sforce-limit-info", "")[:500])
    return None if found is None else Seen(used=int(found[1]), quota=int(found[2]))


def kebab(code: str) -> str:
    """Give a code of Salesforce's in the hub's form."""
    return code.lower().replace("_", "-")


def _limit(status: int, code: str, reason: str, after: float | None, facts: Mapping[str, Any]) -> LimitReached | None:
    if code == "REQUEST_LIMIT_EXCEEDED":
        if "concurrent" in reason.lower():
            told = "Salesforce has too many long requests in flight."
            return LimitReached(told, after=after, kind=LimitKind.CONCURRENCY, **facts)
        told = "The org's requests of 24 hours are used up."
        return LimitReached(told, after=after or NEXT_WINDOW, kind=LimitKind.QUOTA, code="day-used-up", **facts)
    if status == 429:
        return LimitReached("A gateway before Salesforce asks for fewer requests.", after=after, **facts)
    return None


def _facts(errors: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    for error in errors:
        # Collections call it otherwise.
        code = error.get("errorCode", error.get("statusCode"))
        if not isinstance(code, str) or not code:
            continue
        message = error.get("message")
        fields = error.get("fields")
        facts = {"error": code[:_LONGEST_CODE], "reason": message[:_LONGEST_REASON] if isinstance(message, str) else ""}
        if isinstance(fields, list) and fields:
            facts["fields"] = ", ".join(str(name)[:80] for name in fields[:_MOST_FIELDS])
        return code[:_LONGEST_CODE], facts
    return "", {}


def _matches(response: Response | None) -> dict[str, str]:
    try:
        found = [] if response is None else loads(response.body)
    except FixData:
        found = []
    ids = [url.rpartition("/")[2][:18] for url in found if isinstance(url, str)] if isinstance(found, list) else []
    return {"ids": ", ".join(ids[:5])} if ids else {}
