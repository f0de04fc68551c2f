"""Where thin events are sent to: destinations of the second API."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.thin_events import rfc3339
from connectors.stripe.sandbox.v2 import BodyV2, page_of


def create(account: Account, _: str, body: BodyV2) -> Record:
    """`POST /v2/core/event_destinations`: a webhook for thin events; its secret is told only here, when asked for."""
    name, payload, kind = body.required("name"), body.required("event_payload"), body.required("type")
    events, include = body.texts("enabled_events"), body.texts("include") or []
    hook = body.part("webhook_endpoint")
    origins = body.texts("events_from") or ["@self"]
    description = body.text("description")
    body.finish()
    if payload != "thin" or kind != "webhook_endpoint":
        raise ApiError.invalid("This sandbox sends thin events to webhook endpoints.", code="invalid_fields")
    if not events or hook is None:
        raise ApiError.invalid("`enabled_events` and `webhook_endpoint` are required.", code="missing_fields")
    url = _address(hook)
    destination: Record = {
        "id": f"ed_test_{account.identifiers.letters('destination', 32)}",
        "object": "v2.core.event_destination",
        "created": rfc3339(account.now()),
        "description": description or "",
        "enabled_events": events,
        "event_payload": "thin",
        "events_from": origins,
        "livemode": False,
        "metadata": {},
        "name": name,
        "snapshot_api_version": None,
        "status": "enabled",
        "status_details": None,
        "type": "webhook_endpoint",
        "updated": rfc3339(account.now()),
        "webhook_endpoint": {"signing_secret": None, "url": url},
    }
    account.destinations.add(destination)
    secret = f"whsec_{account.identifiers.letters('whsec', 32)}"
    account.secrets[destination["id"]] = [(secret, None)]
    return _included(account, destination, include)


def retrieve(account: Account, identifier: str, body: BodyV2) -> Record:
    """`GET /v2/core/event_destinations/{id}`."""
    include = body.texts("include") or []
    body.finish()
    return _included(account, account.find(account.destinations, identifier), include, created=False)


def update(account: Account, identifier: str, body: BodyV2) -> Record:
    """`POST /v2/core/event_destinations/{id}`: its name, what it is told of, and where it is."""
    destination = account.find(account.destinations, identifier)
    name, description, events = body.text("name"), body.text("description"), body.texts("enabled_events")
    include, hook = body.texts("include") or [], body.part("webhook_endpoint")
    url = None
    if hook is not None:
        url = _address(hook)
    body.finish()
    given = {"name": name, "description": description, "enabled_events": events}
    destination |= {key: value for key, value in given.items() if value is not None}
    if url is not None:
        destination["webhook_endpoint"] = {"signing_secret": None, "url": url}
    destination["updated"] = rfc3339(account.now())
    return _included(account, destination, include, created=False)


def disable(account: Account, identifier: str, body: BodyV2) -> Record:
    """`POST /v2/core/event_destinations/{id}/disable`: nothing is sent to it any more."""
    return _switched(account, identifier, body, "disabled", {"disabled": {"reason": "user"}})


def enable(account: Account, identifier: str, body: BodyV2) -> Record:
    """`POST /v2/core/event_destinations/{id}/enable`."""
    return _switched(account, identifier, body, "enabled", None)


def delete(account: Account, identifier: str, body: BodyV2) -> Record:
    """`DELETE /v2/core/event_destinations/{id}`; what is not delivered by then never will be."""
    body.finish()
    destination = account.find(account.destinations, identifier)
    destination |= {"deleted": True, "status": "disabled"}
    return {"id": identifier, "object": "v2.core.event_destination", "deleted": True}


def list_page(account: Account, _: str, body: BodyV2) -> Record:
    """`GET /v2/core/event_destinations`."""
    found = [one for one in account.destinations.newest_first() if not one.get("deleted")]
    return page_of([_included(account, one, [], created=False) for one in found], body, "/v2/core/event_destinations")


def _included(account: Account, destination: Record, include: Sequence[str], *, created: bool = True) -> Record:
    hook = {
        "signing_secret": account.secrets[destination["id"]][0][0]
        if created and "webhook_endpoint.signing_secret" in include
        else None,
        "url": destination["webhook_endpoint"]["url"] if "webhook_endpoint.url" in include else None,
    }
    return destination | {"webhook_endpoint": hook if any(hook.values()) else None}


def _address(hook: BodyV2) -> str:
    url = hook.required("url")
    hook.finish()
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ApiError.invalid("`webhook_endpoint.url` must be an address.", code="invalid_fields")
    return url


def _switched(account: Account, identifier: str, body: BodyV2, status: str, details: Record | None) -> Record:
    body.finish()
    destination = account.find(account.destinations, identifier)
    destination |= {"status": status, "status_details": details, "updated": rfc3339(account.now())}
    return _included(account, destination, [], created=False)
