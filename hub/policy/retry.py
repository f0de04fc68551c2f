"""When a failed attempt is tried again: a pure function of the attempt, a random draw and what the vendor asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how patiently: times in seconds.

    `attempts` counts the first one too; the wait starts at `first`, grows by `factor` up to `ceiling`, and is
    shortened at random by up to the share `jitter`, so that failed runs do not come back all at once. A vendor's
    wish to wait is honoured up to `longest`.
    """

    attempts: int = 8
    first: float = 0.5
    factor: float = 2.0
    ceiling: float = 60.0
    jitter: float = 0.5
    longest: float = 3600.0


def delay(policy: RetryPolicy, attempt: int, draw: float, asked: float | None = None) -> float | None:
    """Give the seconds to wait after attempt number `attempt` (from 1) failed; None to give up.

    `draw` in [0, 1) spreads the waits. `asked` is the vendor's Retry-After: the wait is never shorter than that, up
    to the policy's `longest`.
    """
    if attempt >= policy.attempts:
        return None
    # A float overflows to an error at great exponents, long after the ceiling is reached.
    grown = policy.first * policy.factor ** min(attempt - 1, 64)
    wait = min(policy.ceiling, grown) * (1 - policy.jitter * draw)
    return wait if asked is None else max(wait, min(asked, policy.longest))
