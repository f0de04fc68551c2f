"""Books of a CRM and two ERPs as their sandboxes show them, in which everything agrees, to be spoiled by a test."""

from __future__ import annotations

import copy
from dataclasses import replace
from decimal import Decimal
from typing import Any

from hub.proof import crm_books, payouts, sap_books
from hub.proof.evidence import Effect, Evidence, HubRecords
from hub.proof.lines import Line
from hub.proof.money_path import evidence
from hub.proof.vendor_documents import Books, Due, Payment, StripeInvoice
from hub.proof.vendor_families import Families
from tests.proof.books import erp, tax

#: An invoice over 119.00 EUR by the German company, whose books are in S/4HANA, and one in pounds in NetSuite's.
GERMAN, BRITISH = "in_german", "in_british"
PAYMENT, PAYOUT = "inpay_1", "po_1"
NOON = 1_769_860_800
DAY = "2026-01-31"
KEY = "5c1a35a9e7e14f5d9f3f3d1c2b0a9e8d"
MARK = next(iter(sap_books.marks({KEY: ""})))
Raw = dict[str, Any]


def stripe() -> Raw:
    """Give Stripe's books, as far as accounts and payouts need them."""
    return {
        "customers": [
            _customer("cus_german", "001G", "DE", "Hamburg"),
            _customer("cus_british", "001B", "GB", "Leeds"),
        ],
        "invoices": [
            _invoice(GERMAN, "A-0001", "cus_german", "eur", 11_900, 0, "paid"),
            _invoice(BRITISH, "B-0001", "cus_british", "gbp", 5_000, 5_000, "open"),
        ],
        "events": [{"type": "payout.paid", "object": PAYOUT}],
        "balance_transactions": [
            _movement("txn_1", "charge", 11_900, 300, "ch_1"),
            _movement("txn_2", "payout", -11_600, 0, PAYOUT),
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


def _invoice(name: str, number: str, customer: str, currency: str, total: int, open_: int, status: str) -> Raw:
    paid = {"id": PAYMENT, "status": "paid", "payment": {"payment_intent": "pi_1"}}
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
        "payments": [paid] if status == "paid" else [],
    }


def _movement(name: str, category: str, amount: int, fee: int, source: str) -> Raw:
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
                _status("a0I1", GERMAN, "A-0001", "001G", "Paid", "119.0", "0", "EUR"),
                _status("a0I2", BRITISH, "B-0001", "001B", "Open", "50", "50.0", "GBP"),
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


def _status(id: str, key: str, number: str, account: str, status: str, total: str, open_: str, currency: str) -> Raw:
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
    heads: list[Raw] = []
    items: list[Raw] = []
    posted: tuple[tuple[str, str, Raw, list[tuple[str, str, Raw]]], ...] = (
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
        heads.append(document)
        items.extend(
            {
                **document,
                "AccountingDocumentItem": str(place),
                "GLAccount": account,
                "AmountInTransactionCurrency": amount,
                "AmountInCompanyCodeCurrency": amount,
                **more,
            }
            for place, (account, amount, more) in enumerate(lines, start=1)
        )
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
            "JournalEntry": heads,
            "JournalItem": items,
            "A_BusinessPartner": [partner],
            "A_BusinessPartnerAddress": [address],
            "A_CustomerCompany": [{"Customer": "1000", "CompanyCode": "1010"}],
        }
    }


def netsuite() -> Raw:
    """Give what of NetSuite's books concerns payouts: nothing, since no pound was paid out."""
    return {"journals": [], "refunds": [], "payments": [], "balances": {}}


def world() -> dict[str, Raw]:
    """Give all books, each by itself to be spoiled."""
    return {"stripe": stripe(), "salesforce": salesforce(), "s4hana": s4hana(), "netsuite": netsuite()}


def judged(books: dict[str, Raw], *, in_netsuite: tuple[str, ...] = (BRITISH,)) -> Evidence:
    """Give the evidence of these books; `in_netsuite` are the invoices that NetSuite has."""
    read = copy.deepcopy(books)
    effects = {KEY: f"stripe:{GERMAN}"}
    paid_out = payouts.read(read["stripe"], read["netsuite"], effects)
    sap = sap_books.read(read["s4hana"], read["stripe"], paid_out, sap_books.marks(effects))
    told = [_told(one, read) for one in read["stripe"]["invoices"]]
    by_id = {one.id: one for one in told}
    held = Books(
        stripe=told,
        sent=[],
        subjects={},
        erp_invoices=[replace(erp(by_id[name]), customer="77", day=DAY) for name in in_netsuite],
        erp_payments=[],
        notices=[],
        tax_documents=[replace(tax(one), day=DAY) for one in told],
        requests=[],
        due={
            GERMAN: Due(customers=frozenset({"1000"})),
            BRITISH: Due(customers=frozenset({"77"})),
        },
        payouts=payouts.of_currencies(paid_out, frozenset({"GBP"})),
        crm=crm_books.read(read["stripe"], read["salesforce"]),
        sap=sap,
    )
    posted = Effect(
        key=KEY,
        family=GERMAN,
        business_key=effects[KEY],
        state="done",
        connection="s4hana",
        operation="invoice.post",
        output_id="1010/2026/1800000000",
    )
    return evidence(held, HubRecords(effects=[posted]), Families(held, effects))


def _told(one: Raw, read: dict[str, Raw]) -> StripeInvoice:
    german = one["id"] == GERMAN
    posted = next(
        (row for row in read["s4hana"]["tables"]["JournalEntry"] if row["AccountingDocumentType"] == "DR"), None
    )
    whole = (
        "" if posted is None else "/".join(posted[name] for name in ("CompanyCode", "FiscalYear", "AccountingDocument"))
    )
    return StripeInvoice(
        id=one["id"],
        number=one["number"],
        currency=one["currency"].upper(),
        total=Decimal(one["total"]),
        tax=Decimal(1_900) if german else Decimal(0),
        remaining=Decimal(one["amount_remaining"]),
        lines=[
            Line(
                id="il_1",
                amount=Decimal(10_000 if german else 5_000),
                tax=Decimal(1_900) if german else Decimal(0),
                item="101",
            )
        ],
        payments=[Payment(id=PAYMENT, amount=Decimal(11_900), day=DAY)] if german else [],
        erp_id=whole if german else "5001",
        day=DAY,
    )
