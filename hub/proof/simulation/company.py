"""The company of the simulation: a shop, a ledger, and a compiled workspace of flows between them.

Each flow stands for one way in which money or facts move; together they use every kind of write, and every kind of
step but those that only compute (`map` and `decide`).
"""

from __future__ import annotations

from functools import cache

from hub.errors import WorkspaceInvalid
from hub.proof.simulation.connector import CONNECTOR
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle

ENVIRONMENT = "simulated"
SHOP, LEDGER = "shop", "ledger"
#: A second way to the account at the ledger, for what changes often.
STOCKS = "stocks"
#: Connection → the account that it leads to.
CONNECTIONS = {SHOP: SHOP, LEDGER: LEDGER, STOCKS: LEDGER}
#: Seconds that a request may take.
TIMEOUT = 5

_SALE = """
flow: sale-to-ledger
title: Enter sales in the ledger
owner: team:simulation
on: { event: simulated.sale.made }
key: data.customer
business_key: join(':', ['shop', data.id])
money: data.amount
steps:
  - id: customer
    lookup: { crossref: customer, system: shop, id: data.customer, want: ledger }
    missing: { wait: PT10M, case: customer-not-mapped }
  - id: agreed
    approve: large-sales
    of: data
  - id: post
    call: { connection: ledger, operation: entry.create, with: entry, given: { customer: customer.id } }
    undo: entry.reverse
    retry: patient
  - id: posted
    call: { connection: ledger, operation: entry.read, by: =post.id }
    expect: { equal: [posted.amount, major(data.amount)], else: { case: posted-differently } }
    retry: patient
  - id: noted
    call: { connection: shop, operation: state.put, with: note, given: { ledger: post.id } }
    retry: patient
  - id: tied
    crossref: { entity: sale, ids: { shop: =data.id, ledger: =post.id } }
"""
_PAYMENT = """
flow: payment-to-ledger
title: Enter payments in the ledger
owner: team:simulation
on: { event: simulated.payment.taken }
key: data.sale
business_key: join(':', ['shop', data.id])
money: data.amount
steps:
  - id: sale
    lookup: { crossref: sale, system: shop, id: data.sale, want: ledger }
    missing: { wait: P2D, case: sale-not-posted }
  - id: charge
    call: { connection: ledger, operation: charge.create, with: charge, given: { sale: sale.id } }
    retry: patient
"""
_STOCK = """
flow: stock-to-ledger
title: Keep the ledger's stock as the shop's
owner: team:simulation
on: { event: simulated.stock.changed }
key: data.item
business_key: join(':', ['shop', data.id])
steps:
  - id: put
    call: { connection: stocks, operation: state.put, with: stock }
    retry: patient
"""
_WARNING = """
flow: warning
title: Send a warning that cannot be taken back
owner: team:simulation
on: { event: simulated.warning.due }
key: data.id
business_key: join(':', ['shop', data.id])
steps:
  - id: send
    call: { connection: ledger, operation: notice.send, with: notice }
    retry: patient
"""
_BILL = """
flow: bill-to-ledger
title: Enter bills, of which more than one event may tell
owner: team:simulation
on: { event: simulated.bill.sent }
key: data.id
business_key: join(':', ['shop', data.bill])
money: data.amount
steps:
  - id: post
    call: { connection: ledger, operation: entry.create, with: bill }
    retry: patient
"""
_ORDER = """
flow: order-to-ledger
title: Enter orders with their lines, or nothing of them
owner: team:simulation
on: { event: simulated.order.placed }
key: data.id
business_key: join(':', ['shop', data.id])
on_failure: compensate
steps:
  - id: lines
    foreach:
      each: data.lines
      as: line
      by: line.id
      concurrency: 2
      steps:
        - id: post
          call: { connection: ledger, operation: entry.create, with: line, of: line }
          undo: entry.reverse
          retry: patient
  - id: pause
    wait: { for: PT2M }
  - id: both
    parallel:
      - id: charge
        call: { connection: ledger, operation: charge.create, with: fee, of: data.fee }
        undo: charge.refund
        retry: patient
      - id: told
        needs: [charge]
        emit: { type: concord.order.charged, subject: data.id, of: data.total }
  - id: way
    branch:
      - name: counted
        when: length(data.lines) > `1`
        steps:
          - id: counted
            flow: { flow: total-to-ledger, of: data.total }
      - name: other
        steps:
          - id: total
            call: { connection: ledger, operation: entry.create, with: line, of: data.total }
            undo: entry.reverse
            retry: patient
"""
_BATCH = """
flow: batch-to-ledger
title: Enter many lines by one request
owner: team:simulation
on: { event: simulated.batch.closed }
key: data.id
business_key: join(':', ['shop', data.id])
steps:
  - id: posts
    call: { connection: ledger, operation: entries.create, with: line, each: data.lines, item: id }
    undo: entry.reverse
    retry: patient
"""
_TOTAL = """
flow: total-to-ledger
title: Enter the total of an order
owner: team:simulation
on: { called: simulated.thing@1 }
key: record.id
business_key: join(':', ['total', record.id])
output: "{ id: post.id }"
on_failure: compensate
steps:
  - id: post
    call: { connection: ledger, operation: entry.create, with: line, of: record }
    undo: entry.reverse
    retry: patient
"""
_TOLD = """
flow: charge-told
title: Note in the shop that an order was charged
owner: team:simulation
on: { event: concord.order.charged }
key: record.id
business_key: join(':', ['told', record.id])
steps:
  - id: note
    call: { connection: shop, operation: state.put, with: charged, of: record }
    retry: patient
"""
_DEAL = """
flow: deal-to-ledger
title: Enter deals whose beginnings may fail, but not what people say of them
owner: team:simulation
on: { event: simulated.deal.signed }
key: data.id
business_key: join(':', ['shop', data.id])
money: data.amount
steps:
  - id: begun
    timeout: PT20M
    on_failure: continue
    parallel:
      - id: noted
        call: { connection: shop, operation: state.put, with: deal }
        retry: patient
      - id: agreed
        when: data.asked == 'beside'
        approve: large-sales
        of: data
      - id: heard
        wait: { event: simulated.deal.confirmed, subject: data.confirmation, timeout: PT10M, case: not-confirmed }
      - id: never
        when: data.patient
        wait: { event: simulated.deal.confirmed, subject: data.id, timeout: P1D }
  - id: asked
    timeout: PT2M
    on_failure: continue
    branch:
      - name: within
        when: data.asked == 'within'
        steps:
          - id: agreed
            approve: large-sales
            of: data
          - id: noted
            call: { connection: shop, operation: state.put, with: agreement }
            retry: patient
      - name: before
        steps:
          - id: nothing
            wait: { for: PT1S }
  - id: due
    wait: { until: data.due }
  - id: parts
    foreach:
      each: data.parts
      as: part
      by: part.id
      failures: continue
      steps:
        - id: noted
          timeout: PT5M
          call: { connection: shop, operation: state.put, with: part, of: part }
          retry: patient
  - id: entered
    call: { connection: ledger, operation: entry.create, with: line, of: data }
    undo: entry.reverse
    retry: patient
"""
_LARGE = """
policy: large-sales
kind: approve
version: 1
title: Large sales
owner: team:simulation
match: first
rules:
  - name: very large
    when: money.minor >= `8000000`
    then: { approvals: 2, role: approver, within: P2D, valid: P1D }
  - name: large
    when: money.minor >= `5000000`
    then: { approvals: 1, role: approver, within: P2D, escalate_after: PT6H, escalate_to: controller, valid: P1D }
"""
_FILES = {
    "flows/order-to-ledger.yaml": _ORDER,
    "flows/total-to-ledger.yaml": _TOTAL,
    "flows/batch-to-ledger.yaml": _BATCH,
    "flows/bill-to-ledger.yaml": _BILL,
    "flows/charge-told.yaml": _TOLD,
    "flows/deal-to-ledger.yaml": _DEAL,
    "policies/large-sales.yaml": _LARGE,
    "flows/sale-to-ledger.yaml": _SALE,
    "flows/payment-to-ledger.yaml": _PAYMENT,
    "flows/stock-to-ledger.yaml": _STOCK,
    "flows/warning.yaml": _WARNING,
    "connections/shop.yaml": "connection: shop\nconnector: simulated\n",
    "connections/ledger.yaml": "connection: ledger\nconnector: simulated\n",
    "connections/stocks.yaml": "connection: stocks\nconnector: simulated\n",
    "policies/patient.yaml": (
        "policy: patient\nkind: retry\nattempts: 60\nfirst: 0.5\nfactor: 2\nceiling: 60\njitter: 0.5\nlongest: 600\n"
    ),
    "schemas/simulated.thing@1.json": ('{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"}'),
}
_FIELDS = {
    "entry": {
        "name": "id",
        "customer": "given('customer')",
        "amount": "major(amount)",
        "currency": "amount.currency",
        "bought": "bought",
    },
    "note": {"kind": "'sales'", "id": "id", "name": "id", "version": "`1`", "ledger_id": "given('ledger')"},
    "charge": {"name": "id", "sale": "given('sale')", "amount": "major(amount)", "currency": "amount.currency"},
    "stock": {"kind": "'stocks'", "id": "item", "name": "item", "version": "version", "quantity": "quantity"},
    "notice": {"name": "id", "text": "text"},
    "bill": {"name": "bill", "amount": "major(amount)", "currency": "amount.currency"},
    "line": {"name": "id", "amount": "major(amount)", "currency": "amount.currency"},
    "fee": {"name": "id", "amount": "major(amount)", "currency": "amount.currency"},
    "charged": {"kind": "'orders'", "id": "id", "name": "id", "version": "`1`"},
    "deal": {"kind": "'deals'", "id": "id", "name": "id", "version": "`1`"},
    "agreement": {"kind": "'agreements'", "id": "id", "name": "id", "version": "`1`"},
    "part": {"kind": "'parts'", "id": "id", "name": "id", "version": "`1`"},
}
_GIVEN = {"entry": ["customer"], "note": ["ledger"], "charge": ["sale"]}


@cache
def compiled() -> Bundle:
    """Compile the workspace; once for a process, however many trials it runs."""
    files = {path: text.encode() for path, text in _FILES.items()}
    for name, fields in _FIELDS.items():
        files[f"mappings/{name}.yaml"] = _mapping(name, fields).encode()
    bundle, lints = compile_bundle(files, catalogue_of([CONNECTOR]))
    if bundle is None:
        raise WorkspaceInvalid("\n".join(map(str, lints)))
    return bundle


def _mapping(name: str, fields: dict[str, str]) -> str:
    given = f"given: [{', '.join(_GIVEN[name])}]\n" if name in _GIVEN else ""
    lines = "".join(f'  {field}: "{expression}"\n' for field, expression in fields.items())
    return f"mapping: {name}\nversion: 1\nfrom: simulated.thing@1\nto: simulated.thing@1\n{given}fields:\n{lines}"
