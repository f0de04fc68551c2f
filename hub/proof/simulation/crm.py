"""The CRM of a case: what is there before anything happens, and what its records are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from hub.proof import contact_checks, contract_checks, crm_checks, group_checks, sap_contracts
from hub.proof.evidence import NOBODY, Evidence, Expected
from hub.proof.invariants import Finding
from hub.proof.simulation.case import Crm
from hub.proof.simulation.memory import MemoryDatabase
from hub.proof.simulation.sandboxed import Sandboxed

VENDOR = "salesforce"
#: The file that says which connection has an entity's books, with those of all of them in NetSuite.
IN_ONE_ERP = ("mappings/tables/entity_books.csv", b"SG01,s4hana", b"SG01,netsuite")


def expecting(wanted: Crm, evidence: Evidence) -> Evidence:
    """Expect the exceptions that a case with a CRM must have, beside those about its invoices that others give."""
    told = {
        family: replace(each, exceptions=[*each.exceptions, *wanted.untold])
        for family, each in evidence.expected.items()
    }
    return replace(evidence, expected={**told, NOBODY: Expected(exceptions=wanted.exceptions)})


def heard_of(wanted: Crm | None, books: dict[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Give the vendors' books as a case hears of them: of a contract's invoices no flow is told."""
    if wanted is None or not wanted.contracts:
        return books
    return {**books, "stripe": {**books["stripe"], "invoices": []}}


class CrmSide:
    """One org and the names of the records that the case has made in it."""

    def __init__(self, sandbox: Sandboxed) -> None:
        """Take the org's sandbox."""
        self._sandbox = sandbox
        self.names: dict[str, str] = {}

    async def seed(self, wish: Mapping[str, Any]) -> None:
        """Let people at the org do something; records may be named by `ref`."""
        self.names.update((await self._sandbox.seed(wish)).get("refs", {}))

    async def set_up(self, wanted: Crm, database: MemoryDatabase, environment: str) -> None:
        """Make the records that are there before anything happens, and tie those that are customers by then.

        The standard price book is called `price_book`.
        """
        books = self._sandbox.books()["records"]["Pricebook2"]
        self.names["price_book"] = next(book["Id"] for book in books if book.get("IsStandard"))
        await self.seed({"records": [dict(record) for record in wanted.records]})
        for rank, name in enumerate(wanted.tied):
            # The first is the primary id, others are further names of the same customer.
            database.file.execute(
                "INSERT INTO crossrefs VALUES (?, 'customer', ?, ?, 'thing0', 0, NULL, NULL, ?)",
                (environment, VENDOR, self.names[name], rank),
            )

    def row(self, name: str, billing: str) -> dict[str, str]:
        """Give the tie of a record to what it is in billing."""
        return {VENDOR: self.names[name], "stripe": billing}

    def named(self, text: str) -> str:
        """Put ids in the places of names."""
        for name, id in self.names.items():
            text = text.replace(f"{{{name}}}", id)
        return text

    def findings(
        self,
        wanted: Crm,
        books: Mapping[str, Mapping[str, Any]],
        database: MemoryDatabase,
        *,
        customer: str,
        on: date,
    ) -> Iterator[Finding]:
        """Give what is not as it must be by all vendors' books; `customer` is the scenario's first, in billing."""
        tied = _ties(database, VENDOR, "stripe")
        crm, stripe = books[VENDOR], books["stripe"]
        # Of a product each ERP has an item, of a contract the one of the entity that sells an order.
        erps: dict[str, Mapping[str, Any]] = {"netsuite": books["netsuite"]}
        if "s4hana" in books:
            erps["s4hana"] = sap_contracts.as_erp(books["s4hana"], crm)
        yield from crm_checks.accounts(crm, stripe, tied, customers=wanted.customers, changes=wanted.changes)
        yield from crm_checks.customer(stripe, customer, wanted.billing)
        records = _ties(database, "stripe", "netsuite")
        yield from group_checks.find(crm, stripe, books["netsuite"], billing=tied, records=records)
        for erp in erps.values():
            yield from crm_checks.products(crm, stripe, erp, number=wanted.products, changes=wanted.product_changes)
        yield from crm_checks.prices(crm, stripe, made=wanted.prices, unpriced=wanted.unpriced)
        due = {
            self.names[name]: contract_checks.Due(stands=state, erp=list(erps)[-1])
            for name, state in wanted.contracts.items()
        }
        yield from contract_checks.find(crm, stripe, erps, due=due, on=on)
        if wanted.contacts is not None:
            people = {self.names.get(name, name): fields for name, fields in wanted.contacts.items()}
            if "s4hana" in books:
                yield from contact_checks.in_s4hana(books["s4hana"], people)
            yield from contact_checks.in_netsuite(books["netsuite"], {} if "s4hana" in books else people)
        if wanted.invoiced:
            yield from crm_checks.invoices(crm, stripe, tied)


def _ties(database: MemoryDatabase, here: str, there: str) -> dict[str, str]:
    """Give each id of a customer that a system has → the id that another one is given."""
    found = database.file.execute(
        "SELECT here.id, there.id FROM crossrefs AS here JOIN crossrefs AS there USING (environment, entity, thing)"
        " WHERE here.entity = 'customer' AND here.system = ? AND there.system = ? AND there.rank = 0",
        (here, there),
    )
    return dict(found.fetchall())
