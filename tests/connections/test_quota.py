"""Calendar times of quotas: every moment has one, they follow each other without a gap, and days are the zone's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.connections.quota import LARGEST_BLOCK, block, term
from hub.model.limits import QuotaPer

ZONES = ["UTC", "Europe/Vienna", "America/New_York", "Asia/Kolkata", "America/Sao_Paulo", "Asia/Beirut"]


@given(
    moment=st.datetimes(datetime(2015, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the bounds are naive by the strategy's own rule
    per=st.sampled_from(QuotaPer),
    zone=st.sampled_from(ZONES),
)
def test_every_moment_has_one_time_and_the_next_follows(moment: datetime, per: QuotaPer, zone: str) -> None:
    found = term(moment, per, zone)
    assert found.begins <= moment < found.ends
    assert term(found.begins, per, zone) == found
    assert term(found.ends - timedelta(microseconds=1), per, zone) == found
    assert term(found.ends, per, zone).begins == found.ends
    if per is not QuotaPer.HOUR:
        local = found.begins.astimezone(ZoneInfo(zone))
        # Where midnight does not exist, the day begins at the first moment that does.
        assert (local.hour, local.minute) in {(0, 0), (1, 0)}


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-07-01", 24)])
def test_days_with_a_change_of_the_clock_are_as_long_as_they_are(day: str, hours: int) -> None:
    noon = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    found = term(noon, QuotaPer.DAY, "Europe/Vienna")
    assert found.ends - found.begins == timedelta(hours=hours)


def test_blocks_are_small_and_end_with_the_quota() -> None:
    left, taken = 10_000, 0
    while left:
        size = block(left)
        assert 1 <= size <= min(LARGEST_BLOCK, left, 200)
        left, taken = left - size, taken + size
    assert taken == 10_000
