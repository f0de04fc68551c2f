"""Billing documents: born from orders and credit memo requests, posted to the ledger, cancelled, and printed."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.s4hana.sandbox.business import ledger
from connectors.s4hana.sandbox.business.ledger import Entry, Line, NotPosted
from connectors.s4hana.sandbox.business.sales import CREDIT, ORDER, Kind, touch
from connectors.s4hana.sandbox.odata.errors import Refusal
from connectors.s4hana.sandbox.store import Row

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

CREATED = "sap.s4.beh.billingdocument.v1.BillingDocument.Created.v1"
FIRST = 90_000_000
_HEADS, _ITEMS, _PARTNERS = "A_BillingDocument", "A_BillingDocumentItem", "A_BillingDocumentPartner"
_ELEMENTS = "A_BillingDocumentItemPrcgElmnt"
_REVENUE, _TAX, _RECEIVABLES = "41000000", "22000000", "12100000"
_COPIED = (
    "SalesOrganization",
    "DistributionChannel",
    "SoldToParty",
    "TransactionCurrency",
    "CustomerPaymentTerms",
    "PurchaseOrderByCustomer",
    "AssignmentReference",
    "CustomerGroup",
    "PaymentMethod",
)


def bill(tenant: Tenant, kind: Kind, number: str, day: date | None = None) -> str:
    """Bill an order or credit memo request as a whole; gives the billing document's number. Raises `Refusal`."""
    head = tenant.store.table(kind.head).get((number,))
    if head is None:
        raise Refusal(f"Sales document {number} does not exist", code="VF/001")
    if head.get("OverallOrdReltdBillgStatus") == "C":
        raise Refusal(f"Document {number} is already completely billed", code="VF/025")
    if head.get("HeaderBillingBlockReason"):
        raise Refusal(f"Document {number} is blocked for billing", code="VF/161")
    rows = [row for _, row in tenant.store.table(kind.item).scan((number,)) if not row.get("SalesDocumentRjcnReason")]
    if not rows:
        raise Refusal(f"Document {number} has no items that can be billed", code="VF/044")
    with tenant.unit_of_work():
        billed = _write(tenant, kind, head, rows, day or tenant.today())
        _mark(tenant, kind, number, "C")
        _account(tenant, billed)
        tenant.raise_event(CREATED, BillingDocument=billed)
    return billed


def _write(tenant: Tenant, kind: Kind, head: Row, rows: Sequence[Row], day: date) -> str:
    number, credit = str(tenant.number("billing_document", FIRST)), kind is CREDIT
    at = tenant.stamp()
    company = tenant.organisation.sales[str(head["SalesOrganization"])].company
    net = sum((row.get("NetAmount", ledger.ZERO) for row in rows), ledger.ZERO)
    taxes = [_tax_of(tenant, kind, row) for row in rows]
    tax = sum((amount for _, amount in taxes), ledger.ZERO)
    common = {"CreationDate": at.date(), "CreationTime": at.time().replace(microsecond=0)}
    made = {
        **{name: head[name] for name in _COPIED if name in head},
        **common,
        "BillingDocument": number,
        "Division": head["OrganizationDivision"],
        "SDDocumentCategory": "O" if credit else "M",
        "BillingDocumentType": "G2" if credit else "F2",
        "BillingDocumentCategory": "",
        "LastChangeDate": at.date(),
        "LastChangeDateTime": at,
        "BillingDocumentDate": day,
        "TotalNetAmount": net,
        "TaxAmount": tax,
        "TotalGrossAmount": net + tax,
        "CompanyCode": company,
        "PayerParty": _payer(tenant, kind, head),
        "PaymentReference": number,
        "DocumentReferenceID": number.zfill(10),
        "OverallSDProcessStatus": "C",
        "OverallBillingStatus": "C",
        "AccountingTransferStatus": "A",
        "InvoiceClearingStatus": "A",
        "Country": tenant.organisation.companies[company].country,
        "TaxDepartureCountry": tenant.organisation.companies[company].country,
    }
    tenant.store.table(_HEADS).put((number,), made)
    for row, (_, amount) in zip(rows, taxes, strict=True):
        _write_item(tenant, kind, row, made, amount)
    for _, partner in tenant.store.table(kind.partner).scan((str(head[kind.number]),)):
        below = {
            "BillingDocument": number,
            "PartnerFunction": partner["PartnerFunction"],
            "Customer": partner.get("Customer", ""),
        }
        tenant.store.table(_PARTNERS).put((number, str(partner["PartnerFunction"])), below)
    return number


def _write_item(tenant: Tenant, kind: Kind, row: Row, head: Row, tax: Decimal) -> None:
    number, position = str(head["BillingDocument"]), str(row[kind.position])
    item = {
        "BillingDocument": number,
        "BillingDocumentItem": position,
        "SalesDocumentItemCategory": row.get(f"{kind.position}Category", ""),
        "CreatedByUser": tenant.user,
        "CreationDate": head["CreationDate"],
        "CreationTime": head["CreationTime"],
        "Material": row["Material"],
        "MaterialGroup": row.get("MaterialGroup", ""),
        "BillingDocumentItemText": row.get(f"{kind.position}Text", ""),
        "BillingQuantity": row["RequestedQuantity"],
        "BillingQuantityUnit": row["RequestedQuantityUnit"],
        "BillingQuantityInBaseUnit": row["RequestedQuantity"],
        "BaseUnit": row["RequestedQuantityUnit"],
        "NetAmount": row.get("NetAmount", ledger.ZERO),
        "TaxAmount": tax,
        "GrossAmount": row.get("NetAmount", ledger.ZERO) + tax,
        "TransactionCurrency": head["TransactionCurrency"],
        "PricingDate": head["BillingDocumentDate"],
        "ServicesRenderedDate": row.get("ServicesRenderedDate") or head["BillingDocumentDate"],
        "ReferenceSDDocument": row[kind.number],
        "ReferenceSDDocumentItem": position,
        "ReferenceSDDocumentCategory": "K" if kind is CREDIT else "C",
        "SalesDocument": row[kind.number],
        "SalesDocumentItem": position,
        "SalesSDDocumentCategory": "K" if kind is CREDIT else "C",
    }
    tenant.store.table(_ITEMS).put((number, position), item)
    for (_, _, step, counter), element in tenant.store.table(kind.element).scan((str(row[kind.number]), position)):
        copied = {**element, "BillingDocument": number, "BillingDocumentItem": position}
        tenant.store.table(_ELEMENTS).put((number, position, step, counter), copied)


def _tax_of(tenant: Tenant, kind: Kind, row: Row) -> tuple[str, Decimal]:
    key = (str(row[kind.number]), str(row[kind.position]))
    for _, element in tenant.store.table(kind.element).scan(key):
        if element.get("ConditionClass") == "D":
            return str(element.get("TaxCode", "")), element["ConditionAmount"]
    return "", ledger.ZERO


def _payer(tenant: Tenant, kind: Kind, head: Row) -> str:
    found = tenant.store.table(kind.partner).get((str(head[kind.number]), "PY"))
    return str((found or head).get("Customer") or head["SoldToParty"])


def _mark(tenant: Tenant, kind: Kind, number: str, status: str) -> None:
    """Note at an order how far it is billed."""
    items = tenant.store.table(kind.item)
    for key, row in list(items.scan((number,))):
        items.put(key, {**row, "OrderRelatedBillingStatus": status, "SDProcessStatus": status})
    heads = tenant.store.table(kind.head)
    head = heads.get((number,))
    assert head is not None
    heads.put((number,), {**head, "OverallOrdReltdBillgStatus": status, "OverallSDProcessStatus": status})
    touch(kind, tenant, number)


def _account(tenant: Tenant, number: str) -> None:
    """Post a billing document; what cannot be posted waits, as in SAP, with posting status A."""
    heads = tenant.store.table(_HEADS)
    head = heads.get((number,))
    assert head is not None
    try:
        posted = ledger.post(tenant, _entry(tenant, head))
    except NotPosted:
        heads.put((number,), {**head, "AccountingPostingStatus": "A", "AccountingTransferStatus": "A"})
        return
    marks = {"AccountingDocument": posted.document, "FiscalYear": posted.year, "AccountingPostingStatus": "C"}
    heads.put((number,), {**(heads.get((number,)) or head), **marks, "AccountingTransferStatus": "C"})


def _entry(tenant: Tenant, head: Row) -> Entry:
    number, sign = str(head["BillingDocument"]), -1 if head["SDDocumentCategory"] == "O" else 1
    payer, company = str(head["PayerParty"]), str(head["CompanyCode"])
    account = (tenant.store.table("A_CustomerCompany").get((payer, company)) or {}).get("ReconciliationAccount")
    more = {
        "BillingDocument": number,
        "AssignmentReference": head.get("AssignmentReference", ""),
        "PaymentReference": number,
    }
    terms = {"PaymentTerms": head.get("CustomerPaymentTerms", "")}
    lines = [
        Line(
            account=str(account or _RECEIVABLES),
            amount=sign * head["TotalGrossAmount"],
            customer=payer,
            more=more | terms,
        )
    ]
    taxes: dict[str, tuple[Decimal, Decimal]] = {}
    for (_, position), row in tenant.store.table(_ITEMS).scan((number,)):
        code = next(
            (
                str(element.get("TaxCode", ""))
                for _, element in tenant.store.table(_ELEMENTS).scan((number, position))
                if element.get("ConditionClass") == "D"
            ),
            "",
        )
        base, tax = taxes.get(code, (ledger.ZERO, ledger.ZERO))
        taxes[code] = (base + row["NetAmount"], tax + row["TaxAmount"])
        sold = {"SalesDocument": row["SalesDocument"], "SalesDocumentItem": row["SalesDocumentItem"]}
        sold |= {
            "BillingDocument": number,
            "Product": row["Material"],
            "Material": row["Material"],
            "Plant": row.get("Plant", ""),
        }
        lines.append(Line(account=_REVENUE, amount=-sign * row["NetAmount"], tax_code=code, more=sold))
    lines += [
        Line(account=_TAX, amount=-sign * tax, tax_code=code, tax_base=-sign * base)
        for code, (base, tax) in sorted(taxes.items())
        if tax or code
    ]
    return Entry(
        company=company,
        type="RV",
        posting_date=head["BillingDocumentDate"],
        document_date=head["BillingDocumentDate"],
        currency=str(head["TransactionCurrency"]),
        lines=lines,
        reference_type="VBRK",
        reference=number.zfill(10),
        head={
            "DocumentReferenceID": head["DocumentReferenceID"],
            "BusinessTransactionType": "SD00",
            "SalesOrganization": head["SalesOrganization"],
            "DistributionChannel": head["DistributionChannel"],
            "BillingDocumentType": head["BillingDocumentType"],
        },
    )


def cancel(tenant: Tenant, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Cancel a billing document: a document of the opposite kind, and the opposite entry; gives its result."""
    number = str(values["BillingDocument"])
    heads = tenant.store.table(_HEADS)
    head = heads.get((number,))
    if head is None:
        raise Refusal(f"Billing document {number} does not exist", code="VF/041", status=404)
    tenant.check_lock(_HEADS, (number,))
    if head.get("BillingDocumentIsCancelled") or head.get("CancelledBillingDocument"):
        raise Refusal(f"Billing document {number} has already been cancelled", code="VF/060")
    made = str(tenant.number("billing_document", FIRST))
    at = tenant.stamp()
    opposite = {
        **head,
        "BillingDocument": made,
        "BillingDocumentType": "S2" if head["BillingDocumentType"] == "G2" else "S1",
        "SDDocumentCategory": "S" if head["BillingDocumentType"] == "G2" else "N",
        "CancelledBillingDocument": number,
        "BillingDocumentDate": tenant.today(),
        "CreationDate": at.date(),
        "LastChangeDate": at.date(),
        "LastChangeDateTime": at,
        "PaymentReference": made,
        "DocumentReferenceID": made.zfill(10),
    }
    if head.get("AccountingPostingStatus") == "C":
        opposite |= _reversed(tenant, head)
    heads.put((made,), opposite)
    for (_, position), row in list(tenant.store.table(_ITEMS).scan((number,))):
        tenant.store.table(_ITEMS).put((made, position), {**row, "BillingDocument": made})
    marks = {"BillingDocumentIsCancelled": True, "LastChangeDate": at.date(), "LastChangeDateTime": tenant.stamp()}
    heads.put((number,), {**(heads.get((number,)) or head), **marks})
    first = next((row for _, row in tenant.store.table(_ITEMS).scan((number,))), None)
    if first is not None:
        kind = CREDIT if first["SalesSDDocumentCategory"] == "K" else ORDER
        if tenant.store.table(kind.head).get((str(first["SalesDocument"]),)) is not None:
            _mark(tenant, kind, str(first["SalesDocument"]), "A")
    tenant.raise_event(CREATED, BillingDocument=made)
    result = {
        "BillingDocument": number,
        "CancellationBillingDocument": made,
        "SystemMessageType": "S",
        "SystemMessageIdentification": "VF",
        "SystemMessageNumber": "311",
        "SystemMessageText": f"Document {made} has been saved",
        "SystemMessageVariable1": made,
    }
    return [
        {**dict.fromkeys(("SystemMessageVariable2", "SystemMessageVariable3", "SystemMessageVariable4"), ""), **result}
    ]


def _reversed(tenant: Tenant, head: Row) -> dict[str, Any]:
    key = (str(head["CompanyCode"]), str(head["FiscalYear"]), str(head["AccountingDocument"]))
    try:
        posted = ledger.reverse(tenant, key, reason="01", day=tenant.today(), entry_type="RV", head={})
    except NotPosted as refused:
        raise Refusal(refused.messages[0].text, code=refused.messages[0].code) from refused
    return {"AccountingDocument": posted.document, "FiscalYear": posted.year, "InvoiceClearingStatus": "C"}


def print_pdf(tenant: Tenant, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give a billing document's print-out as a function result: a PDF in base64."""
    number = str(values["BillingDocument"])
    head = tenant.store.table(_HEADS).get((number,))
    if head is None:
        raise Refusal(f"Billing document {number} does not exist", code="VF/041", status=404)
    lines = [
        f"Billing document {number}",
        f"Customer {head['SoldToParty']}",
        f"Total {head['TotalGrossAmount']} {head['TransactionCurrency']}",
    ]
    return [{"BillingDocumentBinary": base64.b64encode(_pdf(lines)).decode()}]


def _pdf(lines: Sequence[str]) -> bytes:
    """Write a PDF of one page with some lines of text."""
    escaped = (line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)") for line in lines)
    text = "BT /F1 12 Tf 72 760 Td 16 TL " + " ".join(f"({line}) Tj T*" for line in escaped) + " ET"
    fonts = "<< /Font << /F1 4 0 R >> >>"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R /Resources {fonts} >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        f"<< /Length {len(text)} >>\nstream\n{text}\nendstream",
    ]
    out, places = "%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    return out.encode("latin-1", "replace")
