"""Gathering the evidence when everything is at rest, and what must hold of the demo as a whole."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from hub.proof import (
    contract_checks,
    contract_invoices,
    credit_books,
    crm_books,
    crm_checks,
    customers,
    faults,
    money_path,
    payouts,
    records,
    sap_books,
    sap_contracts,
    vendor_books,
    wishes,
)
from hub.proof.conductor import Course
from hub.proof.contract_checks import Due as ContractDue
from hub.proof.contract_checks import Stands
from hub.proof.credit_books import NoteDue
from hub.proof.crm import COMPANY_CODES, CRM, PRICES, SAP, TOLD, Contract, home
from hub.proof.evidence import Evidence
from hub.proof.faults import Profile
from hub.proof.http_json import NoAnswer
from hub.proof.invariants import Finding, Invariant
from hub.proof.lines import items_made
from hub.proof.markets import MARKETS, Market
from hub.proof.records import Names
from hub.proof.scenario import Customer, Invoice, Notice
from hub.proof.stage import Stage
from hub.proof.state_checks import OPEN
from hub.proof.vendor_documents import Books, Due
from hub.proof.vendor_families import Families

#: Answers of the API in which no secret may stand.
_ANSWERS = (
    "/api/summary",
    "/api/runs?limit=200",
    "/api/cases?limit=200",
    "/api/events?limit=200",
    "/api/connections",
    "/api/secrets",
    "/api/audit?limit=200",
)
#: S/4HANA's field for what a partner is called elsewhere.
_ELSEWHERE = "BusinessPartnerIDByExtSystem"
#: Shorter pieces of a secret could stand somewhere by chance.
_SHORTEST_SECRET = 12


def gather(stage: Stage, course: Course) -> tuple[Books, Evidence]:
    """Read all books, all request logs, and the hub's database; gives the vendors' books, and all of it as evidence."""
    read = {vendor: sandbox.books() for vendor, sandbox in stage.sandboxes.items()}
    books = Books(
        stripe=vendor_books.stripe_invoices(read["stripe"], items_made(read["netsuite"])),
        sent=vendor_books.sent(read["stripe"]),
        subjects=vendor_books.subjects(read["stripe"], (*wishes.EVENTS, *TOLD, customers.MADE, *customers.EVENTS)),
        erp_invoices=vendor_books.erp_invoices(read["netsuite"]),
        erp_payments=vendor_books.erp_payments(read["netsuite"]),
        notices=vendor_books.notices(read["netsuite"]),
        tax_documents=vendor_books.tax_documents(read["tax"]),
        requests=[
            request
            for vendor, sandbox in stage.sandboxes.items()
            for request in vendor_books.requests(vendor, sandbox.requests())
        ],
        due={
            course.stripe_ids[invoice.key]: _due(invoice, _under(stage, course, read, invoice.customer))
            for invoice in stage.scenario.invoices
            if invoice.key in course.stripe_ids
        }
        | invoices_due(() if stage.scenario.crm is None else stage.scenario.crm.contracts, course, read),
        credits=credit_books.read(
            read["stripe"], read["netsuite"], read["tax"], _notes_due(stage, course, read["stripe"])
        ),
    )
    with records.reading(stage.hub.data, stage.hub.database) as connection:
        effects = records.effect_keys(connection)
        books = replace(
            books,
            payouts=payouts.read(read["stripe"], read["netsuite"], effects),
            customers=_customers(stage, course, read, records.customer_ties(connection)),
        )
        if CRM in read:
            sap = sap_books.read(read[SAP], read["stripe"], books.payouts, sap_books.marks(effects))
            own = frozenset(market.currency for market in MARKETS) - sap.currencies
            books = replace(
                books,
                payouts=payouts.of_currencies(books.payouts, own),
                crm=crm_books.read(read["stripe"], read[CRM]),
                sap=sap,
            )
        families = Families(books, effects)
        names = Names(event=families.of_event, business=families.of_business_key, made=money_path.made)
        hub = records.read(connection, names)
    return books, money_path.evidence(books, hub, families)


def invoices_due(contracts: Sequence[Contract], course: Course, read: Mapping[str, Any]) -> dict[str, Due]:
    """Give under whom the invoices of contracts must stand, by Stripe's ids: nothing of them becomes an exception."""
    billed = contract_invoices.of_contracts(read["stripe"]) if contracts else {}
    return {
        invoice["id"]: Due(customers=frozenset(under))
        for one in contracts
        for under in (_in_books(read, course.stripe_ids.get(one.account.key), one.account.market),)
        for invoice in billed.get(course.crm_ids.get(one.key, ""), ())
    }


def _customers(
    stage: Stage, course: Course, read: Mapping[str, Any], ties: Mapping[str, str]
) -> customers.CustomerBooks:
    ids, crm = course.stripe_ids, stage.scenario.crm
    if crm is not None:
        # Each account's customer is one that NetSuite must have as Stripe says, unless its books are elsewhere.
        sold = {course.crm_ids[one.key] for one in crm.accounts if home(one.market) == "netsuite"}
        own = {one["id"]: None for one in read["stripe"]["customers"] if one["metadata"].get("crm_account") in sold}
        return customers.read(read["stripe"], read["netsuite"], followed=own, others=frozenset(), ties=ties)
    return customers.read(
        read["stripe"],
        read["netsuite"],
        followed={
            ids[one.key]: stage.erp_customers[one.erp_name] if one.known else None
            for one in stage.scenario.followed
            if one.key in ids
        },
        others=frozenset(name for one in stage.scenario.customers for name in stage.erp_ids(one)),
        ties=ties,
    )


def _under(stage: Stage, course: Course, read: Mapping[str, Any], customer: Customer) -> Collection[str]:
    """Give the ERP's ids of the records that a customer's invoices may stand under."""
    if stage.scenario.crm is None:
        return stage.erp_ids(customer)
    return _in_books(read, course.stripe_ids.get(customer.key), customer.market)


def _in_books(read: Mapping[str, Any], name: str | None, market: Market) -> Collection[str]:
    """Give the ids of one of Stripe's customers in the ERP that has the books of whoever sells in a market."""
    if home(market) == SAP:
        return [
            one["BusinessPartner"] for one in read[SAP]["tables"]["A_BusinessPartner"] if one.get(_ELSEWHERE) == name
        ]
    return [one["id"] for one in read["netsuite"]["customers"] if one["externalId"] == name]


def _due(invoice: Invoice, under: Collection[str]) -> Due:
    return Due(
        customers=frozenset(under),
        exception=None if invoice.flaw is None else invoice.flaw.value,
        notice=invoice.notice is not None,
        notice_unknown=invoice.notice is Notice.UNKNOWN,
    )


def _notes_due(stage: Stage, course: Course, stripe: Mapping[str, Any]) -> dict[str, NoteDue]:
    """Give what must come of the notes of invoices on which one is to become an exception."""
    flaws = {
        course.stripe_ids[invoice.key]: NoteDue(exception=credit.flaw)
        for invoice in stage.scenario.invoices
        for credit in invoice.credits
        if credit.flaw is not None and invoice.key in course.stripe_ids
    }
    return {note["id"]: flaws[note["invoice"]] for note in stripe["credit_notes"] if note["invoice"] in flaws}


def about_the_whole(
    stage: Stage, course: Course, evidence: Evidence, injected: Mapping[str, Mapping[str, int]]
) -> list[Finding]:
    """Check what concerns no single invoice."""
    return [
        *audit_verifies(stage),
        *queue_drained(evidence),
        *every_fault_injected(stage.profile, course, injected),
        *killed_in_flight(course),
        *no_secret_leaks(stage),
        *contracts_billed(stage, course),
        *(stage.company.unheard() if stage.company is not None else ()),
    ]


def contracts_billed(stage: Stage, course: Course) -> Iterator[Finding]:
    """Each contract is one subscription of billing's with one invoice, and one order of its ERP's, as it was agreed."""
    wanted = () if stage.scenario.crm is None else stage.scenario.crm.contracts
    if wanted:
        read = {vendor: stage.sandboxes[vendor].books() for vendor in (CRM, "stripe", "netsuite", SAP)}
        yield from wrong_catalogue(read)
        yield from wrong_contracts(wanted, course, read, on=datetime.now(UTC).date())
        yield from contract_invoices.find(wanted, read["stripe"], crm_ids=course.crm_ids, stripe_ids=course.stripe_ids)


def wrong_catalogue(read: Mapping[str, Any]) -> Iterator[Finding]:
    """Give what the vendors' books have otherwise of the products of contracts, and of their prices, than the CRM."""
    crm, stripe = read[CRM], read["stripe"]
    for erp in _erps(read).values():
        yield from crm_checks.products(crm, stripe, erp, number=len(PRICES), changes=0)
    yield from crm_checks.prices(crm, stripe, made=sum(map(len, PRICES.values())), unpriced=False)


def wrong_contracts(
    contracts: Sequence[Contract], course: Course, read: Mapping[str, Any], *, on: date
) -> Iterator[Finding]:
    """Give what the vendors' books have otherwise of contracts than was agreed by a day."""
    due = {
        course.crm_ids[one.key]: _contract_due(one, course.stripe_ids.get(one.account.key, ""), read)
        for one in contracts
        if one.key in course.crm_ids
    }
    yield from contract_checks.find(read[CRM], read["stripe"], _erps(read), due=due, on=on)


def _erps(read: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {"netsuite": read["netsuite"], SAP: sap_contracts.as_erp(read[SAP], read[CRM])}


def _contract_due(contract: Contract, customer: str, read: Mapping[str, Any]) -> ContractDue:
    account = contract.account
    return ContractDue(
        stands=Stands.BILLED,
        erp=home(account.market),
        customer=customer,
        under=_in_books(read, customer, account.market),
        company=COMPANY_CODES.get(account.entity, account.market.subsidiary),
    )


def audit_verifies(stage: Stage) -> Iterator[Finding]:
    """The hub's audit log holds against its chains and signed heads."""
    try:
        verdict = stage.hub.api.post("/api/audit/verify", timeout=120)
    except NoAnswer as error:
        yield _whole(Invariant.AUDIT_VERIFIES, str(error))
        return
    for fault in verdict["faults"]:
        yield _whole(Invariant.AUDIT_VERIFIES, str(fault))


def queue_drained(evidence: Evidence) -> Iterator[Finding]:
    """Nothing is left to do but what waits for an invoice that became an exception, or for what never comes."""
    stuck = {family for family, expected in evidence.expected.items() if expected.exceptions or expected.waits} | {
        run.family for run in evidence.hub.runs if run.state == "parked"
    }
    for run in evidence.hub.runs:
        waits = run.state == "waiting" and run.wait_kind == "event" and run.family in stuck
        if run.state in {"queued", "running", "waiting", "compensating"} and not waits:
            # A run behind a parked one of its own key is held back, not forgotten.
            if run.state == "queued" and run.family in stuck:
                continue
            yield _whole(
                Invariant.QUEUE_DRAINED, f"run {run.id} of {run.business_key} is {run.state} {run.wait_kind or ''}"
            )
    for effect in evidence.hub.effects:
        if effect.state in OPEN:
            yield _whole(Invariant.QUEUE_DRAINED, f"a write of {effect.business_key} is {effect.state}")


def every_fault_injected(
    profile: Profile, course: Course, injected: Mapping[str, Mapping[str, int]]
) -> Iterator[Finding]:
    """In a storm every kind of fault has really struck."""
    if profile is not Profile.STORM:
        return
    for vendor, counts in injected.items():
        wanted = faults.expected_kinds(profile, vendor, course.gusts)
        for kind in sorted(wanted - {name for name, number in counts.items() if number}):
            yield _whole(Invariant.EVERY_FAULT_INJECTED, f"{vendor} never had a fault of the kind {kind}")


def killed_in_flight(course: Course) -> Iterator[Finding]:
    """Each time the hub was killed, writes were under way."""
    for turn, number in enumerate(course.open_at_kill, start=1):
        if not number:
            yield _whole(Invariant.KILLED_IN_FLIGHT, f"kill {turn} met no write under way")


def no_secret_leaks(stage: Stage) -> Iterator[Finding]:
    """No secret stands in the hub's data, its workspace, its log, or an answer of its API."""
    sought = {needle for secret in stage.secrets for needle in needles(secret)}
    for name, text in _places(stage):
        if any(needle in text for needle in sought):
            yield _whole(Invariant.NO_SECRET_LEAKS, f"{name} has a secret in it")


def needles(secret: str) -> Iterator[bytes]:
    """Give the pieces by which a secret is known: its longer lines, as they are and in base64."""
    for line in secret.splitlines():
        if len(line) >= _SHORTEST_SECRET and not line.startswith("-----"):
            yield line.encode()
            # Base64 writes it in three ways, by what stands before it; its ends depend on its neighbours.
            for before in range(3):
                yield base64.b64encode(b"\0" * before + line.encode())[4:-4]


def _places(stage: Stage) -> Iterator[tuple[str, bytes]]:
    for folder in (stage.hub.data, stage.hub.workspace):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield path.name, path.read_bytes()
    if stage.hub.database is not None:
        yield from ((f"the table {name}", text) for name, text in records.dumped(stage.hub.database))
    for log in (stage.hub.log, *(stage.company.logs if stage.company is not None else ())):
        yield f"the log {log.name}", log.read_bytes()
    for path_and_query in _ANSWERS:
        yield f"the answer of {path_and_query}", stage.hub.api.raw("GET", path_and_query)
    yield from _run_details(stage)


def _run_details(stage: Stage) -> Iterator[tuple[str, bytes]]:
    listed = stage.hub.api.get("/api/runs", limit=20)
    for run in listed.get("runs", [])[:20]:
        path = f"/api/runs/{run['id']}"
        yield f"the answer of {path}", stage.hub.api.raw("GET", path)


def _whole(invariant: Invariant, detail: str) -> Finding:
    return Finding(invariant=invariant, family=None, detail=detail)
