"""Books of a CRM and two ERPs as their sandboxes show them, in which everything agrees, to be spoiled by a test."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from hub.proof import crm_books, payouts, sap_books
from hub.proof.credit_books import Credits
from hub.proof.evidence import Case, Effect, Evidence, HubRecords
from hub.proof.lines import Line
from hub.proof.money_path import evidence
from hub.proof.vendor_documents import Books, Due, Payment, StripeInvoice, TaxDocument
from hub.proof.vendor_families import Families
from tests.proof.books import erp, tax

#: An invoice over 119.00 EUR by the German company, whose books are in S/4HANA, and one in pounds in NetSuite's.
GERMAN, BRITISH = "in_german", "in_british"
PAYMENT, PAYOUT = "inpay_1", "po_1"
NOON = 1_769_860_800
DAY = "2026-01-31"
KEY = "5c1a35a9e7e14f5d9f3f3d1c2b0a9e8d"
#: What the hub wrote under the key.
EFFECTS = {KEY: f"stripe:{GERMAN}"}
MARK = next(iter(sap_books.marks({KEY: ""})))
Raw = dict[str, Any]
Items = Sequence[tuple[str, str, Raw]]


def stripe() -> Raw:
    """Give Stripe's books, as far as accounts and payouts need them."""
    return {
        "customers": [
            _customer("cus_german", "001G", "DE", "Hamburg"),
            _customer("cus_british", "001B", "GB", "Leeds"),
        ],
        "invoices": [
            billed(GERMAN, "A-0001", "cus_german", "eur", 11_900, 0, "paid", {PAYMENT: ("pi_1", 11_900)}),
            billed(BRITISH, "B-0001", "cus_british", "gbp", 5_000, 5_000, "open"),
        ],
        "events": [{"type": "payout.paid", "object": PAYOUT}],
        "balance_transactions": [
            movement("txn_1", "charge", 11_900, 300, "ch_1"),
            movement("txn_2", "payout", -11_600, 0, PAYOUT),
        ],
        "charges": [{"payment_intent": "pi_1", "balance_transaction": "txn_1", "captured": True}],
        "refunds": [],
        "payouts": [
            {
                "id": PAYOUT,
                "amount": 11_600,
                "balance_transaction": "txn_2",
                "status": "paid",
                "automatic": True,
                "reconciliation_status": "completed",
                "arrival_date": NOON,
            }
        ],
        "paid_out": {PAYOUT: ["txn_1", "txn_2"]},
    }


def _customer(name: str, account: str, country: str, city: str) -> Raw:
    address = {
        "line1": "1 Main Street",
        "line2": None,
        "city": city,
        "state": None,
        "postal_code": "1",
        "country": country,
    }
    metadata = {"crm_account": account}
    return {"id": name, "name": f"{city} Works", "email": "bills@x.example", "address": address, "metadata": metadata}


def billed(
    name: str,
    number: str,
    customer: str,
    currency: str,
    total: int,
    open_: int,
    status: str,
    paid: Mapping[str, tuple[str, int]] = MappingProxyType({}),
) -> Raw:
    """Give an invoice as Stripe's books have it; `paid` is payment → what it was made by, and its amount."""
    return {
        "id": name,
        "number": number,
        "customer": customer,
        "currency": currency,
        "total": total,
        "amount_remaining": open_,
        "status": status,
        "effective_at": NOON,
        "due_date": None,
        "status_transitions": {"finalized_at": NOON},
        "payments": [
            {"id": payment, "status": "paid", "amount_paid": amount, "payment": {"payment_intent": intent}}
            for payment, (intent, amount) in paid.items()
        ],
    }


def movement(name: str, category: str, amount: int, fee: int, source: str) -> Raw:
    """Give a movement of Stripe's balance in euros."""
    return {
        "id": name,
        "reporting_category": category,
        "currency": "eur",
        "amount": amount,
        "fee": fee,
        "source": source,
        "exchange_rate": None,
        "created": NOON,
    }


def salesforce() -> Raw:
    """Give Salesforce's books: two accounts, and how their invoices stand."""
    return {
        "records": {
            "Account": [_account("001G", "DE", "Hamburg"), _account("001B", "GB", "Leeds")],
            "Invoice__c": [
                status("a0I1", GERMAN, "A-0001", "001G", "Paid", "119.0", "0", "EUR"),
                status("a0I2", BRITISH, "B-0001", "001B", "Open", "50", "50.0", "GBP"),
            ],
        }
    }


def _account(name: str, country: str, city: str) -> Raw:
    return {
        "Id": name,
        "Name": f"{city} Works",
        "Type": "Customer - Direct",
        "BillingStreet": "1 Main Street",
        "BillingCity": city,
        "BillingPostalCode": "1",
        "BillingCountry": country,
        "Invoice_Email__c": "bills@x.example",
    }


def status(id: str, key: str, number: str, account: str, status: str, total: str, open_: str, currency: str) -> Raw:
    """Give how an invoice stands as Salesforce's books have it."""
    return {
        "Id": id,
        "Key__c": key,
        "Name": number,
        "Account__c": account,
        "Status__c": status,
        "Issued_On__c": DAY,
        "Total__c": total,
        "Open_Amount__c": open_,
        "CurrencyIsoCode": currency,
    }


def s4hana() -> Raw:
    """Give S/4HANA's books: a customer, its invoice, the payment that clears it, and the payout."""
    invoice = {"DocumentReferenceID": "A-0001", "Reference1InDocumentHeader": MARK}
    refers = {"InvoiceReference": "1800000000", "InvoiceReferenceFiscalYear": "2026", "DocumentItemText": PAYMENT}
    owed = {"Customer": "1000", "IsCleared": True}
    tables: Raw = {"JournalEntry": [], "JournalItem": []}
    posted: tuple[tuple[str, str, Raw, Items], ...] = (
        (
            "DR",
            "1800000000",
            invoice,
            [
                ("41000000", "-100.00", {"TaxCode": "A1"}),
                ("12100000", "119.00", owed),
                ("22000000", "-19.00", {"TaxCode": "A1", "AccountingDocumentItemType": "T"}),
            ],
        ),
        (
            "DZ",
            "1400000000",
            {},
            [
                ("11002080", "119.00", {"DocumentItemText": PAYMENT}),
                ("12100000", "-119.00", {**owed, **refers}),
            ],
        ),
        (
            "SA",
            "100000000",
            {},
            [
                ("11001000", "116.00", {"DocumentItemText": f"{PAYOUT}: Bank"}),
                ("65100000", "3.00", {"DocumentItemText": f"{PAYOUT}: Fees"}),
                ("11002080", "-119.00", {"DocumentItemText": f"{PAYOUT}: credit"}),
            ],
        ),
    )
    for kind, number, head, lines in posted:
        post(tables, kind, number, head, lines)
    partner = {
        "BusinessPartner": "1000",
        "BusinessPartnerIDByExtSystem": "cus_german",
        "OrganizationBPName1": "Hamburg Works",
    }
    address = {
        "BusinessPartner": "1000",
        "StreetName": "1 Main Street",
        "CityName": "Hamburg",
        "PostalCode": "1",
        "Country": "DE",
    }
    return {
        "tables": {
            **tables,
            "A_BusinessPartner": [partner],
            "A_BusinessPartnerAddress": [address],
            "A_CustomerCompany": [{"Customer": "1000", "CompanyCode": "1010"}],
        }
    }


def post(tables: Raw, kind: str, number: str, head: Raw, items: Items) -> None:
    """Post an entry of the German company in euros; an item is its account, its amount and what else it says."""
    document = {
        "CompanyCode": "1010",
        "FiscalYear": "2026",
        "AccountingDocument": number,
        "AccountingDocumentType": kind,
        "TransactionCurrency": "EUR",
        "CompanyCodeCurrency": "EUR",
        "PostingDate": DAY,
        **head,
    }
    tables["JournalEntry"].append(document)
    tables["JournalItem"].extend(
        {
            **document,
            "AccountingDocumentItem": str(place),
            "GLAccount": account,
            "AmountInTransactionCurrency": amount,
            "AmountInCompanyCodeCurrency": amount,
            **more,
        }
        for place, (account, amount, more) in enumerate(items, start=1)
    )


def netsuite() -> Raw:
    """Give what of NetSuite's books concerns payouts: nothing, since no pound was paid out."""
    return {"journals": [], "refunds": [], "payments": [], "balances": {}}


def world() -> dict[str, Raw]:
    """Give all books, each by itself to be spoiled."""
    return {"stripe": stripe(), "salesforce": salesforce(), "s4hana": s4hana(), "netsuite": netsuite()}


def again(books: dict[str, Raw], number: str, other: str) -> None:
    """Post a document of S/4HANA's a second time, under another number."""
    for rows in _ledger(books):
        rows += [{**row, "AccountingDocument": other} for row in rows if row["AccountingDocument"] == number]


def gone(books: dict[str, Raw], *numbers: str) -> None:
    """Take documents out of S/4HANA's books."""
    for rows in _ledger(books):
        rows[:] = [row for row in rows if row["AccountingDocument"] not in numbers]


def in_company(books: dict[str, Raw], number: str, company: str) -> None:
    """Let a document of S/4HANA's stand in another company."""
    whole(books, number, CompanyCode=company)


def whole(books: dict[str, Raw], number: str, **changed: object) -> None:
    """Change a document of S/4HANA's and all its items."""
    for rows in _ledger(books):
        for row in rows:
            if row["AccountingDocument"] == number:
                row.update(changed)


def item(books: dict[str, Raw], number: str, place: int, **changed: object) -> None:
    """Change one item of a document of S/4HANA's, counted from one; an amount is one in both currencies."""
    if "amount" in changed:
        amount = changed.pop("amount")
        changed |= {"AmountInTransactionCurrency": amount, "AmountInCompanyCodeCurrency": amount}
    rows = books["s4hana"]["tables"]["JournalItem"]
    [row for row in rows if row["AccountingDocument"] == number][place - 1].update(changed)


def _ledger(books: dict[str, Raw]) -> list[list[Raw]]:
    tables = books["s4hana"]["tables"]
    return [tables["JournalEntry"], tables["JournalItem"]]


def held(books: dict[str, Raw], *, in_netsuite: tuple[str, ...] = (BRITISH,), credits: Credits | None = None) -> Books:
    """Read these books; `in_netsuite` are the invoices that NetSuite has, `credits` what was given back, taxed."""
    given_back = credits or Credits()
    read = copy.deepcopy(books)
    paid_out = payouts.read(read["stripe"], read["netsuite"], EFFECTS)
    told = [_told(one, read) for one in read["stripe"]["invoices"]]
    by_id = {one.id: one for one in told}
    return Books(
        stripe=told,
        sent=[],
        subjects={},
        erp_invoices=[replace(erp(by_id[name]), customer="77", day=DAY) for name in in_netsuite],
        erp_payments=[],
        notices=[],
        tax_documents=[*(replace(tax(one), day=DAY) for one in told), *_returned(given_back)],
        credits=given_back,
        requests=[],
        due={one.id: Due(customers=frozenset({"1000" if one.currency == "EUR" else "77"})) for one in told},
        payouts=payouts.of_currencies(paid_out, frozenset({"GBP"})),
        crm=crm_books.read(read["stripe"], read["salesforce"]),
        sap=sap_books.read(read["s4hana"], read["stripe"], paid_out, sap_books.marks(EFFECTS)),
    )


def judged(
    books: dict[str, Raw],
    *,
    in_netsuite: tuple[str, ...] = (BRITISH,),
    credits: Credits | None = None,
    cases: Sequence[Case] = (),
) -> Evidence:
    """Give the evidence of these books, read as `held` reads them; `cases` are the exceptions that are open."""
    read = held(books, in_netsuite=in_netsuite, credits=credits)
    posted = Effect(
        key=KEY,
        family=GERMAN,
        business_key=EFFECTS[KEY],
        state="done",
        connection="s4hana",
        operation="invoice.post",
        output_id="1010/2026/1800000000",
    )
    return evidence(read, HubRecords(effects=[posted], cases=cases), Families(read, EFFECTS))


def _returned(credits: Credits) -> list[TaxDocument]:
    """Give what AvaTax has of notes that were neither voided nor stopped."""
    return [
        TaxDocument(
            code=note.number,
            currency=note.currency,
            amount=-sum((line.amount for line in note.lines), Decimal(0)),
            tax=-note.tax,
            lines=[Line(id=line.id, amount=-line.amount, tax=-line.tax) for line in note.lines],
            day=note.day,
        )
        for note in credits.notes
        if not note.voided and credits.due_of(note).exception is None
    ]


def _told(one: Raw, read: dict[str, Raw]) -> StripeInvoice:
    german = one["currency"] == "eur"
    rows = read["s4hana"]["tables"]["JournalEntry"]
    posted = next((row for row in rows if row.get("DocumentReferenceID") == one["number"]), None)
    whole = (
        "" if posted is None else "/".join(posted[name] for name in ("CompanyCode", "FiscalYear", "AccountingDocument"))
    )
    tax = Decimal(one["total"]) * 19 / 119 if german else Decimal(0)
    return StripeInvoice(
        id=one["id"],
        number=one["number"],
        currency=one["currency"].upper(),
        total=Decimal(one["total"]),
        tax=tax,
        remaining=Decimal(one["amount_remaining"]),
        lines=[Line(id="il_1", amount=one["total"] - tax, tax=tax, item="101")],
        payments=[Payment(id=paid["id"], amount=Decimal(paid["amount_paid"]), day=DAY) for paid in one["payments"]],
        erp_id=whole if german else "5001",
        day=DAY,
    )
