"""What the hub can do in Salesforce."""

from __future__ import annotations

from connectors.salesforce import bulk_jobs, several, typed, writes
from connectors.salesforce.reads import READS
from hub.sdk.connector import Operation

OPERATIONS: tuple[Operation, ...] = (
    *READS,
    writes.UPSERT,
    writes.CREATE,
    writes.UPDATE,
    writes.DELETE,
    typed.ACCOUNT,
    typed.INVOICE_STATUS,
    typed.FIND_INVOICE,
    several.UPSERTS,
    several.WRITES,
    bulk_jobs.SUBMIT,
    bulk_jobs.READ,
)
