"""The Salesforce connector passes the standard battery."""

from __future__ import annotations

from connectors.salesforce.connector import CONNECTOR
from connectors.salesforce.samples import SAMPLES
from hub.sdk.testing.battery import ConnectorBattery


class TestSalesforce(ConnectorBattery):
    connector = CONNECTOR
    samples = SAMPLES
