"""What happens to a run after an error: a pure decision by the error's family."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.errors import (
    ConnectionPaused,
    FixConnection,
    Held,
    HubError,
    LimitReached,
    NotMapped,
    OnHold,
    OutcomeUnknown,
    RetryLater,
    WaitFor,
)
from hub.model.flow import Step
from hub.policy.retry import RetryPolicy, delay


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """Try the step again after so many seconds."""

    after: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Await:
    """Wait until something comes, at the longest until a time; then the case `reason` is opened."""

    on: str
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Wait as long as a policy or a person holds the write: until a time, or until its topic says so."""

    on: str
    until: datetime | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Pause the connection with one alert; the run waits for it."""

    connection: str
    already: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Park:
    """Stop for a person."""

    reason: str


Verdict = Retry | Await | Hold | Pause | Park

#: A limit is not a failure: it is waited for as long as it takes, and these waits do not use up attempts.
_LONGEST_LIMIT_WAIT = 300.0


def decide(
    error: HubError, *, step: Step | None, connection: str | None, policy: RetryPolicy, attempt: int, draw: float
) -> Verdict:
    """Say what follows from an error in a step, after `attempt` attempts; `draw` in [0, 1) spreads the delays."""
    if isinstance(error, OnHold):
        return Hold(on=error.on, until=None, reason=str(error.facts["reason"]))
    if isinstance(error, Held):
        return Hold(on=error.on, until=error.until, reason=f"{error.facts['rule']}: {error.facts['reason']}")
    if isinstance(error, WaitFor):
        return Await(on=error.on, until=error.until)
    if isinstance(error, FixConnection) and connection is not None:
        return Pause(connection=connection, already=isinstance(error, ConnectionPaused))
    if isinstance(error, LimitReached):
        return Retry(after=min(error.after if error.after is not None else 1.0, _LONGEST_LIMIT_WAIT))
    if isinstance(error, RetryLater | OutcomeUnknown):
        asked = error.after if isinstance(error, RetryLater) else None
        seconds = delay(policy, attempt, draw, asked)
        return Park(reason=f"{error.code}-too-often") if seconds is None else Retry(after=seconds)
    if isinstance(error, NotMapped) and step is not None and step.missing is not None:
        return Park(reason=step.missing.case)
    return Park(reason=error.code)
