"""What to try the connector with against its sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.salesforce.listings import PAGE_ROWS
from connectors.salesforce.sandbox.identifiers import Ids
from hub.sdk.testing.samples import ListingSample, ReadSample, Samples, Signer, WebhookSample, WriteSample

#: A key of its own each time: none that could be mistaken for a real one stands here.
PEM = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)
#: The sandbox's first org.
ORGANIZATION = Ids(1).next("00D")
SETTINGS: Mapping[str, Any] = {
    "base_url": "https://acme.my.salesforce.com",
    "consumer_key": "3MVG9invented.consumer.key",
    "consumer_secret": "an-invented-consumer-secret",
    "username": "integration@acme.example",
    "private_key": PEM,
    "refresh_token": "5Aep861.an.invented.refresh.token",
    "webhook_secret": "an-invented-webhook-secret",
    "webhook_secret_previous": "an-invented-webhook-secret-of-before",
    "organization_id": ORGANIZATION,
    "currency": "USD",
    "objects": ("Usage__c",),
}
_IDS = Ids(1)
ACCOUNT, OTHER_ACCOUNT = _IDS.next("001"), _IDS.next("001")
PRICE_BOOK = _IDS.next("01s")
_KEPT_ASSET, BINNED_ASSET, PURGED_ASSET = (_IDS.next("02i") for _ in range(3))
ALDER = {"type": "Account", "Name": "Alder Works", "Billing_Id__c": "cus_1", "BillingCity": "Graz", "AnnualRevenue": 12}
SEED: Mapping[str, Any] = {
    "settings": {"bulk_seconds": 0},
    "records": [
        {**ALDER, "ref": "alder"},
        {"type": "Account", "Name": "Birch Foods", "Billing_Id__c": "cus_2", "BillingCity": "Wels"},
        {"type": "Contact", "LastName": "Ahorn", "AccountId": "@{alder}", "Billing_Id__c": "con_1"},
        {
            "type": "Product2",
            "ref": "seats",
            "Name": "Seats",
            "ProductCode": "S-1",
            "IsActive": True,
            "Billing_Id__c": "prod_1",
        },
        {
            "type": "PricebookEntry",
            "ref": "price",
            "Pricebook2Id": PRICE_BOOK,
            "Product2Id": "@{seats}",
            "UnitPrice": Decimal("12.50"),
            "IsActive": True,
            "Billing_Price_Id__c": "price_1",
        },
        {
            "type": "Opportunity",
            "ref": "won",
            "Name": "Seats for Alder",
            "AccountId": "@{alder}",
            "StageName": "Closed Won",
            "CloseDate": "2026-01-31",
            "Pricebook2Id": PRICE_BOOK,
            "Billing_Id__c": "opp_1",
        },
        {
            "type": "OpportunityLineItem",
            "OpportunityId": "@{won}",
            "PricebookEntryId": "@{price}",
            "Quantity": 3,
            "UnitPrice": Decimal("12.50"),
        },
        {
            "type": "Quote",
            "ref": "quote",
            "Name": "Seats",
            "OpportunityId": "@{won}",
            "Pricebook2Id": PRICE_BOOK,
            "Billing_Id__c": "quo_1",
        },
        {
            "type": "QuoteLineItem",
            "QuoteId": "@{quote}",
            "PricebookEntryId": "@{price}",
            "Quantity": 3,
            "UnitPrice": Decimal("12.50"),
        },
        {
            "type": "Contract",
            "ref": "contract",
            "AccountId": "@{alder}",
            "StartDate": "2026-02-01",
            "ContractTerm": 12,
            "Status": "Draft",
            "Billing_Id__c": "ctr_1",
        },
        {
            "type": "Order",
            "ref": "order",
            "AccountId": "@{alder}",
            "ContractId": "@{contract}",
            "EffectiveDate": "2026-02-01",
            "Status": "Draft",
            "Pricebook2Id": PRICE_BOOK,
            "Billing_Id__c": "ord_1",
        },
        *(
            {
                "type": "OrderItem",
                "OrderId": "@{order}",
                "PricebookEntryId": "@{price}",
                "Quantity": quantity,
                "UnitPrice": Decimal("12.50"),
            }
            for quantity in (1, 2, 3)
        ),
        {"type": "Asset", "Name": "Seats", "AccountId": "@{alder}", "Product2Id": "@{seats}", "Billing_Id__c": "ast_1"},
        {"type": "Asset", "Name": "Old seats", "AccountId": "@{alder}", "Product2Id": "@{seats}"},
        {"type": "Asset", "Name": "Older seats", "AccountId": "@{alder}", "Product2Id": "@{seats}"},
        {"type": "Usage__c", "Key__c": "use_1", "Account__c": "@{alder}", "Metric__c": "seats", "Quantity__c": 7},
    ],
    "late_deletes": [{"id": BINNED_ASSET, "seconds": 3600}, {"id": PURGED_ASSET, "seconds": 7200}],
    "purge": [PURGED_ASSET],
}


def having(object: str, **values: Any) -> Callable[[Mapping[str, Any]], int]:
    """Count the records of an object that have these values, as the books write them."""
    return lambda books: sum(
        all(one.get(name) == value for name, value in values.items()) for one in books["records"].get(object, ())
    )


def ids_of(object: str) -> Callable[[Mapping[str, Any]], list[str]]:
    """Give the ids of all records of an object in the books."""
    return lambda books: [one["Id"] for one in books["records"].get(object, ())]


def _upsert(
    operation: str, input: Mapping[str, Any], other: Mapping[str, Any], object: str, **made: Any
) -> WriteSample:
    documents = having(object, **made)
    interfering = WriteSample(operation=operation, input={**input, **other}, documents=documents)
    return WriteSample(operation=operation, input=input, documents=documents, interfering=[interfering])


USED: Mapping[str, Any] = {"Account__c": ACCOUNT, "Metric__c": "seats", "Quantity__c": 1}
MAKE_INVOICE = _upsert(
    "invoice_status.upsert",
    {
        "external_id": "in_1",
        "number": "INV-1",
        "account": {"external_id": "cus_1"},
        "status": "Open",
        "currency": "USD",
        "issued_on": "2026-02-01",
        "total": Decimal("119.00"),
        "open": Decimal("119.00"),
    },
    {"status": "Paid", "open": Decimal("0.00")},
    "Invoice__c",
    Key__c="in_1",
)


def at_address(secret: str, _body: bytes, _at: datetime) -> Mapping[str, str]:
    """Give the address that a message is sent to; Salesforce signs nothing."""
    return {":query": urlencode({"key": secret})}


SIGNER = Signer(
    sign=at_address, secret="webhook_secret", other_secret="another-webhook-secret", header=":query", vouches=False
)
SUBMIT_JOB = WriteSample(
    operation="bulk.submit",
    input={
        "object": "Usage__c",
        "records": [
            {"value": "use_21", "fields": {**USED, "Account__c": ACCOUNT, "Quantity__c": Decimal("2.5")}},
            {
                "value": "use_22",
                "fields": {"Account__r": {"Billing_Id__c": "cus_2"}, "Metric__c": "seats", "From__c": None},
            },
        ],
    },
    documents=having("Usage__c", Key__c="use_21"),
)
SAMPLES = Samples(
    settings=SETTINGS,
    seed=SEED,
    wrong={"consumer_key": "another"},
    exempt={
        "record.update": {
            "clock-behind": "the record was there before: whether it was changed since is told by clocks that agree"
        }
    },
    signer=SIGNER,
    webhooks=(
        WebhookSample(
            fixture="outbound_message.xml",
            events=[
                {"type": "salesforce.account.sent", "subject": "001Ho00000aBcDeIAF"},
                {"type": "salesforce.invoice__c.sent", "subject": "a0IHo00000aBcDeIAF"},
            ],
        ),
    ),
    reads=(
        ReadSample(operation="account.read", input={"id": ACCOUNT}),
        ReadSample(operation="contact.read", input={"external_id": "con_1"}),
        ReadSample(operation="product.read", input={"external_id": "prod_1"}),
        ReadSample(operation="price_book_entry.read", input={"external_id": "price_1"}),
        ReadSample(operation="opportunity.read", input={"external_id": "opp_1"}),
        ReadSample(operation="quote.read", input={"external_id": "quo_1"}),
        ReadSample(operation="contract.read", input={"external_id": "ctr_1"}),
        ReadSample(operation="order.read", input={"external_id": "ord_1"}),
        ReadSample(operation="asset.read", input={"external_id": "ast_1"}),
        ReadSample(operation="record.read", input={"object": "Usage__c", "value": "use_1"}),
        ReadSample(operation="invoice_status.find", input={"external_id": "in_1"}, after=(MAKE_INVOICE,)),
        ReadSample(operation="record.find", input={"object": "Account", "value": "cus_2"}),
        ReadSample(
            operation="record.query",
            input={
                "q": "SELECT Id, Name FROM Account WHERE Billing_Id__c IN :ids AND CreatedDate > :from ORDER BY Id",
                "values": {"ids": ["cus_1", "cus_2"], "from": {"time": "2000-01-01T00:00:00Z"}},
            },
        ),
        ReadSample(
            operation="record.count",
            input={"object": "Account", "where": "BillingCity = :city", "values": {"city": "Graz"}},
        ),
        ReadSample(operation="object.describe", input={"object": "Invoice__c"}),
        ReadSample(operation="limits.read", input={}),
        ReadSample(operation="bulk.read", input={"id": _IDS.next("750"), "with_ids": True}, after=(SUBMIT_JOB,)),
    ),
    listings=(
        ListingSample(
            listing="all_accounts", records=ids_of("Account"), seed={"generate": {"accounts": PAGE_ROWS + 5}}
        ),
        ListingSample(
            listing="all_contacts", records=ids_of("Contact"), seed={"generate": {"contacts": PAGE_ROWS + 5}}
        ),
        ListingSample(
            listing="all_products", records=ids_of("Product2"), seed={"generate": {"products": PAGE_ROWS + 5}}
        ),
        ListingSample(
            listing="all_price_book_entries",
            records=ids_of("PricebookEntry"),
            seed={"generate": {"products": PAGE_ROWS + 5, "prices": PAGE_ROWS + 5}},
        ),
    ),
    writes=(
        _upsert(
            "record.upsert",
            {"object": "Usage__c", "value": "use_2", "fields": {**USED, "Quantity__c": Decimal("3.5")}},
            {"fields": {**USED, "Quantity__c": 4}},
            "Usage__c",
            Key__c="use_2",
        ),
        WriteSample(
            operation="record.create",
            input={"object": "Account", "fields": {"Name": "Cedar Labs", "NumberOfEmployees": 7}},
            documents=having("Account", Name="Cedar Labs"),
        ),
        _upsert(
            "record.update",
            {"object": "Account", "id": OTHER_ACCOUNT, "fields": {"BillingCity": "Linz", "Site": "Linz"}},
            {"fields": {"BillingCity": "Enns"}},
            "Account",
            BillingCity="Linz",
        ),
        WriteSample(
            operation="record.delete",
            input={"object": "Account", "id": OTHER_ACCOUNT},
            documents=lambda books: sum(one["Id"] == OTHER_ACCOUNT for one in books["deleted"].get("Account", ())),
        ),
        _upsert(
            "account.upsert",
            {"external_id": "cus_9", "fields": {"Name": "Dogwood Media", "AnnualRevenue": 1_200_000}},
            {"fields": {"Name": "Dogwood Media Group"}},
            "Account",
            Billing_Id__c="cus_9",
        ),
        MAKE_INVOICE,
        SUBMIT_JOB,
        _upsert(
            "records.upsert",
            {
                "object": "Usage__c",
                "records": [
                    {"value": f"use_{number}", "fields": {**USED, "Quantity__c": number}} for number in (11, 12, 13)
                ],
            },
            {"records": [{"value": "use_12", "fields": {**USED, "Quantity__c": 120}}]},
            "Usage__c",
            Key__c="use_12",
        ),
        _upsert(
            "records.upsert",
            {
                "object": "Usage__c",
                "all_or_none": False,
                "records": [
                    {"value": "use_14", "fields": {**USED, "Quantity__c": 14}},
                    # Whose it is must be said.
                    {"value": "use_15", "fields": {"Metric__c": "seats", "Quantity__c": 15}},
                    {"value": "use_16", "fields": {**USED, "Quantity__c": 16}},
                ],
            },
            {"records": [{"value": "use_16", "fields": {**USED, "Quantity__c": 160}}]},
            "Usage__c",
            Key__c="use_16",
        ),
        _upsert(
            "records.write",
            {
                "records": [
                    {"object": "Account", "value": "cus_7", "fields": {"Name": "Elm Robotics"}},
                    {
                        "object": "Contact",
                        "value": "con_7",
                        "fields": {"LastName": "Ulme", "Account": {"Billing_Id__c": "cus_7"}},
                    },
                ]
            },
            {"records": [{"object": "Contact", "value": "con_7", "fields": {"LastName": "Linde"}}]},
            "Contact",
            Billing_Id__c="con_7",
        ),
    ),
)
