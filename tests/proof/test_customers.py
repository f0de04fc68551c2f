"""Customers both ways between two sandboxes: every change comes to rest, and each field has one owner."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hub.proof.invariants import Invariant
from hub.proof.simulation import campaign, playing
from hub.proof.simulation.case import Case, Customers, Stage, Tied
from hub.proof.simulation.cases import CASES
from hub.proof.simulation.playing import Played

PLAIN = next(case for case in CASES if case.name == "customer-to-billing")
RENAMED = "name=Alder+and+Sons&address[line1]=Ring+7&address[country]=DE"


@pytest.fixture(autouse=True)
def quiet() -> None:
    campaign.be_quiet()


def played(happen: Callable[[Stage], Awaitable[None]], wanted: Customers, **more: object) -> Played:
    case: Case = replace(PLAIN, happen=happen, customers=wanted, story="of a test", **more)  # type: ignore[arg-type]
    return playing.play(case, None)


async def read_until_it_rests(stage: Stage) -> None:
    for _ in range(4):
        await stage.read()


def test_a_change_on_either_side_comes_to_rest() -> None:
    """Each of three changes is written once on the other side; what only repeats what is there is not written."""

    async def happen(stage: Stage) -> None:
        await read_until_it_rests(stage)
        await stage.stripe("/v1/customers/{customer}", RENAMED)
        await read_until_it_rests(stage)
        await stage.erp(terms={"id": "3"})
        await read_until_it_rests(stage)
        await stage.stripe("/v1/customers/{customer}", "metadata[colour]=green")
        await read_until_it_rests(stage)

    wanted = Customers(
        # Made by people, renamed, and given its terms.
        erp_writes=3,
        # Renamed, told of the terms, coloured.
        billing_changes=3,
        erp={"companyName": "Alder and Sons", "terms": "3"},
        billing={"metadata": {"erp_terms": "NET60", "erp_status": "active", "colour": "green"}},
    )
    assert played(happen, wanted).findings == []


def test_both_sides_changed_at_once_each_field_goes_by_its_owner() -> None:
    """Neither has told the hub of its change when the other one makes its own."""

    async def happen(stage: Stage) -> None:
        await stage.stripe("/v1/customers/{customer}", "name=Elder+Works")
        await read_until_it_rests(stage)
        await stage.erp(terms={"id": "1"}, creditHoldOverride={"id": "ON"}, taxable=False)
        await stage.stripe("/v1/customers/{customer}", f"{RENAMED}&tax_exempt=none&metadata[erp_terms]=NET30")
        await read_until_it_rests(stage)

    wanted = Customers(
        erp_writes=4,
        billing_changes=3,
        erp={"companyName": "Alder and Sons", "terms": "1"},
        billing={"tax_exempt": "exempt", "metadata": {"erp_terms": "NET15", "erp_status": "blocked"}},
    )
    assert played(happen, wanted, deaf=True).findings == []


def test_what_billing_owns_and_somebody_changed_in_the_erp_is_a_persons_decision() -> None:
    """The change stays there until billing changes that field too; then nothing is overwritten silently."""

    async def happen(stage: Stage) -> None:
        await stage.stripe("/v1/customers/{customer}", "name=Elder+Works")
        await stage.erp(email="by.hand@customer.example")
        await read_until_it_rests(stage)
        await stage.stripe("/v1/customers/{customer}", "email=new@customer.example")
        await read_until_it_rests(stage)

    wanted = Customers(erp_writes=3, billing_changes=2, erp={"email": "by.hand@customer.example"})
    findings = played(happen, wanted).findings
    assert [finding.invariant for finding in findings if "newer-at-target" in finding.detail] == [
        Invariant.EXCEPTIONS_EXPLAINED
    ]
    assert [finding.detail for finding in findings if finding.invariant is Invariant.BOOKS_AGREE] == [
        finding.detail
        for finding in findings
        if finding.detail.endswith("is 'new@customer.example', and 'by.hand@customer.example' in the ERP")
    ]
    assert Invariant.NOTHING_TWICE not in {finding.invariant for finding in findings}


def test_a_deleted_customer_that_is_made_at_stripe_alone_is_nobodys_debtor() -> None:
    """What the ERP never had is not made there to be inactive."""

    async def happen(stage: Stage) -> None:
        await stage.stripe("/v1/customers/{customer}", method="DELETE")
        await read_until_it_rests(stage)

    wanted = Customers(erp_writes=1, billing_changes=0, events=("customer.deleted",), erp={"isInactive": False})
    assert played(happen, wanted, tied=Tied.NOBODY).findings == []


async def _moves_to_america(stage: Any) -> None:
    await stage.stripe("/v1/customers/{customer}", "address[country]=US&address[state]=NY&address[postal_code]=10001")


async def _is_renamed(stage: Any) -> None:
    await stage.stripe("/v1/customers/{customer}", RENAMED)


async def _has_a_name_that_netsuite_has_no_room_for(stage: Any) -> None:
    await stage.stripe("/v1/customers/{customer}", f"name={'A' * 84}")


async def _is_deleted_with_a_deposit(stage: Any) -> None:
    deposit = {
        "type": "customerDeposit",
        "customer": {"id": stage._erp_customers["customer-0"]},
        "payment": Decimal("7.70"),
        "account": {"id": "1"},
    }
    await stage._sandboxes["netsuite"].seed({"records": [deposit]})
    await stage.stripe("/v1/customers/{customer}", method="DELETE")


@pytest.mark.parametrize(
    ("happen", "reason", "more"),
    [
        (_moves_to_america, "customer-moves-entity", {}),
        (_is_renamed, "customer-not-in-erp", {"tied": Tied.WRONG}),
        (_has_a_name_that_netsuite_has_no_room_for, "user-error", {}),
        (_is_deleted_with_a_deposit, "deleted-customer-owes", {}),
    ],
)
def test_what_a_person_must_decide_is_not_written(
    happen: Callable[[Any], Awaitable[None]], reason: str, more: dict[str, Any]
) -> None:
    """The ERP's record is as it was, and the exception says why."""
    wanted = Customers(erp_writes=1, billing_changes=0, erp={"companyName": "Alder Works", "isInactive": False})
    findings = played(happen, wanted, **more).findings
    assert [finding.invariant for finding in findings if reason in finding.detail] == [Invariant.EXCEPTIONS_EXPLAINED]
    assert not [finding for finding in findings if "the ERP's record was written" in finding.detail]
    assert not [finding for finding in findings if "must be 'Alder Works'" in finding.detail]
