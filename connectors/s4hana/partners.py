"""Business partners with the customers that stand behind them.

A customer is born under its business partner: by `to_Customer` in the partner's creation, with its company codes and
sales areas, or by the role FLCU00 or FLCU01. What is there is changed by one change set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.s4hana.changes import Whole
from connectors.s4hana.client import read_all
from connectors.s4hana.documents import MARK, created, creation
from connectors.s4hana.marks import REFERENCE, number
from connectors.s4hana.odata import answers
from connectors.s4hana.odata.literals import all_of, condition
from connectors.s4hana.odata.model import entity_set
from connectors.s4hana.odata.values import read_entity
from connectors.s4hana.reads import is_of, read
from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.connector import ReadOperation, Record
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.session import Session
from hub.sdk.values import Response

PARTNERS = entity_set("API_BUSINESS_PARTNER", "A_BusinessPartner")
SCHEMA = "s4hana.business_partner@1"
#: The field of a partner that bears the hub's mark.
MARKED = "SearchTerm2"


def _untouched(row: Mapping[str, Any]) -> bool:
    """Tell whether the hub has made a partner that nobody has changed since."""
    return not row.get("LastChangeDate") and MARK.fullmatch(str(row.get(MARKED))) is not None


WHOLE = Whole(entity=PARTNERS, id="BusinessPartner", owners=("BusinessPartner", "Customer"), is_the_hubs_own=_untouched)
DEEP = [path for path, _ in PARTNERS.paths()]
_CALLED = {"id": "BusinessPartner", "external_id": "BusinessPartnerIDByExtSystem", "search_term": "SearchTerm1"}


def check(record: Record) -> None:
    """Refuse a creation whose parts SAP would make nothing of, or something else than is meant."""
    if record.get("BusinessPartnerCategory") not in ("1", "2", "3"):
        raise FixData(
            "`BusinessPartnerCategory` says whether it is a person (1), an organisation (2) or a group (3).",
            code="no-category",
        )
    customer = record.get("to_Customer")
    roles = [str(row.get("BusinessPartnerRole")) for row in record.get("to_BusinessPartnerRole") or ()]
    if isinstance(customer, Mapping):
        needed = {"to_CustomerCompany": "FLCU00", "to_CustomerSalesArea": "FLCU01"}
        missing = [role for name, role in needed.items() if customer.get(name) and role not in roles]
        if missing:
            raise FixData(
                "A customer needs its roles in `to_BusinessPartnerRole`: FLCU00 for company codes, FLCU01 for sales "
                "areas.",
                code="no-role",
                missing=", ".join(missing),
            )


def made(row: Mapping[str, Any]) -> Record:
    """Give the number of what was made; a customer has its partner's number or its own."""
    return {"id": str(row["BusinessPartner"]), "customer": str(row.get("Customer") or "")}


def _form(settings: S4HanaSettings, record: Record) -> Record:
    return record


async def find(session: Session, wanted: Record) -> Record:
    """Find a partner by any of its names, or nothing; `FixData` where several have the same."""
    conditions = [
        condition(PARTNERS, property, "eq", wanted[field]) for field, property in _CALLED.items() if field in wanted
    ]
    rows = await read_all(session, PARTNERS, filter=all_of(conditions), deep=DEEP, order="BusinessPartner", every=True)
    for row in rows:
        _assert_meant(wanted, row)
    if len(rows) > 1:
        raise FixData(
            "Several business partners have this name.",
            code="found-twice",
            ids=", ".join(row["BusinessPartner"] for row in rows),
        )
    return {"business_partner": rows[0] if rows else None}


def _assert_meant(wanted: Record, row: Record) -> None:
    if not is_of(_CALLED)(wanted, row):
        raise FixData("Another business partner came than the one asked for.", code="foreign-answer")


def _is_meant(wanted: Record, came: Record) -> bool:
    found = came["business_partner"]
    return found is None or number(wanted.get("id", found["BusinessPartner"])) == number(found["BusinessPartner"])


def claim(response: Response) -> tuple[str, Record]:
    """Say of what shape what was found is, so that it is compared as one that is read by itself.

    Raises `OutcomeUnknown` for what is no page of partners, or an empty one.
    """
    rows = answers.raw_rows(PARTNERS, response)
    if not rows:
        raise OutcomeUnknown("Nobody was found.", code="unreadable-answer", set=PARTNERS.name)
    return SCHEMA, read_entity(PARTNERS, rows[0])


CREATE = creation(
    name="business_partner.create",
    title="Create a business partner with addresses, roles, and its customer in company codes and sales areas",
    entity=PARTNERS,
    schema={"$ref": SCHEMA},
    output=created(customer={"type": "string", "description": "number of its customer; empty where it has none"}),
    gives=made,
    field=lambda settings: MARKED,
    fields=(MARKED,),
    lengths={MARKED: REFERENCE},
    shows=("Customer",),
    check=check,
)
UPDATE = WHOLE.operation(
    name="business_partner.update",
    title="Change the fields of a business partner that are given, and add or change what belongs to it",
    schema={"$ref": SCHEMA},
    form=_form,
)
READ = read(
    name="business_partner.read",
    title="Read a business partner with addresses, roles, tax numbers, company codes and sales areas",
    entity=PARTNERS,
    schema=SCHEMA,
    key={"id": "BusinessPartner"},
    said={"id": "number of the business partner"},
)
FIND = ReadOperation(
    name="business_partner.find",
    title="Find a business partner by its number, its external number or its search term, or nothing",
    input={"$ref": "s4hana.business_partner_query@1"},
    output={
        "type": "object",
        "properties": {"business_partner": {"anyOf": [{"type": "object"}, {"type": "null"}]}},
        "required": ["business_partner"],
        "additionalProperties": False,
    },
    read=find,
    about=_is_meant,
    claim=claim,
)
