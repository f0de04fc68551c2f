"""What is let happen to the CRM's contacts where S/4HANA has the books: the same as in NetSuite, with other books."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hub.proof.simulation.case import Case
from hub.proof.simulation.contact_cases import BO, CONTACT_CASES
from hub.proof.simulation.sap import VENDOR

#: What NetSuite calls what S/4HANA has too.
_CALLED = {"firstName": "FirstName", "lastName": "LastName", "email": "email", "phone": "phone"}


def _there(fields: Mapping[str, object]) -> dict[str, object]:
    """Give what must be of a contact that NetSuite would have like this.

    Whoever is left keeps their company: books keep whom they have dealt with.
    """
    inactive = fields["isInactive"]
    named = {its: fields[mine] for mine, its in _CALLED.items()}
    blocked = {"BusinessPartnerIsBlocked": inactive, "IsMarkedForArchiving": inactive}
    return {**named, **blocked, "companies": [fields["company"]]}


def _in_s4hana(case: Case) -> Case:
    assert case.crm is not None
    contacts = dict(case.crm.contacts or {})
    if "twin" in contacts:
        # Of one name there may be two.
        contacts["twin"] = {**contacts["bo"], "email": "other@alder.example", "phone": BO["Phone"]}
    there = {name: _there(fields) for name, fields in contacts.items()}
    exceptions = tuple(reason for reason in case.crm.exceptions if reason != "contact-name-taken")
    return replace(
        case,
        story=", ".join([*filter(None, [case.story]), "in S/4HANA"]),
        crm=replace(case.crm, contacts=there, exceptions=exceptions),
        erp=VENDOR,
    )


SAP_CONTACT_CASES: tuple[Case, ...] = tuple(_in_s4hana(case) for case in CONTACT_CASES)
