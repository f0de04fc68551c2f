"""What is let happen for each flow between the CRM and the rest, so that the sweep comes to every step of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.proof.simulation.case import Case, Crm, Stage
from hub.proof.simulation.case_scenario import one_invoice
from hub.proof.simulation.crm import VENDOR

_MARKET = one_invoice().customers[0].market
#: The scenario's customer, as the CRM has it.
_ALDER: Mapping[str, Any] = {
    "type": "Account",
    "ref": "alder",
    "Name": "Alder Works",
    "Type": "Customer - Direct",
    "BillingStreet": "1 Main Street",
    "BillingCity": _MARKET.city,
    "BillingPostalCode": _MARKET.postal_code,
    "BillingCountry": _MARKET.country,
}
_BIRCH: Mapping[str, Any] = {
    "type": "Account",
    "ref": "birch",
    "Name": "Birch Foods",
    "Type": "Customer - Channel",
    "ParentId": "@{group}",
    "BillingStreet": "Ring 7\nHof",
    "BillingCity": "Wien",
    "BillingPostalCode": "1010",
    "BillingCountry": "Austria",
    "Invoice_Email__c": "bills@birch.example",
}
_GROUP: Mapping[str, Any] = {"type": "Account", "ref": "group", "Name": "Birch Holding", "Type": "Other"}


_ADA: Mapping[str, Any] = {
    "type": "Contact",
    "FirstName": "Ada",
    "LastName": "Byron",
    "Email": "ada@alder.example",
    "Phone": "+49 40 555",
    "Is_Billing_Contact__c": True,
}


async def _won(stage: Stage) -> None:
    await stage.seed(VENDOR, {"records": [_GROUP, _BIRCH, {"type": "Account", "Name": "Cedar", "Type": "Prospect"}]})
    await stage.read()


async def _moved(stage: Stage) -> None:
    moved = {
        "Name": "Alder and Sons",
        "BillingStreet": "Ring 9",
        "BillingCity": "Hamburg",
        "BillingPostalCode": "20457",
    }
    await stage.seed(VENDOR, {"changes": [{"type": "Account", "id": "{alder}", **moved}]})
    await stage.read()


async def _asked(stage: Stage) -> None:
    await stage.seed(VENDOR, {"records": [{**_ADA, "AccountId": "{alder}"}]})
    await stage.read()


async def _asked_and_tied(stage: Stage) -> None:
    await _asked(stage)
    await stage.link(account="alder")


async def _read(stage: Stage) -> None:
    await stage.read()


async def _merged(stage: Stage) -> None:
    await stage.seed(VENDOR, {"merge": [{"into": "{birch}", "gone": ["{alder}"]}]})
    await stage.read()


async def _deleted(stage: Stage) -> None:
    await stage.seed(VENDOR, {"delete": ["{alder}"]})
    await stage.read()


CRM_CASES: tuple[Case, ...] = (
    Case(flows=("account-to-billing",), scenario=one_invoice(), happen=_won, crm=Crm(customers=1)),
    Case(
        flows=("account-to-billing",),
        story="that billing knows",
        scenario=one_invoice(),
        prepare=_read,
        happen=_moved,
        crm=Crm(records=(_ALDER,), tied=("alder",), customers=1, changes=1),
    ),
    Case(
        flows=("account-left", "account-to-billing"),
        scenario=one_invoice(),
        prepare=_read,
        happen=_deleted,
        crm=Crm(records=(_ALDER,), tied=("alder",)),
    ),
    Case(
        flows=("account-left", "account-to-billing"),
        story="for another one",
        scenario=one_invoice(),
        prepare=_read,
        happen=_merged,
        crm=Crm(
            records=(_ALDER, {**_BIRCH, "ParentId": None, "Type": "Prospect"}),
            tied=("alder",),
            exceptions=("account-merged",),
        ),
    ),
    Case(
        flows=("account-left", "account-to-billing"),
        story="for one that is the same customer",
        scenario=one_invoice(),
        prepare=_read,
        happen=_merged,
        crm=Crm(records=(_ALDER, {**_BIRCH, "ParentId": None, "Type": "Prospect"}), tied=("alder", "birch")),
    ),
    Case(
        flows=("contact-to-billing",),
        scenario=one_invoice(),
        prepare=_read,
        happen=_asked,
        crm=Crm(
            records=(_ALDER,),
            tied=("alder",),
            customers=1,
            changes=1,
            billing={"email": "ada@alder.example", "phone": "+49 40 555", "metadata": {"crm_contact": "Ada Byron"}},
        ),
    ),
    Case(
        flows=("contact-to-billing",),
        story="before its account is tied",
        scenario=one_invoice(),
        prepare=_read,
        happen=_asked_and_tied,
        crm=Crm(
            # Its country is misspelt, so that the account itself waits for a person.
            records=({**_ALDER, "BillingCountry": "Atlantis"},),
            customers=1,
            changes=1,
            billing={"email": "ada@alder.example"},
            exceptions=("country-not-known",),
        ),
    ),
)
