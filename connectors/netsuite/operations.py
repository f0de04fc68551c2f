"""What the hub can do in NetSuite."""

from __future__ import annotations

from connectors.netsuite import customers, invoices, jobs, payments, queries, restlets
from hub.sdk.connector import Operation

OPERATIONS: tuple[Operation, ...] = (
    customers.UPSERT,
    customers.READ,
    invoices.UPSERT,
    invoices.READ,
    invoices.REVERSE,
    payments.CREATE,
    payments.READ,
    restlets.CALL,
    jobs.SUBMIT,
    jobs.READ,
    queries.QUERY,
)
