"""The workspace that ships: no lint, all examples hold, and every case it can open has a runbook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hub
from hub.connections.registry import load_connectors
from hub.model.flow import Call, Decide
from hub.model.flow_steps import every_step
from hub.policy.kinds import KINDS
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue, catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.examples.loading import run_examples
from hub.workspace.examples.of_mappings import coverage
from hub.workspace.examples.of_policies import rule_coverage
from hub.workspace.kinds import FileKind
from hub.workspace.loader import read_files

ROOT = Path(hub.__file__).resolve().parent.parent
FILES = read_files(ROOT)


@pytest.fixture(scope="module")
def installed() -> Catalogue:
    return catalogue_of([*load_connectors().values()])


@pytest.fixture(scope="module")
def bundle(installed: Catalogue) -> Bundle:
    compiled, lints = compile_bundle(FILES, installed)
    assert [str(lint) for lint in lints] == []
    assert compiled is not None
    return compiled


def test_it_has_the_flows_of_the_money_path(bundle: Bundle) -> None:
    events = {flow.name: flow.event for flow in bundle.flows.values()}
    assert events == {
        "account-to-billing": "salesforce.account.changed",
        "account-left": "salesforce.account.deleted",
        "account-placed": "concord.account.placed",
        "contact-to-billing": "salesforce.contact.changed",
        "contact-to-erp": "salesforce.contact.changed",
        "contract-due": "salesforce.contract.changed",
        "contract-left": "salesforce.contract.deleted",
        "contract-ended": "stripe.customer.subscription.deleted",
        "contract-to-billing": "concord.contract.due",
        "price-to-billing": "salesforce.price_book_entry.changed",
        "product-to-billing": "salesforce.product.changed",
        "invoice-status-due": "stripe.invoice.finalized",
        "invoice-status-to-crm": "concord.invoice_status.due",
        "customer-of-account": "concord.flow.customer-of-account",
        "customer-to-erp": "stripe.customer.created",
        "customer-to-billing": "netsuite.customer.changed",
        "partner-to-billing": "s4hana.business_partner.changed",
        "invoice-to-erp": "stripe.invoice.finalized",
        "payment-to-erp": "stripe.invoice_payment.paid",
        "credit-note-to-erp": "stripe.credit_note.created",
        "refund-to-erp": "stripe.refund.created",
        "payout-to-erp": "stripe.payout.reconciliation_completed",
        "payout-by-hand-to-erp": "stripe.payout.paid",
        "payout-returned-to-erp": "stripe.payout.failed",
        "collections-notice": "stripe.invoice.marked_uncollectible",
        "invoices-agree": "concord.schedule.invoices-agree",
        "posted-invoice-agrees": "concord.flow.posted-invoice-agrees",
    }


def test_every_example_holds(bundle: Bundle) -> None:
    results = run_examples(bundle)
    assert {
        str(result.example.title): list(map(str, result.differences)) for result in results if not result.passed
    } == {}
    assert len(results) >= len(bundle.mappings)


def test_every_mapping_has_examples(bundle: Bundle) -> None:
    assert {example.name for example in bundle.examples if example.kind is FileKind.MAPPING} == {
        name for name, mapping in bundle.mappings.items() if not mapping.derived
    }


def test_every_policy_has_examples_that_reach_each_rule(bundle: Bundle) -> None:
    asked = {example.name for example in bundle.examples if example.kind is FileKind.POLICY}
    assert asked == bundle.policies.keys() | bundle.retries.keys() | bundle.matches.keys()
    assert [each for each in rule_coverage(bundle, run_examples(bundle)) if each.unreached] == []
    kinds = {policy.kind.name for policy in bundle.policies.values()} | {"retry", "match"}
    assert kinds == set(KINDS)


def test_examples_fill_every_target_field(bundle: Bundle) -> None:
    shares = coverage(bundle, run_examples(bundle))
    assert {share.mapping: share.unfilled for share in shares if share.unfilled} == {}


def test_every_case_has_a_runbook(bundle: Bundle) -> None:
    for flow in bundle.flows.values():
        assert flow.runbook in FILES
        for reason in set(_reasons(bundle)):
            assert f"docs/runbooks/{reason}.md" in FILES


def test_every_reason_that_the_flows_page_names_has_a_runbook(bundle: Bundle) -> None:
    """What a connector refuses is in no flow's file: the page says which of it stops a flow, and there people look."""
    page = FILES.get("flows/README.md", (ROOT / "flows" / "README.md").read_bytes()).decode()
    told = [
        *(row for row in re.findall(r"^\| stops \|(.*)$", page, re.MULTILINE)),
        *re.findall(r"\bstops as (\[?`[a-z-]+`)", page.replace("\n  ", " ")),
    ]
    reasons = {reason for text in told for reason in re.findall(r"`([a-z]+(?:-[a-z]+)+)`", text)}
    assert reasons >= {"return-without-sale", "tax-mismatch", "refund-in-parts"}
    own = bundle.flows.keys() | bundle.policies.keys()
    assert sorted(name for name in reasons - own if f"docs/runbooks/{name}.md" not in FILES) == []


def _reasons(bundle: Bundle) -> Iterator[str]:
    for flow in bundle.flows.values():
        for step in every_step(flow.steps):
            if step.expect is not None:
                yield step.expect.case
            if step.missing is not None:
                yield step.missing.case


def test_every_write_names_how_it_is_tried_again_or_cannot_be(bundle: Bundle, installed: Catalogue) -> None:
    for flow in bundle.flows.values():
        for step in every_step(flow.steps):
            if isinstance(step.action, Call) and step.retry is not None:
                assert step.retry in bundle.retries
            if isinstance(step.action, Decide):
                assert step.action.policy in bundle.policies
    assert installed.connectors.keys() >= {"stripe", "netsuite", "avatax"}


def test_every_table_is_read_somewhere(bundle: Bundle) -> None:
    written = b"".join(content for path, content in FILES.items() if path.endswith(".yaml")).decode()
    assert [name for name in bundle.tables if f"table('{name}'" not in written] == []


def test_currencies_counted_differently_at_stripe_are_not_taken_over(bundle: Bundle) -> None:
    taken = bundle.tables["stripe_currencies"]
    assert not {"isk", "ugx", "mga"} & taken.keys()
    assert {"jpy", "kwd", "eur", "usd", "huf", "clp", "tnd"} <= taken.keys()
    assert all(re.fullmatch("[a-z]{3}", code) and name == code.upper() for code, name in taken.items())


def test_tables_that_go_both_ways_agree(bundle: Bundle) -> None:
    there, back = bundle.tables["netsuite_currencies"], bundle.tables["netsuite_currency_codes"]
    assert {identifier: code for code, identifier in there.items()} == back


def test_what_has_a_tax_code_has_an_item(bundle: Bundle) -> None:
    """And each kind that products of the CRM are of, so that none of them needs a row of its own."""
    products, kinds = bundle.tables["netsuite_items"].keys(), set(bundle.tables["crm_product_kinds"].values())
    for table in ("tax_codes", "s4hana_revenue_accounts"):
        assert bundle.tables[table].keys() == products | kinds
    for table in ("netsuite_income_accounts", "s4hana_product_types", "s4hana_product_groups"):
        assert bundle.tables[table].keys() == kinds
    # Where Stripe Tax is the engine, it has a code of its own for each of them.
    known = {pair.partition("=")[0] for pair in bundle.connections["stripe"].settings["tax_codes"]}
    assert known == set(bundle.tables["tax_codes"].values())


def test_every_entity_has_books_and_a_place(bundle: Bundle) -> None:
    entities = set(bundle.tables["entities"].values())
    books = bundle.tables["entity_books"]
    in_netsuite = {entity for entity, connection in books.items() if connection == "netsuite"}
    for table in ("netsuite_subsidiaries", "netsuite_tax_codes", "netsuite_tax_types"):
        assert bundle.tables[table].keys() == in_netsuite
    # So an entity moves to S/4HANA by one row of `entity_books`.
    for table in ("entity_books", "entity_currencies", "s4hana_company_codes", "s4hana_tax_codes"):
        assert bundle.tables[table].keys() == entities
    assert set(books.values()) <= bundle.connections.keys()
    assert bundle.tables["s4hana_accounts"].keys() >= set(bundle.tables["bank_accounts"].values())
    assert {key.partition(".")[0] for key in bundle.tables["ship_from"]} == entities


def test_each_place_where_somebody_sells_is_known_of_accounts(bundle: Bundle) -> None:
    """An account whose country nobody knows becomes no customer, however well the books of its company are set up."""
    sold_in, known = bundle.tables["entities"].keys(), bundle.tables["crm_countries"]
    assert {country for country in sold_in if known.get(country) != country} == set()
    assert {country for country in sold_in if country not in {known[name] for name in known if len(name) > 2}} == set()
