"""The general ledger: entries are checked, get a number, and stand as items in balance; open items are cleared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.s4hana.sandbox.business.organisation import CHART, DOCUMENT_TYPES, Company, rounded
from connectors.s4hana.sandbox.odata.errors import Message
from connectors.s4hana.sandbox.store import Key, Row

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

ITEMS = "JournalItem"
HEADS = "JournalEntry"
#: Keys of what is open on customers' accounts: company code, customer, what it belongs to, year, document, item.
OPEN = "OpenItem"
CREATED = "sap.s4.beh.journalentry.v1.JournalEntry.Created.v1"
ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of an entry; a positive amount is a debit. `customer` lines stand on a reconciliation account.

    `code` is S (debit) or H (credit); where it contradicts the sign, it is a negative posting. `tax_base` is set on tax
    lines. `more` are further columns of the item.
    """

    account: str
    amount: Decimal
    code: str = ""
    customer: str = ""
    supplier: str = ""
    tax_code: str = ""
    tax_base: Decimal | None = None
    local: Decimal | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A journal entry that is to be posted; `head` are columns that all its items have."""

    company: str
    type: str
    posting_date: date
    document_date: date
    currency: str
    lines: Sequence[Line]
    reference_type: str = "BKPFF"
    reference: str = ""
    user: str = ""
    head: Mapping[str, Any] = field(default_factory=dict)
    check_tax: bool = False
    #: The exchange rate to the company's currency, and the period, where the caller says them.
    rate: Decimal | None = None
    period: str = ""


class NotPosted(Exception):
    """An entry was refused; `messages` say why."""

    def __init__(self, messages: Sequence[Message]) -> None:
        """Take all reasons."""
        super().__init__("; ".join(each.text for each in messages))
        self.messages = messages


def check(tenant: Tenant, entry: Entry) -> list[Message]:
    """Give all that keeps an entry from being posted; nothing if it is in order."""
    organisation = tenant.organisation
    company = organisation.companies.get(entry.company)
    if company is None:
        return [Message(code="F5/165", text=f"Company code {entry.company} is not defined")]
    found: list[Message] = []
    if entry.type not in DOCUMENT_TYPES:
        found.append(Message(code="F5/814", text=f"Document type {entry.type} is not defined"))
    if not organisation.is_open(company, entry.posting_date):
        year, period = company.period(entry.posting_date)
        found.append(Message(code="F5/201", text=f"Posting period {period} {year} is not open"))
    found += _check_period(entry, company)
    if entry.currency not in organisation.rates:
        found.append(Message(code="F5/215", text=f"Currency {entry.currency} is not defined"))
        return found
    if len(entry.lines) < 2:
        found.append(Message(code="F5/708", text="Document has too few line items"))
    for line in entry.lines:
        found += _check_line(tenant, entry, company, line)
    balance = sum((line.amount for line in entry.lines), ZERO)
    if balance:
        found.append(Message(code="F5/702", text=f"Balance in transaction currency: {balance} {entry.currency}"))
    found += _check_tax(tenant, entry, company)
    return found


def _check_period(entry: Entry, company: Company) -> list[Message]:
    """A period that is given must be that of the posting date; behind the last one there are four special ones."""
    if not entry.period:
        return []
    _, period = company.period(entry.posting_date)
    special = period == "012" and entry.period in ("13", "14", "15", "16")
    if special or entry.period == period.lstrip("0"):
        return []
    return [Message(code="F5/284", text=f"Period {entry.period} does not fit posting date {entry.posting_date}")]


def _check_line(tenant: Tenant, entry: Entry, company: Company, line: Line) -> list[Message]:
    found: list[Message] = []
    if rounded(line.amount, entry.currency) != line.amount:
        found.append(
            Message(code="F5/808", text=f"Amount {line.amount} has more decimals than currency {entry.currency}")
        )
    account = tenant.organisation.accounts.get(line.account)
    if line.customer:
        found += _check_customer(tenant, entry, line.customer)
    elif account is None:
        found.append(Message(code="F5/507", text=f"Account {line.account} is not defined in chart of accounts {CHART}"))
    elif account.subledger and not line.supplier:
        text = f"Account {line.account} is a reconciliation account and cannot be posted to directly"
        found.append(Message(code="F5/352", text=text))
    if account is not None and account.blocked:
        found.append(
            Message(code="F5/155", text=f"Account {line.account} in company code {company.code} is blocked for posting")
        )
    if line.tax_code and tenant.organisation.tax_rate(line.tax_code, company.country) is None:
        found.append(
            Message(code="FF/713", text=f"Tax code {line.tax_code} in procedure 0TX{company.country} is invalid")
        )
    contradicts = (line.code == "H" and line.amount > 0) or (line.code == "S" and line.amount < 0)
    if contradicts and tenant.settings.negative_postings == "block":
        text = f"Sign of amount {line.amount} contradicts debit/credit code {line.code}"
        found.append(Message(code="FINS_ACDOC_POST/263", text=text))
    if line.code not in ("", "S", "H"):
        found.append(Message(code="F5/804", text=f"Debit/credit code {line.code} is not defined"))
    return found


def _check_customer(tenant: Tenant, entry: Entry, customer: str) -> list[Message]:
    head = tenant.store.table("A_Customer").get((customer,))
    if head is None:
        return [Message(code="F5/102", text=f"Customer {customer} does not exist")]
    row = tenant.store.table("A_CustomerCompany").get((customer, entry.company))
    if row is None:
        return [Message(code="F5/102", text=f"Customer {customer} is not defined in company code {entry.company}")]
    if head.get("PostingIsBlocked"):
        return [Message(code="F5/350", text=f"Account {customer} is blocked for posting")]
    return []


def _check_tax(tenant: Tenant, entry: Entry, company: Company) -> list[Message]:
    """Each taxed code needs its tax item, and with `check_tax` the tax must be what the rate makes of the base."""
    found: list[Message] = []
    taxed = {line.tax_code for line in entry.lines if line.tax_code and line.tax_base is None}
    booked = {line.tax_code for line in entry.lines if line.tax_base is not None}
    for code in sorted(taxed - booked):
        rate = tenant.organisation.tax_rate(code, company.country)
        if rate:
            found.append(Message(code="FF/805", text=f"Tax statement item missing for tax code {code}"))
    for line in entry.lines if entry.check_tax else ():
        rate = tenant.organisation.tax_rate(line.tax_code, company.country)
        if line.tax_base is not None and rate is not None:
            due = rounded(line.tax_base * rate / 100, entry.currency)
            if due != line.amount:
                text = f"Tax amount {line.amount} is not what tax code {line.tax_code} makes of {line.tax_base}: {due}"
                found.append(Message(code="FF/747", text=text))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A posted entry: its number (without leading zeros), company code and fiscal year."""

    document: str
    company: str
    year: str


def post(tenant: Tenant, entry: Entry) -> Posted:
    """Post an entry with all its items; raises `NotPosted` and does nothing when something is wrong with it."""
    wrong = check(tenant, entry)
    if wrong:
        raise NotPosted(wrong)
    company = tenant.organisation.companies[entry.company]
    year, period = company.period(entry.posting_date)
    name, first = DOCUMENT_TYPES[entry.type]
    document = str(tenant.number(f"{entry.company}/{year}/{first}", first))
    lines = _in_local(tenant, entry, company)
    now = tenant.stamp()
    head = {
        "CompanyCode": entry.company,
        "CompanyCodeName": company.name,
        "FiscalYear": year,
        "LedgerFiscalYear": year,
        "AccountingDocument": document,
        "ChartOfAccounts": CHART,
        "FiscalPeriod": entry.period or period.lstrip("0"),
        "FiscalYearVariant": company.variant,
        "FiscalYearPeriod": f"{year}{period}",
        "Ledger": "0L",
        "SourceLedger": "0L",
        "GLRecordType": "0",
        "ControllingArea": "A000",
        "PostingDate": entry.posting_date,
        "DocumentDate": entry.document_date,
        "TaxReportingDate": entry.posting_date,
        "AccountingDocumentType": entry.type,
        "AccountingDocumentTypeName": name,
        "AccountingDocumentCreationDate": now.date(),
        "CreationTime": now.time().replace(microsecond=0),
        "CreationDate": now.date(),
        "CreationDateTime": now.replace(microsecond=0),
        "LastChangeDateTime": now.replace(microsecond=0),
        "AccountingDocCreatedByUser": entry.user or tenant.user,
        "ReferenceDocumentType": entry.reference_type,
        "ReferenceDocument": entry.reference or document.zfill(10),
        "OriginalReferenceDocument": entry.reference or f"{document.zfill(10)}{entry.company}{year}",
        "ReferenceDocumentContext": f"{entry.company}{year}",
        "TransactionCurrency": entry.currency,
        "BalanceTransactionCurrency": entry.currency,
        "CompanyCodeCurrency": company.currency,
        "ExchangeRate": entry.rate or tenant.organisation.rate(entry.currency, company.currency),
        "BusinessTransactionType": "RFBU",
        **entry.head,
    }
    if tenant.settings.reporting_delay:
        head["_visible"] = now + timedelta(seconds=tenant.settings.reporting_delay)
    with tenant.unit_of_work():
        key = (entry.company, year, document)
        tenant.store.table(HEADS).put(key, {**head, "Lines": len(lines)})
        offsets = _offsets(lines)
        for place, (line, offset) in enumerate(zip(lines, offsets, strict=True), start=1):
            row = {**head, **_item(tenant, entry, line, place), **offset}
            tenant.store.table(ITEMS).put((*key, str(place)), {k: v for k, v in row.items() if v is not None})
            for group in _belongs(row) if line.customer else ():
                tenant.store.table(OPEN).put((entry.company, line.customer, group, year, document, str(place)), {})
        tenant.raise_event(CREATED, CompanyCode=entry.company, FiscalYear=year, AccountingDocument=document.zfill(10))
        if tenant.settings.clearing == "at_once":
            clear_even(tenant, entry, Posted(document=document, company=entry.company, year=year))
    return Posted(document=document, company=entry.company, year=year)


def _in_local(tenant: Tenant, entry: Entry, company: Company) -> list[Line]:
    """Give the lines with their amounts in the company's currency; what rounding leaves goes to the largest line."""
    lines = [
        line if line.local is not None else replace(line, local=_converted(tenant, entry, company, line.amount))
        for line in entry.lines
    ]
    lacking = sum((line.local or ZERO for line in lines), ZERO)
    if lacking:
        place = max(range(len(lines)), key=lambda each: abs(lines[each].local or ZERO))
        lines[place] = replace(lines[place], local=(lines[place].local or ZERO) - lacking)
    return lines


def _converted(tenant: Tenant, entry: Entry, company: Company, amount: Decimal) -> Decimal:
    if entry.rate is not None and entry.currency != company.currency:
        return rounded(amount * entry.rate, company.currency)
    return tenant.organisation.converted(amount, entry.currency, company.currency)


def _offsets(lines: Sequence[Line]) -> list[dict[str, Any]]:
    """Give each line the account opposite to it: the first one on the other side."""
    offsets: list[dict[str, Any]] = []
    for line in lines:
        other = next((each for each in lines if (each.amount > 0) is not (line.amount > 0)), None)
        if other is None:
            offsets.append({})
            continue
        kind = "D" if other.customer else "K" if other.supplier else "S"
        offsets.append(
            {"OffsettingAccount": other.customer or other.supplier or other.account, "OffsettingAccountType": kind}
        )
    return offsets


def _item(tenant: Tenant, entry: Entry, line: Line, place: int) -> dict[str, Any]:
    account = tenant.organisation.accounts[line.account]
    code = line.code or ("S" if line.amount >= 0 else "H")
    kind = "D" if line.customer else "K" if line.supplier else "S"
    balance = account.kind in ("X", "C")
    posting_keys = {"D": ("01", "15" if entry.type == "DZ" else "11"), "K": ("21", "31"), "S": ("40", "50")}
    row: dict[str, Any] = {
        "AccountingDocumentItem": str(place),
        "LedgerGLLineItem": f"{place:06d}",
        "ReferenceDocumentItem": str(place),
        "AccountingDocumentItemType": "T" if line.tax_base is not None else "",
        "PostingKey": posting_keys[kind][0 if code == "S" else 1],
        "FinancialAccountType": kind,
        "DebitCreditCode": code,
        "ControllingDebitCreditCode": code,
        "GLAccount": line.account,
        "OperationalGLAccount": line.account,
        "GLAccountName": account.name[:30],
        "GLAccountLongName": account.name,
        "GLAccountType": account.kind,
        "IsBalanceSheetAccount": balance,
        "ProfitLossAccountType": "" if balance else "X",
        "IsOpenItemManaged": "X" if account.open_items else "",
        "IsCleared": False,
        "AmountInTransactionCurrency": line.amount,
        "AmountInBalanceTransacCrcy": line.amount,
        "AmountInCompanyCodeCurrency": line.local,
        "IsNegativePosting": (code == "H") is (line.amount > 0) and line.amount != 0,
        "TaxCode": line.tax_code,
        "Customer": line.customer,
        "Supplier": line.supplier,
    }
    if line.tax_base is not None:
        row |= {"TaxAmount": line.amount, "TaxBaseAmountInTransCrcy": line.tax_base}
    if line.customer:
        partner = tenant.store.table("A_Customer").get((line.customer,)) or {}
        row["CustomerName"] = partner.get("CustomerName", "")
        row |= _due(tenant, entry, line)
    return {**row, **line.more}


def _due(tenant: Tenant, entry: Entry, line: Line) -> dict[str, Any]:
    company = tenant.store.table("A_CustomerCompany").get((line.customer, entry.company)) or {}
    base = line.more.get("DueCalculationBaseDate") or entry.document_date
    days = line.more.get("NetPaymentDays")
    terms = str(line.more.get("PaymentTerms") or company.get("PaymentTerms", ""))
    net = int(days) if days is not None else _TERMS.get(terms, 0)
    return {
        "PaymentTerms": terms,
        "DueCalculationBaseDate": base,
        "NetPaymentDays": Decimal(net),
        "NetDueDate": base + timedelta(days=net),
    }


#: Days until an item is due, by terms of payment.
_TERMS = {"0001": 0, "0002": 14, "0003": 30, "0004": 30, "0005": 45, "NT30": 30, "NT60": 60}


def check_reversal(tenant: Tenant, key: Key, reason: str) -> list[Message]:
    """Give what keeps an entry from being reversed; nothing if it may be."""
    standing = tenant.store.table(HEADS).get(key)
    if standing is None:
        text = f"Document {key[2]} does not exist in company code {key[0]} in {key[1]}"
        return [Message(code="F5/397", text=text)]
    if standing.get("IsReversed"):
        return [Message(code="F5/361", text=f"Document {key[2]} in company code {key[0]} was already reversed")]
    if standing.get("IsReversal"):
        return [Message(code="F5/363", text=f"Document {key[2]} is itself a reversal")]
    if reason not in ("01", "02", "03", "04", "05"):
        return [Message(code="F5/396", text=f"Reversal reason {reason} is not defined")]
    if any(row.get("IsCleared") for _, row in tenant.store.table(ITEMS).scan(key)):
        return [Message(code="F5/308", text=f"Document {key[2]} contains cleared items; reset clearing first")]
    return []


def reverse(tenant: Tenant, key: Key, *, reason: str, day: date, entry_type: str, head: Mapping[str, Any]) -> Posted:
    """Post the opposite of an entry, and clear both; raises `NotPosted`."""
    wrong = check_reversal(tenant, key, reason)
    if wrong:
        raise NotPosted(wrong)
    standing, table = tenant.store.table(HEADS).get(key), tenant.store.table(ITEMS)
    assert standing is not None
    items = list(table.scan(key))
    lines = [_opposite(row) for _, row in items]
    entry = Entry(
        company=key[0],
        type=entry_type,
        posting_date=day,
        document_date=day,
        currency=str(standing["TransactionCurrency"]),
        lines=lines,
        reference_type=str(standing["ReferenceDocumentType"]),
        head={
            **head,
            "IsReversal": True,
            "ReversalReason": reason,
            "ReverseDocument": key[2],
            "ReverseDocumentFiscalYear": key[1],
            "ReversalReferenceDocument": str(standing["ReferenceDocument"]),
        },
    )
    with tenant.unit_of_work():
        made = post(tenant, entry)
        marks = {"IsReversed": True, "ReverseDocument": made.document, "ReverseDocumentFiscalYear": made.year}
        tenant.store.table(HEADS).put(key, {**standing, **marks})
        for each, row in items:
            table.put(each, {**(table.get(each) or row), **marks})
        pairs = [each for each, row in items if row.get("IsOpenItemManaged")]
        mirror = [
            each for each, row in table.scan((made.company, made.year, made.document)) if row.get("IsOpenItemManaged")
        ]
        clear(tenant, [*pairs, *mirror], made, day)
    return made


def _opposite(row: Row) -> Line:
    kept = ("AssignmentReference", "DocumentItemText", "ProfitCenter", "CostCenter", "Segment", "InvoiceReference")
    base = row.get("TaxBaseAmountInTransCrcy")
    return Line(
        account=str(row["GLAccount"]),
        amount=-row["AmountInTransactionCurrency"],
        local=-row["AmountInCompanyCodeCurrency"],
        code={"S": "H", "H": "S"}[str(row["DebitCreditCode"])],
        customer=str(row.get("Customer", "")),
        supplier=str(row.get("Supplier", "")),
        tax_code=str(row.get("TaxCode", "")),
        tax_base=None if base is None else -base,
        more={name: row[name] for name in kept if name in row},
    )


def clear(tenant: Tenant, keys: Iterable[Key], by: Posted, day: date) -> None:
    """Mark items as cleared by a document."""
    table = tenant.store.table(ITEMS)
    for key in keys:
        row = table.get(key)
        assert row is not None
        marks = {
            "IsCleared": True,
            "ClearingDate": day,
            "ClearingCreationDate": tenant.today(),
            "ClearingAccountingDocument": by.document,
            "ClearingDocFiscalYear": by.year,
        }
        table.put(key, {**row, **marks, "LastChangeDateTime": tenant.now().replace(microsecond=0)})
        for name in _belongs(row) if row.get("Customer") else ():
            tenant.store.table(OPEN).delete((key[0], str(row["Customer"]), name, *key[1:]))
        _mark_billed(tenant, row)


def _mark_billed(tenant: Tenant, row: Row) -> None:
    number = str(row.get("BillingDocument", ""))
    table = tenant.store.table("A_BillingDocument")
    billed = table.get((number,)) if number else None
    if billed is not None:
        table.put((number,), {**billed, "InvoiceClearingStatus": "C"})


def clear_even(tenant: Tenant, entry: Entry, posted: Posted) -> None:
    """Clear the open items of the entry's customers that belong together and add up to zero.

    Items belong together when one refers to the other's document (`InvoiceReference`), or both have the same
    assignment.
    """
    touched = [
        row
        for _, row in tenant.store.table(ITEMS).scan((posted.company, posted.year, posted.document))
        if row.get("Customer") and row.get("IsOpenItemManaged")
    ]
    done: set[Key] = set()
    for customer, name in {(str(row["Customer"]), name): None for row in touched for name in _belongs(row)}:
        groups: dict[tuple[str, str], list[tuple[Key, Row]]] = defaultdict(list)
        for key, row in open_items(tenant, posted.company, customer, name):
            if key not in done:
                groups[str(row["TransactionCurrency"]), str(row["GLAccount"])].append((key, row))
        for items in groups.values():
            if len(items) > 1 and not sum((row["AmountInTransactionCurrency"] for _, row in items), ZERO):
                done |= {key for key, _ in items}
                clear(tenant, [key for key, _ in items], posted, entry.posting_date)


def open_items(tenant: Tenant, company: str, customer: str, name: str) -> list[tuple[Key, Row]]:
    """Give what is open on a customer's account of those items that belong together by a name."""
    items = tenant.store.table(ITEMS)
    found = []
    for (_, _, _, *key), _ in tenant.store.table(OPEN).scan((company, customer, name)):
        row = items.get((company, *key))
        assert row is not None
        found.append(((company, *key), row))
    return found


def _belongs(row: Row) -> list[str]:
    """Give the names of the groups to which an item belongs: invoices by their own number, others by what they name."""
    names = []
    if row.get("InvoiceReference"):
        names.append(f"document {row['InvoiceReference']} {row.get('InvoiceReferenceFiscalYear', '')}")
    else:
        names.append(f"document {row['AccountingDocument']} {row['FiscalYear']}")
    if row.get("AssignmentReference"):
        names.append(f"assignment {row['AssignmentReference']}")
    return names
