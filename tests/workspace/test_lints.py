"""Every kind of mistake gives exactly one line that says where it is and what to write instead."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle
from hub.workspace.source.lint import Lint

Break = Callable[..., list[Lint]]

FLOW = "flows/post.yaml"
TO_HUB = "mappings/billing/to_hub.yaml"
FROM_HUB = "mappings/erp/from_hub.yaml"
ROUTING = "policies/routing.yaml"

SCHEMA = "schemas/canonical.thing@1.json"
EXAMPLES = "mappings/billing/to_hub_examples.yaml"
TEST = "environments/test.yaml"
EVENT = "on: { event: billing.invoice.finalized }"
TO_MAP = "    map: billing/to_hub\n"
DECIDE = "    decide: routing\n"
BUSINESS_KEY = "business_key: join(':', ['billing', data.object.id])"

#: file, what is replaced, by what, line:column, code, and words of the message.
MISTAKES = [
    # bad YAML
    (FLOW, EVENT, EVENT[:-2], "5:4", "bad-yaml", "YAML"),
    (FLOW, "    of: full", "\tof: full", "13:1", "bad-yaml", "a tab stands"),
    (FLOW, "title: Post invoices", "title: Post: invoices", "2:12", "bad-yaml", "YAML"),
    (FLOW, "title: Post invoices", "title: &title Post", "2:8", "anchor", "Anchors"),
    (FLOW, "title: Post invoices", "title: !text Post", "2:8", "tag", "Tags"),
    (FLOW, "title: Post invoices", "title: Post\ntitle: Again", "3:1", "duplicate-key", "line 2"),
    (TO_HUB, "version: 1", "version: 01", "2:10", "leading-zero", "`01`"),
    (TO_HUB, "version: 1", "version: .inf", "2:10", "not-finite", "`.inf`"),
    # unknown and missing keys, wrong values
    (FLOW, "owner:", "ownr:", "3:1", "unknown-key", "`owner`"),
    (FLOW, "    of: full\n", "    off: full\n", "13:5", "unknown-key", "`of`"),
    (FLOW, "with: erp/from_hub", "wth: erp/from_hub", "24:7", "unknown-key", "`with`"),
    (FLOW, "title: Post invoices\n", "", "1:1", "missing-key", "`title`"),
    (FLOW, TO_MAP + "    of: full\n", "", "11:5", "missing-key", "`map`"),
    (FLOW, TO_MAP, TO_MAP + DECIDE, "13:5", "too-many-keys", "`decide`"),
    (FLOW, "runbook: docs/runbooks/failed-posting.md", "runbooks: []", "7:1", "unknown-key", "`runbook`"),
    (FLOW, "equal: [invoice.id, full.id]", "equal: [invoice.id]", "14:22", "list-length", "exactly 2"),
    (FLOW, "wait: P7D", "wait: 7 days", "19:22", "bad-value", "`P7D`"),
    (TO_HUB, "version: 1", "version: no", "2:10", "bad-value", "whole number"),
    (TO_HUB, "fields:\n  id: id", "feilds:\n  id: id", "5:1", "unknown-key", "`fields`"),
    (TO_HUB, "    number: number", "    number: [number]", "11:13", "not-a-value", "one value"),
    ("connections/books.yaml", "concurrency: 5", "concurrency: 0", "3:24", "bad-value", "from 1"),
    (TEST, "environment: test", "environment: test\ncolour: pink", "2:9", "bad-value", "`grey`"),
    (TEST, "environment: test", "environment: test\nretention: {}", "2:12", "missing-key", "`payloads`"),
    (TEST, "environment: test", "environment: test\nretention: { payloads: 90 }", "2:24", "bad-value", "P"),
    (
        *(TEST, "environment: test", "environment: test\nretention: { payloads: P7D, answers: P30D }"),
        *("2:38", "short-retention", "too early"),
    ),
    (
        *(TEST, "environment: test", "environment: test\nretention: { payloads: P90D, answers: P60D }"),
        *("2:39", "short-retention", "too early"),
    ),
    (
        *(TEST, "environment: test", "environment: test\nretention: { payloads: P90D, history: P365D }"),
        *("2:39", "short-history", "no less than `answers`"),
    ),
    # wrong expressions
    (FLOW, "key: data.object.id", "key: data..id", "5:11", "syntax", "`data..id`"),
    (FLOW, "id: invoice.id, want: =route.system", "id: invoice.id, want: =route.", "18:81", "syntax", "too early"),
    (FLOW, BUSINESS_KEY, "business_key: jion(':', ['a'])", "6:15", "unknown-function", "jion"),
    (TO_HUB, "id: id", "id: 'upper(id'", "6:16", "syntax", "too early"),
    (ROUTING, "invoice.kind == 'first'", "invoice.kind = 'first'", "7:24", "syntax", "=="),
    # names that do not exist
    (FLOW, "on: { event: billing.", "on: { event: biling.", "4:14", "unknown-connector", "`billing`"),
    ("connections/books.yaml", "connector: erp", "connector: epr", "2:12", "unknown-connector", "`erp`"),
    (FLOW, "map: billing/to_hub", "map: billing/too_hub", "12:10", "unknown-mapping", "`billing/to_hub`"),
    (FLOW, "with: erp/from_hub", "with: erp/form_hub", "24:13", "unknown-mapping", "`erp/from_hub`"),
    (FLOW, "decide: routing", "decide: rooting", "16:13", "unknown-policy", "`routing`"),
    (FLOW, "retry: erp", "retry: epr", "28:12", "unknown-policy", "`erp`"),
    (FLOW, "retry: erp", "retry: routing", "28:12", "wrong-policy-kind", "kind `route`"),
    (FLOW, "decide: routing", "decide: erp", "16:13", "wrong-policy-kind", "kind `retry`"),
    ("connections/books.yaml", "limits:", "hold: routing\nlimits:", "3:7", "wrong-policy-kind", "kind `hold`"),
    ("connections/books.yaml", "limits:", "drift: rooting\nlimits:", "3:8", "unknown-policy", "`routing`"),
    (TEST, "  books: {", "  books: { throttle: erp,", "4:22", "wrong-policy-kind", "kind `retry`"),
    (ROUTING, "version: 1\n", "", "1:1", "missing-key", "`version`"),
    (ROUTING, "match: first\n", "", "1:1", "missing-key", "all of them together"),
    (ROUTING, "match: first", "match: all", "4:8", "bad-value", "`first`"),
    (ROUTING, "kind: route", "kind: rote", "2:7", "bad-value", "`route`"),
    (FLOW, "of: full", "of: ful", "13:9", "unknown-step", "`full`"),
    (FLOW, "of: full", "of: sent.body", "13:9", "later-step", "`sent`"),
    (FLOW, "{ equal: [invoice.id, full.id]", "{ equal: [invoice.id, fulll.id]", "14:35", "unknown-step", "`fulll`"),
    (FLOW, "=route.system: =sent.id", "=rout.system: =sent.id", "30:64", "unknown-step", "`route`"),
    (FLOW, "key: data.object.id", "key: invoice.id", "5:6", "later-step", "`invoice`"),
    (FLOW, "docs/runbooks/failed-posting.md", "docs/runbooks/failed.md", "7:10", "unknown-runbook", "failed-posting"),
    (FLOW, "operation: invoice.read", "operation: invoice.raed", "10:55", "unknown-operation", "`invoice.read`"),
    (FLOW, "operation: invoice.upsert", "operation: invoice.insert", "23:18", "unknown-operation", "`erp`"),
    (FLOW, "undo: invoice.reverse", "undo: invoice.revert", "27:11", "unknown-operation", "`invoice.reverse`"),
    (FLOW, "undo: invoice.reverse", "undo: invoice.read", "27:11", "undo-only-reads", "only reads"),
    (FLOW, "connection: =event.connection", "connection: billling", "10:25", "unknown-connection", "`billing`"),
    (FLOW, "given: { customer:", "given: { costumer:", "26:16", "unused-given", "`customer`"),
    (FLOW, "      given: { customer: customer.id }\n", "", "24:13", "missing-given", "`customer`"),
    (FLOW, "of: full", "of: table('kind', full.id)", "13:15", "unknown-table", "`kinds`"),
    (TO_HUB, "to: canonical.thing@1", "to: canonical.thing@2", "4:5", "unknown-schema", "`canonical.thing@1`"),
    (TO_HUB, "table('kinds'", "table('kind'", "7:15", "unknown-table", "`kinds`"),
    (FROM_HUB, "given('customer')", "given('client')", "8:19", "unknown-given", "client"),
    (TEST, "  books:", "  boooks:", "4:3", "unknown-connection", "`books`"),
    (TEST, "base_url: 'https://e", "baseurl: 'https://e", "4:12", "unknown-key", "`base_url`"),
    (TEST, "secret: vault:b", "api_key: k", "3:45", "secret-in-file", "vault"),
    (TEST, "secret: vault:b", "secret: b", "3:53", "bad-value", "`vault:NAME`"),
    (TEST, "base_url: 'https://e.example'", "", "4:3", "missing-setting", "`base_url`"),
    # what does not fit together
    (FROM_HUB, "to: erp.invoice@1", "to: billing.invoice@1", f"{FLOW}:24:13", "wrong-schema", "takes `erp."),
    (FLOW, "invoice.read, by: =data", "invoice.read, with: erp/from_hub, by: =data", "10:89", "too-many-keys", "`by`"),
    # misplaced keys
    (FLOW, DECIDE, DECIDE + "    undo: invoice.reverse\n", "17:5", "misplaced-key", "`call`"),
    (FLOW, "  - id: link\n", "  - id: full\n", "29:9", "duplicate-name", "line 9"),
    (FLOW, "  - id: link\n", "  - id: data\n", "29:9", "reserved-name", "event"),
    # tables, schemas, examples
    ("mappings/tables/kinds.csv", "b,second", "a,second", "3:1", "duplicate-key", "line 2"),
    ("mappings/tables/kinds.csv", "key,value", "id,value", "1:1", "bad-table", "key,value"),
    ("mappings/tables/kinds.csv", "b,second", "b,second,third", "3:1", "bad-table", "3 cells"),
    (SCHEMA, '"id": { "type": "string" },', '"id": { "type": "string" }', "5:5", "bad-json", "JSON"),
    (SCHEMA, '"type": "object"', '"type": "objekt"', "2:11", "bad-schema", "objekt"),
    (EXAMPLES, "  expect:", "  expects:", "3:3", "unknown-key", "`expect`"),
    (EXAMPLES, "in: {", "in: missing.json\n  given: {", "2:7", "unknown-fixture", "missing.json"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "old", "new", "place", "code", "words"), MISTAKES, ids=[f"{row[4]}: {row[2][:30]!r}" for row in MISTAKES]
)
def test_one_mistake_gives_one_line(
    broken: Break, path: str, old: str, new: str, place: str, code: str, words: str
) -> None:
    lints = broken(path, old, new)
    assert [str(lint) for lint in lints if lint.code != code] == []
    assert len(lints) == 1, [str(lint) for lint in lints]
    line = str(lints[0])
    assert line.startswith(f"{place if '.yaml' in place else f'{path}:{place}'}: error: "), line
    assert words in line
    assert "\n" not in line


def test_the_small_workspace_is_right(files: dict[str, bytes], catalogue: Catalogue) -> None:
    bundle, lints = compile_bundle(files, catalogue)
    assert lints == []
    assert bundle is not None


@pytest.mark.parametrize(
    ("path", "copy", "place"),
    [
        (FLOW, "flows/second.yaml", "flows/second.yaml:1:7"),
        (TO_HUB, "mappings/billing/zz.yaml", "mappings/billing/zz.yaml:1:10"),
        (ROUTING, "policies/second.yaml", "policies/second.yaml:1:9"),
        ("connections/books.yaml", "connections/second.yaml", "connections/second.yaml:1:13"),
        (TEST, "environments/zz.yaml", "environments/zz.yaml:1:14"),
        ("mappings/tables/kinds.csv", "mappings/tables/more/kinds.csv", "mappings/tables/more/kinds.csv:1:1"),
    ],
)
def test_a_name_that_is_taken_names_both_places(
    files: dict[str, bytes], catalogue: Catalogue, path: str, copy: str, place: str
) -> None:
    _, lints = compile_bundle({**files, copy: files[path]}, catalogue)
    assert [lint.code for lint in lints] == ["duplicate-name"]
    assert str(lints[0]).startswith(f"{place}: error: ")
    assert f"already defined in {path}:1:" in str(lints[0])


def test_a_broken_file_is_not_blamed_on_those_who_use_it(broken: Break) -> None:
    lints = broken("mappings/erp/from_hub.yaml", "fields:", "fields: [")
    assert {lint.path for lint in lints} == {"mappings/erp/from_hub.yaml"}


def test_a_yml_file_is_told_to_be_renamed(files: dict[str, bytes], catalogue: Catalogue) -> None:
    _, lints = compile_bundle({**files, "flows/other.yml": b"flow: other\n"}, catalogue)
    assert [str(lint) for lint in lints] == [
        "flows/other.yml:1:1: error: The file ends in `.yml`. Rename it to `.yaml`."
    ]


def test_a_connector_that_needs_a_secret_is_told_where(files: dict[str, bytes], catalogue: Catalogue) -> None:
    files["connections/billing.yaml"] = b"connection: billing\nconnector: billing\n"
    files[TEST] = files[TEST].replace(b", secret: vault:b", b"")
    _, lints = compile_bundle(files, catalogue)
    (lint,) = lints
    assert str(lint).startswith("environments/test.yaml:3:3: error: The connection `billing` names no secret; ")
    assert str(lint).endswith("needs api_key. Add `secret: vault:NAME`.")


def test_an_operation_that_takes_no_id_is_not_called_by_one(broken: Break) -> None:
    (lint,) = broken(
        FLOW,
        "  - id: link",
        "  - id: x\n    call: { connection: books, operation: invoice.adjust, by: a }\n  - id: link",
    )
    assert (lint.code, lint.line, lint.column) == ("not-by-id", 30, 59)


@pytest.mark.parametrize(
    ("call", "place", "words"),
    [
        ("operation: invoice.adjust", "30:43", "needs `code`, and the call gives it nothing. Add `with`"),
        (
            "operation: invoice.reverse",
            "30:43",
            "needs `id`, and the call gives it nothing. Add `by`, the id, or `with`",
        ),
        ("operation: entity.list, by: a", "30:56", "is not called by an id. Remove it, or name a mapping"),
        ("operation: entity.list, into: erp/to_hub", "30:62", "There is no mapping `erp/to_hub`"),
        ("operation: entity.list, of: invoice", "30:56", "`of` belongs to a call with `with`"),
        ("operation: entity.list, each: invoice.lines, item: id", "30:56", "`each` needs `with`"),
    ],
)
def test_a_call_gives_its_operation_what_it_needs(broken: Break, call: str, place: str, words: str) -> None:
    added = f"  - id: x\n    call: {{ connection: books, {call} }}\n  - id: link"
    (lint,) = broken(FLOW, "  - id: link", added)
    assert f"{lint.line}:{lint.column}" == place, lint
    assert words in str(lint)


def test_what_needs_no_input_is_called_without_one(broken: Break) -> None:
    added = "  - id: x\n    call: { connection: books, operation: entity.list }\n  - id: link"
    assert broken(FLOW, "  - id: link", added) == []


def test_a_read_is_not_undone(broken: Break) -> None:
    (lint,) = broken(FLOW, "  - id: invoice\n", "    undo: invoice.reverse\n  - id: invoice\n")
    assert (lint.code, lint.line, lint.column) == ("undo-of-read", 11, 11)


def test_what_the_compiler_of_a_policy_finds_has_its_place(broken: Break) -> None:
    (lint,) = broken(ROUTING, "name: everything else", "name: things of this kind")
    assert (lint.path, lint.line, lint.column) == (ROUTING, 9, 11)


def test_what_the_compiler_of_a_mapping_finds_has_its_place(broken: Break) -> None:
    (lint,) = broken(TO_HUB, "  kind: table", "  id.part: id\n  kind: table")
    assert (lint.path, lint.line) == (TO_HUB, 7)
