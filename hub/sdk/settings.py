"""A connection's settings: typed, checked, with secret fields that never show."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

#: A field that lives in the vault, never in a file; `.get_secret_value()` gives it to the connector's client.
Secret = SecretStr
#: One of several lines, such as a private key as PEM.
SecretText = Annotated[SecretStr, Field(json_schema_extra={"lines": "many"})]


@dataclass(frozen=True, slots=True, kw_only=True)
class Telltale:
    """What the value of one setting shows of its account: that it moves real money (`production`), or that it does not.

    `pattern` is searched in the value; one that is not found shows nothing.
    """

    field: str
    pattern: str
    production: bool


class Settings(BaseModel):
    """What one account of a system needs; a connector subclasses it.

    Every connection has `base_url` (a scheme and host without a trailing slash), because environments and
    sandboxes differ in it; `timeout` is in seconds for one attempt. `settle` replaces the seconds that an operation
    names, after which a write that a look does not find surely did not happen. `credentials_end` is the day on which
    the vendor lets the credentials end, such as a certificate's: people are alarmed a month before.

    `telltales` are the signs in the values by which a test account is told from one with real money, so that the two
    never meet in one environment. `asks` are fields that a person is asked for although they may be left out, because
    one of several ways to sign in needs them.
    """

    telltales: ClassVar[Sequence[Telltale]] = ()
    asks: ClassVar[frozenset[str]] = frozenset()

    # A mistake in one field must not print the others, which hold secrets.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    base_url: str
    timeout: float = 30.0
    settle: float | None = None
    credentials_end: date | None = None


def secret_fields(settings: type[Settings]) -> frozenset[str]:
    """Name the fields of a settings class that come from the vault."""
    return frozenset(name for name, field in settings.model_fields.items() if _mentions_secret(field.annotation))


def kinds_told(telltales: Sequence[Telltale], values: Mapping[str, Any]) -> dict[str, bool]:
    """Give what each value shows of its account: field → whether it moves real money. What shows nothing is left out.

    Values are plain or secret; of several signs in one field the first counts.
    """
    found: dict[str, bool] = {}
    for sign in telltales:
        value = values.get(sign.field)
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(text, str) and re.search(sign.pattern, text):
            found.setdefault(sign.field, sign.production)
    return found


def _mentions_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_mentions_secret(part) for part in getattr(annotation, "__args__", ()))
