"""What the second API does: meter events one by one and in streams, and thin events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.stripe.sandbox import meters
from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.events import LIFE
from connectors.stripe.sandbox.meter_events import Sent, cancel, check, mistake, take
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.thin_events import ThinEvent, rfc3339

#: How long a session of the stream lasts, and how many events one request of it brings.
SESSION, MOST_EVENTS = 15 * 60, 100
_PAGE = 20
#: What is a customer's to mend later is told of by thin events; the rest is refused at once.
_LATER = frozenset({"meter_event_customer_not_found", "archived_meter"})


class BodyV2:
    """A JSON body: each field is asked for by name and kind, and what nobody asked for is refused."""

    def __init__(self, tree: Mapping[str, Any], *, within: str = "") -> None:
        """Take the values; `within` names the level above."""
        self._tree = tree
        self._within = within
        self._asked: set[str] = set()

    def text(self, name: str) -> str | None:
        """Give a text; None when it is not there."""
        value = self._take(name)
        if value is not None and not isinstance(value, str):
            raise ApiError.invalid(f"`{self._full(name)}` must be a string.", code="invalid_fields")
        return value

    def required(self, name: str) -> str:
        """Give a text that must be there."""
        value = self.text(name)
        if not value:
            raise ApiError.invalid(f"`{self._full(name)}` is required.", code="missing_fields")
        return value

    def moment(self, name: str) -> int | None:
        """Give a time of RFC 3339 in seconds."""
        text = self.text(name)
        if text is None:
            return None
        try:
            read = datetime.fromisoformat(text)
        except ValueError:
            read = None
        if read is None or read.tzinfo is None:
            raise ApiError.invalid(f"`{self._full(name)}` must be a timestamp of RFC 3339.", code="invalid_fields")
        return int(read.timestamp())

    def texts(self, name: str) -> list[str] | None:
        """Give a list of texts."""
        value = self._take(name)
        if value is not None and not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            raise ApiError.invalid(f"`{self._full(name)}` must be an array of strings.", code="invalid_fields")
        return value

    def strings(self, name: str) -> dict[str, str]:
        """Give an object whose values are texts; it must be there."""
        value = self._take(name)
        if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
            raise ApiError.invalid(f"`{self._full(name)}` must be an object of strings.", code="invalid_fields")
        return value

    def part(self, name: str) -> BodyV2 | None:
        """Give an inner object."""
        value = self._take(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise ApiError.invalid(f"`{self._full(name)}` must be an object.", code="invalid_fields")
        return BodyV2(value, within=self._full(name))

    def parts(self, name: str) -> list[BodyV2]:
        """Give the objects of a list that must be there."""
        value = self._take(name)
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise ApiError.invalid(f"`{self._full(name)}` must be an array of objects.", code="invalid_fields")
        return [BodyV2(one, within=f"{self._full(name)}[{place}]") for place, one in enumerate(value)]

    def finish(self) -> None:
        """Refuse what nobody asked for."""
        for name in self._tree:
            if name not in self._asked:
                raise ApiError.invalid(f"Received unknown field: {self._full(name)}", code="unknown_fields")

    def _take(self, name: str) -> Any:
        self._asked.add(name)
        return self._tree.get(name)

    def _full(self, name: str) -> str:
        return f"{self._within}.{name}" if self._within else name


def create_meter_event(account: Account, _: str, body: BodyV2) -> Record:
    """`POST /v2/billing/meter_events`: what is wrong with the event is told at once, but for the customer."""
    sent = _sent(account, body)
    body.finish()
    check(account, sent)
    wrong = mistake(account, meters.of_event(account, sent.event_name), sent)
    if wrong is not None and wrong[0] not in _LATER:
        raise ApiError(wrong[1], code=wrong[0])
    take(account, sent)
    return {
        "object": "v2.billing.meter_event",
        "created": rfc3339(account.now()),
        "event_name": sent.event_name,
        "identifier": sent.identifier,
        "livemode": False,
        "payload": dict(sent.payload),
        "timestamp": rfc3339(sent.at),
    }


def adjust_meter_event(account: Account, _: str, body: BodyV2) -> Record:
    """`POST /v2/billing/meter_event_adjustments`."""
    event_name, kind, part = body.required("event_name"), body.required("type"), body.part("cancel")
    if kind != "cancel" or part is None:
        raise ApiError.invalid("`type` must be `cancel`, with `cancel.identifier`.", code="invalid_fields")
    identifier = part.required("identifier")
    body.finish()
    cancel(account, event_name, identifier)
    return {
        "id": f"mtr_event_adj_{account.identifiers.letters('adjustment', 24)}",
        "object": "v2.billing.meter_event_adjustment",
        "cancel": {"identifier": identifier},
        "created": rfc3339(account.now()),
        "event_name": event_name,
        "livemode": False,
        "status": "complete",
        "type": "cancel",
    }


def open_session(account: Account, _: str, body: BodyV2) -> Record:
    """`POST /v2/billing/meter_event_session`: a token for the stream, for a quarter of an hour."""
    body.finish()
    token = account.identifiers.letters("meter session", 64)
    ends = account.now() + SESSION
    account.meter_sessions[token] = ends
    return {
        "id": f"mes_{account.identifiers.letters('session', 24)}",
        "object": "v2.billing.meter_event_session",
        "authentication_token": token,
        "created": rfc3339(account.now()),
        "expires_at": rfc3339(ends),
        "livemode": False,
    }


def meter_session(platform: Account, token: str) -> Account:
    """Give the account whose session a token is of; one that has ended is refused by a name of its own."""
    for account in (platform, *platform.connected.values()):
        ends = account.meter_sessions.get(token)
        if ends is not None:
            if account.now() >= ends:
                raise ApiError(
                    "The temporary session token has expired.",
                    status=401,
                    kind="temporary_session_expired",
                    code="billing_meter_event_session_expired",
                )
            return account
    raise ApiError("Invalid session token.", status=401)


def stream_meter_events(account: Account, _: str, body: BodyV2) -> Record:
    """`POST /v2/billing/meter_event_stream`: up to 100 events; only their form is looked at before the answer."""
    parts = body.parts("events")
    body.finish()
    if not 1 <= len(parts) <= MOST_EVENTS:
        raise ApiError.invalid(f"`events` can have 1 to {MOST_EVENTS} events.", code="invalid_fields")
    events = []
    for part in parts:
        events.append(_sent(account, part))
        part.finish()
    for sent in events:
        check(account, sent)
    if len({sent.identifier for sent in events}) < len(events):
        raise ApiError.invalid("The events of a request need different identifiers.", code="duplicate_meter_event")
    for sent in events:
        take(account, sent)
    return {}


def retrieve_event(account: Account, identifier: str, body: BodyV2) -> Record:
    """`GET /v2/core/events/{id}`, for 30 days."""
    body.finish()
    for event in account.thin_events:
        if event.id == identifier and event.created >= account.now() - LIFE:
            return event.whole()
    raise ApiError.no_such("v2.core.event", identifier)


def list_events(account: Account, _: str, body: BodyV2) -> Record:
    """`GET /v2/core/events`: newest first, by type, by the object they are about, by time."""
    types, about = body.texts("types"), body.text("object_id")
    oldest = account.now() - LIFE

    def wanted(event: ThinEvent) -> bool:
        return (
            event.created >= oldest
            and (types is None or event.type in types)
            and (about is None or event.subject == about)
        )

    found = [event for event in reversed(account.thin_events) if wanted(event)]
    return page_of([event.whole() for event in found], body, "/v2/core/events")


def _sent(account: Account, body: BodyV2) -> Sent:
    at = body.moment("timestamp")
    return Sent(
        event_name=body.required("event_name"),
        identifier=body.text("identifier") or account.identifiers.letters("meter event", 32),
        payload=body.strings("payload"),
        at=account.now() if at is None else at,
    )


def page_of(found: Sequence[Record], body: BodyV2, url: str) -> Record:
    """Give a page in the second API's shape: the next one is an address."""
    limit, page = body.text("limit"), body.text("page")
    body.finish()
    size = int(limit) if limit and limit.isdecimal() else _PAGE
    skip = int(page) if page and page.isdecimal() else 0
    if not 1 <= size <= 100:
        raise ApiError.invalid("`limit` must be 1 to 100.", code="invalid_fields")

    def address(place: int) -> str:
        return f"{url}?page={place}&limit={size}"

    more, before = skip + size < len(found), skip > 0
    return {
        "data": list(found[skip : skip + size]),
        "next_page_url": address(skip + size) if more else None,
        "previous_page_url": address(max(0, skip - size)) if before else None,
    }
