"""What the hub can do at Stripe: the operations of each family of objects, joined."""

from __future__ import annotations

from connectors.stripe.billing import BILLING
from connectors.stripe.catalogue import CATALOGUE
from connectors.stripe.meter_events import METER_EVENTS
from connectors.stripe.metering import METERING
from connectors.stripe.money import MONEY
from connectors.stripe.tax_engine import TAX_ENGINE
from connectors.stripe.taxes import TAXES
from hub.sdk.connector import Operation

OPERATIONS: tuple[Operation, ...] = (*BILLING, *CATALOGUE, *METERING, *METER_EVENTS, *MONEY, *TAXES, *TAX_ENGINE)
