"""A run: one execution of a flow, and the states it may go through."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class RunState(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    PARKED = "parked"
    CANCELLED = "cancelled"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"


class WaitKind(StrEnum):
    """What a waiting run waits for; `order` is the wait of a queued run behind an earlier one of its key."""

    TIMER = "timer"
    LIMIT = "limit"
    ORDER = "order"
    EVENT = "event"
    CHILD = "child"
    APPROVAL = "approval"
    HOLD = "hold"
    CONNECTION = "connection"


class Priority(IntEnum):
    """Who goes first where work waits for a slot or a limit; the lower number. Back-fills are low."""

    HIGH = 10
    NORMAL = 20
    LOW = 30


class Stopping(StrEnum):
    """What was ordered of a run that cannot end at once: end it, or take back what it did and end it."""

    CANCEL = "cancel"
    COMPENSATE = "compensate"


#: What stands in the place of a rule at a step that its condition left out, and at one that failed and was gone past;
#: no rule and no arm of a branch can be called so.
LEFT_OUT, WENT_ON = ":skipped", ":went-on"

#: Why a run, or an item of a loop, stops that could not take back what it did.
COMPENSATION_FAILED = "compensation-failed"


class StepState(StrEnum):
    """Where a step of a run stands; `failed` also of one that the run went past."""

    SUCCEEDED = "succeeded"
    WAITING = "waiting"
    FAILED = "failed"


#: Legal changes of a run. A parked run stays as it is: its replay is a new run that takes its place.
RUN_CHANGES: dict[RunState, frozenset[RunState]] = {
    # It waits without having begun while people hold it.
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.WAITING, RunState.COMPENSATING, RunState.CANCELLED}),
    RunState.RUNNING: frozenset(
        {
            RunState.QUEUED,
            RunState.WAITING,
            RunState.SUCCEEDED,
            RunState.PARKED,
            RunState.CANCELLED,
            RunState.COMPENSATING,
        }
    ),
    RunState.WAITING: frozenset({RunState.QUEUED, RunState.RUNNING, RunState.COMPENSATING, RunState.CANCELLED}),
    # What was parked or has succeeded can be ordered to be taken back.
    RunState.PARKED: frozenset({RunState.QUEUED, RunState.CANCELLED}),
    RunState.SUCCEEDED: frozenset({RunState.QUEUED}),
    RunState.COMPENSATING: frozenset({RunState.QUEUED, RunState.WAITING, RunState.COMPENSATED, RunState.PARKED}),
    # A called flow that ended with its caller is taken back with it when that is ordered after all.
    RunState.CANCELLED: frozenset({RunState.QUEUED}),
    RunState.COMPENSATED: frozenset(),
}

#: States in which a worker has the run in hand.
WORKING_STATES = frozenset({RunState.RUNNING, RunState.COMPENSATING})
#: States in which a run goes on by itself, sooner or later.
GOING_STATES = WORKING_STATES | {RunState.QUEUED, RunState.WAITING}

#: States in which a run still holds back later runs of the same flow and key.
OPEN_STATES = GOING_STATES | {RunState.PARKED}
