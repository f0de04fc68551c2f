"""Contacts of the CRM in S/4HANA: what is theirs there, what stays the ERP's, and wrong books that are seen."""

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
from tests.proof.test_contacts import change

CASE = next(case for case in CASES if case.name == "contact-to-erp that is deleted, in S/4HANA")
#: The first partner that the hub makes there.
PERSON = "1000000"
ACTIVE: Mapping[str, object] = {"IsMarkedForArchiving": False, "BusinessPartnerIsBlocked": False}


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


def test_one_that_comes_back_is_blocked_no_more_and_no_second_person() -> None:
    async def happen(stage: Stage) -> None:
        for what in ("delete", "undelete"):
            await stage.seed("salesforce", {what: ["{bo}"]})
            await stage.read()
            await stage.rested()

    assert played(happen, **ACTIVE).findings == []


def test_what_is_the_erps_own_stays_and_what_the_crm_clears_is_empty() -> None:
    async def happen(stage: Stage) -> None:
        own = {"table": "A_BusinessPartner", "key": [PERSON], "set": {"CorrespondenceLanguage": "DE"}}
        ended = {
            "BusinessPartnerCompany": "10100001",
            "BusinessPartnerPerson": PERSON,
            "ValidityStartDate": "2020-01-01",
            "ValidityEndDate": "2020-12-31",
        }
        await stage.seed("s4hana", {"changes": [own], "contacts": [ended]})
        await change(stage, Phone=None, Email=None, FirstName=None)

    wanted = {"CorrespondenceLanguage": "DE", "phone": "", "email": "", "FirstName": None}
    assert played(happen, **ACTIVE, **wanted).findings == []


def test_somebody_at_an_account_that_is_no_customer_any_more_is_blocked() -> None:
    async def happen(stage: Stage) -> None:
        changes = [{"type": "Account", "id": "{alder}", "Type": "Prospect"}]
        await stage.seed("salesforce", {"changes": changes})
        await change(stage, Title="Head of Purchasing")

    found = played(happen).findings
    # Billing still has the customer of an account that is none any more.
    assert [each for each in found if "contact" in each.detail] == []


def test_a_relationship_to_a_company_that_the_crm_does_not_know_stays() -> None:
    async def happen(stage: Stage) -> None:
        other = {
            "BusinessPartner": "777",
            "BusinessPartnerGrouping": "BPEX",
            "BusinessPartnerCategory": "2",
            "OrganizationBPName1": "Zed",
        }
        both = {"BusinessPartnerCompany": "777", "BusinessPartnerPerson": PERSON}
        await stage.seed("s4hana", {"business_partners": [other], "contacts": [both]})
        await change(stage, Title="Head of Purchasing")

    assert played(happen, **ACTIVE, companies=["Alder Works", "Zed"]).findings == []


def person(number: str = "1", mark: str = "003NB", **more: object) -> dict[str, object]:
    names = {"BusinessPartnerFullName": "Ada Byron", "LastName": "Byron"}
    return {
        "BusinessPartner": number,
        "BusinessPartnerCategory": "1",
        "BusinessPartnerIDByExtSystem": mark,
        **names,
        **more,
    }


def at(company: str, until: str = "9999-12-31") -> dict[str, object]:
    return {"BusinessPartnerCompany": company, "BusinessPartnerPerson": "1", "ValidityEndDate": until}


@pytest.mark.parametrize(
    ("people", "contacts", "invariant"),
    [
        ([], [], Invariant.NOTHING_LOST),
        ([person(), person("2")], [at("10")], Invariant.NOTHING_TWICE),
        ([person(), person("2", "004")], [at("10")], Invariant.NOTHING_TWICE),
        ([person()], [], Invariant.BOOKS_AGREE),
        ([person()], [at("10", "2020-12-31")], Invariant.BOOKS_AGREE),
        ([person()], [at("10"), at("11")], Invariant.BOOKS_AGREE),
        ([person()], [at("10"), at("10")], Invariant.BOOKS_AGREE),
        ([person(LastName="King")], [at("10")], Invariant.BOOKS_AGREE),
    ],
)
def test_wrong_books_are_seen(
    people: list[Mapping[str, Any]], contacts: list[Mapping[str, Any]], invariant: Invariant
) -> None:
    wanted = {"003Nb": {"companies": ["Alder"], "LastName": "Byron", "email": "ada@alder.example"}}
    assert [each.invariant for each in contact_checks.in_s4hana(_books(people, contacts), wanted)] == [invariant]
    assert not list(contact_checks.in_s4hana(_books([person()], [at("10"), at("11", "2020-12-31")]), wanted))


def _books(people: list[Mapping[str, Any]], contacts: list[Mapping[str, Any]]) -> dict[str, Any]:
    companies = [
        {"BusinessPartner": number, "BusinessPartnerCategory": "2", "BusinessPartnerFullName": name}
        for number, name in (("10", "Alder"), ("11", "Birch"))
    ]
    return {
        "tables": {
            "A_BusinessPartner": [*companies, *people],
            "A_BusinessPartnerContact": contacts,
            "A_BusinessPartnerAddress": [{"BusinessPartner": "1", "AddressID": "7"}],
            "A_AddressEmailAddress": [{"AddressID": "7", "EmailAddress": "ada@alder.example"}],
            "A_AddressPhoneNumber": [],
        }
    }
