"""Values in bodies: from SAP's JSON into plain ones, and back.

Read: a day is `2026-01-31`, a moment `2026-01-31T10:00:00Z` (with milliseconds where it has any), a decimal a text
with all its digits, an empty date is left out. What is declared and comes as another type is refused, never made to
fit. What is not declared, such as a field of a later release, stays as it came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.s4hana.odata.literals import day_of, decimal_of, moment_of, wrong
from connectors.s4hana.odata.model import EntitySet, Kind
from hub.sdk.errors import FixData, OutcomeUnknown

_TICKS = re.compile(r"/Date\((-?\d{1,15})([+-]\d{4})?\)/")
#: A number in a text, with all its digits.
_DECIMAL = re.compile(r"-?\d{1,40}(\.\d{1,40})?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ABOUT = frozenset({"__metadata"})


def read_entity(entity: EntitySet, value: Any) -> dict[str, Any]:
    """Read an entity with all that was expanded; `OutcomeUnknown` for what is none, or has a value of another type."""
    return _read(entity, value, strict=True)


def shown_entity(entity: EntitySet, value: Any) -> dict[str, Any]:
    """Give an entity as `read_entity` does, but what is of another type as it came: to be compared with a schema."""
    return _read(entity, value, strict=False)


def _read(entity: EntitySet, value: Any, *, strict: bool) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise OutcomeUnknown("The answer is not an entity.", code="unreadable-answer", set=entity.name)
    found: dict[str, Any] = {}
    for name, each in value.items():
        if name in _ABOUT or name.startswith(("@", "SAP__")) or "@" in name or _is_deferred(each):
            continue
        if name not in entity.navigations and name not in entity.properties:
            found[name] = each
        elif each is not None:
            try:
                found[name] = (
                    _behind(entity, name, each, strict=strict)
                    if name in entity.navigations
                    else _value(entity, name, each)
                )
            except OutcomeUnknown:
                if strict:
                    raise
                found[name] = each
    return found


def _is_deferred(value: Any) -> bool:
    return isinstance(value, Mapping) and "__deferred" in value


def _behind(entity: EntitySet, name: str, value: Any, *, strict: bool) -> Any:
    target, many = entity.behind(name)
    if not many:
        return _read(target, value, strict=strict)
    rows = value.get("results") if isinstance(value, Mapping) else value
    if not isinstance(rows, list):
        raise OutcomeUnknown("What belongs to an entity came incomplete.", code="unreadable-answer", navigation=name)
    return [_read(target, row, strict=strict) for row in rows]


def _value(entity: EntitySet, name: str, value: Any) -> Any:
    kind, v4 = entity.kind(name), entity.version == 4
    try:
        read = _read_as(kind, name, value, v4=v4)
    except FixData:
        read = None
    if read is None:
        raise OutcomeUnknown(
            "A value of the answer is of another type than its property.",
            code="unreadable-answer",
            set=entity.name,
            property=name,
            expected=kind.value,
            value=str(value)[:80],
        )
    return read


def _read_as(kind: Kind, name: str, value: Any, *, v4: bool) -> Any:
    """Read a value of a kind; None for another. A decimal is a text in v2, and a text or a number in v4."""
    match kind, value:
        case Kind.BOOLEAN, bool():
            return value
        case _, bool():
            return None
        case Kind.DECIMAL, int() | Decimal() if v4:
            return f"{decimal_of(value, name):f}"
        case Kind.DECIMAL, str():
            return value if _DECIMAL.fullmatch(value) else None
        case Kind.DATE, str():
            # Midnight UTC stands for the day itself and is never shifted into a time zone.
            return (day_of(value, name) if v4 else _moment(value, name).date()).isoformat()
        case Kind.MOMENT, str():
            return told(moment_of(value, name) if v4 else _moment(value, name))
        case ((Kind.TEXT | Kind.TIME), str()):
            return value
        case _:
            return None


def _moment(value: str, name: str) -> datetime:
    found = _TICKS.fullmatch(value)
    if found is None:
        raise OutcomeUnknown("A date of the answer cannot be read.", code="unreadable-answer", property=name)
    try:
        # The ticks are UTC; the offset behind them only says what a clock on the wall would show.
        return _EPOCH + timedelta(milliseconds=int(found[1]))
    except OverflowError as error:
        raise OutcomeUnknown("A date of the answer cannot be read.", code="unreadable-answer") from error


def told(moment: datetime) -> str:
    """Write a moment as `2026-01-31T10:00:00Z`, with its parts of a second where there are any."""
    text = moment.astimezone(UTC).isoformat()
    return text.replace("+00:00", "Z")


def wire_entity(entity: EntitySet, record: Mapping[str, Any]) -> dict[str, Any]:
    """Form the body of a write, with all that is to be made below it; `FixData` for a wrong type or a float.

    A property that is not declared goes out as it is, where it is a text or a boolean: SAP has more than we name.
    """
    body: dict[str, Any] = {}
    for name, value in record.items():
        if name in entity.navigations:
            target, many = entity.behind(name)
            if many:
                body[name] = [wire_entity(target, row) for row in rows_of(value, name)]
            else:
                body[name] = wire_entity(target, _object(value, name))
        elif name not in entity.properties:
            if not isinstance(value, str | bool | None):
                raise wrong(name, "a text or a boolean, since it is not declared here", value)
            body[name] = value
        else:
            body[name] = _nothing(entity, name) if value is None else _wire(entity, name, value)
    return body


def _nothing(entity: EntitySet, name: str) -> Any:
    """Give what clears a property: in v4 texts and booleans are empty or false, and never nothing."""
    kind = entity.kind(name) if entity.version == 4 else None
    return "" if kind is Kind.TEXT else False if kind is Kind.BOOLEAN else None


def _wire(entity: EntitySet, name: str, value: Any) -> Any:
    v4 = entity.version == 4
    match entity.kind(name):
        case Kind.DATE:
            day = day_of(value, name)
            return day.isoformat() if v4 else f"/Date({ticks(datetime(day.year, day.month, day.day, tzinfo=UTC))})/"
        case Kind.MOMENT:
            moment = moment_of(value, name)
            return told(moment) if v4 else f"/Date({ticks(moment)}+0000)/"
        case Kind.DECIMAL:
            return f"{decimal_of(value, name):f}"
        case Kind.BOOLEAN:
            if not isinstance(value, bool):
                raise wrong(name, "true or false", value)
            return value
        case Kind.TEXT | Kind.TIME:
            if isinstance(value, bool) or not isinstance(value, str | int):
                raise wrong(name, "a text", value)
            return str(value)


def ticks(moment: datetime) -> int:
    """Give the milliseconds since 1970 of a moment."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def rows_of(value: Any, name: str) -> Sequence[Mapping[str, Any]]:
    """Give the rows of a list in a record, however it is written; `FixData` for anything else."""
    rows = value.get("results") if isinstance(value, Mapping) else value
    if not isinstance(rows, Sequence) or isinstance(rows, str) or not all(isinstance(row, Mapping) for row in rows):
        raise FixData("A list of objects was expected.", code="wrong-type", property=name)
    return rows


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise wrong(name, "an object", value)
    return value
