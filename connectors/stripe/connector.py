"""The declaration: everything the hub knows about Stripe, in one value."""

from __future__ import annotations

from pathlib import Path

from connectors.stripe.client import ping
from connectors.stripe.failures import classify
from connectors.stripe.listings import LISTINGS
from connectors.stripe.logins import authorizer
from connectors.stripe.operations import OPERATIONS
from connectors.stripe.settings import StripeSettings
from connectors.stripe.streams import STREAMS
from connectors.stripe.webhook import WEBHOOK
from hub.sdk import tax
from hub.sdk.connector import Connector, Limits
from hub.sdk.schemas import load

CONNECTOR = Connector(
    name="stripe",
    title="Stripe",
    settings=StripeSettings,
    operations=OPERATIONS,
    authorizer=authorizer,
    classify=classify,
    ping=ping,
    # Live accounts may send 100 requests a second, Stripe's own test accounts 25; some are left for others.
    limits=Limits(concurrency=20, rate=80),
    webhook=WEBHOOK,
    streams=STREAMS,
    listings=LISTINGS,
    schemas={**load(Path(__file__).parent / "schemas"), **tax.SCHEMAS},
)
