"""The helloworld connector passes the standard battery."""

from __future__ import annotations

from connectors.helloworld.connector import CONNECTOR
from connectors.helloworld.samples import SAMPLES
from hub.sdk.testing.battery import ConnectorBattery


class TestHelloworld(ConnectorBattery):
    connector = CONNECTOR
    samples = SAMPLES
