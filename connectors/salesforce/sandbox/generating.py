"""Fills an org with any number of records, the same ones for the same seed, without asking its rules one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

from connectors.salesforce.sandbox.saving import Manner

if TYPE_CHECKING:
    from connectors.salesforce.sandbox.org import Org

_FIRST = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper", "Kapok", "Larch")
_SECOND = ("Works", "Systems", "Foods", "Logistics", "Energy", "Media", "Health", "Robotics", "Textiles", "Labs")
_PEOPLE = ("Ana", "Ben", "Chen", "Dora", "Emil", "Fatima", "Goran", "Hana", "Ivo", "Jana", "Kofi", "Lena")
_CITIES = (("Berlin", "DE", "EMEA"), ("Lyon", "FR", "EMEA"), ("Austin", "US", "AMER"), ("Osaka", "JP", "APAC"))
_TERMS = ("Net 15", "Net 30", "Net 45", "Net 60")
_INDUSTRIES = ("Technology", "Retail", "Energy", "Finance", "Healthcare", "Media")
_FAMILIES = ("Subscription", "Usage", "Services")
_STAGES = ("Qualification", "Proposal/Price Quote", "Negotiation/Review", "Closed Won")
_METRICS = ("api_calls", "storage_gb", "seats", "messages")


def generate(org: Org, wish: Mapping[str, Any]) -> dict[str, int]:
    """Make as many records of each kind as are wished; gives how many there are of each now.

    Raises `ValueError` for a kind that cannot be generated.
    """
    surplus = set(wish) - set(_MAKERS) - {"orders"}
    if surplus:
        raise ValueError(f"generate: cannot make {', '.join(sorted(surplus))}, only {', '.join(_MAKERS)} and orders")
    made: dict[str, int] = {}
    for name, (kind, values_of) in _MAKERS.items():
        count = int(wish.get(name, 0))
        if count:
            _make(org, kind, values_of(org, Random(f"{org.world.seed}:{name}"), count))
            made[name] = len(org.store.table(kind).live)
    if int(wish.get("orders", 0)):
        _orders(org, int(wish["orders"]))
        made["orders"] = len(org.store.table("Order").live)
    return made


def _make(org: Org, kind: str, rows: Iterator[dict[str, Any]]) -> None:
    declared, now, user = org.schema.get(kind), org.now(), org.user_id
    system = {
        "CreatedDate": now,
        "CreatedById": user,
        "LastModifiedDate": now,
        "LastModifiedById": user,
        "SystemModstamp": now,
        **({"OwnerId": user} if declared.owned else {}),
        **({"CurrencyIsoCode": org.currencies.home} if org.schema.multi_currency and declared.currency else {}),
    }
    flags = {field.name: False for field in declared.fields.values() if field.type == "boolean" and not field.computed}
    numbers = [field for field in declared.fields.values() if field.auto_number]
    for values in rows:
        numbered = {field.name: org.number(kind, field) for field in numbers}
        org.store.put(kind, org.ids.next(declared.prefix), {**flags, **values, **numbered, **system})


def _accounts(org: Org, dice: Random, count: int) -> Iterator[dict[str, Any]]:
    begin = len(org.store.table("Account").live)
    for place in range(begin + 1, begin + count + 1):
        city, country, region = dice.choice(_CITIES)
        yield {
            "Name": f"{dice.choice(_FIRST)} {dice.choice(_SECOND)} {place}",
            "AccountNumber": f"A-{place:07d}",
            "Billing_Id__c": f"cus_{place:07d}",
            "BillingStreet": f"{dice.randrange(1, 200)} Main Street",
            "BillingCity": city,
            "BillingCountry": country,
            "Region__c": region,
            "Payment_Terms__c": dice.choice(_TERMS),
            "Industry": dice.choice(_INDUSTRIES),
            "AnnualRevenue": Decimal(dice.randrange(1, 5000) * 10_000),
            "Type": "Customer - Direct",
        }


def _contacts(org: Org, dice: Random, count: int) -> Iterator[dict[str, Any]]:
    accounts = list(org.store.table("Account").live)
    if not accounts:
        raise ValueError("generate: contacts need accounts")
    begin = len(org.store.table("Contact").live)
    for place in range(begin + 1, begin + count + 1):
        first, last = dice.choice(_PEOPLE), f"{dice.choice(_FIRST)}son"
        yield {
            "AccountId": accounts[place % len(accounts)],
            "FirstName": first,
            "LastName": last,
            "Name": f"{first} {last}",
            "Email": f"{first.lower()}.{last.lower()}.{place}@customer.example",
        }


def _products(org: Org, dice: Random, count: int) -> Iterator[dict[str, Any]]:
    begin = len(org.store.table("Product2").live)
    for place in range(begin + 1, begin + count + 1):
        yield {
            "Name": f"Plan {place}",
            "ProductCode": f"PLAN-{place:04d}",
            "Billing_Id__c": f"prod_{place:05d}",
            "Family": dice.choice(_FAMILIES),
            "IsActive": True,
        }


def _prices(org: Org, dice: Random, count: int) -> Iterator[dict[str, Any]]:
    priced = {one.get("Product2Id") for one in org.store.rows("PricebookEntry")}
    without = [one for one in org.store.rows("Product2") if one.id not in priced]
    for product in without[:count]:
        yield {
            "Pricebook2Id": org.standard_price_book,
            "Product2Id": product.id,
            "Name": product.get("Name"),
            "ProductCode": product.get("ProductCode"),
            "UnitPrice": Decimal(dice.randrange(500, 500_000)).scaleb(-2),
            "IsActive": True,
        }


def _opportunities(org: Org, dice: Random, count: int) -> Iterator[dict[str, Any]]:
    accounts = list(org.store.rows("Account"))
    if not accounts:
        raise ValueError("generate: opportunities need accounts")
    begin = len(org.store.table("Opportunity").live)
    for place in range(begin + 1, begin + count + 1):
        account, stage = accounts[place % len(accounts)], dice.choice(_STAGES)
        amount, won = Decimal(dice.randrange(10_000, 10_000_000)).scaleb(-2), stage == "Closed Won"
        yield {
            "AccountId": account.id,
            "Name": f"{account.get('Name')} {place}"[:120],
            "StageName": stage,
            "CloseDate": (date(2026, 1, 1) + timedelta(days=dice.randrange(365))).isoformat(),
            "Amount": amount,
            "Probability": Decimal(100 if won else 50),
            "ExpectedRevenue": amount if won else (amount / 2).quantize(Decimal("0.01")),
            "IsWon": won,
            "IsClosed": won,
            "ForecastCategory": "Closed" if won else "Pipeline",
            "ForecastCategoryName": "Closed" if won else "Pipeline",
            "HasOpportunityLineItem": False,
            "Billing_Id__c": f"opp_{place:07d}",
        }


def _orders(org: Org, count: int) -> None:
    """Make orders with one to three products and activate them, by the org's own rules."""
    dice, manner = Random(f"{org.world.seed}:orders"), Manner(user=org.user_id)
    accounts, prices = list(org.store.table("Account").live), list(org.store.rows("PricebookEntry"))
    prices = [one for one in prices if one.get("Pricebook2Id") == org.standard_price_book and one.get("IsActive")]
    if not accounts or not prices:
        raise ValueError("generate: orders need accounts, products and prices")
    begin = len(org.store.table("Order").live)
    for place in range(begin + 1, begin + count + 1):
        head = {
            "AccountId": accounts[place % len(accounts)],
            "EffectiveDate": (date(2026, 1, 1) + timedelta(days=dice.randrange(365))).isoformat(),
            "Pricebook2Id": org.standard_price_book,
            "Billing_Id__c": f"ord_{place:07d}",
            "Billing_Status__c": "Pending",
        }
        order = org.saver.insert(org.schema.get("Order"), head, manner)
        for number, price in enumerate(dice.sample(prices, min(len(prices), dice.randint(1, 3))), start=1):
            line = {
                "OrderId": order.id,
                "PricebookEntryId": price.id,
                "Quantity": dice.randint(1, 50),
                "UnitPrice": price.get("UnitPrice"),
                "Line_Key__c": f"ord_{place:07d}-{number}",
            }
            org.saver.insert(org.schema.get("OrderItem"), line, manner)
        org.saver.update(org.schema.get("Order"), order.id, {"Status": "Activated"}, manner)


def _usage(org: Org, dice: Random, count: int) -> Iterator[dict[str, Any]]:
    accounts = list(org.store.table("Account").live)
    if not accounts:
        raise ValueError("generate: usage needs accounts")
    begin = len(org.store.table("Usage__c").live)
    for place in range(begin + 1, begin + count + 1):
        yield {
            "Account__c": accounts[place % len(accounts)],
            "Key__c": f"use_{place:09d}",
            "Metric__c": dice.choice(_METRICS),
            "Quantity__c": Decimal(dice.randrange(1, 10_000_000)).scaleb(-3).quantize(Decimal("0.000001")),
        }


#: In this order, because some are of others.
_MAKERS: dict[str, tuple[str, Callable[[Org, Random, int], Iterator[dict[str, Any]]]]] = {
    "accounts": ("Account", _accounts),
    "contacts": ("Contact", _contacts),
    "products": ("Product2", _products),
    "prices": ("PricebookEntry", _prices),
    "opportunities": ("Opportunity", _opportunities),
    "usage": ("Usage__c", _usage),
}
