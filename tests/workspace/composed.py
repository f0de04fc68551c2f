"""A flow of the small workspace that has every kind of step, and the flow that it runs; to be broken by tests."""

from __future__ import annotations

WHOLE = """\
flow: whole
title: Everything a flow can do
owner: team:finance
on: { event: billing.invoice.paid }
key: data.object.id
business_key: join(':', ['whole', data.object.id])
priority: high
on_failure: compensate
steps:
  - id: invoice
    map: billing/to_hub
  - id: ok
    approve: large
    of: invoice
  - id: pause
    wait: { for: PT1H }
    timeout: P3D
  - id: month_end
    wait: { until: data.object.due }
    when: data.object.due
  - id: paid
    wait: { event: billing.payment.settled, subject: data.object.id, timeout: P7D, case: not-settled }
  - id: lines
    foreach:
      each: invoice.lines
      as: line
      by: line.number
      concurrency: 4
      failures: continue
      collect: "{ number: line.number, id: kept.id }"
      steps:
        - id: kept
          call: { connection: books, operation: invoice.upsert, with: erp/from_hub, given: { customer: line.number } }
          on_failure: continue
  - id: way
    branch:
      - name: domestic
        when: invoice.kind == 'first'
        steps:
          - id: post
            call:
              connection: books
              operation: invoice.upsert
              with: erp/from_hub
              of: invoice
              given: { customer: ok.hash }
            undo: { operation: invoice.adjust, with: erp/reversal, of: post, given: { why: invoice.id } }
      - name: other
        steps:
          - id: chosen
            decide: routing
          - id: looked
            lookup: { crossref: customer, system: billing, id: invoice.id, want: =chosen.system }
  - id: both
    parallel:
      - id: a
        map: billing/to_hub
      - id: b
        needs: [a]
        call: { connection: books, operation: invoice.upsert, with: erp/from_hub, of: a, given: { customer: a.id } }
        undo: { operation: invoice.reverse, by: =b.id }
      - id: c
        needs: [a, b]
        call: { connection: books, operation: invoice.upsert, with: erp/from_hub, of: a, given: { customer: a.id } }
  - id: told
    emit: { type: concord.invoice.posted, subject: data.object.id, of: invoice }
  - id: child
    flow: { flow: inner, of: invoice }
  - id: posts
    call:
      connection: books
      operation: invoice.upsert
      with: erp/from_hub
      given: { customer: invoice.id }
      each: child.things
      item: id
      failures: continue
    undo: invoice.reverse
"""

INNER = """\
flow: inner
title: Run by the other
owner: team:finance
on: { called: canonical.thing@1 }
key: record.id
business_key: join(':', ['inner', record.id])
output: "{ things: [data.record] }"
steps:
  - id: route
    wait: { for: PT1S }
"""
NIGHTLY = """\
flow: nightly
title: By itself
owner: team:finance
on: { schedule: { cron: "0 6 * * MON-FRI", zone: Europe/Vienna, catch_up: all, overlap: skip, dead_man: PT80H } }
key: "'nightly'"
business_key: join(':', ['nightly', data.date])
priority: low
steps:
  - id: told
    emit: { type: concord.night.over, of: event }
  - id: entities
    call: { connection: books, operation: entity.list }
"""
LISTENING = """\
flow: listening
title: Started by an event of the hub's own
owner: team:finance
on: { event: concord.invoice.posted }
key: event.subject
business_key: join(':', ['listening', event.subject])
steps:
  - id: post
    call: { connection: books, operation: invoice.read, by: =event.subject }
"""
LARGE = """\
policy: large
kind: approve
version: 1
match: first
rules:
  - name: large
    then: { approvals: 1 }
"""
REVERSAL = """\
mapping: erp/reversal
version: 1
from: erp.invoice@1
to: canonical.thing@1
given: [why]
fields:
  id: given('why')
"""

THING = """\
{
  "type": "object",
  "properties": {
    "id": { "type": "string" },
    "kind": { "type": "string" },
    "lines": { "type": "array", "items": { "type": "object", "properties": { "number": { "type": "integer" } } } }
  },
  "required": ["id"]
}
"""

FILES = {
    "schemas/canonical.thing@1.json": THING,
    "flows/whole.yaml": WHOLE,
    "flows/inner.yaml": INNER,
    "flows/nightly.yaml": NIGHTLY,
    "flows/listening.yaml": LISTENING,
    "policies/large.yaml": LARGE,
    "mappings/erp/reversal.yaml": REVERSAL,
}
