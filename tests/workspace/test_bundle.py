"""A bundle: what the engine asks of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from hub.errors import FixData, NotFound
from hub.mapping.compiled import apply
from hub.model.flow import Call, Decide, Equal, Link, Lookup, Map, Missing, Undo
from hub.workspace.bundle import Bundle, bundle_id
from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle
from hub.workspace.compiled_files import ConnectionLimits

SCOPE = {
    "event": {"connection": "billing", "type": "billing.invoice.finalized"},
    "data": {"object": {"id": "T1"}},
    "record": {"id": "T1"},
    "invoice": {"id": "T1", "kind": "first"},
    "route": {"connection": "books", "system": "erp"},
    "customer": {"id": "C1"},
    "sent": {"id": "E1"},
    "full": {"id": "T1"},
}


@pytest.fixture
def bundle(files: dict[str, bytes], catalogue: Catalogue) -> Bundle:
    compiled, lints = compile_bundle(files, catalogue)
    assert lints == []
    assert compiled is not None
    return compiled


def test_a_flow_becomes_steps_with_terms(bundle: Bundle) -> None:
    (flow,) = bundle.flows_for("billing.invoice.finalized")
    assert bundle.flows_for("billing.invoice.paid") == ()
    assert (flow.name, flow.owner, flow.path) == ("post", "team:finance", "flows/post.yaml")
    assert flow.business_key(SCOPE) == "billing:T1"
    full, invoice, route, customer, sent, link = flow.steps
    assert isinstance(full.action, Call)
    assert full.action.connection(SCOPE) == "billing"
    assert full.action.by is not None
    assert full.action.by(SCOPE) == "T1"
    assert isinstance(invoice.action, Map)
    assert isinstance(invoice.expect, Equal)
    assert invoice.expect.case == "not-equal"
    assert (invoice.expect.left(SCOPE), invoice.expect.right(SCOPE)) == ("T1", "T1")
    assert route.action == Decide(policy="routing")
    assert isinstance(customer.action, Lookup)
    assert customer.action.system(SCOPE) == "billing"
    assert customer.action.want(SCOPE) == "erp"
    assert customer.missing == Missing(case="customer-not-mapped", wait=timedelta(days=7))
    assert isinstance(sent.action, Call)
    assert sent.action.undo == Undo(operation="invoice.reverse")
    assert (sent.action.shape, sent.retry) == ("erp/from_hub", "erp")
    assert {name: term(SCOPE) for name, term in sent.action.given.items()} == {"customer": "C1"}
    assert isinstance(link.action, Link)
    assert {system(SCOPE): id(SCOPE) for system, id in link.action.ids} == {"billing": "T1", "erp": "E1"}
    assert [step.line for step in flow.steps] == sorted(step.line for step in flow.steps)


def test_the_id_is_the_content(files: dict[str, bytes], catalogue: Catalogue, bundle: Bundle) -> None:
    again, _ = compile_bundle(dict(reversed(files.items())), catalogue)
    assert again is not None
    assert bundle.id == again.id == bundle_id(files)
    changed = {**files, "docs/runbooks/failed-posting.md": b"# Other words\n"}
    assert bundle_id(changed) != bundle.id
    assert bundle_id({"a": b"bc"}) != bundle_id({"ab": b"c"})


def test_records_are_checked_with_their_paths(bundle: Bundle) -> None:
    assert bundle.validate("canonical.thing@1", {"id": "T1", "lines": [], "amount": Decimal("1.10")}) == []
    assert bundle.validate("canonical.thing@1", {"id": 1}) == ['id: 1 is not of type "string"']
    assert bundle.validate("canonical.thing@1", {}) == ['record: "id" is a required property']
    assert bundle.validate("billing.invoice@1", []) == ['record: [] is not of type "object"']
    with pytest.raises(NotFound):
        bundle.validate("canonical.thing@9", {})


def test_mappings_see_the_tables_of_the_bundle(bundle: Bundle) -> None:
    made = apply(bundle.mappings["billing/to_hub"], {"id": "T1", "kind": "b", "lines": {"data": [{"number": 1}]}})
    assert made == {"id": "T1", "kind": "second", "lines": [{"number": 1}]}
    sent = apply(bundle.mappings["erp/from_hub"], made, {"customer": "C1"})
    assert sent == {"externalId": "T1", "customer": "C1"}


def test_a_term_that_finds_nothing_names_its_expression(files: dict[str, bytes], catalogue: Catalogue) -> None:
    flow = files["flows/post.yaml"].replace(b"key: data.object.id", b"key: table('kinds', data.object.id)", 1)
    compiled, lints = compile_bundle({**files, "flows/post.yaml": flow}, catalogue)
    assert lints == []
    assert compiled is not None
    with pytest.raises(FixData, match="kinds"):
        compiled.flows["post"].key(SCOPE)


def test_connections_and_environments_say_what_the_files_say(bundle: Bundle) -> None:
    assert bundle.connections["books"].limits == ConnectionLimits(concurrency=5)
    assert bundle.connections["billing"].secret == "vault:billing"
    here = bundle.environments["test"].connections["billing"]
    assert (here.settings, here.secret) == ({"base_url": "https://b.example"}, "vault:b")


def test_retry_policies_are_had_by_name(bundle: Bundle) -> None:
    assert bundle.retry("erp") == bundle.retries["erp"]
    assert bundle.retry("erp") != bundle.retry(None)
    with pytest.raises(NotFound):
        bundle.retry("nothing")


def test_runbooks_are_read_from_the_bundle(bundle: Bundle) -> None:
    assert bundle.runbook("docs/runbooks/failed-posting.md") == "# A document was not posted\n"
    assert bundle.runbook("docs/runbooks/none.md") is None
    assert bundle.runbook("flows/post.yaml") is None


def test_a_case_has_the_runbook_of_its_reason_or_of_its_flow(files: dict[str, bytes], catalogue: Catalogue) -> None:
    compiled, _ = compile_bundle({**files, "docs/runbooks/not-equal.md": b"# Not equal\n"}, catalogue)
    assert compiled is not None
    assert compiled.runbook_for("post", "not-equal") == "docs/runbooks/not-equal.md"
    assert compiled.runbook_for("post", "anything") == "docs/runbooks/failed-posting.md"
    assert compiled.runbook_for("no-such-flow", "anything") is None


SOURCE = {"id": "T1", "kind": "b", "customer": {"name": "N"}, "lines": {"data": []}}
USES = b"  kind: table('kinds', kind, 'other')\n  buyer: { use: billing/party, of: customer }\n"


@pytest.mark.parametrize(
    ("path", "old", "new", "made"),
    [
        ("mappings/tables/kinds.csv", b"b,second", b"b,changed", {"kind": "changed", "buyer": {"name": "N"}}),
        ("mappings/billing/party.yaml", b"name: name", b"name: '`\"M\"`'", {"kind": "second", "buyer": {"name": "M"}}),
        ("flows/post.yaml", b"team:finance", b"team:billing", {"kind": "second", "buyer": {"name": "N"}}),
    ],
)
def test_a_mapping_that_did_not_change_follows_what_it_rests_on(
    files: dict[str, bytes], catalogue: Catalogue, path: str, old: bytes, new: bytes, made: dict[str, object]
) -> None:
    files["schemas/canonical.thing@1.json"] = b"{}"
    name = "mappings/billing/to_hub.yaml"
    files[name] = files[name].replace(b"  kind: table('kinds', kind, 'other')\n", USES)
    assert old in files[path]
    first, _ = compile_bundle(files, catalogue)
    then, lints = compile_bundle({**files, path: files[path].replace(old, new)}, catalogue)
    assert first is not None and then is not None, lints
    assert apply(first.mappings["billing/to_hub"], SOURCE) == {
        "id": "T1", "kind": "second", "buyer": {"name": "N"}, "lines": []
    }  # fmt: skip
    assert apply(then.mappings["billing/to_hub"], SOURCE) == {"id": "T1", **made, "lines": []}
    # Where nothing below it changed it is not made anew, which is most of what compiling costs.
    kept = path.startswith("flows/")
    assert (then.mappings["billing/to_hub"] is first.mappings["billing/to_hub"]) == kept


def test_a_mapping_that_did_not_change_is_told_that_its_schema_did(
    files: dict[str, bytes], catalogue: Catalogue
) -> None:
    assert compile_bundle(files, catalogue)[1] == []
    schema = "schemas/canonical.thing@1.json"
    changed = files[schema].replace(b'"kind"', b'"sort"')
    assert changed != files[schema]
    told = [compile_bundle({**files, schema: changed}, catalogue)[1] for _ in range(2)]
    assert told[0] == told[1]
    assert {lint.path for lint in told[0]} >= {"mappings/billing/to_hub.yaml"}
    assert compile_bundle(files, catalogue)[1] == []
