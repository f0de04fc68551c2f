"""What must hold between the books: nothing twice, all the same, nothing lost, every exception explained."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import zip_longest

from hub.proof.evidence import ErpInvoice, ErpPayment, Evidence, Expected, Line, StripeInvoice, TaxDocument
from hub.proof.families import NOBODY, Families
from hub.proof.invariants import Finding, Invariant


def nothing_twice(evidence: Evidence, families: Families) -> Iterator[Finding]:
    """No two invoices, payments, tax documents or notices stand for one thing."""
    kinds = (
        ("invoice", Counter(invoice.external_id or "" for invoice in evidence.erp_invoices), families.of_object),
        ("payment", Counter(payment.reference for payment in evidence.erp_payments), families.of_object),
        ("tax document", Counter(document.code for document in evidence.tax_documents), families.of_number),
        ("notice", Counter(evidence.notices), families.of_number),
    )
    for kind, counted, family in kinds:
        for name, number in sorted(counted.items()):
            if number > 1:
                yield Finding(
                    invariant=Invariant.NOTHING_TWICE, family=family(name), detail=f"{number} times {kind} {name}"
                )


def books_agree(evidence: Evidence, families: Families) -> Iterator[Finding]:
    """What is in two books is the same in both: document by document, line by line."""
    for family, difference in differences(evidence, families):
        yield Finding(invariant=Invariant.BOOKS_AGREE, family=family, detail=difference)


def differences(evidence: Evidence, families: Families) -> Iterator[tuple[str, str]]:
    """Give family and difference for everything that stands in two books and is not the same."""
    erp = {invoice.external_id: invoice for invoice in evidence.erp_invoices}
    taxes = {document.code: document for document in evidence.tax_documents}
    payments: dict[str, list[ErpPayment]] = defaultdict(list)
    for payment in evidence.erp_payments:
        payments[families.of_object(payment.reference)].append(payment)
    for invoice in evidence.stripe:
        document = taxes.get(invoice.number)
        expected = evidence.expected.get(invoice.id)
        posted = erp.get(invoice.id)
        # The tax of an invoice that must become an exception may well differ: that is what the exception is about.
        if document is not None and (expected is None or expected.exception is None):
            yield from ((invoice.id, text) for text in _tax_differences(invoice, document))
        if posted is not None:
            yield from ((invoice.id, text) for text in _invoice_differences(invoice, posted, expected))
            yield from ((invoice.id, text) for text in _payment_differences(invoice, posted, payments[invoice.id]))
            if document is None:
                yield invoice.id, f"{invoice.number} is in the ERP without a tax document"
    for stranger in (
        invoice for invoice in evidence.erp_invoices if families.of_object(invoice.external_id or "") == NOBODY
    ):
        yield NOBODY, f"the ERP has an invoice {stranger.number} that Stripe does not have"
    for payment in payments[NOBODY]:
        yield NOBODY, f"the ERP has a payment {payment.reference or payment.id} that Stripe does not have"


def _invoice_differences(invoice: StripeInvoice, posted: ErpInvoice, expected: Expected | None) -> Iterator[str]:
    yield from _unequal(
        invoice.number,
        {
            "number": (invoice.number, posted.number),
            "currency": (invoice.currency, posted.currency),
            "total": (invoice.total, posted.total),
            "tax": (invoice.tax, posted.tax),
            "reference to the ERP": (posted.id, invoice.erp_id),
        },
    )
    if expected is not None and posted.customer not in expected.customers:
        yield f"{invoice.number}: stands under customer {posted.customer}, not {', '.join(sorted(expected.customers))}"
    yield from _line_differences(invoice.number, invoice.lines, posted.lines)


def _tax_differences(invoice: StripeInvoice, document: TaxDocument) -> Iterator[str]:
    yield from _unequal(
        f"tax document {document.code}",
        {
            "currency": (invoice.currency, document.currency),
            "amount": (invoice.total - invoice.tax, document.amount),
            "tax": (invoice.tax, document.tax),
        },
    )
    yield from _line_differences(f"tax document {document.code}", invoice.lines, document.lines)


def _line_differences(name: str, ours: Sequence[Line], theirs: Sequence[Line]) -> Iterator[str]:
    for place, (one, two) in enumerate(zip_longest(ours, theirs), start=1):
        if one != two:
            yield f"{name}, line {place}: {_told(one)} in Stripe, {_told(two)} there"


def _payment_differences(invoice: StripeInvoice, posted: ErpInvoice, payments: Sequence[ErpPayment]) -> Iterator[str]:
    there = {payment.reference: payment for payment in payments}
    for paid in invoice.payments:
        found = there.get(paid.id)
        if found is not None:
            yield from _unequal(
                f"payment {paid.id}",
                {
                    "currency": (invoice.currency, found.currency),
                    "customer": (posted.customer, found.customer),
                    "amount": (paid.amount, found.amount),
                    "application": ({invoice.id: paid.amount}, found.applied),
                },
            )
    if all(paid.id in there for paid in invoice.payments) and posted.remaining != invoice.remaining:
        yield f"{invoice.number}: {posted.remaining} remain to be paid there, {invoice.remaining} in Stripe"


def _unequal(name: str, pairs: Mapping[str, tuple[object, object]]) -> Iterator[str]:
    for what, (ours, theirs) in pairs.items():
        if ours != theirs:
            yield f"{name}: {what} is {ours} in Stripe, {theirs} there"


def _told(line: Line | None) -> str:
    return "nothing" if line is None else f"{line.id} {line.amount} + {line.tax} tax"


def nothing_lost(evidence: Evidence, families: Families) -> Iterator[Finding]:
    """Every finalised invoice and its payments are posted and every notice is given, or it is an expected exception."""
    for family, missing in lost(evidence):
        yield Finding(invariant=Invariant.NOTHING_LOST, family=family, detail=missing)


def lost(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Give family and name of everything that should have been posted and was not."""
    posted = {invoice.external_id for invoice in evidence.erp_invoices}
    paid = {payment.reference for payment in evidence.erp_payments}
    told = set(evidence.notices)
    for invoice in evidence.stripe:
        expected = evidence.expected.get(invoice.id)
        if expected is not None and expected.exception is not None:
            continue
        if invoice.id not in posted:
            yield invoice.id, f"invoice {invoice.number} is not in the ERP"
        for payment in invoice.payments:
            if payment.id not in paid:
                yield invoice.id, f"payment {payment.id} of {invoice.number} is not in the ERP"
        if expected is not None and expected.notice and invoice.number not in told:
            yield invoice.id, f"the notice about {invoice.number} was not given"


def exceptions_explained(evidence: Evidence, families: Families) -> Iterator[Finding]:
    """The open exceptions are exactly those that must be, each for its reason, and nothing of them is in the ERP."""
    owners = {run.id: families.of_run(run) for run in evidence.hub.runs}
    found: dict[str, list[str]] = defaultdict(list)
    for case in evidence.hub.cases:
        found[owners.get(case.run_id, NOBODY)].append(case.reason)
    for family in sorted({*found, *evidence.expected}):
        expected = evidence.expected.get(family)
        wanted = [] if expected is None else _reasons(expected)
        if sorted(found[family]) != sorted(wanted):
            yield Finding(
                invariant=Invariant.EXCEPTIONS_EXPLAINED,
                family=family,
                detail=f"{family} has the exceptions {sorted(found[family])}, expected {sorted(wanted)}",
            )
    posted = {invoice.external_id or "" for invoice in evidence.erp_invoices}
    for family, expected in sorted(evidence.expected.items()):
        if expected.exception is not None and family in posted:
            yield Finding(
                invariant=Invariant.EXCEPTIONS_EXPLAINED,
                family=family,
                detail=f"{family} is in the ERP although it must be an exception ({expected.exception})",
            )


def _reasons(expected: Expected) -> list[str]:
    reasons = [expected.exception] if expected.exception is not None else []
    return [*reasons, "outcome-unknown"] if expected.notice_unknown else reasons


def totals(evidence: Evidence) -> dict[str, dict[str, Decimal]]:
    """Give, per currency, documents and totals in both books, and the sum of all differences of single documents.

    Only what must be posted is counted on Stripe's side. Differences of single documents never cancel out.
    """
    sums: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    erp: dict[str | None, Decimal] = defaultdict(Decimal)
    paid: dict[str, Decimal] = defaultdict(Decimal)
    homes: dict[str, str] = {}
    for posted in evidence.erp_invoices:
        row = sums[posted.currency]
        row["erp_invoices"] += 1
        row["erp_total"] += posted.total
        erp[posted.external_id] += posted.total
        homes[posted.external_id or ""] = posted.currency
    for payment in evidence.erp_payments:
        row = sums[payment.currency]
        row["erp_payments"] += 1
        row["erp_paid"] += payment.amount
        paid[payment.reference] += payment.amount
        homes[payment.reference] = payment.currency
    for invoice in evidence.stripe:
        expected = evidence.expected.get(invoice.id)
        if expected is not None and expected.exception is not None:
            continue
        row = sums[invoice.currency]
        row["stripe_invoices"] += 1
        row["stripe_total"] += invoice.total
        row["difference"] += abs(invoice.total - erp.pop(invoice.id, Decimal(0)))
        for part in invoice.payments:
            row["stripe_payments"] += 1
            row["stripe_paid"] += part.amount
            row["difference"] += abs(part.amount - paid.pop(part.id, Decimal(0)))
    for name, amount in [*erp.items(), *paid.items()]:
        sums[homes[name or ""]]["difference"] += abs(amount)
    return {currency: dict(row) for currency, row in sorted(sums.items())}
