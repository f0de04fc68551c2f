"""What to try the connector with against its sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.sdk.testing.samples import ReadSample, Samples, WriteSample

#: A key of its own each time: none that could be mistaken for a real one stands here.
PRIVATE = ec.generate_private_key(ec.SECP256R1())
PEM = PRIVATE.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
SETTINGS: Mapping[str, Any] = {
    "base_url": "https://1234567-sb1.suitetalk.api.netsuite.com",
    "account": "1234567_SB1",
    "client_id": "ef40afdd8abaac111b13825dd5e5e2dd",
    "certificate_id": "cert-1",
    "algorithm": "ES256",
    "private_key": PEM,
    "consumer_secret": "an-invented-consumer-secret",
    "token_id": "an-invented-token",
    "token_secret": "an-invented-token-secret",
}
CUSTOMER = {"externalId": "cus_9", "companyName": "Nine", "subsidiary": {"id": "2"}, "currency": {"id": "4"}}
CONTACT = {
    "externalId": "con_9",
    "entityId": "Ada Byron",
    "company": {"externalId": "cus_1"},
    "subsidiary": {"id": "2"},
    "firstName": "Ada",
    "lastName": "Byron",
    "email": "ada@acme.example",
    "phone": "+49 40 5551",
    "title": "Accountant",
    "isInactive": False,
}
INVOICE = {
    "externalId": "in_9",
    "entity": {"externalId": "cus_1"},
    "tranDate": "2026-01-31",
    "taxDetailsOverride": True,
    "item": [{"item": {"id": "101"}, "quantity": 1, "amount": Decimal("100.10"), "taxDetailsReference": "L1"}],
    "taxDetails": [
        {
            "taxDetailsReference": "L1",
            "taxType": "VAT",
            "taxCode": {"id": "202"},
            "taxRate": 19,
            "taxAmount": Decimal("19.02"),
        }
    ],
}
PAYMENT = {
    "customer": {"externalId": "cus_1"},
    "payment": Decimal("119.12"),
    "tranDate": "2026-02-01",
    "apply": [{"doc": {"id": "5001"}, "apply": True, "amount": Decimal("119.12")}],
}


def _count(name: str, record: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], int]:
    """Count the records that are what was written: under its external id, and with as many lines."""
    sizes = {sublist: len(lines) for sublist, lines in record.items() if isinstance(lines, list)}
    return lambda books: sum(
        one["externalId"] == record["externalId"]
        and all(len(one.get(sublist, ())) == size for sublist, size in sizes.items())
        for one in books[name]
    )


def _upsert(operation: str, record: Mapping[str, Any], books: str, **of_others: Any) -> WriteSample:
    count = _count(books, record)
    other = WriteSample(operation=operation, input={**record, **of_others}, documents=count)
    return WriteSample(operation=operation, input=record, documents=count, interfering=[other])


#: The records below are written after one invoice, whose internal id is 5001.
CREDIT_MEMO = {
    "externalId": "cn_9",
    "entity": {"externalId": "cus_1"},
    "tranDate": "2026-02-03",
    "item": [{"item": {"id": "101"}, "quantity": 1, "amount": Decimal("50.05")}],
    "apply": [{"doc": {"id": "5001"}, "apply": True, "amount": Decimal("20.00")}],
}
RECEIPT = {
    "externalId": "pay_9",
    "customer": {"externalId": "cus_1"},
    "subsidiary": {"id": "2"},
    "payment": Decimal("80.00"),
    "tranDate": "2026-02-01",
    "arAcct": {"id": "119"},
    "account": {"id": "1"},
    "apply": [{"doc": {"id": "5001"}, "apply": True, "amount": Decimal("60.00")}],
}
DEPOSIT = {
    "externalId": "dep_9",
    "customer": {"externalId": "cus_1"},
    "payment": Decimal("75.00"),
    "tranDate": "2026-01-20",
    "account": {"id": "1"},
}
REFUND = {
    "externalId": "re_9",
    "customer": {"externalId": "cus_1"},
    "tranDate": "2026-02-05",
    "account": {"id": "1"},
    "apply": [{"doc": {"externalId": "cn_9"}, "apply": True, "amount": Decimal("30.05")}],
}
JOURNAL = {
    "externalId": "po_9",
    "subsidiary": {"id": "2"},
    "tranDate": "2026-02-06",
    "line": [
        {"account": {"id": "60"}, "debit": Decimal("2.95"), "memo": "processing fee"},
        {"account": {"id": "1"}, "credit": Decimal("2.95")},
    ],
}
SALES_ORDER: Mapping[str, Any] = {
    "externalId": "ct_9",
    "entity": {"externalId": "cus_1"},
    "tranDate": "2026-01-10",
    "orderStatus": "B",
    "otherRefNum": "PO-9",
    "startDate": "2026-01-01",
    "endDate": "2026-12-31",
    "item": [
        {"line": 1, "item": {"id": "101"}, "quantity": 12, "rate": Decimal("99.90"), "isClosed": False},
        {"line": 2, "item": {"id": "105"}, "quantity": 1, "amount": Decimal("500.00"), "isClosed": False},
    ],
}
ITEM = {"externalId": "price_9", "itemId": "Seats", "incomeAccount": {"id": "54"}, "rate": Decimal("12.50")}


def _marked(books: str) -> Callable[[Mapping[str, Any]], int]:
    """Count what carries a mark of the hub: what takes something back."""
    return lambda found: sum(str(one.get("memo")).startswith("concord:") for one in found[books])


def _reverse(operation: str, record: Mapping[str, Any], books: str, *after: WriteSample) -> WriteSample:
    return WriteSample(operation=operation, input=record, documents=_marked(books), after=after)


MAKE_CUSTOMER = _upsert("customer.upsert", CUSTOMER, "customers", companyName="Nine and Daughters")
MAKE_CONTACT = _upsert("contact.upsert", CONTACT, "contacts", title="Controller")
MAKE_INVOICE = _upsert("invoice.upsert", INVOICE, "invoices", otherRefNum="PO-77", tranDate="2026-01-30")
MAKE_PAYMENT = WriteSample(
    operation="payment.create",
    input=PAYMENT,
    documents=lambda books: sum(one["payment"] == "119.12" for one in books["payments"]),
    after=(MAKE_INVOICE,),
)
SUBMIT_JOB = WriteSample(
    operation="job.submit",
    input={"type": "customer", "action": "upsert", "records": [{**CUSTOMER, "externalId": "cus_10"}]},
    documents=_count("customers", {"externalId": "cus_10"}),
)
MAKE_CREDIT_MEMO = replace(
    _upsert("credit_memo.upsert", CREDIT_MEMO, "creditMemos", tranDate="2026-02-04"), after=(MAKE_INVOICE,)
)
MAKE_RECEIPT = replace(_upsert("payment.upsert", RECEIPT, "payments", tranDate="2026-02-02"), after=(MAKE_INVOICE,))
MAKE_DEPOSIT = _upsert("deposit.upsert", DEPOSIT, "deposits", payment=Decimal("76.00"))
MAKE_REFUND = replace(
    _upsert("refund.upsert", REFUND, "refunds", tranDate="2026-02-06"), after=(MAKE_INVOICE, MAKE_CREDIT_MEMO)
)
MAKE_JOURNAL = _upsert("journal_entry.upsert", JOURNAL, "journals", tranDate="2026-02-07")
MAKE_SALES_ORDER = _upsert("sales_order.upsert", SALES_ORDER, "salesOrders", otherRefNum="PO-10")
MAKE_ITEM = _upsert("item.upsert", ITEM, "items", rate=Decimal("13.00"))
SAMPLES = Samples(
    settings=SETTINGS,
    exempt={
        "restlet.call": {
            "error-inside": "a script words its own answers, and only the flow that calls it can expect one of them"
        }
    },
    seed={
        "customers": [
            {"externalId": "cus_1", "companyName": "Acme", "subsidiary": {"id": "2"}, "currency": "EUR"},
        ],
        # Of what the streams show: a transaction, and the seconds after which a change is told.
        "records": [
            {
                "type": "creditMemo",
                "id": "4001",
                "entity": {"externalId": "cus_1"},
                "tranDate": "2026-01-15",
                "item": {"items": [{"item": {"id": "101"}, "amount": Decimal("7.70")}]},
            }
        ],
        "settings": {"job_seconds": 0, "seconds_later": 5},
    },
    wrong={"certificate_id": "other"},
    reads=(
        ReadSample(operation="customer.read", input={"external_id": "cus_1"}),
        ReadSample(operation="customer.find", input={"external_id": "cus_1"}),
        ReadSample(operation="contact.read", input={"external_id": "con_9"}, after=(MAKE_CONTACT,)),
        ReadSample(operation="contact.find", input={"external_id": "con_9"}, after=(MAKE_CONTACT,)),
        ReadSample(operation="contact.named", input={"company": "1001", "name": "Ada Byron"}, after=(MAKE_CONTACT,)),
        ReadSample(operation="sales_order.read", input={"external_id": "ct_9"}, after=(MAKE_SALES_ORDER,)),
        ReadSample(operation="invoice.read", input={"id": "5001"}, after=(MAKE_INVOICE,)),
        ReadSample(operation="payment.read", input={"id": "5002"}, after=(MAKE_PAYMENT,)),
        ReadSample(operation="job.read", input={"id": "1"}, after=(SUBMIT_JOB,)),
        ReadSample(operation="credit_memo.read", input={"id": "5002"}, after=(MAKE_INVOICE, MAKE_CREDIT_MEMO)),
        ReadSample(operation="credit_memo.find", input={"id": "eid:cn_9"}, after=(MAKE_INVOICE, MAKE_CREDIT_MEMO)),
        ReadSample(operation="deposit.read", input={"external_id": "dep_9"}, after=(MAKE_DEPOSIT,)),
        ReadSample(operation="refund.read", input={"id": "5003"}, after=(MAKE_INVOICE, MAKE_CREDIT_MEMO, MAKE_REFUND)),
        ReadSample(
            operation="refund.find", input={"id": "eid:re_9"}, after=(MAKE_INVOICE, MAKE_CREDIT_MEMO, MAKE_REFUND)
        ),
        ReadSample(operation="journal_entry.read", input={"id": "eid:po_9"}, after=(MAKE_JOURNAL,)),
        ReadSample(operation="item.read", input={"external_id": "price_9"}, after=(MAKE_ITEM,)),
        ReadSample(operation="period.read", input={"id": "37"}),
        ReadSample(operation="subsidiary.list", input={}),
        ReadSample(operation="currency.list", input={}),
        ReadSample(
            operation="suiteql.query", input={"q": "SELECT id FROM customer WHERE externalid = ?", "params": ["cus_1"]}
        ),
    ),
    writes=(
        MAKE_CUSTOMER,
        MAKE_CONTACT,
        MAKE_SALES_ORDER,
        WriteSample(
            operation="sales_order.close",
            input={"id": "5001"},
            documents=lambda books: sum(one["status"] == "H" for one in books["salesOrders"]),
            after=(MAKE_SALES_ORDER,),
        ),
        MAKE_INVOICE,
        MAKE_PAYMENT,
        MAKE_CREDIT_MEMO,
        MAKE_RECEIPT,
        MAKE_DEPOSIT,
        MAKE_REFUND,
        MAKE_JOURNAL,
        MAKE_ITEM,
        _reverse("credit_memo.reverse", CREDIT_MEMO, "invoices", MAKE_INVOICE, MAKE_CREDIT_MEMO),
        _reverse("payment.reverse", RECEIPT, "journals", MAKE_INVOICE, MAKE_RECEIPT),
        _reverse("deposit.reverse", {"id": "5001", "tranDate": "2026-02-08"}, "refunds", MAKE_DEPOSIT),
        _reverse("refund.reverse", REFUND, "payments", MAKE_INVOICE, MAKE_CREDIT_MEMO, MAKE_REFUND),
        _reverse("journal_entry.reverse", JOURNAL, "journals", MAKE_JOURNAL),
        WriteSample(
            operation="invoice.reverse",
            input={"id": "5001", "tranDate": "2026-02-01"},
            documents=lambda books: sum(one.get("createdFrom") == "5001" for one in books["creditMemos"]),
            after=(MAKE_INVOICE,),
        ),
        WriteSample(
            operation="restlet.call",
            input={"script": "101", "deploy": "1", "body": {"customer": "1001"}},
            documents=lambda books: len(books["restletCalls"]),
        ),
        SUBMIT_JOB,
    ),
)
