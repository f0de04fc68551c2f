"""Journal entries posted by SOAP: invoices, credit memos, payments and general ones, found again by the hub's mark.

The service posts the same message twice when it comes twice. So the mark of the effect stands in the head of each entry
(`Reference1InDocumentHeader`), and after an unknown outcome the items of the ledger are asked for it before anything
is sent again.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from connectors.s4hana import entries
from connectors.s4hana.entries import Entry
from connectors.s4hana.failures import LOCKED_TEXT
from connectors.s4hana.marks import mark, named, number
from connectors.s4hana.odata import answers, requests
from connectors.s4hana.odata.literals import condition
from connectors.s4hana.odata.model import entity_set
from connectors.s4hana.odata.values import read_entity
from connectors.s4hana.settings import S4HanaSettings
from connectors.s4hana.soap import messages
from connectors.s4hana.soap.confirmations import code_of, confirmed
from hub.sdk.connector import JsonSchema, Record, WriteOperation
from hub.sdk.errors import FixData, NotBegun, OutcomeUnknown
from hub.sdk.values import EffectKey, Idempotency, Request, Response

ITEMS = entity_set("API_OPLACCTGDOCITEMCUBE_SRV", "A_OperationalAcctgDocItemCube")
#: The field of an entry's head that bears the mark.
MARKED = "Reference1InDocumentHeader"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_DOCUMENT = ("CompanyCode", "FiscalYear", "AccountingDocument")
#: Reporting may show a posting a moment later than it was made.
SETTLE = 120.0
OUTPUT: JsonSchema = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "number of the accounting document, without leading zeros"},
        "company_code": {"type": "string"},
        "fiscal_year": {"type": "string"},
        "posting_date": {"type": "string", "format": "date"},
        "code": {"type": "string", "description": "the hub's mark on the entry"},
        "document": {"type": "string", "description": "its whole name: company code, fiscal year and number"},
    },
    "required": ["id", "company_code", "fiscal_year", "posting_date", "code", "document"],
    "additionalProperties": False,
}
#: What an asynchronous posting gives: nothing yet, or the document that a look has found.
SUBMITTED: JsonSchema = {
    "type": "object",
    "properties": {
        "accounting_document": {"type": "string"},
        "company_code": {"type": "string"},
        "fiscal_year": {"type": "string"},
    },
    "additionalProperties": False,
}
REVERSAL: JsonSchema = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "minLength": 1, "maxLength": 10, "description": "number of the document"},
        "company_code": {"type": "string", "minLength": 1, "maxLength": 4},
        "fiscal_year": {"type": "string", "pattern": "^[0-9]{4}$"},
        "posting_date": {"type": "string", "format": "date", "description": "the day on which it is taken back"},
        "reason": {"type": "string", "minLength": 1, "maxLength": 2},
        "document_type": {"type": "string", "minLength": 1, "maxLength": 5},
    },
    "required": ["id", "company_code", "fiscal_year", "posting_date"],
    "additionalProperties": False,
}


def result(response: Response) -> Record:
    """Read what became of an entry; `FixData` with the words of SAP's log when it was not posted."""
    found = confirmed(response)
    if found.is_posted:
        code, _, day = found.reference.partition("-")
        if not found.company or not found.year or not _DAY.fullmatch(day):
            raise OutcomeUnknown("The confirmation names no document of ours.", code="unreadable-answer")
        return {
            "id": found.document,
            "company_code": found.company,
            "fiscal_year": found.year,
            "posting_date": day,
            "code": code,
            "document": named(found.company, found.year, found.document),
        }
    wrong = found.first_error
    if found.document or wrong is None:
        # A document with an error, or neither: what was done cannot be told from this.
        raise OutcomeUnknown("The confirmation contradicts itself.", code="unreadable-answer", severity=found.severity)
    words = "; ".join(each.note for each in found.log if each.severity in ("3", "4"))[:600]
    facts: dict[str, Any] = {"error": wrong.type, "reason": words}
    if LOCKED_TEXT.search(words):
        raise NotBegun("Somebody is working on it in S/4HANA.", code="locked", **facts)
    raise FixData("S/4HANA did not post the journal entry.", code=code_of(wrong.type), **facts)


def look(settings: S4HanaSettings, key: EffectKey) -> Request:
    """Form the read of the ledger's items that bear a mark."""
    wanted = condition(ITEMS, MARKED, "eq", mark(key))
    select = (*ITEMS.keys, MARKED, "PostingDate")
    return requests.many(settings.base_url, ITEMS, filter=wanted, select=select, order=",".join(ITEMS.keys))


def found(response: Response, key: EffectKey) -> Record | None:
    """Give the one document that bears a mark, or None; `FixData` where there are several."""
    rows = answers.whole(ITEMS, response)
    if any(row.get(MARKED) != mark(key) for row in rows):
        raise OutcomeUnknown("Items were found that were not asked for.", code="foreign-answer")
    documents = {tuple(str(row[name]) for name in _DOCUMENT) for row in rows}
    if len(documents) > 1:
        numbers = ", ".join("/".join(each) for each in sorted(documents)[:5])
        raise FixData("S/4HANA has several documents of one write.", code="found-twice", ids=numbers)
    for company, year, document in documents:
        day = str(read_entity(ITEMS, rows[0]).get("PostingDate", ""))
        made = {"id": number(document), "company_code": company, "fiscal_year": year}
        return {**made, "posting_date": day, "code": mark(key), "document": named(company, year, document)}
    return None


def about(request: Request, output: Record) -> bool:
    """Tell whether a confirmation is that of the entry which was sent."""
    return (
        f"<ID>{output['code']}</ID>".encode() in request.body and str(output["posting_date"]).encode() in request.body
    )


def _posting(
    *, name: str, title: str, schema: JsonSchema, read: Callable[[Record], Entry], undo: str = "journal_entry.reverse"
) -> WriteOperation:
    def request(settings: S4HanaSettings, record: Record, key: EffectKey) -> Request:
        return messages.posting(settings, read(record), key)

    return WriteOperation(
        name=name,
        title=title,
        input=schema,
        output=OUTPUT,
        idempotency=Idempotency.PROBE,
        request=request,
        result=result,
        about=about,
        look=look,
        found=found,
        settle=SETTLE,
        undo=undo,
    )


def _submission(settings: S4HanaSettings, record: Record, key: EffectKey) -> Request:
    return messages.submitting(settings, entries.general(record), key)


def submitted(response: Response) -> Record:
    """Take note that a message was taken in; S/4HANA answers with 202 and nothing else."""
    if response.status != 202 or response.body.strip():
        raise OutcomeUnknown("The message was not taken in.", code="unreadable-answer", status=response.status)
    return {}


def submission_found(response: Response, key: EffectKey) -> Record | None:
    """Give the document that a message has become, or None as long as it is none."""
    one = found(response, key)
    if one is None:
        return None
    return {"accounting_document": one["id"], "company_code": one["company_code"], "fiscal_year": one["fiscal_year"]}


def _schema(name: str) -> JsonSchema:
    return {"$ref": f"s4hana.{name}@1"}


OPERATIONS = (
    _posting(
        name="invoice.post",
        title="Post a customer's invoice with revenue and taxes as a journal entry",
        schema=_schema("invoice_posting"),
        read=entries.invoice,
    ),
    _posting(
        name="credit_memo.post",
        title="Post a customer's credit memo as a journal entry",
        schema=_schema("invoice_posting"),
        read=entries.credit_memo,
    ),
    _posting(
        name="payment.post",
        title="Post a customer's payment, less a fee, with the invoice that it clears",
        schema=_schema("payment_posting"),
        read=entries.payment,
    ),
    _posting(
        name="journal_entry.post",
        title="Post a journal entry line by line",
        schema=_schema("journal_entry_posting"),
        read=entries.general,
    ),
    WriteOperation(
        name="journal_entry.submit",
        title="Hand in a journal entry that is posted and confirmed later",
        input=_schema("journal_entry_posting"),
        output=SUBMITTED,
        idempotency=Idempotency.PROBE,
        request=_submission,
        result=submitted,
        look=look,
        found=submission_found,
        # It waits in the tenant's queue before it is posted; a repeated message has the same id and is passed over.
        settle=3600.0,
    ),
    WriteOperation(
        name="journal_entry.reverse",
        title="Take a journal entry back with its opposite",
        input=REVERSAL,
        output=OUTPUT,
        idempotency=Idempotency.PROBE,
        request=messages.reversing,
        result=result,
        about=about,
        look=look,
        found=found,
        settle=SETTLE,
    ),
)
