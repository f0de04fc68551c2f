"""One HTTP exchange with a vendor as plain values: what is sent, and what came back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request without credentials: exactly what is recorded before it is sent.

    `url` is absolute; `headers` are the ones that carry meaning (content type, idempotency key, API version);
    the authorisation is added anew at each attempt and is never recorded.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer: status, headers with lower-case names, and the whole body as bytes.

    Of several headers with one name the last counts, but `set-cookie` holds all of them, one a line.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
