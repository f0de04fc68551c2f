"""No expression may grow without bound, take without end, or reach anything but its data."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager, suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import FixData
from hub.expressions.compiler import Context, compile
from hub.expressions.errors import EvaluationError, ExpressionError

#: Seconds of the processor, whoever else uses it: far above what any of these takes, far below what they would take
#: without budgets.
SECONDS = 20
HUGE = 10**5000
#: Audit events of files, imports, new code, network and processes.
OUTSIDE = {"open", "import", "exec", "compile", "socket", "subprocess", "os", "shutil", "ctypes", "glob"}


@pytest.mark.parametrize(
    "text",
    [
        "a" * 5000,
        "a." * 2000 + "a",
        "(" * 2000 + "a" + ")" * 2000,
        "!" * 3000 + "a",
        "[" * 1500 + "a" + "]" * 1500,
        "a[?" * 500 + "b" + "]" * 500,
        "{a: " * 300 + "b" + "}" * 300,
        "a[*]." * 300 + "b",
        "a" + "[]" * 1000,
        "a" + "[*]" * 40,
        "`" + "[" * 2000 + "]" * 2000 + "`",
        "`[" + "1," * 1000 + "1]`",
        "to_array(" * 200 + "a" + ")" * 200,
        "&" * 500 + "a",
        "a" + " || a" * 600,
    ],
)
def test_a_huge_expression_is_refused(text: str) -> None:
    error = failure(text)
    assert isinstance(error, ExpressionError)
    assert error.code in ("over-budget", "syntax")
    assert len(str(error)) < 10_000


def failure(text: str, value: Any = None) -> FixData | None:
    """Compile and evaluate, in bounded time of the processor; give what was refused, None when nothing was."""
    started = time.process_time()
    try:
        compile(text)(value)
    except FixData as error:
        return error
    finally:
        assert time.process_time() - started < SECONDS
    return None


def doubling(step: str, times: int) -> str:
    return " | ".join([step] * times)


@pytest.mark.parametrize(
    "text",
    [
        # Each of them doubles its value at every step.
        doubling("[@, @]", 60),
        doubling("[@, @][]", 60),
        doubling("{a: @, b: @}", 50),
        doubling("join('', [@, @])", 40),
        doubling("to_string([@, @])", 30),
        doubling("replace(@, 'a', 'aaaaaaaa')", 20),
        f"[{doubling('[@, @]', 40)}, {doubling('[@, @]', 40)}] | [0] == [1]",
        f"contains([{doubling('[@, @]', 40)}], {doubling('[@, @]', 40)})",
        f"to_string({doubling('[@, @]', 40)})",
        f"money_add({{minor: {doubling('[@, @]', 40)}, currency: 'EUR'}}, `{{}}`)",
        f"upper({doubling('[@, @]', 40)})",
    ],
)
def test_an_amplifier_is_stopped(text: str) -> None:
    error = failure(text, "a" * 8)
    assert error is not None
    assert error.code in ("over-budget", "invalid-type", "not-money", "not-minor-units")
    assert len(str(error)) < 10_000


@pytest.mark.parametrize(
    "text",
    [
        "n[].{all: root().n}",
        "n[].[root().n, root().n]",
        "n[*].root().n[]",
        "map(&root().n, n)[]",
        "n[?contains(root().n, `-1`)]",
        "n[?sum(root().n) < `0`]",
        "map(&sort(root().n), n)",
        "map(&to_string(root().n), n)",
        "map(&reverse(root().n), n)",
        "map(&root().n[1:], n) | [0]",
        "map(&upper(root().text), n)",
        "map(&hash(root().text), n)",
        "n[?root().text == root().other]",
        "map(&group_by(root().n, &@), n)",
        "map(&unique(root().n), n)",
        "map(&zip({a: root().n, b: root().n}), n)",
        "map(&split(root().text, 'x'), n)",
        "map(&pad_left('', `100000`, '0'), n)",
        "map(&items(root()), n)[].value[]",
        "map(&allocate({minor: `7`, currency: 'EUR'}, root().n), n)",
        "map(&from_items(root().n[].{key: 'a', value: @}), n)",
    ],
)
def test_work_for_each_pair_is_stopped(text: str) -> None:
    source = {"n": list(range(20_000)), "text": "x" * 100_000, "other": "x" * 99_999 + "y"}
    error = failure(text, source)
    assert isinstance(error, EvaluationError)
    assert error.code == "over-budget"


@pytest.mark.parametrize("text", ["unique(@)", "group_by(@, &@)", "group_by(@, &[@])", "unique([].{a: @})"])
def test_numbers_made_to_collide_take_no_longer(text: str) -> None:
    """Python gives all multiples of its hash's modulus the same hash, so that a set of them is searched one by one."""
    assert failure(text, [number * sys.hash_info.modulus for number in range(30_000)]) is None
    assert failure(text, [Decimal(number * sys.hash_info.modulus) for number in range(30_000)]) is None


@pytest.mark.parametrize(
    "text",
    [
        doubling("multiply(@, @)", 60),
        doubling("multiply(@, `1e300`)", 5),
        "multiply(`1e-390`, `1e-390`)",
        "add(`1e390`, `1e-390`)",
        "sum(`[1e390, 1e-390]`)",
    ],
)
def test_numbers_do_not_grow_without_end(text: str) -> None:
    with pytest.raises(FixData):
        compile(text)(Decimal("12345.678"))


@pytest.mark.parametrize(
    "number",
    [Decimal("1E+999999"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), HUGE],
    ids=["large", "nan", "signalling", "infinite", "long"],
)
@pytest.mark.parametrize(
    "text",
    [
        "ceil(@)",
        "floor(@)",
        "to_string(@)",
        "money(@, 'EUR')",
        "money_major(@, 'EUR')",
        "round(@, `2`, 'half_up')",
        "divide(@, `3`, `2`, 'half_up')",
        "multiply(@, `2`)",
        "date(@, 'UTC')",
        "to_decimal(@)",
    ],
)
def test_an_absurd_number_is_refused(text: str, number: Any) -> None:
    error = failure(text, number)
    # Money takes any whole number of units.
    assert (error is None) is (text == "money(@, 'EUR')" and number is HUGE)
    assert len(str(error)) < 10_000


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "eval('1')",
        "open('/etc/passwd')",
        "@.__class__",
        "__class__.__mro__",
        "root().__globals__",
        "''.__class__.__base__",
        '"__builtins__"',
        "keys(@).__self__",
        "meter.left",
        "v1 || value || context",
        "given('__class__', `null`)",
        "table('__class__', '__dict__', `null`)",
        "hash(@.__doc__)",
        "'); import os; ('",
        '"\\"); import os #"',
        "`\"'''\\n\\u0000\"`.a",
    ],
)
def test_nothing_but_data_is_reached(text: str, watched: AbstractContextManager[list[str]]) -> None:
    """No expression opens a file, imports, starts a process or makes code, whatever it names."""
    try:
        expression = compile(text)
    except ExpressionError:
        return
    source, result = {"a": 1}, None
    with watched as seen, suppress(FixData):
        result = expression(source, Context(root=source, tables={"__class__": {}}))
    assert seen == []
    assert result in (None, "); import os; (")


class _Watch:
    """Python's audit events of what reaches outside, while it is entered; a hook can never be taken off again."""

    def __init__(self) -> None:
        self.seen: list[str] | None = None
        sys.addaudithook(self._note)

    def __enter__(self) -> list[str]:
        self.seen = []
        return self.seen

    def __exit__(self, *_: object) -> None:
        self.seen = None

    def _note(self, event: str, _: object) -> None:
        if self.seen is not None and event.partition(".")[0] in OUTSIDE:
            self.seen.append(event)


@pytest.fixture(scope="module")
def watched() -> AbstractContextManager[list[str]]:
    return _Watch()


@settings(max_examples=120, deadline=None)
@given(text=st.text(alphabet="ab.*[]{}()|&!=<>?@,:`'\"\\01- \n", max_size=40) | st.text(max_size=20))
def test_any_text_compiles_or_is_refused(text: str) -> None:
    error = failure(text, {"a": [{"b": 1}, "b"], "b": {"a": "a"}})
    if error is not None:
        assert error.facts["expression"] == text
        assert 0 <= int(str(error.facts["position"])) <= len(text)
