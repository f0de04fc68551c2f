"""What is given back, judged by Stripe's books: sound books break nothing, and each defect its own invariant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hub.proof.credit_books import Credits, ErpCredit, NoteDue, StripeNote, StripeRefund
from hub.proof.evidence import Effect
from hub.proof.invariants import Invariant
from hub.proof.judging import queue_drained
from hub.proof.lines import Line
from hub.proof.oracle import judge
from hub.proof.reversals import ErpReversal
from hub.proof.vendor_documents import ErpPayment, Payment, TaxDocument
from tests.proof.books import GOOD, TOLD, World, d, posted, with_books, with_hub, world

#: Notes: before the payment, after it with a refund, after it with one that failed, and voided.
LOW, BACK, FAILED, VOID = "cn_low", "cn_back", "cn_failed", "cn_void"


def _note(name: str, invoice: str, total: int, **more: Any) -> StripeNote:
    line = Line(id=f"l_{name}", amount=d(total), tax=d(0))
    told = {"number": f"N-{name}", "currency": "EUR", "tax": d(0), "before": d(0), "lines": [line]}
    return StripeNote(id=name, invoice=invoice, total=d(total), **{**told, **more})


def _refund(name: str, amount: int, status: str) -> StripeRefund:
    return StripeRefund(id=name, invoice=GOOD, currency="EUR", amount=d(amount), status=status)


def _memo(note: StripeNote, number: str, **more: Any) -> ErpCredit:
    return ErpCredit(
        id=number,
        external_id=note.id,
        number=note.number,
        currency="EUR",
        customer="77",
        total=note.total,
        tax=note.tax,
        lines=posted(note.lines),
        **more,
    )


def _paid_out(name: str, number: str, memo: str, amount: int) -> ErpCredit:
    applied = {memo: d(amount)}
    return ErpCredit(
        id=number, external_id=name, number="R", currency="EUR", customer="77", total=d(amount), applied=applied
    )


def given_back() -> World:
    """Give a world in which something was given back in every way."""
    sound = world()
    line = Line(id="l_low", amount=d(1000), tax=d(190))
    low = _note(LOW, GOOD, 1190, tax=d(190), before=d(1190), lines=[line], taxed=frozenset({"l_low"}))
    back = _note(BACK, GOOD, 500, refunds={"re_back": d(500)})
    failed = _note(FAILED, GOOD, 300, refunds={"re_failed": d(300)})
    void = replace(low, id=VOID, number=f"N-{VOID}", invoice=TOLD, voided=True)
    charged = ErpReversal(id="5008", key="key_8", currency="EUR", customer="77", total=d(1190), open=d(1190))
    credits = Credits(
        notes=[low, back, failed, void],
        refunds=[
            _refund("re_back", 500, "succeeded"),
            _refund("re_failed", 300, "failed"),
            _refund("re_alone", 77, "succeeded"),
        ],
        memos=[
            _memo(low, "5101", applied={"5001": d(1190)}),
            _memo(back, "5102"),
            _memo(failed, "5103"),
            _memo(void, "5104", applied={"5002": d(1190)}),
        ],
        paid_out=[_paid_out("re_back", "5201", "5102", 500), _paid_out("re_failed", "5202", "5103", 300)],
        charged_again=[charged],
        came_back=[ErpReversal(id="5009", key="key_9", currency="EUR", customer="77", total=d(300), open=d(300))],
    )
    left = [replace(one, remaining=one.remaining - 1190) if one.id == GOOD else one for one in sound.books.stripe]
    owed = [
        # The note of the one lowers what is due, and the void one of the other is due on its reversal.
        replace(one, remaining=one.remaining - 1190)
        for one in sound.books.erp_invoices
    ]
    negative = Line(id="l_low", amount=d(-1000), tax=d(-190))
    returned = TaxDocument(code=low.number, currency="EUR", amount=d(-1000), tax=d(-190), lines=[negative])
    effects = [
        Effect(key=key, family=family, business_key=name, state="done", run_id="run_0")
        for key, family, name in (("key_8", TOLD, f"stripe:{VOID}:voided"), ("key_9", GOOD, "stripe:re_failed"))
    ]
    books = with_books(
        sound,
        stripe=left,
        erp_invoices=owed,
        tax_documents=[*sound.books.tax_documents, returned],
        credits=credits,
    )
    return with_hub(books, effects=[*sound.hub.effects, *effects])


def broken(world: World) -> list[Invariant]:
    """Give what does not hold."""
    return [invariant for invariant, holds in judge(world.evidence).holds.items() if not holds]


def changed(world: World, **credits: Any) -> World:
    """Give the world with other credits."""
    return with_books(world, credits=replace(world.books.credits, **credits))


def _memo_lost(world: World) -> World:
    return changed(world, memos=[memo for memo in world.books.credits.memos if memo.external_id != BACK])


def _memo_twice(world: World) -> World:
    memos = world.books.credits.memos
    return changed(world, memos=[*memos, replace(memos[0], id="5199")])


def _memo_not_applied(world: World) -> World:
    first, *others = world.books.credits.memos
    return changed(world, memos=[replace(first, applied={}, open=first.total), *others])


def _memo_over_a_cent_more(world: World) -> World:
    first, *others = world.books.credits.memos
    return changed(world, memos=[replace(first, total=first.total + 1), *others])


def _memo_of_a_flawed_note(world: World) -> World:
    return changed(world, due={LOW: NoteDue(exception="tax-mismatch")})


def _invoice_not_lowered(world: World) -> World:
    owed = [replace(one, remaining=d(5900)) for one in world.books.erp_invoices if one.external_id == GOOD]
    return with_books(world, erp_invoices=[*owed, *(o for o in world.books.erp_invoices if o.external_id != GOOD)])


def _memo_of_another_day(world: World) -> World:
    first, *others = world.books.credits.memos
    return changed(world, memos=[replace(first, day="2026-01-02"), *others])


def _memo_of_another_item(world: World) -> World:
    first, *others = world.books.credits.memos
    lines = [replace(line, item="105") for line in first.lines]
    return changed(world, memos=[replace(first, lines=lines), *others])


def _memo_under_another_tax_code(world: World) -> World:
    first, *others = world.books.credits.memos
    lines = [replace(line, tax_code="203") for line in first.lines]
    return changed(world, memos=[replace(first, lines=lines), *others])


def _tax_of_another_day(world: World) -> World:
    *others, returned = world.books.tax_documents
    return with_books(world, tax_documents=[*others, replace(returned, day="2026-01-02")])


def _charged_again_on_another_day(world: World) -> World:
    (once,) = world.books.credits.charged_again
    return changed(world, charged_again=[replace(once, day="2026-01-02")])


def _came_back_on_another_day(world: World) -> World:
    (once,) = world.books.credits.came_back
    return changed(world, came_back=[replace(once, day="2026-01-02")])


def _invoice_credited_that_nobody_took_back(world: World) -> World:
    reversal = ErpReversal(id="5011", key="key_8", currency="EUR", customer="77", total=d(1190), open=d(0))
    return changed(world, credited=[reversal])


def _refund_of_another_day(world: World) -> World:
    first, *others = world.books.credits.paid_out
    return changed(world, paid_out=[replace(first, day="2026-01-02"), *others])


def _refund_lost(world: World) -> World:
    memos = [replace(one, open=d(500)) if one.external_id == BACK else one for one in world.books.credits.memos]
    return changed(world, paid_out=world.books.credits.paid_out[1:], memos=memos)


def _refund_of_another_memo(world: World) -> World:
    first, second = world.books.credits.paid_out
    return changed(world, paid_out=[replace(first, applied={"5101": d(500)}), second])


def _refund_of_no_note(world: World) -> World:
    more = _paid_out("re_alone", "5299", "5102", 77)
    return changed(world, paid_out=[*world.books.credits.paid_out, more])


def _failed_refund_stands(world: World) -> World:
    return changed(world, came_back=[])


def _failed_refund_taken_back_twice(world: World) -> World:
    (once,) = world.books.credits.came_back
    return changed(world, came_back=[once, replace(once, id="5010")])


def _voided_note_stands(world: World) -> World:
    return changed(world, charged_again=[])


def _tax_not_given_back(world: World) -> World:
    return with_books(world, tax_documents=world.books.tax_documents[:-1])


def _tax_taken_once_more(world: World) -> World:
    *others, returned = world.books.tax_documents
    wrong = replace(returned, amount=-returned.amount, tax=-returned.tax)
    return with_books(world, tax_documents=[*others, wrong])


def _tax_of_a_void_note(world: World) -> World:
    returned = replace(world.books.tax_documents[-1], code=f"N-{VOID}")
    return with_books(world, tax_documents=[*world.books.tax_documents, returned])


DEFECTS: list[tuple[Callable[[World], World], Invariant]] = [
    (_memo_lost, Invariant.BOOKS_AGREE),
    (_memo_twice, Invariant.NOTHING_TWICE),
    (_memo_not_applied, Invariant.BOOKS_AGREE),
    (_memo_over_a_cent_more, Invariant.BOOKS_AGREE),
    (_memo_of_a_flawed_note, Invariant.EXCEPTIONS_EXPLAINED),
    (_invoice_not_lowered, Invariant.BOOKS_AGREE),
    (_refund_lost, Invariant.NOTHING_LOST),
    (_refund_of_another_memo, Invariant.BOOKS_AGREE),
    (_refund_of_no_note, Invariant.EXCEPTIONS_EXPLAINED),
    (_failed_refund_stands, Invariant.NOTHING_LOST),
    (_failed_refund_taken_back_twice, Invariant.NOTHING_TWICE),
    (_voided_note_stands, Invariant.NOTHING_LOST),
    (_tax_not_given_back, Invariant.NOTHING_LOST),
    (_tax_taken_once_more, Invariant.BOOKS_AGREE),
    (_tax_of_a_void_note, Invariant.EXCEPTIONS_EXPLAINED),
    (_memo_of_another_day, Invariant.BOOKS_AGREE),
    (_memo_of_another_item, Invariant.BOOKS_AGREE),
    (_refund_of_another_day, Invariant.BOOKS_AGREE),
    (_memo_under_another_tax_code, Invariant.BOOKS_AGREE),
    (_tax_of_another_day, Invariant.BOOKS_AGREE),
    (_charged_again_on_another_day, Invariant.BOOKS_AGREE),
    (_came_back_on_another_day, Invariant.BOOKS_AGREE),
    (_invoice_credited_that_nobody_took_back, Invariant.EXCEPTIONS_EXPLAINED),
]


def test_sound_books_break_nothing() -> None:
    sound = given_back()
    judgement = judge(sound.evidence)
    assert [str(finding) for finding in judgement.findings] == []
    # What failed after it was posted is there and is taken back: it makes no difference of the sums.
    assert judgement.totals["EUR"]["difference"] == 0


@pytest.mark.parametrize(("spoil", "invariant"), DEFECTS, ids=lambda value: getattr(value, "__name__", ""))
def test_each_defect_breaks_its_invariant(spoil: Callable[[World], World], invariant: Invariant) -> None:
    assert broken(spoil(given_back())) == [invariant]


def test_a_filed_return_of_a_void_note_needs_a_document_that_corrects_it() -> None:
    sound = given_back()
    returned = replace(sound.books.tax_documents[-1], code=f"N-{VOID}")
    line = Line(id="l_low", amount=d(1000), tax=d(190))
    corrected = TaxDocument(code=f"N-{VOID}-VOID", currency="EUR", amount=d(1000), tax=d(190), lines=[line])
    filed = changed(sound, filed=frozenset({f"N-{VOID}"}))
    both = with_books(filed, tax_documents=[*sound.books.tax_documents, returned, corrected])
    assert broken(both) == []
    assert broken(with_books(filed, tax_documents=[*sound.books.tax_documents, returned])) == [Invariant.NOTHING_LOST]


def test_a_void_note_that_a_person_takes_back_is_charged_again_once() -> None:
    sound = given_back()
    undone = changed(sound, due={VOID: NoteDue(undone=True)})
    assert broken(undone) == []
    (charged,) = undone.books.credits.charged_again
    assert broken(changed(undone, charged_again=[])) == [Invariant.NOTHING_LOST]
    twice = changed(undone, charged_again=[charged, replace(charged, id="5010", key="key_8")])
    assert broken(twice)
    # What charges its lines again is not taken back in its turn.
    credited = ErpReversal(id="5011", key=charged.key, currency="EUR", customer="77", total=d(1190), open=d(0))
    assert broken(changed(undone, credited=[credited]))


def test_a_refund_that_is_taken_back_waits_to_be_applied_on_its_own_day() -> None:
    sound = given_back()
    back = ErpReversal(id="5012", key="key_7", currency="EUR", customer="77", total=d(500), open=d(500))
    effect = Effect(key="key_7", family=GOOD, business_key="stripe:re_back", state="done", run_id="run_0")
    undone = changed(sound, due={BACK: NoteDue(unrefunded=True)}, came_back=[*sound.books.credits.came_back, back])
    undone = with_hub(undone, effects=[*sound.hub.effects, effect])
    assert broken(undone) == []
    assert broken(changed(sound, due={BACK: NoteDue(unrefunded=True)})) == [Invariant.NOTHING_LOST]


def test_a_refund_that_failed_before_it_was_posted_need_not_be() -> None:
    sound = given_back()
    memos = [replace(one, open=d(300)) if one.external_id == FAILED else one for one in sound.books.credits.memos]
    unposted = changed(sound, paid_out=sound.books.credits.paid_out[:1], came_back=[], memos=memos)
    assert broken(unposted) == []


def test_a_refund_without_a_note_may_wait_and_no_other() -> None:
    sound = given_back()
    waiting = replace(sound.hub.runs[0], state="waiting", wait_kind="event")
    waits = with_hub(sound, runs=[waiting, *sound.hub.runs[1:]])
    assert list(queue_drained(waits.evidence)) == []
    explained = changed(waits, refunds=sound.books.credits.refunds[:2])
    assert len(list(queue_drained(explained.evidence))) == 1


def _paid_whole(applied: dict[str, int], *, left: int = 0, still: int = 0) -> World:
    """Let the invoice of the void note be paid whole; `left` is open on it, and `still` on what charges the note."""
    sound = given_back()
    *others, told = sound.books.stripe
    paid = Payment(id="inpay_told", amount=told.total)
    posted = ErpPayment(
        id="6010",
        reference=paid.id,
        currency="EUR",
        customer="77",
        amount=paid.amount,
        applied={name: d(amount) for name, amount in applied.items()},
        accepted=10,
    )
    (charged,) = sound.books.credits.charged_again
    *invoices, owed = sound.books.erp_invoices
    return with_books(
        changed(sound, charged_again=[replace(charged, open=d(still))]),
        stripe=[*others, replace(told, payments=[paid], remaining=d(0))],
        erp_invoices=[*invoices, replace(owed, remaining=d(left))],
        erp_payments=[*sound.books.erp_payments, posted],
    )


def test_a_payment_pays_its_invoice_and_what_charges_its_void_note_again() -> None:
    total = int(given_back().books.stripe[-1].total)
    assert broken(_paid_whole({TOLD: total - 1190, "5008": 1190})) == []
    assert broken(_paid_whole({TOLD: total - 1190}, still=1190)) == [Invariant.BOOKS_AGREE]
    assert broken(_paid_whole({TOLD: total - 1191, "5008": 1190}, left=1)) == [Invariant.BOOKS_AGREE]
    assert broken(_paid_whole({TOLD: total - 1190, "5008": 1189}, still=1)) == [Invariant.BOOKS_AGREE]
    # What another note's reversal asks for is no part of this invoice.
    assert broken(_paid_whole({TOLD: total - 1190, "5009": 1190}, still=1190)) == [Invariant.BOOKS_AGREE]


@pytest.mark.parametrize(
    ("left", "first", "still", "holds"),
    [(5000, 3810, 1190, True), (1000, 0, 1000, True), (1000, 1, 999, False), (0, 0, 0, True), (1000, 0, 999, False)],
)
def test_what_is_left_of_an_invoice_is_left_of_what_charges_its_void_note(
    left: int, first: int, still: int, *, holds: bool
) -> None:
    """Payments in part pay the invoice first."""
    total = int(given_back().books.stripe[-1].total)
    applied = {TOLD: total - 1190 - first, "5008": total - left - (total - 1190 - first)}
    world = _paid_whole({name: amount for name, amount in applied.items() if amount}, left=first, still=still)
    *others, told = world.books.stripe
    (paid,) = told.payments
    amount = d(total - left)
    *payments, posted = world.books.erp_payments
    world = with_books(
        world,
        stripe=[*others, replace(told, payments=[replace(paid, amount=amount)], remaining=d(left))],
        erp_payments=[*payments, replace(posted, amount=amount)],
    )
    assert (broken(world) == []) is holds
