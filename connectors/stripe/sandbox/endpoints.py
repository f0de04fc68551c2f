"""Webhook endpoints: where events are sent to, and the secrets that sign them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from connectors.stripe.sandbox.account import Account
from connectors.stripe.sandbox.listing import pages
from connectors.stripe.sandbox.parameters import Parameters
from connectors.stripe.sandbox.problems import ApiError
from connectors.stripe.sandbox.table import Record
from connectors.stripe.sandbox.versions import VERSIONS


def create(account: Account, parameters: Parameters) -> Record:
    """`POST /v1/webhook_endpoints`; only this answer tells the secret."""
    url = _url(parameters.required("url"))
    events = parameters.texts("enabled_events")
    if not events:
        raise ApiError.missing_parameter("enabled_events")
    version = parameters.choice("api_version", *VERSIONS)
    endpoint: Record = {
        "id": account.identifiers.new("we"),
        "object": "webhook_endpoint",
        "api_version": version,
        "application": None,
        "created": account.now(),
        "description": parameters.text("description") or None,
        "enabled_events": events,
        "livemode": False,
        "metadata": parameters.metadata(),
        "status": "enabled",
        "url": url,
    }
    connect = parameters.boolean("connect") or False
    parameters.finish()
    if account.platform is not None:
        raise ApiError.invalid("This sandbox keeps endpoints with the platform; use `connect`.")
    account.endpoints.add(endpoint)
    if connect:
        account.connect_endpoints.add(endpoint["id"])
    secret = _new_secret(account)
    account.secrets[endpoint["id"]] = [(secret, None)]
    return endpoint | {"secret": secret}


def update(account: Account, identifier: str, parameters: Parameters) -> Record:
    """`POST /v1/webhook_endpoints/{id}`."""
    endpoint = account.find(account.endpoints, identifier)
    if (url := parameters.text("url")) is not None:
        endpoint["url"] = _url(url)
    if (events := parameters.texts("enabled_events")) is not None:
        endpoint["enabled_events"] = events
    if (disabled := parameters.boolean("disabled")) is not None:
        endpoint["status"] = "disabled" if disabled else "enabled"
    if (description := parameters.text("description")) is not None:
        endpoint["description"] = description or None
    endpoint["metadata"] = parameters.metadata(endpoint["metadata"])
    parameters.finish()
    return endpoint


def retrieve(account: Account, identifier: str) -> Record:
    """`GET /v1/webhook_endpoints/{id}`."""
    return account.find(account.endpoints, identifier)


def delete(account: Account, identifier: str) -> Record:
    """`DELETE /v1/webhook_endpoints/{id}`; what is not delivered by then never will be."""
    endpoint = account.find(account.endpoints, identifier)
    endpoint.clear()
    endpoint.update({"id": identifier, "object": "webhook_endpoint", "deleted": True})
    return endpoint


def list_page(account: Account, parameters: Parameters) -> dict[str, Any]:
    """`GET /v1/webhook_endpoints`."""
    return pages(account.endpoints, parameters, [], url="/v1/webhook_endpoints")


def roll_secret(account: Account, identifier: str, keep_old: float) -> str:
    """Give an endpoint a new secret; the old one signs beside it for `keep_old` seconds, as the dashboard offers."""
    if identifier not in account.secrets:
        account.find(account.endpoints, identifier)
    secret = _new_secret(account)
    ends = account.world.clock.now().timestamp() + keep_old
    account.secrets[identifier] = [(secret, None), (account.secrets[identifier][0][0], ends)]
    return secret


def signing_secrets(account: Account, identifier: str) -> list[str]:
    """Give the secrets that sign now."""
    now = account.world.clock.now().timestamp()
    return [secret for secret, ends in account.secrets[identifier] if ends is None or now < ends]


def _new_secret(account: Account) -> str:
    return f"whsec_{account.identifiers.letters('whsec', 32)}"


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ApiError.invalid("Invalid URL: An explicit scheme (such as https) must be provided.", param="url")
    return text
