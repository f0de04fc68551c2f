"""Reading answers: what is no JSON object under a good status does not come from the vendor's API."""

from __future__ import annotations

from typing import Any

from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.exact_json import loads
from hub.sdk.values import Response


def read_object(response: Response) -> dict[str, Any]:
    """Read an answer that must be a JSON object, numbers exact.

    Anything else under a 2xx status, such as a proxy's login page, tells nothing about what was done: `OutcomeUnknown`.
    """
    try:
        value = loads(response.body)
    except FixData as error:
        raise OutcomeUnknown("The answer is not JSON.", code="unreadable-answer", status=response.status) from error
    if not isinstance(value, dict):
        raise OutcomeUnknown("The answer is not an object.", code="unreadable-answer", status=response.status)
    return value
