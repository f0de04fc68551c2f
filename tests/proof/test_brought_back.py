"""What a hub has tied and made since its backup is found again once it is brought back, and nothing is made twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from hub.proof.simulation import campaign, playing
from hub.proof.simulation.case import Crm, Stage
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


async def changed(stage: Stage, kind: str, name: str, **fields: object) -> None:
    await stage.seed("salesforce", {"changes": [{"type": kind, "id": f"{{{name}}}", **fields}]})
    await read(stage)


def test_an_account_that_was_made_a_customer_and_has_changed_since_is_made_no_second_one() -> None:
    async def happen(stage: Stage) -> None:
        await read(stage)
        stage.backups.make()
        await stage.seed("salesforce", {"records": [ALDER]})
        await read(stage)
        await stage.seed("salesforce", {"changes": [{"type": "Account", "id": "{alder}", "Name": "Alder and Sons"}]})
        await stage.backups.bring_back()
        await read(stage)

    assert played(happen, Crm(customers=1, changes=1)) == []


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


def test_a_customer_that_the_search_shows_late_is_found_too() -> None:
    async def happen(stage: Stage) -> None:
        await stage.seed("stripe", {"switches": {"search_delay": 3000}})
        await made_by_people_and_gone(stage)
        await read(stage)

    crm = Crm(records=(PROSPECT,), changes=1, exceptions=("deleted-account-owes",))
    assert played(happen, crm) == []
