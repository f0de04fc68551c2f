"""What an expression may say, and what is said about one that is wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.expressions.compiler import compile
from hub.expressions.errors import ExpressionError

INVOICE: dict[str, Any] = {
    "id": "in_1",
    "total": 0,
    "empty": "",
    "none": None,
    "off": False,
    "address": {"city": "Kiel", "geo-code": [54, 10]},
    "lines": [
        {"sku": "a", "amount": 5, "tags": ["x", "y"]},
        {"sku": "b", "amount": 7},
        {"sku": "c", "amount": None, "tags": ["z"]},
    ],
    "rates": {"eur": 1, "usd": None, "jpy": 3},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("address.city", "Kiel"),
        ("address.city.street", None),
        ('address."geo-code"[1]', 10),
        ("lines[-1].sku", "c"),
        ("lines[7]", None),
        ("id[0]", None),
        ("lines[].amount", [5, 7]),
        ("lines[*].tags", [["x", "y"], ["z"]]),
        ("lines[*].tags[]", ["x", "y", "z"]),
        ("lines[*].tags[0]", ["x", "z"]),
        ("lines[*].tags | [0]", ["x", "y"]),
        ("lines[::-1].sku", ["c", "b", "a"]),
        ("lines[1:].sku", ["b", "c"]),
        ("lines[?amount > `5`].sku", ["b"]),
        ("lines[?tags].sku | [0]", "a"),
        ("rates.*", [1, 3]),
        ("none[*]", None),
        ("none.[a]", None),
        ("{a: id, b: address.{c: city}}", {"a": "in_1", "b": {"c": "Kiel"}}),
        ("lines[].[sku, amount]", [["a", 5], ["b", 7], ["c", None]]),
        ("total || id", 0),
        ("empty || off || id", "in_1"),
        ("total && id", "in_1"),
        ("empty && id", ""),
        ("!total", False),
        ("!empty", True),
        ("none == `null`", True),
        ("total == off", False),
        ("total == `0.00`", True),
        ("off == `0`", False),
        ("[total] == [off]", False),
        ("id < 'in_2'", True),
        ("id < `5`", None),
        ("none < `5`", None),
        ("'it\\'s'", "it's"),
        ('`"\\u00e9"`', "é"),
        ("@.id | @", "in_1"),
    ],
)
def test_reading(text: str, expected: Any) -> None:
    result = compile(text)(INVOICE)
    assert result == expected
    assert isinstance(result, bool) is isinstance(expected, bool)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("`1.10`", "1.10"), ("`0.1`", "0.1"), ("`1e2`", "1E+2"), ("`9007199254740993`", "9007199254740993")],
)
def test_numbers_keep_their_digits(text: str, expected: str) -> None:
    value = compile(text)(None)
    assert isinstance(value, int | Decimal)
    assert str(value) == expected


def test_a_literal_is_made_anew_each_time() -> None:
    expression = compile('`{"lines": [1]}`')
    expression(None)["lines"].append(2)
    assert expression(None) == {"lines": [1]}


@pytest.mark.parametrize(
    ("text", "position", "code", "words"),
    [
        ("", 0, "syntax", "empty"),
        ("  ", 0, "syntax", "empty"),
        ("a.", 2, "syntax", "ends too early"),
        ("a = 'b'", 2, "syntax", "=="),
        ("a == 5", 5, "syntax", "backquotes"),
        ("a[?b == 'x'", 11, "syntax", "ends too early"),
        ("a + b", 2, "syntax", "add(a, b)"),
        ("a - b", 2, "syntax", "subtract(a, b)"),
        ("a * b", 2, "syntax", "multiply(a, b)"),
        ("a / b", 2, "syntax", "divide(a, b, digits, rounding)"),
        ("a ? b : c", 2, "syntax", "condition && this || that"),
        ("a and b", 2, "syntax", "write `&&`"),
        ("a or b", 2, "syntax", "write `||`"),
        ("not a", 4, "syntax", "write `!`"),
        ("a if b", 2, "syntax", "condition && this || that"),
        ("$.a", 0, "syntax", "root()"),
        ("concat(a, b)", 0, "unknown-function", "join('', [a, b])"),
        ("a # b", 2, "syntax", "means nothing"),
        ("'open", 0, "syntax", "closing"),
        ("x || `open", 5, "syntax", "closing"),
        ("a == `EUR`", 5, "syntax", "'like this'"),
        ("`NaN`", 0, "syntax", "JSON"),
        ("`1e999`", 0, "syntax", "JSON"),
        ("a b", 2, "syntax", "'b' cannot stand"),
        ("join(',' a)", 9, "syntax", "'a' cannot stand"),
        ("join(',', a,)", 12, "syntax", "cannot stand"),
        ("{a: b c: d}", 6, "syntax", "cannot stand"),
        ("{a: b,}", 6, "syntax", "cannot stand"),
        ("a[1 2]", 4, "syntax", "cannot stand"),
        ("a[:1 2]", 5, "syntax", "cannot stand"),
        ("a[::0]", 2, "invalid-value", "steps of 0"),
        ("(upper)(a)", 6, "syntax", "function's name"),
        ('b || "upper"(a)', 5, "syntax", "without quotes"),
        ("a || &b", 5, "syntax", "argument of a function"),
        ("&a", 0, "syntax", "argument of a function"),
        ("a.uper(b)", 2, "unknown-function", "upper()"),
        ("x[].nothing_like_it(@)", 4, "unknown-function", "no function"),
        ("money(total)", 0, "invalid-arity", "money(minor: minor|null, currency: currency)"),
        ("root(a)", 0, "invalid-arity", "root()"),
        ("lines[].upper(`5`)", 14, "invalid-type", "string"),
        ("sort_by(lines, amount)", 15, "invalid-type", "`&`"),
        ("upper(&a)", 6, "invalid-type", "not an `&expression`"),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, position: int, code: str, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile(text)
    assert (caught.value.code, caught.value.position) == (code, position)
    assert words in caught.value.detail


def test_the_same_text_is_compiled_once() -> None:
    assert compile("a.b") is compile("a.b")


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("id", ("id",)),
        ("@", ("@",)),
        ("`1`", ()),
        ("lines.data[].amount", ("lines.data[].amount",)),
        ("lines[0].amount", ("lines[].amount",)),
        ("lines[1:].amount", ("lines[].amount",)),
        ("lines[?type == 'fee'].amount", ("lines[].type", "lines[].amount")),
        ("sum(lines[].amount)", ("lines[].amount",)),
        ("a.b || a.c", ("a.b", "a.c")),
        ("(a || b).c", ("a.c", "b.c")),
        ("address.*", ("address.*",)),
        ('a."x-y".b', ('a."x-y".b',)),
        ("{x: a, y: b}.x", ("a",)),
        ("{x: a, y: b}", ("a", "b")),
        ("[a, b][]", ("a", "b")),
        ("sort_by(lines, &at)[].id", ("lines[].at", "lines[].id")),
        ("map(&amount, lines)", ("lines[].amount",)),
        ("max_by(lines, &amount).sku", ("lines[].amount", "lines[].sku")),
        ("lines[].money(amount, root().currency)", ("lines[].amount", "currency")),
        ("table('terms', method, 'x')", ("method",)),
        ("given('customer')", ()),
        ("lines[?paid] | [0].amount", ("lines[].paid", "lines[].amount")),
        ("lines[?paid][].amount", ("lines[].paid", "lines[].amount")),
        ("lines[].taxes[].rate", ("lines[].taxes[].rate",)),
        ("(lines[*].taxes)[].rate", ("lines[].taxes[].rate",)),
        ("map(&taxes[0], lines)[].rate", ("lines[].taxes[].rate",)),
        ("(lines[?paid]).amount", ("lines[].paid",)),
        ("!paid && total > `0`", ("paid", "total")),
    ],
)
def test_the_paths_it_reads(text: str, paths: tuple[str, ...]) -> None:
    assert sorted(compile(text).paths) == sorted(paths)


def test_the_tables_and_given_values_it_names() -> None:
    expression = compile("table('terms', a, table('other', b)) || given('customer')")
    assert expression.tables == (("terms", 6), ("other", 24))
    assert expression.given == (("customer", 46),)
