"""AvaTax REST v2: quotes tax, records it in one committed document an invoice, and voids it."""

from __future__ import annotations

from connectors.avatax.connector import CONNECTOR
from hub.sdk.connector import Connector
from hub.sdk.hooks import hookimpl


@hookimpl
def concord_connector() -> Connector:
    """Give the connector."""
    return CONNECTOR
