"""What the hub can do in NetSuite."""

from __future__ import annotations

from connectors.netsuite import (
    credit_memos,
    customers,
    deposits,
    invoices,
    items,
    jobs,
    journals,
    payments,
    queries,
    refunds,
    restlets,
    set_up,
)
from hub.sdk.connector import Operation

OPERATIONS: tuple[Operation, ...] = (
    customers.UPSERT,
    customers.READ,
    customers.FIND,
    items.UPSERT,
    items.READ,
    invoices.UPSERT,
    invoices.READ,
    invoices.REVERSE,
    credit_memos.UPSERT,
    credit_memos.READ,
    credit_memos.REVERSE,
    payments.UPSERT,
    payments.CREATE,
    payments.READ,
    payments.REVERSE,
    deposits.UPSERT,
    deposits.READ,
    deposits.REVERSE,
    refunds.UPSERT,
    refunds.READ,
    refunds.REVERSE,
    journals.UPSERT,
    journals.READ,
    journals.REVERSE,
    set_up.PERIOD,
    set_up.SUBSIDIARIES,
    set_up.CURRENCIES,
    restlets.CALL,
    jobs.SUBMIT,
    jobs.READ,
    queries.QUERY,
)
