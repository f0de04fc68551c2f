"""What is let happen to the CRM's contacts, so that the sweep comes to each step that brings them into the books."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.proof.simulation.case import Case, Crm, Stage, Tied
from hub.proof.simulation.case_scenario import one_invoice
from hub.proof.simulation.crm import VENDOR
from hub.proof.simulation.crm_cases import ALDER
from hub.proof.simulation.group_cases import BESIDE, BIRCH, GROUP, rested

#: Somebody at the scenario's customer.
BO: Mapping[str, Any] = {
    "type": "Contact",
    "ref": "bo",
    "FirstName": "Bo",
    "LastName": "Lindqvist",
    "Email": "bo@alder.example",
    "Phone": "+49 40 5556",
    "Title": "Buyer",
    "AccountId": "{alder}",
}
#: As NetSuite has them.
_THERE: Mapping[str, object] = {
    "entityId": "Bo Lindqvist",
    "firstName": "Bo",
    "lastName": "Lindqvist",
    "email": "bo@alder.example",
    "phone": "+49 40 5556",
    "title": "Buyer",
    "company": "Alder Works",
    "isInactive": False,
    "writes": 1,
}


async def come(stage: Stage, **more: object) -> None:
    """Let somebody be at the customer, and the hub hear of them."""
    await stage.seed(VENDOR, {"records": [{**BO, **more}]})
    await stage.read()


async def _known(stage: Stage) -> None:
    await stage.read()
    await come(stage)
    await stage.rested()


async def _changed(stage: Stage, **fields: object) -> None:
    await stage.seed(VENDOR, {"changes": [{"type": "Contact", "id": "{bo}", **fields}]})
    await stage.read()


async def _come_and_changed(stage: Stage) -> None:
    await come(stage)
    await stage.rested()
    await _changed(stage, LastName="Berg", Email=None)


async def _come_and_tied(stage: Stage) -> None:
    await come(stage)
    # Billing's customer is waited for first, and then the ERP's.
    await stage.link(account="alder")
    await stage.link()


async def _deleted(stage: Stage) -> None:
    await stage.seed(VENDOR, {"delete": ["{bo}"]})
    await stage.read()


async def _deleted_and_back(stage: Stage) -> None:
    await _deleted(stage)
    await stage.rested()
    await stage.seed(VENDOR, {"undelete": ["{bo}"]})
    await stage.read()


async def _left(stage: Stage) -> None:
    await _changed(stage, AccountId=None)


async def _known_at_another(stage: Stage) -> None:
    await rested(stage)
    await come(stage, AccountId="{birch}")
    await stage.rested()


async def _moved(stage: Stage) -> None:
    await _changed(stage, AccountId="{group}", Title="Head of Purchasing")


async def _namesake(stage: Stage) -> None:
    await come(stage, ref="twin", Email="other@alder.example")


async def _known_since_the_backup(stage: Stage) -> None:
    await stage.read()
    stage.backups.make()
    await come(stage)
    await stage.rested()
    await stage.backups.bring_back()


async def _changed_since(stage: Stage) -> None:
    await _changed(stage, Title="Head of Purchasing")


def _at_alder(*exceptions: str, twin: bool = False, **there: object) -> Crm:
    contacts = {"bo": {**_THERE, **there}, **({"twin": {}} if twin else {})}
    return Crm(records=(ALDER,), tied=("alder",), customers=1, contacts=contacts, exceptions=exceptions)


CONTACT_CASES: tuple[Case, ...] = (
    Case(
        flows=("contact-to-erp",),
        scenario=one_invoice(),
        prepare=lambda stage: stage.read(),
        happen=_come_and_changed,
        crm=_at_alder(entityId="Bo Berg", lastName="Berg", email=None, writes=2),
    ),
    Case(
        flows=("contact-to-erp",),
        story="before the ERP has its customer",
        scenario=one_invoice(),
        prepare=lambda stage: stage.read(),
        happen=_come_and_tied,
        tied=Tied.NOBODY,
        crm=Crm(
            # Its country is misspelt, so that the account itself waits for a person.
            records=({**ALDER, "BillingCountry": "Atlantis"},),
            customers=1,
            contacts={"bo": _THERE},
            exceptions=("country-not-known",),
        ),
    ),
    Case(
        flows=("contact-to-erp",),
        story="that is deleted",
        scenario=one_invoice(),
        prepare=_known,
        happen=_deleted,
        crm=_at_alder(isInactive=True, writes=2),
    ),
    Case(
        flows=("contact-to-erp",),
        story="that is at no account any more",
        scenario=one_invoice(),
        prepare=_known,
        happen=_left,
        crm=_at_alder(isInactive=True, writes=2),
    ),
    Case(
        flows=("contact-to-erp",),
        story="that moves to another account",
        scenario=one_invoice(),
        prepare=_known_at_another,
        happen=_moved,
        tied=Tied.NOBODY,
        customers=BESIDE,
        crm=Crm(
            records=(GROUP, BIRCH),
            customers=2,
            contacts={"bo": {**_THERE, "company": "Birch Holding", "title": "Head of Purchasing", "writes": 2}},
        ),
    ),
    Case(
        flows=("contact-to-erp",),
        story="whose name another one has",
        scenario=one_invoice(),
        prepare=_known,
        happen=_namesake,
        crm=_at_alder("contact-name-taken", twin=True),
    ),
    Case(
        flows=("contact-to-erp",),
        story="of a hub that is brought back",
        scenario=one_invoice(),
        prepare=_known_since_the_backup,
        happen=_changed_since,
        crm=_at_alder(title="Head of Purchasing", writes=2),
    ),
    Case(
        flows=("contact-to-erp",),
        story="that is deleted, of a hub that is brought back",
        scenario=one_invoice(),
        prepare=_known_since_the_backup,
        happen=_deleted,
        crm=_at_alder(isInactive=True, writes=2),
    ),
)
