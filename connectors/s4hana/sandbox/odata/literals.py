"""Literals of addresses and filters: how each version writes texts, numbers, dates, moments and GUIDs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.s4hana.sandbox.edm.model import Property
from connectors.s4hana.sandbox.edm.values import NotAValue, guid, tidy, time_of

_PREFIXED = re.compile(r"([A-Za-z]+)'(.*)'", re.DOTALL)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d{1,3})?")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,12})?)?(Z|[+-]\d{2}:\d{2})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TIME = re.compile(r"\d{2}:\d{2}(:\d{2}(\.\d{1,12})?)?")
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A literal's type (of `Property.type`, or `null`) and its value as tables hold it."""

    type: str
    value: Any

    def fits(self, kind: str) -> bool:
        """Tell whether it may be compared with a property of this type."""
        if self.type in (kind, "null"):
            return True
        if self.type == "Decimal":
            return kind in ("Int32", "Double")
        return self.type == "DateTimeOffset" and kind == "Date"


def read_literal(text: str, *, v4: bool) -> Literal:
    """Read a literal; raises `NotAValue`."""
    if text in ("true", "false"):
        return Literal(type="Boolean", value=text == "true")
    if text == "null":
        return Literal(type="null", value=None)
    if len(text) >= 2 and text.startswith("'") and text.endswith("'"):
        return Literal(type="String", value=_unquoted(text[1:-1]))
    return _bare(text) if v4 else _prefixed(text)


def key_value(property_: Property, text: str, *, v4: bool) -> Any:
    """Read a literal of a key or parameter as the property's value; raises `NotAValue`."""
    literal = read_literal(text, v4=v4)
    if literal.type == "null" or not literal.fits(property_.type):
        raise NotAValue(text)
    if property_.type == "String":
        return tidy(property_, literal.value)
    return dated(literal.value) or literal.value if property_.type == "Date" else literal.value


def dated(value: Any) -> date | None:
    """Give a moment at midnight as the date that it stands for; None if it has a time."""
    if isinstance(value, datetime):
        return value.date() if value.time() == time() else None
    return value if isinstance(value, date) else None


def _unquoted(inner: str) -> str:
    if "'" in inner.replace("''", ""):
        raise NotAValue(inner)
    return inner.replace("''", "'")


def _prefixed(text: str) -> Literal:
    found = _PREFIXED.fullmatch(text)
    if found is None:
        return Literal(type="Decimal", value=_number(text.rstrip("MmLlDdFf") if text[-1:].isalpha() else text))
    kind, inner = found[1].lower(), found[2]
    match kind:
        case "datetime" if not inner.endswith("Z"):
            return Literal(type="DateTimeOffset", value=_moment(inner))
        case "datetimeoffset":
            return Literal(type="DateTimeOffset", value=_moment(inner))
        case "time":
            return Literal(type="Time", value=time_of(inner))
        case "guid":
            return Literal(type="Guid", value=guid(inner))
        case _:
            raise NotAValue(text)


def _bare(text: str) -> Literal:
    if _GUID.fullmatch(text):
        return Literal(type="Guid", value=guid(text))
    if _MOMENT.fullmatch(text):
        return Literal(type="DateTimeOffset", value=_moment(text))
    if _DATE.fullmatch(text):
        try:
            return Literal(type="Date", value=date.fromisoformat(text))
        except ValueError:
            raise NotAValue(text) from None
    if _TIME.fullmatch(text):
        try:
            return Literal(type="Time", value=time.fromisoformat(text[:15]))
        except ValueError:
            raise NotAValue(text) from None
    return Literal(type="Decimal", value=_number(text))


def _number(text: str) -> Decimal:
    if _NUMBER.fullmatch(text) is None:
        raise NotAValue(text)
    try:
        return Decimal(text)
    except InvalidOperation:
        raise NotAValue(text) from None


def _moment(text: str) -> datetime:
    if _MOMENT.fullmatch(text) is None:
        raise NotAValue(text)
    # Gateway's moments have up to seven decimals, ours six.
    head, dot, rest = text.partition(".")
    if dot:
        fraction = re.match(r"\d+", rest)
        assert fraction is not None
        text = f"{head}.{fraction[0][:6].ljust(6, '0')}{rest[fraction.end() :]}"
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise NotAValue(text) from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
