"""Tables of commands break no word: wide as tables, in a narrow terminal row by row, in files as they are."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from hub.cli.layout import show_table

WORDS = st.text("abcdefghij_@.[]/", min_size=1, max_size=24)
CELLS = st.lists(WORDS, max_size=4).map(" ".join)


def printed(table: Table, width: int) -> str:
    """Give what a terminal so wide would show."""
    out = io.StringIO()
    show_table(Console(file=out, width=width, color_system=None), table)
    return out.getvalue()


def runs() -> Table:
    table = Table("Run", "State", "About", title="Runs")
    table.add_row("run_01m7yke2wr76beesz1mw", "[red]parked[/]", "stripe:in_13\nthanks")
    table.add_row("", "waiting", "")
    return table


def test_where_there_is_room_it_is_a_table() -> None:
    shown = printed(runs(), 80)
    assert "┃ Run                      ┃ State   ┃ About        ┃" in shown
    assert "│ run_01m7yke2wr76beesz1mw │ parked  │ stripe:in_13 │" in shown


def test_where_words_would_break_each_row_has_its_lines() -> None:
    lines = [line.rstrip() for line in printed(runs(), 50).splitlines()]
    assert lines == [
        "Runs",
        "run_01m7yke2wr76beesz1mw",
        "  State parked   About stripe:in_13, thanks",
        "  State waiting",
    ]


def test_a_cell_wraps_between_words_when_that_is_enough() -> None:
    table = Table("Field", "What changed")
    table.add_row("default_tax_rates[].tax_type".replace("[", "\\["), Text("allows admissions_tax, luxury_tax now"))
    shown = printed(table, 60)
    assert "┃" in shown
    assert all(word in shown for word in ("default_tax_rates[].tax_type", "admissions_tax,", "luxury_tax"))


@given(rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=5), width=st.integers(30, 200))
def test_no_word_is_broken_and_no_line_too_long(rows: list[tuple[str, str, str]], width: int) -> None:
    table = Table("One", "Two", "Three")
    for row in rows:
        table.add_row(*map(escape, row))
    shown = printed(table, width)
    assert all(len(line) <= width for line in shown.splitlines())
    assert all(word in shown for row in rows for cell in row for word in cell.split())
