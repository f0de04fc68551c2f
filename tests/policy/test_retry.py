"""When a failed attempt is made again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.expressions.mistakes import InvalidDocument
from hub.policy.compiler import compile_policy
from hub.policy.retry import RetryPolicy, delay

POLICY = RetryPolicy(attempts=5, first=1.0, factor=3.0, ceiling=10.0, jitter=0.5, longest=100.0)


@pytest.mark.parametrize(
    ("attempt", "draw", "asked", "seconds"),
    [
        (1, 0.0, None, 1.0),
        (2, 0.0, None, 3.0),
        (3, 0.0, None, 9.0),
        (4, 0.0, None, 10.0),
        (5, 0.0, None, None),
        (9, 0.0, 1.0, None),
        (2, 0.5, None, 2.25),
        (1, 0.0, 30.0, 30.0),
        (1, 0.9, 30.0, 30.0),
        (1, 0.0, 5000.0, 100.0),
        (3, 0.0, 2.0, 9.0),
        (1, 0.0, 0.0, 1.0),
        (1, 0.0, -5.0, 1.0),
    ],
)
def test_delay(attempt: int, draw: float, asked: float | None, seconds: float | None) -> None:
    assert delay(POLICY, attempt, draw, asked) == seconds


@given(
    attempt=st.integers(1, 1000),
    draw=st.floats(0, 1, exclude_max=True),
    asked=st.none() | st.floats(0, allow_infinity=True),
)
def test_a_wait_stays_in_its_bounds(attempt: int, draw: float, asked: float | None) -> None:
    policy = RetryPolicy(attempts=2000)
    seconds = delay(policy, attempt, draw, asked)
    assert seconds is not None
    assert policy.first * (1 - policy.jitter) <= seconds <= max(policy.ceiling, policy.longest)
    assert asked is None or seconds >= min(asked, policy.longest)


def test_a_document_is_read_with_defaults() -> None:
    document = {"policy": "erp", "kind": "retry", "attempts": 12, "first": Decimal("0.25"), "ceiling": 5}
    assert compile_policy(document, {}) == RetryPolicy(attempts=12, first=0.25, ceiling=5.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("attempts", 0),
        ("attempts", 2.5),
        ("attempts", True),
        ("first", 0),
        ("factor", Decimal("0.5")),
        ("jitter", Decimal("1.5")),
        ("ceiling", "1 minute"),
        ("longest", None),
        ("tries", 3),
    ],
)
def test_one_mistake(name: str, value: Any) -> None:
    with pytest.raises(InvalidDocument) as caught:
        compile_policy({"policy": "erp", "kind": "retry", name: value}, {})
    (mistake,) = caught.value.mistakes
    assert mistake.where == (name,)
