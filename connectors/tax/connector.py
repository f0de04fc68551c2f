"""The AvaTax connector, put together."""

from __future__ import annotations

from connectors.tax.client import authorizer, ping
from connectors.tax.failures import classify
from connectors.tax.operations import OPERATIONS
from connectors.tax.settings import TaxSettings
from connectors.tax.transactions import SCHEMAS
from hub.sdk.connector import Connector, Limits

CONNECTOR = Connector(
    name="tax",
    title="AvaTax",
    settings=TaxSettings,
    operations=OPERATIONS,
    authorizer=authorizer,
    classify=classify,
    ping=ping,
    # Avalara publishes no numbers and throttles by account and tier; ten at once is accepted everywhere.
    limits=Limits(concurrency=10),
    schemas=SCHEMAS,
)
