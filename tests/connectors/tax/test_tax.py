"""The AvaTax connector passes the standard battery."""

from __future__ import annotations

from connectors.tax.connector import CONNECTOR
from connectors.tax.samples import SAMPLES
from hub.sdk.testing.battery import ConnectorBattery


class TestTax(ConnectorBattery):
    connector = CONNECTOR
    samples = SAMPLES
