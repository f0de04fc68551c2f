"""S/4HANA in a case: the tenant that has the books of the entity that sells, and what must stand in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hub.proof import payouts, sap_books
from hub.proof.customer_checks import changed_in_billing
from hub.proof.invariants import Finding, Invariant
from hub.proof.markets import MARKETS
from hub.proof.sap_documents import company_of
from hub.proof.scenario import Customer, Scenario
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
    found = {customer.key: str(10_100_001 + place) for place, customer in enumerate(scenario.customers)}
    partners = [_entered(customer, found[customer.key]) for customer in scenario.customers]
    await tenant.seed({"business_partners": partners})
    return found


def _entered(customer: Customer, number: str) -> dict[str, Any]:
    """Give a partner as people have entered it: as billing knows it, to be paid at once, of which nobody is told."""
    company = company_of(customer.market.currency)
    address = {
        "Country": customer.market.country,
        "CityName": customer.market.city,
        "PostalCode": customer.market.postal_code,
        "StreetName": f"{customer.number + 1} Main Street",
        "to_EmailAddress": [{"EmailAddress": f"billing{customer.number + 1}@customer.example"}],
    }
    area = {"SalesOrganization": company, "DistributionChannel": "10", "Division": "00"}
    return {
        "BusinessPartner": number,
        "BusinessPartnerCategory": "2",
        "BusinessPartnerGrouping": "BPEX",
        "OrganizationBPName1": customer.name,
        "to_BusinessPartnerAddress": [address],
        "to_Customer": {
            "to_CustomerCompany": [
                {"CompanyCode": company, "ReconciliationAccount": "12100000", "PaymentTerms": "0001"}
            ],
            "to_CustomerSalesArea": [{**area, "Currency": customer.market.currency}],
        },
    }


def judged(books: Books, read: Mapping[str, Mapping[str, Any]], effects: Mapping[str, str]) -> Books:
    """Give the books with the tenant's beside NetSuite's, each with the payouts of its own entities."""
    sap = sap_books.read(read[VENDOR], read["stripe"], books.payouts, sap_books.marks(effects))
    own = frozenset(market.currency for market in MARKETS) - sap.currencies
    # Its customers are looked at by themselves, by what the case says of them.
    return replace(
        books, payouts=payouts.of_currencies(books.payouts, own), sap=replace(sap, partners=(), customers=())
    )


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
    yield from changed_in_billing(wanted, stripe, record or {"id": billing, "deleted": True})
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
