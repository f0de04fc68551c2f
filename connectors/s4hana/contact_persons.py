"""Contact persons: that somebody who is a business partner is a contact of an organisation.

Such a relationship has no field for the hub's mark. S/4HANA takes one of two partners only once for a time, so that it
is looked for by the two. It ends by being deleted: its last day is a part of its key, which nothing changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from connectors.s4hana.changes import FOR_EVER, TRACE
from connectors.s4hana.client import read_all
from connectors.s4hana.failures import NOT_FOUND
from connectors.s4hana.marks import number
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.literals import all_of, condition
from connectors.s4hana.odata.model import entity_set
from connectors.s4hana.odata.values import read_entity, shown_entity, wire_entity
from connectors.s4hana.partners import PARTNERS
from connectors.s4hana.reads import input_of, there, unread
from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.calls import Calls, Course, half_way
from hub.sdk.connector import Operation, ReadOperation, Record, WriteOperation
from hub.sdk.errors import FixData, HubError, NoSuchRecord, OutcomeUnknown
from hub.sdk.exact_json import loads
from hub.sdk.session import Session
from hub.sdk.values import EffectKey, Idempotency, Request, Response

SCHEMA = "s4hana.contact_person@1"
LISTED = "s4hana.contact_persons@1"
CONTACTS = entity_set("API_BUSINESS_PARTNER", "A_BusinessPartnerContact")
#: The category of the relationship between an organisation and its contact person.
CATEGORY = "BUR001"
#: The last day of what has no end.
FOREVER = "9999-12-31"
_KEY_PART = re.compile(r"(\w+)=(?:datetime)?'([^']*)'")
_MADE = {
    "relationship": "number of the relationship",
    "company": "number of the organisation",
    "id": "number of the person",
    "until": "its last day",
}


def _of(settings: S4HanaSettings, **partners: object) -> Request:
    """Form the read of the contacts that these partners are to each other, whenever they hold."""
    return requests.many(settings.base_url, CONTACTS, filter=_wanted(partners), order=",".join(CONTACTS.keys))


def _wanted(partners: Mapping[str, object]) -> str:
    conditions = [condition(CONTACTS, name, "eq", value) for name, value in partners.items()]
    return all_of([*conditions, condition(CONTACTS, "RelationshipCategory", "eq", CATEGORY)])


def _is_between(row: Mapping[str, Any], partners: Mapping[str, Any]) -> bool:
    return all(number(row.get(name)) == number(partners[name]) for name in CONTACTS.keys[1:3])


# --- making one ---


def _creation(settings: S4HanaSettings, record: Record, key: EffectKey) -> Request:
    if record.get("RelationshipNumber"):
        raise FixData("S/4HANA gives the number itself.", code="number-given", property="RelationshipNumber")
    whole = {"ValidityEndDate": FOREVER, "RelationshipCategory": CATEGORY, **record}
    formed = requests.creating(settings.base_url, CONTACTS, wire_entity(CONTACTS, whole))
    return replace(formed, headers={**formed.headers, TRACE: key})


def _created(settings: S4HanaSettings, formed: Request) -> Calls:
    """Make it where it is not there yet; one that holds up to the same day is the one that is wanted."""
    standing = yield from _standing(settings, formed)
    if standing is not None:
        return standing
    try:
        return (yield formed)
    except FixData as refusal:
        if refusal.code == NOT_FOUND:
            raise
        standing = yield from _standing(settings, formed)
        if standing is None:
            raise
        return standing


def _standing(settings: S4HanaSettings, formed: Request) -> Course[Response | None]:
    written = read_entity(CONTACTS, loads(formed.body))
    partners = {name: written[name] for name in CONTACTS.keys[1:3]}
    found = [read_entity(CONTACTS, row) for row in answers.whole(CONTACTS, (yield _of(settings, **partners)))]
    if not all(_is_between(row, partners) for row in found):
        raise OutcomeUnknown("Another contact came than was asked for.", code="foreign-answer")
    held = [row for row in found if row["ValidityEndDate"] == written["ValidityEndDate"]]
    if len(held) > 1:
        numbers = ", ".join(str(row["RelationshipNumber"]) for row in held)
        raise FixData("S/4HANA has several contacts of one person there.", code="found-twice", ids=numbers)
    return (yield from there(settings.base_url, CONTACTS, held[0])) if held else None


def _found(settings: S4HanaSettings, formed: Request, key: EffectKey) -> Course[Record | None]:
    standing = yield from _standing(settings, formed)
    return None if standing is None else _made(standing)


def _made(response: Response) -> Record:
    row = answers.one(CONTACTS, response)
    told = (str(row[name]) for name in CONTACTS.keys)
    return dict(zip(_MADE, told, strict=True))


def _is_of_both(formed: Request, output: Record) -> bool:
    written = read_entity(CONTACTS, loads(formed.body))
    return output["until"] == written["ValidityEndDate"] and _is_between(
        {"BusinessPartnerCompany": output["company"], "BusinessPartnerPerson": output["id"]}, written
    )


CREATE = WriteOperation(
    name="contact_person.create",
    title="Let a person be a contact of a company",
    input={"$ref": SCHEMA},
    output=input_of(_MADE),
    idempotency=Idempotency.NATIVE,
    request=_creation,
    result=_made,
    about=_is_of_both,
    calls=_created,
    find=_found,
    remembers=FOR_EVER,
)


# --- ending one ---


def _deletion(settings: S4HanaSettings, record: Record, key: EffectKey) -> Request:
    path = requests.entity_path(CONTACTS, dict(zip(CONTACTS.keys, (record[name] for name in _MADE), strict=True)))
    url = f"{settings.base_url}{CONTACTS.root}/{path}"
    return Request(method="DELETE", url=url, headers={"accept": "application/json", TRACE: key})


def _deleted(settings: S4HanaSettings, formed: Request) -> Calls:
    """Delete it where it is there still, and see that it is gone; that it was gone before is as good."""
    try:
        yield formed
    except NoSuchRecord:
        return (yield from _seen_gone(settings, formed))
    try:
        return (yield from _seen_gone(settings, formed))
    except HubError as error:
        raise half_way(error) from error


def _seen_gone(settings: S4HanaSettings, formed: Request) -> Calls:
    if not (yield from _is_gone(settings, formed)):
        raise OutcomeUnknown("The contact is still there.", code="unreadable-answer")
    return (yield _person(settings, formed))


def _gone(settings: S4HanaSettings, formed: Request, key: EffectKey) -> Course[Record | None]:
    if not (yield from _is_gone(settings, formed)):
        return None
    return _of_whom((yield _person(settings, formed)))


def _is_gone(settings: S4HanaSettings, formed: Request) -> Course[bool]:
    key = _named(formed)
    seen = yield _of(settings, BusinessPartnerPerson=key["BusinessPartnerPerson"])
    rows = [read_entity(CONTACTS, row) for row in answers.whole(CONTACTS, seen)]
    if any(number(row["BusinessPartnerPerson"]) != number(key["BusinessPartnerPerson"]) for row in rows):
        raise OutcomeUnknown("Another contact came than was asked for.", code="foreign-answer")
    # One number may stand for several times.
    return not any(
        number(row["RelationshipNumber"]) == number(key["RelationshipNumber"])
        and row["ValidityEndDate"] == key["ValidityEndDate"].partition("T")[0]
        for row in rows
    )


def _person(settings: S4HanaSettings, formed: Request) -> Request:
    """Form the read of the person, which an answer without any contact does not name."""
    key = {"BusinessPartner": _named(formed)["BusinessPartnerPerson"]}
    return requests.one(settings.base_url, PARTNERS, key, deep=())


def _of_whom(response: Response) -> Record:
    return {"id": str(answers.raw_entity(PARTNERS, response)["BusinessPartner"])}


def _is_the_person(formed: Request, output: Record) -> bool:
    return number(output["id"]) == number(_named(formed)["BusinessPartnerPerson"])


def _named(formed: Request) -> dict[str, str]:
    return dict(_KEY_PART.findall(unquote(formed.url)))


DELETE = WriteOperation(
    name="contact_person.delete",
    title="Let a person be a contact of a company no longer",
    input={"$ref": "s4hana.contact_person_key@1"},
    output=input_of({"id": _MADE["id"]}),
    idempotency=Idempotency.NATIVE,
    request=_deletion,
    result=_of_whom,
    about=_is_the_person,
    calls=_deleted,
    find=_gone,
    erases=True,
    remembers=FOR_EVER,
)


# --- reading them ---


async def _list(session: Session, wanted: Record) -> Record:
    rows = await read_all(
        session,
        CONTACTS,
        filter=_wanted({"BusinessPartnerPerson": wanted["id"]}),
        order=",".join(CONTACTS.keys),
    )
    return {"contacts": rows}


def _is_the_persons(wanted: Record, came: Record) -> bool:
    return all(number(row.get("BusinessPartnerPerson")) == number(wanted["id"]) for row in came["contacts"])


LIST = ReadOperation(
    name="contact_person.list",
    title="Read of which companies a person is a contact",
    input=input_of({"id": "number of the person"}),
    output={"$ref": LISTED},
    read=_list,
    about=_is_the_persons,
    claim=unread(
        CONTACTS,
        LISTED,
        reads=lambda response: [read_entity(CONTACTS, row) for row in answers.raw_rows(CONTACTS, response)],
        shows=lambda response: {
            "contacts": [shown_entity(CONTACTS, row) for row in answers.claimed_rows(CONTACTS, response)]
        },
    ),
)
OPERATIONS: tuple[Operation, ...] = (CREATE, DELETE, LIST)
