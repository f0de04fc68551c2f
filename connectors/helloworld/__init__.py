"""A fictional greeting service: the connector to copy when writing a new one."""

from __future__ import annotations

from connectors.helloworld.connector import CONNECTOR
from hub.sdk.connector import Connector
from hub.sdk.hooks import hookimpl


@hookimpl
def concord_connector() -> Connector:
    """Give the connector."""
    return CONNECTOR
