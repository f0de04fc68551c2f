"""What is seen while a demo runs: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn


class Shown:
    """Shows how far everything is."""

    def __init__(self, console: Console, steps: int) -> None:
        """Take where to show it, and how many things will happen in Stripe."""
        self._began = time.monotonic()
        self._progress = Progress(
            TextColumn("{task.description}", justify="right"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._happened = self._progress.add_task("in Stripe", total=steps)
        self._runs = self._progress.add_task("runs finished", total=steps)

    def __enter__(self) -> Self:
        """Begin to show."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the last state on the screen."""
        self._progress.stop()

    def say(self, text: str) -> None:
        """Tell one thing that happened."""
        passed = time.monotonic() - self._began
        self._progress.console.print(f"[dim]{passed:5.1f} s[/]  {text}", highlight=False, soft_wrap=True)

    def numbers(self, known: Mapping[str, Any]) -> None:
        """Show how far Stripe and the hub are."""
        self._set(self._happened, known["driven"])
        summary = known["summary"]
        if summary is not None:
            states: dict[str, int] = {}
            for counts in summary["runs"].values():
                for state, number in counts.items():
                    states[state] = states.get(state, 0) + number
            ended = sum(number for state, number in states.items() if state in {"succeeded", "parked", "cancelled"})
            self._set(self._runs, ended, max(sum(states.values()), 1))

    def _set(self, task: TaskID, done: int, total: int | None = None) -> None:
        self._progress.update(task, completed=done, total=total)
