"""What to try the connector with against its sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from hub.sdk.testing.samples import ListingSample, ReadSample, Samples, Signer, WebhookSample, WriteSample

Books = Mapping[str, Any]
SETTINGS: Mapping[str, Any] = {
    "base_url": "https://my300000-api.s4hana.cloud.sap",
    "user": "CONCORD_HUB",
    "password": "an-invented-password-of-a-user",
    "webhook_secret": "an-invented-secret-for-webhooks",
}
PARTNER: Mapping[str, Any] = {
    "BusinessPartnerCategory": "2",
    "BusinessPartnerGrouping": "BP02",
    "OrganizationBPName1": "Elm Analytics Ltd",
    "SearchTerm1": "ELM",
    "BusinessPartnerIDByExtSystem": "CUS_ELM",
    "to_BusinessPartnerAddress": [
        {
            "Country": "DE",
            "CityName": "Köln",
            "PostalCode": "50667",
            "StreetName": "Domplatz",
            "HouseNumber": "1",
            "to_EmailAddress": [{"EmailAddress": "accounts@elm.example"}],
        }
    ],
    "to_BusinessPartnerRole": [{"BusinessPartnerRole": "FLCU00"}, {"BusinessPartnerRole": "FLCU01"}],
    "to_BusinessPartnerTax": [{"BPTaxType": "DE0", "BPTaxNumber": "DE123456789"}],
    "to_Customer": {
        "to_CustomerCompany": [
            {"CompanyCode": "1010", "ReconciliationAccount": "12100000", "PaymentTerms": "0003"},
        ],
        "to_CustomerSalesArea": [
            {"SalesOrganization": "1010", "DistributionChannel": "10", "Division": "00", "Currency": "EUR"},
        ],
    },
}
PARTNER_CHANGE: Mapping[str, Any] = {
    "BusinessPartner": "10100001",
    "SearchTerm1": "ALDER",
    "to_Customer": {"to_CustomerCompany": [{"CompanyCode": "1010", "PaymentTerms": "0005"}]},
}
PERSON: Mapping[str, Any] = {
    "BusinessPartner": "200",
    "BusinessPartnerCategory": "1",
    "BusinessPartnerGrouping": "BPEX",
    "FirstName": "Ada",
    "LastName": "Byron",
    "BusinessPartnerIDByExtSystem": "003000000000001AAA",
    "to_BusinessPartnerAddress": [
        {
            "Country": "DE",
            "to_EmailAddress": [{"EmailAddress": "ada@alder.example"}],
            "to_PhoneNumber": [{"PhoneNumber": "040 5556"}],
        }
    ],
    "to_BusinessPartnerRole": [{"BusinessPartnerRole": "BUP001"}],
}
CONTACT: Mapping[str, Any] = {"BusinessPartnerCompany": "10100001", "BusinessPartnerPerson": "200"}
PRODUCT: Mapping[str, Any] = {
    "Product": "SEATS",
    "ProductType": "SERV",
    "BaseUnit": "EA",
    "ProductGroup": "P001",
    "ProductOldID": "01T000000000001AAA",
    "to_Description": [{"Language": "EN", "ProductDescription": "Seats, one month"}],
    "to_SalesDelivery": [{"ProductSalesOrg": "1010", "ProductDistributionChnl": "10"}],
}
ORDER: Mapping[str, Any] = {
    "SalesOrderType": "OR",
    "SalesOrganization": "1010",
    "DistributionChannel": "10",
    "OrganizationDivision": "00",
    "SoldToParty": "10100001",
    "SalesOrderDate": "2026-01-31",
    "to_Item": [{"Material": "SUBSCRIPTION", "RequestedQuantity": "3"}],
}
ORDER_V4: Mapping[str, Any] = {
    **{name: value for name, value in ORDER.items() if name != "to_Item"},
    "_Item": [{"Product": "SUBSCRIPTION", "RequestedQuantity": "3", "RequestedQuantitySAPUnit": "PC"}],
}
CREDIT_REQUEST: Mapping[str, Any] = {
    "CreditMemoRequestType": "CR",
    "SalesOrganization": "1010",
    "DistributionChannel": "10",
    "OrganizationDivision": "00",
    "SoldToParty": "10100001",
    "SDDocumentReason": "101",
    "to_Item": [{"Material": "SUBSCRIPTION", "RequestedQuantity": "1"}],
}
INVOICE: Mapping[str, Any] = {
    "company_code": "1010",
    "currency": "EUR",
    "posting_date": "2026-01-31",
    "customer": "10100001",
    "reference": "INV-1009",
    "text": "Seats in January",
    "due_from": "2026-01-31",
    "net_days": 30,
    "total": "119.12",
    "items": [{"account": "41000000", "net": "100.10", "tax_code": "A1", "text": "Seats"}],
    "taxes": [{"tax_code": "A1", "amount": "19.02", "base": "100.10"}],
}
#: A part of it, since what clears an invoice must not be reversed any more.
CREDIT_MEMO: Mapping[str, Any] = {
    **INVOICE,
    "reference": "CN-1009",
    "text": "Credit for seats",
    "total": "11.90",
    "items": [{"account": "41000000", "net": "10.00", "tax_code": "A1"}],
    "taxes": [{"tax_code": "A1", "amount": "1.90", "base": "10.00"}],
}
JOURNAL: Mapping[str, Any] = {
    "company_code": "1010",
    "currency": "EUR",
    "posting_date": "2026-01-31",
    "reference": "REV-2026-01",
    "lines": [
        {"account": "41000000", "amount": "-12.50", "text": "revenue of January", "assignment": "CONTRACT-7"},
        {"account": "11001000", "amount": "12.50", "text": "revenue of January"},
    ],
}


def _rows(table: str, **wanted: str) -> Callable[[Books], int]:
    """Count the rows of a table with these values."""
    return lambda books: sum(
        all(str(row.get(name)) == value for name, value in wanted.items()) for row in books["tables"][table]
    )


def _entries(**wanted: str) -> Callable[[Books], int]:
    """Count the journal entries with these values in their heads."""
    return _rows("JournalEntry", **wanted)


def _write(operation: str, input: Mapping[str, Any], documents: Callable[[Books], int], **more: Any) -> WriteSample:
    return WriteSample(operation=operation, input=input, documents=documents, **more)


def _update(
    operation: str,
    input: Mapping[str, Any],
    documents: Callable[[Books], int],
    by: Mapping[str, Any],
) -> WriteSample:
    """Give an update and what somebody else then writes over it."""
    other = WriteSample(operation=operation, input=by, documents=documents)
    return WriteSample(operation=operation, input=input, documents=documents, interfering=[other])


MAKE_PARTNER = _write(
    "business_partner.create", PARTNER, _rows("A_BusinessPartner", BusinessPartnerIDByExtSystem="CUS_ELM")
)
MAKE_CONTACT = _write(
    "contact_person.create",
    CONTACT,
    _rows("A_BusinessPartnerContact", BusinessPartnerCompany="10100001", BusinessPartnerPerson="200"),
)
MAKE_PRODUCT = _write("product.create", PRODUCT, _rows("A_Product", Product="SEATS"))
MAKE_ORDER = _write("sales_order.create", ORDER, _rows("A_SalesOrderItem", SalesOrder="3"))
MAKE_ORDER_V4 = _write("sales_order_v4.create", ORDER_V4, _rows("A_SalesOrderItem", SalesOrder="3"))
MAKE_CREDIT_REQUEST = _write(
    "credit_memo_request.create",
    CREDIT_REQUEST,
    _rows("A_CreditMemoRequestItem", CreditMemoRequest="60000002"),
)
POST_INVOICE = _write("invoice.post", INVOICE, _entries(DocumentReferenceID="INV-1009"))
#: In the sample, the ledger has one entry, of the billing document 90000000; the invoice above is 1800000000.
_OPENED = {"accounting_document": "1800000000", "fiscal_year": "2026"}
PAYMENT: Mapping[str, Any] = {
    "company_code": "1010",
    "currency": "EUR",
    "posting_date": "2026-02-10",
    "customer": "10100001",
    "account": "11002080",
    "amount": "100.00",
    "fee": "2.95",
    "fee_account": "65100000",
    "reference": "PAY-1009",
    "invoice": _OPENED,
}
ORDER_CHANGE: Mapping[str, Any] = {
    "SalesOrder": "2",
    "CustomerPaymentTerms": "0003",
    "to_Item": [{"SalesOrderItem": "10", "RequestedQuantity": "121"}],
}
ORDER_CHANGE_V4: Mapping[str, Any] = {
    "SalesOrder": "2",
    "CustomerPaymentTerms": "0003",
    "_Item": [{"SalesOrderItem": "10", "RequestedQuantity": "121"}],
}
CREDIT_CHANGE: Mapping[str, Any] = {"CreditMemoRequest": "60000000", "CustomerPaymentTerms": "0003"}
POST_JOURNAL = _write("journal_entry.post", JOURNAL, _entries(DocumentReferenceID="REV-2026-01"))
DOCUMENT = {"company_code": "1010", "fiscal_year": "2026", "id": "1800000000"}
_BY_KEY = {"service": "API_SALES_ORDER_SRV", "set": "A_SalesOrder"}
#: What is changed below was changed last before anything that a trial is about.
_LONG_AGO = datetime(2026, 1, 2, 10, tzinfo=UTC)
_OLD = [
    {"table": table, "key": [key], "set": {"LastChangeDateTime": _LONG_AGO}, "raw": True}
    for table, key in (("A_SalesOrder", "2"), ("A_CreditMemoRequest", "60000000"), ("A_Product", "USAGE"))
]
_OLD.append(
    {
        "table": "A_BusinessPartner",
        "key": ["10100001"],
        "set": {"LastChangeDate": _LONG_AGO.date(), "LastChangeTime": _LONG_AGO.time()},
        "raw": True,
    }
)
SAMPLES = Samples(
    settings=SETTINGS,
    seed={
        "sample": True,
        "credit_memo_requests": [{**CREDIT_REQUEST, "PurchaseOrderByCustomer": each} for each in ("CM-1", "CM-2")],
        "business_partners": [PERSON],
        "contacts": [
            {**CONTACT, "BusinessPartnerCompany": company, "ValidityStartDate": "2026-01-01"}
            for company in ("10100002", "17100001")
        ],
        "changes": _OLD,
        # A page of one row: what a query of v4 asks for comes in several.
        "settings": {"posting_seconds": 0, "page_sizes": {"CE_SALESORDER_0001": 1}},
    },
    listings=(
        ListingSample(
            listing="all_business_partners",
            records=lambda books: [row["BusinessPartner"] for row in books["tables"]["A_BusinessPartner"]],
            seed={
                "customers": [
                    {"number": str(1_500_000 + place), "name": f"Customer {place}", "company_codes": ["1010"]}
                    for place in range(110)
                ]
            },
        ),
    ),
    webhooks=(
        WebhookSample(
            fixture="business_partner_changed.json",
            events=({"type": "s4hana.business_partner.changed", "subject": "1000746"},),
        ),
        WebhookSample(
            fixture="journal_entry_created.json",
            events=({"type": "s4hana.journal_entry.created", "subject": "1010/2026/1800000000"},),
        ),
    ),
    signer=Signer(
        sign=lambda secret, body, at: {"Authorization": f"Bearer {secret}"},
        secret="webhook_secret",
        other_secret="another-invented-secret-for-webhooks",
        header="authorization",
        vouches=False,
    ),
    wrong={"password": "another-password-than-that"},
    reads=(
        ReadSample(operation="business_partner.read", input={"id": "10100001"}),
        ReadSample(operation="business_partner.find", input={"search_term": "ELM"}, after=(MAKE_PARTNER,)),
        ReadSample(operation="contact_person.list", input={"id": "200"}),
        ReadSample(operation="product.read", input={"id": "SUBSCRIPTION"}),
        ReadSample(operation="product.find", input={"old_id": "01T000000000001AAA"}, after=(MAKE_PRODUCT,)),
        ReadSample(operation="sales_order.read", input={"id": "1"}),
        ReadSample(operation="sales_order.find", input={"reference": "PO-2"}),
        ReadSample(operation="sales_order_v4.read", input={"id": "1"}),
        ReadSample(operation="sales_order_v4.find", input={"reference": "PO-2"}),
        ReadSample(operation="credit_memo_request.read", input={"id": "60000000"}),
        ReadSample(operation="billing_document.read", input={"id": "90000000"}),
        ReadSample(operation="journal_entry.read", input=DOCUMENT, after=(POST_INVOICE,)),
        ReadSample(operation="journal_entry.find", input={"reference": "INV-1009"}, after=(POST_INVOICE,)),
        ReadSample(operation="open_item.list", input={"company_code": "1010", "customer": "10100001"}),
        ReadSample(
            operation="line_item.list",
            input={"company_code": "1010", "ledger": "0L", "accounting_document": "1800000000"},
            after=(POST_INVOICE,),
        ),
        ReadSample(
            operation="balance.list",
            input={"company_code": "1010", "fiscal_year": "2026", "ledger": "0L"},
            after=(POST_INVOICE,),
        ),
        ReadSample(operation="gl_account.read", input={"chart_of_accounts": "YCOA", "id": "41000000"}),
        ReadSample(operation="company_code.read", input={"id": "1010"}),
        ReadSample(
            operation="odata.query",
            input={**_BY_KEY, "where": [{"property": "SoldToParty", "value": "10100001"}], "expand": ["to_Item"]},
        ),
        ReadSample(
            operation="odata.query",
            input={
                "service": "CE_SALESORDER_0001",
                "set": "SalesOrder",
                "where": [{"property": "SalesOrganization", "any": ["1010", "1510"]}],
                "select": ["SalesOrder", "SoldToParty", "TransactionCurrency", "TotalNetAmount", "LastChangeDateTime"],
                "expand": ["_Item"],
            },
        ),
    ),
    writes=(
        MAKE_PARTNER,
        _update(
            "business_partner.update",
            PARTNER_CHANGE,
            _rows("A_CustomerCompany", Customer="10100001", PaymentTerms="0005"),
            by={**PARTNER_CHANGE, "SearchTerm1": "ALDER AND SONS"},
        ),
        MAKE_CONTACT,
        _write(
            "contact_person.delete",
            {"relationship": "300", "company": "10100002", "id": "200", "until": "9999-12-31"},
            # What it makes is that nobody is a contact there.
            lambda books: 1 - _rows("A_BusinessPartnerContact", BusinessPartnerCompany="10100002")(books),
        ),
        MAKE_PRODUCT,
        _write(
            "product.extend",
            {"Product": "SEATS", "ProductSalesOrg": "1710", "ProductDistributionChnl": "10"},
            _rows("A_ProductSalesDelivery", Product="SEATS", ProductSalesOrg="1710"),
            after=(MAKE_PRODUCT,),
        ),
        _update(
            "product.update",
            {"Product": "USAGE", "ProductGroup": "P009"},
            _rows("A_Product", Product="USAGE", ProductGroup="P009"),
            by={"Product": "USAGE", "ProductGroup": "P008"},
        ),
        MAKE_ORDER,
        _update(
            "sales_order.update",
            ORDER_CHANGE,
            _rows("A_SalesOrder", SalesOrder="2", CustomerPaymentTerms="0003"),
            by={**ORDER_CHANGE, "CustomerPaymentTerms": "0005"},
        ),
        _write(
            "sales_order.reject",
            {"id": "2", "items": ["10"], "reason": "61"},
            _rows("A_SalesOrderItem", SalesOrder="2", SalesDocumentRjcnReason="61"),
        ),
        _write(
            "sales_order.close",
            {"id": "2"},
            _rows("A_SalesOrderItem", SalesOrder="2", SalesDocumentRjcnReason="00"),
        ),
        MAKE_ORDER_V4,
        _update(
            "sales_order_v4.update",
            ORDER_CHANGE_V4,
            _rows("A_SalesOrder", SalesOrder="2", CustomerPaymentTerms="0003"),
            by={**ORDER_CHANGE_V4, "CustomerPaymentTerms": "0005"},
        ),
        _write(
            "sales_order_v4.reject",
            {"id": "2", "items": ["10"], "reason": "61"},
            _rows("A_SalesOrderItem", SalesOrder="2", SalesDocumentRjcnReason="61"),
        ),
        MAKE_CREDIT_REQUEST,
        _update(
            "credit_memo_request.update",
            CREDIT_CHANGE,
            _rows("A_CreditMemoRequest", CustomerPaymentTerms="0003"),
            by={**CREDIT_CHANGE, "CustomerPaymentTerms": "0005"},
        ),
        _write(
            "credit_memo_request.reject",
            {"id": "60000000", "items": ["10"], "reason": "61"},
            _rows("A_CreditMemoRequestItem", SalesDocumentRjcnReason="61"),
        ),
        _write(
            "billing_document.cancel",
            {"id": "90000000"},
            _rows("A_BillingDocument", CancelledBillingDocument="90000000"),
        ),
        POST_INVOICE,
        _write(
            "credit_memo.post",
            {**CREDIT_MEMO, "invoice": _OPENED},
            _entries(DocumentReferenceID="CN-1009"),
            after=(POST_INVOICE,),
        ),
        _write("payment.post", PAYMENT, _entries(DocumentReferenceID="PAY-1009"), after=(POST_INVOICE,)),
        POST_JOURNAL,
        _write("journal_entry.submit", JOURNAL, _entries(DocumentReferenceID="REV-2026-01")),
        _write(
            "journal_entry.reverse",
            {**DOCUMENT, "posting_date": "2026-02-01"},
            _entries(IsReversal="True"),
            after=(POST_INVOICE,),
        ),
    ),
)
