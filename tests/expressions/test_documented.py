"""The documentation tells of every function and every bound, in the code's own words."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.expressions import budgets
from hub.expressions.functions.catalogue import FUNCTIONS
from hub.expressions.functions.signature import Function

TEXT = Path(__file__).parents[2].joinpath("docs/expressions.md").read_text("utf-8")


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=list(FUNCTIONS))
def test_every_function_is_documented(function: Function) -> None:
    declared = function.text.replace("|", "\\|")
    assert f"| `{declared}` | {function.summary} |" in TEXT


@pytest.mark.parametrize(
    "bound",
    [
        budgets.MAX_LENGTH,
        budgets.MAX_NODES,
        budgets.MAX_DEPTH,
        budgets.MAX_LOOPS,
        budgets.EXPRESSION_STEPS,
        budgets.RECORD_STEPS,
        budgets.MAX_TEXT,
        budgets.MAX_RESULT,
        budgets.EXACT_DIGITS,
        budgets.AVERAGE_DIGITS,
    ],
)
def test_every_bound_is_documented(bound: int) -> None:
    assert f" {bound:,} " in TEXT.replace("\n", " ")
