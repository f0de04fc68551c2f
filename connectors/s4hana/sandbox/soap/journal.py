"""Journal entries as messages: a request becomes entries of the ledger, and what became of each is confirmed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from connectors.s4hana.sandbox.business import ledger
from connectors.s4hana.sandbox.business.ledger import Entry, Line, NotPosted, Posted
from connectors.s4hana.sandbox.edm.values import alpha
from connectors.s4hana.sandbox.odata.errors import Message
from connectors.s4hana.sandbox.soap.schema import CONFIRMATION, NAMESPACE, REQUEST, REQUEST_TYPE, check
from connectors.s4hana.sandbox.soap.xml import Element, Malformed

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

_NOTHING = "0000000000"
_REQUIRED = (
    "OriginalReferenceDocumentType",
    "BusinessTransactionType",
    "AccountingDocumentType",
    "CreatedByUser",
    "CompanyCode",
    "DocumentDate",
    "PostingDate",
)
_HEAD = {
    "DocumentReferenceID": "DocumentReferenceID",
    "DocumentHeaderText": "AccountingDocumentHeaderText",
    "Reference1InDocumentHeader": "Reference1InDocumentHeader",
    "Reference2InDocumentHeader": "Reference2InDocumentHeader",
    "BusinessTransactionType": "BusinessTransactionType",
    "OriginalReferenceDocumentLogicalSystem": "LogicalSystem",
}
_LINE = {
    "DocumentItemText": "DocumentItemText",
    "AssignmentReference": "AssignmentReference",
    "Reference1IDByBusinessPartner": "Reference1IDByBusinessPartner",
    "Reference2IDByBusinessPartner": "Reference2IDByBusinessPartner",
    "Reference3IDByBusinessPartner": "Reference3IDByBusinessPartner",
    "HouseBank": "HouseBank",
    "Plant": "Plant",
    "Material": "Material",
    "ReferenceDocumentItem": "ReferenceDocumentItem",
}
_ASSIGNED = ("ProfitCenter", "Segment", "CostCenter", "FunctionalArea", "SalesOrder", "SalesOrderItem")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one entry of a request: `posted`, or why it was not; a `trial` posts nothing either way."""

    request: str
    company: str
    year: str
    posted: Posted | None
    messages: Sequence[Message]
    trial: bool = False


def request_of(body: Element) -> Element:
    """Give the request in a SOAP body; raises `Malformed` when there is none that can be read."""
    found = body.find(REQUEST, NAMESPACE)
    if found is None:
        raise Malformed(f"The body has no {{{NAMESPACE}}}{REQUEST}.")
    if found.find("MessageHeader") is None or found.find("JournalEntryCreateRequest") is None:
        raise Malformed(
            "MessageHeader or JournalEntryCreateRequest is missing; children of the root have no namespace."
        )
    check(found, REQUEST_TYPE)
    return found


def message_id(request: Element) -> str:
    """Give the id of a whole message."""
    head = request.find("MessageHeader")
    return "" if head is None else head.value("ID")


def execute(tenant: Tenant, request: Element) -> list[Outcome]:
    """Post all entries of a request, each by itself."""
    head = request.find("MessageHeader")
    trial = head is not None and _true(head.value("TestDataIndicator"))
    return [_post(tenant, each, trial=trial) for each in request.all("JournalEntryCreateRequest")]


def _post(tenant: Tenant, message: Element, *, trial: bool) -> Outcome:
    head, entry = message.find("MessageHeader"), message.find("JournalEntry")
    identity = "" if head is None else head.value("ID")
    trial = trial or (head is not None and _true(head.value("TestDataIndicator")))
    company = "" if entry is None else entry.value("CompanyCode")
    year = _year(tenant, entry)
    try:
        if entry is None:
            raise NotPosted([Message(code="RW/021", text="JournalEntry is missing")])
        posted = _execute(tenant, entry, trial=trial)
    except NotPosted as refused:
        return Outcome(
            request=identity, company=company, year=year, posted=None, messages=refused.messages, trial=trial
        )
    return Outcome(request=identity, company=company, year=year, posted=posted, messages=(), trial=trial)


def _year(tenant: Tenant, entry: Element | None) -> str:
    company = tenant.organisation.companies.get("" if entry is None else entry.value("CompanyCode"))
    if entry is None or company is None or not entry.value("PostingDate"):
        return "0000"
    return company.period(date.fromisoformat(entry.value("PostingDate")))[0]


def _execute(tenant: Tenant, entry: Element, *, trial: bool) -> Posted | None:
    missing = [name for name in _REQUIRED if not entry.value(name)]
    if missing:
        raise NotPosted([Message(code="RW/021", text=f"Required field {name} was not transferred") for name in missing])
    if entry.value("ReversalReferenceDocument"):
        return _reverse(tenant, entry, trial=trial)
    made = entry_of(tenant, entry)
    if trial:
        wrong = ledger.check(tenant, made)
        if wrong:
            raise NotPosted(wrong)
        return None
    return ledger.post(tenant, made)


def _reverse(tenant: Tenant, entry: Element, *, trial: bool) -> Posted | None:
    key = document_key(tenant, entry.value("ReversalReferenceDocument"), entry)
    day = date.fromisoformat(entry.value("ReversalDate") or entry.value("PostingDate"))
    standing = tenant.store.table(ledger.HEADS).get(key)
    if standing is not None and standing["ReferenceDocumentType"] != entry.value("OriginalReferenceDocumentType"):
        text = f"Document {key[2]} was created by {standing['ReferenceDocumentType']}; reverse it there"
        raise NotPosted([Message(code="F5/377", text=text)])
    reason = entry.value("ReversalReason")
    if trial:
        wrong = ledger.check_reversal(tenant, key, reason)
        if wrong:
            raise NotPosted(wrong)
        return None
    return ledger.reverse(
        tenant,
        key,
        reason=reason,
        day=day,
        entry_type=entry.value("AccountingDocumentType"),
        head=_head(entry),
    )


def document_key(tenant: Tenant, reference: str, entry: Element) -> tuple[str, str, str]:
    """Read a reference to a document: its number, or number, company code and year in one (10, 4 and 4 characters)."""
    if len(reference) == 18:
        return reference[10:14], reference[14:18], alpha(reference[:10])
    company = entry.value("CompanyCode")
    heads = tenant.store.table(ledger.HEADS)
    number = alpha(reference)
    years = [key[1] for key, _ in heads.scan((company,)) if key[2] == number]
    return company, years[-1] if years else _year(tenant, entry), number


def entry_of(tenant: Tenant, entry: Element) -> Entry:
    """Read an entry; raises `NotPosted` for what no ledger could take."""
    _refuse_what_is_not_there(entry)
    lines = [*_items(entry), *_debtors(tenant, entry), *_taxes(entry)]
    creditors = [each.value("Creditor") for each in entry.all("CreditorItem")]
    if creditors:
        company = entry.value("CompanyCode")
        raise NotPosted(
            [
                Message(code="F5/104", text=f"Supplier {each} is not defined in company code {company}")
                for each in creditors
            ]
        )
    currencies = {
        amount.attributes.get("currencyCode", "")
        for kind in ("Item", "DebtorItem", "ProductTaxItem")
        for each in entry.all(kind)
        if (amount := each.find("AmountInTransactionCurrency")) is not None
    }
    if len(currencies) > 1:
        raise NotPosted([Message(code="RW/022", text="Different transaction currencies in one journal entry")])
    return Entry(
        company=entry.value("CompanyCode"),
        type=entry.value("AccountingDocumentType"),
        posting_date=date.fromisoformat(entry.value("PostingDate")),
        document_date=date.fromisoformat(entry.value("DocumentDate")),
        currency=next(iter(currencies), ""),
        lines=lines,
        reference_type=entry.value("OriginalReferenceDocumentType"),
        # For BKPFF accounting gives the reference itself, whatever the caller says.
        reference=""
        if entry.value("OriginalReferenceDocumentType") == "BKPFF"
        else entry.value("OriginalReferenceDocument"),
        user=entry.value("CreatedByUser"),
        head=_head(entry),
        check_tax=_true(entry.value("DoTaxAmountCheck")),
        rate=Decimal(entry.value("ExchangeRate")) if entry.value("ExchangeRate") else None,
        period=entry.value("PostingFiscalPeriod").lstrip("0"),
    )


def _refuse_what_is_not_there(entry: Element) -> None:
    """Refuse what SAP could post and this sandbox cannot, so that nothing is passed over in silence."""
    company = entry.value("CompanyCode")
    found = []
    if entry.find("WithholdingTaxItem") is not None:
        found.append("withholding tax")
    if any(each.find("OneTimeCustomerDetails") is not None for each in entry.all("DebtorItem")):
        found.append("one-time customers")
    if any(each.value("CompanyCode") not in ("", company) for each in entry.all("Item")):
        found.append("items of several company codes")
    if found:
        raise NotPosted([Message(code="RW/023", text=f"This sandbox does not post {each}") for each in found])


def _head(entry: Element) -> dict[str, Any]:
    head: dict[str, Any] = {column: entry.value(name) for name, column in _HEAD.items() if entry.value(name)}
    if entry.value("InvoiceReceiptDate"):
        head["InvoiceReceiptDate"] = date.fromisoformat(entry.value("InvoiceReceiptDate"))
    return head


def _amount(item: Element, name: str = "AmountInTransactionCurrency") -> Decimal:
    found = item.find(name)
    return Decimal(0) if found is None or not found.text.strip() else Decimal(found.text.strip())


def _local(item: Element) -> Decimal | None:
    return None if item.find("AmountInCompanyCodeCurrency") is None else _amount(item, "AmountInCompanyCodeCurrency")


def _more(item: Element) -> dict[str, Any]:
    more: dict[str, Any] = {column: item.value(name) for name, column in _LINE.items() if item.value(name)}
    if item.value("ValueDate"):
        more["ValueDate"] = date.fromisoformat(item.value("ValueDate"))
    return more


def _items(entry: Element) -> Iterator[Line]:
    for item in entry.all("Item"):
        more = _more(item)
        assignment = item.find("AccountAssignment")
        for name in _ASSIGNED if assignment is not None else ():
            value = assignment.value(name) if assignment is not None else ""
            if value:
                more[name.replace("SalesOrder", "SalesDocument")] = value
        tax = item.find("Tax")
        yield Line(
            account=alpha(item.value("GLAccount")),
            amount=_amount(item),
            local=_local(item),
            code=item.value("DebitCreditCode"),
            tax_code="" if tax is None else tax.value("TaxCode"),
            more=more,
        )


def _debtors(tenant: Tenant, entry: Element) -> Iterator[Line]:
    reference = entry.value("InvoiceReferenceDocument")
    referred: dict[str, Any] = {}
    if reference:
        company, year, number = document_key(tenant, reference, entry)
        if tenant.store.table(ledger.HEADS).get((company, year, number)) is None:
            raise NotPosted(
                [Message(code="F5/397", text=f"Document {number} does not exist in company code {company}")]
            )
        referred = {"InvoiceReference": number, "InvoiceReferenceFiscalYear": year}
    for item in entry.all("DebtorItem"):
        customer = alpha(item.value("Debtor"))
        company_row = tenant.store.table("A_CustomerCompany").get((customer, entry.value("CompanyCode"))) or {}
        special = item.find("DownPaymentTerms")
        code = "" if special is None else special.value("SpecialGLCode")
        account = alpha(item.value("AltvRecnclnAccts")) if item.value("AltvRecnclnAccts") else ""
        if not account:
            account = "12180000" if code else str(company_row.get("ReconciliationAccount", "12100000"))
        known = tenant.organisation.accounts.get(account)
        if known is None or known.subledger != "D":
            text = f"Account {account} is no reconciliation account for customers"
            raise NotPosted([Message(code="F5/354", text=text)])
        yield Line(
            account=account,
            amount=_amount(item),
            local=_local(item),
            code=item.value("DebitCreditCode"),
            customer=customer,
            more={**_more(item), **_terms(item), **referred, **({"SpecialGLCode": code} if code else {})},
        )


def _terms(item: Element) -> dict[str, Any]:
    more: dict[str, Any] = {}
    terms = item.find("CashDiscountTerms")
    if terms is not None and terms.value("DueCalculationBaseDate"):
        more["DueCalculationBaseDate"] = date.fromisoformat(terms.value("DueCalculationBaseDate"))
    if terms is not None and terms.value("NetPaymentDays"):
        more["NetPaymentDays"] = Decimal(terms.value("NetPaymentDays").strip("PD"))
    payment = item.find("PaymentDetails")
    for name in ("PaymentMethod", "PaymentReference", "PaymentBlockingReason") if payment is not None else ():
        if payment is not None and payment.value(name):
            more[name] = payment.value(name)
    return more


def _taxes(entry: Element) -> Iterator[Line]:
    for item in entry.all("ProductTaxItem"):
        code = item.value("TaxCode")
        yield Line(
            account="12600000" if code.startswith("V") else "22000000",
            amount=_amount(item),
            local=_local(item),
            code=item.value("DebitCreditCode"),
            tax_code=code,
            tax_base=_amount(item, "TaxBaseAmountInTransCrcy"),
        )


def _true(text: str) -> bool:
    return text in ("true", "1")


def confirmation(tenant: Tenant, request: Element, outcomes: Sequence[Outcome], *, interface: str) -> str:
    """Write the confirmation of a request, without the envelope."""
    now = tenant.now().strftime("%Y-%m-%dT%H:%M:%SZ")
    parts = [
        f'<n0:{CONFIRMATION} xmlns:n0="{NAMESPACE}">',
        _message_header(tenant, message_id(request), now),
        f"<ConfirmationInterfaceOrignName>{interface}</ConfirmationInterfaceOrignName>",
    ]
    for outcome in outcomes:
        parts += [
            "<JournalEntryCreateConfirmation>",
            _message_header(tenant, outcome.request, now),
            _result(outcome),
            _log(tenant, outcome),
            "</JournalEntryCreateConfirmation>",
        ]
    parts.append(f"<Log/></n0:{CONFIRMATION}>")
    return "".join(parts)


def _message_header(tenant: Tenant, reference: str, now: str) -> str:
    named = f"<ReferenceID>{escape(reference)}</ReferenceID>" if reference else ""
    return (
        f"<MessageHeader><UUID>{tenant.guid()}</UUID>{named}<CreationDateTime>{now}</CreationDateTime></MessageHeader>"
    )


def _result(outcome: Outcome) -> str:
    posted = outcome.posted
    document = _NOTHING if posted is None else posted.document.zfill(10)
    company, year = (outcome.company, outcome.year) if posted is None else (posted.company, posted.year)
    return (
        f"<JournalEntryCreateConfirmation><AccountingDocument>{document}</AccountingDocument>"
        f"<CompanyCode>{escape(company)}</CompanyCode><FiscalYear>{escape(year)}</FiscalYear>"
        "</JournalEntryCreateConfirmation>"
    )


def _log(tenant: Tenant, outcome: Outcome) -> str:
    posted = outcome.posted
    if posted is not None:
        name = f"{posted.document.zfill(10)}{posted.company}{posted.year}"
        lines = [("605(RW)", "1", f"Document posted successfully: BKPFF {name} {_LOGICAL_SYSTEM}")]
    elif not outcome.messages:
        lines = [("614(RW)", "1", f"Document check - no errors: BKPFF $ {_LOGICAL_SYSTEM}")]
    else:
        lines = [("609(RW)", "3", f"Error in document: BKPFF $ {_LOGICAL_SYSTEM}")]
        lines += [(_type_id(each.code), "3", each.text) for each in outcome.messages]
    items = "".join(
        f"<Item><TypeID>{kind}</TypeID><SeverityCode>{severity}</SeverityCode><Note>{escape(note[:200])}</Note></Item>"
        for kind, severity, note in lines
    )
    worst = max(severity for _, severity, _ in lines)
    return f"<Log><MaximumLogItemSeverityCode>{worst}</MaximumLogItemSeverityCode>{items}</Log>"


_LOGICAL_SYSTEM = "0M4SMVI"


def _type_id(code: str) -> str:
    """Write class and number as logs have them: F5/507 is 507(F5)."""
    kind, _, number = code.rpartition("/")
    return f"{number}({kind})"


def summary(outcomes: Sequence[Outcome]) -> list[Mapping[str, Any]]:
    """Give outcomes as JSON values, for the control API."""
    return [
        {
            "request": each.request,
            "document": None if each.posted is None else each.posted.document,
            "messages": [{"code": one.code, "text": one.text} for one in each.messages],
        }
        for each in outcomes
    ]
