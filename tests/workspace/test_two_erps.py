"""A flow with an arm for each system that a policy may choose is checked arm by arm, each against its own connector."""

from __future__ import annotations

import textwrap

import pytest

from hub.model.effect import Idempotency
from hub.workspace.catalogue import Catalogue, ConnectorEntry, OperationEntry
from hub.workspace.compilation import compile_bundle
from hub.workspace.lineage.edges import Purpose
from hub.workspace.lineage.tracing import trace
from hub.workspace.source.lint import Lint, Severity
from tests.workspace.conftest import CATALOGUE, FILES, OBJECT, encoded

_TEXT = {"type": "string"}
_ENTRY = {"type": "object", "properties": {"id": _TEXT, "year": _TEXT}, "required": ["id", "year"]}
LEDGER = ConnectorEntry(
    name="ledger",
    title="Ledger",
    operations={
        "entry.post": OperationEntry(
            name="entry.post",
            title="Post an entry",
            writes=True,
            input={"$ref": "ledger.entry@1"},
            output=_ENTRY,
            idempotency=Idempotency.NATIVE,
        ),
        "entry.reverse": OperationEntry(
            name="entry.reverse",
            title="Reverse an entry",
            writes=True,
            input=_ENTRY,
            output=OBJECT,
            idempotency=Idempotency.NATIVE,
        ),
    },
    schemas={"ledger.entry@1": {"type": "object"}},
    settings={"base_url": True},
)
TWO = Catalogue(connectors={**CATALOGUE.connectors, "ledger": LEDGER})

ROUTING = """\
policy: routing
kind: route
version: 1
match: first
rules:
  - name: in the first books
    when: invoice.kind == 'first'
    then: { connection: books, system: erp, subsidiary: "1" }
  - name: in the second
    when: invoice.kind == 'second'
    then: { connection: ledger, system: ledger, company: "1010" }
  - name: in the second, at another tenant
    then: { connection: ledger_two, system: ledger, company: "=table('kinds', invoice.id)" }
"""
FLOW = """\
flow: post
title: Post invoices to two systems
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
  - id: route
    decide: routing
  - id: document
    when: route.system == 'ledger'
    map: ledger/from_hub
    of: invoice
    given: { company: route.company }
  - id: booked
    branch:
      - name: erp
        when: route.system == 'erp'
        steps:
          - id: post
            call:
              connection: =route.connection
              operation: invoice.upsert
              with: erp/from_hub
              of: invoice
              given: { customer: route.subsidiary }
            undo: invoice.reverse
      - name: ledger
        when: route.system == 'ledger'
        steps:
          - id: entry
            call:
              connection: =route.connection
              operation: entry.post
              with: ledger/from_hub
              of: invoice
              given: { company: route.company }
            undo: entry.reverse
  - id: link
    crossref:
      entity: invoice
      ids: { billing: =invoice.id, =route.system: "=coalesce(booked.post.id, booked.entry.id)" }
"""
FROM_HUB = """\
mapping: ledger/from_hub
version: 1
from: canonical.thing@1
to: ledger.entry@1
given: [company]
fields:
  company: { value: upper(given('company')), required: true }
"""
WHOLE = {
    **FILES,
    "flows/post.yaml": FLOW,
    "policies/routing.yaml": ROUTING,
    "mappings/ledger/from_hub.yaml": FROM_HUB,
    "connections/ledger.yaml": "connection: ledger\nconnector: ledger\n",
    "connections/ledger_two.yaml": "connection: ledger_two\nconnector: ledger\n",
}
POLICY, POST = "policies/routing.yaml", "flows/post.yaml"


def lints_after(path: str, old: str, new: str) -> list[Lint]:
    assert old in WHOLE[path], old
    lints = compile_bundle(encoded({**WHOLE, path: WHOLE[path].replace(old, new, 1)}), TWO)[1]
    return [lint for lint in lints if lint.code != "unused-file"]


def test_each_arm_is_checked_against_the_systems_that_it_is_for() -> None:
    assert [str(lint) for lint in compile_bundle(encoded(WHOLE), TWO)[1]] == []


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        # With another condition an arm may be about any of the systems.
        ("when: route.system == 'erp'", "when: invoice.kind == 'first'", "unknown-operation", "`ledger` has no"),
        ("operation: entry.post", "operation: invoice.upsert", "unknown-operation", "`ledger` has no operation"),
        ("undo: entry.reverse", "undo: { operation: entry.reverse, by: =entry.id }", "not-by-id", "by an id alone"),
        ("undo: entry.reverse", "undo: invoice.reverse", "unknown-operation", "`ledger` has no operation"),
        (
            "company: route.company }\n            undo",
            "company: route.subsidiary }\n            undo",
            "unknown-field",
            "subsidiary",
        ),
        ("when: route.system == 'ledger'\n    map", "when: route.system == 'erp'\n    map", "unknown-field", "company"),
        (
            "when: route.system == 'ledger'\n        steps",
            "when: route.system == 'ledgers'\n        steps",
            "arm-missing",
            "`system: ledger` and choose `ledger` (rule `in the second`)",
        ),
    ],
)
def test_one_mistake_in_an_arm(old: str, new: str, code: str, words: str) -> None:
    lints = lints_after(POST, old, new)
    assert code in {lint.code for lint in lints}, [str(lint) for lint in lints]
    assert any(words in lint.message for lint in lints if lint.code == code), [str(lint) for lint in lints]


def test_an_arm_for_what_is_never_decided() -> None:
    lints = lints_after(
        POST, "when: route.system == 'ledger'\n        steps", "when: route.system == 'leger'\n        steps"
    )
    (never,) = [lint for lint in lints if lint.code == "arm-never-taken"]
    assert (never.severity, never.line) == (Severity.WARNING, 35)
    assert "`routing` decides no `leger`" in never.message
    assert "`ledger`" in str(never)


@pytest.mark.parametrize(
    "instead",
    [
        "when: \"'ledger' == route.system\"\n        steps",
        "when: route.system == 'ledger' && route.company\n        steps",
        "when: route.system != 'erp'\n        steps",
        # The arms before it are for all other systems.
        "steps",
    ],
)
def test_other_words_for_the_same_arm(instead: str) -> None:
    assert [str(lint) for lint in lints_after(POST, "when: route.system == 'ledger'\n        steps", instead)] == []


def test_a_third_system_needs_an_arm_in_every_flow() -> None:
    third = "  - name: elsewhere\n    when: invoice.kind == 'third'\n    then: { connection: books, system: third }\n"
    lints = lints_after(POLICY, "  - name: in the second, at", f"{third}  - name: in the second, at")
    (missing,) = [lint for lint in lints if lint.code == "arm-missing"]
    assert (missing.path, missing.line, missing.severity) == (POST, 23, Severity.ERROR)
    assert "`system: third` and choose `books` (rule `elsewhere`)" in missing.message
    assert "`when: route.system == 'third'`" in str(missing)


def test_what_is_decided_for_no_connection_needs_no_arm() -> None:
    nothing = "  - name: nowhere\n    when: invoice.kind == 'third'\n    then: { system: none }\n"
    assert lints_after(POLICY, "  - name: in the second, at", f"{nothing}  - name: in the second, at") == []


def test_a_value_that_is_worked_out_may_be_any_system() -> None:
    lints = lints_after(POLICY, "ledger_two, system: ledger", "ledger_two, system: \"=table('kinds', invoice.id)\"")
    # So the first arm too may be about the other connector.
    assert {lint.code for lint in lints} == {"unknown-operation"}


@pytest.mark.parametrize("left_out", ["", "    when: full\n"])
def test_a_flow_that_serves_one_system_says_so_behind_the_policy(left_out: str) -> None:
    branch = FLOW[FLOW.index("  - id: booked\n") : FLOW.index("  - id: link\n")]
    alone = branch[branch.index("          - id: post\n") : branch.index("      - name: ledger\n")]
    text = FLOW.replace(branch, textwrap.indent(textwrap.dedent(alone), "  "))
    text = text.replace(FLOW[FLOW.index("  - id: document\n") : FLOW.index("  - id: booked\n")], "")
    text = text.replace('"=coalesce(booked.post.id, booked.entry.id)"', "=post.id")
    expect = (
        f"decide: routing\n{left_out}    expect: {{ equal: [route.system, \"'erp'\"], else: {{ case: not-served }} }}\n"
    )
    served = text.replace("    decide: routing\n", f"    {expect}")
    codes = [
        {lint.code for lint in compile_bundle(encoded({**WHOLE, POST: each}), TWO)[1]} - {"unused-file"}
        for each in (text, served)
    ]
    # What may be missing where the policy was not asked is told as before.
    assert codes == [{"unknown-operation"}, set()]


def test_what_guards_a_connection_is_told_of_the_arm_that_calls_it() -> None:
    hold = (
        "policy: frozen\nkind: hold\nversion: 1\nmatch: all\nrules:\n  - name: a freeze\n"
        "    when: entity == 'DE01'\n    then: { reason: Frozen }\n"
    )
    books = {name: f"{WHOLE[f'connections/{name}.yaml']}hold: frozen\n" for name in ("books", "ledger", "ledger_two")}
    files = {f"connections/{name}.yaml": text for name, text in books.items()} | {"policies/frozen.yaml": hold}
    flow = {POST: WHOLE[POST].replace("runbook:", "entity: invoice.id\nrunbook:")}
    bundle, lints = compile_bundle(encoded({**WHOLE, **files, **flow}), TWO)
    assert bundle is not None, [str(lint) for lint in lints]
    guarded = {
        (use.step.step, use.text.rpartition(" ")[2]) for use in trace(bundle, TWO).uses if use.purpose is Purpose.GUARD
    }
    assert guarded == {("booked.post", "books"), ("booked.entry", "ledger"), ("booked.entry", "ledger_two")}
