"""What Stripe's refusals mean: its error codes and types first, the status where they say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.sdk.errors import (
    FixConnection,
    FixData,
    HubError,
    LimitKind,
    LimitReached,
    NoSuchRecord,
    OutcomeParked,
    OutcomeUnknown,
    RetryLater,
)
from hub.sdk.exact_json import loads
from hub.sdk.limit_headers import retry_after
from hub.sdk.values import Response

#: Codes under 400 that are about the key or the account, not about the data.
_CONNECTION_CODES = frozenset(
    {
        "account_invalid",
        "api_key_expired",
        "livemode_mismatch",
        "platform_api_key_expired",
        "secret_key_required",
        "testmode_charges_only",
        "tls_version_unsupported",
    }
)
#: The type of error by which the stream of meter events says that its session has ended; nothing was done then.
_SESSION_OVER = "temporary_session_expired"
_LONGEST_CODE, _LONGEST_MESSAGE = 80, 500


def classify(response: Response) -> HubError | None:
    """Give the error an answer stands for, or None when it is a success; never raises, whatever the body.

    Behind a 5xx, 408 or 424 the write may have happened: the same idempotency key tells. A 409 says that the first
    request with the key still runs, so that the same is asked again later.
    """
    status = response.status
    if 200 <= status < 300:
        return None
    error = _error(response.body)
    code = _text(error, "code", _LONGEST_CODE)
    message = _text(error, "message", _LONGEST_MESSAGE) or "Stripe gave no reason."
    facts = _facts(response, error)
    kebab = code.replace("_", "-") or None
    # Stripe does not promise Retry-After; a gateway before it may send one.
    after = retry_after(response.headers)
    if status == 429:
        return LimitReached(message, after=after, code=kebab, kind=_kind(response, code), **facts)
    if status == 503:
        return RetryLater(message, after=after, code=kebab, **facts)
    if status >= 500 or status in {408, 424}:
        return OutcomeUnknown(message, **facts)
    if status == 409 or facts.get("should_retry") is True:
        return RetryLater(message, after=after, code=kebab, **facts)
    if facts.get("type") == _SESSION_OVER:
        return RetryLater(message, after=after, code=kebab, **facts)
    if status < 400:
        return FixConnection("The host answers with a redirect; the base URL is wrong.", code="redirected", **facts)
    if status in {401, 403} or code in _CONNECTION_CODES or "Stripe API version" in message:
        return FixConnection(message, code=kebab, **facts)
    if facts.get("type") == "idempotency_error":
        # Something else went out under this key, and nobody can look up what.
        return OutcomeParked(message, **facts)
    if status == 404 and code == "resource_missing":
        return NoSuchRecord(message, code=kebab, **facts)
    return FixData(message, code=kebab, **facts)


def is_session_over(response: Response) -> bool:
    """Tell whether an answer says that the session of the stream has ended."""
    return response.status >= 400 and _error(response.body).get("type") == _SESSION_OVER


def _facts(response: Response, error: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {"status": response.status}
    for name in ("type", "param", "decline_code"):
        if text := _text(error, name, _LONGEST_CODE):
            facts[name] = text
    headers = response.headers
    if headers.get("request-id"):
        facts["request"] = headers["request-id"][:_LONGEST_CODE]
    if headers.get("stripe-rate-limited-reason"):
        facts["limit"] = headers["stripe-rate-limited-reason"][:_LONGEST_CODE]
    advice = headers.get("stripe-should-retry")
    if advice in {"true", "false"}:
        facts["should_retry"] = advice == "true"
    return facts


def _error(body: bytes) -> Mapping[str, Any]:
    try:
        value: Any = loads(body)
    except FixData:
        return {}
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) else {}


def _text(error: Mapping[str, Any], name: str, longest: int) -> str:
    value = error.get(name)
    return value[:longest] if isinstance(value, str) else ""


def _kind(response: Response, code: str) -> LimitKind:
    """Tell which limit was reached; a lock is about one object, and says nothing of the account."""
    if code == "lock_timeout":
        return LimitKind.OBJECT
    reason = response.headers.get("stripe-rate-limited-reason", "")
    if reason == "resource-specific":
        return LimitKind.OBJECT
    return LimitKind.CONCURRENCY if reason.endswith("-concurrency") else LimitKind.RATE
