"""Which runs an event starts: pure, from the event and a bundle; a flow that cannot begin harms no other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from hub.engine.values import money_at_stake
from hub.errors import FixData, HubError
from hub.model.ambient import of_micros, to_micros
from hub.model.event import InboundEvent
from hub.model.flow import Flow
from hub.model.run import Priority, RunState
from hub.sdk import exact_json
from hub.workspace.bundle import Bundle

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a flow could not begin: a stable code, and a sentence for people."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """The rows of the runs that an event starts, and the flows that wanted it and could not begin."""

    runs: tuple[dict[str, Any], ...]
    failed: Mapping[str, Failure]


def scope(event: InboundEvent, *, connection: str, environment: str, received_at: datetime) -> dict[str, Any]:
    """Give what a flow's key and business key see of an event that has just come."""
    return {
        "event": {
            "id": event.external_id,
            "type": event.type,
            "connection": connection,
            "subject": event.subject,
            "schema": event.schema,
            "occurred_at": event.occurred_at.isoformat(),
            "received_at": received_at.isoformat(),
            "environment": environment,
        },
        "data": event.data,
        "record": event.record if event.record is not None else event.data,
    }


def stored_scope(event: Mapping[str, Any]) -> dict[str, Any]:
    """Give what expressions see before the first step, from an event's row: the event, its data, its record."""
    data = exact_json.loads(event["data"])
    envelope = {
        "id": vendors_id(event),
        "type": event["type"],
        "connection": event["connection"],
        "subject": event["subject"],
        "schema": event["schema"],
        "occurred_at": of_micros(event["occurred_at"]).isoformat(),
        "received_at": of_micros(event["received_at"]).isoformat(),
        "environment": event["environment"],
    }
    return {"event": envelope, "data": data, "record": data[event["record_key"]] if event["record_key"] else data}


def vendors_id(event: Mapping[str, Any]) -> str:
    """Give the id that the sender gave an event; an edited one has that of what it was made of."""
    name = str(event["external_id"])
    return name if event.get("edited_from") is None else name.removesuffix(edit_mark(event["id"]))


def edit_mark(event_id: str) -> str:
    """Give what is added to the sender's id of an event that a person edited, to tell it from the original."""
    return f"#{event_id}"


def route(
    bundle: Bundle,
    seen: Mapping[str, Any],
    *,
    event_id: str,
    environment: str,
    now: datetime,
    new_id: Callable[[], str],
    without: Collection[str] = (),
    priority: Priority = Priority.HIGH,
    ordered_by: str | None = None,
) -> Routing:
    """Give the runs that an event starts; `without` names flows that have their run already.

    No run goes before `priority` (a back-fill's is low); `ordered_by` is the person who caused them, if one did.
    """
    made: list[dict[str, Any]] = []
    failed: dict[str, Failure] = {}
    moment = to_micros(now)
    for flow in bundle.flows_for(seen["event"]["type"]):
        if flow.name in without:
            continue
        try:
            named = names(flow, seen)
        except HubError as error:
            failed[flow.name] = Failure(code=error.code, detail=str(error)[:500])
            continue
        except Exception as error:  # a defect met by one flow must neither lose the event nor stop the others
            log.exception("event.defect", flow=flow.name, named=seen["event"]["id"])
            failed[flow.name] = Failure(code="internal-error", detail=f"{type(error).__name__}: {error}"[:500])
            continue
        made.append(
            {
                "id": new_id(),
                "environment": environment,
                "flow": flow.name,
                "bundle": bundle.id,
                "event_id": event_id,
                **named,
                "state": RunState.QUEUED.value,
                "blocking": True,
                "claimable_at": moment,
                "epoch": 0,
                "generation": 0,
                "priority": max(flow.priority, priority),
                "ordered_by": ordered_by,
                "parent_run": None,
                "parent_path": None,
                "approvals": None,
                "created_at": moment,
                "updated_at": moment,
            }
        )
    return Routing(runs=tuple(made), failed=failed)


def names(flow: Flow, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a run of a flow is about, as columns: its entity, keys, and the money as far as the event tells it.

    Raises `FixData` when a key gives no name.
    """
    return {
        "entity": _optional(flow, seen),
        "key": _name(flow, "key", flow.key(seen)),
        "business_key": _name(flow, "business_key", flow.business_key(seen)),
        **money_at_stake(flow, seen),
    }


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
