"""What the engine's refusals mean."""

from __future__ import annotations

from typing import Any

from hub.sdk import tax
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


def classify(response: Response) -> HubError | None:
    """Give the error an answer stands for, or None when it is a success; never raises, whatever the body."""
    status = response.status
    if 200 <= status < 300:
        return None
    code, sentence = _error(response.body)
    if code == tax.DOCUMENT_FILED:
        return tax.filed(status=status)
    after = retry_after(response.headers)
    if status == 429:
        return LimitReached(sentence, after=after, status=status)
    if status == 503:
        return RetryLater(sentence, after=after, status=status)
    family = _family(status)
    return family(sentence, code=code, status=status) if code else family(sentence, status=status)


def _family(status: int) -> type[HubError]:
    if status in {401, 403} or status < 400:
        return FixConnection
    if status == 408 or status >= 500:
        return OutcomeUnknown
    return {404: NoSuchRecord, 409: Conflict}.get(status, FixData)


def _error(body: bytes) -> tuple[str | None, str]:
    try:
        value: Any = loads(body)
    except FixData:
        return None, ""
    error = value.get("error") if isinstance(value, dict) else None
    if not isinstance(error, dict) or not isinstance(error.get("message"), str):
        return None, ""
    code = error.get("code")
    return code[:100] if isinstance(code, str) and code else None, error["message"][:500]
