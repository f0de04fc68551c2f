"""Reading events: one, or pages of them, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.events import LIFE, Event
from connectors.stripe.sandbox.listing import cursors, listed, page_size, time_range
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.versions import has_event


def retrieve(account: Account, identifier: str) -> dict[str, Any]:
    """`GET /v1/events/{id}`, for 30 days."""
    place = account.event_places.get(identifier)
    if place is None or account.events[place].created < account.now() - LIFE:
        raise ApiError.no_such("event", identifier)
    return account.events[place].to_wire()


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/events`: by type (`invoice.*` too), types, time, and whether all deliveries succeeded."""
    wanted = parameters.texts("types") or []
    single = parameters.text("type")
    if single and wanted:
        raise ApiError.invalid("You may pass either type or types, not both.", code="parameters_exclusive")
    patterns = [single] if single else wanted
    within = time_range(parameters)
    delivered = parameters.boolean("delivery_success")
    limit = page_size(parameters)
    oldest = account.now() - LIFE
    found: list[Event] = []
    more = False
    starting_after, ending_before = cursors(parameters)
    parameters.finish()
    for event in _walk(account, starting_after, ending_before):
        if (
            event.created < oldest
            or not has_event(event.type, event.api_version)
            or (patterns and not any(matches(pattern, event.type) for pattern in patterns))
            or (within is not None and not within({"created": event.created}))
            or (delivered is not None and (not event.pending) is not delivered)
        ):
            continue
        if len(found) == limit:
            more = True
            break
        found.append(event)
    if ending_before:
        found.reverse()
    return listed([event.to_wire() for event in found], more=more, url="/v1/events")


def matches(pattern: str, kind: str) -> bool:
    """Tell whether an event type is meant: by its name, by `invoice.*`, or by `*`."""
    return pattern in {"*", kind} or (pattern.endswith(".*") and kind.startswith(pattern[:-1]))


def _walk(account: Account, starting_after: str | None, ending_before: str | None) -> Iterator[Event]:
    if ending_before is not None:
        yield from account.events[_place(account, ending_before, "ending_before") + 1 :]
        return
    top = len(account.events) if starting_after is None else _place(account, starting_after, "starting_after")
    for place in range(top - 1, -1, -1):
        yield account.events[place]


def _place(account: Account, identifier: str, param: str) -> int:
    place = account.event_places.get(identifier)
    if place is None:
        raise ApiError.no_such("event", identifier, param=param, status=400)
    return place
