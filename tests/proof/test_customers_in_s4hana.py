"""Customers both ways where the books are in S/4HANA: every change comes to rest, and each field has one owner."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from hub.proof.simulation import campaign, playing
from hub.proof.simulation.case import Customers, Stage, Tied
from hub.proof.simulation.cases import CASES
from hub.proof.simulation.sap import VENDOR

PLAIN = next(case for case in CASES if case.name == "partner-to-billing")
NUMBER, COMPANY = "10100001", "1010"
RENAMED = "name=Alder+and+Sons&address[line1]=Ring+7&address[country]=DE"


@pytest.fixture(autouse=True)
def quiet() -> None:
    campaign.be_quiet()


def findings(happen: Callable[[Stage], Awaitable[None]], wanted: Customers, **more: object) -> list[str]:
    case = replace(PLAIN, happen=happen, customers=wanted, story="of a test", **more)  # type: ignore[arg-type]
    return [finding.detail for finding in playing.play(case, None).findings]


async def read_until_it_rests(stage: Stage) -> None:
    for _ in range(3):
        await stage.read()
        await stage.rested()


async def decide(stage: Stage, *, terms: str | None = None, **partner: object) -> None:
    """Let people in S/4HANA change the terms of the case's customer in its company, or its partner."""
    changes: list[dict[str, object]] = []
    if terms is not None:
        changes.append({"table": "A_CustomerCompany", "key": [NUMBER, COMPANY], "set": {"PaymentTerms": terms}})
    if partner:
        changes.append({"table": "A_BusinessPartner", "key": [NUMBER], "set": partner})
    await stage.seed(VENDOR, {"changes": changes})


def test_a_change_on_either_side_comes_to_rest() -> None:
    """Each of three changes is written once on the other side; what only repeats what is there is not written."""

    async def happen(stage: Stage) -> None:
        await read_until_it_rests(stage)
        await stage.stripe("/v1/customers/{customer}", RENAMED)
        await read_until_it_rests(stage)
        await decide(stage, terms="NT60")
        await read_until_it_rests(stage)
        await stage.stripe("/v1/customers/{customer}", "metadata[colour]=green")
        await read_until_it_rests(stage)

    wanted = Customers(
        erp_writes=0,
        # Renamed, told of the terms, coloured.
        billing_changes=3,
        erp={"OrganizationBPName1": "Alder and Sons"},
        billing={"metadata": {"erp_terms": "NET60", "erp_status": "active", "colour": "green"}},
    )
    assert findings(happen, wanted) == []


def test_both_sides_changed_at_once_each_field_goes_by_its_owner() -> None:
    """Neither has told the hub of its change when the other one makes its own."""

    async def happen(stage: Stage) -> None:
        await decide(stage, terms="NT15", BusinessPartnerIsBlocked=True)
        await stage.stripe("/v1/customers/{customer}", f"{RENAMED}&tax_exempt=reverse&metadata[erp_terms]=NET30")
        await read_until_it_rests(stage)

    wanted = Customers(
        erp_writes=0,
        billing_changes=2,
        erp={"OrganizationBPName1": "Alder and Sons", "BusinessPartnerIsBlocked": True},
        # Whether it is taxed is nothing that S/4HANA says.
        billing={"tax_exempt": "reverse", "metadata": {"erp_terms": "NET15", "erp_status": "blocked"}},
    )
    assert findings(happen, wanted, deaf=True) == []


def test_terms_that_nobody_has_given_are_not_told_and_those_that_are_taken_away_are() -> None:
    """To be paid at once is what a new partner gets; once billing knows other terms, it is a decision."""

    async def happen(stage: Stage) -> None:
        await decide(stage, SearchTerm1="ALDER")
        await read_until_it_rests(stage)
        await decide(stage, terms="0004")
        await read_until_it_rests(stage)
        await decide(stage, terms="0001")
        await read_until_it_rests(stage)

    wanted = Customers(
        erp_writes=0,
        billing_changes=2,
        billing={"metadata": {"erp_terms": "DUE_ON_RECEIPT", "erp_status": "active"}},
    )
    assert findings(happen, wanted) == []


def test_what_the_hub_has_made_decides_nothing() -> None:
    """Neither the new partner nor what billing changes of it comes back."""

    async def happen(stage: Stage) -> None:
        await read_until_it_rests(stage)
        await stage.stripe("/v1/customers/{customer}", RENAMED)
        await read_until_it_rests(stage)

    wanted = Customers(
        erp_writes=0,
        billing_changes=1,
        events=("customer.created", "customer.updated"),
        erp={"OrganizationBPName1": "Alder and Sons"},
        billing={"metadata": {}},
    )
    # It is the story of `customer-to-erp`, which finds nobody in S/4HANA.
    made = ("customer-to-erp", "partner-to-billing")
    assert findings(happen, wanted, tied=Tied.NOBODY, flows=made) == []
