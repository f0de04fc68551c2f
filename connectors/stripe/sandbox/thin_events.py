"""Thin events: what happened, without a version and without the object; its data is fetched by its id."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.events import Cause


@dataclass(slots=True, kw_only=True)
class ThinEvent:
    """One thin event; `context` is the connected account it is about, `pending` the destinations still to be told."""

    id: str
    type: str
    created: int
    cause: Cause
    data: dict[str, Any]
    related: dict[str, Any] | None
    context: str | None
    subject: str
    pending: set[str] = field(default_factory=set)

    def notification(self) -> dict[str, Any]:
        """Give what a destination is told."""
        request = {"id": self.cause.request, "idempotency_key": self.cause.idempotency_key}
        return {
            "id": self.id,
            "object": "v2.core.event",
            "type": self.type,
            "created": rfc3339(self.created),
            "livemode": False,
            "context": self.context,
            "reason": {"type": "request", "request": request} if self.cause.request else None,
            **({} if self.related is None else {"related_object": self.related}),
        }

    def whole(self) -> dict[str, Any]:
        """Give the event as it is fetched, with its data."""
        return self.notification() | {"changes": None, "data": self.data, "snapshot_event": None}


def happened(account: Account, kind: str, data: dict[str, Any], related: dict[str, Any] | None) -> ThinEvent:
    """Keep a thin event and tell those who listen."""
    event = ThinEvent(
        id=f"evt_test_{account.identifiers.letters('thin event', 32)}",
        type=kind,
        created=account.now(),
        cause=account.cause,
        data=data,
        related=related,
        context=account.id,
        subject=related["id"] if related else "",
    )
    account.thin_events.append(event)
    for subscriber in account.thin_subscribers:
        subscriber(event)
    return event


def rfc3339(seconds: int) -> str:
    """Write a time as v2 does."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
