"""What callers send becomes what is kept, and the other way round; each type refuses in Salesforce's words."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from connectors.salesforce.sandbox.identifiers import read_id
from connectors.salesforce.sandbox.refusals import Refusal
from connectors.salesforce.sandbox.schema import DECIMALS, Field

_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?\s?(Z|[+-]\d\d:?\d\d)?)?", re.IGNORECASE
)


def read_moment(text: str) -> int | None:
    """Give milliseconds since 1970 of an ISO date and time (UTC where no zone is told); None for what is none."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    day, hours, minutes, seconds, fraction, zone = found.groups()
    try:
        moment = datetime.fromisoformat(f"{day}T{hours or '00'}:{minutes or '00'}:{seconds or '00'}+00:00")
        if zone and zone.upper() != "Z":
            ahead = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
            moment -= ahead if zone[0] == "+" else -ahead
    except (ValueError, OverflowError):
        return None
    thousandths = int((fraction or "0").ljust(3, "0")[:3])
    return (moment - _EPOCH) // timedelta(milliseconds=1) + thousandths


def read_day(text: str) -> str | None:
    """Give an ISO day; a date and time gives its day. None for what is none."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        return None
    try:
        return date.fromisoformat(found[1]).isoformat()
    except ValueError:
        return None


def show_moment(milliseconds: int) -> str:
    """Write a moment as the REST API does: `2013-05-20T20:49:32.000+0000`."""
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}+0000"


def show_moment_in_bulk(milliseconds: int) -> str:
    """Write a moment as CSV results do: `2013-05-20T20:49:32.000Z`."""
    return show_moment(milliseconds).removesuffix("+0000") + "Z"


class Double(Decimal):
    """A number with all its digits that is written as Java writes a double."""


def write_number(number: Decimal) -> str:
    """Write a number as Java does a double: at least one decimal place, and from ten million on as `1.2E7`."""
    plain = number.normalize() if number else Decimal(0)
    if abs(plain) < 10_000_000:
        text = f"{plain:f}"
        return text if "." in text else f"{text}.0"
    _, numerals, exponent = plain.as_tuple()
    power = len(numerals) + int(exponent) - 1
    mantissa = f"{plain.scaleb(-power):f}"
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}E{power}"


def read_value(field: Field, value: Any, *, from_text: bool = False) -> Any:
    """Give what is kept of a value that a caller sent for a field; None for null.

    `from_text` says that it stood in a CSV, where everything is text.
    """
    if value is None or value == "":
        return None
    if field.type in DECIMALS:
        return _decimal(field, value)
    if field.type == "int":
        return _whole(field, value)
    if field.type == "boolean":
        return _truth(field, value)
    if field.type == "date":
        day = read_day(value) if isinstance(value, str) else None
        return day if day is not None else _refuse_kind(field, "date", value)
    if field.type == "datetime":
        moment = read_moment(value) if isinstance(value, str) else None
        return moment // 1000 * 1000 if moment is not None else _refuse_kind(field, "datetime", value)
    if isinstance(value, bool | int | Decimal) and not from_text:
        value = str(value).lower() if isinstance(value, bool) else str(value)
    if not isinstance(value, str):
        return _refuse_kind(field, "string", value)
    if field.type == "reference":
        return _reference(field, value)
    return _text(field, value)


def _refuse_kind(field: Field, kind: str, value: Any) -> Any:
    told = "START_OBJECT" if isinstance(value, dict) else "START_ARRAY" if isinstance(value, list) else "VALUE_STRING"
    shown = f" value {value}" if isinstance(value, str | int | Decimal) else ""
    raise Refusal(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {kind} from {told}{shown} or request may be missing a required field at "
        f"[{field.name}]",
    )


def _decimal(field: Field, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return Decimal(_refuse_kind(field, field.type, value))
    try:
        number = Decimal(value)
    except InvalidOperation:
        return Decimal(_refuse_kind(field, field.type, value))
    if not number.is_finite():
        return Decimal(_refuse_kind(field, field.type, value))
    # Digits before the point are counted after rounding to the field's places; rounding is half up.
    if number.adjusted() >= max(field.places, 1):
        raise _too_large(field, number)
    rounded = number.quantize(Decimal(1).scaleb(-field.scale), rounding=ROUND_HALF_UP)
    if rounded and rounded.adjusted() >= max(field.places, 1):
        raise _too_large(field, number)
    return rounded


def _whole(field: Field, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return int(_refuse_kind(field, "int", value))
    try:
        number = Decimal(value)
    except InvalidOperation:
        return int(_refuse_kind(field, "int", value))
    if not number.is_finite() or number != number.to_integral_value():
        return int(_refuse_kind(field, "int", value))
    if number.adjusted() >= (field.length or 9):
        raise _too_large(field, number)
    return int(number)


def _too_large(field: Field, number: Decimal) -> Refusal:
    return Refusal(
        "NUMBER_OUTSIDE_VALID_RANGE",
        f"{field.label}: value outside of valid range on numeric field: {number}",
        fields=[field.name],
    )


def _truth(field: Field, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = {"true": True, "false": False, "1": True, "0": False}
    truth = known.get(str(value).lower()) if isinstance(value, str | int) else None
    return truth if truth is not None else bool(_refuse_kind(field, "boolean", value))


def _reference(field: Field, value: str) -> str:
    id = read_id(value)
    if id is None:
        raise Refusal("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", fields=[field.name])
    return id


def _text(field: Field, value: str) -> str | None:
    # White space around a text is cut off, as Salesforce does.
    text = value.strip() if field.type != "textarea" else value
    if not text:
        return None
    if field.type == "multipicklist":
        parts = [part.strip() for part in text.split(";") if part.strip()]
        _check_choices(field, parts)
        return ";".join(sorted(set(parts), key=_order(field)))
    if field.length and len(text) > field.length:
        shown = text if len(text) <= 255 else text[:252] + "..."
        raise Refusal(
            "STRING_TOO_LONG",
            f"{field.label}: data value too large: {shown} (max length={field.length})",
            fields=[field.name],
        )
    if field.type == "picklist":
        return _check_choices(field, [text])[0]
    if field.type == "email" and _EMAIL.fullmatch(text) is None:
        raise Refusal("INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {text}", fields=[field.name])
    return text


def _order(field: Field) -> Any:
    places = {choice.value: place for place, choice in enumerate(field.choices)}
    return lambda part: (places.get(part, len(places)), part)


def _check_choices(field: Field, parts: Iterable[str]) -> list[str]:
    """Give values as the picklist spells them; a restricted one refuses what it does not list or no longer has."""
    known = {choice.value.lower(): choice for choice in field.choices}
    found = []
    for part in parts:
        choice = known.get(part.lower())
        if field.restricted and (choice is None or not choice.active):
            raise Refusal(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{field.label}: bad value for restricted picklist field: {part}",
                fields=[field.name],
            )
        found.append(part if choice is None else choice.value)
    return found


def show_value(field: Field, value: Any) -> Any:
    """Give a kept value as JSON shows it."""
    if value is None:
        return False if field.type == "boolean" else None
    if field.type == "datetime":
        return show_moment(value)
    if field.type in DECIMALS:
        return Double(value)
    return value
