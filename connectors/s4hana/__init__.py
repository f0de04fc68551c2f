"""SAP S/4HANA Cloud: master data, sales, billing documents and journal entries."""

from __future__ import annotations

from connectors.s4hana.connector import CONNECTOR
from hub.sdk.connector import Connector
from hub.sdk.hooks import hookimpl


@hookimpl
def concord_connector() -> Connector:
    """Give the connector."""
    return CONNECTOR
