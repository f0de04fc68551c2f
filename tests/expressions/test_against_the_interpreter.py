"""Random expressions on random data: compiled code and JMESPath's own interpreter must say the same."""

from __future__ import annotations

import re

import jmespath
from hypothesis import given, settings
from hypothesis import strategies as st
from jmespath.exceptions import JMESPathError, JMESPathTypeError

from hub.errors import FixData
from hub.expressions.budgets import Meter
from hub.expressions.compiler import compile
from hub.expressions.equality import equal
from hub.expressions.errors import ExpressionError
from tests.expressions.grammar import EXPRESSIONS, values

#: Where values are compared within lists, the interpreter takes 0 and 1 for false and true.
COMPARES = re.compile(r"==|!=|contains")
ANY_NUMBER = st.integers(-2, 5) | st.integers()
NEITHER_ZERO_NOR_ONE = st.integers(2, 5) | st.integers(min_value=6)


@settings(max_examples=160, deadline=None)
@given(text=EXPRESSIONS, data=st.data())
def test_compiled_and_interpreted_agree(text: str, data: st.DataObject) -> None:
    """Both give the same, or both refuse; what only can fail may be refused even where it is never evaluated."""
    value = data.draw(values(NEITHER_ZERO_NOR_ONE if COMPARES.search(text) else ANY_NUMBER))
    try:
        expected = jmespath.compile(text).search(value)
    except JMESPathTypeError:
        assert _refused(text, value) is not None
        return
    except (JMESPathError, TypeError, AttributeError, ValueError):
        # Syntax, and orders of unlike kinds, on which the interpreter breaks.
        return
    refused = _refused(text, value)
    if refused is None:
        assert equal(compile(text)(value), expected, Meter())
    else:
        assert isinstance(refused, ExpressionError)
        assert refused.code == "invalid-type"


def _refused(text: str, value: object) -> FixData | None:
    try:
        compile(text)(value)
    except FixData as error:
        return error
    return None
