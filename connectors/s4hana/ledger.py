"""What the ledger shows: journal entries with lines and totals, open items, line items, balances, accounts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors.s4hana.client import read_all
from connectors.s4hana.journal import ITEMS, MARKED
from connectors.s4hana.marks import key_part, padded
from connectors.s4hana.odata import answers
from connectors.s4hana.odata.literals import all_of, condition, decimal_of
from connectors.s4hana.odata.model import EntitySet, entity_set
from connectors.s4hana.odata.values import read_entity
from connectors.s4hana.reads import is_of, listing_input, read, unread
from hub.sdk.connector import ReadOperation, Record
from hub.sdk.errors import FixData, OutcomeUnknown, RetryLater
from hub.sdk.session import Session
from hub.sdk.values import Response

LINE_ITEMS = entity_set("API_GLACCOUNTLINEITEM", "GLAccountLineItem")
BALANCES = entity_set("API_JOURNALENTRYITEMBASIC_SRV", "A_JournalEntryItemBasic")
ACCOUNTS = entity_set("API_GLACCOUNTINCHARTOFACCOUNTS_SRV", "A_GLAccountInChartOfAccounts")
COMPANIES = entity_set("API_COMPANYCODE_SRV", "A_CompanyCode")
_ORDER = ",".join(ITEMS.keys)
_DOCUMENT = {"company_code": "CompanyCode", "fiscal_year": "FiscalYear", "id": "AccountingDocument"}
#: What each line of a document has, in its currency and in the company's.
_AMOUNTS = ("AmountInTransactionCurrency", "AmountInCompanyCodeCurrency")
_HEAD = {
    "document_type": "AccountingDocumentType",
    "posting_date": "PostingDate",
    "document_date": "DocumentDate",
    "reference": "DocumentReferenceID",
    "text": "AccountingDocumentHeaderText",
    "code": MARKED,
    "currency": "TransactionCurrency",
    "reversed_by": "ReverseDocument",
}


async def journal_entry(session: Session, wanted: Record) -> Record:
    """Read one document with all its lines; `RetryLater` as `not-shown` where there is none.

    Who names a document has its number from S/4HANA, most often from the posting a moment ago, and posted documents
    are never deleted: one that reporting does not show yet is asked for again, for as long as the step's retry policy
    has patience. Only then is it told that there is none.
    """
    key: dict[str, Any] = {**key_of(wanted)}
    conditions = [condition(ITEMS, property, "eq", key[field]) for field, property in _DOCUMENT.items()]
    rows = await read_all(session, ITEMS, filter=all_of(conditions), order=_ORDER)
    if not rows:
        raise RetryLater("S/4HANA does not show this journal entry, or not yet.", code="not-shown", **key)
    return entry_of(rows)


def key_of(wanted: Record) -> dict[str, str]:
    """Give company code, fiscal year and number of a document that is named by them, or by all three in one text."""
    key = {field: str(wanted.get(field, "")) for field in _DOCUMENT}
    told = key["id"].split("/")
    if len(told) == len(_DOCUMENT):
        key |= {name: part for name, part in zip(_DOCUMENT, told, strict=True) if not key[name] or name == "id"}
    if not all(key.values()):
        raise FixData(
            "A journal entry is named by company code, fiscal year and number: each by itself, or in one as "
            "`1010/2026/1800000000`.",
            code="no-key",
            id=key["id"],
        )
    return key


async def find_entries(session: Session, wanted: Record) -> Record:
    """Find documents by the reference that they were posted with, or by the hub's mark; each with its lines."""
    names = {"company_code": "CompanyCode", "reference": "DocumentReferenceID", "code": MARKED}
    conditions = [condition(ITEMS, property, "eq", wanted[name]) for name, property in names.items() if name in wanted]
    rows = await read_all(session, ITEMS, filter=all_of(conditions), order=_ORDER)
    documents: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        _assert_asked_for(names, wanted, row)
        documents.setdefault(tuple(str(row.get(name)) for name in _DOCUMENT.values()), []).append(row)
    return {"journal_entries": [entry_of(each) for each in documents.values()]}


def _assert_asked_for(names: Mapping[str, str], wanted: Record, row: Mapping[str, Any]) -> None:
    if not is_of(dict(names))(wanted, row):
        raise OutcomeUnknown("A row came that was not asked for.", code="foreign-answer")


def entry_of(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give a document of its items: head, lines as SAP names them, and totals in its currency and the company's."""
    first = rows[0]
    if len({row.get("AccountingDocumentItem") for row in rows}) != len(rows):
        raise OutcomeUnknown("A line of the document came twice.", code="unreadable-answer")
    told: dict[str, Any] = {field: key_part(property, first[property]) for field, property in _DOCUMENT.items()}
    head = {field: first[property] for field, property in _HEAD.items() if first.get(property)}
    totals, local = (totals_of(rows, name) for name in _AMOUNTS)
    if totals["debit"] != totals["credit"] or local["debit"] != local["credit"]:
        # A document balances, so that a line is missing where one does not.
        raise OutcomeUnknown("The document's lines came incomplete.", code="unreadable-answer", **told)
    # Item numbers may come without leading zeros, and are ordered as texts then.
    lines = sorted(rows, key=lambda row: padded(row.get("AccountingDocumentItem")))
    return {**told, **head, "total": totals["debit"], "total_in_company_currency": local["debit"], "lines": lines}


def _entries(response: Response) -> None:
    """Read the documents of an answer, whose lines may go on in the next one."""
    for row in answers.raw_rows(ITEMS, response):
        line = read_entity(ITEMS, row)
        for name in _AMOUNTS:
            totals_of([line], name)


def totals_of(rows: Sequence[Mapping[str, Any]], name: str) -> dict[str, str]:
    """Add up debits and credits, both without sign; `OutcomeUnknown` where a row has no such amount."""
    if not all(name in row for row in rows):
        raise OutcomeUnknown("A line has no amount.", code="unreadable-answer", property=name)
    amounts = [decimal_of(row[name], name) for row in rows]
    debit = sum((each for each in amounts if each > 0), Decimal(0))
    credit = -sum((each for each in amounts if each < 0), Decimal(0))
    return {"debit": f"{debit:f}", "credit": f"{credit:f}"}


def _listing(
    *,
    name: str,
    title: str,
    entity: EntitySet,
    asked: Mapping[str, tuple[str, str, str]],
    required: Sequence[str] = (),
    fixed: Sequence[str] = (),
    schema: str,
    order: Sequence[str],
    takes: str = "",
) -> ReadOperation:
    """Declare a list of rows; `asked` maps an input's field to property, operator, and what it says.

    `takes` names the schema of the input, where mappings make it.
    """
    inline = listing_input(
        {field: {"type": "string", "minLength": 1, "description": said} for field, (_, _, said) in asked.items()},
        required,
    )

    async def rows(session: Session, wanted: Record) -> Record:
        conditions = [
            condition(entity, property, operator, wanted[field])
            for field, (property, operator, _) in asked.items()
            if field in wanted
        ]
        found = await read_all(session, entity, filter=all_of([*fixed, *conditions]), order=",".join(order))
        equal = {field: property for field, (property, operator, _) in asked.items() if operator == "eq"}
        for row in found:
            _assert_asked_for(equal, wanted, row)
        return {"items": found}

    return ReadOperation(
        name=name,
        title=title,
        input={"$ref": takes} if takes else inline,
        output={"$ref": schema},
        read=rows,
        claim=_unread(entity, schema),
    )


def _unread(entity: EntitySet, schema: str) -> Callable[[Response], tuple[str, Record]]:
    return unread(
        entity, schema, reads=lambda response: [read_entity(entity, row) for row in answers.raw_rows(entity, response)]
    )


_LINES_UNREAD = unread(ITEMS, "s4hana.items@1", reads=_entries)
READ = ReadOperation(
    name="journal_entry.read",
    title="Read a journal entry with its lines and totals",
    input=listing_input(
        {
            "company_code": {"type": "string", "minLength": 1, "description": "company code"},
            "fiscal_year": {"type": "string", "minLength": 1, "description": "fiscal year, four digits"},
            "id": {"type": "string", "minLength": 1, "description": "number of the document, or its whole name"},
        },
        required=("id",),
    ),
    output={"$ref": "s4hana.journal_entry@1"},
    read=journal_entry,
    about=lambda asked, came: all(
        key_part(_DOCUMENT[name], value) == key_part(_DOCUMENT[name], came[name])
        for name, value in key_of(asked).items()
    ),
    claim=_LINES_UNREAD,
)
FIND = ReadOperation(
    name="journal_entry.find",
    title="Find journal entries by their reference or by the hub's mark",
    input={"$ref": "s4hana.journal_entries_query@1"},
    output={"$ref": "s4hana.journal_entries@1"},
    read=find_entries,
    claim=_LINES_UNREAD,
)
OPEN_ITEMS = _listing(
    name="open_item.list",
    title="List what a customer owes or is owed: open items of its account",
    entity=ITEMS,
    asked={
        "company_code": ("CompanyCode", "eq", "company code"),
        "customer": ("Customer", "eq", "number of the customer"),
        "due_until": ("NetDueDate", "le", "only what is due until this day"),
    },
    required=("company_code", "customer"),
    takes="s4hana.open_items_query@1",
    fixed=(condition(ITEMS, "FinancialAccountType", "eq", "D"), condition(ITEMS, "IsCleared", "eq", False)),
    schema="s4hana.items@1",
    order=ITEMS.keys,
)
LINES = _listing(
    name="line_item.list",
    title="List line items of G/L accounts by document, reference document, account or day",
    entity=LINE_ITEMS,
    asked={
        "company_code": ("CompanyCode", "eq", "company code"),
        "fiscal_year": ("FiscalYear", "eq", "fiscal year, four digits"),
        "ledger": ("Ledger", "eq", "ledger; the leading one is 0L"),
        "accounting_document": ("AccountingDocument", "eq", "number of the document"),
        "reference_document": ("ReferenceDocument", "eq", "number of the document that it was made of"),
        "gl_account": ("GLAccount", "eq", "number of the account"),
        "posted_from": ("PostingDate", "ge", "first day"),
        "posted_until": ("PostingDate", "le", "last day"),
    },
    required=("company_code", "ledger"),
    schema="s4hana.line_items@1",
    order=("CompanyCode", "FiscalYear", "AccountingDocument", "LedgerGLLineItem"),
)
BALANCE = _listing(
    name="balance.list",
    title="List what was posted to accounts, added up by account, period and the like",
    entity=BALANCES,
    asked={
        "company_code": ("CompanyCode", "eq", "company code"),
        "fiscal_year": ("LedgerFiscalYear", "eq", "fiscal year, four digits"),
        "ledger": ("Ledger", "eq", "ledger; the leading one is 0L"),
        "gl_account": ("GLAccount", "eq", "number of the account"),
    },
    required=("company_code", "fiscal_year", "ledger"),
    schema="s4hana.balances@1",
    order=("GLAccount", "FiscalYearPeriod"),
)
ACCOUNT = read(
    name="gl_account.read",
    title="Read a G/L account of a chart of accounts with its names",
    entity=ACCOUNTS,
    schema="s4hana.gl_account@1",
    key={"chart_of_accounts": "ChartOfAccounts", "id": "GLAccount"},
    said={"chart_of_accounts": "chart of accounts, such as YCOA", "id": "number of the account"},
)
COMPANY = read(
    name="company_code.read",
    title="Read a company code with its currency and chart of accounts",
    entity=COMPANIES,
    schema="s4hana.company_code@1",
    key={"id": "CompanyCode"},
    said={"id": "company code"},
)
OPERATIONS = (READ, FIND, OPEN_ITEMS, LINES, BALANCE, ACCOUNT, COMPANY)
