"""Values as they stand in addresses: keys, and the literals of filters, in either version."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import quote

from connectors.s4hana.odata.model import EntitySet, Kind
from hub.sdk.errors import FixData

#: Operators of both versions that compare a property with a value.
OPERATORS = frozenset({"eq", "ne", "gt", "ge", "lt", "le"})
FUNCTIONS = frozenset({"startswith", "endswith", "contains"})
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"PT(\d{1,2}H)?(\d{1,2}M)?(\d{1,2}(\.\d+)?S)?")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d")
#: What no address of an entity may contain, whatever stands around it.
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def text_literal(value: object) -> str:
    """Give a text in quotes, a quote within it doubled; `FixData` for what is no text or has control characters."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise FixData("A text was expected.", code="not-a-text", value=str(value)[:80])
    text = str(value)
    if _CONTROL.search(text):
        raise FixData("A text has control characters.", code="not-a-text")
    return "'" + text.replace("'", "''") + "'"


def key_of(entity: EntitySet, key: Mapping[str, Any]) -> str:
    """Give the key of an entity as it stands in an address, encoded; one key without its name, several with names."""
    missing = [name for name in entity.keys if key.get(name) in (None, "") and name != "Person"]
    if missing:
        raise FixData(f"{entity.name} needs its whole key.", code="no-key", missing=", ".join(missing))
    parts = [quote(_key_literal(entity, name, key.get(name) or ""), safe="'~") for name in entity.keys]
    if len(parts) == 1:
        return parts[0]
    return ",".join(f"{name}={part}" for name, part in zip(entity.keys, parts, strict=True))


def _key_literal(entity: EntitySet, name: str, value: object) -> str:
    # A day is the one other type that keys have here.
    return literal(entity, name, value) if entity.properties.get(name) is Kind.DATE else text_literal(value)


def literal(entity: EntitySet, name: str, value: object) -> str:
    """Give a value as it stands in a filter on a property, by the property's type; `FixData` for another type."""
    v4 = entity.version == 4
    match entity.kind(name):
        case Kind.TEXT:
            return text_literal(value)
        case Kind.DATE:
            day = day_of(value, name)
            return day.isoformat() if v4 else f"datetime'{day.isoformat()}T00:00:00'"
        case Kind.MOMENT:
            moment = moment_of(value, name)
            # Gateway reads up to seven digits of a second.
            told = moment.strftime("%Y-%m-%dT%H:%M:%S") + (f".{moment.microsecond:06d}" if moment.microsecond else "")
            return f"{told}Z" if v4 else f"datetimeoffset'{told}Z'"
        case Kind.TIME:
            text = str(value)
            if not (_CLOCK if v4 else _TIME).fullmatch(text):
                raise wrong(name, f"a time such as {'10:30:00' if v4 else 'PT10H30M00S'}", value)
            return text if v4 else f"time'{text}'"
        case Kind.DECIMAL:
            number = decimal_of(value, name)
            return f"{number:f}" if v4 else f"{number:f}M"
        case Kind.BOOLEAN:
            if not isinstance(value, bool):
                raise wrong(name, "true or false", value)
            return "true" if value else "false"


def condition(entity: EntitySet, name: str, operator: str, value: object) -> str:
    """Give one condition of a filter, such as `CompanyCode eq '1010'`; `FixData` for another operator."""
    if value is None and operator in ("eq", "ne"):
        entity.kind(name)
        return f"{name} {operator} null"
    if operator in OPERATORS:
        return f"{name} {operator} {literal(entity, name, value)}"
    if operator in FUNCTIONS and entity.kind(name) is Kind.TEXT:
        if operator == "contains" and entity.version == 2:
            return f"substringof({text_literal(value)},{name})"
        return f"{operator}({name},{text_literal(value)})"
    raise FixData("This comparison is not known.", code="unknown-operator", operator=str(operator)[:40], property=name)


def all_of(conditions: Sequence[str]) -> str:
    """Give a filter that wants all conditions."""
    return " and ".join(conditions)


def any_of(conditions: Sequence[str]) -> str:
    """Give a filter that wants one of the conditions."""
    return conditions[0] if len(conditions) == 1 else "(" + " or ".join(conditions) + ")"


def day_of(value: object, name: str) -> date:
    """Read a day as `2026-01-31`; `FixData` for anything else, since a time of day would be cut off silently."""
    text = value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise wrong(name, "a day such as 2026-01-31", value)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise wrong(name, "a day such as 2026-01-31", value) from None


def moment_of(value: object, name: str) -> datetime:
    """Read a moment with its time zone, in UTC; `FixData` for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        moment = None
    if not isinstance(moment, datetime) or moment.tzinfo is None:
        raise wrong(name, "a moment with a time zone, such as 2026-01-31T10:00:00Z", value)
    return moment.astimezone(UTC)


def decimal_of(value: object, name: str) -> Decimal:
    """Read an exact number: a text, an integer or a Decimal, never a float."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise wrong(name, "an exact number", value)
    try:
        number = Decimal(value)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or abs(number.adjusted()) > 40:
        raise wrong(name, "an exact number", value)
    return number


def wrong(name: str, expected: str, value: object) -> FixData:
    """Give the error for a value of another type."""
    return FixData(f"{name} must be {expected}.", code="wrong-type", property=name, value=str(value)[:80])
