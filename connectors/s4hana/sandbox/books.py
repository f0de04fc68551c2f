"""The books as the control API shows them: every document, partner and balance, and what was sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from connectors.s4hana.sandbox.business import ledger

if TYPE_CHECKING:
    from connectors.s4hana.sandbox.tenant import Tenant

#: Tables that are shown row by row; rows of crowds that nobody has touched are only counted.
_SHOWN = (
    "A_BusinessPartner",
    "A_BusinessPartnerAddress",
    "A_AddressEmailAddress",
    "A_AddressPhoneNumber",
    "A_BusinessPartnerContact",
    "A_BusinessPartnerRole",
    "A_BusinessPartnerTaxNumber",
    "A_Customer",
    "A_CustomerCompany",
    "A_CustomerSalesArea",
    "A_Product",
    "A_ProductDescription",
    "A_ProductSalesDelivery",
    "A_SalesOrder",
    "A_SalesOrderItem",
    "A_SalesOrderItemPrElement",
    "A_CreditMemoRequest",
    "A_CreditMemoRequestItem",
    "A_BillingDocument",
    ledger.HEADS,
    ledger.ITEMS,
)


def snapshot(tenant: Tenant) -> Mapping[str, Any]:
    """Give the books.

    `tables`: rows by table, as far as somebody made or changed them; `counts`: how many rows there are in all;
    `balances`: by company code, currency and account; `messages`: asynchronous journal entries; `events`: deliveries.
    """
    tenant.inbox.work()
    return {
        "tables": {name: [_shown(row) for row in tenant.store.table(name).own()] for name in _SHOWN},
        "counts": {name: tenant.store.table(name).count() for name in _SHOWN},
        "balances": balances(tenant),
        "messages": list(tenant.inbox.log),
        "events": list(tenant.events.log),
    }


def balances(tenant: Tenant) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Give what stands on each account (debit positive), by company code and transaction currency."""
    sums: dict[str, dict[str, dict[str, Decimal]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(Decimal)))
    for (company, *_), row in tenant.store.table(ledger.ITEMS).scan():
        currency, account = str(row["TransactionCurrency"]), str(row["GLAccount"])
        sums[company][currency][account] += row["AmountInTransactionCurrency"]
    return {
        company: {currency: {name: str(total) for name, total in each.items()} for currency, each in inner.items()}
        for company, inner in sums.items()
    }


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give a row with values that JSON has; amounts stay texts."""
    return {name: _plain(value) for name, value in row.items() if not name.startswith("_")}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return str(value)
    return value.isoformat() if isinstance(value, date | datetime | time) else value
