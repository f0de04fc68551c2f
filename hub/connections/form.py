"""What a person is asked for to make a connection: the fields of its settings, and what is wrong with them."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, get_args, get_origin

from pydantic import ValidationError
from pydantic.fields import FieldInfo

from hub.connections.vault import hosts
from hub.sdk.connector import Connector
from hub.sdk.settings import secret_fields

#: Asked for although it may have a default, because it says where the secrets go.
_ALWAYS = frozenset({"base_url"})
_NUMBER = re.compile(r"\d{1,12}(\.\d{1,6})?")
_MANY = (tuple, list, frozenset, set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: whether it lives in the vault, must be given, has several lines, or takes several words.

    `asked` fields are asked for one by one; the others have a default that is right for most. `default` is shown.
    """

    name: str
    secret: bool
    required: bool
    asked: bool
    lines: bool
    many: bool
    default: str
    about: str


def fields_of(connector: Connector) -> tuple[Field, ...]:
    """Give the fields that a person is asked for, those that must be given first, secrets last."""
    secret = secret_fields(connector.settings)
    always = _ALWAYS | connector.settings.asks
    found = [
        _field(name, info, secret=name in secret, always=name in always)
        for name, info in connector.settings.model_fields.items()
    ]
    return tuple(sorted(found, key=lambda field: (not field.asked, field.secret, field.name not in _ALWAYS)))


def about(connector: Connector) -> str:
    """Give what the connector says of its settings."""
    return inspect.cleandoc(connector.settings.__doc__ or "")


def read(connector: Connector, given: Mapping[str, str]) -> dict[str, Any]:
    """Read what was typed: words of a field that takes several are split at commas; blank fields are left out."""
    many = {field.name for field in fields_of(connector) if field.many}
    infos = connector.settings.model_fields
    numbers = {name for name, info in infos.items() if {float, int} & {info.annotation, *get_args(info.annotation)}}
    found: dict[str, Any] = {}
    for name, text in given.items():
        if name in many:
            words = [word.strip() for word in text.split(",") if word.strip()]
            if words:
                found[name] = words
        elif name in numbers and _NUMBER.fullmatch(text.strip()):
            found[name] = Decimal(text) if "." in text else int(text)
        elif text.strip():
            found[name] = text if "\n" in text.strip() else text.strip()
    return found


def faults(connector: Connector, values: Mapping[str, Any]) -> dict[str, str]:
    """Give what is wrong, by field; the values themselves never show."""
    found: dict[str, str] = {}
    secret = secret_fields(connector.settings)
    try:
        connector.settings.model_validate(dict(values))
    except ValidationError as error:
        for fault in error.errors(include_input=False, include_url=False):
            name = str(fault["loc"][0]) if fault["loc"] else "settings"
            said = str(fault["msg"]).removeprefix("Value error, ")
            if fault["type"] == "missing":
                said = "it is missing"
            elif fault["type"] == "extra_forbidden":
                said = f"{connector.title} has no such setting"
            elif name in secret:
                # What a validator says of a secret may tell a part of it.
                said = "it is not as it must be"
            found.setdefault(name, said)
    for name in _ALWAYS - found.keys():
        value = values.get(name)
        if isinstance(value, str) and (not hosts({name: value}) or value.endswith("/") or "@" in value):
            found[name] = "write a scheme and a host, such as https://api.example.com, without a slash at its end"
    return found


def _field(name: str, info: FieldInfo, *, secret: bool, always: bool) -> Field:
    default = info.get_default(call_default_factory=False)
    shown = "" if info.is_required() or default is None or secret else _shown(default)
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    return Field(
        name=name,
        secret=secret,
        required=info.is_required(),
        asked=info.is_required() or always,
        lines=extra.get("lines") == "many",
        many=(get_origin(info.annotation) or info.annotation) in _MANY,
        default=shown,
        about=info.description or "",
    )


def _shown(default: Any) -> str:
    return ", ".join(map(str, default)) if isinstance(default, _MANY) else str(default)
