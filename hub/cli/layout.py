"""Tables as wide as the terminal lets them be; where words would break, each row as lines of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

#: A cell's two spaces, and the line on its left.
_EDGE = 3
_INDENT = 2
_BETWEEN = "   "


def show_table(console: Console, table: Table) -> None:
    """Print a table; where it is too narrow to keep every word whole, each row as `Title value` pairs."""
    needs = [_need(console, [column.header, *column.cells]) for column in table.columns]
    room = console.width - _EDGE * len(needs) - 1
    if sum(need.minimum for need in needs) > room:
        _show_rows(console, table)
        return
    for column, width in zip(table.columns, _widths(needs, room), strict=True):
        column.width = width
    console.print(table)


def _need(console: Console, cells: Sequence[RenderableType]) -> Measurement:
    """Give a column's width with its longest word alone on a line, and with everything on one line."""
    texts = [_text(console, cell) for cell in cells]
    longest_word = max((len(word) for text in texts for word in text.plain.split()), default=0)
    longest_line = max((Text(line).cell_len for text in texts for line in text.plain.split("\n")), default=0)
    return Measurement(longest_word, longest_line)


def _widths(needs: Sequence[Measurement], room: int) -> list[int]:
    """Share the room: nobody gets less than the longest word, and who wants little gets it first."""
    widths = [need.minimum for need in needs]
    spare = room - sum(widths)
    waiting = sorted(range(len(needs)), key=lambda index: needs[index].span)
    for done, index in enumerate(waiting):
        more = min(needs[index].span, spare // (len(waiting) - done))
        widths[index] += more
        spare -= more
    return widths


def _show_rows(console: Console, table: Table) -> None:
    """Print what names the row on a line, and below it everything else that it has."""
    if table.title:
        console.print(_styled(_text(console, table.title), "bold"))
    titles = [_text(console, column.header) for column in table.columns]
    columns = [[*column.cells] for column in table.columns]
    for row in zip(*columns, strict=True):
        name, *rest = (_on_one_line(_text(console, cell)) for cell in row)
        if name:
            console.print(_styled(name, "bold"))
        pairs = [_pair(title, cell) for title, cell in zip(titles[1:], rest, strict=True) if cell]
        for line in _lines(pairs, console.width - _INDENT):
            console.print(Padding(line, (0, 0, 0, _INDENT)))


def _pair(title: Text, cell: Text) -> Text:
    return Text.assemble((title.plain, "dim"), " ", cell) if title else cell


def _lines(pairs: Sequence[Text], width: int) -> Iterator[Text]:
    """Put as many pairs on a line as go there whole; one that is longer than a line wraps by itself."""
    line = Text()
    for pair in pairs:
        if line and line.cell_len + len(_BETWEEN) + pair.cell_len > width:
            yield line
            line = Text()
        line = Text.assemble(line, _BETWEEN if line else "", pair)
    if line:
        yield line


def _text(console: Console, cell: RenderableType) -> Text:
    """Give a cell as text; a string is read as markup, as a table does."""
    if isinstance(cell, Text):
        return cell
    if isinstance(cell, str):
        return console.render_str(cell, highlight=False)
    raise TypeError(f"{type(cell).__name__} is no text")


def _on_one_line(text: Text) -> Text:
    return Text(", ").join(line for line in text.split("\n") if line)


def _styled(text: Text, style: str) -> Text:
    whole = text.copy()
    whole.stylize_before(style)
    return whole
