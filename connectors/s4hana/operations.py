"""What the hub can do in S/4HANA."""

from __future__ import annotations

from connectors.s4hana import billing, journal, ledger, orders, partners, products, queries
from hub.sdk.connector import Operation

OPERATIONS: tuple[Operation, ...] = (
    partners.CREATE,
    partners.UPDATE,
    partners.READ,
    partners.FIND,
    products.CREATE,
    products.EXTEND,
    products.UPDATE,
    products.READ,
    products.FIND,
    *orders.OPERATIONS,
    billing.READ,
    billing.CANCEL,
    *journal.OPERATIONS,
    *ledger.OPERATIONS,
    queries.QUERY,
)
