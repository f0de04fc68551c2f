"""What a flow expects: equal is equal to the cent, and nothing is equal to nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.engine.checks import check, same
from hub.errors import FixData
from hub.expressions.compiler import compile
from hub.model.flow import Equal, Same


class _Term:
    def __init__(self, text: str) -> None:
        self.text = text
        self._expression = compile(text)

    def __call__(self, scope: Any) -> Any:
        return self._expression(scope)


def _equal(left: str, right: str) -> Equal:
    return Equal(left=_Term(left), right=_Term(right), case="differs")


@pytest.mark.parametrize(
    ("left", "right", "agree"),
    [
        (1, Decimal("1.00"), True),
        (Decimal("0.1") + Decimal("0.2"), Decimal("0.3"), True),
        (True, 1, False),
        ("1", 1, False),
        ({"minor": 1, "currency": "EUR"}, {"minor": 1, "currency": "EUR"}, True),
        ({"minor": 1, "currency": "EUR"}, {"minor": 1, "currency": "USD"}, False),
        ([1, 2], [1, 2, 3], False),
    ],
)
def test_values_are_compared_exactly(left: Any, right: Any, agree: bool) -> None:  # noqa: FBT001 - a column of the table
    """Numbers by value, everything else by kind and content."""
    assert same(left, right) is agree


def test_a_difference_is_told_with_both_values() -> None:
    """People see at once what differs."""
    scope = {"a": {"minor": 1230, "currency": "EUR"}, "b": {"minor": 1231, "currency": "EUR"}}
    with pytest.raises(FixData, match=r"`a` is 12.30 EUR, `b` is 12.31 EUR") as told:
        check(_equal("a", "b"), scope, None)
    assert told.value.code == "differs"


def test_two_missing_values_do_not_agree() -> None:
    """A check that compares nothing with nothing would always hold."""
    with pytest.raises(FixData):
        check(_equal("a", "b"), {}, None)
    expected = Same(other=_Term("other"), fields=(("total", _Term("total")),), case="differs")
    with pytest.raises(FixData):
        check(expected, {"other": {}}, {})


def test_a_record_is_compared_line_by_line() -> None:
    """The first difference names its line."""
    expected = Same(other=_Term("other"), fields=(("lines[].amount", _Term("lines[].amount")),), case="differs")
    check(expected, {"other": {"lines": [{"amount": 1}, {"amount": 2}]}}, {"lines": [{"amount": 1}, {"amount": 2}]})
    with pytest.raises(FixData, match=r"lines\[\]\.amount \[1\]: 3, expected 2"):
        check(expected, {"other": {"lines": [{"amount": 1}, {"amount": 2}]}}, {"lines": [{"amount": 1}, {"amount": 3}]})
