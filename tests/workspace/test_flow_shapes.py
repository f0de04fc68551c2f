"""What a step gives must be what later steps read of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from hub.connections.registry import load_connectors
from hub.workspace.catalogue import Catalogue, catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import read_files
from hub.workspace.source.lint import Lint, Severity
from tests.workspace.test_shipped import ROOT

Break = Callable[..., list[Lint]]

FLOW = "flows/post.yaml"
FROM_HUB = "mappings/erp/from_hub.yaml"
LINK = "  - id: link\n"
AGAIN = "  - id: again\n    map: billing/to_hub\n    of: {of}\n"


@pytest.mark.parametrize(
    ("old", "new", "place", "code", "words"),
    [
        ("equal: [invoice.id", "equal: [invoice.idd", "14:31", "unknown-field", "Did you mean `id`?"),
        ("=route.system }", "=route.sytem }", "18:81", "unknown-field", "Did you mean `system`?"),
        ("id: invoice.id, want", "id: invoice.lines, want", "18:56", "wrong-type", "Name its id."),
        ("customer: customer.id }", "customer: customer.it }", "26:35", "unknown-field", "`it` in `customer`"),
        ("billing: =invoice.id", "billing: =invoice.id.x", "30:62", "wrong-type", "`invoice.id` is a text"),
        (LINK, AGAIN.format(of="invoice") + LINK, "31:9", "wrong-schema", "reads `billing.invoice@1`"),
        ("runbook:", "money: invoice.id\nrunbook:", "7:8", "wrong-type", "must be an object, but this gives a text"),
        ("runbook:", "entity: invoice.entity\nrunbook:", "7:17", "unknown-field", "`entity` in `invoice`"),
        ("{ equal: [invoice.id, full.id]", "{ same: full, fields: [id, kin]", "14:40", "unknown-field", "In `invoice`"),
    ],
)  # fmt: skip
def test_one_mistake_gives_one_line(broken: Break, old: str, new: str, place: str, code: str, words: str) -> None:
    (lint,) = broken(FLOW, old, new)
    assert (f"{lint.line}:{lint.column}", lint.code) == (place, code), str(lint)
    assert words in str(lint), str(lint)


def test_a_given_value_must_fit_what_the_mapping_makes_of_it(files: dict[str, bytes], catalogue: Catalogue) -> None:
    files[FROM_HUB] = files[FROM_HUB].replace(b"to: erp.invoice@1", b"to: canonical.thing@1")
    files[FROM_HUB] = files[FROM_HUB].replace(b"externalId: id", b"id: id").replace(b"  customer: ", b"  lines: ")
    files[FLOW] = files[FLOW].replace(b"invoice.upsert", b"invoice.read").replace(b"    undo: invoice.reverse\n", b"")
    (lint,) = compile_bundle(files, catalogue)[1]
    assert (lint.path, lint.line, lint.column, lint.code) == (FLOW, 26, 26, "wrong-type")
    assert "cannot use this value: `lines` must be a list, but this gives a text." in lint.message


def test_what_is_not_known_is_not_told(broken: Break) -> None:
    assert broken(FLOW, LINK, AGAIN.format(of="full.anything[0]") + LINK) == []
    assert broken(FLOW, "equal: [invoice.id, full.id]", "equal: [data.object.x, record.y.z]") == []


def test_another_version_needs_a_mapping_between_the_two(files: dict[str, bytes], catalogue: Catalogue) -> None:
    files["schemas/canonical.thing@2.json"] = files["schemas/canonical.thing@1.json"].replace(b'["id"]', b'["kind"]')
    files[FROM_HUB] = files[FROM_HUB].replace(b"from: canonical.thing@1", b"from: canonical.thing@2")
    (lint,) = [lint for lint in compile_bundle(files, catalogue)[1] if lint.path == FLOW]
    assert (lint.line, lint.column, lint.code) == (25, 11, "no-upcast")
    assert lint.hint == "Write a mapping with `from: canonical.thing@1` and `to: canonical.thing@2`."
    upcast = b"mapping: thing_1_to_2\nversion: 1\nfrom: canonical.thing@1\nto: canonical.thing@2\nrest: keep\nfields:\n"
    files["mappings/thing_1_to_2.yaml"] = upcast + b"  kind: { value: kind, default: other }\n"
    assert [str(lint) for lint in compile_bundle(files, catalogue)[1]] == []


def test_a_connection_that_is_pinned_may_give_the_older_version_that_a_mapping_reads() -> None:
    files = read_files(ROOT)
    mapping = "mappings/stripe/invoice_to_hub.yaml"
    files[mapping] = files[mapping].replace(b"stripe.invoice@2026-09-30", b"stripe.invoice@2025-09-30")
    lints = compile_bundle(files, catalogue_of([*load_connectors().values()]))[1]
    found = [lint for lint in lints if lint.code == "no-upcast"]
    # What a flow is called with is of one version, whatever a connection is pinned to.
    called = [lint for lint in found if lint.severity is Severity.ERROR]
    assert [lint.path for lint in called] == ["flows/posted-invoice-agrees.yaml"]
    pinned = [lint for lint in found if lint.severity is Severity.WARNING]
    reading = ("credit-note-to-erp", "invoice-to-erp", "payment-to-erp", "refund-to-erp")
    assert [lint.path for lint in pinned] == [f"flows/{name}.yaml" for name in reading]
    assert all("unless its connection is pinned" in lint.message for lint in pinned)


@pytest.mark.parametrize("flow", ["invoice-to-erp", "credit-note-to-erp"])
def test_a_tolerance_counts_smallest_units_and_is_no_amount(flow: str) -> None:
    """One cent would be one euro."""
    files, path = dict(read_files(ROOT)), f"flows/{flow}.yaml"
    files[path], replaced = re.subn(
        rb"to_major\((root\(\)\.tolerance\.units), root\(\)\.\w+\.currency\)", rb"\1", files[path]
    )
    assert replaced == 1
    (lint,) = compile_bundle(files, catalogue_of(list(load_connectors().values())))[1]
    assert (lint.path, lint.code, lint.severity) == (path, "wrong-unit", Severity.ERROR)
    assert "`tolerance.units` minor units" in lint.message
