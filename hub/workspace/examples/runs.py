"""How an example went: what came out, and where that is not as expected."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.workspace.compiled_files import Example
from hub.workspace.examples.differences import Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one example; without differences it passed."""

    made: Any = None
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One example with what came of it."""

    example: Example
    made: Any
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Tell whether everything came out as expected."""
        return not self.differences
