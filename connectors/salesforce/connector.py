"""The declaration: everything the hub knows about Salesforce, in one value."""

from __future__ import annotations

from connectors.salesforce.amounts import SCHEMAS
from connectors.salesforce.deletions import DELETIONS
from connectors.salesforce.diagnosis import ping
from connectors.salesforce.expected import in_records
from connectors.salesforce.failures import classify, limits_seen
from connectors.salesforce.listings import LISTINGS
from connectors.salesforce.logins import authorizer
from connectors.salesforce.operations import OPERATIONS
from connectors.salesforce.sent_records import schemas
from connectors.salesforce.settings import SalesforceSettings
from connectors.salesforce.streams import STREAMS
from connectors.salesforce.webhook import WEBHOOK
from hub.sdk.connector import Connector, Limits

CONNECTOR = Connector(
    name="salesforce",
    title="Salesforce",
    settings=SalesforceSettings,
    operations=OPERATIONS,
    authorizer=authorizer,
    classify=classify,
    ping=ping,
    # Of requests that take longer than twenty seconds an org has 25 at a time, a developer's five. Every answer tells
    # how many there may be in a day.
    limits=Limits(concurrency=15),
    limits_seen=limits_seen,
    webhook=WEBHOOK,
    streams=(*STREAMS, DELETIONS),
    listings=LISTINGS,
    schemas={**SCHEMAS, **schemas()},
    expects=in_records,
)
