"""Each difference from the `jmespath` package that the documentation lists, as both do it."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import jmespath
import pytest

from hub.expressions.compiler import compile
from hub.expressions.errors import ExpressionError

TEXT = Path(__file__).parents[2].joinpath("docs/expressions.md").read_text("utf-8")
ROW = re.compile(
    r"^\| `` (?P<expression>.+?) `` \| (`(?P<package>[^`]+)`|an error).* \| (`(?P<here>[^`]+)`|refused).* \|$",
    re.MULTILINE,
)
ROWS = [
    (row["expression"].replace("\\|", "|"), row["package"], row["here"])
    for row in ROW.finditer(TEXT[TEXT.index("## Where it differs") : TEXT.index("## Precision")])
]


def written(value: Any) -> str:
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def test_the_list_is_read() -> None:
    assert len(ROWS) == TEXT.count("\n| `` ") > 20


@pytest.mark.filterwarnings("ignore:deprecated string literal:PendingDeprecationWarning")
@pytest.mark.parametrize(("expression", "package", "here"), ROWS, ids=[row[0] for row in ROWS])
def test_a_difference_is_as_it_is_told(expression: str, package: str | None, here: str | None) -> None:
    if package is None:
        with pytest.raises(TypeError):
            jmespath.search(expression, None)
    else:
        assert written(jmespath.search(expression, None)) == package
    if here is None:
        with pytest.raises(ExpressionError):
            compile(expression)
    else:
        assert written(compile(expression)(None)) == here


def test_the_rounding_modes_round_as_it_is_told() -> None:
    table = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", TEXT, re.MULTILINE)
    assert len(table) == 8
    for mode, *cells in table:
        for number, cell in zip(("2.5", "-2.5", "2.4", "-2.4"), cells, strict=True):
            text = f"round(`{number}`, `0`, '{mode}')"
            if cell == "error":
                with pytest.raises(Exception, match="digits after the point"):
                    compile(text)(None)
            else:
                assert compile(text)(None) == int(cell)
