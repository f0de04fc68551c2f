"""A case: something that needs a person."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which open cases are meant; None means any. `path` is the step, `fingerprint` what alike ones share."""

    fingerprint: str | None = None
    reason: str | None = None
    flow: str | None = None
    path: str | None = None
