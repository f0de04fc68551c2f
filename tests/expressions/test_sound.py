"""What is inferred of an expression holds for everything that it ever gives."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import FixData
from hub.expressions.compiler import compile
from hub.expressions.functions.catalogue import FUNCTIONS
from hub.expressions.inference import FindingCode, infer
from hub.expressions.literals import literal_shape
from hub.expressions.unions import Unions, falsy, is_true, truthy
from hub.model.kinds import Kind, kind_of
from hub.schemas.shape import Shape
from tests.expressions.grammar import EXPRESSIONS, values

NUMBERS = st.integers(-2, 5) | st.sampled_from([Decimal("1.5"), Decimal("2.0")])
SOURCES = st.dictionaries(st.sampled_from(["a", "b", "c", "d-e"]), values(NUMBERS), min_size=1)


def misfit(value: Any, shape: Shape, path: str = "") -> str | None:
    """Say where a value is not as its shape says; None when it fits."""
    kind = kind_of(value)
    if kind not in shape.kinds:
        return f"{path}: {kind} not in {sorted(shape.kinds)}"
    if (
        shape.values is not None
        and kind is not Kind.NULL
        and not isinstance(value, list | dict)
        and value not in shape.values
    ):
        return f"{path}: {value!r} not in {shape.values!r}"
    if kind is Kind.NUMBER and shape.whole and value != int(value):
        return f"{path}: {value} is not whole"
    if kind is Kind.ARRAY and shape.items is not None:
        return next(filter(None, (misfit(part, shape.items, f"{path}[]") for part in value)), None)
    if isinstance(value, dict):
        if (missing := shape.required - value.keys()) and shape.fields:
            return f"{path}: {sorted(missing)} missing"
        for key, part in value.items():
            found = shape.fields.get(key, shape.rest)
            if found is None and shape.fields:
                return f"{path}.{key} is not declared"
            if found is not None and (wrong := misfit(part, found, f"{path}.{key}")):
                return wrong
    return None


def agree(text: str, sources: list[Any]) -> None:
    """Infer from the shape of all sources together, and evaluate on each."""
    expression = compile(text)
    shape = Unions()([literal_shape(source) for source in sources])
    found = infer(expression, shape).shape
    for source in sources:
        assert misfit(source, shape) is None
        try:
            result = expression(source)
        except FixData:
            continue
        assert misfit(result, found) is None, (text, result)


@settings(max_examples=100, deadline=None)
@given(text=EXPRESSIONS, sources=st.lists(SOURCES, min_size=1, max_size=3))
def test_a_result_fits_what_was_inferred(text: str, sources: list[Any]) -> None:
    try:
        compile(text)
    except FixData:
        return
    agree(text, sources)


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(sorted(FUNCTIONS)), data=st.data())
def test_what_a_function_gives_fits_what_was_inferred(name: str, data: st.DataObject) -> None:
    function = FUNCTIONS[name]
    texts = st.sampled_from(
        ["2025-01-31", "2025-01-31T12:00:00Z", "UTC", "EUR", "month", "week", "up", "dd.MM.yyyy", "12"]
    )
    money = st.builds(
        lambda minor, code: {"minor": minor, "currency": code}, st.integers(-9, 9), st.sampled_from(["EUR", "JPY"])
    )
    by_kind = {
        Kind.NULL: st.none(),
        Kind.BOOLEAN: st.booleans(),
        Kind.NUMBER: NUMBERS,
        Kind.STRING: texts,
        Kind.ARRAY: st.lists(NUMBERS, max_size=3)
        | st.lists(texts, max_size=3)
        | st.lists(money, max_size=3)
        | values(NUMBERS),
        Kind.OBJECT: money
        | st.dictionaries(texts, st.lists(NUMBERS, max_size=1))
        | st.dictionaries(texts, NUMBERS, max_size=2),
    }
    count = data.draw(st.integers(function.fewest, len(function.parameters)))
    sources = [
        {
            f"p{place}": data.draw(st.one_of([by_kind[kind] for kind in sorted(function.parameter(place).kinds)]))
            for place in range(count)
            if not function.parameter(place).reference
        }
        for _ in range(data.draw(st.integers(1, 3)))
    ]
    keys = st.sampled_from(["@", "minor", "[@]", "to_string(@)", "{a: @}"])
    words = [f"&{data.draw(keys)}" if one.reference else f"p{place}" for place, one in enumerate(function.parameters)]
    agree(f"{name}({', '.join(words[:count])})", sources)


@settings(max_examples=100, deadline=None)
@given(
    left=EXPRESSIONS,
    right=EXPRESSIONS,
    operator=st.sampled_from(["==", "!="]),
    sources=st.lists(SOURCES, min_size=1, max_size=2),
)
def test_what_is_never_true_never_is(left: str, right: str, operator: str, sources: list[Any]) -> None:
    text = f"({left}) {operator} ({right})"
    try:
        expression = compile(text)
    except FixData:
        return
    shape = Unions()([literal_shape(source) for source in sources])
    outcomes = {FindingCode.NEVER_TRUE: False, FindingCode.ALWAYS_TRUE: True}
    claimed = [
        outcomes[one.code] for one in infer(expression, shape).findings if one.position == 0 and one.code in outcomes
    ]
    for source in sources:
        with suppress(FixData):
            assert all(expression(source) is outcome for outcome in claimed)


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(sorted(FUNCTIONS)), data=st.data())
def test_an_argument_of_a_wrong_type_is_refused(name: str, data: st.DataObject) -> None:
    """What is reported as a wrong type fails, or is not looked at because something else is null."""
    function = FUNCTIONS[name]
    places = [place for place, one in enumerate(function.parameters) if not one.reference]
    source = {f"p{place}": data.draw(values(NUMBERS)) for place in places}
    words = [f"p{place}" if place in places else "&@" for place in range(len(function.parameters))]
    expression = compile(f"{name}({', '.join(words)})")
    if any(one.code is FindingCode.WRONG_TYPE for one in infer(expression, literal_shape(source)).findings):
        with suppress(FixData):
            assert expression(source) is None


@given(value=values(NUMBERS))
def test_truth_divides_a_shape(value: Any) -> None:
    shape = literal_shape(value)
    half, other = (truthy(shape), falsy(shape)) if is_true(value) else (falsy(shape), truthy(shape))
    assert misfit(value, half) is None
    assert isinstance(value, list | dict) or not other.kinds
