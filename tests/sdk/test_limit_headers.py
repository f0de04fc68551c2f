"""Headers about limits in every form in use, and in forms nobody should use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.sdk.limit_headers import LONGEST, Seen, dated, http_date, retry_after, seen_in_headers

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3.0),
        (" 7 ", 7.0),
        ("1.5", 1.5),
        ("0", None),
        ("-5", None),
        ("1000000000", LONGEST),
        ("9" * 40, None),
        ("", None),
        ("soon", None),
        ("1e5", None),
        ("inf", None),
        ("١٢", None),
        ("Thu, 01 Jan 2026 00:00:10 GMT", 10.0),
        ("Thursday, 01-Jan-26 00:00:10 GMT", 10.0),
        ("Thu Jan  1 00:00:10 2026", 10.0),
        ("Thu, 01 Jan 2026 00:00:60 GMT", 60.0),
        ("Thu, 01 Jan 2026 01:00:10 +0100", 10.0),
        ("Thu Jan 32 00:00:10 2026", None),
        ("Wed, 31 Dec 2025 23:59:59 GMT", None),
        ("Thu, 99 Jan 2026 00:00:10 GMT", None),
    ],
)
def test_retry_after_in_every_form(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == seconds


def test_a_date_is_compared_with_the_vendors_own_clock() -> None:
    headers = {"retry-after": "Thu, 01 Jan 2026 00:00:10 GMT", "date": "Thu, 01 Jan 2026 00:00:04 GMT"}
    assert retry_after(headers, datetime(2030, 1, 1, tzinfo=UTC)) == 6.0
    assert retry_after({"retry-after": headers["retry-after"]}) is None


IMF, RFC_850, ASCTIME = "%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"
MOMENTS = st.integers(0, 7 * 10**9).map(lambda second: datetime.fromtimestamp(second, UTC))


@given(MOMENTS, st.sampled_from([IMF, RFC_850, ASCTIME]), st.integers(-3600 * 24 * 365 * 40, 3600 * 24 * 365 * 40))
def test_every_date_is_read_in_all_three_forms(moment: datetime, form: str, apart: int) -> None:
    """Two digits of a year tell which one it is, seen from a moment that is less than fifty years away."""
    assert http_date(moment.strftime(form), moment - timedelta(seconds=apart)) == moment


@given(MOMENTS, st.sampled_from([IMF, RFC_850, ASCTIME]), st.sampled_from([IMF, ASCTIME]), st.integers(-(10**6), 10**7))
def test_a_wish_counts_from_the_answer_in_whatever_form(moment: datetime, form: str, own: str, after: int) -> None:
    until = (moment + timedelta(seconds=after)).strftime(form)
    wanted = float(after) if after > 0 else None
    assert retry_after({"retry-after": until, "date": moment.strftime(own)}) == wanted
    assert retry_after(dated({"retry-after": until}, moment)) == wanted
    assert retry_after(dated({"retry-after": until, "date": "just now"}, moment)) == wanted


@given(st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2,8},? [0-9A-Za-z :,-]{0,30}( GMT)?", fullmatch=True))
def test_no_text_breaks_the_reading_of_dates(text: str) -> None:
    found = http_date(text, NOW)
    assert found is None or found.tzinfo is not None
    assert http_date(dated({"date": text}, NOW)["date"]) is not None


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        (
            {"ratelimit": '"default";r=50;t=30', "ratelimit-policy": '"default";q=100;w=60,"daily";q=1000;w=86400'},
            Seen(limit=100, remaining=50, resets_in=30.0),
        ),
        (
            {
                "ratelimit": '"burst";r=50;t=30, "daily";r=1;t=3000',
                "ratelimit-policy": '"burst";q=100;w=60, "daily";q=1000;w=86400',
            },
            Seen(limit=1000, remaining=1, resets_in=3000.0),
        ),
        ({"ratelimit": "limit=100, remaining=50, reset=5"}, Seen(limit=100, remaining=50, resets_in=5.0)),
        (
            {"ratelimit-limit": "100, 100;w=60", "ratelimit-remaining": "3", "ratelimit-reset": "7"},
            Seen(limit=100, remaining=3, resets_in=7.0),
        ),
        (
            {
                "x-ratelimit-limit": "100",
                "x-ratelimit-remaining": "3",
                "x-ratelimit-reset": "1767225610",
                "date": "Thu, 01 Jan 2026 00:00:00 GMT",
            },
            Seen(limit=100, remaining=3, resets_in=10.0),
        ),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": "1767225610"}, Seen(remaining=3)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "0.25"}, Seen(remaining=0, resets_in=0.25)),
        (
            {
                "x-ratelimit-remaining": "0",
                "x-ratelimit-reset": "1767225610000",
                "date": "Thu, 01 Jan 2026 00:00:00 GMT",
            },
            Seen(remaining=0, resets_in=10.0),
        ),
        (
            {
                "ratelimit": '"bytes";r=0;t=30, "calls";r=7;t=30',
                "ratelimit-policy": '"bytes";q=65535;qu="content-bytes";w=60, "calls";q=10;w=60;qu="requests"',
            },
            Seen(limit=10, remaining=7, resets_in=30.0),
        ),
        (
            {"ratelimit": '"bytes";r=0;t=30', "ratelimit-policy": '"bytes";w=60;qu="content-bytes"'},
            None,
        ),
        ({}, None),
        ({"x-ratelimit-remaining": "-1"}, None),
        ({"ratelimit": ';;=="'}, None),
    ],
)
def test_what_is_left_in_every_form(headers: dict[str, str], seen: Seen | None) -> None:
    assert seen_in_headers(headers) == seen


@given(
    st.dictionaries(
        st.sampled_from(
            ["retry-after", "date", "ratelimit", "ratelimit-policy", "x-ratelimit-remaining", "x-ratelimit-reset"]
        ),
        st.text(max_size=60) | st.from_regex(r'("[a-z]*"|[a-z]+)(;[a-z]=-?\d{0,20})*', fullmatch=True),
    )
)
def test_no_header_breaks_the_reading(headers: dict[str, str]) -> None:
    seconds, seen = retry_after(headers, NOW), seen_in_headers(headers)
    assert seconds is None or 0 < seconds <= LONGEST
    assert seen is None or seen.remaining is None or seen.remaining >= 0
