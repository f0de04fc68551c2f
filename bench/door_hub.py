"""The hub that the door is measured with: the real `serve`, with a connector that takes signed invoices.

A signed webhook is verified, compared with its schema, made durable with its run, mapped (fifteen fields and the
lines), delivered by one HTTP write with its intent and outcome recorded, and audited: nothing is switched off.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.invoices import TERMS
from bench.mapping_engines import DOCUMENT
from hub.errors import UnreadableWebhook, WebhookRejected
from hub.model.effect import Idempotency
from hub.model.event import InboundEvent
from hub.model.exchange import Request
from hub.runtime.composition import Composition, Hub
from hub.runtime.serve import serve
from hub.runtime.settings import HubSettings
from hub.sdk import exact_json
from hub.sdk.auth import FixedHeaders
from hub.sdk.connector import Connector, Limits, Webhook, WriteOperation
from hub.sdk.settings import Settings
from hub.sdk.signing import any_matches, hmac_sha256_hex

#: What the webhooks are signed with.
KEY = b"a key for measuring only"
ENVIRONMENT = "bench"
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["id", "number", "currency", "customer", "total", "status_transitions", "lines"],
    "properties": {
        **{name: {"type": "string"} for name in ("id", "object", "billing_reason", "collection_method", "currency")},
        **{name: {"type": "string"} for name in ("customer", "number", "status")},
        **{name: {"type": "integer"} for name in ("amount_due", "amount_paid", "amount_remaining", "attempt_count")},
        **{name: {"type": "integer"} for name in ("created", "subtotal", "total")},
        **{name: {"type": ["string", "null"]} for name in ("customer_name", "due_date")},
        **{name: {"type": "object"} for name in ("customer_address", "metadata", "status_transitions")},
        "total_taxes": {"type": "array", "items": {"type": "object", "required": ["amount"]}},
        "lines": {
            "type": "object",
            "required": ["data"],
            "properties": {
                "object": {"type": "string"},
                "has_more": {"type": "boolean"},
                "url": {"type": "string"},
                "data": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "required": ["id", "amount", "currency", "pricing"],
                        "properties": {
                            "id": {"type": "string"},
                            "amount": {"type": "integer"},
                            "currency": {"type": "string"},
                            "pricing": {"type": "object"},
                            "quantity": {"type": "integer"},
                            **{name: {"type": "object"} for name in ("metadata", "parent", "period")},
                            **{name: {"type": "string"} for name in ("description", "object")},
                            "discount_amounts": {"type": "array"},
                            "taxes": {"type": "array", "items": {"type": "object"}},
                        },
                    },
                },
            },
        },
    },
}
FLOW = """
flow: deliver
title: Deliver an invoice
owner: team:bench
on: { event: inbox.invoice.made }
key: data.id
business_key: data.id
steps:
  - id: made
    map: bench/invoice
  - id: sent
    call: { connection: inbox, operation: document.write, with: bench/same, of: made }
"""
SAME = """
mapping: bench/same
version: 1
from: bench.record@1
to: bench.record@1
fields:
  FIELDS
"""


class InboxSettings(Settings):
    """Where the records are delivered to."""


def verify(_settings: Settings, headers: Mapping[str, str], body: bytes, _now: datetime) -> None:
    """Trust what is signed."""
    if not any_matches(hmac_sha256_hex(KEY, body), [headers.get("signature", "")]):
        raise WebhookRejected("The signature does not hold.", code="bad-signature")


def parse(body: bytes) -> Sequence[InboundEvent]:
    """Read the one event."""
    try:
        event = exact_json.loads(body)
        invoice = event["data"]
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableWebhook("It is no event.") from error
    return [
        InboundEvent(
            external_id=event["id"],
            type="inbox.invoice.made",
            occurred_at=datetime.now(UTC),
            subject=invoice["id"],
            data=invoice,
            schema="bench.invoice@1",
            record=invoice,
        )
    ]


def _request(settings: Settings, record: Mapping[str, Any], key: str) -> Request:
    headers = {"content-type": "application/json", "idempotency-key": key}
    url = f"{settings.base_url}/documents"
    return Request(method="POST", url=url, headers=headers, body=exact_json.dumps(record))


async def _ping(_session: Any) -> None:
    return None


connector = Connector(
    name="inbox",
    title="Takes invoices, delivers records",
    settings=InboxSettings,
    operations=(
        WriteOperation(
            name="document.write",
            title="Write",
            input={"$ref": "bench.record@1"},
            output={"type": "object"},
            idempotency=Idempotency.NATIVE,
            request=_request,
            result=lambda response: {"id": exact_json.loads(response.body)["id"]},
        ),
    ),
    authorizer=lambda _settings: FixedHeaders({"authorization": "Bearer bench"}),
    classify=lambda _response: None,
    ping=_ping,
    webhook=Webhook(verify=verify, parse=parse),
    schemas={"bench.invoice@1": SCHEMA, "bench.record@1": {"type": "object"}},
    limits=Limits(concurrency=400),
)


def write_workspace(folder: Path, sink: str) -> None:
    """Write the workspace of the measurement."""
    same = "\n  ".join(f"{name}: {name}" for name in (*DOCUMENT["fields"], "lines"))
    files = {
        "flows/deliver.yaml": FLOW,
        "mappings/bench/invoice.yaml": _yaml(DOCUMENT),
        "mappings/bench/same.yaml": SAME.replace("FIELDS", same),
        "mappings/tables/terms.csv": "key,value\n" + "".join(f"{key},{value}\n" for key, value in TERMS.items()),
        "connections/inbox.yaml": "connection: inbox\nconnector: inbox\nowner: team:bench\n",
        f"environments/{ENVIRONMENT}.yaml": (
            f'environment: {ENVIRONMENT}\nprivate_hosts: ["127.0.0.1"]\n'
            f'connections:\n  inbox: {{ base_url: "{sink}" }}\n'
        ),
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _yaml(document: Mapping[str, Any]) -> str:
    """Write a mapping's document as its file."""
    lines = [f"{name}: {document[name]}" for name in ("mapping", "version", "from", "to")]
    lines.append("fields:")
    lines.extend(f"  {name}: {_quoted(text)}" for name, text in document["fields"].items())
    lines.append(f"lines:\n  each: {document['lines']['each']}\n  fields:")
    lines.extend(f"    {name}: {_quoted(text)}" for name, text in document["lines"]["fields"].items())
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main() -> int:
    """Serve; the first line on the output is the address."""
    folder, sink = Path(sys.argv[1]), sys.argv[2]
    write_workspace(folder / "workspace", sink)

    def ready(_hub: Hub, url: str, _setup: bool) -> None:  # noqa: FBT001 - the shape that `serve` asks for
        sys.stdout.write(url + "\n")
        sys.stdout.flush()

    settings = HubSettings(
        data=folder / "data", workspace=folder / "workspace", environment=ENVIRONMENT, port=0, key_file=folder / "key"
    )
    composition = Composition(connectors=lambda: {connector.name: connector})
    return serve(settings, composition=composition, ready=ready, log_level="error")


if __name__ == "__main__":
    sys.exit(main())
