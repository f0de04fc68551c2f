"""One run computed again by one version of the workspace, on recorded values and with nothing sent.

Everything pure is recomputed; what came from outside (look-ups, reads, outcomes of writes, what people said) is what
was recorded. Where nothing was recorded, or something else was asked, the trace ends: what would have followed cannot
be told. In a loop only the item ends there, and what stands behind the loop.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hub.model.flow import Flow
from hub.release.answers import Asked, Failure
from hub.workspace.bundle import Bundle

#: Behind the path of a step that has steps within it: how it ends, once these are done.
END = "/end"


class Status(StrEnum):
    """How a step ended: done, left out, failed, or not to be told from what was recorded."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A record that a step made: `input` for a call, `output`, or `decision`; the schema where one is known."""

    role: str
    schema: str | None
    value: Any


@dataclass(slots=True, kw_only=True)
class StepTrace:
    """One step of a trace. `unmet` is a check that did not hold after the step; `why` says what cannot be told.

    `ends` is the path of what ends where it does not go on: an item, a step that the flow goes on without, or, when it
    is empty, the run.
    """

    path: str
    status: Status = Status.DONE
    rule: str | None = None
    made: list[Made] = field(default_factory=list)
    asked: Asked | None = None
    failure: Failure | None = None
    unmet: Failure | None = None
    why: str = ""
    ends: str = ""


@dataclass(slots=True, kw_only=True)
class Trace:
    """A run as one version computes it: its steps until it ends or cannot be told, and what was known at the end.

    `steps` are in the order in which they were done; one that has steps within it stands before them, and once more,
    with `END` behind its path, after them where its end tells something. `changed` are flows that this version has
    otherwise than the other one, so that what they gave is not known.
    """

    flow: Flow
    bundle: Bundle
    scope: dict[str, Any]
    steps: dict[str, StepTrace] = field(default_factory=dict)
    changed: Collection[str] = ()
