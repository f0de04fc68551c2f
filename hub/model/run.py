"""A run: one execution of a flow, and the states it may go through."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    PARKED = "parked"
    CANCELLED = "cancelled"


class WaitKind(StrEnum):
    """What a waiting run waits for."""

    TIMER = "timer"
    EVENT = "event"
    CONNECTION = "connection"
    HOLD = "hold"


class StepState(StrEnum):
    """Where a step of a run stands."""

    SUCCEEDED = "succeeded"
    WAITING = "waiting"
    FAILED = "failed"


#: Legal changes of a run. A parked run stays as it is: its replay is a new run that takes its place.
RUN_CHANGES: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.CANCELLED}),
    RunState.RUNNING: frozenset(
        {RunState.QUEUED, RunState.WAITING, RunState.SUCCEEDED, RunState.PARKED, RunState.CANCELLED}
    ),
    RunState.WAITING: frozenset({RunState.QUEUED, RunState.RUNNING, RunState.PARKED, RunState.CANCELLED}),
    RunState.PARKED: frozenset({RunState.CANCELLED}),
    RunState.SUCCEEDED: frozenset(),
    RunState.CANCELLED: frozenset(),
}

#: States in which a run still holds back later runs of the same flow and key.
OPEN_STATES = frozenset({RunState.QUEUED, RunState.RUNNING, RunState.WAITING, RunState.PARKED})
