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


def _broken(invariant: Invariant, detail: str) -> Finding:
    return Finding(invariant=invariant, family=None, detail=detail)
