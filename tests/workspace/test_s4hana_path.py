"""The shipped flows with two ERPs: each invoice is in the books of its legal entity and in no others, and whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import hub
from connectors.s4hana.journal import SETTLE
from hub.connections.registry import load_connectors
from hub.engine.verdicts import Circumstances, Park, decide
from hub.errors import FixData, RetryLater
from hub.model.money import exponent
from hub.policy.retry import delay
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.loader import read_files
from tests.workspace.test_money_path import CUSTOMERS, every_kind, open_books, wish
from tests.workspace.test_payout_path import paid, pay_out, stripe
from tests.workspace.walk import Walk, walking

#: Who has moved: customer → company code; their entities are DE01, JP01 and KW01.
MOVED = {"de": "1010", "jp": "1510", "kw": "1910"}
BANK, CLEARING, FEES, INCOMING = "11001000", "11002080", "65100000", "11001060"
BOOKS = "mappings/tables/entity_books.csv"


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """Compile the shipped workspace in which three entities have moved, each by its one row."""
    root = Path(hub.__file__).resolve().parent.parent
    files = dict(read_files(root))
    for entity in ("DE01", "JP01", "KW01"):
        files[BOOKS] = files[BOOKS].replace(f"{entity},netsuite".encode(), f"{entity},s4hana".encode())
    compiled, lints = compile_bundle(files, catalogue_of([*load_connectors().values()]))
    assert compiled is not None, [str(lint) for lint in lints]
    return compiled


@pytest.fixture
async def walk(bundle: Bundle) -> AsyncIterator[Walk]:
    async with walking(bundle, "s4hana") as walk:
        await stripe(
            walk, switches={"rate": None, "settles": [currency for _, _, currency, _, _ in CUSTOMERS.values()]}
        )
        tenant = walk.sandboxes["s4hana"].world.books
        await tenant.seed(
            {"companies": [{"code": "1910", "name": "Kuwait", "city": "Kuwait", "country": "KW", "currency": "KWD"}]}
        )
        yield walk


async def opened(walk: Walk, *invoices: dict[str, Any]) -> list[str]:
    """Fill the sandboxes, and let customers of those who have moved be made by their flow; gives the invoices' ids."""
    ids = await open_books(walk, wish(list(invoices)))
    for customer in (await stripe(walk))["customers"]:
        if customer["name"].partition(" ")[2] in MOVED:
            await walk.flow("customer-to-erp", {"id": customer["id"], "object": "customer"})
    return ids


async def paid_in_full(walk: Walk, *invoices: dict[str, Any]) -> None:
    for invoice in await opened(walk, *invoices):
        await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    for invoice in (await stripe(walk))["invoices"]:
        for payment in invoice["payments"]:
            if payment["status"] == "paid":
                await walk.flow("payment-to-erp", payment)


def tables(walk: Walk) -> Any:
    return walk.sandboxes["s4hana"].world.books.snapshot()["tables"]


def entries(walk: Walk, type: str) -> dict[str, list[Mapping[str, Any]]]:
    """Give the items of all entries of a type, by the whole name of their document."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in tables(walk)["JournalItem"]:
        if row["AccountingDocumentType"] == type:
            name = f"{row['CompanyCode']}/{row['FiscalYear']}/{row['AccountingDocument']}"
            found.setdefault(name, []).append(row)
    return found


def minor(amount: str, currency: str) -> int:
    return int(Decimal(amount).scaleb(exponent(currency)))


def balances(walk: Walk, company: str, currency: str) -> dict[str, int]:
    found = walk.sandboxes["s4hana"].world.books.snapshot()["balances"].get(company, {}).get(currency.upper(), {})
    minors = {account: minor(amount, currency.upper()) for account, amount in found.items()}
    return {account: amount for account, amount in minors.items() if amount}


def of_moved(invoices: list[Any]) -> Iterator[tuple[str, Any]]:
    for invoice in invoices:
        for key, company in MOVED.items():
            if invoice["currency"] == CUSTOMERS[key][2]:
                yield company, invoice


async def test_every_invoice_is_in_the_books_of_its_entity_and_in_no_others(walk: Walk) -> None:
    await paid_in_full(walk, *(each for key in CUSTOMERS for each in every_kind(key)))
    billed = (await stripe(walk))["invoices"]
    moved = list(of_moved(billed))
    posted = entries(walk, "DR")
    in_netsuite = {each["externalId"] for each in walk.sandboxes["netsuite"].world.books.snapshot()["invoices"]}
    assert in_netsuite == {each["id"] for each in billed} - {each["id"] for _, each in moved}
    assert len(posted) == len(moved) == 3 * len(MOVED)
    for company, invoice in moved:
        currency, name = invoice["currency"].upper(), invoice["metadata"]["erp_id"]
        assert (invoice["metadata"]["erp_system"], name.split("/")[0]) == ("s4hana", company)
        (owed,) = [row for row in posted[name] if row["FinancialAccountType"] == "D"]
        lines = [row for row in posted[name] if row is not owed]
        assert owed["DocumentReferenceID"] == invoice["number"] == invoice["metadata"]["erp_number"]
        assert owed["Customer"] == walk.crossrefs["customer", "stripe", invoice["customer"], "s4hana"]
        assert minor(owed["AmountInTransactionCurrency"], currency) == invoice["total"]
        taxes = [row for row in lines if row.get("AccountingDocumentItemType") == "T"]
        tax = sum(minor(row["AmountInTransactionCurrency"], currency) for row in taxes)
        assert -tax == sum(each["amount"] for each in invoice["total_taxes"])
        assert len(lines) - len(taxes) == len(invoice["lines"])
        # What is paid is cleared; what is paid in part is still owed, less what came.
        assert owed["IsCleared"] is (invoice["amount_remaining"] == 0)
        payments = [
            row
            for rows in entries(walk, "DZ").values()
            for row in rows
            if row.get("InvoiceReference") == name.split("/")[2] and row["CompanyCode"] == company
        ]
        left = minor(owed["AmountInTransactionCurrency"], currency) + sum(
            minor(row["AmountInTransactionCurrency"], currency)
            for row in payments
            if row["FinancialAccountType"] == "D"
        )
        assert left == invoice["amount_remaining"]


async def test_nothing_is_concluded_of_what_is_not_shown_yet(walk: Walk) -> None:
    """Reporting may lag: a posting that it does not show is neither missing nor right, and is asked for again."""
    tenant = walk.sandboxes["s4hana"].world
    (open_one, paid_one) = await opened(
        walk, {**paid("de", {"amount": 1000, "by": "report"})}, paid("de", {"by": "card"})
    )
    await walk.flow("invoice-to-erp", {"id": paid_one, "object": "invoice"})
    await tenant.books.seed({"settings": {"reporting_delay": 30}})
    with pytest.raises(RetryLater) as later:
        await walk.flow("invoice-to-erp", {"id": open_one, "object": "invoice"})
    assert later.value.code == "not-shown"
    (invoice,) = [each for each in (await stripe(walk))["invoices"] if each["id"] == paid_one]
    with pytest.raises(RetryLater) as later:
        await walk.flow("payment-to-erp", invoice["payments"][0])
    assert later.value.code == "not-shown"
    assert ("payment", "stripe", invoice["payments"][0]["id"], "s4hana") not in walk.crossrefs


def test_it_is_asked_for_as_long_as_reporting_may_lag(bundle: Bundle) -> None:
    policy = bundle.retries["erp"]
    waits = [delay(policy, attempt, 1.0) for attempt in range(1, policy.attempts)]
    assert sum(each for each in waits if each is not None) > SETTLE


@pytest.mark.parametrize("flow", ["invoice-to-erp", "payment-to-erp", "payout-to-erp", "posted-invoice-agrees"])
def test_what_is_never_shown_has_a_runbook_of_its_own(bundle: Bundle, flow: str) -> None:
    policy = bundle.retries["erp"]
    verdict = decide(
        RetryLater("There is none.", code="not-shown"),
        Circumstances(
            step=None,
            on_failure=bundle.flows[flow].on_failure,
            connection="s4hana",
            policy=policy,
            attempt=policy.attempts,
            draw=0.5,
            now=datetime(2026, 6, 15, tzinfo=UTC),
        ),
    )
    assert isinstance(verdict, Park)
    assert bundle.runbook_for(flow, verdict.reason) == "docs/runbooks/not-shown-too-often.md"


async def test_what_was_paid_out_leaves_the_clearing_account_even(walk: Walk) -> None:
    await paid_in_full(walk, *(paid(key, {"amount": 1000, "by": "report"}, {"by": "card"}) for key in MOVED))
    made = await pay_out(walk)
    held = await stripe(walk)
    assert {payout["currency"] for payout in made} == {CUSTOMERS[key][2] for key in MOVED}
    for key, company in MOVED.items():
        currency = CUSTOMERS[key][2]
        (payout,) = [each for each in made if each["currency"] == currency]
        found = balances(walk, company, currency)
        assert found[BANK] == payout["amount"]
        assert found[FEES] == held["ledger"]["totals"]["stripe_fees"][currency]
        assert found[INCOMING] == 1000
        assert CLEARING not in found
    assert walk.sandboxes["netsuite"].world.books.snapshot()["journals"] == []


async def test_a_customer_is_kept_as_billing_knows_it_and_written_only_when_it_differs(walk: Walk) -> None:
    await opened(walk)
    (customer,) = [each for each in (await stripe(walk))["customers"] if each["name"] == "Customer jp"]
    number = walk.crossrefs["customer", "stripe", customer["id"], "s4hana"]
    (made,) = [row for row in tables(walk)["A_BusinessPartner"] if row["BusinessPartner"] == number]
    assert made["BusinessPartnerIDByExtSystem"] == customer["id"]
    (company,) = [row for row in tables(walk)["A_CustomerCompany"] if row["Customer"] == number]
    (area,) = [row for row in tables(walk)["A_CustomerSalesArea"] if row["Customer"] == number]
    assert (company["CompanyCode"], company["ReconciliationAccount"]) == ("1510", "12100000")
    assert (area["SalesOrganization"], area["DistributionChannel"], area["Division"]) == ("1510", "10", "00")
    (address,) = [row for row in tables(walk)["A_BusinessPartnerAddress"] if row["BusinessPartner"] == number]
    assert (address["CityName"], address["Country"], address["PostalCode"]) == ("Town", "JP", "10001")
    again = await walk.flow("customer-to-erp", {"id": customer["id"], "object": "customer"})
    assert again["way"]["books"]["make"] is again["way"]["books"]["change"] is None
    # What the ERP has of its own does not make it differ.
    tenant = walk.sandboxes["s4hana"].world.books
    await tenant.seed({"changes": [{"table": "A_BusinessPartner", "key": [number], "set": {"SearchTerm1": "JAPAN"}}]})
    again = await walk.flow("customer-to-erp", {"id": customer["id"], "object": "customer"})
    assert again["way"]["books"]["change"] is None
    await tenant.seed(
        {"changes": [{"table": "A_BusinessPartner", "key": [number], "set": {"OrganizationBPName1": "Other"}}]}
    )
    again = await walk.flow("customer-to-erp", {"id": customer["id"], "object": "customer"})
    assert again["way"]["books"]["change"]["id"] == number
    (row,) = [row for row in tables(walk)["A_BusinessPartner"] if row["BusinessPartner"] == number]
    assert (row["OrganizationBPName1"], row["SearchTerm1"]) == ("Customer jp", "JAPAN")


async def test_a_customer_of_another_company_stops(walk: Walk) -> None:
    await opened(walk)
    (customer,) = [each for each in (await stripe(walk))["customers"] if each["name"] == "Customer jp"]
    other = walk.crossrefs[
        "customer",
        "stripe",
        next(each["id"] for each in (await stripe(walk))["customers"] if each["name"] == "Customer de"),
        "s4hana",
    ]
    walk.crossrefs["customer", "stripe", customer["id"], "s4hana"] = other
    with pytest.raises(FixData) as refused:
        await walk.flow("customer-to-erp", {"id": customer["id"], "object": "customer"})
    assert refused.value.code == "customer-moves-entity"


async def test_what_somebody_changed_in_a_document_is_told(walk: Walk) -> None:
    (invoice,) = await opened(walk, every_kind("jp")[0])
    await walk.flow("invoice-to-erp", {"id": invoice, "object": "invoice"})
    ((name, items),) = entries(walk, "DR").items()
    tenant = walk.sandboxes["s4hana"].world.books
    for row in items:
        # Whoever did it made both sides alike, so that the document balances.
        more = {"1": 1, "2": -1}.get(row["AccountingDocumentItem"], 0)
        amount = Decimal(row["AmountInTransactionCurrency"]) + more
        changed = {"AmountInTransactionCurrency": amount, "AmountInCompanyCodeCurrency": amount}
        key = [*name.split("/"), row["AccountingDocumentItem"]]
        await tenant.seed({"changes": [{"table": "JournalItem", "key": key, "set": changed, "raw": True}]})
    full = await walk.connectors["stripe"].operation("invoice.read").read(walk.connected["stripe"], {"id": invoice})  # type: ignore[union-attr]
    with pytest.raises(FixData) as refused:
        await walk._called(walk.bundle.flows["posted-invoice-agrees"], full)
    assert refused.value.code == "posted-differently"
