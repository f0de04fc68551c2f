"""The invented settings of a trial: those of a connector's samples, for the address at which its sandbox runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.sdk.connector import Connector
from hub.sdk.testing.samples import Samples


def live_settings(connector: Connector, samples: Samples, announcement: Mapping[str, Any]) -> dict[str, Any]:
    """Give the settings for a running sandbox: its address, and what it announces under a setting's name."""
    announced = {name: announcement[name] for name in connector.settings.model_fields if name in announcement}
    return {**samples.settings, **announced, "base_url": announcement["url"]}
