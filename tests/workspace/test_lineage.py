"""Lineage over the workspace that ships, and over small ones with every form of a mapping."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import hub
from hub.connections.registry import load_connectors
from hub.errors import NotFound
from hub.queries.lineage import as_json, field_lineage, field_lineages, touched_edges
from hub.queries.openlineage import column_lineage
from hub.sdk.exact_json import dumps, loads
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue, ConnectorEntry, catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.lineage.edges import Edge, Field, How, Lineage, Purpose, downstream, upstream
from hub.workspace.lineage.tracing import trace
from hub.workspace.loader import read_files

ROOT = Path(hub.__file__).resolve().parent.parent
SPECS = os.environ.get("CONCORD_OPENLINEAGE_SPECS")


@pytest.fixture(scope="module")
def shipped() -> Lineage:
    catalogue = catalogue_of([*load_connectors().values()])
    bundle, _ = compile_bundle(read_files(ROOT), catalogue)
    assert bundle is not None
    return trace(bundle, catalogue)


def one(lineage: Lineage, name: str) -> Field:
    """Find the one field of a name."""
    (found,) = lineage.find(name)
    return found


def sources(lineage: Lineage, name: str) -> set[str]:
    """Name the fields that go straight into one."""
    return {f"{edge.source.series}.{edge.source.path}" for edge in lineage.into(one(lineage, name))}


def targets(lineage: Lineage, name: str) -> set[str]:
    """Name the fields that one goes straight into."""
    return {f"{edge.target.series}.{edge.target.path}" for edge in lineage.out_of(one(lineage, name))}


def test_a_field_comes_from_what_its_expression_reads(shipped: Lineage) -> None:
    assert sources(shipped, "canonical.invoice.total") == {"stripe.invoice.total", "stripe.invoice.currency"}
    (edge, *_) = shipped.into(one(shipped, "canonical.invoice.total"))
    line = (ROOT / edge.path).read_text(encoding="utf-8").splitlines()[edge.line - 1]
    assert edge.path == "mappings/stripe/invoice_to_hub.yaml"
    assert line.strip() == f"total: {edge.text}"
    assert {(step.flow, step.step) for step in edge.steps} == {
        (flow, "invoice")
        for flow in (
            "invoice-to-erp",
            "payment-to-erp",
            "posted-invoice-agrees",
            "credit-note-to-erp",
            "refund-to-erp",
        )
    }


def test_a_field_goes_to_every_mapping_that_reads_it(shipped: Lineage) -> None:
    assert targets(shipped, "canonical.invoice.lines[].amount") == {
        "tax.document.lines[].amount",
        "netsuite.invoice.item[].amount",
        "netsuite.invoice.taxDetails[].taxBasis",
        "netsuite.invoice.taxDetails[].taxRate",
        "s4hana.invoice_posting.items[].net",
        "s4hana.invoice_posting.taxes[].base",
    }


def test_what_reads_a_part_of_a_field_reads_the_field(shipped: Lineage) -> None:
    assert "netsuite.invoice.taxDetails[].taxRate" in targets(shipped, "canonical.invoice.lines[].tax")
    assert sources(shipped, "canonical.invoice.total.minor") == sources(shipped, "canonical.invoice.total")
    assert "stripe.invoice.customer_address.line1" in sources(shipped, "canonical.invoice.ship_to")


def test_a_whole_flow_is_followed_over_lookups_policies_and_what_comes_back(shipped: Lineage) -> None:
    back = {str(edge.source) for edge in upstream(shipped, one(shipped, "netsuite.customer_payment.subsidiary.id"))}
    assert back >= {"policy.erp-routing.subsidiary", "canonical.invoice@1.entity"}
    assert {name.split("@")[0] for name in back} >= {"stripe.invoice"}
    customer = {str(edge.source) for edge in upstream(shipped, one(shipped, "netsuite.invoice.entity.id"))}
    assert customer >= {"crossref.customer.id", "canonical.invoice@1.customer_id"}
    onward = {edge.target.series for edge in downstream(shipped, shipped.find("stripe.invoice.number")[0])} - {
        "stripe.invoice"
    }
    billed = {"canonical.invoice", "tax.document", "canonical.posted_invoice", "stripe.note"}
    billed |= {"netsuite.invoice", "s4hana.invoice_posting"}
    billed |= {"flow.posted-invoice-agrees", "canonical.invoice_status", "salesforce.invoice_status"}
    assert onward == {*billed, "netsuite.collections_notice"}


def test_tables_are_named_where_they_decide(shipped: Lineage) -> None:
    edges = shipped.into(one(shipped, "tax.document.lines[].tax_code"))
    documents = {"canonical.invoice", "canonical.credit_memo"}
    # Of what kind a product is, its record in billing says.
    kinds = {"collected.invoice-to-erp.sold", "collected.credit-note-to-erp.sold"}
    assert {edge.source.series for edge in edges} == documents | kinds
    assert {edge.tables for edge in edges} == {("tax_codes",)}
    (direct,) = [each for each in shipped.into(one(shipped, "policy.erp-routing.subsidiary")) if each.direct]
    assert direct.tables == ("netsuite_subsidiaries",)


def test_a_policy_decides_by_what_its_rules_ask(shipped: Lineage) -> None:
    deciding = [edge for edge in shipped.into(one(shipped, "policy.erp-routing.connection")) if not edge.direct]
    assert {edge.source.path for edge in deciding} == {"entity", "currency"}
    assert all("`books in NetSuite`" in edge.text and "`books in S/4HANA`" in edge.text for edge in deciding)
    rules = (ROOT / "policies/erp-routing.yaml").read_text(encoding="utf-8").splitlines()
    assert "books in NetSuite" in rules[deciding[0].line - 1]


def test_it_tells_what_is_checked_and_what_is_at_risk(shipped: Lineage) -> None:
    uses = shipped.uses_of(one(shipped, "canonical.invoice.total"))
    assert {use.purpose for use in uses} == {Purpose.EXPECT, Purpose.MONEY, Purpose.APPROVE}
    assert {use.text.rpartition(" ")[2] for use in uses if use.purpose is Purpose.EXPECT} == {
        "total-does-not-add-up",
        "invoice-below-zero",
        "posted-differently",
    }
    money = next(use for use in uses if use.purpose is Purpose.MONEY)
    flow = (ROOT / money.path).read_text(encoding="utf-8").splitlines()
    assert flow[money.line - 1].startswith("money:")
    taxes = shipped.within("invoice-to-erp").uses_of(one(shipped, "tax.result.tax_total"))
    assert {tax.text.partition(",")[0] for tax in taxes} == {
        "quote.tax_total must equal major(invoice.tax_total)",
        "tax_total must be the same in quote and tax",
    }


def test_it_tells_which_guards_look_at_a_value_before_it_goes_out(shipped: Lineage) -> None:
    (day,) = [use for use in shipped.uses_of(one(shipped, "netsuite.invoice.tranDate")) if use.purpose is Purpose.GUARD]
    assert day.text == "is looked at by the hold policy erp-holds before invoice.upsert is called on netsuite"
    entity = [use for use in shipped.uses_of(one(shipped, "canonical.invoice.entity")) if use.purpose is Purpose.GUARD]
    assert {use.step.flow for use in entity} == {
        "invoice-to-erp",
        "payment-to-erp",
        "credit-note-to-erp",
        "refund-to-erp",
    }
    # Only what is written is held, and whatever the ERP calls its day.
    uses = shipped.uses_of(one(shipped, "s4hana.invoice_posting.posting_date"))
    assert {use.text for use in uses if use.purpose is Purpose.GUARD} == {
        f"is looked at by the hold policy erp-holds before {operation} is called on s4hana"
        for operation in ("invoice.post", "credit_memo.post")
    }


def test_one_flow_alone(shipped: Lineage) -> None:
    alone = shipped.within("payment-to-erp")
    assert {step.flow for edge in alone.edges for step in edge.steps} == {"payment-to-erp"}
    assert not any(edge.target.series == "tax.document" for edge in alone.edges)
    with pytest.raises(NotFound, match="Did you mean `payment-to-erp`"):
        shipped.within("payments-to-erp")


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("canonical.invoice@1.total", {"total"}),
        ("canonical.invoice.lines.amount", {"lines[].amount"}),
        ("canonical.payment.amount", {"amount"}),
        ("*.payment.paid_on", {"paid_on"}),
        ("canonical.payment", {"id", "invoice_id", "currency", "amount", "paid_on", "channel", "reference"}),
        ("canonical.invoice.ship_to.c*", {"ship_to.city", "ship_to.country"}),
        ("canonical.price.tiers.up_to", {"tiers[].up_to"}),
        ("crossref.customer.id", {"id"}),
    ],
)
def test_names_are_taken_with_and_without_version(shipped: Lineage, name: str, found: set[str]) -> None:
    assert {each.path for each in shipped.find(name)} == found


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("canonical.invoice.totl", "canonical.invoice.total"),
        ("canonical.invoce", "canonical.invoice"),
        ("netsuite.invoice.subsidary.id", "netsuite.invoice.subsidiary.id"),
    ],
)
def test_an_unknown_name_is_told_the_nearest(shipped: Lineage, name: str, near: str) -> None:
    with pytest.raises(NotFound, match=f"Did you mean `{near}`"):
        shipped.find(name)


def test_a_field_that_nothing_touches_says_so(shipped: Lineage) -> None:
    found = field_lineage(shipped, one(shipped, "canonical.legal_entity.legal_name"))
    assert (found.sources, found.targets, found.uses) == ((), (), ())
    assert found.meaning == "The name in the commercial register, as it stands on documents."


def test_of_a_whole_nothing_is_told_that_is_told_of_its_parts(shipped: Lineage) -> None:
    told = {each.field.path: each for each in field_lineages(shipped, shipped.find("canonical.invoice"))}
    assert "lines[].amount.minor" not in told
    assert "lines[].amount" in told
    assert {one.edge.how for one in told["lines"].sources} == {How.EACH}
    assert {one.edge.how for one in told["lines"].targets} == {How.EACH}


def test_every_field_of_every_mapping_is_told_with_its_expression_and_place(shipped: Lineage) -> None:
    told = [edge for edge in shipped.edges if edge.how in {How.FIELD, How.EACH, How.GIVEN}]
    assert len(told) > 100
    for edge in told:
        line = (ROOT / edge.path).read_text(encoding="utf-8").splitlines()[edge.line - 1]
        last = re.split(r"\[?\]?\.", edge.target.path)[-1]
        assert edge.text, edge
        assert re.match(rf"\s*(- )?(each|of|value|reverse|{re.escape(last)}|[\w.]*\.{re.escape(last)}):", line), (
            edge,
            line,
        )


def test_the_tree_as_json_leads_back_to_the_vendor(shipped: Lineage) -> None:
    sold = shipped.within("invoice-to-erp")
    made = loads(dumps(as_json(field_lineage(sold, one(sold, "tax.document.lines[].amount")))))
    (statement,) = made["from"]
    assert statement["expression"] == "major(amount)"
    (branch,) = statement["fields"]
    assert (branch["record"], branch["field"]) == ("canonical.invoice@1", "lines[].amount")
    (deeper,) = branch["from"]
    assert {each["record"].partition("@")[0] for each in deeper["fields"]} == {"stripe.invoice"}
    older = next(each for each in deeper["fields"] if each["field"] == "lines.data[].amount")
    assert {above["how"] for above in older["from"]} == {"kept"}


# Forms that the shipped mappings may not use.

TO_HUB = """
mapping: billing/to_hub
version: 1
from: billing.invoice@1
to: hub.invoice@1
fields:
  id: id
  total: { value: amount_due, default: "=amount_total", when: status == 'open' }
  ship_to: { use: address, of: shipping }
"""
ADDRESS = """
fragment: address
fields:
  city: town
  country: { value: country_code, required: true }
"""
UPCAST = """
mapping: hub/invoice_1_to_2
version: 1
from: hub.invoice@1
to: hub.invoice@2
rest: keep
without: [ship_to]
fields:
  amount: total
"""
FLOW = """
flow: copy
title: Copy
owner: team:x
on: { event: billing.invoice.paid }
key: data.id
business_key: data.id
steps:
  - { id: invoice, map: billing/to_hub }
  - { id: newest, map: hub/same, of: invoice }
"""
SAME = """
mapping: hub/same
version: 1
from: hub.invoice@2
to: hub.note@1
fields:
  text: amount
"""


def _schema(*names: str) -> bytes:
    fields: dict[str, Any] = {name: {"type": "string"} for name in names}
    fields["ship_to"] = {"type": "object", "properties": {"city": {"type": "string"}, "country": {"type": "string"}}}
    return dumps({"type": "object", "properties": fields})


@pytest.fixture
def forms(build: Callable[[dict[str, bytes]], Bundle]) -> Lineage:
    files = {
        "flows/copy.yaml": FLOW.encode(),
        "mappings/billing/to_hub.yaml": TO_HUB.encode(),
        "mappings/address.yaml": ADDRESS.encode(),
        "mappings/hub/invoice_1_to_2.yaml": UPCAST.encode(),
        "mappings/hub/same.yaml": SAME.encode(),
        "schemas/hub.invoice@1.json": _schema("id", "total"),
        "schemas/hub.invoice@2.json": _schema("id", "amount"),
        "schemas/hub.note@1.json": _schema("text"),
    }
    return trace(build(files))


@pytest.fixture
def build() -> Callable[[dict[str, bytes]], Bundle]:
    def compiled(files: dict[str, bytes]) -> Bundle:
        shapes = {"billing.invoice@1": {"type": "object"}}
        entry = ConnectorEntry(name="billing", title="Billing", schemas=shapes, webhook=True)
        bundle, lints = compile_bundle(files, Catalogue(connectors={"billing": entry}))
        assert bundle is not None, [str(lint) for lint in lints]
        return bundle

    return compiled


def test_a_field_with_default_and_condition_reads_them_all(forms: Lineage) -> None:
    assert sources(forms, "hub.invoice@1.total") == {
        "billing.invoice.amount_due",
        "billing.invoice.amount_total",
        "billing.invoice.status",
    }


def test_a_fragment_is_followed_to_its_own_file(forms: Lineage) -> None:
    (edge,) = forms.into(one(forms, "hub.invoice@1.ship_to.country"))
    assert edge.source.path == "shipping.country_code"
    assert (edge.path, edge.line) == ("mappings/address.yaml", 5)


def test_an_upcast_keeps_the_rest_and_stands_in_the_flow(forms: Lineage) -> None:
    (kept,) = forms.into(one(forms, "hub.invoice@2.id"))
    assert (kept.how, kept.source, kept.path) == (
        How.KEPT,
        Field(record="hub.invoice@1", path="id"),
        "mappings/hub/invoice_1_to_2.yaml",
    )
    assert [step.step for step in kept.steps] == ["newest"]
    assert forms.into(Field(record="hub.invoice@2", path="ship_to.city")) == ()
    note = {str(edge.source) for edge in upstream(forms, one(forms, "hub.note.text"))}
    assert note >= {"hub.invoice@2.amount", "hub.invoice@1.total", "billing.invoice@1.amount_due"}


def test_openlineage_tells_direct_from_indirect(shipped: Lineage) -> None:
    datasets = {each["name"]: each["facets"]["columnLineage"] for each in column_lineage(shipped.edges)}
    fields = datasets["canonical.invoice@1"]["fields"]

    def kinds(name: str) -> set[tuple[str, str]]:
        return {(t["type"], t["subtype"]) for field in fields[name]["inputFields"] for t in field["transformations"]}

    assert kinds("number") == {("DIRECT", "IDENTITY")}
    assert ("DIRECT", "AGGREGATION") in kinds("tax_total")
    assert kinds("lines") == {("INDIRECT", "FILTER")}
    policy = datasets["policy.erp-routing"]["fields"]["connection"]["inputFields"]
    assert {t["subtype"] for field in policy for t in field["transformations"]} == {"CONDITIONAL"}


@pytest.mark.skipif(SPECS is None, reason="CONCORD_OPENLINEAGE_SPECS names no folder with the specification's schemas")
def test_openlineage_fits_its_specification(shipped: Lineage) -> None:
    folder = Path(SPECS or "")
    names = ("OpenLineage.json", "ColumnLineageDatasetFacet.json")
    base, facet = (loads((folder / name).read_bytes()) for name in names)
    registry = jsonschema_rs.Registry([(base["$id"], base)])
    validator = jsonschema_rs.Draft202012Validator(facet, registry=registry)
    assert not validator.is_valid({"columnLineage": {"fields": {}}})
    for dataset in column_lineage(touched_edges(shipped, shipped.find("canonical.invoice"))):
        validator.validate(dataset["facets"])


def test_no_edge_is_told_twice(shipped: Lineage) -> None:
    keys = [(edge.source, edge.target, edge.text, edge.path, edge.line, edge.direct) for edge in shipped.edges]
    assert len(keys) == len(set(keys))
    assert all(isinstance(edge, Edge) for edge in shipped.edges)
