"""Contacts of the CRM in NetSuite: what is theirs there, what stays the ERP's, and wrong books that are seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from hub.proof import contact_checks
from hub.proof.invariants import Invariant
from hub.proof.simulation import campaign, playing
from hub.proof.simulation.case import Stage
from hub.proof.simulation.cases import CASES
from hub.proof.simulation.playing import Played

CASE = next(case for case in CASES if case.name == "contact-to-erp that is deleted")


@pytest.fixture(autouse=True)
def quiet() -> None:
    campaign.be_quiet()


def played(happen: Callable[[Stage], Awaitable[None]], **there: object) -> Played:
    """Let something happen to a contact that the ERP has; `there` is what it must have of it in the end."""
    crm = CASE.crm
    assert crm is not None
    assert crm.contacts is not None
    contacts = {name: {**fields, **there} for name, fields in crm.contacts.items()}
    return playing.play(replace(CASE, happen=happen, crm=replace(crm, contacts=contacts), story="of a test"), None)


async def change(stage: Stage, **fields: object) -> None:
    await stage.seed("salesforce", {"changes": [{"type": "Contact", "id": "{bo}", **fields}]})
    await stage.read()
    await stage.rested()


def test_one_that_comes_back_is_active_again_and_no_second_record() -> None:
    async def happen(stage: Stage) -> None:
        for what in ("delete", "undelete"):
            await stage.seed("salesforce", {what: ["{bo}"]})
            await stage.read()
            await stage.rested()

    assert played(happen, isInactive=False, writes=3).findings == []


def test_what_concerns_nobody_in_the_books_is_not_written_and_what_is_the_erps_own_stays() -> None:
    async def happen(stage: Stage) -> None:
        # The first contact of an account is the second entity that NetSuite has here.
        await stage.seed("netsuite", {"changes": [{"type": "contact", "id": "1002", "comments": "Prefers mail"}]})
        await change(stage, Is_Billing_Contact__c=False)
        await change(stage, Title="Head of Purchasing")

    wanted = {"comments": "Prefers mail", "title": "Head of Purchasing"}
    assert played(happen, isInactive=False, writes=3, **wanted).findings == []


def test_what_is_no_telephone_number_keeps_nobody_from_being_a_record() -> None:
    async def happen(stage: Stage) -> None:
        await change(stage, Phone="12", Email=None, FirstName=None)

    wanted = {"phone": None, "email": None, "firstName": None, "entityId": "Lindqvist"}
    assert played(happen, isInactive=False, writes=2, **wanted).findings == []


def test_somebody_at_an_account_that_is_no_customer_any_more_is_inactive() -> None:
    async def happen(stage: Stage) -> None:
        changes = [{"type": "Account", "id": "{alder}", "Type": "Prospect"}]
        await stage.seed("salesforce", {"changes": changes})
        await change(stage, Title="Head of Purchasing")

    crm = CASE.crm
    assert crm is not None
    found = played(happen, isInactive=True, writes=2).findings
    # Billing still has the customer of an account that is none any more.
    assert [each for each in found if "contact" in each.detail] == []


RECORD: Mapping[str, Any] = {"externalId": "003", "company": "1001", "entityId": "Ada", "writes": 1}


@pytest.mark.parametrize(
    ("contacts", "invariant"),
    [
        ([], Invariant.NOTHING_LOST),
        ([RECORD, RECORD], Invariant.NOTHING_TWICE),
        ([RECORD, {**RECORD, "externalId": "004"}], Invariant.NOTHING_TWICE),
        ([{**RECORD, "company": "1002"}], Invariant.BOOKS_AGREE),
        ([{**RECORD, "writes": 2}], Invariant.BOOKS_AGREE),
    ],
)
def test_wrong_books_are_seen(contacts: list[Mapping[str, Any]], invariant: Invariant) -> None:
    customers = [{"id": "1001", "companyName": "Alder"}, {"id": "1002", "companyName": "Birch"}]
    wanted = {"003": {"company": "Alder", "entityId": "Ada", "writes": 1}}
    found = contact_checks.in_netsuite({"customers": customers, "contacts": contacts}, wanted)
    assert [each.invariant for each in found] == [invariant]
    assert not list(contact_checks.in_netsuite({"customers": customers, "contacts": [RECORD]}, wanted))
