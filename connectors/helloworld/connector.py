"""The declaration: everything the hub knows about the greeting service, in one value."""

from __future__ import annotations

from pathlib import Path

from connectors.helloworld.client import authorizer, ping
from connectors.helloworld.failures import classify
from connectors.helloworld.operations import OPERATIONS
from connectors.helloworld.settings import HelloworldSettings
from connectors.helloworld.streams import STREAMS
from connectors.helloworld.webhook import WEBHOOK
from hub.sdk.connector import Connector, Limits
from hub.sdk.schemas import load

CONNECTOR = Connector(
    name="helloworld",
    title="Hello World",
    settings=HelloworldSettings,
    operations=OPERATIONS,
    authorizer=authorizer,
    classify=classify,
    ping=ping,
    limits=Limits(concurrency=10, rate=50),
    webhook=WEBHOOK,
    streams=STREAMS,
    schemas=load(Path(__file__).parent / "schemas"),
)
