"""What is let happen to a hub that is brought back from its backup: what it has tied since then it finds again."""

from __future__ import annotations

from hub.proof.simulation.case import Case, Crm, Stage
from hub.proof.simulation.case_scenario import one_invoice
from hub.proof.simulation.crm import VENDOR
from hub.proof.simulation.crm_cases import ALDER

_PROSPECT = {**ALDER, "Type": "Prospect"}


async def _brought_back(stage: Stage) -> None:
    await stage.backups.bring_back()
    await stage.read()


async def _won_and_renamed(stage: Stage) -> None:
    stage.backups.make()
    await stage.seed(VENDOR, {"records": [ALDER]})
    await stage.read()
    await stage.rested()
    await stage.seed(VENDOR, {"changes": [{"type": "Account", "id": "{alder}", "Name": "Alder and Sons"}]})


async def _tied_and_deleted(stage: Stage) -> None:
    # Of an account that is gone nothing tells any more whose it was.
    await stage.read()
    stage.backups.make()
    await stage.stripe("/v1/customers/{customer}", "metadata[crm_account]={alder}")
    await stage.link(account="alder")
    await stage.seed(VENDOR, {"delete": ["{alder}"]})


async def _tied_and_deleted_at_once(stage: Stage) -> None:
    await stage.seed("stripe", {"switches": {"search_delay": 3000}})
    await _tied_and_deleted(stage)


RESTORE_CASES: tuple[Case, ...] = (
    Case(
        flows=("account-to-billing",),
        story="of a hub that is brought back",
        scenario=one_invoice(),
        prepare=_won_and_renamed,
        happen=_brought_back,
        crm=Crm(customers=1, changes=1),
    ),
    Case(
        flows=("account-left",),
        story="of a hub that is brought back",
        scenario=one_invoice(),
        prepare=_tied_and_deleted,
        happen=_brought_back,
        crm=Crm(records=(_PROSPECT,), changes=1),
    ),
    Case(
        flows=("account-left",),
        story="whose customer is found late",
        scenario=one_invoice(),
        prepare=_tied_and_deleted_at_once,
        happen=_brought_back,
        crm=Crm(records=(_PROSPECT,), changes=1),
    ),
)
