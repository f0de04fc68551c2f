"""When a failed attempt is tried again: a pure function of the attempt, a random draw and what the vendor asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from hub.expressions.mistakes import InvalidDocument, Mistake
from hub.policy.form import Setting
from hub.policy.kinds import RETRY

_HEAD = frozenset({"policy", "kind", "version", "title", "owner"})


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


def compile_retry(document: Mapping[str, Any]) -> RetryPolicy:
    """Compile a retry policy's plain values, times in seconds; `InvalidDocument` lists all mistakes."""
    mistakes: list[Mistake] = []
    read: dict[str, Any] = {}
    for name, value in document.items():
        if name in _HEAD:
            continue
        setting = RETRY.settings.get(name)
        if setting is None:
            known = ", ".join(RETRY.settings)
            mistakes.append(Mistake(where=(name,), detail=f"This key is unknown; there are {known}."))
        elif not _fits(setting, value):
            kind = "a whole number" if setting.whole else "a number"
            detail = f"`{name}` is {kind} from {setting.least} to {setting.most}."
            mistakes.append(Mistake(where=(name,), detail=detail))
        else:
            read[name] = value if setting.whole else _binary(value)
    if mistakes:
        raise InvalidDocument("policy", str(document.get("policy", "")), mistakes)
    return RetryPolicy(**read)


def _fits(setting: Setting, value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        return False
    return setting.least <= value <= setting.most and (not setting.whole or isinstance(value, int))


def _binary(value: Decimal | float) -> float:
    """Give seconds or a share as the machine's own number; these are waits, not money."""
    top, bottom = value.as_integer_ratio()
    return top / bottom
