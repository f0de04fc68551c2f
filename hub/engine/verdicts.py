"""What happens to a run after an error: a pure decision by the error's family and what the flow says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hub.errors import (
    ConnectionPaused,
    FixConnection,
    Held,
    HubDefect,
    HubError,
    LimitReached,
    NoSuchRecord,
    NotDurable,
    NotMapped,
    OnHold,
    OutcomeParked,
    OutcomeUnknown,
    PossibleDuplicate,
    RetryLater,
    StandsAlready,
    WaitFor,
)
from hub.model.flow import Call, OnFailure, Step
from hub.model.limits import LONGEST_PAUSE
from hub.model.run import WaitKind
from hub.policy.retry import RetryPolicy, delay
from hub.store.history import Awaited


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Wait for a time, for one of several things, or for whichever comes first."""

    kind: WaitKind
    reason: str
    until: datetime | None = None
    waits: tuple[Awaited, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Pause the connection with one alert; the run waits for it."""

    connection: str
    already: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """Stop for a person."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GoOn:
    """Go on without the step."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """Take back what was done, then tell a person."""

    reason: str


Failure = Park | GoOn | TakeBack
Verdict = Waiting | Pause | Failure

#: A run in the row of an account comes back after this time at the latest, and up to as much later by chance.
_AT_LATEST = timedelta(minutes=15)
#: Waits that a step's `timeout` does not end; whoever pauses, holds, limits or approves says how long that may take.
#: What waits for several things waits for the first of these that is among them.
_UNTIMED = (WaitKind.CONNECTION, WaitKind.HOLD, WaitKind.LIMIT, WaitKind.APPROVAL)
#: Why a step fails that took longer than it may.
STEP_TIMEOUT = "step-timeout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What besides the error decides: the step and its flow's word, the connection it spoke to, its attempts so far.

    `draw` in [0, 1) spreads delays; `deadline` is when the step must be done.
    """

    step: Step | None
    on_failure: OnFailure
    connection: str | None
    policy: RetryPolicy
    attempt: int
    draw: float
    now: datetime
    deadline: datetime | None = None


def decide(error: HubError, here: Circumstances) -> Verdict:
    """Say what follows from an error in a step."""
    if isinstance(error, WaitFor):
        waits = () if error.on is None else (Awaited(topic=error.on, come=error.come),)
        return in_time(Waiting(kind=WaitKind(error.kind), reason=_reason(error), until=error.until, waits=waits), here)
    if isinstance(error, FixConnection) and here.connection is not None:
        return Pause(connection=here.connection, already=isinstance(error, ConnectionPaused))
    if isinstance(error, LimitReached) and error.on is not None:
        return _in_row(error.on, error.after, error, here)
    if isinstance(error, LimitReached):
        # A limit is not a failure: it is waited for as long as it takes, and these waits do not use up attempts.
        seconds = min(error.after if error.after is not None else 1.0, LONGEST_PAUSE)
        return _later(WaitKind.LIMIT, seconds, error, here)
    if isinstance(error, NotDurable):
        # The hub's own database is away: that is no failure of the step, and takes as long as it takes.
        return _later(WaitKind.TIMER, min(error.after if error.after is not None else 1.0, LONGEST_PAUSE), error, here)
    if isinstance(error, RetryLater | OutcomeUnknown):
        wait = delay(here.policy, here.attempt, here.draw, error.after)
        if wait is not None:
            # While the target is down, the time of its next probe is known better than by a policy.
            return _in_row(error.on, wait, error, here) if error.on else _later(WaitKind.TIMER, wait, error, here)
        reason = f"{error.code}-too-often"
        # What nobody knows, only a person can go on from.
        return Park(reason=reason) if isinstance(error, OutcomeUnknown) else failure(reason, here)
    if isinstance(error, OutcomeParked | HubDefect | StandsAlready):
        # What nobody knows, or would be written twice, only a person can go on from.
        return Park(reason=error.code)
    if isinstance(error, PossibleDuplicate):
        # Whether it is taken back or not: what it is about, only a person can say.
        return failure(error.code, not_past(here))
    if isinstance(error, NoSuchRecord) and here.step is not None and _optional(here.step):
        return GoOn(reason=error.code)
    if isinstance(error, NotMapped) and here.step is not None and here.step.missing is not None:
        return failure(here.step.missing.case, here)
    return failure(error.code, here)


def _optional(step: Step) -> bool:
    return isinstance(step.action, Call) and step.action.optional


def failure(reason: str, here: Circumstances) -> Failure:
    """Say what follows from a step that failed for good."""
    match here.on_failure:
        case OnFailure.PARK:
            return Park(reason=reason)
        case OnFailure.CONTINUE:
            return GoOn(reason=reason)
        case OnFailure.COMPENSATE:
            return TakeBack(reason=reason)


def not_past(here: Circumstances) -> Circumstances:
    """Give the circumstances of a step that nothing may go past: where it would be left out, a person is told."""
    return replace(here, on_failure=OnFailure.PARK) if here.on_failure is OnFailure.CONTINUE else here


def in_time(waiting: Waiting, here: Circumstances) -> Waiting | Failure:
    """Let a wait end at the step's deadline; after it the step has failed."""
    if here.deadline is None or waiting.kind in _UNTIMED:
        return waiting
    if here.now >= here.deadline:
        return failure(STEP_TIMEOUT, here)
    until = here.deadline if waiting.until is None else min(waiting.until, here.deadline)
    return replace(waiting, until=until)


def together(waits: Sequence[Waiting]) -> Waiting:
    """Wait for whichever of several comes first."""
    if len(waits) == 1:
        return waits[0]
    untils = [each.until for each in waits if each.until is not None]
    kinds = {each.kind for each in waits}
    mixed = next((kind for kind in _UNTIMED if kind in kinds), WaitKind.TIMER)
    return Waiting(
        kind=waits[0].kind if len(kinds) == 1 else mixed,
        reason=waits[0].reason,
        until=min(untils) if untils else None,
        waits=tuple({awaited.topic: awaited for each in waits for awaited in each.waits}.values()),
    )


def _later(kind: WaitKind, seconds: float, error: HubError, here: Circumstances) -> Waiting | Failure:
    return in_time(Waiting(kind=kind, reason=error.code, until=here.now + timedelta(seconds=seconds)), here)


def _in_row(topic: str, after: float | None, error: HubError, here: Circumstances) -> Waiting | Failure:
    """Wait in an account's row until the run is let go; the time is only for the case that nobody does so."""
    until = here.now + timedelta(seconds=after or 0) + _AT_LATEST * (1 + here.draw)
    waits = (Awaited(topic=topic),)
    return in_time(Waiting(kind=WaitKind.LIMIT, reason=error.code, until=until, waits=waits), here)


def _reason(error: WaitFor) -> str:
    if isinstance(error, OnHold):
        return str(error.facts["reason"])
    return f"{error.facts['rule']}: {error.facts['reason']}" if isinstance(error, Held) else error.code
