"""What differs between two versions, in words."""

from __future__ import annotations

from typing import Any

import pytest

from hub.schemas.changes import changes, fields, spoken
from hub.schemas.shape import shape_of

OLD: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The id."},
        "status": {"enum": ["open", "paid"]},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        "next": {"$ref": "#/$defs/node"},
    },
    "required": ["id"],
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
}


def edited(**properties: Any) -> dict[str, Any]:
    """Give the schema with properties set, or taken out for None."""
    held = {**OLD["properties"], **properties}
    return {**OLD, "properties": {name: part for name, part in held.items() if part is not None}}


DIFFERENCES = [
    ({**OLD, "title": "Another"}, []),
    ({**OLD, "required": []}, [("id", "changed", "optional now")]),
    (edited(id=None), [("id", "removed", "was string")]),
    (edited(due={"type": ["string", "null"], "format": "date"}), [("due", "added", "date or null, optional")]),
    (edited(id={"type": "integer", "x-unit": "minor"}), [("id", "changed", "string before, integer, minor now")]),
    (edited(status={"enum": ["open", "void"]}), [("status", "changed", "allows void now; no longer allows paid")]),
    (
        edited(lines={"type": "array", "items": {"type": "object", "properties": {"n": {"type": "number"}}}}),
        [("lines[].n", "changed", "integer before, number now")],
    ),
    (
        edited(
            lines={"type": ["array", "null"], "items": {"type": "object", "properties": {"n": {"type": "integer"}}}}
        ),
        [("lines", "changed", "list before, list or null now")],
    ),
]


@pytest.mark.parametrize(("new", "expected"), DIFFERENCES)
def test_each_difference_is_told_once(new: dict[str, Any], expected: list[tuple[str, str, str]]) -> None:
    assert [(one.path, one.kind, one.detail) for one in changes(OLD, new)] == expected


def test_fields_are_listed_with_their_meaning() -> None:
    listed = [(one.path, one.type, one.required) for one in fields(OLD)]
    assert listed == [
        ("id", "string", True),
        ("status", "one of open, paid", False),
        ("lines", "list of object", False),
        ("lines[].n", "integer", False),
        ("next", "object", False),
        ("next.next", "anything", False),
    ]
    assert fields(OLD)[0].description == "The id."


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "anything"),
        ({"type": ["number", "null"], "x-unit": "unix-seconds"}, "number, unix seconds or null"),
        ({"enum": [None, True, 1]}, "one of null, true, 1"),
        ({"enum": list("abcdefghij")}, "one of a, b, c, d, e, f, g, h, …"),
        ({"type": "array"}, "list"),
    ],
)
def test_a_shape_is_said_in_words(document: dict[str, Any], words: str) -> None:
    assert spoken(shape_of(document)) == words
