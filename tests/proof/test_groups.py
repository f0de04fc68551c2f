"""Groups of companies of the CRM, in billing and in the ERP: whoever becomes a customer first, and whatever moves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from hub.proof import crm_books, group_checks
from hub.proof.simulation import campaign, playing, trial
from hub.proof.simulation.case import Crm, Stage
from hub.proof.simulation.cases import CASES
from hub.proof.simulation.group_cases import ADDRESS, BIRCH, GROUP, HOLDING, rested
from hub.proof.simulation.group_cases import change as changed
from hub.proof.simulation.playing import Played

PLACED = next(case for case in CASES if case.name == "account-placed")
BELOW = {**BIRCH, "ParentId": "@{group}"}


@pytest.fixture(autouse=True)
def quiet() -> None:
    campaign.be_quiet()


def played(happen: Callable[[Stage], Awaitable[None]], crm: Crm) -> Played:
    return playing.play(replace(PLACED, happen=happen, crm=crm, prepare=None, story="of a test"), None)


async def change(stage: Stage, name: str, **fields: object) -> None:
    await changed(stage, name, **fields)
    await rested(stage)


def rows(statement: str) -> list[Any]:
    """Ask the database of the case that was played last."""
    return trial.database().file.execute(statement).fetchall()


def writes(operation: str) -> int:
    """Count the writes of the hub by an operation."""
    return rows("SELECT operation FROM effects").count((operation,))


def test_a_daughter_that_moves_stands_below_its_parent_in_billing_and_in_the_erp() -> None:
    async def happen(stage: Stage) -> None:
        await rested(stage)
        await change(stage, "birch", ParentId="{group}")
        # What has nothing to do with it changes nothing, and what does is written beside it.
        await change(stage, "birch", Rating="Hot")
        await change(stage, "birch", Name="Birch and Sons")
        await change(stage, "birch", ParentId="{elder}")

    elder = {**GROUP, "ref": "elder", "Name": "Elder Holding", "BillingPostalCode": "20099"}
    assert played(happen, Crm(records=(GROUP, BIRCH, elder), customers=3, changes=3)).findings == []
    # Each was made, and then the daughter moved, was renamed, and moved again.
    assert writes("customer.upsert") == 4 + 3


def test_a_daughter_is_placed_once_the_one_above_it_becomes_a_customer() -> None:
    async def happen(stage: Stage) -> None:
        await rested(stage)
        assert writes("customer.update") == 0
        await change(stage, "group", Type=GROUP["Type"])

    crm = Crm(records=({**GROUP, "Type": "Prospect"}, BELOW), customers=2, changes=1)
    assert played(happen, crm).findings == []
    assert writes("customer.upsert") == 3 + 1


def test_both_become_customers_at_once() -> None:
    crm = Crm(records=(GROUP, BELOW), customers=2, changes=1)
    assert played(rested, crm).findings == []


def test_a_daughter_of_who_is_no_customer_stands_below_nobody_and_nothing_waits_for_it() -> None:
    crm = Crm(records=({**GROUP, "Type": "Other"}, BELOW), customers=1)
    assert played(rested, crm).findings == []
    assert writes("customer.update") == 0


def test_a_daughter_is_in_the_books_before_the_one_above_it_is() -> None:
    """A customer without an address is in nobody's books; whoever bills those below it does not wait for that."""

    async def happen(stage: Stage) -> None:
        for _ in range(4):
            await stage.read()
        assert writes("customer.upsert") == 2
        await change(stage, "group", **ADDRESS)

    crm = Crm(records=(HOLDING, BELOW), customers=2, changes=2)
    assert played(happen, crm).findings == []
    assert writes("customer.upsert") == 3 + 1


def test_one_whose_parent_stays_out_of_the_books_stops_once_it_is_there_itself() -> None:
    crm = Crm(records=(HOLDING, BELOW), customers=2, changes=1, exceptions=("customer-not-mapped",))
    assert played(rested, crm).findings == []
    assert writes("customer.upsert") == 2


def test_one_that_leaves_its_group_is_taken_out_of_it_by_people_in_the_erp() -> None:
    async def happen(stage: Any) -> None:
        await rested(stage)
        await change(stage, "birch", ParentId=None)
        ((stopped,),) = rows("SELECT id FROM runs WHERE state = 'parked'")
        assert rows("SELECT reason FROM cases WHERE state = 'open'") == [("customer-left-group",)]
        books = stage._sandboxes["netsuite"].books()["customers"]
        (below,) = (one["id"] for one in books if one.get("parent"))
        await stage.seed("netsuite", {"changes": [{"type": "customer", "id": below, "parent": None}]})
        process = await stage._host.serving()
        await process.run_orders.replay(stopped, actor="person:ada")
        await rested(stage)

    crm = Crm(records=(GROUP, BELOW), customers=2, changes=2)
    assert played(happen, crm).findings == []


def test_one_that_moves_below_who_is_no_customer_stands_below_nobody() -> None:
    async def happen(stage: Stage) -> None:
        await rested(stage)
        await change(stage, "birch", ParentId="{elder}")

    elder = {**GROUP, "ref": "elder", "Name": "Elder Holding", "BillingPostalCode": "20099", "Type": "Other"}
    crm = Crm(records=(GROUP, BELOW, elder), customers=2, changes=2, exceptions=("customer-left-group",))
    # That people have not taken it out of the group in the ERP yet, the oracle sees too.
    assert ["must be below nobody" in finding.detail for finding in played(happen, crm).findings] == [True]


def test_the_oracle_sees_who_stands_below_another_one() -> None:
    accounts = [{"Id": "001"}, {"Id": "002", "ParentId": "001"}, {"Id": "003", "ParentId": "009"}]
    billing = {"001": "cus_1", "002": "cus_2", "003": "cus_3"}
    records = {"cus_1": "11", "cus_2": "12", "cus_3": "13"}

    def told(places: dict[str, str], parents: dict[str, str]) -> list[str]:
        stripe = [{"id": name, "metadata": {"crm_parent": places.get(name)}} for name in records]
        erp = [{"id": name, "parent": parents.get(name)} for name in records.values()]
        found = group_checks.find(
            {"records": {"Account": accounts}},
            {"customers": stripe},
            {"customers": erp},
            billing=billing,
            records=records,
        )
        return [finding.detail for finding in found]

    assert told({"cus_2": "001"}, {"12": "11"}) == []
    assert told({}, {}) == [
        "billing has cus_2 below None, must be below 001",
        "the ERP has 12 below None, must be below 11",
    ]
    assert told({"cus_2": "001", "cus_3": "009"}, {"12": "13", "13": "11"}) == [
        "the ERP has 12 below 13, must be below 11",
        "billing has cus_3 below 009, must be below None",
        "the ERP has 13 below 11, must be below nobody",
    ]
    # Which of two accounts speaks for a customer only the hub knows.
    billing["004"] = "cus_2"
    assert told({}, {}) == []


def test_the_oracle_of_the_demo_names_only_who_is_a_customer() -> None:
    accounts = [
        {"Id": "001", "Name": "Group", "Type": GROUP["Type"], "ParentId": "009"},
        {"Id": "002", "Name": "Works", "Type": GROUP["Type"], "ParentId": "001"},
        {"Id": "009", "Name": "Holding", "Type": "Other"},
    ]
    metadata = ({"crm_account": "001"}, {"crm_account": "002", "crm_parent": "001"})
    made = [
        {"id": f"cus_{place}", "name": "", "email": "", "metadata": own} for place, own in enumerate(metadata, start=1)
    ]
    books = crm_books.read({"customers": made, "invoices": []}, {"records": {"Account": accounts, "Invoice__c": []}})
    must = {one.name: one.facts["below"] for one in crm_books.wanted(books)}
    assert must == {one.name: one.facts["below"] for one in crm_books.documents(books)} == {"001": None, "002": "001"}
