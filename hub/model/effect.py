"""An effect: one outside write, from its intent to a known outcome."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import NewType

EffectKey = NewType("EffectKey", str)


class Idempotency(StrEnum):
    """How a write's unknown outcome is resolved: what the target gives to tell a repeat from a new write."""

    NATIVE = "native"
    UPSERT = "upsert"
    PROBE = "probe"
    UNSAFE = "unsafe"


#: Why a write was not made: what stands at the target is newer.
NEWER = "newer-at-target"
#: Why a write is not recognised as done: what it made was taken back since.
TAKEN_BACK = "taken-back"
#: Why a replay with another record or other files stops: it would write otherwise what is written already, or would
#: leave something standing that a run which it replays has written.
WRITTEN_DIFFERENTLY, LEFT_STANDING = "written-differently", "left-standing"
#: Why a run stops whose repeat of a write was refused while nobody knows what became of the first sending.
REFUSED_IN_DOUBT = "refused-in-doubt"


class EffectState(StrEnum):
    """Where an effect stands; `intent` without an outcome is `unknown` after a crash."""

    INTENT = "intent"
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    PARKED = "parked"


#: Legal changes. A failed effect surely did nothing, so that a later run may form a new intent.
EFFECT_CHANGES: dict[EffectState, frozenset[EffectState]] = {
    EffectState.INTENT: frozenset(
        {EffectState.INTENT, EffectState.DONE, EffectState.FAILED, EffectState.UNKNOWN, EffectState.PARKED}
    ),
    EffectState.UNKNOWN: frozenset({EffectState.INTENT, EffectState.DONE, EffectState.FAILED, EffectState.PARKED}),
    EffectState.PARKED: frozenset({EffectState.INTENT, EffectState.DONE, EffectState.FAILED}),
    EffectState.FAILED: frozenset({EffectState.INTENT}),
    EffectState.DONE: frozenset(),
}


def effect_key(
    *, environment: str, connection: str, operation: str, business_key: str, path: str, generation: int = 0
) -> EffectKey:
    """Name an effect by what it means in the business, so that no new run can make it a new one.

    32 hexadecimal digits; `path` is the step's path, `generation` rises only with a new business version
    or on a person's order.
    """
    parts = (environment, connection, operation, business_key, path, str(generation))
    digest = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
    return EffectKey(digest[:32])
