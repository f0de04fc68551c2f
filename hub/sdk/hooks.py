"""The plugin seam: one hook, implemented by every connector package and by everyone's own."""

from __future__ import annotations

import pluggy

from hub.sdk.connector import Connector

PROJECT = "concord"
#: The entry-point group in which a package names its connector module.
ENTRY_POINTS = "concord.connectors"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def concord_connector() -> Connector:  # type: ignore[empty-body]
    """Give the connector this package offers; its name must be unique."""
