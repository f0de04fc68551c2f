"""Laws that hold for any data: nothing is lost in parts, rounding is the decimal module's, calendars add up."""

from __future__ import annotations

import datetime as dt
import decimal
from calendar import monthrange
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.expressions import compile
from hub.model.currencies import EXPONENTS
from hub.model.money import Rounding

MODES = [mode for mode in Rounding if mode is not Rounding.EXACT]
MINOR = st.integers(-(10**15), 10**15)
WEIGHTS = st.lists(st.integers(0, 10**9) | st.decimals(0, 10**6, places=4), min_size=1, max_size=12).filter(any)
DATES = st.dates(dt.date(1900, 1, 1), dt.date(2200, 12, 31))
MONTHS = st.integers(-1200, 1200)
PERIODS = st.sampled_from(["week", "month", "quarter", "year"])
NUMBERS = st.decimals(-(10**12), 10**12, places=6)
KEYS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([Decimal("1.0"), Decimal(-2), "a", "1", ""])


def evaluate(text: str, **source: Any) -> Any:
    return compile(text)(source)


def money(minor: int) -> dict[str, Any]:
    return {"minor": minor, "currency": "EUR"}


@given(minor=MINOR, weights=WEIGHTS)
def test_what_is_allocated_sums_to_the_whole(minor: int, weights: list[Any]) -> None:
    parts = evaluate("allocate(a, w)[].minor", a=money(minor), w=weights)
    assert sum(parts) == minor
    assert len(parts) == len(weights)
    assert evaluate("money_sum(allocate(a, w))", a=money(minor), w=weights) == money(minor)


@given(minor=MINOR, weights=WEIGHTS)
def test_an_allocation_is_fair(minor: int, weights: list[Any]) -> None:
    """No part is a whole unit away from its share, more weight is never less money, and no weight is none."""
    parts = evaluate("allocate(a, w)[].minor", a=money(minor), w=weights)
    whole = sum(map(Fraction, weights))
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part - Fraction(minor) * Fraction(weight) / whole) < 1
        assert weight or part == 0
    ranked = sorted(zip(weights, map(abs, parts), strict=True), key=lambda pair: pair[0])
    for (lighter, less), (heavier, more) in pairwise(ranked):
        assert less <= more or lighter == heavier


@given(minor=MINOR, weights=WEIGHTS)
def test_an_allocation_mirrors_its_sign_and_is_the_same_each_time(minor: int, weights: list[Any]) -> None:
    parts = evaluate("allocate(a, w)[].minor", a=money(minor), w=weights)
    assert evaluate("allocate(money_negate(a), w)[].minor", a=money(minor), w=weights) == [-part for part in parts]
    assert evaluate("allocate(a, w)[].minor", a=money(minor), w=[2 * weight for weight in weights]) == parts


@pytest.mark.parametrize("mode", MODES)
@given(number=NUMBERS, digits=st.integers(0, 8))
def test_a_rounding_mode_is_what_the_decimal_module_calls_so(mode: Rounding, number: Decimal, digits: int) -> None:
    expected = number.quantize(Decimal(1).scaleb(-digits), getattr(decimal, f"ROUND_{mode.name}"), decimal.Context(60))
    rounded = evaluate(f"round(n, d, '{mode}')", n=number, d=digits)
    assert rounded == expected
    assert -rounded.as_tuple().exponent == digits


@pytest.mark.parametrize("mode", MODES)
@given(number=NUMBERS, currency=st.sampled_from(sorted(EXPONENTS)))
def test_money_is_rounded_as_numbers_are(mode: Rounding, number: Decimal, currency: str) -> None:
    digits = EXPONENTS[currency]
    expected = evaluate(f"round(n, d, '{mode}')", n=number, d=digits)
    assert evaluate(f"round_to_currency(n, c, '{mode}')", n=number, c=currency) == expected
    assert evaluate(f"to_major(to_minor(n, c, '{mode}'), c)", n=number, c=currency) == expected
    assert evaluate(f"major(money_major(n, c, '{mode}'))", n=number, c=currency) == expected


@pytest.mark.parametrize("mode", MODES)
@given(minor=MINOR, factor=st.decimals(-1000, 1000, places=5))
def test_a_product_is_rounded_once(mode: Rounding, minor: int, factor: Decimal) -> None:
    product = evaluate(f"money_multiply(a, f, '{mode}').minor", a=money(minor), f=factor)
    assert product == evaluate(f"round(multiply(m, f), `0`, '{mode}')", m=minor, f=factor)
    assert type(product) is int


@given(date=DATES, months=MONTHS)
def test_months_later_is_the_same_day_or_the_months_last(date: dt.date, months: int) -> None:
    later = dt.date.fromisoformat(evaluate("add_months(d, m)", d=date.isoformat(), m=months))
    assert (later.year - date.year) * 12 + later.month - date.month == months
    assert later.day == min(date.day, monthrange(later.year, later.month)[1])


@given(date=DATES, one=st.integers(-600, 600), other=st.integers(-600, 600))
def test_months_add_up_where_every_month_has_the_day(date: dt.date, one: int, other: int) -> None:
    day = date.replace(day=min(date.day, 28)).isoformat()
    assert evaluate("add_months(add_months(d, a), b)", d=day, a=one, b=other) == evaluate(
        "add_months(d, add(a, b))", d=day, a=one, b=other
    )


@given(date=DATES, days=st.integers(-40_000, 40_000))
def test_days_between_undoes_add_days(date: dt.date, days: int) -> None:
    assert evaluate("days_between(d, add_days(d, n))", d=date.isoformat(), n=days) == days


@given(date=DATES, period=PERIODS)
def test_periods_follow_each_other_without_a_gap(date: dt.date, period: str) -> None:
    """A date lies in its period, whose days all have its name, and the day after its end begins the next."""
    source = {"d": date.isoformat(), "p": period}
    start, end = evaluate("period_start(d, p)", **source), evaluate("period_end(d, p)", **source)
    assert start <= source["d"] <= end
    assert evaluate("add(days_between(s, e), `1`)", s=start, e=end) == evaluate("days_in(d, p)", **source)
    following = evaluate("add_days(e, `1`)", e=end)
    assert evaluate("period_start(f, p)", f=following, p=period) == following
    names = [evaluate("period(d, p)", d=one, p=period) for one in (source["d"], start, end, following)]
    assert names[0] == names[1] == names[2] < names[3]


@given(
    date=DATES,
    pattern=st.sampled_from(["yyyy-MM-dd", "dd.MM.yyyy", "M/d/yyyy", "yyyyMMdd", "d MMM yyyy", "MMMM d, yyyy"]),
)
def test_a_pattern_reads_what_it_writes(date: dt.date, pattern: str) -> None:
    written = evaluate("format_date(d, p)", d=date.isoformat(), p=pattern)
    assert evaluate("parse_date(t, p)", t=written, p=pattern) == date.isoformat()


@given(
    seconds=st.integers(0, 4 * 10**9), zone=st.sampled_from(["UTC", "Asia/Tokyo", "America/New_York", "Europe/Berlin"])
)
def test_seconds_survive_being_written(seconds: int, zone: str) -> None:
    assert evaluate("unix_seconds(datetime(s, z), 'UTC')", s=seconds, z=zone) == seconds
    text = evaluate("format_datetime(s, 'yyyy-MM-dd hh:mm:ss a', 'UTC')", s=seconds)
    assert evaluate("unix_seconds(parse_datetime(t, 'yyyy-MM-dd hh:mm:ss a', 'UTC'), 'UTC')", t=text) == seconds


@given(rows=st.lists(st.fixed_dictionaries({"key": KEYS, "amount": st.integers(-9, 9)}), max_size=12))
def test_groups_are_a_partition(rows: list[dict[str, Any]]) -> None:
    """Every element is in one group, in its order; keys are distinct; the groups' sums sum to the whole."""
    groups = evaluate("group_by(rows, &key)", rows=rows)
    assert sorted((row for group in groups for row in group["items"]), key=rows.index) == sorted(rows, key=rows.index)
    assert len(groups) == len(evaluate("unique(map(&key, rows))", rows=rows))
    assert [group["key"] for group in groups] == evaluate("unique(map(&key, rows))", rows=rows)
    for group in groups:
        same = [row for row in rows if evaluate("a == b", a=row["key"], b=group["key"])]
        assert group["items"] == same
    assert evaluate("sum(group_by(rows, &key)[].sum(items[].amount))", rows=rows) == sum(row["amount"] for row in rows)


@given(value=st.dictionaries(st.text(max_size=5), KEYS, max_size=6))
def test_entries_make_the_object_again(value: dict[str, Any]) -> None:
    assert evaluate("from_items(items(o)) == o", o=value) is True


@given(
    columns=st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(KEYS, min_size=n, max_size=n), min_size=2, max_size=2)
    )
)
def test_rows_are_columns_turned(columns: list[list[Any]]) -> None:
    rows = evaluate("zip({a: a, b: b})", a=columns[0], b=columns[1])
    assert [[row[name] for row in rows] for name in ("a", "b")] == columns


@given(parts=st.lists(st.text("ab,;", max_size=4), min_size=1, max_size=6), separator=st.sampled_from([",", ";", ",;"]))
def test_joining_undoes_splitting(parts: list[str], separator: str) -> None:
    text = separator.join(parts)
    assert evaluate("join(s, split(t, s))", t=text, s=separator) == text
