"""CSV as bulk jobs take and give it: delimiters and line endings as the job says, and `#N/A` for null."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.salesforce.sandbox.schema import DECIMALS, Field
from connectors.salesforce.sandbox.values import show_moment_in_bulk, write_number

DELIMITERS = {"COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`"}
ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
#: What a cell says to make a field null; an empty cell leaves it as it is.
NULL = "#N/A"
#: The longest value, in characters; the csv module's own limit is of the same size.
LONGEST_CELL = 131_072


class Unreadable(Exception):
    """The whole file cannot be taken; the text is the job's `errorMessage`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file that was read: its header and its rows."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def read(content: bytes, *, delimiter: str, ending: str) -> Sheet:
    """Read a file; raises `Unreadable`."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable("InvalidBatch : The file is not encoded in UTF-8") from error
    _check_ending(text, ending)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=DELIMITERS[delimiter], strict=True)
    try:
        columns = next(reader, [])
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise Unreadable(f"InvalidBatch : Failed to parse CSV: {error}") from error
    if not columns:
        raise Unreadable("InvalidBatch : The CSV has no header")
    if len({name.lower() for name in columns}) < len(columns):
        raise Unreadable("InvalidBatch : Duplicate column in the header")
    for place, row in enumerate(rows, start=2):
        if len(row) != len(columns):
            raise Unreadable(
                f"InvalidBatch : Failed to parse CSV: row {place} has {len(row)} columns, the header {len(columns)}"
            )
    return Sheet(columns=columns, rows=rows)


def _check_ending(text: str, ending: str) -> None:
    """Refuse a file whose first line ends otherwise than the job says."""
    first = text.find("\n")
    if first < 0:
        return
    if (text[first - 1 : first] == "\r") is not (ending == "CRLF"):
        raise Unreadable(
            f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {ending}"
        )


def write(columns: Sequence[str], rows: Iterable[Sequence[str]], *, delimiter: str, ending: str) -> bytes:
    """Write a file; every value is quoted, the header too."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=DELIMITERS[delimiter], lineterminator=ENDINGS[ending], quoting=csv.QUOTE_ALL)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def bodies(sheet: Sheet) -> Iterator[dict[str, Any]]:
    """Give each row as the body of a record: parents named by a column such as `Account.Billing_Id__c` are objects."""
    for row in sheet.rows:
        body: dict[str, Any] = {}
        for name, cell in zip(sheet.columns, row, strict=True):
            value = None if cell == NULL else cell
            parent, dot, key = name.partition(".")
            if cell == "":
                continue
            if dot:
                body[parent] = None if value is None else {key: value}
            else:
                body[name] = value
        yield body


def cell(field: Field, value: Any) -> str:
    """Give a kept value as the results of a query job write it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if field.type == "datetime":
        return show_moment_in_bulk(value)
    if field.type in DECIMALS and isinstance(value, Decimal):
        return write_number(value)
    return str(value)
