"""Business partners with the customers that stand behind them.

A customer is born under its business partner: by `to_Customer` in the partner's creation, with its company codes and
sales areas, or by the role FLCU00 or FLCU01. What is there is changed by one change set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.s4hana.changes import Whole
from connectors.s4hana.documents import MARK, created, creation
from connectors.s4hana.marks import REFERENCE
from connectors.s4hana.odata.model import entity_set
from connectors.s4hana.reads import find_one, read
from connectors.s4hana.settings import S4HanaSettings
from hub.sdk.connector import Record
from hub.sdk.errors import FixData

PARTNERS = entity_set("API_BUSINESS_PARTNER", "A_BusinessPartner")
SCHEMA = "s4hana.business_partner@1"
#: The field of a partner that bears the hub's mark.
MARKED = "SearchTerm2"


def _untouched(row: Mapping[str, Any]) -> bool:
    """Tell whether the hub has made a partner that nobody has changed since."""
    return not row.get("LastChangeDate") and MARK.fullmatch(str(row.get(MARKED))) is not None


WHOLE = Whole(entity=PARTNERS, id="BusinessPartner", owners=("BusinessPartner", "Customer"), is_the_hubs_own=_untouched)
DEEP = [path for path, _ in PARTNERS.paths()]


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
FIND = find_one(
    name="business_partner.find",
    title="Find a business partner by its number, its external number or its search term, or nothing",
    entity=PARTNERS,
    query="s4hana.business_partner_query@1",
    schema=SCHEMA,
    called={"id": "BusinessPartner", "external_id": "BusinessPartnerIDByExtSystem", "search_term": "SearchTerm1"},
)
