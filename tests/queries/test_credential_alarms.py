"""Credentials that end, and secrets that are old: somebody is told in time, and not before."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from hub.queries.alarms import AlarmKind, of_credentials, of_secret

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ends", "word"),
    [
        (None, None),
        (date(2027, 6, 1), None),
        (date(2026, 12, 23), None),
        (date(2026, 12, 22), "end on"),
        (date(2026, 11, 23), "end on"),
        (date(2026, 11, 22), "ended on"),
        (date(2024, 2, 29), "ended on 2024-02-29"),
    ],
)
def test_credentials_are_told_of_a_month_before_their_end(ends: date | None, word: str | None) -> None:
    found = list(of_credentials("netsuite", ends, NOW))
    assert [(each.kind, each.subject) for each in found] == [(AlarmKind.CREDENTIALS_ENDING, "netsuite")] * bool(word)
    assert all(str(word) in each.detail and each.since <= NOW for each in found)


@pytest.mark.parametrize(("age", "alarms"), [(0, 0), (364, 0), (366, 1), (5000, 1)])
def test_a_secret_is_told_of_when_it_is_older_than_it_may_be(age: int, alarms: int) -> None:
    found = list(of_secret("stripe", NOW - timedelta(days=age), timedelta(days=365), NOW))
    assert [each.kind for each in found] == [AlarmKind.SECRET_OLD] * alarms
