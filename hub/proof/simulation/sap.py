"""S/4HANA in a case: the tenant that has the books of the entity that sells, and what must stand in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hub.proof import payouts, sap_books
from hub.proof.invariants import Finding, Invariant
from hub.proof.markets import MARKETS
from hub.proof.sap_documents import company_of
from hub.proof.scenario import Scenario
from hub.proof.simulation.case import Customers
from hub.proof.simulation.sandboxed import Sandboxed
from hub.proof.vendor_documents import Books

VENDOR = "s4hana"
#: The file that says which connection has an entity's books, and whose row is another here.
MOVED = ("mappings/tables/entity_books.csv", b"DE01,netsuite", b"DE01,s4hana")
#: By which names of the tenant's billing's own are compared.
_HEAD = {"name": "OrganizationBPName1"}
_ADDRESS = {
    "line1": "StreetName",
    "line2": "CareOfName",
    "city": "CityName",
    "postal_code": "PostalCode",
    "country": "Country",
}


async def set_up(tenant: Sandboxed, scenario: Scenario) -> dict[str, str]:
    """Make the customers that people have entered in the tenant; gives each one's number by its key."""
    await tenant.seed(sap_books.wish())
    found = {}
    for place, customer in enumerate(scenario.customers):
        number = str(10_100_001 + place)
        wish = {
            "name": customer.name,
            "number": number,
            "company_codes": [company_of(customer.market.currency)],
            "country": customer.market.country,
            "city": "Town",
            "currency": customer.market.currency,
        }
        await tenant.seed({"customers": [wish]})
        found[customer.key] = number
    return found


def judged(books: Books, read: Mapping[str, Mapping[str, Any]], effects: Mapping[str, str]) -> Books:
    """Give the books with the tenant's beside NetSuite's, each with the payouts of its own entities."""
    sap = sap_books.read(read[VENDOR], read["stripe"], books.payouts, sap_books.marks(effects))
    own = frozenset(market.currency for market in MARKETS) - sap.currencies
    # Its customers are looked at by themselves, by what the case says of them.
    return replace(books, payouts=payouts.of_currencies(books.payouts, own), sap=replace(sap, partners=()))


def customer(
    wanted: Customers, stripe: Mapping[str, Any], sap: Mapping[str, Any], *, billing: str, erp: str | None
) -> Iterator[Finding]:
    """Give what is not as it must be of the case's customer; `erp` is its number where people had made it."""
    tables = sap["tables"]
    partners = [
        row
        for row in tables["A_BusinessPartner"]
        if (row["BusinessPartner"] == erp if erp else row.get("BusinessPartnerIDByExtSystem") == billing)
    ]
    if len(partners) != 1:
        yield _broken(Invariant.NOTHING_TWICE, f"S/4HANA has {len(partners)} partners of {billing}, must have one")
        return
    (partner,) = partners
    for name, value in wanted.erp.items():
        if partner.get(name) != value:
            yield _broken(Invariant.BOOKS_AGREE, f"S/4HANA has {name} {partner.get(name)!r}, must be {value!r}")
    companies = [row["CompanyCode"] for row in tables["A_CustomerCompany"] if row["Customer"] == partner["Customer"]]
    if companies != ["1010"]:
        yield _broken(Invariant.BOOKS_AGREE, f"{billing} may be invoiced in {companies}, must be in 1010 alone")
    record = next((one for one in stripe["customers"] if one["id"] == billing), None)
    if record is None or not record.get("address"):
        return
    addresses = [
        row for row in tables["A_BusinessPartnerAddress"] if row["BusinessPartner"] == partner["BusinessPartner"]
    ]
    there = addresses[0] if len(addresses) == 1 else {}
    pairs = [(mine, record.get(mine), partner.get(its)) for mine, its in _HEAD.items()]
    pairs += [(mine, record["address"].get(mine), there.get(its)) for mine, its in _ADDRESS.items()]
    for name, mine, its in pairs:
        if (mine or None) != (its or None):
            yield _broken(Invariant.BOOKS_AGREE, f"the {name} of {billing} is {mine!r}, and {its!r} in S/4HANA")


def _broken(invariant: Invariant, detail: str) -> Finding:
    return Finding(invariant=invariant, family=None, detail=detail)
