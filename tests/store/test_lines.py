"""Rows as lines for COPY: what does not belong into a column is told, and nothing of it is stored."""

from __future__ import annotations

from typing import Any

import pytest

from hub.store.arrays import Array, BigIntegers, Binaries, Booleans, Integers, Texts
from hub.store.lines import lines, numbered, texts


def test_a_line_has_what_all_rows_share_and_what_each_has_of_its_own() -> None:
    """What stands for nothing is no text, and what separates values stands in none."""
    columns: list[list[Any]] = [
        ["100%", "100%", "100%"],
        ["a\tb", None, "\\N"],
        [1, 1, 1],
        [-1, True, 2**63 - 1],
        [None, None, None],
        [True, 0, None],
        [b"\0\xff", b"", None],
    ]
    kinds: list[type[Array]] = [Texts, Texts, Integers, BigIntegers, Texts, Booleans, Binaries]
    assert lines(kinds, columns).decode().split("\n") == [
        "100%\ta\\tb\t1\t-1\t\\N\tt\t\\\\x00ff",
        "100%\t\\N\t1\t1\t\\N\tf\t\\\\x",
        "100%\t\\\\N\t1\t9223372036854775807\t\\N\t\\N\t\\N",
        "",
    ]


def test_a_number_that_comes_later_stands_before_its_line() -> None:
    """As if it had been there from the start."""
    kinds: list[type[Array]] = [Texts, Texts]
    columns: list[list[Any]] = [["ä\t%d", "b\\", "\uffff"], ["%s", "%s", "%s"]]
    assert numbered(range(7, 10), texts(kinds, columns)) == lines([BigIntegers, *kinds], [[7, 8, 9], *columns])


@pytest.mark.parametrize(
    ("kind", "values", "error"),
    [
        (Integers, [1, 2**31], OverflowError),
        (Integers, [-(2**31) - 1, 0], OverflowError),
        (BigIntegers, [2**63, 2**63], OverflowError),
        (BigIntegers, [0.5, 1.5], TypeError),
        (BigIntegers, [1.0, 1.0], TypeError),
        (Integers, ["1", "2"], TypeError),
        (Texts, ["a", 1], TypeError),
        (Texts, ["a", "\ud800"], UnicodeEncodeError),
    ],
)
def test_what_a_column_cannot_hold_is_told(kind: type[Array], values: list[Any], error: type[Exception]) -> None:
    """As it is told where the values go as an array."""
    with pytest.raises(error):
        lines([kind], [values])
    with pytest.raises(error):
        kind(values).packed()
