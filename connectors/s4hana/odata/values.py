"""Values in bodies: from SAP's JSON into plain ones, and back.

Read: a day is `2026-01-31`, a moment `2026-01-31T10:00:00Z` (with milliseconds where it has any), a decimal a text
with all its digits, an empty date is left out. What is not declared, such as a field of a later release, stays as it
came.
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
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ABOUT = frozenset({"__metadata"})


def read_entity(entity: EntitySet, value: Any) -> dict[str, Any]:
    """Read an entity with all that was expanded; raises `OutcomeUnknown` for what is none."""
    if not isinstance(value, Mapping):
        raise OutcomeUnknown("The answer is not an entity.", code="unreadable-answer", set=entity.name)
    found: dict[str, Any] = {}
    for name, each in value.items():
        if name in _ABOUT or name.startswith(("@", "SAP__")) or "@" in name:
            continue
        if name in entity.navigations:
            below = _behind(entity, name, each)
            if below is not None:
                found[name] = below
        elif name in entity.properties:
            read = _value(entity, name, each)
            if read is not None:
                found[name] = read
        elif not (isinstance(each, Mapping) and "__deferred" in each):
            found[name] = each
    return found


def _behind(entity: EntitySet, name: str, value: Any) -> Any:
    target, many = entity.behind(name)
    if value is None or (isinstance(value, Mapping) and "__deferred" in value):
        return None
    if not many:
        return read_entity(target, value)
    rows = value.get("results") if isinstance(value, Mapping) else value
    if not isinstance(rows, list) or (isinstance(value, Mapping) and value.get("__next")):
        raise OutcomeUnknown("What belongs to an entity came incomplete.", code="unreadable-answer", navigation=name)
    return [read_entity(target, row) for row in rows]


def _value(entity: EntitySet, name: str, value: Any) -> Any:
    if value is None:
        return None
    match entity.kind(name):
        case Kind.DATE:
            # Midnight UTC stands for the day itself and is never shifted into a time zone.
            return value if entity.version == 4 else _moment(value, name).date().isoformat()
        case Kind.MOMENT:
            return told(_moment(value, name) if entity.version == 2 else moment_of(value, name))
        case Kind.DECIMAL:
            return f"{value:f}" if isinstance(value, Decimal) else str(value) if isinstance(value, int) else value
        case _:
            return value


def _moment(value: Any, name: str) -> datetime:
    found = _TICKS.fullmatch(value) if isinstance(value, str) else None
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
