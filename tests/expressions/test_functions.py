"""What each function gives, and what it refuses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.errors import FixData, NotMapped
from hub.expressions.compiler import Context, compile
from hub.expressions.errors import EvaluationError
from hub.expressions.functions.catalogue import FUNCTIONS

EUR = {"minor": 1234, "currency": "EUR"}
SOURCE: dict[str, Any] = {
    "none": None,
    "name": "  Ada ",
    "price": Decimal("12.50"),
    "count": 3,
    "list": [3, Decimal("1.5"), 2],
    "texts": ["b", "a"],
    "eur": EUR,
    "jpy": {"minor": 7, "currency": "JPY"},
    "yes": True,
    "at": 1_767_225_599,
}
TABLES = {"terms": {"send": "NET30", "7": "seven"}}


def evaluate(text: str) -> Any:
    return compile(text)(SOURCE, Context(root=SOURCE, given={"customer": "1001", "nothing": None}, tables=TABLES))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum(list)", Decimal("6.5")),
        ("sum(`[]`)", 0),
        ("sum(`[0.1, 0.2]`)", Decimal("0.3")),
        ("avg(list)", Decimal("2.166666666666666666666666666666667")),
        ("avg(`[1, 3]`)", 2),
        ("avg(`[]`)", None),
        ("max(list)", 3),
        ("min(list)", Decimal("1.5")),
        ("max(texts)", "b"),
        ("sort(list)", [Decimal("1.5"), 2, 3]),
        ("sort(texts)", ["a", "b"]),
        ("abs(`-1.50`)", Decimal("1.50")),
        ("ceil(`1.2`)", 2),
        ("floor(`-1.2`)", -2),
        ("to_number('1.10')", Decimal("1.10")),
        ("to_number('12')", 12),
        ("to_number('1_000')", None),
        ("to_number(' 1')", None),
        ("to_number('Infinity')", None),
        ("to_number(yes)", None),
        ("to_string(price)", "12.50"),
        ("to_string({a: [`1.0`, `true`, none], b: 'ü\"'})", '{"a":[1.0,true,null],"b":"ü\\""}'),
        ("type(price)", "number"),
        ("contains(list, `2.0`)", True),
        ("contains(`[1]`, yes)", False),
        ("contains('abc', `1`)", False),
        ("not_null(none, name)", "  Ada "),
        ("coalesce(none, count, table('no', 'x'))", 3),
        ("upper(name)", "  ADA "),
        ("lower('ÄB')", "äb"),
        ("trim(name)", "Ada"),
        ("replace('a-b-c', '-', '/')", "a/b/c"),
        ("substring('abcdef', `2`)", "cdef"),
        ("substring('abcdef', `2`, `3`)", "cde"),
        ("hash('')", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("add(`0.1`, `0.2`)", Decimal("0.3")),
        ("subtract(count, price)", Decimal("-9.50")),
        ("multiply(`1.10`, `3`)", Decimal("3.30")),
        ("divide(`1`, `3`, `4`, 'half_up')", Decimal("0.3333")),
        ("divide(`-1`, `8`, `2`, 'half_up')", Decimal("-0.13")),
        ("divide(`-1`, `8`, `2`, 'half_even')", Decimal("-0.12")),
        ("divide(`1`, `8`, `3`, 'exact')", Decimal("0.125")),
        ("round(`2.5`, `0`, 'half_even')", Decimal(2)),
        ("round(`2.5`, `0`, 'half_up')", Decimal(3)),
        ("to_decimal('-0012.50')", Decimal("-12.50")),
        ("to_decimal(count)", Decimal(3)),
        ("money(`1500`, 'jpy')", {"minor": 1500, "currency": "JPY"}),
        ("money(`1500.0`, 'Jpy')", {"minor": 1500, "currency": "JPY"}),
        ("money(none, 'EUR')", None),
        ("money_major('12.340', 'kwd')", {"minor": 12340, "currency": "KWD"}),
        ("money_major(`12.345`, 'EUR', 'half_up')", {"minor": 1235, "currency": "EUR"}),
        ("major(eur)", Decimal("12.34")),
        ("major(jpy)", Decimal(7)),
        ("format_amount({minor: `-5`, currency: 'KWD'})", "-0.005"),
        ("money_add(eur, eur).minor", 2468),
        ("money_subtract(eur, eur).minor", 0),
        ("money_negate(eur).minor", -1234),
        ("money_sum([eur, eur])", {"minor": 2468, "currency": "EUR"}),
        ("money_sum(`[]`)", None),
        ("money_sum(`[]`, 'eur')", {"minor": 0, "currency": "EUR"}),
        ("date(at, 'UTC')", "2025-12-31"),
        ("date(at, 'Asia/Tokyo')", "2026-01-01"),
        ("date('2026-01-01T00:30:00+09:00', 'UTC')", "2025-12-31"),
        ("date('2025-02-28', 'Asia/Tokyo')", "2025-02-28"),
        ("date(`-1`, 'UTC')", "1969-12-31"),
        ("datetime(at, 'UTC')", "2025-12-31T23:59:59Z"),
        ("datetime(at, 'Europe/Berlin')", "2026-01-01T00:59:59+01:00"),
        ("datetime('2025-06-01T12:00:00', 'Europe/Berlin')", "2025-06-01T12:00:00+02:00"),
        ("datetime(`0.25`, 'UTC')", "1970-01-01T00:00:00.250000Z"),
        ("add_days('2024-02-28', `2`)", "2024-03-01"),
        ("add_days('2024-01-01', `-1`)", "2023-12-31"),
        ("table('terms', 'send')", "NET30"),
        ("table('terms', `7`)", "seven"),
        ("table('terms', none, 'NET0')", "NET0"),
        ("table('terms', 'x', none)", None),
        ("table('terms', 'send', table('no', 'x'))", "NET30"),
        ("given('customer')", "1001"),
        ("given('nothing')", None),
        ("given('other', 'x')", "x"),
        ("list[].root().count", [3, 3, 3]),
    ],
)
def test_result(text: str, expected: Any) -> None:
    result = evaluate(text)
    assert result == expected
    assert str(result) == str(expected)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("sum(texts)", "invalid-type"),
        ("sort([count, name])", "invalid-type"),
        ("sort_by([eur, jpy], &[minor])", "invalid-type"),
        ("max_by([eur, jpy], &(minor > `10` && minor || currency))", "invalid-type"),
        ("upper(count)", "invalid-type"),
        ("abs(yes)", "invalid-type"),
        ("join(',', list)", "invalid-type"),
        ("replace('a', '', 'b')", "invalid-value"),
        ("substring('a', `-1`)", "invalid-value"),
        ("substring('a', `0.5`)", "invalid-value"),
        ("divide(`1`, `0.0`, `2`, 'half_up')", "invalid-value"),
        ("divide(`1`, `3`, `2`, 'exact')", "too-many-digits"),
        ("divide(`1`, `3`, `2`, 'bankers')", "invalid-value"),
        ("round(`1`, `31`, 'half_up')", "invalid-value"),
        ("to_decimal('1,000.00')", "not-a-number"),
        ("to_decimal('NaN')", "not-a-number"),
        ("to_decimal('')", "not-a-number"),
        ("to_decimal('1e9999')", "invalid-value"),
        ("money(`1.5`, 'EUR')", "not-minor-units"),
        ("money(`1`, 'XYZ')", "unknown-currency"),
        ("money(`1`, none)", "invalid-type"),
        ("money(yes, 'EUR')", "invalid-type"),
        ("money_major('12.345', 'EUR')", "too-many-digits"),
        ("money_major('1_0', 'EUR')", "not-a-number"),
        ("money_major(none, none)", None),
        ("major(`{}`)", "not-money"),
        ("major({minor: '1', currency: 'EUR'})", "not-minor-units"),
        ("money_add(eur, jpy)", "mixed-currencies"),
        ("money_sum([eur, jpy])", "mixed-currencies"),
        ("money_sum([eur], 'JPY')", "mixed-currencies"),
        ("money_sum(list)", "not-money"),
        ("money_add(eur, none)", "invalid-type"),
        ("date('yesterday', 'UTC')", "invalid-value"),
        ("date('2025-02-30', 'UTC')", "invalid-value"),
        ("date(`1767225599000`, 'UTC')", "invalid-value"),
        ("date(at, 'Mars/Olympus')", "invalid-value"),
        ("date(at, '../../etc/passwd')", "invalid-value"),
        ("add_days('2025-1-1', `1`)", "invalid-value"),
        ("add_days('9999-12-31', `1`)", "invalid-value"),
        ("table('term', 'send')", "unknown-table"),
        ("table('terms', 'x')", "not-in-table"),
        ("table('terms', none)", "not-in-table"),
        ("given('other')", "not-given"),
    ],
)
def test_refusal(text: str, code: str | None) -> None:
    if code is None:
        assert evaluate(text) is None
        return
    with pytest.raises(FixData) as caught:
        evaluate(text)
    assert caught.value.code == code


def test_a_missing_entry_names_table_and_key() -> None:
    with pytest.raises(NotMapped) as caught:
        evaluate("table('terms', name)")
    assert caught.value.facts["table"] == "terms"
    assert caught.value.facts["key"] == "  Ada "


def test_a_float_is_no_number() -> None:
    with pytest.raises(EvaluationError, match="not float"):
        compile("abs(@)")(1.5)
    with pytest.raises(EvaluationError, match="float"):
        compile("type(@)")(1.5)


def test_every_function_says_what_it_does() -> None:
    for name, function in FUNCTIONS.items():
        assert function.text.startswith(f"{name}(")
        assert function.summary.endswith(".")
