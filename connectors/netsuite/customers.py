"""Customers: written under either id, read by either, and looked for where there may be none.

Several systems have a say about a customer: people in the ERP about its terms, billing about its address. So the guard
of the write watches those fields alone that the write names.
"""

from __future__ import annotations

from connectors.netsuite.upserts import Kind, find, read, upsert_named

KIND = Kind(
    record="customer",
    called="customer",
    schema="netsuite.customer@2026.1",
    sublists=("addressBook", "currencyList"),
)


UPSERT = upsert_named(KIND, name="customer.upsert")
READ = read(KIND, name="customer.read", title="Read a customer with its addresses and currencies")
FIND = find(KIND, name="customer.find")
