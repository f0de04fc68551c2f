"""What commands print: tables for people, JSON for machines, one line for a refusal."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

from rich.console import Console

from hub.sdk import exact_json

#: The request was refused or something is not as it must be.
EXIT_REFUSED = 1

console = Console()
errors = Console(stderr=True)


def print_json(value: Any) -> None:
    """Print a value as one JSON document."""
    sys.stdout.write(exact_json.dumps(value).decode() + "\n")


def fail(message: str, status: int) -> NoReturn:
    """Print one line to stderr and exit."""
    errors.print(f"[bold red]error[/]: {_plain(message)}", highlight=False, soft_wrap=True)
    sys.exit(status)


def _plain(text: str) -> str:
    return text.replace("[", "\\[")
