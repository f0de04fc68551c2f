"""What a hub has tied and made since its backup is found again once it is brought back, and nothing is made twice.

Here is what people see to, and what `restore_cases` has not: the sweep plays those.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from hub.proof.simulation import campaign, playing
from hub.proof.simulation.case import Crm, Customers, Stage
from hub.proof.simulation.cases import CASES
from hub.proof.simulation.crm_cases import ALDER

WON = next(case for case in CASES if case.name == "account-to-billing")


@pytest.fixture(autouse=True)
def quiet() -> None:
    campaign.be_quiet()


def played(happen: Callable[[Stage], Awaitable[None]], crm: Crm, **more: object) -> list[str]:
    """Play a case with a CRM; gives what does not hold."""
    case = replace(WON, happen=happen, crm=crm, story="of a test", **more)  # type: ignore[arg-type]
    return [f"{finding.invariant}: {finding.detail}" for finding in playing.play(case, None).findings]


async def read(stage: Stage) -> None:
    for _ in range(3):
        await stage.read()
        await stage.rested()


def test_what_the_search_does_not_show_yet_is_known_by_its_key() -> None:
    """The account is told of again as it was."""

    async def happen(stage: Stage) -> None:
        await stage.seed("stripe", {"switches": {"search_delay": 3600}})
        await read(stage)
        stage.backups.make()
        await stage.seed("salesforce", {"records": [ALDER]})
        await read(stage)
        await stage.backups.bring_back()
        await read(stage)

    assert played(happen, Crm(customers=1)) == []


def test_what_the_search_does_not_show_yet_and_has_changed_is_a_persons_matter() -> None:
    """Stripe says that its key has made something else, and shows what only later; nothing is made twice meanwhile."""

    async def happen(stage: Stage) -> None:
        await stage.seed("stripe", {"switches": {"search_delay": 3600}})
        await read(stage)
        stage.backups.make()
        await stage.seed("salesforce", {"records": [ALDER]})
        await read(stage)
        await stage.seed("salesforce", {"changes": [{"type": "Account", "id": "{alder}", "Name": "Alder and Sons"}]})
        await stage.backups.bring_back()
        await read(stage)

    # Until somebody says what became of it, the run that has called the other one waits, and the customer is not tied.
    waits, untied = played(happen, Crm(exceptions=("outcome-unknown",)))
    assert waits.startswith("queue_drained:")
    assert waits.endswith("is waiting child")
    assert untied == "nothing_lost: the customer of Alder and Sons is tied to nothing"


async def made_by_people_and_gone(stage: Stage, **merged: object) -> None:
    """Let an account be tied since the backup that is gone by the time at which the hub is brought back; it owes."""
    await stage.invoice(paid=False)
    await read(stage)
    stage.backups.make()
    await stage.stripe("/v1/customers/{customer}", "metadata[crm_account]={alder}")
    await stage.link(account="alder")
    await stage.seed("salesforce", merged or {"delete": ["{alder}"]})
    await stage.backups.bring_back()


PROSPECT = {**ALDER, "Type": "Prospect"}
BIRCH = {**PROSPECT, "ref": "birch", "Name": "Birch Foods"}


def test_a_deleted_account_whose_tie_is_lost_and_whose_customer_owes_is_a_persons_matter() -> None:
    async def happen(stage: Stage) -> None:
        await made_by_people_and_gone(stage)
        await read(stage)

    crm = Crm(records=(PROSPECT,), changes=1, exceptions=("deleted-account-owes",))
    assert played(happen, crm) == []


def test_a_merged_account_whose_tie_is_lost_is_a_persons_matter() -> None:
    async def happen(stage: Stage) -> None:
        await made_by_people_and_gone(stage, merge=[{"into": "{birch}", "gone": ["{alder}"]}])
        await read(stage)

    crm = Crm(records=(PROSPECT, BIRCH), changes=1, exceptions=("account-merged",))
    assert played(happen, crm) == []


def test_a_merged_account_whose_customer_is_the_other_ones_leaves_nothing_to_do() -> None:
    """The account that is left was tied since before the backup; the one that is gone was a further name."""

    async def happen(stage: Stage) -> None:
        await stage.stripe("/v1/customers/{customer}", "metadata[crm_account]={alder}")
        await read(stage)
        await stage.seed("salesforce", {"merge": [{"into": "{birch}", "gone": ["{alder}"]}]})
        await read(stage)

    assert played(happen, Crm(records=(PROSPECT, BIRCH), tied=("birch",), changes=1)) == []


def test_a_customer_that_the_search_shows_late_is_found_too() -> None:
    async def happen(stage: Stage) -> None:
        await stage.seed("stripe", {"switches": {"search_delay": 3000}})
        await made_by_people_and_gone(stage)
        await read(stage)

    crm = Crm(records=(PROSPECT,), changes=1, exceptions=("deleted-account-owes",))
    assert played(happen, crm) == []


def test_who_gets_the_invoices_is_told_to_the_customer_that_is_found_again() -> None:
    """The contact is told of before its account is tied again, and waits."""
    ada = {"type": "Contact", "ref": "ada", "LastName": "Byron", "Email": "ada@alder.example", "AccountId": "{alder}"}

    async def happen(stage: Stage) -> None:
        await read(stage)
        stage.backups.make()
        await stage.seed("salesforce", {"records": [ALDER]})
        await read(stage)
        await stage.seed("salesforce", {"records": [{**ada, "Is_Billing_Contact__c": True}]})
        await read(stage)
        await stage.seed("salesforce", {"changes": [{"type": "Contact", "id": "{ada}", "LastName": "King"}]})
        await stage.backups.bring_back()
        await read(stage)

    # The contact, and its new name. The ERP has no such customer, so that a person is asked about its record there.
    assert played(happen, Crm(customers=1, changes=2, exceptions=("customer-not-mapped",))) == []


async def made_and_deleted(stage: Stage) -> None:
    """Let a customer be tied since the backup, and be deleted by the time at which the hub is brought back."""
    await read(stage)
    stage.backups.make(untied="customer")
    await stage.stripe("/v1/customers/{customer}", method="DELETE")
    await stage.backups.bring_back()
    await read(stage)


@pytest.mark.parametrize(
    ("erp", "writes", "left"),
    [
        ("netsuite", 2, {"companyName": "Alder Works", "isInactive": True}),
        ("s4hana", 0, {"BusinessPartnerIsBlocked": True, "IsMarkedForArchiving": True}),
    ],
)
def test_a_customer_that_was_deleted_is_retired_in_its_books_although_its_tie_is_lost(
    erp: str, writes: int, left: dict[str, object]
) -> None:
    events = ("customer.created", "customer.deleted")
    customers = Customers(erp_writes=writes, billing_changes=0, events=events, erp=left)
    made = next(case for case in CASES if case.name == "customer-to-erp")
    # Webhooks that came since the backup are told of once more by the stream.
    case = replace(made, happen=made_and_deleted, customers=customers, erp=erp, deaf=True, story="of a test")
    found = playing.play(case, None).findings
    assert [finding.detail for finding in found] == []
