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
