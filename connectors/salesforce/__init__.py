"""Salesforce: accounts, opportunities, contracts, orders and any other object of an org."""

from __future__ import annotations

from connectors.salesforce.connector import CONNECTOR
from hub.sdk.connector import Connector
from hub.sdk.hooks import hookimpl


@hookimpl
def concord_connector() -> Connector:
    """Give the Salesforce connector."""
    return CONNECTOR
