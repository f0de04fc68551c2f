"""What the demo says in the end: one JSON object for machines, tables for people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from hub.proof import crm_books, customers, four_books, payouts, sap_documents
from hub.proof.conductor import Course
from hub.proof.crm import Crm
from hub.proof.evidence import Evidence
from hub.proof.faults import by_kind
from hub.proof.four_books import major
from hub.proof.oracle import Judgement
from hub.proof.scenario import Scenario
from hub.proof.vendor_documents import Books

#: The flows that post what the table counts.
_POSTING = frozenset({"invoice-to-erp", "payment-to-erp", "credit-note-to-erp", "refund-to-erp"}) | payouts.POSTING
#: More findings than this are counted, not told.
_TOLD = 12
#: So many documents are named for each reason of an exception.
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A finished demo."""

    scenario: Scenario
    course: Course
    books: Books
    evidence: Evidence
    judgement: Judgement
    injected: Mapping[str, Mapping[str, int]]
    seconds: float


def to_json(outcome: Outcome) -> dict[str, Any]:
    """Give the object that `--json` prints; amounts are decimal strings in major units."""
    judgement, course = outcome.judgement, outcome.course
    return {
        "seed": outcome.scenario.seed,
        "invoices_expected": judgement.wanted.get("invoice", 0),
        "invoices_posted": judgement.posted.get("invoice", 0),
        "payments_expected": judgement.wanted.get("payment", 0),
        "payments_posted": judgement.posted.get("payment", 0),
        "credit_memos_expected": judgement.wanted.get("credit memo", 0),
        "credit_memos_posted": judgement.posted.get("credit memo", 0),
        "refunds_expected": judgement.wanted.get("refund", 0),
        "refunds_posted": judgement.posted.get("refund", 0),
        "payouts_expected": judgement.wanted.get(payouts.PAYOUT, 0),
        "payouts_posted": judgement.posted.get(payouts.PAYOUT, 0),
        "payouts_returned": judgement.posted.get(payouts.RETURN, 0),
        "clearing": {
            currency: {name: major(amount, currency) for name, amount in row.told.items()}
            for currency, row in _cleared(outcome).items()
        },
        "customers": {
            f"from_{row.owner.lower()}": {"expected": row.wanted, "carried_over": row.found, "different": row.different}
            for row in _agreed(outcome)
        },
        **({} if outcome.scenario.crm is None else _with_crm(outcome, outcome.scenario.crm)),
        "duplicates": judgement.duplicates,
        "lost": judgement.lost,
        "unexplained_difference": {
            currency: major(row.get("difference", Decimal(0)), currency) for currency, row in judgement.totals.items()
        },
        "mismatched_documents": judgement.mismatched,
        "exceptions_expected": outcome.scenario.exceptions,
        "exceptions_open": dict(judgement.exceptions_open),
        "faults_injected": by_kind(outcome.injected),
        "faults_by_vendor": {vendor: dict(sorted(counts.items())) for vendor, counts in outcome.injected.items()},
        "kills": course.kills,
        "effects_open_at_kill": sum(course.open_at_kill),
        "effects_open_at_each_kill": list(course.open_at_kill),
        "customers_moved": sum(course.moved.values()),
        "runs": len(outcome.evidence.hub.runs),
        "events": len(outcome.evidence.hub.events),
        "webhooks_sent": len(outcome.evidence.deliveries),
        "notices_given": len(outcome.books.notices),
        "seconds": round(outcome.seconds, 1),
        "invariants": {invariant.value: holds for invariant, holds in judgement.holds.items()},
        "findings": [
            {"invariant": finding.invariant.value, "family": finding.family, "detail": finding.detail}
            for finding in judgement.findings[:100]
        ],
    }


def _with_crm(outcome: Outcome, crm: Crm) -> dict[str, Any]:
    billed = {invoice.id: invoice for invoice in outcome.books.stripe if invoice.of_contract}
    return {
        "accounts": sum(each.kind == crm_books.CUSTOMER for each in outcome.evidence.wanted),
        "contracts": {
            "signed": len(crm.contracts),
            "amended": sum(bool(one.more) for one in crm.contracts),
            "billed": len(billed),
            "posted": sum(each.kind == "invoice" and each.name in billed for each in outcome.evidence.documents),
            "paid": sum(bool(one.payments) for one in billed.values()),
            "told": sum(each.kind == crm_books.STATUS and each.name in billed for each in outcome.evidence.documents),
        },
        "books": four_books.to_json(outcome.evidence),
    }


def show(outcome: Outcome, console: Console) -> None:
    """Print the tables."""
    console.print(_books(outcome) if outcome.scenario.crm is None else _four_books(outcome))
    if outcome.books.payouts.payouts or outcome.books.sap.payouts.payouts:
        console.print(_clearing(outcome))
    if outcome.scenario.followed or outcome.scenario.crm is not None:
        console.print(_customers(outcome))
    if outcome.judgement.exceptions_open or outcome.scenario.exceptions:
        console.print(_exceptions(outcome))
    if outcome.injected and any(outcome.injected.values()):
        console.print(_faults(outcome))
    console.print(_invariants(outcome))
    told = outcome.judgement.findings[:_TOLD]
    for finding in told:
        console.print(f"  [red]{finding.invariant.value}[/] ", Text(finding.detail), sep="")
    if len(outcome.judgement.findings) > len(told):
        console.print(f"  … and {len(outcome.judgement.findings) - len(told)} more")


def _books(outcome: Outcome) -> Table:
    table = Table(title="Stripe, the hub, and NetSuite", title_justify="left", title_style="bold")
    table.add_column("Currency")
    for column in ("Stripe", "the hub", "NetSuite", "Difference"):
        table.add_column(column, justify="right")
    hub = _hub_totals(outcome.evidence)
    for currency, row in outcome.judgement.totals.items():
        difference = row.get("difference", Decimal(0))
        documents, total = hub[currency]
        table.add_row(
            currency,
            _cell(str(row.get("wanted", 0)), major(row.get("wanted_total", Decimal(0)), currency)),
            _cell(str(documents), major(total, currency)),
            _cell(str(row.get("found", 0)), major(row.get("found_total", Decimal(0)), currency)),
            Text(major(difference, currency), style="red bold" if difference else "green"),
        )
    table.caption = (
        "Documents and their sum: invoices, payments, credit memos, refunds and payouts. Differences of single "
        "documents never cancel out."
    )
    table.caption_justify = "left"
    return table


def _four_books(outcome: Outcome) -> Table:
    table = Table(title="Stripe, the hub, two ERPs and the CRM", title_justify="left", title_style="bold")
    table.add_column("Currency")
    for column in ("Stripe", "the hub", *four_books.BOOKS.values(), "Difference"):
        table.add_column(column, justify="right")
    hub = _hub_totals(outcome.evidence)
    for currency, row in four_books.sides(outcome.evidence).items():
        difference = outcome.judgement.totals.get(currency, {}).get("difference", Decimal(0))
        sides = [(row[book].found, row[book].found_total) for book in four_books.BOOKS]
        table.add_row(
            currency,
            *(
                _cell(str(number), major(total, currency))
                for number, total in (four_books.sold(row), hub[currency], *sides)
            ),
            Text(major(difference, currency), style="red bold" if difference else "green"),
        )
    table.caption = (
        "Documents and their sum: in the ERPs invoices, payments, credit memos, refunds and payouts, in the books of "
        "whoever sold; in Salesforce the invoices of accounts. Differences of single documents never cancel out."
    )
    table.caption_justify = "left"
    return table


def _cleared(outcome: Outcome) -> Mapping[str, payouts.Cleared]:
    paid = frozenset(one.reference for one in outcome.books.erp_payments)
    in_sap = payouts.cleared(sap_documents.paid_out(outcome.books), sap_documents.paid(outcome.books.sap))
    return dict(sorted({**payouts.cleared(outcome.books.payouts, paid), **in_sap}.items()))


def _clearing(outcome: Outcome) -> Table:
    of = "NetSuite's clearing account" if outcome.scenario.crm is None else "the clearing accounts"
    table = Table(title=f"Stripe's balance and {of}", title_justify="left", title_style="bold")
    table.add_column("Currency")
    for column in ("Stripe's balance", "not paid out yet", "not posted", "clearing account", "Unexplained"):
        table.add_column(column, justify="right")
    for currency, row in _cleared(outcome).items():
        *cells, difference = (major(amount, currency) for amount in row.told.values())
        table.add_row(currency, *cells, Text(difference, style="red bold" if row.difference else "green"))
    table.caption = (
        "The account is the balance less what comes with the next payout (fees count against it) and less what became "
        "an exception."
    )
    table.caption_justify = "left"
    return table


def _agreed(outcome: Outcome) -> tuple[customers.Agreed, ...]:
    return customers.agreed(outcome.evidence.wanted, outcome.evidence.documents)


def _customers(outcome: Outcome) -> Table:
    table = Table(title="Customers, each field as its owner has it", title_justify="left", title_style="bold")
    table.add_column("Owner")
    table.add_column("Fields")
    for column in ("Customers", "carried over", "Different"):
        table.add_column(column, justify="right")
    for row in _agreed(outcome):
        style = "red bold" if row.different or row.wanted != row.found else "green"
        table.add_row(row.owner, row.fields, str(row.wanted), str(row.found), Text(str(row.different), style=style))
    return table


def _cell(documents: str, total: str) -> Text:
    return Text.assemble((f"{documents} ", "dim"), total)


def _hub_totals(evidence: Evidence) -> dict[str, tuple[int, Decimal]]:
    found: dict[str, tuple[int, Decimal]] = defaultdict(lambda: (0, Decimal(0)))
    for run in evidence.hub.runs:
        if run.flow in _POSTING and run.state == "succeeded" and run.money is not None and run.currency is not None:
            number, total = found[run.currency]
            found[run.currency] = (number + 1, total + run.money)
    return found


def _exceptions(outcome: Outcome) -> Table:
    table = Table(title="Exceptions", title_justify="left", title_style="bold")
    table.add_column("Reason")
    table.add_column("Open", justify="right")
    table.add_column("Expected", justify="right")
    table.add_column("Documents")
    expected, found = outcome.scenario.exceptions, outcome.judgement.exceptions_open
    documents = _documents(outcome)
    for reason in sorted({*expected, *found}):
        same = expected.get(reason, 0) == found.get(reason, 0)
        table.add_row(
            reason,
            Text(str(found.get(reason, 0)), style="green" if same else "red bold"),
            str(expected.get(reason, 0)),
            ", ".join(documents[reason][:_NAMED]) + (", …" if len(documents[reason]) > _NAMED else ""),
        )
    return table


def _documents(outcome: Outcome) -> dict[str, list[str]]:
    """Give the numbers of the invoices that became exceptions, by reason."""
    numbers = {invoice.id: invoice.number for invoice in outcome.books.stripe}
    found: dict[str, list[str]] = defaultdict(list)
    for case in outcome.evidence.hub.cases:
        if case.open:
            found[case.reason].append(numbers.get(case.family, case.family))
    return found


def _faults(outcome: Outcome) -> Table:
    table = Table(title="What went wrong at the vendors", title_justify="left", title_style="bold")
    table.add_column("Fault")
    for vendor in outcome.injected:
        table.add_column(vendor, justify="right")
    for kind in by_kind(outcome.injected):
        table.add_row(kind, *(str(counts.get(kind, "")) for counts in outcome.injected.values()))
    kills = outcome.course.kills
    if kills:
        table.caption = f"The hub was killed {kills} times, with {sum(outcome.course.open_at_kill)} writes under way."
    return table


def _invariants(outcome: Outcome) -> Table:
    table = Table(title=f"Invariants, after {outcome.seconds:.0f} seconds", title_justify="left", title_style="bold")
    table.add_column("Invariant")
    table.add_column("Holds")
    for invariant, holds in outcome.judgement.holds.items():
        table.add_row(invariant.value, "[green]yes[/]" if holds else "[red bold]NO[/]")
    return table
