"""The declaration: everything the hub knows about S/4HANA Cloud, in one value."""

from __future__ import annotations

from pathlib import Path

from connectors.s4hana.diagnosis import ping
from connectors.s4hana.failures import classify
from connectors.s4hana.listings import LISTINGS
from connectors.s4hana.logins import authorizer
from connectors.s4hana.operations import OPERATIONS
from connectors.s4hana.settings import S4HanaSettings
from connectors.s4hana.shapes import schemas
from connectors.s4hana.streams import STREAMS
from connectors.s4hana.webhook import EVENTS, WEBHOOK
from hub.sdk.connector import Connector, Limits

CONNECTOR = Connector(
    name="s4hana",
    title="SAP S/4HANA Cloud",
    settings=S4HanaSettings,
    operations=OPERATIONS,
    authorizer=authorizer,
    classify=classify,
    ping=ping,
    # SAP publishes no limit; more at once only queue behind each other in one session.
    limits=Limits(concurrency=6),
    webhook=WEBHOOK,
    streams=STREAMS,
    listings=LISTINGS,
    schemas=schemas(Path(__file__).parent / "schemas", EVENTS),
)
