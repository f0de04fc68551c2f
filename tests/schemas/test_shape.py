"""Shapes: every value that is valid by a schema fits its shape, and a shape says no more than the schema."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hub.model.kinds import ANY, NUMBER_TYPES, Kind, kind_of
from hub.schemas.documents import among
from hub.schemas.shape import ANYTHING, Shape, Unit, either, shape_of
from tests.schemas.generated import documents, judge, values_of


def fits(value: Any, shape: Shape) -> bool:
    """Tell whether a value is what a shape says."""
    if kind_of(value) not in shape.kinds:
        return False
    if shape.values is not None and not among(value, shape.values):
        return False
    if type(value) in NUMBER_TYPES and shape.whole and value != int(value):
        return False
    if isinstance(value, list) and shape.items is not None:
        return all(fits(item, shape.items) for item in value)
    if isinstance(value, dict):
        for name, item in value.items():
            declared = shape.fields.get(name, shape.rest)
            if declared is not None and not fits(item, declared):
                return False
        return shape.required <= value.keys()
    return True


@settings(max_examples=80, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_valid_fits_the_shape(data: st.DataObject) -> None:
    document = data.draw(documents(), label="schema")
    value = data.draw(values_of(document, document), label="value")
    assume(judge(document).is_valid(value))
    assert fits(value, shape_of(document))


SHAPES: list[tuple[dict[str, Any], Shape]] = [
    ({}, ANYTHING),
    ({"type": "string", "format": "date"}, Shape(kinds=frozenset({Kind.STRING}), format="date", rest=ANYTHING)),
    (
        {"type": ["integer", "null"], "x-unit": "minor"},
        Shape(kinds=frozenset({Kind.NUMBER, Kind.NULL}), whole=True, unit=Unit.MINOR, rest=ANYTHING),
    ),
    ({"type": "number", "x-unit": "miles"}, Shape(kinds=frozenset({Kind.NUMBER}), rest=ANYTHING)),
    ({"const": 1}, Shape(kinds=frozenset({Kind.NUMBER}), values=(1,), rest=ANYTHING)),
    ({"$ref": "#/nowhere"}, ANYTHING),
    ({"$ref": "#"}, ANYTHING),
]


@pytest.mark.parametrize(("document", "shape"), SHAPES)
def test_a_schema_has_its_shape(document: dict[str, Any], shape: Shape) -> None:
    assert shape_of(document) == shape


def test_a_field_that_may_be_missing_may_be_null_when_it_is_read() -> None:
    shape = shape_of({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a"]})
    a, b = shape.at("a"), shape.at("b")
    assert a is not None and not a.may_be_null
    assert b is not None and b.may_be_null and not b.without_null().may_be_null
    assert shape.at("c") is None


def test_of_what_nothing_is_known_everything_in_it_may_be_read() -> None:
    shape = shape_of({"type": "object", "properties": {"metadata": {"type": "object"}}})
    for name in ("metadata", "a", "b"):
        inner = shape.at(name)
        assert inner is not None
        shape = inner
    assert shape.kinds == ANY


def test_a_field_that_one_alternative_declares_may_be_any_further_field_of_the_other() -> None:
    closed = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    shape = shape_of({"anyOf": [closed, {"type": "object", "additionalProperties": {"type": "integer"}}]})
    assert shape.fields["a"].kinds == {Kind.STRING, Kind.NUMBER}


def test_what_any_part_requires_is_required() -> None:
    shape = shape_of({"allOf": [{"required": ["a"]}, {"required": ["b"]}], "required": ["c"]})
    assert shape.required == {"a", "b", "c"}


def test_true_is_not_one_among_values() -> None:
    shape = either([shape_of({"enum": [1, "a"]}), shape_of({"enum": [True]})])
    assert shape.values is not None
    assert [type(value) for value in shape.values] == [int, str, bool]


def test_fields_that_a_pattern_allows_are_meant() -> None:
    shape = shape_of({"patternProperties": {"^x_": {"type": "string"}}, "additionalProperties": False})
    assert shape.rest is not None and shape.rest.kinds == {Kind.STRING}


def test_the_first_elements_of_a_list_count_among_its_elements() -> None:
    shape = shape_of({"prefixItems": [{"type": "string"}], "items": {"type": "null"}})
    assert shape.items is not None and shape.items.kinds == {Kind.STRING, Kind.NULL}
