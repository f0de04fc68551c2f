"""The circuit breaker: opens on what is the target's fault, asks now and then, and closes only on a real success."""

from __future__ import annotations

from heapq import heappop, heappush
from random import Random

import pytest

from hub.connections.breaker import FIRST, IN_A_ROW, LONGEST, OF_LAST, Breaker, BreakerState

SECOND = 1_000_000


def state(breaker: Breaker) -> BreakerState:
    return breaker.state


def fail(breaker: Breaker, count: int, now: int = 0) -> bool:
    return [breaker.failed(now, 0.0, now) for _ in range(count)].count(True) > 0


def test_failures_in_a_row_open_it() -> None:
    breaker = Breaker()
    assert not fail(breaker, IN_A_ROW - 1)
    assert breaker.failed(0, 0.0, 0)
    assert (state(breaker), breaker.opened_at, breaker.probe_at) == (BreakerState.OPEN, 0, FIRST)


def test_one_that_is_served_begins_the_row_anew() -> None:
    breaker = Breaker()
    for _ in range(50):
        fail(breaker, 1)
        breaker.served(0, 0)
        breaker.served(0, 0)
    assert state(breaker) is BreakerState.CLOSED


def test_a_high_share_of_the_last_opens_it_and_thirty_percent_do_not() -> None:
    often, seldom = Breaker(), Breaker()
    for number in range(10 * OF_LAST):
        for breaker, fails in ((often, number % 5 != 0), (seldom, number % 10 < 3)):
            if fails:
                breaker.failed(number, 0.0, number)
            else:
                breaker.served(number, number)
    assert state(often) is BreakerState.OPEN
    assert state(seldom) is BreakerState.CLOSED


def _in_bursts(breaker: Breaker, *, together: int, lost: float, bursts: int) -> int:
    """Send so many at once, again and again; what is lost is known two seconds later. Gives after how many it opened.

    Who is served is so within ten milliseconds, so that the last that is heard of each burst is failures alone.
    """
    dice = Random(f"{together}:{lost}")
    for burst in range(bursts):
        sent = [burst * 10 * SECOND + place * 100 for place in range(together)]
        fails = [at for at in sent if dice.random() < lost]
        for at in sent:
            if at not in fails:
                breaker.served(at + SECOND // 100, at)
        for at in fails:
            if breaker.failed(at + 2 * SECOND, 0.0, at):
                return (burst + 1) * together
    return 0


@pytest.mark.parametrize("together", [1, 10, 20, 60])
def test_a_third_of_lost_answers_does_not_open_it_however_many_go_out_together(together: int) -> None:
    assert not _in_bursts(Breaker(), together=together, lost=0.3, bursts=12_000 // together)


@pytest.mark.parametrize("together", [1, 10, 20, 60])
@pytest.mark.parametrize(("lost", "within"), [(1.0, 2 * IN_A_ROW), (0.9, 120), (0.8, 240)])
def test_a_target_that_hardly_serves_opens_it_soon(together: int, lost: float, within: int) -> None:
    assert 0 < _in_bursts(Breaker(), together=together, lost=lost, bursts=1_000) <= max(within, 2 * together)


def test_a_steady_stream_of_slow_failures_beside_fast_answers_is_judged_by_when_it_was_sent() -> None:
    """Twenty requests in flight; three of four hang for two seconds, every fourth is answered at once."""
    breaker, now, heard = Breaker(), 0, list[tuple[int, int, bool]]()
    for number in range(400):
        fails = number % 4 != 0
        if number >= 20:
            now, sent, served = heappop(heard)
            if served:
                breaker.served(now, sent)
            elif breaker.failed(now, 0.0, sent):
                break
        heappush(heard, (now + (2 * SECOND if fails else 1_000), now, not fails))
    assert state(breaker) is BreakerState.OPEN
    assert number < 100


def test_old_failures_do_not_count_into_the_share() -> None:
    breaker = Breaker()
    for number in range(100):
        breaker.failed(number * 30 * SECOND, 0.0, number * 30 * SECOND) if number % 5 else breaker.served(
            number * 30 * SECOND, number * 30 * SECOND
        )
    assert state(breaker) is BreakerState.CLOSED


def test_an_hour_of_outage_is_asked_about_little_more_than_once_a_minute() -> None:
    breaker, now = Breaker(), 0
    fail(breaker, IN_A_ROW)
    while now < 3600 * SECOND:
        now = breaker.probe_at
        assert breaker.due(now)
        breaker.probe()
        assert not breaker.due(now + LONGEST)
        breaker.probed(now, 0.5, served=False)
    assert 45 <= breaker.probes <= 64


def test_a_probe_alone_does_not_close_it() -> None:
    """It shows that the target answers; whether it does its work, the next request shows."""
    breaker = Breaker()
    fail(breaker, IN_A_ROW)
    breaker.probe()
    breaker.probed(FIRST, 0.0, served=True)
    assert state(breaker) is BreakerState.HALF_OPEN
    assert breaker.failed(FIRST + 1, 0.0, FIRST + 1)
    assert state(breaker) is BreakerState.OPEN
    assert breaker.probe_at == FIRST + 1 + 2 * FIRST
    breaker.probe()
    breaker.probed(breaker.probe_at, 0.0, served=True)
    assert breaker.served(breaker.probe_at, breaker.probe_at)
    assert state(breaker) is BreakerState.CLOSED


def test_a_late_answer_of_before_the_probe_does_not_close_it() -> None:
    """A request of before the outage may be answered at last while the one that was let out alone still hangs."""
    breaker = Breaker()
    fail(breaker, IN_A_ROW)
    breaker.probe()
    breaker.probed(FIRST, 0.0, served=True)
    assert state(breaker) is BreakerState.HALF_OPEN
    assert not breaker.served(FIRST + SECOND, 0)
    assert state(breaker) is BreakerState.HALF_OPEN
    assert breaker.served(FIRST + 2 * SECOND, FIRST + SECOND)


def test_what_was_sent_before_it_closed_opens_nothing() -> None:
    """Hundreds that wait for their time-out fail only after the target serves again."""
    breaker = Breaker()
    fail(breaker, IN_A_ROW)
    breaker.probe()
    breaker.probed(10 * SECOND, 0.0, served=True)
    assert not any(breaker.failed(11 * SECOND, 0.0, 5 * SECOND) for _ in range(100))
    assert state(breaker) is BreakerState.HALF_OPEN
    breaker.served(12 * SECOND, 12 * SECOND)
    assert not any(breaker.failed(13 * SECOND, 0.0, 5 * SECOND) for _ in range(100))
    assert state(breaker) is BreakerState.CLOSED


@pytest.mark.parametrize(("later", "wait"), [(1, 2 * FIRST), (LONGEST + SECOND, FIRST)])
def test_one_that_opens_again_soon_waits_longer(later: int, wait: int) -> None:
    breaker = Breaker()
    fail(breaker, IN_A_ROW)
    breaker.probe()
    breaker.probed(FIRST, 0.0, served=True)
    breaker.served(FIRST, FIRST)
    now = FIRST + later
    assert fail(breaker, IN_A_ROW, now)
    assert breaker.probe_at == now + wait


def test_chance_only_makes_it_later() -> None:
    breaker = Breaker()
    for _ in range(IN_A_ROW):
        breaker.failed(0, 1.0, 0)
    assert FIRST < breaker.probe_at <= 1.25 * FIRST
