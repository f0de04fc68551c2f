"""What a read or a stream is given: the settings and a way to send signed, limited, classified requests."""

from __future__ import annotations

from typing import Protocol

from hub.model.exchange import Request, Response
from hub.sdk.settings import Settings


class Session(Protocol):
    """One connection in use; every request passes its limits and is signed by its authorizer."""

    @property
    def settings(self) -> Settings:
        """Give the connection's settings, secrets included."""
        ...

    async def send(self, request: Request) -> Response:
        """Send one request; what the connector's `classify` calls a failure is raised as that HubError."""
        ...
