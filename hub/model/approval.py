"""An approval: people agree to what a run would write, and the states that this may go through."""

from __future__ import annotations

from enum import StrEnum


class ApprovalState(StrEnum):
    """Where an approval stands; `void` is one that no longer counts, and its reason says why."""

    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    VOID = "void"


class Verdict(StrEnum):
    """What somebody has to do with an approval: began what is to be approved, agreed to it, or refused it."""

    BEGAN = "began"
    AGREED = "agreed"
    REFUSED = "refused"


class Lapse(StrEnum):
    """Why an approval no longer counts."""

    APPROVER_LEFT = "approver-left"
    APPROVER_ORDERED = "approver-ordered"
    RECORD_CHANGED = "record-changed"
    AMOUNT_ROSE = "amount-rose"
    VALIDITY_OVER = "validity-over"
    NOT_APPROVED = "not-approved"
    RUN_ENDED = "run-ended"


#: Legal changes of an approval.
APPROVAL_CHANGES: dict[ApprovalState, frozenset[ApprovalState]] = {
    ApprovalState.PENDING: frozenset(
        {ApprovalState.APPROVED, ApprovalState.REFUSED, ApprovalState.EXPIRED, ApprovalState.VOID}
    ),
    ApprovalState.APPROVED: frozenset({ApprovalState.VOID}),
    ApprovalState.REFUSED: frozenset(),
    ApprovalState.EXPIRED: frozenset(),
    ApprovalState.VOID: frozenset(),
}
#: States of which a step of a run has at most one approval.
LIVE_STATES = frozenset({ApprovalState.PENDING, ApprovalState.APPROVED})
