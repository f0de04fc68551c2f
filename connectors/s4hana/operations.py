"""What the hub can do in S/4HANA."""

from __future__ import annotations

from connectors.s4hana import billing, contact_persons, journal, ledger, orders, partners, products, queries
from hub.sdk.connector import Operation

OPERATIONS: tuple[Operation, ...] = (
    partners.CREATE,
    partners.UPDATE,
    partners.READ,
    partners.FIND,
    *contact_persons.OPERATIONS,
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
