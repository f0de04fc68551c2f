"""NetSuite: customers, invoices, payments, RESTlets and SuiteQL over SuiteTalk REST."""

from __future__ import annotations

from connectors.netsuite.connector import CONNECTOR
from hub.sdk.connector import Connector
from hub.sdk.hooks import hookimpl


@hookimpl
def concord_connector() -> Connector:
    """Give the NetSuite connector."""
    return CONNECTOR
