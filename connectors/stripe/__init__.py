"""Stripe: signed events, invoices with all their lines, payments, customers, and notes on them."""

from __future__ import annotations

from connectors.stripe.connector import CONNECTOR
from hub.sdk.connector import Connector
from hub.sdk.hooks import hookimpl


@hookimpl
def concord_connector() -> Connector:
    """Give the Stripe connector."""
    return CONNECTOR
