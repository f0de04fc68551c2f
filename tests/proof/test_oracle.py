"""The oracle: each kind of defect turns exactly its own invariant red, and a sound world turns none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from hub.proof.evidence import Case, Delivery, ErpInvoice, Event, Evidence, Line, Write
from hub.proof.invariants import Finding, Invariant, attribute
from hub.proof.oracle import judge
from tests.proof.books import BAD, GOOD, TOLD, erp, evidence, invoice, with_hub


def broken(world: Evidence) -> list[Invariant]:
    """Give what does not hold."""
    return [invariant for invariant, holds in judge(world).holds.items() if not holds]


def _no_event(world: Evidence) -> Evidence:
    events = [replace(event, deliveries=0) if event.external_id == "evt_1" else event for event in world.hub.events]
    return with_hub(world, events=events)


def _unreadable_forgotten(world: Evidence) -> Evidence:
    return replace(world, deliveries=[*world.deliveries, Delivery(event="evt_0", status=202, spoiled=True)])


def _second_run(world: Evidence) -> Evidence:
    return with_hub(world, runs=[*world.hub.runs, replace(world.hub.runs[0], id="run_9", position=9)])


def _no_run(world: Evidence) -> Evidence:
    return with_hub(world, runs=world.hub.runs[1:])


def _payments_swapped(world: Evidence) -> Evidence:
    first, second = world.erp_payments
    return replace(world, erp_payments=[replace(first, accepted=9), second])


def _other_body(world: Evidence) -> Evidence:
    return replace(world, writes=[*world.writes, replace(world.writes[0], sha256="cc")])


def _other_body_of_a_payment(world: Evidence) -> Evidence:
    return replace(world, writes=[*world.writes, replace(world.writes[2], sha256="cc")])


def _invoice_twice(world: Evidence) -> Evidence:
    return replace(world, erp_invoices=[*world.erp_invoices, replace(world.erp_invoices[0], id="5009")])


def _payment_twice(world: Evidence) -> Evidence:
    return replace(world, erp_payments=[*world.erp_payments, replace(world.erp_payments[0], id="6009", accepted=9)])


def _tax_twice(world: Evidence) -> Evidence:
    return replace(world, tax_documents=[*world.tax_documents, world.tax_documents[0]])


def _notice_twice(world: Evidence) -> Evidence:
    return replace(world, notices=[*world.notices, *world.notices])


def _changed(world: Evidence, **what: object) -> Evidence:
    first = replace(world.erp_invoices[0], **what)  # type: ignore[arg-type]
    return replace(world, erp_invoices=[first, *world.erp_invoices[1:]])


def _other_total(world: Evidence) -> Evidence:
    return _changed(world, total=Decimal(11899))


def _other_line(world: Evidence) -> Evidence:
    lines = [Line(id="il_1", amount=Decimal(12001), tax=Decimal(2280)), world.erp_invoices[0].lines[1]]
    return _changed(world, lines=lines)


def _missing_line(world: Evidence) -> Evidence:
    return _changed(world, lines=world.erp_invoices[0].lines[:1])


def _other_customer(world: Evidence) -> Evidence:
    return _changed(world, customer="99")


def _other_payment(world: Evidence) -> Evidence:
    return replace(world, erp_payments=[replace(world.erp_payments[0], amount=Decimal(2999)), world.erp_payments[1]])


def _other_tax(world: Evidence) -> Evidence:
    first = replace(world.tax_documents[0], tax=Decimal(1901))
    return replace(world, tax_documents=[first, *world.tax_documents[1:]])


def _no_reference(world: Evidence) -> Evidence:
    return replace(world, stripe=[replace(world.stripe[0], erp_id=None), *world.stripe[1:]])


def _stranger(world: Evidence) -> Evidence:
    stranger: ErpInvoice = erp(invoice("in_stranger"))
    return replace(world, erp_invoices=[*world.erp_invoices, stranger])


def _no_invoice(world: Evidence) -> Evidence:
    return replace(world, erp_invoices=world.erp_invoices[1:], erp_payments=[])


def _no_payment(world: Evidence) -> Evidence:
    return replace(world, erp_payments=world.erp_payments[:1])


def _no_notice(world: Evidence) -> Evidence:
    return replace(world, notices=[])


def _unexpected_case(world: Evidence) -> Evidence:
    return with_hub(world, cases=[*world.hub.cases, Case(run_id="run_0", reason="tax-mismatch")])


def _other_reason(world: Evidence) -> Evidence:
    return with_hub(world, cases=[Case(run_id="run_3", reason="not-mapped"), world.hub.cases[1]])


def _no_case(world: Evidence) -> Evidence:
    return with_hub(world, cases=world.hub.cases[1:])


DEFECTS: list[tuple[Callable[[Evidence], Evidence], Invariant]] = [
    (_no_event, Invariant.ACKNOWLEDGED_IS_DURABLE),
    (_unreadable_forgotten, Invariant.ACKNOWLEDGED_IS_DURABLE),
    (_second_run, Invariant.ONE_RUN_PER_EVENT),
    (_no_run, Invariant.ONE_RUN_PER_EVENT),
    (_payments_swapped, Invariant.ORDER_PER_KEY),
    (_other_body, Invariant.RECOVERY_RESENDS_THE_RECORDED_REQUEST),
    (_other_body_of_a_payment, Invariant.RECOVERY_RESENDS_THE_RECORDED_REQUEST),
    (_invoice_twice, Invariant.NOTHING_TWICE),
    (_payment_twice, Invariant.NOTHING_TWICE),
    (_tax_twice, Invariant.NOTHING_TWICE),
    (_notice_twice, Invariant.NOTHING_TWICE),
    (_other_total, Invariant.BOOKS_AGREE),
    (_other_line, Invariant.BOOKS_AGREE),
    (_missing_line, Invariant.BOOKS_AGREE),
    (_other_customer, Invariant.BOOKS_AGREE),
    (_other_payment, Invariant.BOOKS_AGREE),
    (_other_tax, Invariant.BOOKS_AGREE),
    (_no_reference, Invariant.BOOKS_AGREE),
    (_stranger, Invariant.BOOKS_AGREE),
    (_no_invoice, Invariant.NOTHING_LOST),
    (_no_payment, Invariant.NOTHING_LOST),
    (_no_notice, Invariant.NOTHING_LOST),
    (_unexpected_case, Invariant.EXCEPTIONS_EXPLAINED),
    (_other_reason, Invariant.EXCEPTIONS_EXPLAINED),
    (_no_case, Invariant.EXCEPTIONS_EXPLAINED),
]


def test_a_sound_world_breaks_nothing() -> None:
    """The numbers are those of the books."""
    judgement = judge(evidence())
    assert judgement.all_hold, judgement.findings
    assert (judgement.invoices_expected, judgement.invoices_posted) == (2, 2)
    assert (judgement.payments_expected, judgement.payments_posted) == (2, 2)
    assert (judgement.duplicates, judgement.lost, judgement.mismatched) == (0, 0, 0)
    assert judgement.exceptions_open == {"customer-not-mapped": 1, "outcome-unknown": 1}
    assert judgement.totals["EUR"]["difference"] == 0
    assert judgement.totals["EUR"]["erp_total"] == judgement.totals["EUR"]["stripe_total"] == 23800


@pytest.mark.parametrize(("spoil", "invariant"), DEFECTS, ids=[spoil.__name__[1:] for spoil, _ in DEFECTS])
def test_a_defect_turns_exactly_its_invariant_red(spoil: Callable[[Evidence], Evidence], invariant: Invariant) -> None:
    assert broken(spoil(evidence())) == [invariant]


@pytest.mark.parametrize(("one", "other"), [(one, other) for one, _ in DEFECTS[:12:3] for other, _ in DEFECTS[13::3]])
def test_of_two_defects_of_one_invoice_the_first_invariant_tells(
    one: Callable[[Evidence], Evidence], other: Callable[[Evidence], Evidence]
) -> None:
    """What comes later in the order may follow from the earlier; other invoices keep their own."""
    found = attribute(judge(one(other(evidence()))).findings)
    families = [finding.family for finding in found]
    for family in set(families) - {None}:
        assert len({finding.invariant for finding in found if finding.family == family}) == 1


def test_findings_without_an_invoice_all_stay() -> None:
    """What concerns the whole is never hidden behind what concerns one invoice."""
    whole = Finding(invariant=Invariant.QUEUE_DRAINED, family=None, detail="a run waits")
    judgement = judge(_other_total(evidence()), [whole])
    assert [invariant for invariant, holds in judgement.holds.items() if not holds] == [
        Invariant.BOOKS_AGREE,
        Invariant.QUEUE_DRAINED,
    ]


def test_an_exception_that_was_posted_all_the_same_is_not_explained() -> None:
    """It must not be in the ERP as long as a person has not looked at it."""
    world = evidence()
    posted = erp(replace(world.stripe[1], erp_id="5003"))
    stripe = [world.stripe[0], replace(world.stripe[1], erp_id="5003"), world.stripe[2]]
    documents = [*world.tax_documents, replace(world.tax_documents[0], code=world.stripe[1].number)]
    spoiled = replace(world, stripe=stripe, erp_invoices=[*world.erp_invoices, posted], tax_documents=documents)
    assert broken(spoiled) == [Invariant.EXCEPTIONS_EXPLAINED]


def test_the_tax_of_an_expected_exception_may_differ() -> None:
    """That the tax differs may be what the exception is about."""
    world = evidence()
    other = replace(world.tax_documents[0], code=world.stripe[1].number, tax=Decimal(1))
    assert broken(replace(world, tax_documents=[*world.tax_documents, other])) == []


def test_differences_of_single_documents_never_cancel_out() -> None:
    """One cent too much here and one too little there are two cents."""
    world = evidence()
    first, second = world.erp_invoices
    spoiled = replace(world, erp_invoices=[replace(first, total=Decimal(11899)), replace(second, total=Decimal(11901))])
    judgement = judge(spoiled)
    assert judgement.totals["EUR"]["difference"] == 2
    assert judgement.mismatched == 2


def test_a_moved_customer_may_stand_under_either_record() -> None:
    """What was recorded before the move still goes to the first one."""
    world = evidence()
    moved = [world.erp_invoices[0], replace(world.erp_invoices[1], customer="78")]
    assert broken(replace(world, erp_invoices=moved)) == []


def test_an_event_nobody_wants_needs_no_run() -> None:
    """Only what a flow is for starts one."""
    world = evidence()
    more = Event(
        id="event_9", external_id="evt_9", type="stripe.invoice.paid", subject=GOOD, state="unrouted", deliveries=0
    )
    assert broken(with_hub(world, events=[*world.hub.events, more])) == []


def test_a_write_is_found_by_the_key_of_its_effect() -> None:
    """Two bodies under one key concern the invoice that the payment is for."""
    world = evidence()
    second = Write(vendor="netsuite", address="/customerPayment", marker="concord:key_1", sha256="zz")
    findings = judge(replace(world, writes=[*world.writes, second])).findings
    assert [finding.family for finding in findings] == [GOOD]
    assert {BAD, TOLD}.isdisjoint({finding.family for finding in findings})
