"""Which runs an event starts: pure, from the event and the current bundle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hub.errors import FixData, HubError
from hub.model.ambient import to_micros
from hub.model.event import InboundEvent
from hub.model.flow import Flow
from hub.model.run import RunState
from hub.workspace.bundle import Bundle


def scope(event: InboundEvent, *, connection: str, environment: str, received_at: datetime) -> dict[str, Any]:
    """Give what a flow's key and business key see."""
    return {
        "event": {
            "id": event.external_id,
            "type": event.type,
            "connection": connection,
            "subject": event.subject,
            "occurred_at": event.occurred_at.isoformat(),
            "received_at": received_at.isoformat(),
            "environment": environment,
        },
        "data": event.data,
        "record": event.record if event.record is not None else event.data,
    }


def runs_for(
    bundle: Bundle, seen: Mapping[str, Any], *, event_id: str, environment: str, now: datetime, ids: list[str]
) -> list[dict[str, Any]]:
    """Give the rows of the runs that the event starts; `ids` has one name for each flow of the event's type.

    Raises `FixData` when a flow's key or business key gives nothing.
    """
    moment = to_micros(now)
    return [
        {
            "id": run_id,
            "environment": environment,
            "entity": _optional(flow, seen),
            "flow": flow.name,
            "bundle": bundle.id,
            "event_id": event_id,
            "key": _name(flow, "key", flow.key(seen)),
            "business_key": _name(flow, "business_key", flow.business_key(seen)),
            "state": RunState.QUEUED.value,
            "blocking": True,
            "claimable_at": moment,
            "epoch": 0,
            "generation": 0,
            "created_at": moment,
            "updated_at": moment,
        }
        for run_id, flow in zip(ids, bundle.flows_for(seen["event"]["type"]), strict=True)
    ]


def _name(flow: Flow, word: str, value: Any) -> str:
    if isinstance(value, str | int) and not isinstance(value, bool) and value != "":
        return str(value)
    raise FixData(
        f"The flow's `{word}` gave no name for this event.", code="no-key", flow=flow.name, value=repr(value)[:80]
    )


def _optional(flow: Flow, seen: Mapping[str, Any]) -> str | None:
    if flow.entity is None:
        return None
    try:
        value = flow.entity(seen)
    except HubError:
        # An entity that comes from a later step is known only then.
        return None
    return str(value) if value is not None else None
