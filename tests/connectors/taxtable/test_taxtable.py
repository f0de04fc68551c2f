"""The table engine passes the standard battery."""

from __future__ import annotations

from connectors.taxtable.connector import CONNECTOR
from connectors.taxtable.samples import SAMPLES
from hub.sdk.testing.battery import ConnectorBattery


class TestTaxtable(ConnectorBattery):
    connector = CONNECTOR
    samples = SAMPLES
