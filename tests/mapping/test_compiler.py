"""What is wrong with a mapping's document, all of it, each with its place."""

from __future__ import annotations

from typing import Any

import pytest

from hub.expressions.mistakes import InvalidDocument
from hub.mapping.compiler import compile_mapping

TABLES = {"terms": {"a": "b"}}
HEAD = {"mapping": "test/one", "version": 1, "from": "a@1", "to": "b@2", "fields": {"id": "id"}}


@pytest.mark.parametrize(
    ("change", "where", "position", "words"),
    [
        ({"version": 0}, ("version",), None, "whole number"),
        ({"version": True}, ("version",), None, "whole number"),
        ({"fields": ["id"]}, ("fields",), None, "keys with expressions"),
        ({"fields": {}}, ("fields",), None, "no fields"),
        ({"fields": {"a": 5}}, ("fields", "a"), None, "backquotes"),
        ({"fields": {"a": None}}, ("fields", "a"), None, "expression is expected"),
        ({"fields": {"a": {"b": "c"}}}, ("fields", "a"), None, "keys with `value`"),
        ({"fields": {"a": "b."}}, ("fields", "a"), 2, "ends too early"),
        ({"fields": {"a": "b && uper(c)"}}, ("fields", "a"), 5, "upper()"),
        ({"fields": {"a": "table('term', b)"}}, ("fields", "a"), 6, "`terms`"),
        ({"fields": {"a..b": "c"}}, ("fields", "a..b"), None, "empty part"),
        ({"fields": {"a": "b", "a.b": "c"}}, ("fields", "a.b"), None, "both a field and an object"),
        ({"fields": {"a.b": "c", "a": "b"}}, ("fields", "a"), None, "filled twice"),
        ({"given": "owner"}, ("given",), None, "list of names"),
        ({"given": ["owner"], "fields": {"a": "given('owne')"}}, ("fields", "a"), 6, "`owner`"),
        ({"lines": {"each": "x"}}, ("lines",), None, "neither `fields` nor"),
        ({"linse": "x"}, ("linse",), None, "unknown"),
        ({"lines": {"each": "x", "fields": {"a": "b"}, "wen": "c"}}, ("lines", "wen"), None, "unknown"),
        ({"lines": {"each": "x[", "fields": {"a": "b"}}}, ("lines", "each"), 2, "too early"),
        ({"lines": {"each": "x", "when": "=", "fields": {"a": "b"}}}, ("lines", "when"), 0, "=="),
        ({"lines": {"each": "x", "fields": {"a": "]"}}}, ("lines", "fields", "a"), 0, "cannot stand"),
        ({"id": {"each": "x", "fields": {"a": "b"}}}, ("id",), None, "filled twice"),
    ],
)
def test_one_mistake(change: dict[str, Any], where: tuple[str, ...], position: int | None, words: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        compile_mapping({**HEAD, **change}, TABLES)
    (mistake,) = caught.value.mistakes
    assert (mistake.where, mistake.position) == (where, position)
    assert words in mistake.detail
    assert "test/one" in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    document = {**HEAD, "version": "1", "fields": {"a": "(", "b": "nope()"}, "what": 1}
    with pytest.raises(InvalidDocument) as caught:
        compile_mapping(document, TABLES)
    assert [mistake.where for mistake in caught.value.mistakes] == [
        ("version",),
        ("fields", "a"),
        ("fields", "b"),
        ("what",),
    ]


def test_what_it_reads_and_fills() -> None:
    mapping = compile_mapping(
        {
            **HEAD,
            "given": ["owner"],
            "fields": {"total": "money(total, currency)", "owner.id": "given('owner')"},
            "lines": {
                "each": "lines.data",
                "when": "amount != `0`",
                "fields": {
                    "amount": "money(amount, root().currency)",
                    "taxes": {"each": "taxes[?rate]", "fields": {"rate": "rate"}},
                },
            },
        },
        TABLES,
    )
    assert (mapping.name, mapping.version, mapping.source, mapping.target) == ("test/one", 1, "a@1", "b@2")
    assert mapping.given == frozenset({"owner"})
    assert {target: set(paths) for target, paths in mapping.reads.items()} == {
        "total": {"total", "currency"},
        "owner.id": set(),
        "lines[]": {"lines.data", "lines.data[].amount"},
        "lines[].amount": {"lines.data[].amount", "currency"},
        "lines[].taxes[]": {"lines.data[].taxes[]", "lines.data[].taxes[].rate"},
        "lines[].taxes[].rate": {"lines.data[].taxes[].rate"},
    }
