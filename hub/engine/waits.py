"""Waits of a flow's own: for a time, until a moment, or for an event about a subject."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from hub.engine.outputs import Output
from hub.errors import FixData, WaitFor, WaitUntil
from hub.model.ambient import of_micros
from hub.model.flow import Wait
from hub.policy.outputs import moment
from hub.sdk import exact_json
from hub.store import events

Row = Mapping[str, Any]


def for_time(action: Wait, scope: Mapping[str, Any], *, began: datetime, now: datetime) -> Output:
    """Give the moment once it has come; raises `WaitUntil` before that."""
    if action.duration is not None:
        until = began + action.duration
    else:
        assert action.until is not None
        until = _moment(action.until(scope), action.until.text)
    if now < until:
        raise WaitUntil(f"It waits until {until:%Y-%m-%d %H:%M:%S} UTC.", until=until)
    return Output(value={"at": f"{until:%Y-%m-%dT%H:%M:%SZ}"})


def for_event(
    connection: Connection,
    action: Wait,
    scope: Mapping[str, Any],
    *,
    run: Row,
    event: Row,
    earlier: Sequence[str],
    began: datetime,
    now: datetime,
) -> Output:
    """Give the first event of the type about the subject that came after the run's own; raises `WaitFor` until then.

    `earlier` are the paths of steps that have waited before: what they have waited for is not the next one.
    """
    assert action.event is not None
    assert action.subject is not None
    subject = action.subject(scope)
    if not isinstance(subject, str) or not subject:
        raise FixData(
            "The subject of the awaited event is not a text.", code="no-subject", expression=action.subject.text
        )
    wanted = {"environment": event["environment"], "type": action.event, "subject": subject}
    taken = events.places_taken(connection, run["id"], earlier, about=wanted) if earlier else []
    behind = max([events.place_of(event), *taken])
    found = events.first_about(connection, **wanted, behind=behind)
    if found is not None:
        _assert_kept(found)
        data = exact_json.loads(found["data"])
        output = {"id": found["external_id"], "type": found["type"], "subject": found["subject"], "data": data}
        return Output(value=output, input={**wanted, "event": found["id"]})
    until = began + action.timeout if action.timeout is not None else None
    if until is not None and now >= until:
        raise FixData(f"No event {action.event} about {subject} has come in time.", code=action.case, **wanted)
    raise WaitFor(
        f"It waits for {action.event} about {subject}.",
        on=events.topic(**wanted),
        until=until,
        come=lambda inside: events.first_about(inside, **wanted, behind=behind) is not None,
    )


def _assert_kept(event: Row) -> None:
    """Raise `FixData` for an event whose data retention has taken away: what it said is not known any more."""
    if event["pruned_at"] is not None:
        raise FixData(
            f"The event {event['type']} about {event['subject']} has come, and the environment's retention has "
            "pruned its payload since.",
            code="payload-pruned",
            event=event["id"],
            pruned_on=f"{of_micros(event['pruned_at']):%Y-%m-%d}",
        )


def _moment(value: Any, expression: str) -> datetime:
    try:
        found = moment(value)
    except (TypeError, ValueError):
        found = None
    if found is None:
        raise FixData(
            f"`{expression}` gives no moment; it is a date or a date and time with a time zone.",
            code="no-moment",
            value=repr(value)[:80],
        )
    return found.astimezone(UTC)
