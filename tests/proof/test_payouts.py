"""The oracle on payouts: each wrong entry and each wrong account is found, and true books are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hub.proof import payouts
from hub.proof.invariants import Invariant
from hub.proof.oracle import judge
from hub.proof.payouts import Journal, Movement, Payout, PayoutBooks
from tests.proof.books import GOOD, World, with_books, world

PAID = frozenset({f"inpay_{GOOD}_0", f"inpay_{GOOD}_1"})


def d(number: int) -> Decimal:
    """Give minor units."""
    return Decimal(number)


def movement(name: str, category: str, amount: int, *, fee: int = 0, **more: Any) -> Movement:
    """Give a movement in euros."""
    given = {"currency": "EUR", "source": f"of_{name}", "converted": False, **more}
    return Movement(id=name, category=category, amount=d(amount), fee=d(fee), **given)


FIRST = movement("txn_1", "charge", 3000, fee=100)
SECOND = movement("txn_2", "charge", 3000, fee=110)
REFUND = movement("txn_3", "refund", -500)
DISPUTE = movement("txn_4", "dispute", -200, fee=50)
OWN = movement("txn_5", "payout", -2150)
BACK = movement("txn_6", "payout_reversal", 2150)


def journal(name: str, number: int, **accounts: int) -> Journal:
    """Give an entry of NetSuite in the books of the German subsidiary."""
    sums = {account.removeprefix("a"): d(amount) for account, amount in accounts.items()}
    return Journal(id=str(number), external_id=name, memo="", currency="EUR", subsidiary="2", accounts=sums)


def books() -> PayoutBooks:
    """Give a payout of one charge, a refund that is posted and a dispute; it came back, and a second charge is open."""
    return PayoutBooks(
        payouts=[
            Payout(
                id="po_1",
                currency="EUR",
                amount=d(2150),
                own=OWN,
                took=[FIRST, REFUND, DISPUTE],
                returned=BACK,
                automatic=True,
                told=True,
            )
        ],
        journals=[
            journal("po_1", 7001, a221=2150, a60=150, a125=200, a123=-2500),
            journal("po_1_returned", 7002, a221=-2150, a123=2150),
        ],
        open=[SECOND, BACK],
        charged={f"inpay_{GOOD}_0": FIRST, f"inpay_{GOOD}_1": SECOND},
        given_back={"re_1": REFUND},
        refunds=frozenset({"re_1"}),
        balances={"EUR": d(3000 + 3000 - 500 - 2500 + 2150)},
    )


def spoiled(change: Callable[[PayoutBooks], PayoutBooks]) -> World:
    return with_books(world(), payouts=change(books()))


def broken(world: World) -> set[Invariant]:
    return {invariant for invariant, holds in judge(world.evidence).holds.items() if not holds}


def test_true_books_hold_and_are_counted() -> None:
    judgement = judge(with_books(world(), payouts=books()).evidence)
    assert judgement.all_hold, judgement.findings
    assert (judgement.wanted["payout"], judgement.posted["payout return"]) == (1, 1)


def test_the_clearing_account_is_stripes_balance_and_what_is_not_paid_out() -> None:
    row = payouts.cleared(books(), PAID)["EUR"]
    assert (row.stripe, row.not_paid_out, row.not_posted) == (d(2890 + 2150), d(-110), d(0))
    assert row.account == d(5150)
    assert row.difference == 0
    # A charge whose payment became an exception is missing on the account, and not unexplained.
    missing = replace(books(), balances={"EUR": d(5150 - 3000)})
    assert payouts.cleared(missing, PAID - {f"inpay_{GOOD}_1"})["EUR"].difference == 0
    assert payouts.cleared(missing, PAID)["EUR"].difference == -3000


def _changed(number: int, **changed: Any) -> Callable[[PayoutBooks], PayoutBooks]:
    def change(held: PayoutBooks) -> PayoutBooks:
        entries = list(held.journals)
        entries[number] = replace(entries[number], **changed)
        return replace(held, journals=entries)

    return change


def _without(number: int) -> Callable[[PayoutBooks], PayoutBooks]:
    return lambda held: replace(
        held, journals=[one for place, one in enumerate(held.journals) if place != number], balances=held.balances
    )


ANOTHER = journal("po_1", 7009, a221=2150, a60=150, a125=200, a123=-2500)
OTHER_FEES = {"221": d(2150), "60": d(151), "125": d(200), "123": d(-2501)}
NO_CLAIM = {"221": d(2150), "60": d(150), "123": d(-2300)}
OTHER_BANK = {"1": d(2150), "60": d(150), "125": d(200), "123": d(-2500)}


@pytest.mark.parametrize(
    ("change", "invariants"),
    [
        (lambda held: replace(held, journals=[*held.journals, ANOTHER]), {Invariant.NOTHING_TWICE}),
        (_without(0), {Invariant.NOTHING_LOST, Invariant.BOOKS_AGREE}),
        (_without(1), {Invariant.NOTHING_LOST, Invariant.BOOKS_AGREE}),
        (_changed(0, accounts=OTHER_FEES), {Invariant.BOOKS_AGREE}),
        (_changed(0, accounts=NO_CLAIM), {Invariant.BOOKS_AGREE}),
        (_changed(0, accounts=OTHER_BANK), {Invariant.BOOKS_AGREE}),
        (_changed(0, subsidiary="1"), {Invariant.BOOKS_AGREE}),
        (_changed(0, day="2026-01-02"), {Invariant.BOOKS_AGREE}),
        (_changed(1, day="2026-01-02"), {Invariant.BOOKS_AGREE}),
        (_changed(1, external_id="po_9_returned"), {Invariant.NOTHING_LOST, Invariant.BOOKS_AGREE}),
        (lambda held: replace(held, balances={"EUR": d(5149)}), {Invariant.BOOKS_AGREE}),
        (lambda held: replace(held, refunds=frozenset()), {Invariant.BOOKS_AGREE}),
        (
            lambda held: replace(held, payouts=[replace(held.payouts[0], told=False)]),
            {Invariant.EXCEPTIONS_EXPLAINED},
        ),
    ],
    ids=[
        "posted twice",
        "not posted",
        "its return not posted",
        "other fees",
        "the dispute cleared",
        "another bank account",
        "other books",
        "another day",
        "its return on another day",
        "the return of a payout that nobody made",
        "a cent more on the account",
        "a refund cleared that nobody posted",
        "posted before Stripe has told of it",
    ],
)
def test_what_is_wrong_is_found(change: Callable[[PayoutBooks], PayoutBooks], invariants: set[Invariant]) -> None:
    assert broken(spoiled(change)) == invariants


def test_a_finding_reads_like_an_entry() -> None:
    (finding,) = judge(spoiled(_changed(0, accounts=OTHER_FEES)).evidence).findings
    assert "accounts is 123: -2501, 125: +200, 221: +2150, 60: +151 in netsuite" in finding.detail
    assert "must be 123: -2500, 125: +200, 221: +2150, 60: +150" in finding.detail


def test_a_payout_by_hand_moves_its_amount_and_its_fee_alone() -> None:
    own = movement("txn_9", "payout", -700, fee=10)
    by_hand = Payout(
        id="po_2", currency="EUR", amount=d(700), own=own, took=[], returned=None, automatic=False, told=True
    )
    held = PayoutBooks(
        payouts=[by_hand],
        journals=[journal("po_2", 7001, a221=700, a60=10, a123=-710)],
        open=[FIRST, own],
        charged={f"inpay_{GOOD}_0": FIRST},
        balances={"EUR": d(3000 - 710)},
    )
    assert judge(with_books(world(), payouts=held).evidence).all_hold
    row = payouts.cleared(held, PAID)["EUR"]
    assert (row.stripe, row.not_paid_out, row.difference) == (d(2190), d(-100), d(0))
