"""What the greeting service's refusals mean: its error codes first, the status where it gives none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hub.sdk.errors import (
    Conflict,
    FixConnection,
    FixData,
    HubError,
    LimitReached,
    NoSuchRecord,
    OutcomeUnknown,
    RetryLater,
)
from hub.sdk.exact_json import loads
from hub.sdk.limit_headers import retry_after
from hub.sdk.values import Response

#: Error code of the service → the family that says what to do.
_BY_CODE: Mapping[str, Callable[..., HubError]] = {
    "invalid_api_key": FixConnection,
    "greeting_invalid": FixData,
    "greeting_not_found": NoSuchRecord,
    "stale_version": Conflict,
}


def classify(response: Response) -> HubError | None:
    """Give the error an answer stands for, or None when it is a success; never raises, whatever the body."""
    status = response.status
    if 200 <= status < 300:
        return None
    code, message = _error(response.body)
    if status == 429:
        return LimitReached(message, after=retry_after(response.headers), status=status)
    if status == 503:
        return RetryLater(message, after=retry_after(response.headers), status=status)
    if status >= 500 or status == 408:
        # The service gives no promise that nothing was done when it fails half-way.
        return OutcomeUnknown(message, status=status)
    if code in _BY_CODE:
        return _BY_CODE[code](message, code=code.replace("_", "-"), status=status)
    if status in (401, 403):
        return FixConnection(message, status=status)
    if status < 400:
        return FixConnection("The host answers with a redirect; the base URL is wrong.", status=status)
    return FixData(message, status=status)


def _error(body: bytes) -> tuple[str, str]:
    """Read `{"error": {"code", "message"}}`; both are empty where the body has another shape."""
    try:
        value: Any = loads(body)
    except FixData:
        return "", ""
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict):
        return "", ""
    code, message = error.get("code"), error.get("message")
    return (code if isinstance(code, str) else ""), (message[:500] if isinstance(message, str) else "")
