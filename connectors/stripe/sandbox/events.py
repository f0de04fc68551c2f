"""Events: what happened, frozen in the shape it had then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from connectors.stripe.sandbox.versions import render
from hub.sandbox.exact_json import dumps, loads

#: Events are kept for 30 days.
LIFE = 30 * 24 * 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """The request that something happened in; both are None when Stripe itself did it."""

    request: str | None = None
    idempotency_key: str | None = None


@dataclass(slots=True, kw_only=True)
class Event:
    """One event; `snapshot` is `data` in the newest shape, as it was then."""

    id: str
    type: str
    created: int
    api_version: str
    cause: Cause
    snapshot: bytes
    subject: str
    pending: set[str] = field(default_factory=set)
    failed: bool = False
    _rendered: dict[str, msgspec.Raw] = field(default_factory=dict)

    def data(self, version: str) -> msgspec.Raw:
        """Give `data` in the shape of a version, as JSON that nothing renders again."""
        if version not in self._rendered:
            self._rendered[version] = msgspec.Raw(dumps(render(loads(self.snapshot), version)))
        return self._rendered[version]

    def to_wire(self, version: str | None = None) -> dict[str, Any]:
        """Give the event as the API shows it, or as an endpoint of another version gets it."""
        chosen = version or self.api_version
        return {
            "id": self.id,
            "object": "event",
            "api_version": chosen,
            "created": self.created,
            "data": self.data(chosen),
            "livemode": False,
            "pending_webhooks": len(self.pending),
            "request": {"id": self.cause.request, "idempotency_key": self.cause.idempotency_key},
            "type": self.type,
        }


def freeze(record: Mapping[str, Any], previous: Mapping[str, Any] | None) -> bytes:
    """Keep an object, and for updates the fields that were different before, as they are now."""
    data: dict[str, Any] = {"object": record}
    if previous is not None:
        data["previous_attributes"] = previous
    return dumps(data)


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of `before` that are different in `after`, for `previous_attributes`."""
    return {name: value for name, value in before.items() if after.get(name) != value}
