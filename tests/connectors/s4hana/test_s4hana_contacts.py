"""Contact persons: found by the two partners where nobody knows what became of the write, and gone but once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.samples import CONTACT, PERSON
from hub.sdk.connector import WriteOperation
from hub.sdk.errors import FixData, HubError, LimitReached
from tests.connectors.s4hana.linking import KEY, OTHER_KEY, Link, linked


def operation(name: str) -> WriteOperation:
    found = CONNECTOR.operation(name)
    assert isinstance(found, WriteOperation)
    return found


def contacts(link: Link, **wanted: Any) -> list[Mapping[str, Any]]:
    return link.rows("A_BusinessPartnerContact", BusinessPartnerPerson="200", **wanted)


async def test_a_second_write_finds_the_contact_that_is_there() -> None:
    async with linked() as link:
        await link.seed(business_partners=[PERSON])
        create = operation("contact_person.create")
        assert await link.connected.find(create, CONTACT, KEY) is None
        made = await link.write("contact_person.create", CONTACT)
        assert await link.write("contact_person.create", CONTACT, key=OTHER_KEY) == made
        assert await link.connected.find(create, CONTACT, OTHER_KEY) == made
        assert len(contacts(link, BusinessPartnerCompany="10100001")) == 1


async def test_one_for_a_part_of_the_time_is_another_one() -> None:
    async with linked() as link:
        await link.seed(business_partners=[PERSON])
        past = {**CONTACT, "ValidityStartDate": "2020-01-01", "ValidityEndDate": "2020-12-31"}
        first = await link.write("contact_person.create", past)
        second = await link.write("contact_person.create", CONTACT)
        assert (first["relationship"], first["until"]) == (second["relationship"], "2020-12-31")
        gone = await link.write("contact_person.delete", second)
        assert gone == {"id": "200"}
        left = contacts(link, BusinessPartnerCompany="10100001")
        assert [row["ValidityEndDate"] for row in left] == ["2020-12-31"]
        # It is gone already, and nothing else goes.
        assert await link.write("contact_person.delete", second, key=OTHER_KEY) == gone
        assert len(contacts(link)) == 1


@pytest.mark.parametrize("refusal", ["429", "403", "404", "reset_before"])
@pytest.mark.parametrize("behind", ["A_BusinessPartnerContact", "A_BusinessPartner\\("])
async def test_what_befalls_the_look_behind_a_deletion_does_not_say_that_nothing_was_done(
    refusal: str, behind: str
) -> None:
    async with linked() as link:
        await link.seed(business_partners=[PERSON])
        made = await link.write("contact_person.create", CONTACT)
        link.served.world.faults.replace([{"kind": refusal, "match": {"method": "GET", "path": behind}}])
        with pytest.raises(HubError) as unseen:
            await link.write("contact_person.delete", made)
        assert unseen.value.begun
        assert not contacts(link, BusinessPartnerCompany="10100001")
        link.served.world.faults.replace([])
        assert await link.find("contact_person.delete", made) == {"id": "200"}


async def test_a_deletion_that_was_refused_has_done_nothing() -> None:
    async with linked() as link:
        await link.seed(business_partners=[PERSON])
        made = await link.write("contact_person.create", CONTACT)
        link.served.world.faults.replace([{"kind": "429", "match": {"method": "DELETE"}}])
        with pytest.raises(LimitReached) as refused:
            await link.write("contact_person.delete", made)
        assert not refused.value.begun
        assert len(contacts(link, BusinessPartnerCompany="10100001")) == 1


async def test_what_sap_refuses_is_no_contact() -> None:
    async with linked() as link:
        await link.seed(business_partners=[PERSON])
        with pytest.raises(FixData) as refused:
            await link.write("contact_person.create", {**CONTACT, "BusinessPartnerPerson": "10100002"})
        assert refused.value.code == "sap-r11-403"
        with pytest.raises(FixData) as given:
            await link.write("contact_person.create", {**CONTACT, "RelationshipNumber": "7"})
        assert given.value.code == "number-given"
