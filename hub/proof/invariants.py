"""The invariants by name, in the order in which a defect is counted under the first one that it breaks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Invariant(StrEnum):
    """What must hold in the end; `docs/invariants.md` says it at length."""

    ACKNOWLEDGED_IS_DURABLE = "acknowledged_is_durable"
    ONE_RUN_PER_EVENT = "one_run_per_event"
    FIRES_ONCE = "fires_once"
    FENCED = "fenced"
    WITHIN_LIMITS = "within_limits"
    LEGAL_CHANGES = "legal_changes"
    ORDER_PER_KEY = "order_per_key"
    RECOVERY_RESENDS_THE_RECORDED_REQUEST = "recovery_resends_the_recorded_request"
    APPROVED_BEFORE = "approved_before"
    HELD_STANDS_STILL = "held_stands_still"
    TAKEN_BACK = "taken_back"
    NOTHING_TWICE = "nothing_twice"
    BOOKS_AGREE = "books_agree"
    NOTHING_LOST = "nothing_lost"
    RECORDED_IS_TRUE = "recorded_is_true"
    EXCEPTIONS_EXPLAINED = "exceptions_explained"
    ONE_STATE = "one_state"
    SUMS_CONSERVED = "sums_conserved"
    AUDIT_VERIFIES = "audit_verifies"
    QUEUE_DRAINED = "queue_drained"
    NO_DEFECT = "no_defect"
    EVERY_FAULT_INJECTED = "every_fault_injected"
    KILLED_IN_FLIGHT = "killed_in_flight"
    NO_SECRET_LEAKS = "no_secret_leaks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it must be.

    `family` is the business object it concerns, with all that hangs on it; None when it concerns the whole.
    """

    invariant: Invariant
    family: str | None
    detail: str


def attribute(findings: Iterable[Finding]) -> list[Finding]:
    """Keep, of each family's findings, those under the first invariant that the family breaks.

    What follows from a defect would else be counted under other names too. Findings without a family all stay.
    """
    order = {invariant: place for place, invariant in enumerate(Invariant)}
    known = list(findings)
    first: dict[str, int] = {}
    for finding in known:
        if finding.family is not None:
            place = order[finding.invariant]
            first[finding.family] = min(place, first.get(finding.family, place))
    return [finding for finding in known if finding.family is None or order[finding.invariant] == first[finding.family]]


def verdicts(findings: Sequence[Finding]) -> Mapping[Invariant, bool]:
    """Say of every invariant whether it holds."""
    broken = {finding.invariant for finding in findings}
    return {invariant: invariant not in broken for invariant in Invariant}
