"""What commands print: tables for people, JSON for machines, one line for a refusal."""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn, TextIO

from rich.console import Console
from rich.table import Table

from hub.cli.layout import show_table
from hub.sdk import exact_json

#: The request was refused or something is not as it must be.
EXIT_REFUSED = 1
#: The command itself was not written as it must be.
EXIT_WRONG = 2
#: A process that worked for the command ended in the middle of it; what it was to show is not shown.
EXIT_DIED = 4

#: As wide is what goes into a file or another program: a row is a line there, and no sentence is broken.
_UNBROKEN = 1000


def _width(stream: TextIO) -> int | None:
    """Give None for the width of the terminal, or that which `COLUMNS` asks for."""
    return None if stream.isatty() or os.environ.get("COLUMNS") else _UNBROKEN


console = Console(width=_width(sys.stdout))
errors = Console(stderr=True, width=_width(sys.stderr))


def print_table(table: Table) -> None:
    """Print a table to stdout, with no word broken."""
    show_table(console, table)


def minute(moment: str) -> str:
    """Give a moment as people read it: the day and the minute, in UTC."""
    return moment[:16].replace("T", " ")


def print_json(value: Any) -> None:
    """Print a value as one JSON document, and let it go at once: a program may be waiting for it at the other end."""
    sys.stdout.write(exact_json.dumps(value).decode() + "\n")
    sys.stdout.flush()


def fail(message: str, status: int) -> NoReturn:
    """Print one line to stderr and exit."""
    errors.print(f"[bold red]error[/]: {_plain(message)}", highlight=False, soft_wrap=True)
    sys.exit(status)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
