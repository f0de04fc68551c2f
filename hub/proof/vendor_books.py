"""Reading the sandboxes' books and request logs, as their control APIs give them, into plain values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from hub.model.money import exponent
from hub.proof.contract_invoices import subscribed
from hub.proof.lines import Line, day_of, item_of, posted
from hub.proof.reversals import takes_back
from hub.proof.vendor_documents import ErpInvoice, ErpPayment, Payment, Request, Sent, StripeInvoice, TaxDocument

#: Deliveries of these faults carried a body that nobody could read.
_SPOILED = frozenset({"webhook_malformed", "webhook_torn"})
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
#: Vendor → paths on which each request with the same marker is the same write.
_MARKED_PATHS = {
    "stripe": re.compile(r"^/v1/(invoices|customers)/"),
    "netsuite": re.compile(
        r"^/services/rest/record/v1/(invoice|customerPayment|creditMemo|customerRefund|journalEntry|customer)\b"
    ),
    "tax": re.compile(r"^/api/v2/transactions/create\b"),
    "salesforce": re.compile(r"^/services/data/v[0-9.]+/sobjects/\w+/\w+__c/"),
    "s4hana": re.compile(r"^/sap/bc/srt/scs_ext/sap/journalentrycreate"),
}
#: Addresses of records by external id tell what a request is about, even when nobody served it.
_EXTERNAL_ID = re.compile(r"(?:/eid:|/\w+__c/)([^/?]+)")
#: Faults of which the caller hears, where it hears anything, that nothing was done.
_REFUSING = frozenset({"429", "503", "outage"})
#: States of a tax document that no longer counts.
_GONE = frozenset({"Cancelled", "Adjusted"})


def stripe_invoices(books: Mapping[str, Any], items: Mapping[str, str] = MappingProxyType({})) -> list[StripeInvoice]:
    """Give the invoices that are no drafts; `items` are NetSuite's of products that are not always there."""
    return [_stripe_invoice(invoice, items) for invoice in books["invoices"] if invoice["status"] != "draft"]


def _stripe_invoice(invoice: Mapping[str, Any], items: Mapping[str, str]) -> StripeInvoice:
    return StripeInvoice(
        id=invoice["id"],
        number=invoice["number"],
        currency=invoice["currency"].upper(),
        total=Decimal(invoice["total"]),
        tax=_sum(invoice["total_taxes"]),
        remaining=Decimal(invoice["amount_remaining"]),
        lines=[
            Line(
                id=line["id"],
                amount=Decimal(line["amount"]) - _sum(line["discount_amounts"]),
                tax=_sum(line["taxes"]),
                item=item_of(line, items),
            )
            for line in invoice["lines"]
        ],
        payments=[
            Payment(
                id=payment["id"],
                amount=Decimal(payment["amount_paid"]),
                day=day_of(payment["status_transitions"]["paid_at"]),
            )
            for payment in invoice["payments"]
            if payment["status"] == "paid"
        ],
        given_up=invoice["status"] == "uncollectible",
        erp_id=invoice["metadata"].get("erp_id"),
        day=day_of(invoice["effective_at"] or invoice["status_transitions"]["finalized_at"]),
        of_contract="contract" in subscribed(invoice).get("metadata", {}),
    )


def sent(books: Mapping[str, Any]) -> list[Sent]:
    """Give every webhook that was sent."""
    return [
        Sent(event=entry["event"], status=entry["status"], spoiled=entry["fault"] in _SPOILED)
        for entry in books["deliveries"]
    ]


def subjects(books: Mapping[str, Any], types: Iterable[str]) -> dict[str, str]:
    """Give event → object for the events of these types."""
    wanted = frozenset(types)
    return {event["id"]: event["object"] for event in books["events"] if event["type"] in wanted}


def erp_invoices(books: Mapping[str, Any]) -> list[ErpInvoice]:
    """Give NetSuite's invoices."""
    return [
        ErpInvoice(
            id=invoice["id"],
            external_id=invoice["externalId"],
            number=invoice["tranId"],
            currency=invoice["currency"],
            customer=invoice["entity"],
            total=_minor(invoice["total"], invoice["currency"]),
            tax=_minor(invoice["taxTotal"], invoice["currency"]),
            remaining=_minor(invoice["amountRemaining"], invoice["currency"]),
            lines=posted(invoice),
            day=invoice["tranDate"],
        )
        for invoice in books["invoices"]
        if not takes_back(invoice)
    ]


def erp_payments(books: Mapping[str, Any]) -> list[ErpPayment]:
    """Give NetSuite's payments with their place among all accepted writes."""
    places: dict[str, int] = {}
    for entry in books["accepted"]:
        if entry["type"] == "customerPayment":
            places.setdefault(entry["id"], entry["n"])
    return [
        ErpPayment(
            id=payment["id"],
            reference=payment.get("checkNumber") or "",
            currency=payment["currency"],
            customer=payment["customer"],
            amount=_minor(payment["payment"], payment["currency"]),
            applied={
                line["externalId"] or line["doc"]: _minor(line["amount"], payment["currency"])
                for line in payment.get("apply", [])
            },
            accepted=places[payment["id"]],
            day=payment["tranDate"],
        )
        for payment in books["payments"]
        if not takes_back(payment)
    ]


def notices(books: Mapping[str, Any]) -> list[str]:
    """Give the invoice number of each call of the notice script."""
    return [str(call["body"].get("invoice", "")) for call in books["restletCalls"]]


def tax_documents(books: Mapping[str, Any]) -> list[TaxDocument]:
    """Give AvaTax's documents that count."""
    return [
        TaxDocument(
            code=document["code"],
            currency=document["currency"],
            amount=_minor(document["total_amount"], document["currency"]),
            tax=_minor(document["total_tax"], document["currency"]),
            lines=[
                Line(
                    id=line["number"],
                    amount=_minor(line["amount"], document["currency"]),
                    tax=_minor(line["tax"], document["currency"]),
                )
                for line in document["lines"]
            ],
            day=str(document["date"]),
        )
        for document in books["documents"]
        if document["status"] not in _GONE
    ]


def stripe_tax_documents(books: Mapping[str, Any]) -> list[TaxDocument]:
    """Give what Stripe Tax has recorded and not taken back whole."""
    back = {
        (one["reversal"] or {}).get("original_transaction")
        for one in books["tax_transactions"]
        if one["reference"].endswith(" void")
    }
    return [
        TaxDocument(
            code=one["metadata"]["concord_code"],
            currency=one["currency"].upper(),
            amount=Decimal(sum(line["amount"] for line in one["line_items"])),
            tax=Decimal(sum(line["amount_tax"] for line in one["line_items"])),
            lines=[
                Line(id=line["reference"], amount=Decimal(line["amount"]), tax=Decimal(line["amount_tax"]))
                for line in one["line_items"]
            ],
            day=day_of(one["posted_at"]),
        )
        for one in books["tax_transactions"]
        if one["type"] == "transaction" and one["id"] not in back
    ]


def requests(vendor: str, log: Sequence[Mapping[str, Any]]) -> list[Request]:
    """Give the writes of which it can be told what they were about."""
    paths = _MARKED_PATHS[vendor]
    found = []
    for entry in log:
        named = _EXTERNAL_ID.search(entry["path"])
        marker = entry["marker"] or (named.group(1) if named else None)
        if marker and entry["method"] in _WRITES and paths.match(entry["path"]):
            address = entry["path"].partition("?")[0]
            found.append(
                Request(
                    vendor=vendor,
                    address=address,
                    marker=marker,
                    sha256=entry["sha256"],
                    refused=_told_refused(entry),
                )
            )
    return found


def _told_refused(entry: Mapping[str, Any]) -> bool:
    """Tell whether the caller was told that nothing was done."""
    status = entry.get("status")
    answered = entry.get("fault") in _REFUSING or (status is not None and 400 <= status < 500)
    return bool(entry.get("replied")) and answered


def _sum(parts: Iterable[Mapping[str, Any]] | None) -> Decimal:
    return sum((Decimal(part["amount"]) for part in parts or ()), Decimal(0))


def _minor(major: Any, currency: str) -> Decimal:
    return Decimal(major).scaleb(exponent(currency))
