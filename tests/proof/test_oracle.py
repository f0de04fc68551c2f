"""The oracle: each kind of defect turns exactly its own invariant red, and a sound world turns none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from hub.proof import vendor_books
from hub.proof.consent_checks import taken_back
from hub.proof.evidence import (
    Case,
    Change,
    Document,
    Event,
    Evidence,
    Hold,
    HubRecords,
    Trespass,
    Write,
)
from hub.proof.invariants import Finding, Invariant, attribute
from hub.proof.lines import Line
from hub.proof.oracle import judge
from hub.proof.vendor_documents import ErpInvoice, Request, Sent
from tests.proof.books import BAD, GOOD, TOLD, World, erp, invoice, with_books, with_hub, world


def broken(world: World) -> list[Invariant]:
    """Give what does not hold."""
    return [invariant for invariant, holds in judge(world.evidence).holds.items() if not holds]


def _no_event(world: World) -> World:
    events = [replace(event, deliveries=0) if event.external_id == "evt_1" else event for event in world.hub.events]
    return with_hub(world, events=events)


def _unreadable_forgotten(world: World) -> World:
    return with_books(world, sent=[*world.books.sent, Sent(event="evt_0", status=202, spoiled=True)])


def _second_run(world: World) -> World:
    return with_hub(world, runs=[*world.hub.runs, replace(world.hub.runs[0], id="run_9", position=9)])


def _no_run(world: World) -> World:
    return with_hub(world, runs=world.hub.runs[1:])


def _payments_swapped(world: World) -> World:
    first, second = world.books.erp_payments
    return with_books(world, erp_payments=[replace(first, accepted=9), second])


def _other_body(world: World) -> World:
    return with_books(world, requests=[*world.books.requests, replace(world.books.requests[0], sha256="cc")])


def _other_body_of_a_payment(world: World) -> World:
    return with_books(world, requests=[*world.books.requests, replace(world.books.requests[2], sha256="cc")])


def _invoice_twice(world: World) -> World:
    return with_books(world, erp_invoices=[*world.books.erp_invoices, replace(world.books.erp_invoices[0], id="5009")])


def _payment_twice(world: World) -> World:
    return with_books(
        world, erp_payments=[*world.books.erp_payments, replace(world.books.erp_payments[0], id="6009", accepted=9)]
    )


def _tax_twice(world: World) -> World:
    return with_books(world, tax_documents=[*world.books.tax_documents, world.books.tax_documents[0]])


def _notice_twice(world: World) -> World:
    return with_books(world, notices=[*world.books.notices, *world.books.notices])


def _changed(world: World, **what: object) -> World:
    first = replace(world.books.erp_invoices[0], **what)  # type: ignore[arg-type]
    return with_books(world, erp_invoices=[first, *world.books.erp_invoices[1:]])


def _other_total(world: World) -> World:
    return _changed(world, total=Decimal(11899))


def _other_line(world: World) -> World:
    lines = [Line(id="il_1", amount=Decimal(12001), tax=Decimal(2280)), world.books.erp_invoices[0].lines[1]]
    return _changed(world, lines=lines)


def _missing_line(world: World) -> World:
    return _changed(world, lines=world.books.erp_invoices[0].lines[:1])


def _other_customer(world: World) -> World:
    return _changed(world, customer="99")


def _other_payment(world: World) -> World:
    return with_books(
        world, erp_payments=[replace(world.books.erp_payments[0], amount=Decimal(2999)), world.books.erp_payments[1]]
    )


def _other_tax(world: World) -> World:
    first = replace(world.books.tax_documents[0], tax=Decimal(1901))
    return with_books(world, tax_documents=[first, *world.books.tax_documents[1:]])


def _no_reference(world: World) -> World:
    return with_books(world, stripe=[replace(world.books.stripe[0], erp_id=None), *world.books.stripe[1:]])


def _stranger(world: World) -> World:
    stranger: ErpInvoice = erp(invoice("in_stranger"))
    return with_books(world, erp_invoices=[*world.books.erp_invoices, stranger])


def _no_invoice(world: World) -> World:
    return with_books(world, erp_invoices=world.books.erp_invoices[1:], erp_payments=[])


def _no_payment(world: World) -> World:
    return with_books(world, erp_payments=world.books.erp_payments[:1])


def _no_notice(world: World) -> World:
    return with_books(world, notices=[])


def _unexpected_case(world: World) -> World:
    return with_hub(world, cases=[*world.hub.cases, Case(run_id="run_0", family=GOOD, reason="tax-mismatch")])


def _other_reason(world: World) -> World:
    return with_hub(world, cases=[Case(run_id="run_3", family=BAD, reason="not-mapped"), world.hub.cases[1]])


def _no_case(world: World) -> World:
    return with_hub(world, cases=world.hub.cases[1:])


def _illegal_change(world: World) -> World:
    gone = Change(kind="run", id="run_0", family=GOOD, before="succeeded", after="running")
    return with_hub(world, changes=[gone])


def _illegal_change_of_an_effect(world: World) -> World:
    gone = Change(kind="effect", id="key_1", family=GOOD, before="done", after="intent")
    return with_hub(world, changes=[gone])


def _no_such_document(world: World) -> World:
    return with_hub(world, effects=[replace(world.hub.effects[0], output_id="6666")])


def _another_document(world: World) -> World:
    return with_hub(world, effects=[replace(world.hub.effects[0], output_id="5002")])


def _no_tax_document(world: World) -> World:
    return with_books(world, tax_documents=world.books.tax_documents[1:])


def _two_stand(world: World) -> World:
    second = replace(world.hub.runs[0], id="run_9", position=9, replay_of="run_0")
    return with_hub(world, runs=[*world.hub.runs, second])


def _parked_without_a_word(world: World) -> World:
    parked = replace(world.hub.runs[0], state="parked")
    return with_hub(world, runs=[parked, *world.hub.runs[1:]])


def _other_day(world: World) -> World:
    first, *others = world.books.erp_invoices
    return with_books(world, erp_invoices=[replace(first, day="2026-01-02"), *others])


def _other_item(world: World) -> World:
    first, *others = world.books.erp_invoices
    lines = [replace(line, item="105") for line in first.lines]
    return with_books(world, erp_invoices=[replace(first, lines=lines), *others])


def _other_day_of_a_payment(world: World) -> World:
    first, *others = world.books.erp_payments
    return with_books(world, erp_payments=[replace(first, day="2026-01-02"), *others])


def _done_with_a_write_open(world: World) -> World:
    return with_hub(world, effects=[replace(world.hub.effects[0], state="unknown", output_id=None)])


def _ended_with_a_write_open(world: World) -> World:
    ended = replace(world.hub.runs[1], state="cancelled")
    runs = [world.hub.runs[0], ended, *world.hub.runs[2:]]
    return _done_with_a_write_open(with_hub(world, runs=runs))


DEFECTS: list[tuple[Callable[[World], World], Invariant]] = [
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
    (_illegal_change, Invariant.LEGAL_CHANGES),
    (_illegal_change_of_an_effect, Invariant.LEGAL_CHANGES),
    (_no_such_document, Invariant.RECORDED_IS_TRUE),
    (_another_document, Invariant.RECORDED_IS_TRUE),
    (_no_tax_document, Invariant.NOTHING_LOST),
    (_two_stand, Invariant.ONE_STATE),
    (_parked_without_a_word, Invariant.ONE_STATE),
    (_done_with_a_write_open, Invariant.ONE_STATE),
    (_ended_with_a_write_open, Invariant.ONE_STATE),
    (_other_day, Invariant.BOOKS_AGREE),
    (_other_item, Invariant.BOOKS_AGREE),
    (_other_day_of_a_payment, Invariant.BOOKS_AGREE),
]


def test_a_sound_world_breaks_nothing() -> None:
    """The numbers are those of the books."""
    judgement = judge(world().evidence)
    assert judgement.all_hold, judgement.findings
    assert judgement.wanted == {"invoice": 2, "notice": 1, "payment": 2, "reference": 2, "tax document": 2}
    assert judgement.posted == judgement.wanted
    assert (judgement.duplicates, judgement.lost, judgement.mismatched) == (0, 0, 0)
    assert judgement.exceptions_open == {"customer-not-mapped": 1, "outcome-unknown": 1}
    assert judgement.totals["EUR"]["difference"] == 0
    assert judgement.totals["EUR"]["found_total"] == judgement.totals["EUR"]["wanted_total"] == 29800


@pytest.mark.parametrize(("spoil", "invariant"), DEFECTS, ids=[spoil.__name__[1:] for spoil, _ in DEFECTS])
def test_a_defect_turns_exactly_its_invariant_red(spoil: Callable[[World], World], invariant: Invariant) -> None:
    assert broken(spoil(world())) == [invariant]


@pytest.mark.parametrize(("one", "other"), [(one, other) for one, _ in DEFECTS[:12:3] for other, _ in DEFECTS[13::3]])
def test_of_two_defects_of_one_invoice_the_first_invariant_tells(
    one: Callable[[World], World], other: Callable[[World], World]
) -> None:
    """What comes later in the order may follow from the earlier; other invoices keep their own."""
    found = attribute(judge(one(other(world())).evidence).findings)
    families = [finding.family for finding in found]
    for family in set(families) - {None}:
        assert len({finding.invariant for finding in found if finding.family == family}) == 1


def test_findings_without_an_invoice_all_stay() -> None:
    """What concerns the whole is never hidden behind what concerns one invoice."""
    whole = Finding(invariant=Invariant.QUEUE_DRAINED, family=None, detail="a run waits")
    judgement = judge(_other_total(world()).evidence, [whole])
    assert [invariant for invariant, holds in judgement.holds.items() if not holds] == [
        Invariant.BOOKS_AGREE,
        Invariant.QUEUE_DRAINED,
    ]


def test_an_exception_that_was_posted_all_the_same_is_not_explained() -> None:
    """It must not be in the ERP as long as a person has not looked at it."""
    sound = world()
    good, bad, told = sound.books.stripe
    posted = erp(replace(bad, erp_id="5003"))
    documents = [*sound.books.tax_documents, replace(sound.books.tax_documents[0], code=bad.number)]
    spoiled = with_books(
        sound,
        stripe=[good, replace(bad, erp_id="5003"), told],
        erp_invoices=[*sound.books.erp_invoices, posted],
        tax_documents=documents,
    )
    assert broken(spoiled) == [Invariant.EXCEPTIONS_EXPLAINED]


def test_the_tax_of_an_expected_exception_may_differ() -> None:
    """That the tax differs may be what the exception is about."""
    sound = world()
    other = replace(sound.books.tax_documents[0], code=sound.books.stripe[1].number, tax=Decimal(1))
    assert broken(with_books(sound, tax_documents=[*sound.books.tax_documents, other])) == []


def test_differences_of_single_documents_never_cancel_out() -> None:
    """One cent too much here and one too little there are two cents."""
    sound = world()
    first, second = sound.books.erp_invoices
    moved = [replace(first, total=Decimal(11899)), replace(second, total=Decimal(11901))]
    judgement = judge(with_books(sound, erp_invoices=moved).evidence)
    assert judgement.totals["EUR"]["difference"] == 2
    assert judgement.mismatched == 2


def test_a_moved_customer_may_stand_under_either_record() -> None:
    """What was recorded before the move still goes to the first one."""
    sound = world()
    first, second = sound.books.erp_invoices
    assert broken(with_books(sound, erp_invoices=[first, replace(second, customer="78")])) == []


def test_an_event_nobody_wants_needs_no_run() -> None:
    """Only what a flow is for starts one."""
    sound = world()
    more = Event(
        id="event_9",
        external_id="evt_9",
        family=GOOD,
        type="stripe.invoice.paid",
        subject=GOOD,
        state="unrouted",
        deliveries=0,
    )
    assert broken(with_hub(sound, events=[*sound.hub.events, more])) == []


def test_a_write_is_found_by_the_key_of_its_effect() -> None:
    """Two bodies under one key concern the invoice that the payment is for."""
    sound = world()
    second = Request(vendor="netsuite", address="/customerPayment", marker="concord:key_1", sha256="zz")
    findings = judge(with_books(sound, requests=[*sound.books.requests, second]).evidence).findings
    assert [finding.family for finding in findings] == [GOOD]
    assert {BAD, TOLD}.isdisjoint({finding.family for finding in findings})


def test_what_was_surely_refused_may_be_formed_anew() -> None:
    """Nothing of it was done; but once a body may have been done, every later one is the same."""
    first = Request(vendor="netsuite", address="/x", marker="concord:key_1", sha256="aa", refused=True)
    other = replace(first, sha256="bb", refused=False)
    third = replace(first, sha256="cc")
    sound = world()
    assert broken(with_books(sound, requests=[first, other, other])) == []
    assert broken(with_books(sound, requests=[first, other, third])) == [
        Invariant.RECOVERY_RESENDS_THE_RECORDED_REQUEST
    ]


def test_what_was_looked_for_and_then_refused_may_be_formed_anew() -> None:
    """By then it is sure that none of the earlier ones was done; a refusal alone does not say so."""
    unknown = Write(book="erp", address="/x", marker="key", family=GOOD, sha256="aa")
    refused = replace(unknown, refused=True)
    other = replace(unknown, sha256="bb")
    sound = world().evidence
    for writes, holds in (
        ([unknown, refused, other], False),
        ([unknown, replace(refused, settles=True), other], True),
        ([unknown, replace(refused, settles=True), unknown, other], False),
        ([unknown, other, replace(refused, settles=True)], False),
    ):
        judgement = judge(replace(sound, writes=writes))
        assert judgement.holds[Invariant.RECOVERY_RESENDS_THE_RECORDED_REQUEST] is holds


@pytest.mark.parametrize("name", ["creditMemo/eid:cn_1", "customer/eid:cus_1", "customer/1001"])
def test_memos_and_customers_are_sent_as_they_are_recorded_too(name: str) -> None:
    log = [
        {"path": f"/services/rest/record/v1/{name}", "method": "PUT", "marker": "thing", "sha256": body, "status": 204}
        for body in ("aa", "bb")
    ]
    written = vendor_books.requests("netsuite", log)
    assert [request.sha256 for request in written] == ["aa", "bb"]
    assert broken(with_books(world(), requests=written[:1] * 2)) == []
    assert broken(with_books(world(), requests=written)) == [Invariant.RECOVERY_RESENDS_THE_RECORDED_REQUEST]


def test_two_recorded_writes_of_one_name_are_two_and_one_is_sent_as_it_is_recorded() -> None:
    """A customer is written at each change of it, and a code that became free names another tax document."""
    first = Write(book="erp", address="/x", marker="key", family=GOOD, sha256="aa", meant="stripe:cus_1:evt_1")
    other = replace(first, sha256="bb", meant="stripe:cus_1:evt_2")
    sound = world().evidence
    for writes, holds in (
        ([first, first, other, other, first], True),
        ([first, replace(first, sha256="bb")], False),
        ([first, replace(other, meant="")], False),
        ([replace(first, meant=""), other], False),
    ):
        judgement = judge(replace(sound, writes=writes))
        assert judgement.holds[Invariant.RECOVERY_RESENDS_THE_RECORDED_REQUEST] is holds


def test_what_another_event_tells_of_may_be_formed_anew_once_it_is_surely_missing() -> None:
    first = Write(book="erp", address="/x", marker="key", family=GOOD, sha256="aa")
    other = replace(first, sha256="bb", afresh=True)
    sound = world().evidence
    for writes, holds in (([first, other], True), ([first, other, other, first], False)):
        judgement = judge(replace(sound, writes=writes))
        assert judgement.holds[Invariant.RECOVERY_RESENDS_THE_RECORDED_REQUEST] is holds


def test_what_a_write_is_said_to_have_made_bears_its_key() -> None:
    """Rows of one answer that were mixed up are all there, and of the same family."""
    sound = world()
    for marker, held in (("", True), ("key_1", True), ("key_2", False)):
        documents = [replace(each, marker=marker) if each.id == "6000" else each for each in sound.evidence.documents]
        judgement = judge(replace(sound.evidence, documents=documents))
        assert judgement.holds[Invariant.RECORDED_IS_TRUE] is held


@pytest.mark.parametrize(
    ("hold", "holds"),
    [
        (Hold(kind="flow", name="payment-to-erp", key="", begins=5.0, ends=15.0), False),
        (Hold(kind="flow", name="payment-to-erp", key="", begins=11.0, ends=15.0), True),
        (Hold(kind="flow", name="other", key="", begins=5.0, ends=15.0), True),
        (Hold(kind="key", name="payment-to-erp", key=GOOD, begins=5.0, ends=15.0), False),
        (Hold(kind="key", name="payment-to-erp", key="other", begins=5.0, ends=15.0), True),
        (Hold(kind="run", name="run_1", key="", begins=5.0, ends=15.0), False),
        (Hold(kind="run", name="run_2", key="", begins=5.0, ends=15.0), True),
        (Hold(kind="connection", name="netsuite", key="", begins=5.0, ends=15.0), False),
        (Hold(kind="connection", name="stripe", key="", begins=5.0, ends=15.0), True),
    ],
)
def test_what_is_held_stands_still(hold: Hold, *, holds: bool) -> None:
    sound = world()
    effect = replace(sound.hub.effects[0], intended=[10.0])
    broken_by = broken(with_hub(sound, effects=[effect], holds=[hold]))
    assert broken_by == ([] if holds else [Invariant.HELD_STANDS_STILL])


@pytest.mark.parametrize(
    ("reversed_at", "holds"),
    [({"1": 11, "2": 10}, True), ({"1": 10, "2": 11}, False), ({"2": 10}, False), ({"1": 10}, False), ({}, True)],
)
def test_what_is_taken_back_is_taken_back_whole_and_backwards(reversed_at: dict[str, int], *, holds: bool) -> None:
    made = [
        Document(book="b", kind="entry", name=name, family="f", id=name, stage=stage, place=stage)
        for stage, name in enumerate(("1", "2"))
    ]
    back = [
        Document(book="b", kind="reversal", name=name, family="f", id=f"r{name}", reverses=name, place=place)
        for name, place in reversed_at.items()
    ]
    run = replace(world().hub.runs[0], family="f", state="compensated")
    found = list(taken_back(Evidence(documents=[*made, *back], hub=HubRecords(runs=[run]))))
    assert (found == []) is holds
    # Where nothing was taken back at all, the reversals that are wanted are what is missing.
    assert {finding.invariant for finding in found} <= {Invariant.TAKEN_BACK}


def test_who_lost_a_run_records_nothing_more_of_it() -> None:
    stale = Trespass(run_id="run_0", family=GOOD, epoch=1, stood=2)
    assert broken(with_hub(world(), trespasses=[stale])) == [Invariant.FENCED]


def test_sums_that_nothing_explains_are_told_of_the_whole() -> None:
    """A record that is neither posted nor anywhere else is missed, although no document asks for it."""
    sound = world().evidence
    invoice_wanted = sound.wanted[0]
    nowhere = replace(invoice_wanted, name="in_gone", family="in_gone", subject="in_gone", needed=False)
    event = Event(
        id="event_9",
        external_id="evt_9",
        family="in_gone",
        type="stripe.invoice.paid",
        subject="in_gone",
        state="accepted",
        deliveries=0,
    )
    hub = replace(sound.hub, events=[*sound.hub.events, event])
    judgement = judge(replace(sound, wanted=[*sound.wanted, nowhere], hub=hub))
    assert [finding.invariant for finding in judgement.findings] == [Invariant.SUMS_CONSERVED]
    assert "11900 are nowhere" in judgement.findings[0].detail
