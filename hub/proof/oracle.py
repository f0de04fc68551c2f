"""Judges a finished demo from outside: pure functions over the vendors' books and the hub's committed records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hub.proof import book_checks, path_checks
from hub.proof.evidence import Evidence
from hub.proof.families import Families
from hub.proof.invariants import Finding, Invariant, attribute, verdicts

_CHECKS = (
    path_checks.acknowledged_is_durable,
    path_checks.one_run_per_event,
    path_checks.order_per_key,
    path_checks.recovery_resends_the_recorded_request,
    book_checks.nothing_twice,
    book_checks.books_agree,
    book_checks.nothing_lost,
    book_checks.exceptions_explained,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the oracle says: every invariant, why one does not hold, and the numbers.

    `duplicates`, `lost` and `mismatched` count documents; `totals` are per currency, in minor units.
    """

    holds: Mapping[Invariant, bool]
    findings: Sequence[Finding]
    duplicates: int
    lost: int
    mismatched: int
    invoices_expected: int
    invoices_posted: int
    payments_expected: int
    payments_posted: int
    exceptions_open: Mapping[str, int]
    totals: Mapping[str, Mapping[str, Decimal]]

    @property
    def all_hold(self) -> bool:
        """Tell whether every invariant holds."""
        return all(self.holds.values())


def judge(evidence: Evidence, more: Sequence[Finding] = ()) -> Judgement:
    """Judge; `more` are the findings about what concerns no invoice (audit, queue, faults, kills, secrets)."""
    families = Families(evidence)
    findings = attribute([*(finding for check in _CHECKS for finding in check(evidence, families)), *more])
    expected = [
        invoice
        for invoice in evidence.stripe
        if invoice.id not in evidence.expected or evidence.expected[invoice.id].exception is None
    ]
    return Judgement(
        holds=verdicts(findings),
        findings=findings,
        duplicates=_surplus(evidence),
        lost=sum(1 for _ in book_checks.lost(evidence)),
        mismatched=len({family for family, _ in book_checks.differences(evidence, families)}),
        invoices_expected=len(expected),
        invoices_posted=len({invoice.external_id for invoice in evidence.erp_invoices}),
        payments_expected=sum(len(invoice.payments) for invoice in expected),
        payments_posted=len({payment.reference for payment in evidence.erp_payments}),
        exceptions_open=dict(sorted(Counter(case.reason for case in evidence.hub.cases).items())),
        totals=book_checks.totals(evidence),
    )


def _surplus(evidence: Evidence) -> int:
    kinds = (
        Counter(invoice.external_id for invoice in evidence.erp_invoices),
        Counter(payment.reference for payment in evidence.erp_payments),
        Counter(document.code for document in evidence.tax_documents),
        Counter(evidence.notices),
    )
    return sum(number - 1 for counted in kinds for number in counted.values())
