"""Proofs from outside: the real process under `kill -9`, cut power, lost answers and restores, judged by the oracle."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hub.proof.demo import EXIT_BROKEN, EXIT_INTERRUPTED, interruptible
from hub.proof.http_json import NoAnswer
from hub.proof.processes import DidNotStart
from hub.sdk import exact_json

#: What the proof needs is not on this machine; nothing was proved and nothing was refuted.
EXIT_CANNOT = 3
#: More findings than this are counted, not told.
_TOLD = 12


class Cannot(Exception):
    """The proof cannot be made on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proved:
    """What a proof found: its figures in the order in which they are told, and everything that is not as it must be."""

    title: str
    figures: Mapping[str, Any]
    findings: Sequence[str] = field(default_factory=tuple)
    #: The figure that people see as a table, with the columns of it.
    table: tuple[str, Sequence[str]] | None = None

    @property
    def holds(self) -> bool:
        """Tell whether nothing was found."""
        return not self.findings


def run(proof: Callable[[Console], Proved], *, json: bool) -> int:
    """Make a proof, print it, and give the exit status: 0 when it holds, 1 when not, 3 when it cannot be made here."""
    console = Console(stderr=json)
    try:
        with interruptible():
            proved = proof(console)
    except KeyboardInterrupt:
        console.print("Stopped.")
        return EXIT_INTERRUPTED
    except Cannot as error:
        console.print(f"[yellow]Nothing was proved:[/] {escape(str(error))}")
        return EXIT_CANNOT
    except (DidNotStart, NoAnswer) as error:
        console.print(f"[red bold]The proof could not go on:[/] {escape(str(error))}")
        return EXIT_BROKEN
    if json:
        found = {"title": proved.title, "holds": proved.holds, **proved.figures, "findings": list(proved.findings)}
        sys.stdout.write(exact_json.dumps(found).decode() + "\n")
        sys.stdout.flush()
    else:
        _show(proved, console)
    return 0 if proved.holds else EXIT_BROKEN


def _show(proved: Proved, console: Console) -> None:
    table = Table(title=proved.title, title_justify="left", title_style="bold", show_header=False)
    for name, value in proved.figures.items():
        if proved.table is None or name != proved.table[0]:
            table.add_row(name.replace("_", " "), _told(value))
    if proved.table is not None:
        name, columns = proved.table
        rows = Table(*(column.replace("_", " ") for column in columns))
        for row in proved.figures[name]:
            rows.add_row(*(_told(row[column]) for column in columns))
        console.print(rows)
    console.print(table)
    for finding in proved.findings[:_TOLD]:
        console.print(f"[red]{escape(finding)}[/]", highlight=False, soft_wrap=True)
    if len(proved.findings) > _TOLD:
        console.print(f"and {len(proved.findings) - _TOLD} more.")
    console.print("[green]It holds.[/]" if proved.holds else "[red bold]It does not hold.[/]")


def _told(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def percentile(values: Sequence[float], share: float) -> float:
    """Give the value below which so large a share lies; 0 when there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
