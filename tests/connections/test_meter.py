"""How long requests take of late, as far as a process can tell while they are under way."""

from __future__ import annotations

from hub.connections.meter import SECOND, Meter

MINUTE = 60 * SECOND


def of_one(began: int, ended: int) -> Meter:
    """Give a meter that has seen one request, which was served."""
    meter = Meter()
    meter.start(began)
    meter.served(ended)
    meter.end(began, ended)
    return meter


def test_nobody_knows_before_one_was_served() -> None:
    meter = Meter()
    assert meter.longest(0) == 0
    meter.start(5)
    assert meter.longest(SECOND) == 0
    meter.end(5, 9)
    assert meter.longest(SECOND) == 0


def test_one_that_was_not_served_counts_for_as_long_as_it_took() -> None:
    meter = Meter()
    meter.start(0)
    meter.end(0, 30 * SECOND)
    meter.start(31 * SECOND)
    meter.served(31 * SECOND)
    meter.end(31 * SECOND, 31 * SECOND)
    assert meter.longest(32 * SECOND) == 30 * SECOND


def test_one_that_took_no_time_was_seen() -> None:
    assert of_one(7, 7).longest(8) == 1


def test_the_oldest_under_way_counts_before_it_is_over() -> None:
    meter = of_one(0, 1_000)
    for began in (SECOND, SECOND, 2 * SECOND):
        meter.start(began)
    assert meter.longest(9 * SECOND) == 8 * SECOND
    meter.end(SECOND, 9 * SECOND)
    assert meter.longest(10 * SECOND) == 9 * SECOND
    meter.end(SECOND, 10 * SECOND)
    assert meter.longest(13 * SECOND) == 11 * SECOND
    meter.end(2 * SECOND, 13 * SECOND)
    assert meter.longest(20 * SECOND) == 11 * SECOND


def test_the_longest_is_known_for_at_least_a_minute_and_at_most_two() -> None:
    for began in (0, 25 * SECOND, 54 * SECOND, 55 * SECOND):
        meter = of_one(began, began + 5 * SECOND)
        for second in range(1, 61):
            now = began + 5 * SECOND + second * SECOND
            meter.start(now)
            meter.served(now)
            meter.end(now, now)
            assert meter.longest(now) == 5 * SECOND, (began, second)
        assert meter.longest(began + 5 * SECOND + 2 * MINUTE) == 1
        assert meter.longest(began + 5 * SECOND + 4 * MINUTE) == 0


def test_what_did_not_leave_tells_nothing_of_how_long_requests_take() -> None:
    """It may have been held up on this side for long, such as by a database that is away."""
    meter = of_one(0, 1_000)
    meter.start(SECOND)
    meter.undo(SECOND)
    assert meter.longest(20 * SECOND) == 1_000
    assert meter.lasting(20 * SECOND) == 0.001
