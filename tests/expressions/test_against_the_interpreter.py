"""Random expressions on random data: compiled code and JMESPath's own interpreter must say the same."""

from __future__ import annotations

from typing import Any

import jmespath
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError

from hub.expressions.budgets import Meter
from hub.expressions.compiler import compile
from hub.expressions.equality import equal
from hub.expressions.errors import ExpressionError

# No 0 and 1: within lists, the interpreter takes them for false and true.
KEYS = st.sampled_from(["a", "b", "c"])
SCALARS = st.none() | st.booleans() | st.integers(2, 5) | st.sampled_from(["", "a", "b", "xyz"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
LEAVES = st.one_of(
    KEYS,
    st.just("@"),
    st.sampled_from(["`2`", "`-3`", "`true`", "`false`", "`null`", "'a'", "''", "`[]`", "`{}`", '`[3, "a", [2]]`']),
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    one = st.sampled_from(
        [
            "({0}).a",
            "({0}).b.c",
            "({0})[0]",
            "({0})[-1]",
            "({0})[*].a",
            "({0})[].b",
            "({0})[][]",
            "({0}).*",
            "({0}).*.a",
            "({0})[1:]",
            "({0})[::-1].a",
            "!({0})",
            "({0}) | a",
            "({0}) | [0]",
            "[{0}, a]",
            "{{x: {0}, y: @}}",
            "({0}).[a, @]",
            "({0}).{{a: b, b: @}}",
            "type({0})",
            "length({0})",
            "not_null({0}, a)",
            "to_array({0})[0]",
            "keys({0})",
            "sum({0})",
            "sort({0})",
            "max({0})",
            "reverse({0})",
            "abs({0})",
            "({0})[*].[a, b][]",
        ]
    )
    two = st.sampled_from(
        [
            "({0}) || ({1})",
            "({0}) && ({1})",
            "({0}) == ({1})",
            "({0}) != ({1})",
            "({0}) < ({1})",
            "({0})[?{1}]",
            "({0})[?{1}].a",
            "({0})[?a == {1}] | [0]",
            "map(&({1}), {0})",
            "sort_by({0}, &({1}))",
            "max_by({0}, &({1}))",
            "[{0}, {1}, {0}]",
            "({0}) | ({1})",
            "contains({0}, {1})",
            "({0})[*].{{x: {1}, y: {1}}}",
            "starts_with({0}, {1})",
        ]
    )
    return st.builds(lambda shape, left: shape.format(left), one, inner) | st.builds(
        lambda shape, left, right: shape.format(left, right), two, inner, inner
    )


EXPRESSIONS = st.recursive(LEAVES, _grown, max_leaves=6)


@settings(max_examples=400, deadline=None)
@given(text=EXPRESSIONS, value=VALUES)
def test_compiled_and_interpreted_agree(text: str, value: Any) -> None:
    """Where the interpreter fails, compiled code may fail too, or give null for an order of unlike kinds."""
    try:
        expected = jmespath.compile(text).search(value)
    except (JMESPathError, TypeError, AttributeError, ValueError):
        return
    try:
        expression = compile(text)
    except ExpressionError:
        # What can only fail is refused when compiling, also where it would not have been evaluated.
        return
    assert equal(expression(value), expected, Meter())
