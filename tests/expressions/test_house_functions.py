"""What mappings of the money path need beside JMESPath's own: periods, patterns, groups, currencies, allocation."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.errors import FixData
from hub.expressions import compile
from hub.expressions.errors import EvaluationError, ExpressionError
from hub.expressions.paths import element_origin, source_paths

SOURCE: dict[str, Any] = {
    "none": None,
    "day": "2024-01-31",
    "at": 1_767_225_599,
    "owed": {"minor": -1000, "currency": "EUR"},
    "dinars": {"minor": 10, "currency": "KWD"},
    "lines": [
        {"id": "a", "code": "X", "amount": 100, "net": {"minor": 100, "currency": "EUR"}},
        {"id": "b", "code": None, "amount": 50, "net": {"minor": 50, "currency": "EUR"}},
        {"id": "c", "code": "X", "amount": Decimal("7.5"), "net": {"minor": 8, "currency": "EUR"}},
    ],
    "meta": {"order": "7", "po": None},
    "bad": "bad",
    "huge": 10**300,
    "negative": [1, -1],
}


def evaluate(text: str) -> Any:
    return compile(text)(SOURCE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("add_months(day, `1`)", "2024-02-29"),
        ("add_months(day, `13`)", "2025-02-28"),
        ("add_months(day, `-2`)", "2023-11-30"),
        ("add_months(none, `1`)", None),
        ("days_between(day, '2024-03-01')", 30),
        ("days_between('2024-03-01', day)", -30),
        ("days_between(day, none)", None),
        ("days_in(day, 'week')", 7),
        ("days_in('2024-02-01', 'month')", 29),
        ("days_in(day, 'quarter')", 91),
        ("days_in(day, 'year')", 366),
        ("period(day, 'week')", "2024-W05"),
        ("period('2024-12-30', 'week')", "2025-W01"),
        ("period(day, 'month')", "2024-01"),
        ("period('2025-12-01', 'quarter')", "2025-Q4"),
        ("period(day, 'year')", "2024"),
        ("period_start(day, 'week')", "2024-01-29"),
        ("period_end(day, 'week')", "2024-02-04"),
        ("period_start('2024-06-15', 'quarter')", "2024-04-01"),
        ("period_end('2024-02-15', 'month')", "2024-02-29"),
        ("period_end(day, 'year')", "2024-12-31"),
        ("date_part(day, 'year')", 2024),
        ("date_part(day, 'quarter')", 1),
        ("date_part('2024-12-31', 'month')", 12),
        ("date_part('2024-12-31', 'week')", 1),
        ("date_part(day, 'day')", 31),
        ("date_part(day, 'weekday')", 3),
        ("date_part('2024-12-31', 'day_of_year')", 366),
        ("parse_date('31.12.2025', 'dd.MM.yyyy')", "2025-12-31"),
        ("parse_date('2/1/26', 'M/d/yy')", "2026-02-01"),
        ("parse_date('20251231', 'yyyyMMdd')", "2025-12-31"),
        ("parse_date('1 mar 2025', 'd MMM yyyy')", "2025-03-01"),
        ("parse_date(none, 'yyyy')", None),
        ("parse_datetime('12/31/2025 12:05 am', 'MM/dd/yyyy hh:mm a', 'UTC')", "2025-12-31T00:05:00Z"),
        ("parse_datetime('2025-07-01T12:30:59', 'yyyy-MM-ddTHH:mm:ss', 'Asia/Tokyo')", "2025-07-01T12:30:59+09:00"),
        ("parse_datetime('2025-10-26 02:30', 'yyyy-MM-dd HH:mm', 'Europe/Berlin')", "2025-10-26T02:30:00+02:00"),
        ("parse_datetime('2025-03-30 02:30', 'yyyy-MM-dd HH:mm', 'Europe/Berlin')", "2025-03-30T03:30:00+02:00"),
        ("datetime('2025-03-30T02:30:00', 'Europe/Berlin')", "2025-03-30T03:30:00+02:00"),
        ("datetime('2018-11-04', 'America/Sao_Paulo')", "2018-11-04T01:00:00-02:00"),
        ("datetime('2025-10-26T02:30:00', 'Europe/Berlin')", "2025-10-26T02:30:00+02:00"),
        ("format_datetime('2025-03-30T02:30:00', 'HH:mm', 'Europe/Berlin')", "03:30"),
        ("format_date(day, 'd MMMM yyyy')", "31 January 2024"),
        ("format_date('0099-01-02', 'M/d/yyyy')", "1/2/0099"),
        ("format_datetime(at, 'dd.MM.yyyy HH:mm', 'Europe/Berlin')", "01.01.2026 00:59"),
        ("format_datetime('2025-06-01T00:05:00Z', 'h:mm a', 'UTC')", "12:05 AM"),
        ("unix_seconds('2025-12-31T23:59:59.9Z', 'UTC')", 1_767_225_599),
        ("unix_seconds('2026-01-01', 'Europe/Berlin')", 1_767_222_000),
        ("unix_seconds('1969-12-31T23:59:59.5Z', 'UTC')", -1),
        ("group_by(lines, &code)[].{code: key, sum: sum(items[].amount)}", None),
        ("group_by(`[]`, &code)", []),
        ('group_by(`[1, 1.0, true, "1"]`, &@)[].length(items)', [2, 1, 1]),
        ('unique(`[1, 1.0, true, [1], [true], {"a": 1}, {"a": 1.0}, null]`) | length(@)', 6),
        ("items(meta)", [{"key": "order", "value": "7"}, {"key": "po", "value": None}]),
        ("items(none)", None),
        ("from_items(items(meta)) == meta", True),
        ("pick(meta, 'order')", "7"),
        ("pick(meta, 'po', 'never')", None),
        ("pick(meta, 'other', 'default')", "default"),
        ("pick(meta, none, 'default')", "default"),
        ("lines[].pick(from_items(root().lines[].{key: id, value: amount}), id) == lines[].amount", True),
        ("zip({line: lines, part: allocate(owed, lines[].amount)})[].[line.id, part.minor]", None),
        ("zip({a: `[]`, b: `[]`})", []),
        ("zip(`{}`)", []),
        ("split('a,,b', ',')", ["a", "", "b"]),
        ("split('', ',')", [""]),
        ("split(none, ',')", None),
        ("pad_left('7', `3`, '0')", "007"),
        ("pad_right('7', `3`, ' ')", "7  "),
        ("pad_left('1234', `3`, '0')", "1234"),
        ("hash('a', 'sha384') | length(@)", 96),
        ("hash('a') == hash('a', 'sha256')", True),
        ("money_multiply(owed, `0.1905`, 'half_even')", {"minor": -190, "currency": "EUR"}),
        ("money_multiply(owed, `0.1905`, 'half_up')", {"minor": -191, "currency": "EUR"}),
        ("money_multiply(none, `2`, 'exact')", None),
        ("allocate(dinars, `[1, 1, 1]`)[].minor", [4, 3, 3]),
        ("allocate(dinars, `[0, 2.5, 0]`)[].minor", [0, 10, 0]),
        ("allocate(owed, `[1, 2]`)[].minor", [-333, -667]),
        ("to_minor('12.345', 'kwd')", 12345),
        ("to_minor(`12.345`, 'EUR', 'ceiling')", 1235),
        ("to_minor(none, 'EUR')", None),
        ("to_major(`1234`, 'EUR')", Decimal("12.34")),
        ("to_major(`1234`, 'jpy')", Decimal(1234)),
        ("round_to_currency(`1.005`, 'EUR', 'half_even')", Decimal("1.00")),
        ("round_to_currency(`1.5`, 'JPY', 'down')", Decimal(1)),
    ],
)
def test_result(text: str, expected: Any) -> None:
    result = evaluate(text)
    if text.startswith("group_by(lines"):
        expected = [{"code": "X", "sum": Decimal("107.5")}, {"code": None, "sum": 50}]
    if text.startswith("zip({line"):
        expected = [["a", -635], ["b", -317], ["c", -48]]
    assert result == expected
    assert str(result) == str(expected)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("add_months(day, `0.5`)", "invalid-value"),
        ("add_months(day, huge)", "invalid-value"),
        ("add_months('0001-01-31', `-1`)", "invalid-value"),
        ("add_days('9999-12-31', huge)", "invalid-value"),
        ("period_start('0001-01-03T00:00:00Z', 'week')", "invalid-value"),
        ("period_end('9999-12-31', 'week')", "invalid-value"),
        ("period(day, bad)", "invalid-value"),
        ("date_part(day, bad)", "invalid-value"),
        ("parse_date('31.13.2025', 'dd.MM.yyyy')", "invalid-value"),
        ("parse_date('30.02.2025', 'dd.MM.yyyy')", "invalid-value"),
        ("parse_date('1.1.2025', 'dd.MM.yyyy')", "invalid-value"),
        ("parse_date('2025', 'yyyy')", "invalid-value"),
        ("parse_date('12', 'MM')", "invalid-value"),
        ("parse_date('١٢٣٤-01-01', 'yyyy-MM-dd')", "invalid-value"),
        ("parse_datetime('01/01/2025 13:00 PM', 'MM/dd/yyyy hh:mm a', 'UTC')", "invalid-value"),
        ("parse_datetime('01/01/2025 01', 'MM/dd/yyyy hh', 'UTC')", "invalid-value"),
        ("format_date(day, bad)", "invalid-value"),
        ("unix_seconds('yesterday', 'UTC')", "invalid-value"),
        ("from_items([{key: `1`}])", "invalid-value"),
        ("from_items(lines[].id)", "invalid-type"),
        ("pick(meta, 'other')", "no-such-key"),
        ("pick(meta, none)", "no-such-key"),
        ("pick(lines, 'a')", "invalid-type"),
        ("zip({a: lines, b: negative})", "unequal-lengths"),
        ("zip(meta)", "invalid-value"),
        ("split(bad, '')", "invalid-value"),
        ("pad_left(bad, `-1`, '0')", "invalid-value"),
        ("pad_left(bad, `9`, 'ab')", "invalid-value"),
        ("pad_left(bad, huge, 'a')", "over-budget"),
        ("hash(bad, bad)", "invalid-value"),
        ("money_multiply(owed, `0.0001`, 'exact')", "too-many-digits"),
        ("allocate(owed, `[]`)", "bad-weights"),
        ("allocate(owed, `[0, 0.0]`)", "bad-weights"),
        ("allocate(owed, negative)", "bad-weights"),
        ("allocate(owed, lines[].id)", "invalid-type"),
        ("to_minor('12.345', 'EUR')", "too-many-digits"),
        ("to_major(`1.5`, 'EUR')", "not-minor-units"),
        ("round_to_currency(huge, 'EUR', 'half_up')", "not-a-number"),
    ],
)
def test_refusal(text: str, code: str) -> None:
    with pytest.raises(FixData) as caught:
        evaluate(text)
    assert caught.value.code == code
    assert caught.value.facts["expression"] == text
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("period(day, 'fortnight')", 12, "week, month, quarter, year"),
        ("date(at, 'Mars/Olympus')", 9, "'Europe/Berlin'"),
        ("round(at, `2`, 'bankers')", 15, "half_even"),
        ("round(at, `31`, 'up')", 10, "from 0 to 30"),
        ("money(at, 'XYZ')", 10, "ISO 4217"),
        ("hash(bad, 'md5')", 10, "sha256"),
        ("date_part(day, 'hour')", 15, "day_of_year"),
        ("format_date(day, 'YYYY-MM')", 17, "`YYYY` stands for no part"),
        ("format_date(day, 'yyyy yyyy')", 17, "twice"),
        ("parse_date(bad, 'dMyyyy')", 16, "another character"),
    ],
)
def test_a_name_that_there_is_not_is_refused_when_compiling(text: str, position: int, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile(text)
    assert caught.value.position == position
    assert words in caught.value.detail


@pytest.mark.parametrize(
    ("text", "position", "data"),
    [
        ("lines[].period(id, 'month')", 8, "lines[0].id"),
        ("lines[].money_multiply(net, `0.33`, 'exact')", 8, "lines[1].net"),
        ("lines[*].{x: allocate(net, [amount, amount, `-1`])}", 13, "lines[0].net"),
        ("group_by(lines, &to_minor(id, 'EUR'))", 17, "lines[0].id"),
        ("zip({a: lines, b: negative})", 0, None),
        ("map(&parse_date(code || 'x', 'yyyy-MM-dd'), lines)", 5, None),
    ],
)
def test_a_failure_names_its_place_and_its_data(text: str, position: int, data: str | None) -> None:
    with pytest.raises(EvaluationError) as caught:
        evaluate(text)
    facts = caught.value.facts
    assert (facts["position"], facts.get("data")) == (position, data)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("group_by(lines, &code)[].{k: key, s: sum(items[].amount)}", {"lines[].code", "lines[].amount"}),
        ("zip({l: lines, p: parts})[].[l.id, p]", {"lines[].id", "parts[]"}),
        ("items(meta)[].value", {"meta.*"}),
        ("unique(lines)[].id", {"lines[].id"}),
        ("allocate(owed, lines[].amount)", {"owed", "lines[].amount"}),
    ],
)
def test_the_paths_it_reads(text: str, paths: set[str]) -> None:
    assert set(compile(text).paths) == paths


@pytest.mark.parametrize(
    ("each", "text", "paths"),
    [
        ("group_by(lines, &code)", "key", ("lines[].code",)),
        ("group_by(lines, &code)", "sum(items[].amount)", ("lines[].amount",)),
        ("zip({line: lines, part: allocate(owed, lines[].amount)})", "line.id", ("lines[].id",)),
        ("zip({line: lines, part: allocate(owed, lines[].amount)})", "part.minor", ("owed", "lines[].amount")),
        ("items(meta)", "upper(value)", ("meta.*",)),
        ("[{a: x, b: y}]", "a", ("x",)),
    ],
)
def test_what_an_element_is_made_of_is_known_where_it_is_read(each: str, text: str, paths: tuple[str, ...]) -> None:
    assert source_paths(compile(text).tree, at=element_origin(compile(each).tree)) == paths
