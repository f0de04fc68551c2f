"""Idempotency keys: the first answer to a key is the answer to all who use it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from connectors.stripe.sandbox.problems import ApiError
from hub.sandbox.clock import Clock

#: Keys may be forgotten after a day; then the same key is a new request.
LIFE = 24 * 3600
MAX_LENGTH = 255


@dataclass(slots=True, kw_only=True)
class Answer:
    """What was answered, or None in `body` while the first request still runs; `fingerprint` is of its parameters."""

    path: str
    fingerprint: bytes
    request_id: str
    at: float
    status: int = 0
    body: bytes | None = None


class Keys:
    """The keys of one account."""

    def __init__(self, clock: Clock) -> None:
        """Start with no key used."""
        self._clock = clock
        self._answers: dict[str, Answer] = {}

    def __len__(self) -> int:
        """Count the keys that are remembered."""
        return len(self._answers)

    def begin(self, key: str, *, path: str, parameters: Mapping[str, Any], request_id: str) -> Answer | None:
        """Take a key for a request; gives the earlier answer when there is one.

        Parameters are the same in whatever order they come.
        Raises `ApiError` when the key belongs to another request, or to one that still runs.
        """
        if len(key) > MAX_LENGTH:
            raise ApiError.invalid(f"Idempotency keys can be up to {MAX_LENGTH} characters long.")
        now = self._clock.now().timestamp()
        fingerprint = sha256(json.dumps(parameters, sort_keys=True).encode()).digest()
        earlier = self._answers.get(key)
        if earlier is not None and now - earlier.at >= LIFE:
            earlier = None
        if earlier is None:
            self._answers[key] = Answer(path=path, fingerprint=fingerprint, request_id=request_id, at=now)
            return None
        if earlier.path != path:
            raise ApiError(
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{path}' vs '{earlier.path}'). Try using a key other than '{key}' if you meant to execute a "
                "different request.",
                kind="idempotency_error",
            )
        if earlier.fingerprint != fingerprint:
            raise ApiError(
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        if earlier.body is None:
            raise ApiError(
                "There is currently another in-progress request using this Stripe-Idempotency-Key (that probably "
                "means you submitted twice, and the other request is still going through).",
                status=409,
                kind="idempotency_error",
                code="idempotency_key_in_use",
            )
        return earlier

    def end(self, key: str, status: int, body: bytes) -> None:
        """Keep the answer for whoever asks again."""
        answer = self._answers[key]
        answer.status, answer.body = status, body

    def release(self, key: str) -> None:
        """Forget a key whose request was refused before anything began."""
        self._answers.pop(key, None)

    def clear(self) -> None:
        """Forget all keys."""
        self._answers.clear()
