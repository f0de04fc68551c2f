"""Date literals such as `THIS_QUARTER` or `LAST_N_DAYS:30`, in the user's time zone, which is UTC here."""

from __future__ import annotations

from datetime import date, timedelta

#: Literals without a number. Weeks begin on Sunday; fiscal years are calendar years.
_PLAIN = frozenset(
    "TODAY YESTERDAY TOMORROW LAST_WEEK THIS_WEEK NEXT_WEEK LAST_MONTH THIS_MONTH NEXT_MONTH LAST_90_DAYS NEXT_90_DAYS "
    "THIS_QUARTER LAST_QUARTER NEXT_QUARTER THIS_YEAR LAST_YEAR NEXT_YEAR THIS_FISCAL_QUARTER LAST_FISCAL_QUARTER "
    "NEXT_FISCAL_QUARTER THIS_FISCAL_YEAR LAST_FISCAL_YEAR NEXT_FISCAL_YEAR".split()
)
_UNITS = ("DAYS", "WEEKS", "MONTHS", "QUARTERS", "YEARS")
_COUNTED = frozenset(
    [f"{side}_N_{unit}" for side in ("LAST", "NEXT") for unit in _UNITS]
    + [f"{side}_N_FISCAL_{unit}" for side in ("LAST", "NEXT") for unit in ("QUARTERS", "YEARS")]
    + [f"N_{unit}_AGO" for unit in _UNITS]
)
_MOST = 10_000


def is_period(name: str) -> bool:
    """Tell whether a name in capitals is a date literal."""
    return name in _PLAIN or name in _COUNTED


def counts(name: str) -> bool:
    """Tell whether a date literal takes a number."""
    return name in _COUNTED


def days_of(name: str, count: int | None, today: date) -> tuple[date, date] | None:
    """Give the first day of a literal and the first day after it; None when that is no day of the calendar."""
    try:
        return _days_of(name.replace("FISCAL_", ""), min(count or 0, _MOST), today)
    except (OverflowError, ValueError):
        return None


def _days_of(name: str, count: int, today: date) -> tuple[date, date]:
    one = timedelta(days=1)
    if name == "TODAY":
        return today, today + one
    if name == "YESTERDAY":
        return today - one, today
    if name == "TOMORROW":
        return today + one, today + 2 * one
    if name in ("LAST_90_DAYS", "LAST_N_DAYS"):
        # The present day counts with the days before it.
        return today - timedelta(days=90 if name == "LAST_90_DAYS" else count), today + one
    if name in ("NEXT_90_DAYS", "NEXT_N_DAYS"):
        return today + one, today + timedelta(days=(90 if name == "NEXT_90_DAYS" else count) + 1)
    if name == "N_DAYS_AGO":
        return today - timedelta(days=count), today - timedelta(days=count - 1)
    unit = next(one for one in ("WEEK", "MONTH", "QUARTER", "YEAR") if one in name)
    if name.startswith("THIS_"):
        return _unit(unit, today, 0), _unit(unit, today, 1)
    if name.endswith("_AGO"):
        return _unit(unit, today, -count), _unit(unit, today, 1 - count)
    if name.startswith("LAST_"):
        return _unit(unit, today, -(count if "_N_" in name else 1)), _unit(unit, today, 0)
    return _unit(unit, today, 1), _unit(unit, today, 1 + (count if "_N_" in name else 1))


def _unit(unit: str, today: date, ahead: int) -> date:
    """Give the first day of the week, month, quarter or year so many ahead."""
    if unit == "WEEK":
        return today - timedelta(days=(today.weekday() + 1) % 7) + timedelta(weeks=ahead)
    months = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[unit]
    begin = (today.year * 12 + today.month - 1) // months * months + ahead * months
    return date(begin // 12, begin % 12 + 1, 1)
