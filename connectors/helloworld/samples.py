"""What to try the connector with against its sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.helloworld.sandbox.webhooks import sign
from hub.sdk.testing.samples import ReadSample, Samples, Signer, WebhookSample, WriteSample

GREETING = {"id": "g-2", "recipient": "Grace", "language": "en", "text": "Hello, Grace!", "version": 1}


def versions(books: Mapping[str, Any]) -> int:
    """Count how often the second greeting was changed."""
    return sum(event["data"]["id"] == "g-2" for event in books["events"])


SAMPLES = Samples(
    settings={
        "base_url": "https://hello.example",
        "api_key": "hello_5f0e8c1d",
        "webhook_secret": "whsec_Q29uY29yZCBpcyB0ZXN0ZWQgd2l0aCB0aGlz",
    },
    seed={"greetings": [{**GREETING, "id": "g-1", "version": 3}]},
    reads=(ReadSample(operation="greeting.read", input={"id": "g-1"}),),
    writes=(
        WriteSample(
            operation="greeting.upsert",
            input=GREETING,
            documents=versions,
            interfering=[
                WriteSample(
                    operation="greeting.upsert",
                    input={**GREETING, "text": "Good morning, Grace!", "version": 2},
                    documents=versions,
                )
            ],
        ),
    ),
    webhooks=(
        WebhookSample(
            fixture="greeting_changed.json",
            events=[
                {
                    "external_id": "evt_0001",
                    "type": "helloworld.greeting.changed",
                    "occurred_at": datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
                    "subject": "g-1",
                }
            ],
        ),
    ),
    signer=Signer(
        sign=lambda secret, body, at: sign(secret, "evt_0001", body, at),
        secret="webhook_secret",
        other_secret="whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhlIHNhbWUgZm9ybQ==",
        header="webhook-signature",
        join=lambda first, second: f"{first} {second}",
        needed=("webhook-id", "webhook-timestamp"),
    ),
)
