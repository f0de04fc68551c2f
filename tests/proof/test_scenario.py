"""The scenario: drawn from the seed alone, with everything in it that the proof needs."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest

from hub.proof import faults, wishes
from hub.proof.consent import people_needed
from hub.proof.faults import Profile
from hub.proof.invariants import Invariant
from hub.proof.markets import MARKETS
from hub.proof.mutations import MUTATIONS
from hub.proof.sandboxes import ALL_VENDORS, CONNECTORS
from hub.proof.scenario import EMBEDDED_LINES, Flaw, Invoice, Notice, draw
from hub.sandbox.clock import Clock
from hub.sandbox.faults import FaultEngine
from hub.sandbox.main import find


def test_a_seed_gives_the_same_scenario() -> None:
    assert draw(7, 120, flawed=True) == draw(7, 120, flawed=True)
    assert draw(7, 120, flawed=True) != draw(8, 120, flawed=True)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_scenario_has_all_that_is_hard(seed: int) -> None:
    scenario = draw(seed, 200, flawed=True)
    lines = [line for invoice in scenario.invoices for line in invoice.lines]
    assert {invoice.customer.market.currency for invoice in scenario.invoices} == {each.currency for each in MARKETS}
    assert any(len(invoice.lines) > 100 for invoice in scenario.invoices)
    assert any(EMBEDDED_LINES < len(invoice.lines) <= 100 for invoice in scenario.invoices)
    assert any(line.unit_amount.startswith("-") for line in lines)
    assert any(line.quantity == 0 for line in lines)
    assert any(line.unit_amount == "0" for line in lines)
    assert {len(invoice.payments) for invoice in scenario.invoices} == {0, 1, 2, 3}
    assert {invoice.coupon for invoice in scenario.invoices} == {None, "percent", "amount"}
    assert {invoice.flaw for invoice in scenario.invoices} == {None, *Flaw}
    assert {invoice.notice for invoice in scenario.invoices} == {None, *Notice}


@pytest.mark.parametrize("seed", range(1, 9))
def test_some_invoices_are_so_large_that_people_must_agree(seed: int) -> None:
    """One person to some, two to others; of the small demo's forty at least one, unless it has a flaw."""

    def most(invoice: Invoice) -> int:
        total = max(Decimal(line.unit_amount) * line.quantity for line in invoice.lines)
        return people_needed(total, invoice.customer.market.currency)

    assert {most(invoice) for invoice in draw(seed, 200, flawed=True).invoices} >= {0, 1, 2}
    assert {most(invoice) for invoice in draw(seed, 40, flawed=False).invoices} == {0, 1}


def test_every_flaw_is_an_expected_exception() -> None:
    scenario = draw(1, 40, flawed=True)
    # Beside the invoice, one credit note has another tax than the engine reckons.
    assert scenario.exceptions == {**{flaw.value: 1 for flaw in Flaw}, "outcome-unknown": 2, Flaw.WRONG_TAX.value: 2}
    assert draw(1, 40, flawed=False).exceptions == {}


def test_moving_customers_are_never_paid() -> None:
    """A payment must stand under the customer of its invoice, which may have moved in between."""
    scenario = draw(1, 300, flawed=True)
    assert not [invoice for invoice in scenario.invoices if invoice.customer.moving and invoice.payments]
    assert {customer.market.currency for customer in scenario.customers if customer.moving}


def test_partial_payments_are_amounts_that_stripe_takes() -> None:
    scenario = draw(1, 400, flawed=True)
    for invoice in scenario.invoices:
        for payment in invoice.payments:
            assert payment.amount is None or (payment.amount > 0 and payment.amount % invoice.customer.market.step == 0)


def test_strangers_are_not_tied_to_the_erp() -> None:
    scenario = draw(1, 100, flawed=True)
    unknown = [invoice for invoice in scenario.invoices if invoice.flaw is Flaw.UNKNOWN_CUSTOMER]
    assert unknown
    assert not any(invoice.customer.mapped for invoice in unknown)


@pytest.mark.parametrize("profile", list(Profile))
@pytest.mark.parametrize("vendor", ALL_VENDORS)
def test_the_sandboxes_know_every_fault(profile: Profile, vendor: str) -> None:
    """A plan that a sandbox refuses would be found only in the middle of a demo."""
    kinds = find(CONNECTORS.get(vendor, vendor)).fault_kinds
    engine = FaultEngine(seed="1", clock=Clock(), vendor_kinds=kinds)
    gusts = [gust.entry() for gust in (*faults.OUTAGES, *faults.REFUSALS, *_gusts()) if gust.vendor == vendor]
    engine.replace([*gusts, *faults.silent_notices(["N-1"]), *faults.plan(profile, vendor)])


def _gusts() -> list[faults.Gust]:
    """Give those of a CRM and a second ERP that are faults of a sandbox; the others are settings of it."""
    return [gust for gust in faults.FURTHER if gust.kind not in {faults.SESSIONS, faults.TOO_MANY}]


def test_a_storm_leaves_a_third_of_the_writes_unanswered() -> None:
    """Each entry is asked only when the one before it did not strike."""
    rates = {
        str(entry["kind"]): float(entry["rate"]) for entry in faults.plan(Profile.STORM, "netsuite") if "rate" in entry
    }
    silent = ("reset_after_commit", "timeout_after_commit")
    answered = 1.0
    for kind in silent:
        answered *= 1 - rates[kind]
    assert 1 - answered == pytest.approx(0.30, abs=0.02)


def test_the_wishes_name_only_what_was_wished_for_before() -> None:
    """Every `@name` is the key of something."""
    scenario = draw(1, 60, flawed=True)
    catalogue, invoices = wishes.stripe_catalogue(scenario), wishes.stripe_invoices(scenario, per_second=10)
    keys = {f"@{item['key']}" for kind in catalogue.values() if isinstance(kind, list) for item in kind}
    named = set(re.findall(r"'(@[^']+)'", repr(invoices)))
    assert named <= keys


def test_the_document_names_every_invariant_and_every_mutant() -> None:
    text = (Path(__file__).parents[2] / "docs" / "invariants.md").read_text()
    listed = re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE)
    assert [name for name in listed if name in set(Invariant)] == [invariant.value for invariant in Invariant]
    for mutation in MUTATIONS:
        assert re.search(rf"^\| `{mutation.name}` \| .* \| `{mutation.breaks.value}` \|$", text, re.MULTILINE)


def test_every_mutant_breaks_another_invariant() -> None:
    assert len({mutation.breaks for mutation in MUTATIONS}) == len(MUTATIONS) == 6
