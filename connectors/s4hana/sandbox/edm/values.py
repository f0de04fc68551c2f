"""Values of properties: as the tables hold them, in JSON of both versions, and as literals of addresses and filters.

Tables hold `str`, `bool`, `int`, `Decimal`, `date`, aware `datetime`, `time`, and a GUID as its text; a column that is
missing has the type's initial value, which SAP shows instead of null wherever it can.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.s4hana.sandbox.edm.model import Property

#: Currencies that have not two decimals.
DIGITS = {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "HUF": 2, "KWD": 3, "BHD": 3, "TND": 3, "JOD": 3, "OMR": 3}
#: Units that are counted.
_COUNTED = frozenset({"PC", "EA", "ST", "C62", "AU", "LE"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INITIAL: Mapping[str, Any] = {"String": "", "Boolean": False, "Decimal": Decimal(0), "Int32": 0, "Double": Decimal(0)}
_MILLISECONDS = re.compile(r"/Date\((-?\d+)([+-]\d{1,4})?\)/")
_ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T00:00(:00(\.0+)?)?)?")
_DURATION = re.compile(r"PT(?:(\d{1,2})H)?(?:(\d{1,2})M)?(?:(\d{1,2})(?:\.\d+)?S)?")


class NotAValue(ValueError):
    """The text or JSON value is none of the property's type."""


def initial(property_: Property) -> Any:
    """Give what a column holds that nobody has set."""
    return "0" if property_.digits else _INITIAL.get(property_.type)


def held(property_: Property, row: Mapping[str, Any]) -> Any:
    """Give a row's value of a property."""
    value = row.get(property_.column)
    return initial(property_) if value is None else value


def alpha(value: str) -> str:
    """Give a number without its leading zeros, as SAP shows it; other texts are in capitals."""
    return (value.lstrip("0") or "0") if value.isdigit() else value.upper()


def tidy(property_: Property, value: str) -> str:
    """Bring a text into the form in which the table holds it; raises `NotAValue` when it is too long or no number."""
    if property_.length is not None and len(value) > property_.length:
        raise NotAValue(value)
    if property_.alpha and value:
        return alpha(value)
    if property_.digits and value:
        if not value.isdigit():
            raise NotAValue(value)
        return value.lstrip("0") or "0"
    return value


def padded(value: Any) -> Any:
    """Give a number in the width in which SAP compares it, so that 9 comes before 10."""
    return value.zfill(10) if isinstance(value, str) and value.isdigit() else value


def digits_of(currency: str) -> int:
    """Give how many decimals a currency has."""
    return DIGITS.get(currency, 2)


def decimals(property_: Property, value: Decimal, unit: str) -> str:
    """Write a decimal: amounts with the currency's decimals, quantities with the unit's, others with the full scale."""
    if property_.unit and "Currency" in property_.unit:
        return f"{value:.{digits_of(unit)}f}"
    if property_.unit:
        shown = f"{value:.3f}"
        return shown if unit and unit not in _COUNTED else shown.removesuffix(".000")
    return f"{value:.{property_.scale or 0}f}"


def to_v2(property_: Property, value: Any, unit: str = "") -> Any:
    """Write a held value as JSON of OData v2."""
    if value is None:
        return None
    match property_.type:
        case "Date":
            return f"/Date({_milliseconds(datetime(value.year, value.month, value.day, tzinfo=UTC))})/"
        case "DateTimeOffset":
            return f"/Date({_milliseconds(value)}+0000)/"
        case "Time":
            return duration(value)
        case "Decimal":
            return decimals(property_, value, unit)
        case "Double":
            return str(value)
        case _:
            return value


def to_v4(property_: Property, value: Any, unit: str = "", *, as_text: bool = False) -> Any:
    """Write a held value as JSON of OData v4; decimals are texts where IEEE754Compatible asks for it."""
    if value is None:
        return None
    match property_.type:
        case "Date":
            return value.isoformat()
        case "DateTimeOffset":
            return moment(value, property_.precision or 0)
        case "Time":
            return value.isoformat(timespec="seconds")
        case "Decimal" | "Double":
            text = decimals(property_, value, unit)
            return text if as_text else Decimal(text)
        case _:
            return value


def moment(value: datetime, precision: int) -> str:
    """Write a moment in UTC with as many decimals as the property has."""
    text = value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{value.microsecond:06d}0"[: 20 + precision] + "Z" if precision else f"{text}Z"


def duration(value: time) -> str:
    """Write a time of day as SAP does: `PT10H30M00S`."""
    return f"PT{value.hour:02d}H{value.minute:02d}M{value.second:02d}S"


def from_v2(property_: Property, value: Any) -> Any:
    """Read JSON of OData v2; raises `NotAValue`."""
    if value is None:
        return None
    match property_.type:
        case "Date" | "DateTimeOffset":
            read = _milliseconds_read(value)
            return read.date() if property_.type == "Date" else _within(property_, read)
        case "Time":
            return time_of(value)
        case "Decimal" | "Double":
            # Numbers must be texts in v2: a JSON number would have lost digits on the way.
            return _decimal(property_, value) if isinstance(value, str) else _refuse(value)
        case _:
            return _plain(property_, value)


def from_v4(property_: Property, value: Any, *, as_text: bool = False) -> Any:
    """Read JSON of OData v4; decimals are texts where IEEE754Compatible says so, else numbers. Raises `NotAValue`."""
    if value is None:
        return None
    match property_.type:
        case "Date":
            return _date(value)
        case "DateTimeOffset":
            return _moment_read(value)
        case "Time":
            try:
                return time.fromisoformat(value)
            except (TypeError, ValueError):
                return _refuse(value)
        case "Decimal" | "Double":
            wanted = (str,) if as_text and property_.type == "Decimal" else (int, Decimal)
            if isinstance(value, bool) or not isinstance(value, wanted):
                return _refuse(value)
            return _decimal(property_, str(value))
        case _:
            return _plain(property_, value)


def time_of(value: Any) -> time:
    """Read a duration within one day; raises `NotAValue`."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None or value == "PT":
        raise NotAValue(str(value))
    try:
        hour, minute, second = (int(part or 0) for part in found.groups())
        return time(hour, minute, second)
    except ValueError:
        raise NotAValue(str(value)) from None


def etag_of(property_: Property, value: datetime | None) -> str:
    """Give the weak ETag that Gateway makes of a moment."""
    text = "" if value is None else moment(value, 7).replace(":", "%3A")
    return f"W/\"datetimeoffset'{text}'\""


def _milliseconds(value: datetime) -> int:
    return (value - _EPOCH) // timedelta(milliseconds=1)


def _milliseconds_read(value: Any) -> datetime:
    if not isinstance(value, str):
        raise NotAValue(str(value))
    found = _MILLISECONDS.fullmatch(value)
    if found is None:
        if _ISO_DATE.fullmatch(value):
            return datetime.combine(_date(value[:10]), time(), UTC)
        return _moment_read(value)
    try:
        return _EPOCH + timedelta(milliseconds=int(found[1]))
    except OverflowError:
        raise NotAValue(value) from None


def _within(property_: Property, value: datetime) -> datetime:
    return value if property_.precision else value.replace(microsecond=0)


def _moment_read(value: Any) -> datetime:
    try:
        read = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise NotAValue(str(value)) from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def _date(value: Any) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise NotAValue(str(value)) from None


def _decimal(property_: Property, value: str) -> Decimal:
    try:
        read = Decimal(value)
    except InvalidOperation:
        raise NotAValue(value) from None
    if not read.is_finite():
        raise NotAValue(value)
    exponent = read.normalize().as_tuple().exponent
    places = max(0, -exponent) if isinstance(exponent, int) else 0
    scale = 3 if property_.scale is None else property_.scale
    if places > scale or (property_.precision and abs(read) >= Decimal(10) ** (property_.precision - scale)):
        raise NotAValue(value)
    return read


def _plain(property_: Property, value: Any) -> Any:
    match property_.type:
        case "Boolean":
            return value if isinstance(value, bool) else _refuse(value)
        case "Int32":
            return value if isinstance(value, int) and not isinstance(value, bool) else _refuse(value)
        case "Guid":
            return guid(value)
        case _:
            return tidy(property_, value) if isinstance(value, str) else _refuse(value)


def guid(value: Any) -> str:
    """Read a GUID; raises `NotAValue`."""
    try:
        return str(uuid.UUID(value))
    except (AttributeError, TypeError, ValueError):
        raise NotAValue(str(value)) from None


def _refuse(value: Any) -> Any:
    raise NotAValue(str(value))
