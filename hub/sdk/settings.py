"""A connection's settings: typed, checked, with secret fields that never show."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr

#: A field that lives in the vault, never in a file; `.get_secret_value()` gives it to the connector's client.
Secret = SecretStr


class Settings(BaseModel):
    """What one account of a system needs; a connector subclasses it.

    Every connection has `base_url` (a scheme and host without a trailing slash), because environments and
    sandboxes differ in it; `timeout` is in seconds for one attempt. `settle` replaces the seconds that an operation
    names, after which a write that a look does not find surely did not happen.
    """

    # A mistake in one field must not print the others, which hold secrets.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    base_url: str
    timeout: float = 30.0
    settle: float | None = None


def secret_fields(settings: type[Settings]) -> frozenset[str]:
    """Name the fields of a settings class that come from the vault."""
    return frozenset(name for name, field in settings.model_fields.items() if _mentions_secret(field.annotation))


def _mentions_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_mentions_secret(part) for part in getattr(annotation, "__args__", ()))
