"""Stripe's webhooks: signed over time and raw bytes, one event in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.stripe.settings import StripeSettings
from connectors.stripe.versions import claimed_schema
from hub.sdk.connector import Webhook
from hub.sdk.errors import FixData, UnreadableWebhook, WebhookRejected
from hub.sdk.exact_json import loads
from hub.sdk.signing import any_matches, hmac_sha256_hex
from hub.sdk.values import InboundEvent

HEADER = "stripe-signature"
#: How far a webhook's time may be from now. Stripe's own libraries refuse only what is too old.
TOLERANCE = timedelta(minutes=5)


def verify(settings: StripeSettings, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Trust a webhook with a v1 signature of one of our secrets and a time within five minutes of now.

    Raises `WebhookRejected` with the code `no-signature`, `bad-signature` or `stale`.
    """
    header = headers.get(HEADER, "")
    if not header:
        raise WebhookRejected("The webhook has no signature.", code="no-signature")
    parts = [part.strip().partition("=") for part in header.split(",")]
    times = {value for name, _, value in parts if name == "t"}
    signatures = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not signatures:
        raise WebhookRejected("The webhook's signature has another form.", code="bad-signature")
    time = times.pop()
    message = time.encode("utf-8", "replace") + b"." + body
    # The secret is used as the text it is, `whsec_` included. While it is rolled, two of each may be there.
    held = [
        any_matches(hmac_sha256_hex(secret.get_secret_value().encode(), message), signatures)
        for secret in (settings.webhook_secret, settings.webhook_secret_previous)
        if secret is not None
    ]
    if not any(held):
        raise WebhookRejected("The webhook's signature does not hold.", code="bad-signature")
    if not (time.isascii() and time.isdigit() and len(time) < 12):
        raise WebhookRejected("The webhook's time cannot be read.", code="stale")
    if abs(now - datetime.fromtimestamp(int(time), UTC)) > TOLERANCE:
        raise WebhookRejected("The webhook is too old, or from the future.", code="stale")


def parse(body: bytes) -> Sequence[InboundEvent]:
    """Read the one event of a webhook; `UnreadableWebhook` for anything else."""
    try:
        return [read_event(loads(body))]
    except (FixData, KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise UnreadableWebhook("The webhook is not an event of Stripe.", reason=str(error)[:200]) from error


def read_event(value: Any) -> InboundEvent:
    """Read an event as webhooks and the events list give it; raises KeyError, TypeError, ValueError, OverflowError.

    The payload's lists are cut after ten items and may be stale: a flow reads the object again before it relies on it.
    Its shape is that of the endpoint's version, whatever the connection is pinned to: the schema says which.
    """
    if value["object"] == "v2.core.event":
        return _read_thin(value)
    if value["object"] != "event":
        raise ValueError("the object is not an event")
    identifier, kind, created, data = value["id"], value["type"], value["created"], value["data"]
    if not (isinstance(identifier, str) and isinstance(kind, str) and identifier and kind):
        raise TypeError("id and type must be text")
    if isinstance(created, bool) or not isinstance(created, int):
        raise TypeError("created must be a number of seconds")
    record = data["object"]
    if not isinstance(data, dict) or not isinstance(record, dict):
        raise TypeError("data must hold an object")
    subject = record.get("id")
    if isinstance(value.get("account"), str):
        data = {**data, "account": value["account"]}
    return InboundEvent(
        external_id=identifier,
        type=f"stripe.{kind}",
        occurred_at=datetime.fromtimestamp(created, UTC),
        subject=subject if isinstance(subject, str) else "",
        data=data,
        schema=claimed_schema(record.get("object"), value.get("api_version")),
        record=record,
        production=value["livemode"] if isinstance(value.get("livemode"), bool) else None,
    )


def _read_thin(value: Any) -> InboundEvent:
    """Read a thin event, which has neither a version nor an object: `thin_event.read` fetches what it is about."""
    identifier, kind, related = value["id"], value["type"], value.get("related_object")
    if not (isinstance(identifier, str) and isinstance(kind, str) and identifier and kind):
        raise TypeError("id and type must be text")
    occurred = datetime.fromisoformat(value["created"])
    if occurred.tzinfo is None:
        raise ValueError("created must have a time zone")
    subject = related.get("id") if isinstance(related, dict) else None
    return InboundEvent(
        external_id=identifier,
        type=f"stripe.{kind}",
        occurred_at=occurred.astimezone(UTC),
        subject=subject if isinstance(subject, str) else "",
        data={"related_object": related, "reason": value.get("reason"), "context": value.get("context")},
    )


WEBHOOK = Webhook(verify=verify, parse=parse)
