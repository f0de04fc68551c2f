"""JSON from a stream: one value a line or over many lines, and what is wrong told with its line."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.cli.json_stream import read_values


def read(text: str) -> list[tuple[int, Any]]:
    found = read_values(line.encode() for line in text.splitlines(keepends=True))
    return [(each.line, each.problem if each.problem is not None else each.value) for each in found]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("\n  \n", []),
        ('{"a": 1}\n{"a": 1.10}', [(1, {"a": 1}), (2, {"a": Decimal("1.10")})]),
        ('\n{\n  "a": [\n    1\n  ]\n}\n{"b": 2}\n', [(2, {"a": [1]}), (7, {"b": 2})]),
        ('{\n  "a": 1\n}\n{\n  "b": 2\n}\n', [(1, {"a": 1}), (4, {"b": 2})]),
        ('[{"a": 1},\n {"a": 2}\n]\n', [(1, {"a": 1}), (1, {"a": 2})]),
        ('{"a": 1\n{"b": 2}\n', [(1, "This is not readable JSON: it ends too early."), (2, {"b": 2})]),
        ('5\n"x"\nnull\n', [(1, 5), (2, "x"), (3, None)]),
    ],
)
def test_values_with_their_lines(text: str, found: list[tuple[int, Any]]) -> None:
    assert read(text) == found


def test_a_broken_line_does_not_take_the_others_with_it() -> None:
    first, broken, last = read('{"a": 1}\n{"a": oops}\n{"a": 3}\n')
    assert (first, last) == ((1, {"a": 1}), (3, {"a": 3}))
    assert broken[0] == 2
    assert "not readable JSON" in broken[1]


_RECORDS = st.dictionaries(st.text(max_size=4), st.integers() | st.none() | st.lists(st.booleans()))


@given(records=st.lists(_RECORDS, max_size=5), indent=st.sampled_from([None, 1, 4]))
def test_what_is_written_is_read_again(records: list[dict[str, Any]], indent: int | None) -> None:
    text = "".join(f"{json.dumps(record, indent=indent)}\n" for record in records)
    assert [value for _, value in read(text)] == records


@given(st.binary(max_size=80))
def test_no_bytes_stop_it(content: bytes) -> None:
    for each in read_values(content.splitlines(keepends=True)):
        assert each.line >= 1
