"""The AvaTax connector, put together."""

from __future__ import annotations

from pathlib import Path

from connectors.avatax.client import authorizer, ping
from connectors.avatax.failures import classify
from connectors.avatax.operations import OPERATIONS
from connectors.avatax.settings import AvataxSettings
from hub.sdk.connector import Connector, Limits
from hub.sdk.schemas import load
from hub.sdk.tax import SCHEMAS

CONNECTOR = Connector(
    name="avatax",
    title="AvaTax",
    settings=AvataxSettings,
    operations=OPERATIONS,
    authorizer=authorizer,
    classify=classify,
    ping=ping,
    # Avalara publishes no numbers and throttles by account and tier; ten at once is accepted everywhere.
    limits=Limits(concurrency=10),
    schemas={**SCHEMAS, **load(Path(__file__).parent / "schemas")},
)
