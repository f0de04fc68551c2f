"""How the greeting service is spoken to: addresses, authorisation, reading an answer, and a check that it all works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast
from urllib.parse import quote, urlencode

from connectors.helloworld.settings import HelloworldSettings
from hub.sdk.answers import read_object
from hub.sdk.auth import Authorizer, FixedHeaders
from hub.sdk.session import Session
from hub.sdk.values import Request


def address(settings: HelloworldSettings, *segments: str, query: Mapping[str, str] | None = None) -> str:
    """Give the absolute URL of a path; every segment is escaped, so that no id can leave its place."""
    path = "/".join(quote(segment, safe="") for segment in segments)
    return f"{settings.base_url}/v1/{path}" + (f"?{urlencode(query)}" if query else "")


def settings_of(session: Session) -> HelloworldSettings:
    """Give a session's settings with their type."""
    return cast("HelloworldSettings", session.settings)


def authorizer(settings: HelloworldSettings) -> Authorizer:
    """Sign every attempt with the API key."""
    return FixedHeaders({"authorization": f"Bearer {settings.api_key.get_secret_value()}"})


async def ping(session: Session) -> None:
    """Show that host and API key work; raises what `classify` makes of the answer."""
    read_object(await session.send(Request(method="GET", url=address(settings_of(session), "ping"))))
