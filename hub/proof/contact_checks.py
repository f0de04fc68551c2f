"""What the ERPs have of the CRM's contacts in the end, read from the vendors' books."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hub.proof.invariants import Finding, Invariant


def in_netsuite(erp: Mapping[str, Any], wanted: Mapping[str, Mapping[str, object]]) -> Iterator[Finding]:
    """Give what NetSuite has otherwise of contacts than it must: `wanted` are fields by the CRM's id of each.

    One of which nothing is wanted must not be there, and nobody else either. `company` is the company's name.
    """
    companies = {one["id"]: one["companyName"] for one in erp["customers"]}
    for id, fields in wanted.items():
        made = [one for one in erp["contacts"] if one["externalId"] == id]
        if len(made) != bool(fields):
            broken = Invariant.NOTHING_TWICE if made else Invariant.NOTHING_LOST
            yield _broken(broken, f"the ERP has {len(made)} records of contact {id}")
        for one in made[:1]:
            has = {**one, "company": companies.get(one.get("company"))}
            for name, value in fields.items():
                if has.get(name) != value:
                    told = f"the {name} of contact {id} is {has.get(name)!r}, must be {value!r}"
                    yield _broken(Invariant.BOOKS_AGREE, told)
    strays = sorted({str(one["externalId"]) for one in erp["contacts"]} - wanted.keys())
    if strays:
        yield _broken(Invariant.NOTHING_TWICE, f"the ERP has contacts of nobody's: {strays}")


def in_s4hana(erp: Mapping[str, Any], wanted: Mapping[str, Mapping[str, object]]) -> Iterator[Finding]:
    """Give what S/4HANA has otherwise of contacts than it must: `wanted` are fields by the CRM's id of each.

    A contact is a person that bears the id, in capitals. `email` and `phone` are those at the person's address, and
    `companies` the names of those of which they are a contact without an end. One of which nothing is wanted must not
    be there, and nobody else either.
    """
    tables = erp["tables"]
    names = {row["BusinessPartner"]: row["BusinessPartnerFullName"] for row in tables["A_BusinessPartner"]}
    people = [row for row in tables["A_BusinessPartner"] if row["BusinessPartnerCategory"] == "1"]
    for id, fields in wanted.items():
        made = [one for one in people if one.get("BusinessPartnerIDByExtSystem") == id.upper()]
        if len(made) != bool(fields):
            broken = Invariant.NOTHING_TWICE if made else Invariant.NOTHING_LOST
            yield _broken(broken, f"S/4HANA has {len(made)} persons of contact {id}")
        for one in made[:1]:
            has = {**one, **_reached(tables, one["BusinessPartner"])}
            has["companies"] = sorted(names[company] for company in _companies(tables, one["BusinessPartner"]))
            for name, value in fields.items():
                if (has.get(name) or None) != (value or None):
                    told = f"the {name} of contact {id} is {has.get(name)!r} in S/4HANA, must be {value!r}"
                    yield _broken(Invariant.BOOKS_AGREE, told)
    known = {id.upper() for id in wanted}
    strays = sorted({str(one.get("BusinessPartnerIDByExtSystem")) for one in people} - known)
    if strays:
        yield _broken(Invariant.NOTHING_TWICE, f"S/4HANA has persons of nobody's: {strays}")


def _reached(tables: Mapping[str, Any], person: str) -> dict[str, str]:
    """Give where a person is reached; two addresses or numbers of a kind are one too many, and stand together."""
    own = {row["AddressID"] for row in tables["A_BusinessPartnerAddress"] if row["BusinessPartner"] == person}
    kinds = (("email", "A_AddressEmailAddress", "EmailAddress"), ("phone", "A_AddressPhoneNumber", "PhoneNumber"))
    return {
        name: ", ".join(str(row.get(column) or "") for row in tables[table] if row["AddressID"] in own)
        for name, table, column in kinds
    }


def _companies(tables: Mapping[str, Any], person: str) -> Iterator[str]:
    for row in tables["A_BusinessPartnerContact"]:
        if row["BusinessPartnerPerson"] == person and row["ValidityEndDate"] == "9999-12-31":
            yield row["BusinessPartnerCompany"]


def _broken(invariant: Invariant, detail: str) -> Finding:
    return Finding(invariant=invariant, family=None, detail=detail)
