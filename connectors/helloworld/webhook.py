"""The service's webhooks: signed as Standard Webhooks says, one event in each."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.helloworld.settings import HelloworldSettings
from hub.sdk.connector import Webhook
from hub.sdk.errors import FixConnection, FixData, UnreadableWebhook, WebhookRejected
from hub.sdk.exact_json import loads
from hub.sdk.signing import any_matches, hmac_sha256_hex
from hub.sdk.values import InboundEvent

#: How far a webhook's time may be from now, before and after.
TOLERANCE = timedelta(minutes=5)


def verify(settings: HelloworldSettings, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Trust a webhook whose signature holds and whose time is within five minutes of now; else `WebhookRejected`."""
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    identity, timestamp, signatures = (headers.get(name, "") for name in names)
    if not (identity and timestamp and signatures):
        raise WebhookRejected("The webhook has no signature.", code="no-signature")
    message = b".".join((identity.encode("utf-8", "replace"), timestamp.encode("utf-8", "replace"), body))
    digest = bytes.fromhex(hmac_sha256_hex(_signing_key(settings), message))
    expected = "v1," + base64.b64encode(digest).decode()
    # Several signatures, split by spaces, while the secret is being rotated: one that holds is enough.
    if not any_matches(expected, signatures.split(" ")):
        raise WebhookRejected("The webhook's signature does not hold.", code="bad-signature")
    # The signature covers the time, so that it is looked at only once it can be trusted.
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 12):
        raise WebhookRejected("The webhook's time cannot be read.", code="stale")
    if abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > TOLERANCE:
        raise WebhookRejected("The webhook is too old, or from the future.", code="stale")


def parse(body: bytes) -> Sequence[InboundEvent]:
    """Read the one event of a webhook; `UnreadableWebhook` for any other shape."""
    try:
        return [read_event(loads(body))]
    except (FixData, KeyError, TypeError, ValueError) as error:
        raise UnreadableWebhook("The webhook is not an event of the service.", reason=str(error)[:200]) from error


def read_event(value: Any) -> InboundEvent:
    """Read `{"id", "type", "timestamp", "data": greeting}`; raises KeyError, TypeError or ValueError."""
    identity, kind, greeting = value["id"], value["type"], value["data"]
    if not (isinstance(identity, str) and isinstance(kind, str) and identity and kind):
        raise TypeError("id and type must be text")
    if not (isinstance(greeting, dict) and isinstance(greeting.get("id"), str)):
        raise TypeError("data must be a greeting")
    occurred_at = datetime.fromisoformat(value["timestamp"])
    if occurred_at.tzinfo is None:
        raise ValueError("timestamp must name its time zone")
    return InboundEvent(
        external_id=identity,
        type=f"helloworld.{kind}",
        occurred_at=occurred_at.astimezone(UTC),
        subject=greeting["id"],
        data=greeting,
        schema="helloworld.greeting@1",
        record=greeting,
    )


def _signing_key(settings: HelloworldSettings) -> bytes:
    secret = settings.webhook_secret.get_secret_value().removeprefix("whsec_")
    try:
        return base64.b64decode(secret, validate=True)
    except binascii.Error as error:
        raise FixConnection("The webhook secret must be `whsec_` and base64.", code="bad-webhook-secret") from error


WEBHOOK = Webhook(verify=verify, parse=parse)
