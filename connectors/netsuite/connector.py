"""The declaration: everything the hub knows about NetSuite, in one value."""

from __future__ import annotations

from pathlib import Path

from connectors.netsuite.diagnosis import ping
from connectors.netsuite.failures import classify
from connectors.netsuite.logins import authorizer
from connectors.netsuite.operations import OPERATIONS
from connectors.netsuite.settings import NetSuiteSettings
from connectors.netsuite.streams import STREAMS
from hub.sdk.connector import Connector, Limits
from hub.sdk.schemas import load

CONNECTOR = Connector(
    name="netsuite",
    title="NetSuite",
    settings=NetSuiteSettings,
    operations=OPERATIONS,
    authorizer=authorizer,
    classify=classify,
    ping=ping,
    # One pool for the whole account, shared with every other integration; 5 is the smallest service tier's.
    limits=Limits(concurrency=5),
    streams=STREAMS,
    schemas=load(Path(__file__).parent / "schemas"),
)
