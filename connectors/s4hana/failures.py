"""What S/4HANA's refusals mean for the caller, by status and by SAP's own codes."""

from __future__ import annotations

import re
from typing import Any

from connectors.s4hana.logins import wants_token
from connectors.s4hana.odata.answers import Reason, reason
from connectors.s4hana.soap.xml import NotXml, read
from hub.sdk.errors import (
    FixConnection,
    FixData,
    HubError,
    LimitReached,
    NoSuchRecord,
    NotBegun,
    OutcomeUnknown,
    RetryLater,
)
from hub.sdk.limit_headers import retry_after
from hub.sdk.values import Response

#: The code of a write that was bound to an ETag which stands no more.
CHANGED_MEANWHILE = "changed-meanwhile"
NOT_FOUND = "not-found"
#: Messages by which SAP says that somebody holds a lock: nothing was begun, and a moment later it works.
_LOCKED = frozenset({"V1/042", "V4/042", "MC/601", "M3/024", "M3/897", "R1/410", "R1/411", "VF/047", "F5/042"})
LOCKED_TEXT = re.compile(
    r"(currently|already) (being )?(processed|locked|edited|blocked) by|is locked by", re.IGNORECASE
)
#: The service is not there for this user: its communication arrangement is missing.
_NO_SERVICE = frozenset({"/IWFND/MED/170", "/IWFND/CM_V4_COS/021"})
_MESSAGE = re.compile(r"[A-Za-z0-9_]{1,20}/\d{1,3}")


def classify(response: Response) -> HubError | None:
    """Give the error an answer stands for, None for success."""
    status = response.status
    if 200 <= status < 300:
        return None
    why = reason(response.body)
    facts: dict[str, Any] = {**why.facts, "status": status}
    after = retry_after(response.headers)
    if status == 429:
        return LimitReached("S/4HANA, or a gateway before it, limits the requests.", after=after, **facts)
    if 300 <= status < 400:
        location = response.headers.get("location", "")[:200]
        return FixConnection(
            "Somebody answers with another address; set the API host.", code="redirected", location=location, **facts
        )
    if status == 401:
        # The body is usually a page of the web server, not Gateway's.
        return FixConnection("S/4HANA refused the login.", code="login-refused", **facts)
    if wants_token(response):
        return NotBegun("Gateway refused the session's CSRF token.", code="session-ended", **facts)
    if status == 403:
        return FixConnection("The communication user may not do this.", code="not-authorised", **facts)
    if status == 425:
        return NotBegun("S/4HANA did not take the request.", after=after, **facts)
    if status == 503:
        # A gateway or a maintenance page answered; what is behind it may have worked on the request before.
        return RetryLater("S/4HANA could not serve the request.", after=after, **facts)
    if status in (408, 409, 499) or status >= 500:
        fault = _fault(response.body)
        return OutcomeUnknown(
            "S/4HANA failed while it worked on the request.", **({**facts, "reason": fault} if fault else facts)
        )
    return _refused(status, why, facts)


def _refused(status: int, why: Reason, facts: dict[str, Any]) -> HubError:
    """Give what a 4xx of Gateway means that says something about the request itself."""
    if why.code in _NO_SERVICE:
        return FixConnection(
            "The service is not there for this user.",
            code="service-missing",
            advice="Its communication scenario must have an arrangement with this user.",
            **facts,
        )
    if why.code in _LOCKED or LOCKED_TEXT.search(why.text):
        return NotBegun("Somebody is working on it in S/4HANA.", code="locked", **facts)
    if status == 404:
        # Only Gateway itself can say that there is none.
        family = NoSuchRecord if why.known else FixData
        return family("S/4HANA has no such record.", code=NOT_FOUND, **facts)
    if status == 412:
        return FixData("It was changed in S/4HANA meanwhile.", code=CHANGED_MEANWHILE, **facts)
    if status == 428:
        return FixData("S/4HANA wants to know which version is meant.", code="precondition-required", **facts)
    return FixData("S/4HANA refused the data.", code=_kebab(why.code), **facts)


def is_gateways(response: Response) -> bool:
    """Tell whether an answer that refuses comes from Gateway itself, and not from what stands before it."""
    return reason(response.body).known


def _kebab(code: str) -> str:
    """Give SAP's code as one of ours: V1/302 is sap-v1-302; what is no message of SAP's is a bad request."""
    return f"sap-{code.lower().replace('/', '-').replace('_', '-')}" if _MESSAGE.fullmatch(code) else "bad-request"


def _fault(body: bytes) -> str:
    """Give the words of a SOAP fault; empty where there is none."""
    if body.lstrip()[:1] != b"<" or b"Fault" not in body[:4000]:
        return ""
    try:
        root = read(body)
    except NotXml:
        return ""
    inner = root.first("Body")
    fault = None if inner is None else inner.first("Fault")
    if fault is None:
        return ""
    told = fault.first("Reason")
    return (fault.value("faultstring") or ("" if told is None else told.value("Text")))[:400]
