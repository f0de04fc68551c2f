"""Cron lines: what they say, and what is wrong with those that say nothing."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hub.model.cron import BadCron, read_cron

ALL_MINUTES = frozenset(range(60))


@pytest.mark.parametrize(
    ("line", "field", "values"),
    [
        ("* * * * *", "minutes", ALL_MINUTES),
        ("*/15 * * * *", "minutes", {0, 15, 30, 45}),
        ("5/20 * * * *", "minutes", {5, 25, 45}),
        ("0,30,59 * * * *", "minutes", {0, 30, 59}),
        ("0 8-18/5 * * *", "hours", {8, 13, 18}),
        ("0 0 1,15,28-31 * *", "days", {1, 15, 28, 29, 30, 31}),
        ("0 0 * jan,MAR-apr *", "months", {1, 3, 4}),
        ("0 0 * * 0", "weekdays", {0}),
        ("0 0 * * 7", "weekdays", {0}),
        ("0 0 * * 1-5", "weekdays", {1, 2, 3, 4, 5}),
        ("0 0 * * mon-fri", "weekdays", {1, 2, 3, 4, 5}),
        ("0 0 * * fri-sun", "weekdays", {5, 6, 0}),
        ("0 0 * * 5-7", "weekdays", {5, 6, 0}),
        ("0 0 * * sun", "weekdays", {0}),
        ("0 0 * * sun-sun", "weekdays", {0}),
        ("0 0 * * *", "weekdays", {0, 1, 2, 3, 4, 5, 6}),
        ("0 0 * * */2", "weekdays", {0, 2, 4, 6}),
    ],
)
def test_a_field_has_these_values(line: str, field: str, values: set[int]) -> None:
    """As in every cron: names, ranges, steps, lists, and Sunday as 0 and 7."""
    assert getattr(read_cron(line), field) == values


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("", "this one has 0"),
        ("0 6 * *", "this one has 4"),
        ("0 0 6 * * *", "this one has 6"),
        ("60 * * * *", "`60` is no minute; it is a number from 0 to 59."),
        ("* 24 * * *", "`24` is no hour"),
        ("* * 0 * *", "`0` is no day; it is a number from 1 to 31."),
        ("* * * 13 *", "`13` is no month"),
        ("* * * janu *", "`janu` is no month"),
        ("* * * * 8", "`8` is no day of the week"),
        ("*/0 * * * *", "`0` is no step of the minute"),
        ("*/ * * * *", "`` is no step of the minute"),
        ("5-1 * * * *", "`5-1` ends before it begins"),
        ("1,,2 * * * *", "`` is no minute"),
        ("-1 * * * *", "`` is no minute"),
        ("1.5 * * * *", "`1.5` is no minute"),
        ("\N{SUPERSCRIPT TWO} * * * *", "is no minute"),
        ("@daily", "this one has 1"),
    ],
)
def test_what_cannot_be_read_is_told(line: str, told: str) -> None:
    """The sentence names the part and what may stand there."""
    with pytest.raises(BadCron) as refused:
        read_cron(line)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("line", "never"),
    [
        ("0 0 30 2 *", True),
        ("0 0 31 2,4,6,9,11 *", True),
        ("0 0 29 2 *", False),
        ("0 0 30 2 mon", False),
        ("0 0 31 * *", False),
    ],
)
def test_a_day_that_never_comes_is_known(line: str, *, never: bool) -> None:
    """The 29th of February comes; with days of the week beside it, those count."""
    assert read_cron(line).never is never


def test_days_of_the_month_and_of_the_week_count_each_by_itself() -> None:
    """The 13th and every Friday, unless one of the two is any day."""
    both, friday = read_cron("0 0 13 * fri"), read_cron("0 0 * * fri")
    the_13th_a_monday, a_friday, neither = (
        datetime.fromisoformat(day) for day in ("2026-07-13", "2026-07-17", "2026-07-16")
    )
    assert [both.matches(day) for day in (the_13th_a_monday, a_friday, neither)] == [True, True, False]
    assert [friday.matches(day) for day in (the_13th_a_monday, a_friday, neither)] == [False, True, False]


@given(some.text(alphabet="0123456789*/,-jansu \t", max_size=30))
def test_anything_is_read_or_refused(line: str) -> None:
    """No other error comes out, and what is read has values in every field."""
    try:
        cron = read_cron(line)
    except BadCron:
        return
    assert all((cron.minutes, cron.hours, cron.days, cron.months, cron.weekdays))
    assert cron.minutes <= ALL_MINUTES
    assert cron.weekdays <= set(range(7))
