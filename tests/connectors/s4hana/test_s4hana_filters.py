"""Filters of both versions: whatever is written, it is worked out as Python would, or refused, and never breaks."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.s4hana.sandbox.edm.reading import service_of
from connectors.s4hana.sandbox.edm.values import NotAValue, from_v2, from_v4, to_v2, to_v4
from connectors.s4hana.sandbox.odata.errors import Refusal
from connectors.s4hana.sandbox.odata.expressions import compile_filter
from connectors.s4hana.sandbox.odata.literals import read_literal

THINGS = service_of(
    """service THINGS scenario NONE
set Things
  Number:S10a! Name:S40 Amount:N16.3 Flag:B Day:D At:Z7 Clock:T Guid:G
"""
).sets["Things"]
AT = datetime(2026, 1, 31, 10, 30, tzinfo=UTC)
ROW: Mapping[str, Any] = {
    "Number": "17",
    "Name": "O'Hara & Söhne",
    "Amount": Decimal("12.50"),
    "Flag": True,
    "Day": date(2026, 1, 31),
    "At": AT,
}


def holds(text: str, *, v4: bool = False, row: Mapping[str, Any] = ROW) -> bool:
    return compile_filter(text, THINGS, v4=v4)(row)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Name eq 'O''Hara & Söhne'", True),
        ("Number eq '0000000017' and Number eq '17'", True),
        ("Number lt '100' and Number gt '9'", True),
        ("Amount eq 12.5M and Amount eq 12.50 and Amount gt 12d", True),
        ("Flag", True),
        ("Flag eq true and not Flag eq false", True),
        ("not Flag or Flag", True),
        ("not (Flag and Flag)", False),
        ("Flag or Flag and not Flag", True),
        ("(Flag or Flag) and not Flag", False),
        ("Day eq datetime'2026-01-31T00:00:00' and Day lt datetime'2026-01-31T00:00:01'", True),
        ("Day le datetimeoffset'2026-01-31T00:00:00Z'", True),
        (
            "At gt datetimeoffset'2026-01-31T11:29:59+01:00' and At le datetimeoffset'2026-01-31T10:30:00.0000000Z'",
            True,
        ),
        ("At gt datetime'2026-01-31T10:29:59'", True),
        ("datetimeoffset'2026-01-31T10:00:00Z' lt At", True),
        ("Clock eq null and null eq Clock", True),
        ("Clock ne null", False),
        ("Clock lt time'PT10H'", False),
        ("Guid eq guid'00000000-0000-4000-8000-000000000000'", False),
        ("Amount add 1 mul 2 eq 14.5", True),
        ("(Amount add 1) mul 2 eq 27", True),
        ("Amount div 0 eq 1", False),
        ("-Amount lt -12", True),
        ("Amount mod 5 eq 2.5", True),
        ("length(Name) eq 14 and indexof(Name,'&') eq 7", True),
        ("substring(Name,2,4) eq 'Hara' and concat(Name,'x') ne Name", True),
        ("trim(toupper(concat(' ',Name))) eq 'O''HARA & SÖHNE'", True),
        ("substringof('Hara',Name) and startswith(Name,'O') and endswith(tolower(Name),'söhne') eq true", True),
        ("year(Day) eq 2026 and month(At) eq 1 and day(Day) eq 31", True),
    ],
)
def test_what_version_2_says(text: str, *, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("contains(Name,'Hara') and Number in ('16','0017')", True),
        ("Number in ('1')", False),
        ("Day eq 2026-01-31 and At gt 2026-01-31T11:29:59+01:00", True),
        ("date(At) eq Day and Clock eq null", True),
        ("Amount eq 12.5 and Amount in (1,12.50)", True),
        ("Guid eq abcdef01-0000-4000-8000-000000000000", False),
        ("Clock lt 10:30:00", False),
    ],
)
def test_what_version_4_says(text: str, *, expected: bool) -> None:
    assert holds(text, v4=True) is expected


@dataclass(frozen=True)
class Written:
    """A condition in both versions, and what Python makes of it."""

    v2: str
    v4: str
    truth: Callable[[Mapping[str, Any]], bool]


_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)
amounts = st.decimals(-1000, 1000, places=2)
days = st.dates(date(2000, 1, 1), date(2050, 1, 1))
moments = st.datetimes(datetime(2000, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def comparison(name: str, operator: str, value: Any) -> Written:
    if isinstance(value, str):
        quoted = "'" + value.replace("'", "''") + "'"
        v2 = v4 = f"{name} {operator} {quoted}"
    elif isinstance(value, Decimal):
        v2, v4 = f"{name} {operator} {value}M", f"{name} {operator} {value}"
    elif isinstance(value, datetime):
        text = value.isoformat().replace("+00:00", "Z")
        v2, v4 = f"{name} {operator} datetimeoffset'{text}'", f"{name} {operator} {text}"
    else:
        v2, v4 = f"{name} {operator} datetime'{value}T00:00:00'", f"{name} {operator} {value}"
    return Written(v2, v4, lambda row: _COMPARE[operator](row[name], value))


operators = st.sampled_from(sorted(_COMPARE))
leaves = st.one_of(
    st.builds(comparison, st.just("Name"), operators, texts),
    st.builds(comparison, st.just("Amount"), operators, amounts),
    st.builds(comparison, st.just("Day"), operators, days),
    st.builds(comparison, st.just("At"), operators, moments),
)


def joined(kind: str, left: Written, right: Written) -> Written:
    def truth(row: Mapping[str, Any]) -> bool:
        one, other = left.truth(row), right.truth(row)
        return (one and other) if kind == "and" else (one or other)

    return Written(f"({left.v2}) {kind} ({right.v2})", f"({left.v4}) {kind} ({right.v4})", truth)


def denied(inner: Written) -> Written:
    return Written(f"not ({inner.v2})", f"not ({inner.v4})", lambda row: not inner.truth(row))


conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(st.builds(joined, st.sampled_from(["and", "or"]), inner, inner), st.builds(denied, inner)),
    max_leaves=8,
)
rows = st.fixed_dictionaries({"Name": texts, "Amount": amounts, "Day": days, "At": moments})


@given(condition=conditions, row=rows)
@settings(max_examples=150, deadline=None)
def test_both_versions_work_out_what_python_does(condition: Written, row: Mapping[str, Any]) -> None:
    expected = condition.truth(row)
    assert holds(condition.v2, row=row) is expected
    assert holds(condition.v4, v4=True, row=row) is expected


_WORDS = [
    "Name",
    "Amount",
    "Day",
    "At",
    "Flag",
    "eq",
    "and",
    "or",
    "not",
    "in",
    "add",
    "div",
    "mod",
    "(",
    ")",
    ",",
    "-",
    "''",
]
_WORDS += [
    "1",
    "1.5M",
    "1e99",
    "null",
    "true",
    "'x'",
    "datetime'2026-01-31T00:00:00'",
    "2026-01-31",
    "length(",
    "substringof(",
    "x'1'",
]


@given(
    text=st.one_of(st.text(max_size=60), st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join)), v4=st.booleans()
)
@settings(max_examples=400, deadline=None)
def test_whatever_is_written_it_is_worked_out_or_refused(text: str, *, v4: bool) -> None:
    try:
        keep = compile_filter(text, THINGS, v4=v4)
    except Refusal:
        return
    assert keep(ROW) in (True, False)


def test_a_filter_nested_beyond_reason_is_refused() -> None:
    for text in ("(" * 5000 + "Flag" + ")" * 5000, "not " * 5000 + "Flag", "-" * 5000 + "1 eq 1"):
        with pytest.raises(Refusal, match="too deeply"):
            compile_filter(text, THINGS, v4=False)
    assert holds(" and ".join(["Flag"] * 3000)) is True
    assert holds(" or ".join(f"Number eq '{each}'" for each in range(3000))) is True
    with pytest.raises(Refusal, match="too deeply"):
        holds(" add ".join(["Amount"] * 3000) + " eq 1")


@given(row=rows)
@settings(max_examples=60, deadline=None)
def test_values_come_back_as_they_went_out(row: Mapping[str, Any]) -> None:
    for name, value in row.items():
        property_ = THINGS.properties[name]
        assert from_v4(property_, to_v4(property_, value)) == value
        assert from_v4(property_, to_v4(property_, value, as_text=True), as_text=True) == value
        # Milliseconds are all that JSON of v2 carries.
        kept = value.replace(microsecond=value.microsecond // 1000 * 1000) if isinstance(value, datetime) else value
        assert from_v2(property_, to_v2(property_, value)) == kept


FILE = os.environ.get("CONCORD_ODATA_ABNF")
#: Rules of the standard's grammar that are literals of properties that SAP's services have here.
_RULES = {"boolean", "booleanValue", "date", "dateTimeOffsetValue", "decimalValue", "guid", "timeOfDayValue"}
#: What the standard allows and no service here has: years beyond four digits, leap seconds, and numbers that are none.
_BEYOND = re.compile(r"-?0000-.*|-?\d{5,}-.*|-\d{4}-.*|-?INF|NaN|.*:60.*|24:00:00|tRUe|[01]|.*[%z].*")
_CASE = re.compile(r"Rule: (\S+)\n( +FailAt: \d+\n)? +Input: [\"']?([^'\"\n]*)[\"']?\n( +FailAt: )?")


@pytest.mark.skipif(not FILE, reason="CONCORD_ODATA_ABNF names no file with the standard's test cases")
def test_literals_are_those_of_the_standards_grammar() -> None:
    cases = _CASE.findall(Path(str(FILE)).read_text(encoding="utf-8"))
    chosen = [
        (text, bool(fails or failing))
        for rule, fails, text, failing in cases
        if rule in _RULES and not _BEYOND.fullmatch(text)
    ]
    assert len(chosen) > 15
    wrong = [(text, fails) for text, fails in chosen if is_literal(text) is fails]
    assert not wrong


def is_literal(text: str) -> bool:
    try:
        read_literal(text, v4=True)
    except NotAValue:
        return False
    return True
