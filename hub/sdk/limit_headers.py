"""What answers say of limits in their headers: how long to wait, and how much is left.

`Retry-After` is seconds or an HTTP date in one of its three forms (RFC 9110, section 5.6.7). `RateLimit` has three
forms in use: one structured field for each policy (`"burst";r=50;t=30`, of which those that count requests are read),
one of pairs (`limit=100, remaining=50, reset=5`), and three headers, with or without `X-`, whose reset is seconds from
now or a time since 1970, in seconds or milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache

#: A longer wait than this is no time that anybody means.
LONGEST = 366 * 86_400.0
#: A reset beyond this is a time since 1970, not seconds from now.
_EPOCH_BEGINS = 1_000_000_000
#: A reset beyond this is counted in milliseconds.
_MILLISECONDS_BEGIN = 100_000_000_000
_SECONDS = re.compile(r"[0-9]{1,18}(\.[0-9]{1,9})?")
_ITEM = re.compile(r'(?P<name>"[^"]*"|[^;,="\s]+)\s*(?P<parameters>(;\s*[a-z]+=[^;,]*)*)')
#: Of a policy that counts something else than requests.
_OTHER_UNIT = re.compile(r';\s*qu="(?!requests")')
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
#: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
_DATES = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        rf"[a-z]{{3}}, (?P<day>[0-9]{{2}}) (?P<month>[a-z]{{3}}) (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"[a-z]{{6,9}}, (?P<day>[0-9]{{2}})-(?P<month>[a-z]{{3}})-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"[a-z]{{3}} (?P<month>[a-z]{{3}}) (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)
#: A year of two digits is never further ahead than this.
_AHEAD = 50
_PAIR = re.compile(r"(?P<name>[a-z-]+)=(?P<value>[0-9]{1,15})(?=\s*[,;]|\s*$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one answer told of an account's limits; None: nothing.

    Of `limit` requests `remaining` are left until `resets_in` seconds from now: whoever keeps to that keeps to every
    rate that a vendor may mean. `used` of a quota of `quota` requests were used in its present time.
    """

    limit: int | None = None
    remaining: int | None = None
    resets_in: float | None = None
    used: int | None = None
    quota: int | None = None


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Give the seconds that `Retry-After` asks for; None for none, for what has passed, and for what cannot be read.

    A date is compared with the answer's own `Date`, so that clocks may differ, and with `now` where there is none.
    """
    text = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST) or None
    since = http_date(headers.get("date", ""), now) or now
    until = None if since is None else http_date(text, since)
    if until is None or since is None:
        return None
    seconds = (until - since).total_seconds()
    return min(seconds, LONGEST) if seconds > 0 else None


def seen_in_headers(headers: Mapping[str, str]) -> Seen | None:
    """Read the usual headers about limits; of several policies, the one of which the smallest share is left."""
    if not any("rate" in name for name in headers):
        return None
    found = [*_structured(headers), *filter(None, (_pairs(headers), _separate(headers)))]
    return min(found, key=_share_left) if found else None


def http_date(text: str, near: datetime | None = None) -> datetime | None:
    """Read a date of HTTP in any of its three forms, or as mail has it with a zone; None for anything else.

    A year of two digits is the one that is at most fifty years ahead of `near`.
    """
    text = text.strip()
    for form in _DATES:
        if (found := form.fullmatch(text)) is not None:
            return _moment(found, near)
    return _mailed(text)


def dated(headers: Mapping[str, str], now: datetime) -> Mapping[str, str]:
    """Give an answer's headers with a `Date`: its own, or when it was received, as RFC 9110 (6.6.1) wants it."""
    if _has_date(headers.get("date", "")):
        return headers
    return {**headers, "date": format_datetime(now.astimezone(UTC), usegmt=True)}


@lru_cache(64)
def _has_date(text: str) -> bool:
    # All answers of a second say the same.
    return http_date(text) is not None


def _moment(found: re.Match[str], near: datetime | None) -> datetime | None:
    month, year = found["month"].lower(), int(found["year"])
    if month not in _MONTHS:
        return None
    if len(found["year"]) == 2:
        latest = (1970 + 99 if near is None else near.year + _AHEAD) - year
        year += latest - latest % 100
    # A leap second is counted as the one after the last of its minute.
    second = int(found["second"])
    try:
        moment = datetime(
            year, _MONTHS.index(month) + 1, int(found["day"]), int(found["hour"]), int(found["minute"]), tzinfo=UTC
        )
        return moment + timedelta(seconds=second) if second <= 60 else None
    except (ValueError, OverflowError):
        return None


def _mailed(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else None


def _structured(headers: Mapping[str, str]) -> list[Seen]:
    told = headers.get("ratelimit-policy", "")
    policies, other = _items(told), _of_other_units(told)
    found = []
    for name, has in _items(headers.get("ratelimit", "")).items():
        said = policies.get(name, {})
        if "r" in has and name not in other:
            found.append(
                Seen(
                    limit=said.get("q"),
                    remaining=has["r"],
                    resets_in=float(has["t"]) if "t" in has else None,
                )
            )
    return found


def _of_other_units(text: str) -> set[str]:
    return {item["name"] for item in _ITEM.finditer(text[:2000]) if _OTHER_UNIT.search(item["parameters"])}


def _items(text: str) -> dict[str, dict[str, int]]:
    """Read a structured list of names with parameters, of which only whole numbers are kept."""
    found: dict[str, dict[str, int]] = {}
    for item in _ITEM.finditer(text[:2000]):
        parameters = (part.partition("=") for part in item["parameters"].split(";") if part.strip())
        found[item["name"]] = {
            name.strip(): int(value) for name, _, value in parameters if value.strip().isdecimal() and len(value) < 16
        }
    return found


def _pairs(headers: Mapping[str, str]) -> Seen | None:
    pairs = {pair["name"]: int(pair["value"]) for pair in _PAIR.finditer(headers.get("ratelimit", "")[:2000])}
    if "remaining" not in pairs:
        return None
    return Seen(limit=pairs.get("limit"), remaining=pairs["remaining"], resets_in=_reset(pairs.get("reset"), headers))


def _separate(headers: Mapping[str, str]) -> Seen | None:
    for prefix in ("ratelimit", "x-ratelimit", "x-rate-limit"):
        remaining = _whole(headers.get(f"{prefix}-remaining"))
        if remaining is not None:
            return Seen(
                limit=_whole(headers.get(f"{prefix}-limit")),
                remaining=remaining,
                resets_in=_reset(_number(headers.get(f"{prefix}-reset")), headers),
            )
    return None


def _reset(value: float | None, headers: Mapping[str, str]) -> float | None:
    if value is None or value < _EPOCH_BEGINS:
        return None if value is None else float(value)
    if value >= _MILLISECONDS_BEGIN:
        value /= 1000
    date = http_date(headers.get("date", ""))
    return None if date is None else max(value - date.timestamp(), 0.0)


def _number(text: str | None) -> float | None:
    """Read a time: whole seconds, or seconds with a fraction."""
    first = (text or "").partition(",")[0].partition(";")[0].strip()
    return float(first) if _SECONDS.fullmatch(first) else None


def _whole(text: str | None) -> int | None:
    """Read a count; of a list (`100, 100;w=60`) the first."""
    first = (text or "").partition(",")[0].partition(";")[0].strip()
    return int(first) if first.isascii() and first.isdecimal() and len(first) < 16 else None


def _share_left(seen: Seen) -> tuple[float, int]:
    remaining = seen.remaining or 0
    return (remaining / seen.limit if seen.limit else 1.0, remaining)
