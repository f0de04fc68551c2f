"""Tables as bulk jobs take and give them: CSV with names in the first line, line feeds, and `#N/A` for null."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.salesforce.client import api_name
from hub.sdk.errors import FixData, OutcomeUnknown
from hub.sdk.values import Response

#: An empty cell leaves a field as it is; this empties it.
NULL = "#N/A"
_DECIMALS = frozenset({"double", "currency", "percent"})
#: Types of which a cell is not what REST gives.
_NO_TEXTS = _DECIMALS | {"boolean", "int", "datetime"}


def table(rows: Sequence[Mapping[str, Any]], first: str) -> bytes:
    """Write records as a table, `first` in front; a field that a record does not name is left as it is.

    What leads to another record by an external id is a column of its own (`Account.Billing_Id__c`). Raises `FixData`
    for what a cell cannot hold.
    """
    cells = [_cells(row) for row in rows]
    names = [first, *sorted({name for row in cells for name in row} - {first})]
    return _text(names, ([row.get(name, "") for name in names] for row in cells))


def without(name: str, names: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Write a table anew without one of its columns."""
    kept = [place for place, other in enumerate(names) if other != name]
    return _text([names[place] for place in kept], ([row[place] for place in kept] for row in rows))


def _text(names: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return out.getvalue().encode()


def read(response: Response) -> tuple[list[str], list[list[str]]]:
    """Read a table's names and rows; `OutcomeUnknown` for anything else, such as a table that breaks off."""
    kind = response.headers.get("content-type", "")
    try:
        text = response.body.decode().replace("\x00", "")
        names, rows = of_text(text)
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(response) from error
    if not kind.startswith("text/csv") or not names or not text.endswith("\n"):
        raise _unreadable(response)
    if len(set(names)) != len(names) or any(len(row) != len(names) for row in rows):
        raise _unreadable(response)
    return names, rows


def of_text(text: str) -> tuple[list[str], list[list[str]]]:
    """Read the names and rows of a table that is known to be one; raises `csv.Error`."""
    found = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    return (found[0], found[1:]) if found else ([], [])


def typed(names: Sequence[str], rows: Sequence[Sequence[str]], types: Mapping[str, str]) -> list[dict[str, Any]]:
    """Give rows with values as REST gives them; raises `OutcomeUnknown` for one that does not fit its type."""
    # Most columns are texts, of which there is nothing to find out cell by cell.
    columns = [(name, types[name] if types.get(name) in _NO_TEXTS else None) for name in names]
    return [
        {
            name: (cell or None) if kind is None else _value(cell, kind)
            for (name, kind), cell in zip(columns, row, strict=True)
        }
        for row in rows
    ]


def _cells(row: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in row.items():
        if name == "attributes":
            continue
        if isinstance(value, Mapping):
            for inner, key in value.items():
                found[f"{api_name(name)}.{api_name(inner)}"] = _cell(key)
        else:
            found[api_name(name)] = _cell(value)
    return found


def _cell(value: Any) -> str:
    if value is None or value == "":
        return NULL
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise FixData("A cell holds a text, a number or a truth.", code="bad-value", value=str(value)[:80])
    if value == NULL:
        raise FixData(f"In a bulk job the text {NULL} means null.", code="bad-value")
    return value.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n")


def _value(cell: str, type: str) -> Any:
    if type == "boolean":
        if cell not in ("true", "false"):
            raise _wrong(cell, type)
        return cell == "true"
    if cell == "":
        return None
    try:
        if type in _DECIMALS:
            number = Decimal(cell)
            if not number.is_finite() or abs(number.adjusted()) > 400:
                raise _wrong(cell, type)
            # A large one comes as `9.12260031E8`.
            return Decimal(f"{number:f}")
        if type == "int":
            return int(cell)
    except (InvalidOperation, ValueError) as error:
        raise _wrong(cell, type) from error
    if type == "datetime" and cell.endswith("Z"):
        return f"{cell.removesuffix('Z')}+0000"
    return cell


def _wrong(cell: str, type: str) -> OutcomeUnknown:
    return OutcomeUnknown("A cell does not fit its type.", code="unreadable-answer", type=type, cell=cell[:40])


def _unreadable(response: Response) -> OutcomeUnknown:
    return OutcomeUnknown("The answer is not a table.", code="unreadable-answer", status=response.status)
