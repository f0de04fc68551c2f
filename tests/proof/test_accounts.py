"""Accounts of the CRM in billing and the ERP: written once, compared before they are made, looked after when gone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from hub.proof import crm_checks
from hub.proof.invariants import Invariant
from hub.proof.simulation import campaign, playing, trial
from hub.proof.simulation.case import Case, Crm, Customers, Stage
from hub.proof.simulation.cases import CASES
from hub.proof.simulation.playing import Played

KNOWN = next(case for case in CASES if case.name == "account-to-billing that billing knows")
ALDER = KNOWN.crm.records[0] if KNOWN.crm is not None else {}


@pytest.fixture(autouse=True)
def quiet() -> None:
    campaign.be_quiet()


def played(happen: Callable[[Stage], Awaitable[None]], crm: Crm, **more: object) -> Played:
    case: Case = replace(KNOWN, happen=happen, crm=crm, story="of a test", **more)  # type: ignore[arg-type]
    return playing.play(case, None)


async def read_until_it_rests(stage: Stage) -> None:
    for _ in range(4):
        await stage.read()


def rows(statement: str) -> list[Any]:
    """Ask the database of the case that was played last."""
    return trial.database().file.execute(statement).fetchall()


def test_a_change_in_the_crm_goes_through_to_the_erp_and_comes_to_rest() -> None:
    """Nothing is written twice and nothing comes back, however often everything is read."""

    async def happen(stage: Stage) -> None:
        await read_until_it_rests(stage)
        await stage.seed("salesforce", {"changes": [{"type": "Account", "id": "{alder}", "Name": "Alder and Sons"}]})
        await read_until_it_rests(stage)
        # Nothing that billing has of it.
        await stage.seed("salesforce", {"changes": [{"type": "Account", "id": "{alder}", "Rating": "Hot"}]})
        await read_until_it_rests(stage)

    crm = Crm(records=(ALDER,), tied=("alder",), customers=1, changes=1)
    # Made by people, and renamed.
    customers = Customers(erp_writes=2, billing_changes=1, erp={"companyName": "Alder and Sons"})
    assert played(happen, crm, customers=customers).findings == []


def test_an_account_that_may_be_a_customer_already_waits_for_a_person() -> None:
    async def happen(stage: Stage) -> None:
        twin = {**ALDER, "Name": "ALDER WORKS Ltd."}
        await stage.seed("salesforce", {"records": [{name: value for name, value in twin.items() if name != "ref"}]})
        await read_until_it_rests(stage)

    crm = Crm(records=(ALDER,), tied=("alder",), customers=1, exceptions=("possible-duplicate",))
    assert played(happen, crm).findings == []


def test_an_account_stands_under_its_parent_whichever_comes_first() -> None:
    async def happen(stage: Stage) -> None:
        group = {"type": "Account", "ref": "group", "Name": "Alder Holding", "Type": "Customer - Direct"}
        await stage.seed("salesforce", {"records": [group]})
        await stage.seed("salesforce", {"changes": [{"type": "Account", "id": "{alder}", "ParentId": "{group}"}]})
        await read_until_it_rests(stage)

    # Billing is told of it.
    assert played(happen, Crm(records=(ALDER,), tied=("alder",), customers=2, changes=1)).findings == []
    above = (
        "SELECT upper.id FROM parents JOIN crossrefs AS lower ON lower.thing = parents.thing"
        " JOIN crossrefs AS upper ON upper.thing = parents.parent"
        " WHERE lower.system = 'salesforce' AND upper.system = 'salesforce'"
    )
    assert len(rows(above)) == 1


def test_a_deleted_account_whose_customer_owes_is_a_persons_matter() -> None:
    async def happen(stage: Stage) -> None:
        # Salesforce deletes no account of which it has invoices.
        await stage.seed("salesforce", {"delete": ["{alder}"]})
        await stage.invoice(paid=False)
        await read_until_it_rests(stage)

    # How the invoice stands cannot be told to an account that is gone.
    gone, told = ("entity-is-deleted",), ("deleted-account-owes",)
    assert played(happen, Crm(records=(ALDER,), tied=("alder",), exceptions=told, untold=gone)).findings == []


def test_an_account_that_is_merged_into_another_customers_waits_for_a_person() -> None:
    async def happen(stage: Stage) -> None:
        birch = {**ALDER, "ref": "birch", "Name": "Birch Foods", "BillingPostalCode": "10117"}
        await stage.seed("salesforce", {"records": [birch]})
        await read_until_it_rests(stage)
        await stage.seed("salesforce", {"merge": [{"into": "{birch}", "gone": ["{alder}"]}]})
        await read_until_it_rests(stage)

    crm = Crm(records=(ALDER,), tied=("alder",), customers=1, exceptions=("account-merged",))
    assert played(happen, crm).findings == []


def test_an_account_that_others_were_given_and_that_is_merged_waits_until_they_are_given_the_other_one() -> None:
    """Both stand for one customer; but what is told of its invoices would go to the account that is gone."""

    async def happen(stage: Stage) -> None:
        await stage.seed("salesforce", {"merge": [{"into": "{birch}", "gone": ["{alder}"]}]})
        await read_until_it_rests(stage)

    birch = {**ALDER, "ref": "birch", "Name": "Birch Foods", "Type": "Prospect"}
    crm = Crm(records=(ALDER, birch), tied=("alder", "birch"), exceptions=("account-merged",))
    assert played(happen, crm).findings == []


def test_a_customer_that_is_gone_from_billing_is_not_made_anew() -> None:
    async def happen(stage: Stage) -> None:
        await stage.stripe("/v1/customers/{customer}", method="DELETE")
        await stage.seed("salesforce", {"changes": [{"type": "Account", "id": "{alder}", "Name": "Alder and Sons"}]})
        await read_until_it_rests(stage)

    crm = Crm(records=(ALDER,), tied=("alder",), exceptions=("customer-not-in-billing",))
    found = played(happen, crm).findings
    # The tie to what is gone is what the oracle sees too.
    assert [finding.invariant for finding in found] == [Invariant.BOOKS_AGREE, Invariant.NOTHING_LOST]


def test_an_account_whose_customer_is_gone_goes_on_with_the_one_that_people_make_for_it() -> None:
    """The hub makes one customer of an account; another one is a person's word, and is found by its metadata."""
    of_accounts = "(SELECT thing FROM crossrefs WHERE system = 'salesforce')"
    tied = f"FROM crossrefs WHERE system = 'stripe' AND thing IN {of_accounts}"

    async def happen(stage: Any) -> None:
        await read_until_it_rests(stage)
        ((made,),) = rows(f"SELECT id {tied}")
        await stage.stripe(f"/v1/customers/{made}", method="DELETE")
        # As `concord crossrefs untie customer stripe ID` leaves it: what was made once is not made again.
        trial.database().file.execute(f"DELETE {tied}")
        await stage.seed("salesforce", {"changes": [{"type": "Account", "id": "{alder}", "Rating": "Hot"}]})
        await read_until_it_rests(stage)
        assert rows("SELECT reason FROM cases WHERE state = 'open'") == [("customer-not-in-billing",)]
        await stage.stripe("/v1/customers", "metadata[crm_account]={alder}")
        ((stopped,),) = rows("SELECT id FROM runs WHERE state = 'parked'")
        process = await stage._host.serving()
        await process.run_orders.replay(stopped, actor="person:ada")
        await stage.rested()

    # It was filled in.
    assert played(happen, Crm(records=(ALDER,), customers=1, changes=1), prepare=None).findings == []
    assert len(rows(f"SELECT 1 {tied}")) == 1


def test_a_customer_that_could_not_be_made_is_made_when_a_person_orders_it_and_then_as_the_account_is() -> None:
    """The flow that makes it stops, and the one that has called it waits and goes on."""

    async def happen(stage: Any) -> None:
        faults = stage._sandboxes["stripe"].world.faults
        faults.replace([{"kind": "outage", "match": {"method": "POST", "path": "/v1/customers$"}}])
        await stage.seed("salesforce", {"records": [ALDER]})
        await read_until_it_rests(stage)
        await stage.rested()
        faults.replace([])
        ((stopped,),) = rows("SELECT id FROM runs WHERE state = 'parked' AND flow = 'customer-of-account'")
        await stage.seed("salesforce", {"changes": [{"type": "Account", "id": "{alder}", "Name": "Alder and Sons"}]})
        await read_until_it_rests(stage)
        process = await stage._host.serving()
        await process.run_orders.replay(stopped, actor="person:ada")
        await stage.rested()

    # What had been sent before is sent again, and then made to be as the CRM says.
    assert played(happen, Crm(customers=1, changes=1), prepare=None).findings == []


def test_an_account_of_which_billing_has_two_customers_is_a_persons_matter() -> None:
    async def happen(stage: Stage) -> None:
        for _ in range(2):
            await stage.stripe("/v1/customers", "name=Birch&metadata[crm_account]={birch}")
        await stage.seed("salesforce", {"changes": [{"type": "Account", "id": "{birch}", "Type": "Customer - Direct"}]})
        await read_until_it_rests(stage)

    birch = {**ALDER, "ref": "birch", "Name": "Birch Foods", "BillingPostalCode": "10117", "Type": "Prospect"}
    crm = Crm(records=(ALDER, birch), tied=("alder",), customers=1, exceptions=("several-customers",))
    told = [finding.detail for finding in played(happen, crm).findings]
    assert told == ["billing has 2 customers of Birch Foods", "the customer of Birch Foods is tied to nothing"]


def test_a_line_that_the_account_has_no_longer_is_taken_out_of_the_address() -> None:
    async def happen(stage: Stage) -> None:
        for street in ("Ring 7\nHof", "Ring 7"):
            await stage.seed("salesforce", {"changes": [{"type": "Account", "id": "{alder}", "BillingStreet": street}]})
            await read_until_it_rests(stage)

    address = {
        "line1": "Ring 7",
        "line2": None,
        "city": ALDER["BillingCity"],
        "state": None,
        "postal_code": ALDER["BillingPostalCode"],
        "country": "DE",
    }
    crm = Crm(records=(ALDER,), tied=("alder",), customers=1, changes=2, billing={"address": address})
    assert played(happen, crm).findings == []


def test_where_an_account_has_its_invoices_sent_comes_before_its_contact() -> None:
    """Neither undoes what the other has written, and who is asked about other things changes nothing."""

    async def happen(stage: Stage) -> None:
        ada = {"type": "Contact", "LastName": "Byron", "Email": "ada@alder.example", "AccountId": "{alder}"}
        await stage.seed("salesforce", {"records": [{**ada, "Phone": "1", "Is_Billing_Contact__c": True}]})
        await stage.seed("salesforce", {"records": [{**ada, "LastName": "Lee", "Phone": "2"}]})
        await read_until_it_rests(stage)
        mailed = {"type": "Account", "id": "{alder}", "Invoice_Email__c": "bills@alder.example"}
        await stage.seed("salesforce", {"changes": [mailed]})
        await read_until_it_rests(stage)

    account = {**ALDER, "Invoice_Email__c": "books@alder.example"}
    billing = {"email": "bills@alder.example", "phone": "1"}
    # The first mail address, the contact, and the second mail address.
    crm = Crm(records=(account,), tied=("alder",), customers=1, changes=3, billing=billing)
    assert played(happen, crm, prepare=None).findings == []


def test_the_oracle_sees_a_customer_too_many_and_one_that_is_otherwise() -> None:
    account = {"Id": "001", "Name": "Alder", "Type": "Customer - Direct", "BillingCountry": "Germany"}
    made = {"id": "cus_1", "name": "Elder", "address": {}, "metadata": {"crm_account": "001"}}
    crm = {"records": {"Account": [account, {"Id": "002", "Name": "Birch", "Type": "Prospect"}]}}
    stripe = {"customers": [made, {**made, "id": "cus_2"}, {"id": "cus_3", "metadata": {"crm_account": "002"}}]}
    told = crm_checks.accounts(crm, {**stripe, "events": []}, {"001": "cus_1"}, customers=1, changes=0)
    assert [finding.detail for finding in told] == [
        "billing has 2 customers of Alder",
        "the name of Alder is 'Alder' in the CRM, and 'Elder' in billing",
        "billing has 1 customers of accounts that are none",
    ]
    lost = crm_checks.accounts(crm, {"customers": [made], "events": []}, {}, customers=1, changes=0)
    assert {finding.invariant for finding in lost} == {Invariant.NOTHING_LOST}
