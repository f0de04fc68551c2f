"""What the measurements of flows have in common: the target's connector, the flow of five steps, and its events.

A flow checks the event, maps it, looks a crossref up, makes one HTTP write (five milliseconds away), and maps the
answer. The governed one has policies besides: where it goes, whether people must agree, whether it is held, how fast
the target may be asked, and what becomes of drift.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hub.model.effect import Idempotency
from hub.model.event import InboundEvent
from hub.model.exchange import Request
from hub.sdk import exact_json
from hub.sdk.auth import FixedHeaders
from hub.sdk.connector import Connector, Limits, WriteOperation
from hub.sdk.settings import Settings
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle

FLOW = """
flow: measured
title: Five steps, one write
owner: team:bench
on: { event: target.thing.made }
key: data.id
business_key: data.id
steps:
  - id: checked
    map: thing
    of: data
    expect: { equal: [checked.quantity, data.quantity], else: { case: differs } }
  - id: mapped
    map: thing
    of: checked
  - id: customer
    lookup: { crossref: customer, system: crm, id: data.customer, want: erp }
    missing: { case: customer-not-mapped }
  - id: post
    call: { connection: target, operation: document.write, with: thing, of: mapped }
  - id: noted
    map: noted
    of: post
"""
THING = """
mapping: thing
version: 1
from: bench.any@1
to: bench.any@1
fields:
  id: id
  customer: customer
  currency: upper(currency)
  quantity: quantity
  total: total
  memo: memo
"""
NOTED = """
mapping: noted
version: 1
from: bench.any@1
to: bench.any@1
fields:
  id: id
"""
FILES = {
    "flows/measured.yaml": FLOW,
    "mappings/thing.yaml": THING,
    "mappings/noted.yaml": NOTED,
    "schemas/bench.any@1.json": '{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}',
    "connections/target.yaml": "connection: target\nconnector: target\n",
}


def request(settings: Settings, record: Mapping[str, Any], key: str) -> Request:
    """Form the write to the target."""
    return Request(
        method="POST",
        url=f"{settings.base_url}/documents",
        headers={"content-type": "application/json", "idempotency-key": key},
        body=exact_json.dumps(record),
    )


async def _ping(_session: Any) -> None:
    return None


connector = Connector(
    name="target",
    title="The target",
    settings=Settings,
    operations=(
        WriteOperation(
            name="document.write",
            title="Write",
            input={"type": "object"},
            output={"type": "object"},
            idempotency=Idempotency.NATIVE,
            request=request,
            result=lambda response: {"id": exact_json.loads(response.body)["id"]},
        ),
    ),
    authorizer=lambda _settings: FixedHeaders({"authorization": "Bearer bench"}),
    classify=lambda _response: None,
    ping=_ping,
    limits=Limits(concurrency=400),
)


def events_data(count: int, *, first: int = 0) -> list[dict[str, Any]]:
    """Make the payloads of so many events."""
    return [
        {"id": f"thing_{number}", "customer": f"cus_{number % 50}", "currency": "eur", "quantity": 3, "total": 1999,
         "memo": "x" * 180}
        for number in range(first, first + count)
    ]  # fmt: skip


GOVERNED = {
    **FILES,
    "flows/measured.yaml": FLOW.replace(
        "  - id: post\n    call: { connection: target,",
        "  - id: way\n    decide: ways\n  - id: agreed\n    approve: large\n    of: mapped\n"
        "  - id: post\n    retry: patient\n    call: { connection: =way.connection,",
    ),
    "connections/target.yaml": (
        "connection: target\nconnector: target\nhold: freezes\nthrottle: pace\ndrift: drifts\n"
    ),
    "policies/ways.yaml": (
        "policy: ways\nkind: route\nversion: 1\ntitle: Measured\nowner: team:bench\nmatch: first\nrules:\n"
        "  - name: Japan\n    when: mapped.currency == 'JPY'\n    then: { connection: target }\n"
        "  - name: all others\n    then: { connection: target }\n"
    ),
    "policies/large.yaml": (
        "policy: large\nkind: approve\nversion: 1\ntitle: Measured\nowner: team:bench\nmatch: first\nrules:\n"
        "  - name: large\n    when: input.total > `100000000`\n    then: { approvals: 1 }\n"
    ),
    "policies/freezes.yaml": (
        "policy: freezes\nkind: hold\nversion: 1\ntitle: Measured\nowner: team:bench\nmatch: all\nrules:\n"
        "  - name: year-end\n    when: now < '2020-01-02T06:00:00Z'\n    then: { reason: The year is being closed. }\n"
    ),
    "policies/pace.yaml": (
        "policy: pace\nkind: throttle\nversion: 1\ntitle: Measured\nowner: team:bench\nmatch: first\nrules:\n"
        "  - name: always\n    then: { concurrency: 400 }\n"
    ),
    "policies/drifts.yaml": (
        "policy: drifts\nkind: drift\nversion: 1\ntitle: Measured\nowner: team:bench\nmatch: first\nrules:\n"
        "  - name: taken in\n    then: { action: accept }\n"
    ),
    "policies/patient.yaml": "policy: patient\nkind: retry\nattempts: 8\n",
}


def compiled(files: Mapping[str, str]) -> Bundle:
    """Compile a workspace of the measurements; ends the process with what is wrong with it."""
    bundle, lints = compile_bundle({path: text.encode() for path, text in files.items()}, catalogue_of([connector]))
    if bundle is None:
        raise SystemExit("\n".join(map(str, lints)))
    return bundle


def events(count: int, *, first: int = 0) -> list[InboundEvent]:
    """Make so many events, each of a thing of its own."""
    at = datetime.now(UTC)
    return [
        InboundEvent(external_id=thing["id"], type="target.thing.made", occurred_at=at, data=thing)
        for thing in events_data(count, first=first)
    ]
