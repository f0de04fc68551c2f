"""S/4HANA in the demo with two ERPs."""

from __future__ import annotations

from typing import Any


def wish() -> dict[str, Any]:
    """Ask S/4HANA's sandbox for what the invented company has there before anything happens."""
    return {"rates": {"SEK": "0.1"}}
