"""Journal entries as SOAP messages: elements in the order of SAP's schema, and only the root with a namespace."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.s4hana.entries import Entry, Line, Tax
from connectors.s4hana.marks import mark, padded
from connectors.s4hana.odata.literals import day_of
from connectors.s4hana.settings import S4HanaSettings
from connectors.s4hana.soap.xml import element, leaf
from hub.sdk.values import EffectKey, Request

NAMESPACE = "http://sap.com/xi/SAPSCORE/SFIN"
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_ADDRESSING = "http://www.w3.org/2005/08/addressing"
_ROOT = "/sap/bc/srt/scs_ext/sap"
_SYNCHRONOUS = (
    f"{_ROOT}/journalentrycreaterequestconfi",
    f"{NAMESPACE}/JournalEntryCreateRequestConfirmation_In/JournalEntryCreateRequestConfirmation_InRequest",
)
_ASYNCHRONOUS = (
    f"{_ROOT}/journalentrybulkcreationreques",
    f"{NAMESPACE}/JournalEntryBulkCreationRequest_In/JournalEntryBulkCreationRequest_InRequest",
)
_ASSIGNMENTS = {
    "profit_center": "ProfitCenter",
    "segment": "Segment",
    "cost_center": "CostCenter",
    "wbs_element": "WBSElement",
    "sales_order": "SalesOrder",
    "sales_order_item": "SalesOrderItem",
    "functional_area": "FunctionalArea",
}


def posting(settings: S4HanaSettings, entry: Entry, key: EffectKey) -> Request:
    """Form the message that posts an entry at once and is answered with what became of it."""
    return _message(settings, _journal_entry(settings, entry, key), entry.posting_date, key, synchronous=True)


def submitting(settings: S4HanaSettings, entry: Entry, key: EffectKey) -> Request:
    """Form the message that is taken in now, and posted and confirmed later; its id stands for the effect."""
    return _message(settings, _journal_entry(settings, entry, key), entry.posting_date, key, synchronous=False)


def reversing(settings: S4HanaSettings, record: Mapping[str, Any], key: EffectKey) -> Request:
    """Form the message that posts the opposite of an entry that stands."""
    day = day_of(record["posting_date"], "posting_date").isoformat()
    document = f"{padded(record['id'])}{record['company_code']}{record['fiscal_year']}"
    parts = [
        leaf("OriginalReferenceDocumentType", "BKPFF"),
        leaf("BusinessTransactionType", "RFBU"),
        leaf("AccountingDocumentType", record.get("document_type", "AB")),
        leaf("ReversalReason", record.get("reason", settings.reversal_reason)),
        leaf("ReversalReferenceDocument", document),
        leaf("ReversalDate", day),
        leaf("CreatedByUser", settings.posting_user),
        leaf("CompanyCode", record["company_code"]),
        leaf("DocumentDate", day),
        leaf("PostingDate", day),
        leaf("Reference1InDocumentHeader", mark(key)),
    ]
    return _message(settings, "".join(parts), day, key, synchronous=True)


def message_id(key: EffectKey) -> str:
    """Give the id of an asynchronous message: a UUID, always the same one for an effect."""
    return str(uuid.UUID(hex=key))


def reference(key: EffectKey, day: str) -> str:
    """Give the id of an entry within its message: its mark and the day of its posting, which a confirmation lacks."""
    return f"{mark(key)}-{day}"


def _message(settings: S4HanaSettings, entry: str, day: str, key: EffectKey, *, synchronous: bool) -> Request:
    path, action = _SYNCHRONOUS if synchronous else _ASYNCHRONOUS
    # A recorded message has no clock of its own: the day that it is about stands for its time.
    created = leaf("CreationDateTime", f"{day}T00:00:00Z")
    head = element("MessageHeader", leaf("ID", mark(key)) + leaf("UUID", message_id(key)) + created)
    inner = element("MessageHeader", leaf("ID", reference(key, day)) + created)
    request = element("JournalEntryCreateRequest", inner + element("JournalEntry", entry))
    root = element("sfin:JournalEntryBulkCreateRequest", head + request)
    header = ""
    if not synchronous:
        # By this id the framework that takes messages in knows a repeated one.
        told = {"xmlns:wsa": _ADDRESSING}
        header = leaf("wsa:MessageID", f"uuid:{message_id(key)}", told) + leaf("wsa:Action", action, told)
    envelope = element(
        "soapenv:Envelope",
        element("soapenv:Header", header) + element("soapenv:Body", root),
        {"xmlns:soapenv": _SOAP, "xmlns:sfin": NAMESPACE},
    )
    return Request(
        method="POST",
        url=f"{settings.base_url}{path}",
        headers={"content-type": "text/xml; charset=utf-8", "accept": "text/xml", "soapaction": f'"{action}"'},
        body=b'<?xml version="1.0" encoding="UTF-8"?>' + envelope.encode(),
    )


def _journal_entry(settings: S4HanaSettings, entry: Entry, key: EffectKey) -> str:
    groups = {tax.code: str(place) for place, tax in enumerate(entry.taxes, start=1)}
    parts = [
        leaf("OriginalReferenceDocumentType", "BKPFF"),
        leaf("BusinessTransactionType", "RFBU"),
        leaf("AccountingDocumentType", entry.type),
        _given("DocumentReferenceID", entry.reference),
        _given("InvoiceReferenceDocument", entry.invoice),
        _given("DocumentHeaderText", entry.text),
        leaf("CreatedByUser", settings.posting_user),
        leaf("CompanyCode", entry.company),
        leaf("DocumentDate", entry.document_date),
        leaf("PostingDate", entry.posting_date),
        leaf("Reference1InDocumentHeader", mark(key)),
    ]
    numbered = list(enumerate(entry.lines, start=1))
    parts += [_item(place, line, entry.currency, groups) for place, line in numbered if line.account]
    parts += [_debtor(place, line, entry.currency) for place, line in numbered if line.customer]
    taxes = enumerate(entry.taxes, start=len(numbered) + 1)
    parts += [_tax(place, tax, entry.currency, groups) for place, tax in taxes]
    return "".join(parts)


def _item(place: int, line: Line, currency: str, groups: Mapping[str, str]) -> str:
    more = line.more
    code = more.get("tax_code", "")
    tax = element("Tax", leaf("TaxCode", code) + _given("TaxItemGroup", groups.get(code, ""))) if code else ""
    assigned = "".join(_given(wire, more.get(name, "")) for name, wire in _ASSIGNMENTS.items())
    return element(
        "Item",
        leaf("ReferenceDocumentItem", str(place))
        + leaf("GLAccount", padded(line.account))
        + _amount("AmountInTransactionCurrency", line.amount, currency)
        + _side(line.amount)
        + _given("DocumentItemText", more.get("text", ""))
        + _given("AssignmentReference", more.get("assignment", ""))
        + tax
        + (element("AccountAssignment", assigned) if assigned else ""),
    )


def _debtor(place: int, line: Line, currency: str) -> str:
    more = line.more
    terms = ""
    if more.get("due_from"):
        due = day_of(more["due_from"], "due_from").isoformat()
        days = leaf("NetPaymentDays", f"P{int(more.get('net_days', 0))}D")
        terms = element("CashDiscountTerms", leaf("DueCalculationBaseDate", due) + days)
    paid = _given("PaymentReference", more.get("payment_reference", ""))
    special = _given("SpecialGLCode", more.get("special_gl", ""))
    return element(
        "DebtorItem",
        leaf("ReferenceDocumentItem", str(place))
        + leaf("Debtor", padded(line.customer))
        + _amount("AmountInTransactionCurrency", line.amount, currency)
        + _side(line.amount)
        + _given("DocumentItemText", more.get("text", ""))
        + _given("AssignmentReference", more.get("assignment", ""))
        + terms
        + (element("PaymentDetails", paid) if paid else "")
        + (element("DownPaymentTerms", special) if special else ""),
    )


def _tax(place: int, tax: Tax, currency: str, groups: Mapping[str, str]) -> str:
    return element(
        "ProductTaxItem",
        leaf("ReferenceDocumentItem", str(place))
        + leaf("TaxCode", tax.code)
        + leaf("TaxItemGroup", groups[tax.code])
        + _amount("AmountInTransactionCurrency", tax.amount, currency)
        + _side(tax.amount)
        + _amount("TaxBaseAmountInTransCrcy", tax.base, currency),
    )


def _given(name: str, text: str) -> str:
    return leaf(name, text) if text else ""


def _amount(name: str, amount: Decimal, currency: str) -> str:
    return leaf(name, f"{amount:f}", {"currencyCode": currency})


def _side(amount: Decimal) -> str:
    return leaf("DebitCreditCode", "H" if amount < 0 else "S")
