"""What tests of sent events need: a workspace with senders, and events as a sender makes them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from hub.intake.deliveries import Deliveries
from hub.sdk import exact_json
from hub.workspace.bundle import Bundle
from tests.engine.house import House, bundle
from tests.engine.vendor import Vendor

TOKEN = "concord_send_" + "t" * 43
OTHER_TOKEN = "concord_send_" + "o" * 43
SOURCE = "https://meter.example.com/eu"
#: A flow for orders; of usage no flow wants to know.
FLOW = """
flow: tested
title: Tested
owner: team:tests
on: { event: sent.order.placed }
key: record.order
business_key: record.order
steps:
  - id: seen
    wait: { for: PT1H }
"""
SCHEMA = """
{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "required": ["meter", "quantity"],
 "properties": {"meter": {"type": "string"}, "quantity": {"type": "number"}}}
"""
POLICY = """
policy: strict
version: 1
kind: drift
match: first
rules:
  - name: keep what lacks a field
    when: finding.kind == 'missing-field'
    then: { action: quarantine }
"""


def digest(token: str) -> str:
    """Give what stands of a token in the file."""
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


ENVIRONMENT = f"""
environment: test
connections: {{}}
senders:
  usage:
    tokens: {{ meter: {digest(TOKEN)} }}
    sources: ["https://meter.example.com/*", /meters]
    types: [usage.recorded, "order.*", "session.*"]
    schemas: {{ session.ended: session.ended@1 }}
    drift: strict
  other:
    tokens: {{ one: {digest(OTHER_TOKEN)} }}
    sources: ["*"]
    types: ["*"]
"""
FILES = {
    "environments__test.yaml": ENVIRONMENT,
    "schemas__session.ended@1.json": SCHEMA,
    "policies__strict.yaml": POLICY,
}


def workspace() -> Bundle:
    """Compile the workspace."""
    return bundle(FLOW, **FILES)


def house(directory: Path) -> tuple[House, Deliveries]:
    """Give a hub over a data directory, and its door for sent events."""
    return _house(directory, workspace())


def _house(directory: Path, served: Bundle) -> tuple[House, Deliveries]:
    made = House(directory, Vendor(), served)
    taken = Deliveries(
        environment="test",
        ambient=made.ambient,
        committer=made.committer,
        bundle=lambda: served,
        intake=made.intake,
    )
    return made, taken


def usage(identity: str, **changes: Any) -> dict[str, Any]:
    """Make an event of usage; a change to `...` leaves an attribute out."""
    event = {
        "specversion": "1.0",
        "id": identity,
        "source": SOURCE,
        "type": "usage.recorded",
        "subject": "customer-7",
        "time": "2026-01-05T10:00:00Z",
        "data": {"meter": "calls", "quantity": 3},
        **changes,
    }
    return {name: value for name, value in event.items() if value is not ...}


def body_of(*events: object) -> bytes:
    """Write a batch."""
    return exact_json.dumps(list(events))


def waiting_house(directory: Path) -> tuple[House, Deliveries]:
    """Give a hub whose flow waits until an order is paid, which starts no flow."""
    steps = "wait: { event: sent.order.paid, subject: record.order, timeout: P1D }"
    return _house(directory, bundle(FLOW.replace("wait: { for: PT1H }", steps), **FILES))
