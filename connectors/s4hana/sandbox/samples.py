"""A small business to begin with, the same every time: customers in four currencies, products, orders and invoices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What `{"sample": true}` makes.
SAMPLE: Mapping[str, Any] = {
    "products": [
        {
            "product": "SUBSCRIPTION",
            "name": "Subscription, one month",
            "prices": {"EUR": "100", "USD": "110", "JPY": "15000"},
        },
        {"product": "USAGE", "name": "Metered usage", "prices": {"EUR": "0.05", "USD": "0.06", "JPY": "8"}},
        {
            "product": "CONSULTING",
            "name": "Consulting",
            "unit": "HUR",
            "prices": {"EUR": "150", "USD": "165", "GBP": "140"},
        },
    ],
    "customers": [
        {"number": "10100001", "name": "Alder Works GmbH", "company_codes": ["1010"], "city": "Berlin"},
        {"number": "17100001", "name": "Birch Trading Inc", "company_codes": ["1710"], "city": "Austin"},
        {"number": "15100001", "name": "Sakura KK", "company_codes": ["1510"], "city": "Tokyo"},
        {"number": "11100001", "name": "Cedar & Sons Ltd", "company_codes": ["1110"], "city": "Leeds"},
        {"number": "10100002", "name": "Dogwood AG", "company_codes": ["1010", "1710"], "city": "Hamburg"},
    ],
    "sales_orders": [
        {
            "SalesOrderType": "OR",
            "SalesOrganization": "1010",
            "DistributionChannel": "10",
            "OrganizationDivision": "00",
            "SoldToParty": "10100001",
            "PurchaseOrderByCustomer": "PO-1",
            "to_Item": [{"Material": "SUBSCRIPTION", "RequestedQuantity": "2"}],
        },
        {
            "SalesOrderType": "OR",
            "SalesOrganization": "1510",
            "DistributionChannel": "10",
            "OrganizationDivision": "00",
            "SoldToParty": "15100001",
            "PurchaseOrderByCustomer": "PO-2",
            "to_Item": [{"Material": "USAGE", "RequestedQuantity": "120"}],
        },
    ],
    "bill": ["1"],
}
