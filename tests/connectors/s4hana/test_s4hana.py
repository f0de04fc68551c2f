"""The S/4HANA connector passes the standard battery."""

from __future__ import annotations

from connectors.s4hana.connector import CONNECTOR
from connectors.s4hana.samples import SAMPLES
from hub.sdk.testing.battery import ConnectorBattery


class TestS4Hana(ConnectorBattery):
    connector = CONNECTOR
    samples = SAMPLES
