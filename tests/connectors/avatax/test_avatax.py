"""The AvaTax connector passes the standard battery."""

from __future__ import annotations

from connectors.avatax.connector import CONNECTOR
from connectors.avatax.samples import SAMPLES
from hub.sdk.testing.battery import ConnectorBattery


class TestAvatax(ConnectorBattery):
    connector = CONNECTOR
    samples = SAMPLES
