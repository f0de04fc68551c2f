"""What refusals teach: down by shares, up by steps, each limit by itself, never below one, and forgotten at last."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.connections.learning import KEPT, Learned
from hub.connections.meter import Meter
from hub.errors import LimitKind

SECOND = 1_000_000


def refuse(learned: Learned, kind: LimitKind, sent: int, now: int, **others: Any) -> bool:
    known = {"pace": 100.0, "measured": 100.0, "permits": 20, "in_flight": 20, **others}
    return learned.refused(kind, sent=sent, now=now, **known)


def test_a_refusal_lowers_its_own_limit_by_a_share() -> None:
    learned = Learned()
    assert refuse(learned, LimitKind.RATE, 0, 1)
    assert learned.rate == pytest.approx(70)
    assert learned.concurrency is None
    assert refuse(learned, LimitKind.CONCURRENCY, 0, 1)
    assert learned.rate == pytest.approx(70)
    assert learned.permits == 14


def test_on_the_way_back_one_refusal_alone_lowers_no_further() -> None:
    """Seventy went well under a hundred; two that are refused one behind the other say that it is less now."""
    learned = Learned()
    refuse(learned, LimitKind.RATE, 0, 0)
    for _ in range(3):
        learned.served(pace=100.0, permits=20, in_flight=1)
    before = learned.rate
    assert not refuse(learned, LimitKind.RATE, 1, 1)
    assert learned.rate == before
    assert refuse(learned, LimitKind.RATE, 2, 2, measured=70.0)
    assert learned.rate == pytest.approx(49)


def test_where_it_was_refused_before_it_falls_again_at_once() -> None:
    learned = Learned()
    refuse(learned, LimitKind.RATE, 0, 0)
    while learned.rate is not None and learned.rate < 96:
        learned.served(pace=100.0, permits=20, in_flight=1)
    assert refuse(learned, LimitKind.RATE, 1, 1, measured=96.0)
    assert learned.rate == pytest.approx(0.7 * 96)


def test_what_went_out_of_late_is_remembered_through_a_pause() -> None:
    """Ten seconds on, it is what goes out now; a second without anything is none of them."""
    meter = Meter()
    for place in range(20):
        meter.start(place * 40_000)
    for place in range(20):
        meter.end(place * 40_000, SECOND)
    assert (meter.rate(8 * SECOND), meter.highest(8 * SECOND)) == (20.0, 20)
    meter.start(9 * SECOND)
    assert (meter.rate(9 * SECOND), meter.highest(9 * SECOND)) == (20.0, 20)
    assert (meter.rate(12 * SECOND), meter.highest(12 * SECOND)) == (1.0, 1)


def test_of_those_under_way_together_only_one_counts() -> None:
    """Four hundred refusals of one burst are one decrease; the next request after it may be another."""
    learned = Learned()
    assert [refuse(learned, LimitKind.RATE, sent, 50) for sent in range(50)].count(True) == 1
    assert learned.rate == pytest.approx(70)
    assert refuse(learned, LimitKind.RATE, 50, 60)
    assert learned.rate == pytest.approx(49)


@given(st.lists(st.tuples(st.sampled_from(LimitKind), st.integers(0, 10)), max_size=60))
def test_neither_falls_below_one(refusals: list[tuple[LimitKind, int]]) -> None:
    learned, now = Learned(), 0
    for kind, later in refusals:
        now += later + 1
        refuse(learned, kind, now, now, measured=float(later), in_flight=later)
        assert learned.rate is None or learned.rate >= 1
        assert learned.permits is None or learned.permits >= 1


def test_what_is_used_rises_until_it_is_forgotten() -> None:
    learned = Learned()
    refuse(learned, LimitKind.RATE, 0, 0)
    refuse(learned, LimitKind.CONCURRENCY, 0, 0)
    seconds = 0.0
    while learned.anything:
        assert seconds < 60
        seconds += 1 / (learned.rate or 100)
        learned.served(pace=100.0, permits=20, in_flight=20)
    # From seventy to a hundred in steps of two a second.
    assert 10 <= seconds <= 20


def test_a_concurrency_that_is_not_used_up_does_not_rise() -> None:
    learned = Learned()
    refuse(learned, LimitKind.CONCURRENCY, 0, 0)
    for _ in range(1000):
        learned.served(pace=None, permits=20, in_flight=3)
    assert learned.permits == 14


def test_a_rate_that_nobody_limits_is_learned_from_what_went_out() -> None:
    learned = Learned()
    refuse(learned, LimitKind.RATE, 0, 0, pace=None, measured=50.0)
    assert learned.rate == pytest.approx(35)
    for _ in range(100_000):
        learned.served(pace=None, permits=20, in_flight=1)
    assert learned.rate is None


@pytest.mark.parametrize("kind", [LimitKind.QUOTA, LimitKind.OBJECT])
def test_a_quota_and_a_lock_say_nothing_of_the_pace(kind: LimitKind) -> None:
    learned = Learned()
    assert not refuse(learned, kind, 0, 0)
    assert not learned.anything


def test_it_outlives_a_restart_but_not_for_ever() -> None:
    learned = Learned()
    refuse(learned, LimitKind.RATE, 0, 0)
    refuse(learned, LimitKind.CONCURRENCY, 0, 0)
    kept = learned.kept(SECOND)
    assert kept is not None
    soon, late = Learned(), Learned()
    soon.restore(kept, 2 * SECOND)
    late.restore(kept, 2 * SECOND + KEPT)
    assert soon.rate == pytest.approx(70)
    assert soon.permits == 14
    assert not late.anything
    assert Learned().kept(0) is None
