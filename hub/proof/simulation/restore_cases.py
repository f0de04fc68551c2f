"""What is let happen to a hub that is brought back from its backup: what it has tied since then it finds again."""

from __future__ import annotations

from hub.proof.simulation import sap
from hub.proof.simulation.case import Case, Crm, Customers, Stage, Tied
from hub.proof.simulation.case_scenario import one_invoice
from hub.proof.simulation.crm import VENDOR
from hub.proof.simulation.crm_cases import ALDER, entered, launched
from hub.proof.simulation.happenings import deleted

_PROSPECT = {**ALDER, "Type": "Prospect"}
_MADE_AND_DELETED = ("customer.created", "customer.deleted")
#: Its country is misspelt, so that the account itself waits for a person.
_MISSPELT = {**ALDER, "BillingCountry": "Atlantis"}


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


async def _tied(stage: Stage) -> None:
    await stage.read()
    stage.backups.make()
    await stage.stripe("/v1/customers/{customer}", "metadata[crm_account]={alder}")
    await stage.link(account="alder")
    await stage.backups.bring_back()


async def _invoiced_and_tied(stage: Stage) -> None:
    await stage.invoice(paid=False)
    await stage.link(account="alder")
    await stage.read()


async def _posted(stage: Stage) -> None:
    await stage.read()
    await stage.rested()
    stage.backups.make(untied="customer")
    await stage.backups.bring_back()


async def _priced(stage: Stage, amount: object) -> None:
    await stage.seed(VENDOR, {"changes": [{"type": "PricebookEntry", "id": "{entry}", "UnitPrice": amount}]})


async def _raised_and_lowered_again(stage: Stage) -> None:
    await launched(stage)
    stage.backups.make()
    await entered(stage)
    await stage.rested()
    await _priced(stage, 15)
    await stage.read()
    await stage.rested()
    await _priced(stage, 12.5)


async def _sold(stage: Stage) -> None:
    await launched(stage)
    await entered(stage)
    await stage.rested()
    # The entry is told of before its product, which was tied later.
    stage.backups.make(untied="product")
    await stage.backups.bring_back()


async def _taken_out(stage: Stage) -> None:
    await stage.seed(VENDOR, {"changes": [{"type": "PricebookEntry", "id": "{entry}", "IsActive": False}]})
    await stage.read()


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
    Case(
        flows=("customer-to-erp",),
        story="that is deleted, of a hub that is brought back",
        scenario=one_invoice(),
        prepare=_posted,
        happen=deleted,
        tied=Tied.NOBODY,
        customers=Customers(erp_writes=2, billing_changes=0, events=_MADE_AND_DELETED, erp={"isInactive": True}),
    ),
    Case(
        flows=("customer-to-erp",),
        story="that is deleted, of a hub that is brought back, in S/4HANA",
        scenario=one_invoice(),
        prepare=_posted,
        happen=deleted,
        tied=Tied.NOBODY,
        customers=Customers(
            erp_writes=0,
            billing_changes=0,
            events=_MADE_AND_DELETED,
            erp={"BusinessPartnerIsBlocked": True, "IsMarkedForArchiving": True},
        ),
        erp=sap.VENDOR,
    ),
    Case(
        flows=("invoice-status-due", "invoice-status-to-crm", "invoice-to-erp"),
        story="of a hub that is brought back",
        scenario=one_invoice(),
        prepare=_tied,
        happen=_invoiced_and_tied,
        crm=Crm(records=(_MISSPELT,), customers=1, changes=1, invoiced=True, exceptions=("country-not-known",)),
    ),
    Case(
        flows=("price-to-billing",),
        story="of a hub that is brought back",
        scenario=one_invoice(),
        prepare=_raised_and_lowered_again,
        happen=_brought_back,
        crm=Crm(products=1, prices=2),
    ),
    Case(
        flows=("price-to-billing",),
        story="that is taken out, of a hub that is brought back",
        scenario=one_invoice(),
        prepare=_sold,
        happen=_taken_out,
        crm=Crm(products=1, prices=1),
    ),
)
