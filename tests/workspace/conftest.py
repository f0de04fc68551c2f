"""A small workspace that is right, to be broken in one place by each test."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from hub.model.effect import Idempotency
from hub.workspace.catalogue import Catalogue, ConnectorEntry, OperationEntry
from hub.workspace.compilation import compile_bundle
from hub.workspace.source.lint import Lint

OBJECT: Mapping[str, object] = {"type": "object"}
INVOICE: Mapping[str, object] = {"$ref": "erp.invoice@1"}

CATALOGUE = Catalogue(
    connectors={
        "billing": ConnectorEntry(
            name="billing",
            title="Billing",
            operations={
                "invoice.read": OperationEntry(
                    name="invoice.read", title="Read an invoice", writes=False, input=OBJECT, output=OBJECT
                ),
            },
            schemas={"billing.invoice@1": {"type": "object"}},
            settings={"base_url": True, "timeout": False, "api_key": True},
            secrets=frozenset({"api_key"}),
            webhook=True,
        ),
        "erp": ConnectorEntry(
            name="erp",
            title="ERP",
            operations={
                "invoice.read": OperationEntry(
                    name="invoice.read", title="Read an invoice", writes=False, input=OBJECT, output=OBJECT
                ),
                "invoice.upsert": OperationEntry(
                    name="invoice.upsert",
                    title="Write an invoice",
                    writes=True,
                    input=INVOICE,
                    output=OBJECT,
                    idempotency=Idempotency.UPSERT,
                    undo="invoice.reverse",
                ),
                "invoice.reverse": OperationEntry(
                    name="invoice.reverse",
                    title="Reverse an invoice",
                    writes=True,
                    input={"type": "object", "properties": {"id": {}}, "required": ["id"]},
                    output=OBJECT,
                    idempotency=Idempotency.NATIVE,
                ),
                "invoice.delete": OperationEntry(
                    name="invoice.delete",
                    title="Delete an invoice",
                    writes=True,
                    input={"type": "object", "properties": {"id": {}}, "required": ["id"]},
                    output=OBJECT,
                    idempotency=Idempotency.NATIVE,
                    erases=True,
                ),
                "entity.list": OperationEntry(
                    name="entity.list",
                    title="List the legal entities",
                    writes=False,
                    input={"type": "object", "properties": {}, "additionalProperties": False},
                    output=OBJECT,
                ),
                "invoice.adjust": OperationEntry(
                    name="invoice.adjust",
                    title="Adjust an invoice",
                    writes=True,
                    input={"type": "object", "properties": {"code": {}}, "required": ["code"]},
                    output=OBJECT,
                    idempotency=Idempotency.NATIVE,
                ),
            },
            schemas={"erp.invoice@1": {"type": "object"}},
            settings={"base_url": True},
        ),
    }
)

FLOW = """\
flow: post
title: Post invoices
owner: team:finance
on: { event: billing.invoice.finalized }
key: data.object.id
business_key: join(':', ['billing', data.object.id])
runbook: docs/runbooks/failed-posting.md
steps:
  - id: full
    call: { connection: =event.connection, operation: invoice.read, by: =data.object.id }
  - id: invoice
    map: billing/to_hub
    of: full
    expect: { equal: [invoice.id, full.id], else: { case: not-equal } }
  - id: route
    decide: routing
  - id: customer
    lookup: { crossref: customer, system: billing, id: invoice.id, want: =route.system }
    missing: { wait: P7D, case: customer-not-mapped }
  - id: sent
    call:
      connection: =route.connection
      operation: invoice.upsert
      with: erp/from_hub
      of: invoice
      given: { customer: customer.id }
    undo: invoice.reverse
    retry: erp
  - id: link
    crossref: { entity: invoice, ids: { billing: =invoice.id, =route.system: =sent.id } }
"""
TO_HUB = """\
mapping: billing/to_hub
version: 1
from: billing.invoice@1
to: canonical.thing@1
fields:
  id: id
  kind: table('kinds', kind, 'other')
lines:
  each: lines.data
  fields:
    number: number
"""
FROM_HUB = """\
mapping: erp/from_hub
version: 1
from: canonical.thing@1
to: erp.invoice@1
given: [customer]
fields:
  externalId: id
  customer: given('customer')
"""
PARTY = """\
fragment: billing/party
fields:
  name: name
"""
EXAMPLES = """\
- example: a thing with one line
  in: { id: T1, kind: a, lines: { data: [{ number: 1 }] } }
  expect: { id: T1, kind: first, lines: [{ number: 1 }] }
"""
SCHEMA = """\
{
  "type": "object",
  "properties": {
    "id": { "type": "string" },
    "kind": { "type": "string" },
    "lines": { "type": "array" }
  },
  "required": ["id"]
}
"""
ROUTING = """\
policy: routing
kind: route
version: 1
match: first
rules:
  - name: things of this kind
    when: invoice.kind == 'first'
    then: { connection: books, system: erp }
  - name: everything else
    then: { connection: books, system: erp }
"""
RETRY = """\
policy: erp
kind: retry
attempts: 5
"""

FILES: Mapping[str, str] = {
    "flows/post.yaml": FLOW,
    "mappings/billing/to_hub.yaml": TO_HUB,
    "mappings/billing/to_hub_examples.yaml": EXAMPLES,
    "mappings/billing/party.yaml": PARTY,
    "mappings/erp/from_hub.yaml": FROM_HUB,
    "mappings/tables/kinds.csv": "key,value\na,first\nb,second\n",
    "policies/routing.yaml": ROUTING,
    "policies/erp.yaml": RETRY,
    "schemas/canonical.thing@1.json": SCHEMA,
    "schemas/canonical.thing.yaml": (
        "series: canonical.thing\ncompatibility: backward\nversions:\n  1: { note: First }\n"
    ),
    "connections/billing.yaml": "connection: billing\nconnector: billing\nsecret: vault:billing\n",
    "connections/books.yaml": "connection: books\nconnector: erp\nlimits: { concurrency: 5 }\n",
    "environments/test.yaml": (
        "environment: test\nconnections:\n  billing: { base_url: 'https://b.example', secret: vault:b }\n"
        "  books: { base_url: 'https://e.example' }\n"
    ),
    "docs/runbooks/failed-posting.md": "# A document was not posted\n",
}

Break = Callable[..., list[Lint]]


def encoded(files: Mapping[str, str]) -> dict[str, bytes]:
    """Give files as the bytes a folder would have."""
    return {path: content.encode() for path, content in files.items()}


@pytest.fixture
def broken() -> Break:
    """Give the lints of the small workspace after `old` was replaced by `new` in one file."""

    def lints(path: str, old: str, new: str, **more: str) -> list[Lint]:
        text = FILES[path]
        assert text.count(old) >= 1, f"{old!r} is not in {path}"
        files = {**FILES, path: text.replace(old, new, 1), **more}
        return compile_bundle(encoded(files), CATALOGUE)[1]

    return lints


@pytest.fixture
def files() -> dict[str, bytes]:
    """Give the small workspace's files."""
    return encoded(FILES)


@pytest.fixture
def catalogue() -> Catalogue:
    """Give what the small workspace's connectors offer."""
    return CATALOGUE
