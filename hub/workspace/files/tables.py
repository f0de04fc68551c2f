"""Tables: CSV files with the header `key,value`, read whole; `table('NAME', key)` looks a value up."""

from __future__ import annotations

import csv
import io

from hub.workspace.source.lint import Lints, Position, shown
from hub.workspace.source.yaml_source import MAX_BYTES

HEADER = ["key", "value"]


def load_table(content: bytes, lints: Lints) -> dict[str, str] | None:
    """Read one table; None after an error. Keys and values are text, without the blanks around them."""
    if len(content) > 4 * MAX_BYTES:
        lints.error(Position(), "too-large", "The table is too large.", "Split it.")
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        lints.error(Position(), "not-utf-8", "The file is not UTF-8 text.", "Save it as UTF-8.")
        return None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    table: dict[str, str] = {}
    lines: dict[str, int] = {}
    try:
        if [cell.strip() for cell in next(reader, [])] != HEADER:
            lints.error(Position(), "bad-table", "A table begins with the line `key,value`.", "Add the header.")
            return None
        for row in reader:
            _row(row, Position(line=reader.line_num), table, lines, lints)
    except csv.Error as error:
        lints.error(
            Position(line=reader.line_num or 1), "bad-table", f"This is not readable CSV: {error}.", "Check the quotes."
        )
    return None if lints.failed else table


def _row(row: list[str], place: Position, table: dict[str, str], lines: dict[str, int], lints: Lints) -> None:
    cells = [cell.strip() for cell in row]
    if not any(cells):
        return
    if len(cells) != len(HEADER):
        count = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        hint = "Quote a cell that holds a comma." if len(cells) > len(HEADER) else "Put a comma between the two."
        lints.error(place, "bad-table", f"This row has {count}; a table has a key and a value.", hint)
        return
    key, value = cells
    if key in lines:
        message = f"The key {shown(key)} stands here a second time; the first is on line {lines[key]}."
        lints.error(place, "duplicate-key", message, "Keep one of them.")
        return
    table[key] = value
    lines[key] = place.line
