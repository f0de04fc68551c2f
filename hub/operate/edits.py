"""Edits of payloads: a new event is made of an old one, whose record a person has corrected; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from hub.engine.routing import edit_mark, names, stored_scope, vendors_id
from hub.errors import Conflict, FixData, HubError, NotFound
from hub.model.event import EventState, Via
from hub.schemas.drift import DriftKind
from hub.sdk import exact_json
from hub.store.events import place_of
from hub.store.replays import Edit
from hub.workspace.bundle import Bundle

#: So many mistakes of a record are told at once, of so many that are looked at.
_MOST_TOLD, _MOST_LOOKED_AT = 20, 10_000


def record_of(event: Mapping[str, Any]) -> Any:
    """Give what of a stored event can be edited: its record, or its data where it has no other."""
    data = exact_json.loads(event["data"])
    return data if event["record_key"] is None else data[event["record_key"]]


def edited(
    event: Mapping[str, Any], record: Any, *, run: Mapping[str, Any], bundle: Bundle, new_id: str, now: int
) -> Edit:
    """Make the edited event and what follows from it for the run; the original stays as it is.

    Raises `FixData` that names each field which does not fit the schema that the event claims (but for what was wrong
    before), and where the edit makes another thing of it: order and effects are kept by the keys.
    """
    if event["pruned_at"] is not None:
        raise Conflict("The payload was pruned; there is nothing left to edit.", code="payload-pruned")
    before = record_of(event)
    if exact_json.canonical(before) == exact_json.canonical(record):
        raise FixData("Nothing was changed; replay the run as it is.", code="nothing-edited")
    _assert_fits(bundle, event["schema"], before, record)
    data = exact_json.loads(event["data"])
    data = record if event["record_key"] is None else {**data, event["record_key"]: record}
    if not isinstance(data, dict):
        raise FixData("What an event carries is an object: `{…}`.", code="edited-record-wrong")
    row = {
        **{name: value for name, value in event.items() if name not in ("flags", "release", "reason")},
        "id": new_id,
        "external_id": vendors_id(event) + edit_mark(new_id),
        "received_at": now,
        "position": place_of(event),
        "via": Via.EDIT.value,
        "state": EventState.ACCEPTED.value,
        "deliveries": 0,
        "data": exact_json.dumps(data).decode(),
        "body_hash": hashlib.sha256(exact_json.canonical(data)).hexdigest(),
        "edited_from": event["id"],
    }
    return Edit(event=row, before_hash=event["body_hash"], columns=_named(bundle, run, row))


def _named(bundle: Bundle, run: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    flow = bundle.flows.get(run["flow"])
    if flow is None:
        raise NotFound("The workspace has no such flow any more.", flow=run["flow"])
    try:
        named = names(flow, stored_scope(event))
    except HubError as error:
        raise FixData(
            "With this record the flow could not even begin.", code="edited-record-wrong", reason=str(error)[:500]
        ) from error
    for name, word in (("key", "order key"), ("business_key", "business key")):
        if named[name] != run[name]:
            raise FixData(
                f"The edit changes the {word}, so it would be about another thing: what was written for the old one "
                "could not be recognised. Correct it at its source, and let it send a new event.",
                code="another-thing",
                was=run[name],
                now=named[name],
            )
    return {name: named[name] for name in ("entity", "money_minor", "money_currency")}


def _assert_fits(bundle: Bundle, schema: str | None, before: Any, record: Any) -> None:
    resolved = None if schema is None else bundle.registry.resolve(schema)
    if resolved is None:
        return
    known = set(_mistakes(bundle, resolved.name, before))
    found = [mistake for mistake in _mistakes(bundle, resolved.name, record) if mistake not in known]
    if found:
        more = f"; and {len(found) - _MOST_TOLD} more" if len(found) > _MOST_TOLD else ""
        raise FixData(
            f"The record is not as `{resolved.name}` says: {'; '.join(found[:_MOST_TOLD])}{more}",
            code="edited-record-wrong",
            schema=resolved.name,
        )


def _mistakes(bundle: Bundle, schema: str, record: Any) -> list[str]:
    """Give what does not fit, each with its field; also a field that the schema has not, which is mostly a slip."""
    unknown = [
        f"{finding.path}: the schema has no such field"
        for finding in bundle.registry.drift(schema)(record)
        if finding.kind is DriftKind.UNKNOWN_FIELD
    ]
    return [*bundle.schemas[schema].problems(record, most=_MOST_LOOKED_AT), *unknown]
