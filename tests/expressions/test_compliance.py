"""The official JMESPath compliance suite, when a copy of it is at hand."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hub.errors import FixData
from hub.expressions.budgets import Meter
from hub.expressions.compiler import compile
from hub.expressions.equality import equal

SUITE = os.environ.get("CONCORD_JMESPATH_SUITE", "")

pytestmark = pytest.mark.skipif(not SUITE, reason="CONCORD_JMESPATH_SUITE names no folder with the suite")


def _cases() -> list[Any]:
    return (
        [
            pytest.param(group["given"], case, id=f"{path.stem}: {case['expression'][:60]}")
            for path in sorted(Path(SUITE).glob("*.json"))
            if path.stem != "benchmarks"
            for group in json.loads(path.read_text("utf-8"), parse_float=Decimal)
            for case in group["cases"]
        ]
        if SUITE
        else []
    )


@pytest.mark.parametrize(("given", "case"), _cases())
def test_case(given: Any, case: dict[str, Any]) -> None:
    """Each case gives its result, or an error of its kind."""
    if "error" in case:
        with pytest.raises(FixData) as caught:
            compile(case["expression"])(given)
        assert caught.value.code == case["error"]
    else:
        result = compile(case["expression"])(given)
        if "result" in case:
            assert equal(result, case["result"], Meter())
