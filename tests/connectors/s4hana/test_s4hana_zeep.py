"""An independent SOAP client loads the WSDL, posts journal entries, and reads what became of them."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import requests
from zeep import Client
from zeep.transports import Transport

from tests.connectors.s4hana.conftest import ASYNC, SOAP, SYNC, Plain

NOW = datetime(2026, 1, 31, 10, tzinfo=UTC)


def client_of(plain: Plain, service: str, *, wsdl: str = "") -> Any:
    """Give a client of one of the services, by its own WSDL unless another is given."""
    session = requests.Session()
    session.auth = (plain.facts["user"], plain.facts["password"])
    transport = Transport(session=session, timeout=10, operation_timeout=10)
    return Client(wsdl or f"{plain.served.url}{SOAP}{service}?wsdl", transport=transport)


def amount(value: str, currency: str = "EUR") -> dict[str, Any]:
    return {"_value_1": Decimal(value), "currencyCode": currency}


def message(*entries: dict[str, Any], identity: str = "MSG1") -> dict[str, Any]:
    """Give a message with entries; their ids are SUB1, SUB2 and so on."""
    return {
        "MessageHeader": {"ID": identity, "CreationDateTime": NOW},
        "JournalEntryCreateRequest": [
            {"MessageHeader": {"ID": f"SUB{place}", "CreationDateTime": NOW}, "JournalEntry": entry}
            for place, entry in enumerate(entries, start=1)
        ],
    }


def invoice(net: str = "100.00", *, account: str = "0041000000", debtor: str = "0010100001") -> dict[str, Any]:
    """Give a customer invoice of the sample's German customer."""
    return {
        "OriginalReferenceDocumentType": "BKPFF",
        "BusinessTransactionType": "RFBU",
        "AccountingDocumentType": "DR",
        "DocumentReferenceID": "INV12345",
        "CreatedByUser": "HUB",
        "CompanyCode": "1010",
        "DocumentDate": date(2026, 1, 31),
        "PostingDate": date(2026, 1, 31),
        "Item": [
            {
                "ReferenceDocumentItem": "1",
                "GLAccount": account,
                "AmountInTransactionCurrency": amount(f"-{net}"),
                "DebitCreditCode": "H",
            }
        ],
        "DebtorItem": [
            {
                "ReferenceDocumentItem": "2",
                "Debtor": debtor,
                "AmountInTransactionCurrency": amount(net),
                "DebitCreditCode": "S",
            }
        ],
    }


async def test_an_entry_is_posted_and_its_document_told(plain: Plain) -> None:
    def work() -> Any:
        client = client_of(plain, SYNC)
        return client.service.JournalEntryCreateRequestConfirmation_In(
            **message(invoice(), invoice(account="41009999"))
        )

    reply = await asyncio.to_thread(work)
    good, bad = reply.JournalEntryCreateConfirmation
    assert good.MessageHeader.ReferenceID == "SUB1"
    assert good.JournalEntryCreateConfirmation.AccountingDocument == "1800000000"
    assert good.Log.MaximumLogItemSeverityCode == "1" and good.Log.Item[0].TypeID == "605(RW)"
    assert bad.MessageHeader.ReferenceID == "SUB2"
    assert bad.JournalEntryCreateConfirmation.AccountingDocument == "0000000000"
    assert [each.TypeID for each in bad.Log.Item] == ["609(RW)", "507(F5)"]
    items = (await plain.books())["tables"]["JournalItem"]
    assert len([each for each in items if each["AccountingDocument"] == "1800000000"]) == 2


async def test_a_bulk_message_is_taken_in_without_an_answer(plain: Plain) -> None:
    def work() -> Any:
        client = client_of(plain, ASYNC)
        return client.service.JournalEntryBulkCreationRequest_In(**message(invoice()))

    assert not await asyncio.to_thread(work)
    assert (await plain.books())["messages"][0]["state"] == "waiting"
    await plain.control("clock", {"advance": 10})
    assert (await plain.books())["messages"][0]["results"][0]["document"] == "1800000000"


def taxed() -> dict[str, Any]:
    """Give an invoice of 100.00 and its tax of 19.00."""
    made = invoice()
    made["Item"][0]["Tax"] = {"TaxCode": "A1", "TaxItemGroup": "1"}
    made["DebtorItem"][0]["AmountInTransactionCurrency"] = amount("119.00")
    tax = {
        "ReferenceDocumentItem": "3",
        "TaxCode": "A1",
        "TaxItemGroup": "1",
        "AmountInTransactionCurrency": amount("-19.00"),
        "DebitCreditCode": "H",
        "TaxBaseAmountInTransCrcy": amount("-100.00"),
    }
    return {**made, "ProductTaxItem": [tax]}


def payment(document: str) -> dict[str, Any]:
    """Give the payment of an invoice of 119.00, named by number, company code and year in one."""
    paid = invoice("119.00", account="0011002080")
    (money,), (customer,) = paid["Item"], paid["DebtorItem"]
    money |= {"AmountInTransactionCurrency": amount("119.00"), "DebitCreditCode": "S"}
    customer |= {"AmountInTransactionCurrency": amount("-119.00"), "DebitCreditCode": "H"}
    return {**paid, "AccountingDocumentType": "DZ", "InvoiceReferenceDocument": document}


def reversal(document: str) -> dict[str, Any]:
    """Give the opposite of a document that stands."""
    head = ("OriginalReferenceDocumentType", "BusinessTransactionType", "CreatedByUser", "CompanyCode")
    days = ("DocumentDate", "PostingDate")
    return {
        **{name: value for name, value in invoice().items() if name in (*head, *days)},
        "AccountingDocumentType": "AB",
        "ReversalReason": "01",
        "ReversalReferenceDocument": document,
        "ReversalDate": date(2026, 1, 31),
    }


async def test_an_invoice_is_taxed_and_paid_and_another_one_taken_back(plain: Plain) -> None:
    def work() -> list[Any]:
        service = client_of(plain, SYNC).service
        told = []
        for number, entry in enumerate(
            [taxed(), taxed(), payment("180000000010102026"), reversal("180000000110102026")], start=1
        ):
            reply = service.JournalEntryCreateRequestConfirmation_In(**message(entry, identity=f"MSG{number}"))
            told.append(reply.JournalEntryCreateConfirmation[0])
        return told

    told = await asyncio.to_thread(work)
    assert [each.Log.MaximumLogItemSeverityCode for each in told] == ["1", "1", "1", "1"]
    items = (await plain.books())["tables"]["JournalItem"]
    owed = {
        row["AccountingDocument"]: (row["AmountInTransactionCurrency"], row["IsCleared"])
        for row in items
        if row["FinancialAccountType"] == "D" and row["AccountingDocument"].startswith("18000000")
    }
    assert {name: (Decimal(amount), cleared) for name, (amount, cleared) in owed.items()} == {
        "1800000000": (Decimal("119.00"), True),
        "1800000001": (Decimal("119.00"), True),
    }
    assert sum(Decimal(row["AmountInTransactionCurrency"]) for row in items if row["GLAccount"] == "22000000") != 0
    opposite = told[3].JournalEntryCreateConfirmation.AccountingDocument.lstrip("0")
    taken_back = [row for row in items if row["AccountingDocument"] == opposite]
    assert sorted(Decimal(row["AmountInTransactionCurrency"]) for row in taken_back) == [-119, 19, 100]
