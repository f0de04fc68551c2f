"""Judges what has come to rest, from outside: pure functions over books, what was told, and the hub's records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hub.proof import book_checks, consent_checks, path_checks, state_checks
from hub.proof.evidence import Evidence
from hub.proof.invariants import Finding, Invariant, attribute, verdicts

_CHECKS = (
    path_checks.acknowledged_is_durable,
    path_checks.one_run_per_event,
    state_checks.fenced,
    state_checks.legal_changes,
    path_checks.order_per_key,
    path_checks.recovery_resends_the_recorded_request,
    consent_checks.approved_before,
    consent_checks.held_stands_still,
    consent_checks.taken_back,
    book_checks.nothing_twice,
    book_checks.books_agree,
    book_checks.nothing_lost,
    book_checks.recorded_is_true,
    book_checks.exceptions_explained,
    state_checks.one_state,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the oracle says: every invariant, why one does not hold, and the numbers.

    `duplicates`, `lost` and `mismatched` count documents; `wanted` and `posted` count by kind what should be there and
    is; `totals` are per currency, in minor units.
    """

    holds: Mapping[Invariant, bool]
    findings: Sequence[Finding]
    duplicates: int
    lost: int
    mismatched: int
    wanted: Mapping[str, int]
    posted: Mapping[str, int]
    exceptions_open: Mapping[str, int]
    totals: Mapping[str, Mapping[str, Decimal]]

    @property
    def all_hold(self) -> bool:
        """Tell whether every invariant holds."""
        return all(self.holds.values())


def find(evidence: Evidence, more: Sequence[Finding] = ()) -> list[Finding]:
    """Give everything that is not as it must be, each family's under the first invariant that it breaks.

    `more` are findings about what concerns the whole (audit, queue, faults, kills, secrets).
    """
    findings = [finding for check in _CHECKS for finding in check(evidence)]
    # What is found already explains a difference of sums; any other difference has no explanation.
    explained = {finding.family for finding in findings}
    return attribute([*findings, *state_checks.sums_conserved(evidence, without=explained), *more])


def judge(evidence: Evidence, more: Sequence[Finding] = ()) -> Judgement:
    """Judge, with the numbers."""
    findings = find(evidence, more)
    return Judgement(
        holds=verdicts(findings),
        findings=findings,
        duplicates=book_checks.surplus(evidence),
        lost=len(book_checks.lost(evidence)),
        mismatched=len({family for family, _ in book_checks.differences(evidence)}),
        wanted=book_checks.by_kind({each.called: each for each in evidence.wanted if each.needed and not each.never}),
        posted=book_checks.by_kind({document.called: document for document in evidence.documents}),
        exceptions_open=dict(sorted(Counter(case.reason for case in evidence.hub.cases if case.open).items())),
        totals=book_checks.totals(evidence),
    )
