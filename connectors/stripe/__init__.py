"""Stripe: customers billed from the price list to the paid invoice, usage metered, and signed events."""

from __future__ import annotations

from connectors.stripe.connector import CONNECTOR
from hub.sdk.connector import Connector
from hub.sdk.hooks import hookimpl


@hookimpl
def concord_connector() -> Connector:
    """Give the Stripe connector."""
    return CONNECTOR
