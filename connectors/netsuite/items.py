"""Items: the services that are sold."""

from __future__ import annotations

from connectors.netsuite.upserts import Kind, read, upsert

KIND = Kind(record="serviceSaleItem", called="service item", schema="netsuite.item@2026.1")
UPSERT = upsert(KIND, name="item.upsert")
READ = read(KIND, name="item.read", title="Read a service item for sale")
