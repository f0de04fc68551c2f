"""Events: what happened, frozen in the shapes it had then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

#: Events are kept for 30 days.
LIFE = 30 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The request that something happened in; both are None when Stripe itself did it."""

    request: str | None = None
    idempotency_key: str | None = None


@dataclass(slots=True, kw_only=True)
class Event:
    """One event; `shapes` is `data` as each version showed it then: the account's, and those of its endpoints.

    `claims` is the version that it names although its shape is another's, for tests of what a vendor may do.
    """

    id: str
    type: str
    created: int
    api_version: str
    cause: Cause
    shapes: Mapping[str, msgspec.Raw]
    subject: str
    claims: str | None = None
    #: The connected account it happened in; None: the platform's own.
    account: str | None = None
    pending: set[str] = field(default_factory=set)

    def to_wire(self, version: str | None = None) -> dict[str, Any]:
        """Give the event as the API shows it, or as an endpoint of another version gets it."""
        chosen = version or self.api_version
        return {
            "id": self.id,
            "object": "event",
            **({} if self.account is None else {"account": self.account}),
            "api_version": self.claims or chosen,
            "created": self.created,
            "data": self.shapes[chosen],
            "livemode": False,
            "pending_webhooks": len(self.pending),
            "request": {"id": self.cause.request, "idempotency_key": self.cause.idempotency_key},
            "type": self.type,
        }


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of `before` that are different in `after`, for `previous_attributes`."""
    return {name: value for name, value in before.items() if after.get(name) != value}
