"""What an expression sees beside its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The values behind `root()`, `given(name)` and `table(name, key)`.

    `root` is the whole source record; `given` the extra values of a step; `tables` table name → key → value.
    """

    root: Any = None
    given: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
