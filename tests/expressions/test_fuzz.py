"""Whatever is written in an expression's place is compiled, checked and evaluated, or refused: no crash, no hang."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.errors import FixData
from hub.expressions.compiler import compile
from hub.expressions.errors import ExpressionError
from hub.expressions.functions.catalogue import FUNCTIONS
from hub.expressions.inference import infer
from hub.schemas.shape import ANYTHING, shape_of
from tests.expressions.grammar import EXPRESSIONS, values

#: Far above what one example takes on a busy machine.
SECONDS = 10
SHAPE = shape_of(
    {
        "type": "object",
        "properties": {
            "a": {"type": ["array", "null"], "items": {"type": "object", "properties": {"b": {"type": "string"}}}},
            "b": {"type": "integer", "x-unit": "minor"},
            "c": {"enum": ["x", "y", None]},
            "d-e": {"type": "object", "additionalProperties": {"type": "string", "format": "date"}},
        },
        "required": ["b"],
    }
)
SIGNS = "ab.*[]{}()|&!=<>?@,:`'\"\\-+0123456789eE \n\t"
#: Words in which more of a text is right than in random characters.
WORDS = st.sampled_from(
    [
        *[f"{name}(" for name in FUNCTIONS], "a", "b", "c", '"d-e"', ".", "[", "]", "[]", "[*]", "[?", "[0]", "[::-1]",
        "{", "}", "a:", "(", ")", ",", "||", "|", "&&", "&", "!", "==", "!=", "<", ">=", "@", "*", "`1`", "`-1.5e3`",
        "`null`", "`[1]`", '`{"a": 1}`', "'x'", "''", "'UTC'", "'month'", "'half_up'", "'yyyy-MM-dd'", " ", "`", "'",
        '"', "\\", "\u2028", "\x00", "é", "🙂", "\ud800", "1", "-1", "99999999999999999999", "`1e99999`", "#", "=",
    ]
)  # fmt: skip
DATA: Any = {"a": [{"b": "2025-01-31"}, {"b": "y"}, None], "b": 7, "c": Decimal("1.5"), "d-e": {"a": "2025-01-31"}}


def survive(text: str, value: Any = DATA) -> None:
    """Compile, check and evaluate in bounded time; only what is refused in the hub's own words may fail."""
    started = time.monotonic()
    error = _failure(text, value)
    assert time.monotonic() - started < SECONDS
    if error is not None:
        assert error.facts["expression"] == text or text.startswith(str(error.facts["expression"]))
        assert 0 <= int(str(error.facts["position"])) <= len(text)
        assert error.detail
        assert len(str(error)) < 2 * len(text) + 1000


def _failure(text: str, value: Any) -> FixData | None:
    try:
        expression = compile(text)
    except ExpressionError as error:
        return error
    for shape in (SHAPE, ANYTHING):
        found = infer(expression, shape, given={"a": SHAPE}, tables={"x": {"x": "y"}})
        assert all(0 <= finding.position < len(text) and finding.detail for finding in found.findings)
    try:
        expression(value)
    except FixData as error:
        return error
    return None


@settings(max_examples=160, deadline=None)
@given(text=st.text(max_size=60) | st.text(alphabet=SIGNS, max_size=60) | st.binary(max_size=60).map(bytes.hex))
def test_random_characters(text: str) -> None:
    survive(text)


@settings(max_examples=160, deadline=None)
@given(words=st.lists(WORDS, max_size=25))
def test_random_words(words: list[str]) -> None:
    survive("".join(words))


@settings(max_examples=200, deadline=None)
@given(text=EXPRESSIONS, data=st.data())
def test_mutated_expressions(text: str, data: st.DataObject) -> None:
    """Characters are taken out, doubled, swapped for others, or put in."""
    survive(text)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        length = data.draw(st.integers(0, 3))
        text = text[:place] + data.draw(WORDS | st.just(text[place : place + 8])) + text[place + length :]
    survive(text)


@settings(max_examples=120, deadline=None)
@given(name=st.sampled_from(sorted(FUNCTIONS)), data=st.data())
def test_every_function_on_anything(name: str, data: st.DataObject) -> None:
    """Arguments of the right number and of any kind, as data and as literals."""
    parameters = FUNCTIONS[name].parameters
    numbers = st.integers() | st.decimals() | st.sampled_from([10**400, Decimal("1e-390"), Decimal("1e999999")])
    scalars = st.sampled_from(
        ["2025-01-31", "9999-12-31", "UTC", "EUR", "month", "half_up", "dd.MM.yyyy", "2025-01-01T00:00:00Z"]
    )
    money = st.builds(
        lambda minor, code: {"minor": minor, "currency": code}, numbers, st.sampled_from(["EUR", "x", "JPY"])
    )
    anything = st.one_of(
        values(st.integers()), numbers, scalars, money, st.lists(money | numbers | scalars, max_size=4)
    )
    source = {f"p{place}": data.draw(anything) for place in range(len(parameters))}
    source |= {"list": [*source.values()]}
    words = [
        f"&{data.draw(st.sampled_from(['@', 'a', 'minor', 'key']))}" if one.reference else f"p{place}"
        for place, one in enumerate(parameters)
    ]
    most = FUNCTIONS[name].most
    count = data.draw(st.integers(FUNCTIONS[name].fewest, len(parameters) if most is not None else 1))
    survive(f"{name}({', '.join(words[:count])})", source)
    survive(f"list[].{name}({', '.join(word.replace('p0', '@') for word in words[:count])})", source)


@settings(max_examples=20, deadline=None)
@given(
    opening=st.sampled_from(
        ["(", "[", "{a: ", "!", "a[?", "a.[", "to_array(", "map(&", "a || ", "a[].", "a | ", "`[", "-", "&"]
    ),
    middle=st.sampled_from(["a", "", "`1`", "@"]),
    closing=st.sampled_from([")", "]", "}", "", ", a)", "]`"]),
    times=st.integers(1, 5000),
)
@example(opening="map(&", middle="@", closing=", @)", times=15)
@example(opening="[@, ", middle="@", closing="]", times=31)
def test_deep_and_long_expressions(opening: str, middle: str, closing: str, times: int) -> None:
    survive(opening * times + middle + closing * times)


@settings(max_examples=20, deadline=None)
@given(
    digits=st.integers(1, 5000),
    sign=st.sampled_from(["", "-"]),
    tail=st.sampled_from(["", ".5", "e5", "e-500", "E+400", "e99999999999"]),
)
def test_huge_numbers(digits: int, sign: str, tail: str) -> None:
    number = sign + "9" * digits + tail
    for text in (
        f"`{number}`",
        f"a[{number}]",
        f"a[{number}:]",
        f"add(`{number}`, b)",
        f"to_number('{number}')",
        f"b < `{number}`",
    ):
        survive(text)


def test_a_check_of_types_does_not_grow() -> None:
    """Each step doubles what is to be described; the description is given up, not the time."""
    wide = shape_of({"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(400)}})
    for step in ("{a: @, b: [@]}", "[@, {a: @}]", "merge(@, {a: @})", "{a: *, b: @}", "[@, *]", "{a: values(@), b: @}"):
        text = " | ".join([step] * 30)
        started = time.monotonic()
        infer(compile(text), wide)
        assert time.monotonic() - started < SECONDS
