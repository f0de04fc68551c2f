"""Windows and spacing against a vendor that counts when requests arrive: the model never sees one too many."""

from __future__ import annotations

from bisect import bisect_right

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.connections.bounds import Bound, Window, interval, lowest, usual_burst, windows
from hub.connections.pace import Arrivals, Pace, Start
from hub.model.limits import QuotaPer

SECOND = 1_000_000


class PaceMachine(RuleBasedStateMachine):
    """Requests start when the pace lets them, arrive at any moment before their answer, and limits change meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.pace = Pace()
        self.now = 0
        self.limits: tuple[Window, ...] = ()
        self.under_way: list[tuple[Start, int]] = []
        self.arrivals: list[int] = []

    @initialize(rate=st.sampled_from([1, 2.5, 3, 10, 50]), per=st.sampled_from([1, 10]))
    def begin(self, rate: float, per: int) -> None:
        self.bind(rate, per)

    @rule(rate=st.sampled_from([1, 2.5, 3, 10, 50]), per=st.sampled_from([1, 10]))
    def bind(self, rate: float, per: int) -> None:
        self.limits = windows(rate, per)
        # What was started under other limits was allowed then.
        self.arrivals.clear()
        self.pace.bind(self.limits)
        self.pace.space(interval(rate / per), usual_burst(rate), self.now)

    @rule(micros=st.integers(0, 3 * SECOND))
    def time_passes(self, micros: int) -> None:
        self.now += micros

    @rule(count=st.integers(1, 60), transit=st.integers(0, 15_000))
    def starts(self, count: int, transit: int) -> None:
        """As many as may start now do; each arrives a little later."""
        for _ in range(count):
            if self.pace.ready(self.now) > self.now:
                break
            self.under_way.append((self.pace.start(self.now), self.now + transit))
            self.arrivals.append(self.now + transit)

    @rule(late=st.integers(0, 100_000))
    def answered(self, late: int) -> None:
        if self.under_way:
            start, arrived = self.under_way.pop(0)
            self.now = max(self.now, arrived) + late
            self.pace.answered(start, self.now)

    @rule()
    def waits_until_ready(self) -> None:
        """What is said to be ready is so at that time, or answers came to count later than was thought."""
        at = self.pace.ready(self.now)
        assert at >= self.now
        self.now = at

    @rule(ahead=st.integers(0, 20))
    def a_place_behind_others_comes_no_earlier(self, ahead: int) -> None:
        assert self.pace.ready(self.now, ahead) <= self.pace.ready(self.now, ahead + 1)

    @invariant()
    def no_window_is_overrun(self) -> None:
        counted = sorted(self.arrivals)
        for window in self.limits:
            for place, at in enumerate(counted):
                assert place - bisect_right(counted, at - window.micros) + 1 <= window.count


TestPace = PaceMachine.TestCase
TestPace.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_an_earlier_process_is_taken_to_have_used_all() -> None:
    pace = Pace()
    pace.bind(windows(10, 1))
    pace.space(interval(10), 3, 0)
    pace.begin_full(5 * SECOND)
    assert pace.ready(5 * SECOND) > 5 * SECOND
    assert pace.ready(7 * SECOND) == 7 * SECOND


def test_what_the_vendor_says_is_left_is_not_exceeded() -> None:
    pace = Pace()
    pace.allow(2, 10 * SECOND, sent=0)
    for _ in range(2):
        assert pace.ready(SECOND) == SECOND
        pace.start(SECOND)
    assert pace.ready(SECOND) == 10 * SECOND
    assert pace.ready(10 * SECOND) == 10 * SECOND


def test_an_answer_that_was_overtaken_raises_nothing_of_what_is_left() -> None:
    """Requests sent at 1 and 2 are answered the wrong way round."""
    pace = Pace()
    pace.allow(0, 10 * SECOND, sent=2)
    pace.allow(1, 10 * SECOND + 700_000, sent=1)
    assert pace.ready(SECOND) == 10 * SECOND
    # One of the time before says nothing of this one, and one that counted later than it was sent lowers.
    pace.allow(5, 60 * SECOND, sent=3)
    pace.allow(0, 10 * SECOND, sent=1)
    assert pace.ready(SECOND) == SECOND
    pace.allow(0, 60 * SECOND, sent=2)
    assert pace.ready(SECOND) == 60 * SECOND
    pace.allow(4, 90 * SECOND, sent=4)
    assert pace.ready(SECOND) == SECOND


def test_a_pace_that_rises_a_little_with_each_start_is_kept_all_the_same() -> None:
    """Two at once and four a second; a rise of a thousandth gives nobody a turn at once."""
    pace, now, started, every = Pace(), 0, 0, interval(4)
    pace.space(every, 2, now)
    while now < 10 * SECOND:
        if pace.ready(now) <= now:
            pace.start(now)
            started += 1
            every -= every // 1000
            pace.space(every, 2, now)
        now += SECOND // 100
    assert 40 <= started <= 44


def test_a_pace_that_rises_much_makes_nobody_wait_for_the_slower_one() -> None:
    pace = Pace()
    pace.space(interval(0.1), 1, 0)
    pace.start(0)
    pace.space(interval(100), 1, SECOND)
    assert pace.ready(SECOND) <= SECOND + interval(100)


def test_of_several_limits_the_lowest_applies_each_by_itself() -> None:
    found = lowest(
        [
            Bound(source="vendor", concurrency=20, rate=80),
            Bound(source="file", concurrency=5),
            Bound(source="environment", rate=600, per=60, burst=7),
        ]
    )
    assert (found.limits.concurrency, found.limits.rate, found.limits.per) == (5, 600, 60)
    assert (found.burst, found.every) == (7, 100_000)
    assert found.by == {"concurrency": "file", "rate": "environment", "burst": "environment"}
    # Every window holds, whichever source decides the pace.
    assert set(found.windows) == {Window(count=80, micros=SECOND), Window(count=600, micros=60 * SECOND)}


def test_of_several_quotas_the_lowest_of_each_time_applies() -> None:
    """A thousand a day is less than a hundred an hour, and might all go out within one."""
    found = lowest(
        [
            Bound(source="vendor", quota=100, quota_per=QuotaPer.HOUR),
            Bound(source="file", quota=1000, quota_per=QuotaPer.DAY),
            Bound(source="environment", quota=2000, quota_per=QuotaPer.DAY),
            Bound(source="policy", quota=1500, quota_per=QuotaPer.DAY, quota_zone="Europe/Vienna"),
        ]
    )
    assert [(quota.count, quota.per, quota.zone, quota.source) for quota in found.quotas] == [
        (1000, QuotaPer.DAY, "UTC", "file"),
        (1500, QuotaPer.DAY, "Europe/Vienna", "policy"),
        (100, QuotaPer.HOUR, "UTC", "vendor"),
    ]


def test_a_rate_of_parts_is_counted_over_as_long_as_makes_it_whole() -> None:
    assert windows(2.5, 1) == (Window(count=5, micros=2 * SECOND), Window(count=3, micros=SECOND))
    assert windows(0.05, 1) == (Window(count=1, micros=20 * SECOND),)
    assert windows(90, 60) == (Window(count=90, micros=60 * SECOND),)


def test_who_lets_go_waits_for_none_that_has_arrived() -> None:
    """What has just been sent may be on its way still; a slow vendor's is taken to have arrived within a sixtieth."""
    arrivals, early, late = Arrivals(60 * SECOND), Start(0), Start(SECOND)
    arrivals.start(early)
    arrivals.start(late)
    assert arrivals.let_go(SECOND + 1) == [SECOND + 1]
    assert list(arrivals) == [late]
