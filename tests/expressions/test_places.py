"""An expression that fails says where, and on which data."""

from __future__ import annotations

from typing import Any

import pytest

from hub.errors import FixData, NotMapped
from hub.expressions.compiler import Context, compile
from hub.expressions.errors import EvaluationError

LINES = {"data": [{"amount": 1, "taxes": [{"rate": 1}]}, {"amount": "x", "taxes": [{"rate": 2}, {"rate": "y"}]}]}
SOURCE: dict[str, Any] = {"currency": "EUR", "lines": LINES, "name": 5}


@pytest.mark.parametrize(
    ("text", "position", "data"),
    [
        ("upper(name)", 0, "name"),
        ("  upper(name)", 2, "name"),
        ("id || upper(name)", 6, "name"),
        ("lines.data[].money(amount, 'EUR')", 13, "lines.data[1].amount"),
        ("lines.data[*].{m: money(amount, root().currency)}", 18, "lines.data[1].amount, currency"),
        ("lines.data[].taxes[].abs(rate)", 21, "lines.data[].taxes[].rate"),
        ("lines.data[].taxes[*].abs(rate)", 22, "lines.data[1].taxes[1].rate"),
        ("map(&abs(amount), lines.data)", 5, "lines.data[1].amount"),
        ("lines.data[?taxes].abs(amount)", 19, "lines.data[1].amount"),
        ("lines.data[1:].abs(amount)", 15, "lines.data[1].amount"),
        ("lines.data[1].abs(amount)", 14, "lines.data[1].amount"),
        ("sum(lines.data[].amount)", 0, None),
    ],
)
def test_the_place_of_a_failure(text: str, position: int, data: str | None) -> None:
    with pytest.raises(EvaluationError) as caught:
        compile(text)(SOURCE)
    facts = caught.value.facts
    assert (facts["expression"], facts["position"], facts.get("data")) == (text, position, data)


def test_a_missing_entry_has_its_place() -> None:
    with pytest.raises(NotMapped) as caught:
        compile("lines.data[].table('t', amount)")(SOURCE, Context(tables={"t": {"1": "one"}}))
    assert caught.value.facts == {
        "expression": "lines.data[].table('t', amount)",
        "position": 13,
        "data": "lines.data[1].amount",
        "table": "t",
        "key": "x",
    }


def test_what_nobody_foresaw_is_told_as_an_error_of_the_data() -> None:
    class Hostile(dict[str, Any]):
        def get(self, *_: object) -> Any:
            raise RuntimeError("boo")

    with pytest.raises(FixData, match="cannot be evaluated"):
        compile("a.b")(Hostile())
