"""Customers: written by external id, read by either id."""

from __future__ import annotations

from connectors.netsuite.upserts import Kind, read, upsert

KIND = Kind(record="customer", called="customer", schema="netsuite.customer@2026.1")
UPSERT = upsert(KIND, name="customer.upsert")
READ = read(KIND, name="customer.read", title="Read a customer")
