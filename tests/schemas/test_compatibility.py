"""What a change breaks: a table of changes, and the law that an unbroken promise holds for every record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from hub.schemas.compatibility import Direction, breaks, breaks_in, removed_fields
from hub.schemas.series import Mode
from tests.schemas.generated import changed, documents, judge, values_of

INVOICE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "status": {"enum": ["open", "paid"]},
        "due": {"type": ["string", "null"], "format": "date"},
        "total": {"$ref": "#/$defs/money"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        "closed": {"type": "object", "properties": {"x": {"type": "string"}}, "additionalProperties": False},
    },
    "required": ["id"],
    "$defs": {
        "money": {
            "type": "object",
            "properties": {"minor": {"type": "integer", "x-unit": "minor"}},
            "required": ["minor"],
        }
    },
}


def edited(path: str, value: Any) -> dict[str, Any]:
    """Give the invoice's schema with one place set, or taken out for None."""

    def at(node: Any, steps: list[str]) -> Any:
        if not steps:
            return value
        step, *rest = steps
        made = dict(node)
        if value is None and not rest:
            del made[step]
        else:
            made[step] = at(made.get(step, {}), rest)
        return made

    result: dict[str, Any] = at(INVOICE, path.split("/"))
    return result


#: what is set where → (path: kind) that breaks backward, and forward
CHANGES: list[tuple[str, Any, list[str], list[str]]] = [
    ("properties/note", {"type": "string"}, [], []),
    ("required", ["id", "status"], ["status: required"], []),
    ("required", [], [], ["id: required"]),
    ("properties/id", None, [], []),
    ("properties/id/type", "integer", ["id: type"], ["id: type"]),
    ("properties/id/type", ["string", "null"], [], ["id: type"]),
    ("properties/id/minLength", 1, ["id: bound"], []),
    ("properties/id/pattern", "^in_", ["id: bound"], []),
    ("properties/id/format", "date", ["id: format"], []),
    ("properties/status/enum", ["open", "paid", "void"], [], ["status: value"]),
    ("properties/status/enum", ["open"], ["status: value"], []),
    ("properties/status", {"type": "string"}, [], ["status: value"]),
    ("properties/due/format", "date-time", ["due: format"], ["due: format"]),
    ("properties/due/type", "string", ["due: type"], []),
    ("$defs/money/properties/minor/type", "number", [], ["total.minor: type"]),
    ("$defs/money/properties/minor/x-unit", "major", ["total.minor: unit"], ["total.minor: unit"]),
    ("$defs/money/required", [], [], ["total.minor: required"]),
    ("properties/lines/items/properties/n/type", "string", ["lines[].n: type"], ["lines[].n: type"]),
    ("properties/lines/minItems", 1, ["lines: bound"], []),
    ("properties/lines/items/required", ["n"], ["lines[].n: required"], []),
    ("properties/closed/properties/y", {"type": "string"}, [], ["closed.y: closed"]),
    ("properties/closed/additionalProperties", {"type": "string"}, [], ["closed: closed"]),
    ("additionalProperties", False, [": closed"], []),
    ("properties/id/not", {"const": "x"}, ["id: condition"], []),
    ("properties/id", {"anyOf": [{"type": "string"}, {"type": "null"}]}, [], ["id: type"]),
    ("properties/id", {"oneOf": [{"type": "string"}, {"type": "integer"}]}, [], ["id: type"]),
    ("properties/id", {"oneOf": [{"type": "string"}, {"minLength": 1}]}, ["id: alternatives"], ["id: type"]),
    ("properties/id", {"allOf": [{"type": "string"}, {"maxLength": 9}]}, ["id: bound"], []),
    ("properties/id/description", "The id.", [], []),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "backward", "forward"), CHANGES)
def test_a_change_breaks_what_it_breaks_and_nothing_else(
    path: str, value: Any, backward: list[str], forward: list[str]
) -> None:
    new = edited(path, value)
    for direction, expected in ((Direction.BACKWARD, backward), (Direction.FORWARD, forward)):
        found = breaks_in(INVOICE, new, direction)
        assert [f"{one.path}: {one.kind}" for one in found] == expected
        assert all(one.detail.endswith(".") and one.direction is direction for one in found)


NUMBER = {"type": "number"}
ONE_OF_TWO = {"anyOf": [{"$ref": "#/$defs/a"}, {"type": "null"}]}
NOT_A = {"not": {"$ref": "#/$defs/a"}}
#: what is written, what is read → the kinds of the gaps
PAIRS: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({**NUMBER, "minimum": 0}, {**NUMBER, "exclusiveMinimum": 0}, ["bound"]),
    ({**NUMBER, "exclusiveMinimum": 0}, {**NUMBER, "minimum": 0}, []),
    ({**NUMBER, "maximum": 0}, {**NUMBER, "exclusiveMaximum": 0}, ["bound"]),
    ({**NUMBER, "maximum": 5}, {**NUMBER, "maximum": 6}, []),
    ({"type": "integer", "minimum": 1}, {**NUMBER, "exclusiveMinimum": 0}, []),
    ({**NUMBER, "multipleOf": 4}, {**NUMBER, "multipleOf": 2}, []),
    ({**NUMBER, "multipleOf": 2}, {**NUMBER, "multipleOf": 4}, ["bound"]),
    ({"const": 3}, {**NUMBER, "maximum": 2}, ["bound"]),
    ({"enum": [1, 2]}, {**NUMBER, "maximum": 2}, []),
    ({"type": "boolean"}, {"enum": [True, False]}, []),
    ({"const": 1}, {"const": True}, ["value"]),
    ({"type": "array"}, {"type": "array", "items": {"type": "string"}}, ["type"]),
    ({"type": "array", "items": False}, {"type": "array", "items": {"type": "string"}}, []),
    ({"type": "array"}, {"type": "array", "uniqueItems": True}, ["bound"]),
    ({"prefixItems": [{"type": "null"}], "items": {"const": 1}}, {"items": {"enum": [None, 1]}}, []),
    ({"properties": {"a": False}}, {"properties": {"a": {"type": "string"}}}, []),
    ({"anyOf": [False, {"type": "string"}]}, {"type": "string"}, []),
    ({"type": "object", "required": ["a"]}, {"minProperties": 1, "type": "object"}, []),
    (
        {"type": "object", "additionalProperties": {}},
        {"properties": {"a": {"type": "string"}}, "type": "object"},
        ["type"],
    ),
    ({**ONE_OF_TWO, "$defs": {"a": {"const": 1}}}, {**ONE_OF_TWO, "$defs": {"a": {"const": 2}}}, ["alternatives"]),
    ({**ONE_OF_TWO, "$defs": {"a": {"const": 1}}}, {**ONE_OF_TWO, "$defs": {"a": {"type": "integer"}}}, []),
    ({**NOT_A, "$defs": {"a": {"const": 1}}}, {**NOT_A, "$defs": {"a": {"const": 2}}}, ["condition"]),
    ({**NOT_A, "$defs": {"a": {"const": 1}}, "title": "x"}, {**NOT_A, "$defs": {"a": {"const": 1}}}, []),
]


@pytest.mark.parametrize(("written", "read", "kinds"), PAIRS)
def test_what_is_written_has_these_gaps_for_who_reads(
    written: dict[str, Any], read: dict[str, Any], kinds: list[str]
) -> None:
    assert [one.kind for one in breaks_in(written, read, Direction.BACKWARD)] == kinds


def test_a_break_says_in_words_what_can_no_longer_be_read() -> None:
    (found,) = breaks(INVOICE, edited("properties/status/enum", ["open"]), Mode.FULL)
    assert found.detail == "`status` may be paid in the old version, which the new version does not allow."


def test_no_promise_is_never_broken() -> None:
    assert breaks(INVOICE, {"type": "string"}, Mode.NONE) == []
    assert breaks(INVOICE, {"type": "string"}, Mode.BACKWARD_TRANSITIVE) != []


def test_a_schema_that_refers_to_itself_is_compared() -> None:
    old = {"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}}}
    new = {"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "number"}}}
    assert breaks_in(old, new, Direction.BACKWARD) == []
    assert [one.path for one in breaks_in(old, new, Direction.FORWARD)] == ["n"]


def test_fields_that_went_are_named() -> None:
    old: dict[str, Any] = {"properties": {"tax": {}, "lines": {"items": {"properties": {"price": {}, "n": {}}}}}}
    new: dict[str, Any] = {"properties": {"taxes": {}, "lines": {"items": {"properties": {"n": {}}}}}}
    assert removed_fields(old, new) == ("tax", "lines[].price")


@given(document=documents())
def test_nothing_breaks_where_nothing_changed(document: dict[str, Any]) -> None:
    again = {"description": "the same", **document}
    assert [*breaks(document, again, Mode.FULL), *breaks(again, document, Mode.FULL)] == []


@settings(max_examples=80, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(data=st.data(), direction=st.sampled_from(Direction))
def test_what_does_not_break_stays_readable(data: st.DataObject, direction: Direction) -> None:
    old = data.draw(documents(), label="old")
    new = data.draw(changed(old), label="new")
    found = breaks_in(old, new, direction)
    event("broken" if found else "kept")
    assume(not found)
    written, read = (old, new) if direction is Direction.BACKWARD else (new, old)
    value = data.draw(values_of(written, written), label="value")
    assume(judge(written).is_valid(value))
    assert judge(read).is_valid(value)


@settings(max_examples=20, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_promised_between_strange_schemas_holds(data: st.DataObject) -> None:
    old, new = data.draw(documents(), label="old"), data.draw(documents(), label="new")
    assume(not breaks_in(old, new, Direction.BACKWARD))
    value = data.draw(values_of(old, old), label="value")
    assume(judge(old).is_valid(value))
    assert judge(new).is_valid(value)
