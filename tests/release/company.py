"""A company's workspace for tests: invoices are rounded line by line, booked, written to a vendor and read back."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from tests.engine.vendor import connector

CATALOGUE = catalogue_of([connector])

FLOW = """
flow: tested
title: Post invoices
owner: team:tests
on: { event: vendor.thing.made }
key: data.id
business_key: join(':', ['invoice', data.id])
entity: invoice.entity
money: invoice.total
steps:
  - id: invoice
    map: company/invoice
    expect:
      equal: ["money_sum(invoice.lines[].amount, invoice.currency)", invoice.total]
      else: { case: does-not-add-up }
  - id: route
    decide: routing
  - id: customer
    lookup: { crossref: customer, system: vendor, id: data.customer, want: books }
    missing: { case: customer-not-mapped }
  - id: post
    call:
      connection: =route.connection
      operation: upsert.write
      with: company/posting
      of: invoice
      given: { customer: customer.id }
    retry: patient
  - id: read
    call: { connection: =route.connection, operation: document.read, by: =post.id, into: company/read }
    expect: { equal: ["'ok'", "'ok'"], else: { case: posted-differently } }
    retry: patient
  - id: note
    when: invoice.total.minor > `10000`
    call: { connection: vendor, operation: native.write, with: company/note, of: invoice }
    retry: patient
  - id: link
    crossref: { entity: invoice, ids: { vendor: =invoice.id, books: =post.id } }
"""
INVOICE = """
mapping: company/invoice
version: 1
from: vendor.order@1
to: company.invoice@1
fields:
  id: id
  number: number
  entity: table('entities', country)
  currency: currency
  total: money_sum(lines[].money_major(multiply(quantity, unit), root().currency, 'half_up'), currency)
lines:
  each: lines
  fields:
    product: product
    amount: money_major(multiply(quantity, unit), root().currency, 'half_up')
"""
POSTING = """
mapping: company/posting
version: 1
from: company.invoice@1
to: books.posting@1
given: [customer]
fields:
  key: number
  value: major(total)
  customer: given('customer')
"""
READ = """
mapping: company/read
version: 1
from: books.document@1
to: books.document@1
fields: { found: found }
"""
NOTE = """
mapping: company/note
version: 1
from: company.invoice@1
to: books.posting@1
fields: { key: number, value: id }
"""
ROUTING = """
policy: routing
kind: route
version: 1
title: Where invoices go
owner: team:tests
match: first
rules:
  - name: large
    when: invoice.total.minor >= `100000`
    then: { connection: vendor }
  - name: everything else
    then: { connection: vendor }
"""
MONEY = {"type": "object", "properties": {"minor": {"type": "integer"}, "currency": {"type": "string"}}}
SCHEMAS: dict[str, dict[str, Any]] = {
    "vendor.order@1": {"type": "object"},
    "books.document@1": {"type": "object", "properties": {"found": {"type": ["string", "null"]}}},
    "books.posting@1": {
        "type": "object",
        "properties": {"key": {"type": "string"}, "value": {}, "customer": {"type": "string"}},
        "x-name": "key",
        "x-postings": [{"account": "receivable", "amount": "value", "when": "customer"}],
    },
    "company.invoice@1": {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "number": {"type": "string"},
            "entity": {"type": "string"},
            "currency": {"type": "string"},
            "total": MONEY,
            "lines": {
                "type": "array",
                "items": {"type": "object", "properties": {"product": {"type": "string"}, "amount": MONEY}},
            },
        },
        "x-name": "number",
        "x-postings": [
            {"account": "receivable", "amount": "total", "entity": "entity"},
            {
                "account": "=join(' ', ['revenue', product])",
                "each": "lines",
                "amount": "amount",
                "entity": "root().entity",
            },
        ],
    },
}
FILES: dict[str, str] = {
    "flows/tested.yaml": FLOW,
    "mappings/company/invoice.yaml": INVOICE,
    "mappings/company/posting.yaml": POSTING,
    "mappings/company/read.yaml": READ,
    "mappings/company/note.yaml": NOTE,
    "mappings/tables/entities.csv": "key,value\nDE,DE01\nUS,US01\nJP,JP01\n",
    "policies/routing.yaml": ROUTING,
    "policies/patient.yaml": (
        "policy: patient\nkind: retry\nattempts: 60\nfirst: 0.02\nfactor: 1.5\nceiling: 0.5\njitter: 0.5\n"
    ),
    "connections/vendor.yaml": "connection: vendor\nconnector: vendor\n",
    **{f"schemas/{name}.json": json.dumps(schema) for name, schema in SCHEMAS.items()},
}


def compiled(files: dict[str, str]) -> Bundle:
    """Compile files that have no error."""
    bundle, lints = compile_bundle({path: text.encode() for path, text in files.items()}, CATALOGUE)
    assert bundle is not None, [str(lint) for lint in lints]
    return bundle


def changed(*changes: tuple[str, str, str], files: dict[str, str] | None = None) -> dict[str, str]:
    """Give the files with texts replaced: path, what stands there, what is to stand there."""
    made = dict(files or FILES)
    for path, before, after in changes:
        assert before in made[path], (path, before)
        made[path] = made[path].replace(before, after)
    return made


def half_even() -> dict[str, str]:
    """Give the files with the other rounding rule."""
    return changed(("mappings/company/invoice.yaml", "half_up", "half_even"))


def invoice(number: int, *lines: tuple[str, str, str], country: str = "DE", currency: str = "EUR") -> dict[str, Any]:
    """Give an invoice's event; a line is product, quantity and price of one."""
    return {
        "id": f"in_{number}",
        "number": f"INV-{number:04}",
        "customer": "cus_1",
        "country": country,
        "currency": currency,
        "lines": [
            {"product": product, "quantity": Decimal(quantity), "unit": Decimal(unit)}
            for product, quantity, unit in lines
        ],
    }
