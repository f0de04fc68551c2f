"""What AvaTax's refusals mean: by its error code, and by the status where it gives none.

Nearly all refusals are 400, so that the code decides. Codes are those of Avalara's error reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.sdk import tax
from hub.sdk.errors import (
    Conflict,
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

#: A void of a document that is already void has reached its aim; no other call of this connector is answered so.
ALREADY_VOID = "TransactionAlreadyCancelled"

#: Managed Returns has filed the document: it can be neither voided nor adjusted.
LOCKED = "CannotModifyLockedTransaction"

#: There is no document under this code.
ABSENT = "EntityNotFoundError"

_CREDENTIALS = (
    "AccountExpiredException AccountInvalidException AuthenticationException AuthenticationIncomplete "
    "AuthorizationException BasicAuthIncorrect BearerTokenInvalid BearerTokenNotSupported CompanyInvalidException "
    "CompanyNotFoundError InvalidIPAddress NoDefaultCompany PermissionRequired"
)
_TOO_MANY_AT_ONCE = "ConcurrentRequestLimitExceeded"
_LIMITS = f"{_TOO_MANY_AT_ONCE} RateLimitExceeded RateLimitExceededError RequestLimitExceeded"
#: Said by the gateway or the sign-in, before the tax engine saw the request.
_NOT_STARTED = "IdentityServerError NoHealthySite ServiceNotReady SiteSelectionFailed"
#: Said after the engine began: the document may have been recorded.
_BROKE_OFF = (
    "InternalServerError RemoteServerError RemoteValidationError ServerUnreachable ServiceDisconnected "
    "ServiceTimeout TimeoutRequested UnhandledException"
)
_ANOTHER_STATE = "DocumentCodeConflict InvalidDocumentStatus TransactionAlreadyExists TransactionIsCommitted"
_ABSENT = "EntityNotFoundError InvalidDocumentType InvalidDocumentTypesToFetch"

_BY_CODE: Mapping[str, type[HubError]] = {
    code: family
    for family, codes in (
        (FixConnection, _CREDENTIALS),
        (LimitReached, _LIMITS),
        (NotBegun, _NOT_STARTED),
        (OutcomeUnknown, _BROKE_OFF),
        (Conflict, _ANOTHER_STATE),
        (NoSuchRecord, _ABSENT),
    )
    for code in codes.split()
}


def classify(response: Response) -> HubError | None:
    """Give the error an answer stands for, or None when it is a success; never raises, whatever the body."""
    status = response.status
    if 200 <= status < 300:
        return None
    code, sentence, places = _error(response.body)
    if code == ALREADY_VOID and status == 400:
        return None
    if code == LOCKED:
        return tax.filed(status=status, error=code)
    family = _BY_CODE.get(code) or _by_status(status)
    facts: dict[str, Any] = {"status": status, **({"error": code} if code else {}), **places}
    after = retry_after(response.headers)
    if issubclass(family, LimitReached):
        kind = LimitKind.CONCURRENCY if code == _TOO_MANY_AT_ONCE else LimitKind.RATE
        return family(sentence, after=after, kind=kind, **facts)
    if issubclass(family, RetryLater):
        return family(sentence, after=after, **facts)
    return family(sentence, **facts)


def _by_status(status: int) -> type[HubError]:
    if status in (401, 403):
        return FixConnection
    if status == 429:
        return LimitReached
    if status == 503:
        return RetryLater
    if status == 408 or status >= 500:
        return OutcomeUnknown
    # A redirect never comes from the API itself: the base URL is wrong.
    return FixConnection if status < 400 else FixData


def _error(body: bytes) -> tuple[str, str, dict[str, str]]:
    """Read the code, the sentence and the places of an error body; empty where it has another shape.

    The usual shape is `{"error": {"code", "message", "details": [{"description", "refersTo", ...}]}}`; the gateway
    has a small one, `{"code": 400, "message": "..."}`.
    """
    try:
        value: Any = loads(body)
    except FixData:
        return "", "", {}
    if not isinstance(value, dict):
        return "", "", {}
    error = value.get("error")
    if not isinstance(error, dict):
        return "", _text(value.get("message")), {}
    details = error.get("details")
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else {}
    places = {"reason": _text(first.get("description")), "refers_to": _text(first.get("refersTo"))}
    return _text(error.get("code")), _text(error.get("message")), {name: text for name, text in places.items() if text}


def _text(value: object) -> str:
    return value[:500] if isinstance(value, str) else ""
