"""How long payloads are kept; hashes, ids, states, money and the names of writes always stay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

#: What a target has answered to a write is kept at least as long: vendors repeat and delay their events for weeks.
LEAST_ANSWERS = timedelta(days=35)
#: And as long by default, because a later run about the same thing is given what the write has given.
USUAL_ANSWERS = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """`payloads` counts from the end of a run, or from when an event came that started none; `answers` from a write.

    `history` counts from the end of a month: after it the rows of events and steps go, too, where they lie in
    partitions (None: never). It is no shorter than `answers`.
    """

    payloads: timedelta
    answers: timedelta
    history: timedelta | None = None
