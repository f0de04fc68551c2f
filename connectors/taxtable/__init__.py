"""A tax engine within the hub: rates, registrations and exemptions from files, documents in the hub's own store."""

from __future__ import annotations

from connectors.taxtable.connector import CONNECTOR
from hub.sdk.connector import Connector
from hub.sdk.hooks import hookimpl


@hookimpl
def concord_connector() -> Connector:
    """Give the connector."""
    return CONNECTOR
