"""Drift: every kind of difference is found once, with its path and a short example, and hostile payloads do no harm."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from hub.model.kinds import NUMBER_TYPES, Kind, kind_of
from hub.schemas.documents import among
from hub.schemas.drift import (
    LONGEST_EXAMPLE,
    MOST_FINDINGS,
    MOST_UNKNOWN_FIELDS,
    DriftKind,
    compile_drift,
    missing,
)
from hub.schemas.shape import Shape, shape_of
from hub.sdk.exact_json import loads
from tests.schemas.generated import documents, judge, values_of

STRIPE = Path(__file__).parents[2] / "connectors/stripe"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "status": {"enum": ["open", "paid", None]},
        "object": {"const": "invoice"},
        "amount": {"type": "integer"},
        "rate": {"type": ["number", "null"]},
        "metadata": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
        "anything": {"type": "object"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
    },
    "required": ["id", "amount"],
    "$defs": {
        "line": {
            "type": "object",
            "properties": {"n": {"type": "integer"}, "tax": {"type": "object", "properties": {}}},
        }
    },
}
GOOD: dict[str, Any] = {
    "id": "in_1",
    "status": "open",
    "object": "invoice",
    "amount": 5,
    "rate": Decimal("0.5"),
    "metadata": {"order": "7"},
    "anything": {"of": [{"any": "kind"}]},
    "lines": [{"n": 1}, {"n": 2, "tax": {}}],
}

#: what is different → kind, path, detail, example
DIFFERENCES: list[tuple[dict[str, Any], list[tuple[str, str, str, str | None]]]] = [
    ({}, []),
    ({"status": None}, []),
    ({"amount": Decimal("5.0")}, []),
    ({"new": "x" * 200}, [("unknown-field", "new", "string", "x" * 79 + "…")]),
    ({"new": {"a": {"b": 1}, "c": 2}}, [("unknown-field", "new", "object", "{a, c}")]),
    ({"new": None}, [("unknown-field", "new", "null", "null")]),
    ({"a b.c": []}, [("unknown-field", '"a b.c"', "array", "[0 entries]")]),
    ({"status": "void"}, [("new-value", "status", "void", "void")]),
    ({"object": "bill"}, [("new-value", "object", "bill", "bill")]),
    ({"amount": "5"}, [("changed-type", "amount", "string instead of integer", "5")]),
    ({"amount": None}, [("changed-type", "amount", "null instead of integer", "null")]),
    ({"amount": True}, [("changed-type", "amount", "boolean instead of integer", "true")]),
    ({"amount": Decimal("5.5")}, [("changed-type", "amount", "number instead of integer", "5.5")]),
    ({"rate": []}, [("changed-type", "rate", "array instead of null or number", "[0 entries]")]),
    ({"metadata": {"order": 7}}, [("changed-type", "metadata.*", "number instead of string", "7")]),
    ({"metadata": None}, []),
    ({"lines": {}}, [("changed-type", "lines", "object instead of array", "{}")]),
    (
        {"lines": [{"n": "1"}, {"n": "2"}, 3, {"m": 1}, {"tax": {"rate": 2}}]},
        [
            ("changed-type", "lines[].n", "string instead of integer", "1"),
            ("changed-type", "lines[]", "number instead of object", "3"),
            ("unknown-field", "lines[].m", "number", "1"),
            ("unknown-field", "lines[].tax.rate", "number", "2"),
        ],
    ),
]


@pytest.mark.parametrize(("difference", "expected"), DIFFERENCES)
def test_a_difference_is_found_once(
    difference: dict[str, Any], expected: list[tuple[str, str, str, str | None]]
) -> None:
    found = compile_drift(SCHEMA)({**GOOD, **difference})
    assert [(one.kind, one.path, one.detail, one.example) for one in found] == expected


def test_what_is_required_and_not_there_is_missing() -> None:
    found = compile_drift(SCHEMA)({"status": "open"})
    assert [(one.kind, one.path, one.example) for one in found] == [
        (DriftKind.MISSING_FIELD, "amount", None),
        (DriftKind.MISSING_FIELD, "id", None),
    ]


def test_a_field_that_the_vendor_always_gives_is_missed_where_it_is_gone() -> None:
    """Although a record that is written may leave it out; also in what belongs to a record."""
    line = {"type": "object", "properties": {"n": {"type": "integer"}}, "x-answered": ["n"]}
    schema = {
        "type": "object",
        "properties": {"currency": {"type": "string"}, "lines": {"type": "array", "items": line}},
        "x-answered": ["currency", "lines"],
    }
    assert compile_drift(schema)({"currency": "EUR", "lines": [{"n": 1}]}) == []
    found = [(one.kind, one.path) for one in compile_drift(schema)({"lines": [{}]})]
    assert found == [(DriftKind.MISSING_FIELD, "lines[].n"), (DriftKind.MISSING_FIELD, "currency")]
    shape = shape_of(schema)
    currency = shape.at("currency")
    assert currency is not None
    assert (shape.required, currency.may_be_null) == (frozenset(), True)


@pytest.mark.parametrize("nested", [False, True])
def test_nothing_is_missed_of_what_the_vendor_says_is_deleted(*, nested: bool) -> None:
    """Of such a record only what is required is left; the flag must be true, and not merely there."""
    customer = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "name": {"type": "string"}, "deleted": {"type": "boolean"}},
        "required": ["id"],
        "x-answered": ["name"],
        "x-answered-unless": "deleted",
    }
    schema = {"anyOf": [customer, {"type": "null"}]} if nested else customer
    missed = {
        text: [one.path for one in compile_drift(schema)(payload)]
        for text, payload in {
            "deleted": {"id": "cus_1", "deleted": True},
            "living": {"id": "cus_1", "deleted": False},
            "unsaid": {"id": "cus_1"},
            "nameless": {"deleted": True},
        }.items()
    }
    assert missed == {"deleted": [], "living": ["name"], "unsaid": ["name"], "nameless": ["id"]}


@pytest.mark.parametrize("payload", [None, [], "text", 5])
def test_a_payload_of_another_kind_is_one_difference(payload: Any) -> None:
    (found,) = compile_drift(SCHEMA)(payload)
    assert (found.kind, found.path) == (DriftKind.CHANGED_TYPE, "")


def test_the_number_of_findings_is_bounded() -> None:
    payload = {**GOOD, **{f"field_{number}": "x" * 1_000_000 for number in range(3)}}
    payload |= {f"more_{number}": number for number in range(10_000)}
    found = compile_drift(SCHEMA)(payload)
    assert len(found) == MOST_UNKNOWN_FIELDS
    assert all(len(one.example or "") <= LONGEST_EXAMPLE for one in found)


def test_many_unknown_fields_hide_nothing_else() -> None:
    """A tenant's own fields come first in a payload; what is gone, or is another thing now, is told all the same."""
    own = {f"own_{number}": "x" for number in range(1_000)}
    fields = {f"field_{number}": {"type": "string"} for number in range(1_000)}
    schema = {"type": "object", "properties": {"total": {"type": "string"}, **fields}, "required": ["total", *fields]}
    told = [one.kind for one in compile_drift(schema)({**own, "total": 3})]
    assert {kind: told.count(kind) for kind in told} == {
        DriftKind.UNKNOWN_FIELD: MOST_UNKNOWN_FIELDS,
        DriftKind.MISSING_FIELD: MOST_FINDINGS,
        DriftKind.CHANGED_TYPE: 1,
    }


def test_a_deep_payload_is_looked_into_as_far_as_the_schema_describes_it() -> None:
    deep: Any = "end"
    for _ in range(5_000):
        deep = {"next": deep, "list": [deep]}
    schema = {"type": "object", "properties": {"next": {"$ref": "#"}, "list": {"type": "array"}}}
    assert compile_drift(schema)(deep) == []
    assert [one.path for one in compile_drift({"properties": {}})(deep)] == ["next", "list"]


@pytest.mark.parametrize("name", ["invoice_finalized", "invoice_jpy", "invoice_kwd", "invoice_eur"])
def test_of_a_vendors_fixtures_nothing_but_unknown_fields_is_told(name: str) -> None:
    schema = loads((STRIPE / "schemas/stripe.invoice@2025-09-30.json").read_bytes())
    fixture = loads((STRIPE / f"fixtures/{name}.json").read_bytes())
    invoice = fixture["data"]["object"] if "data" in fixture else fixture
    assert {one.kind for one in compile_drift(schema)(invoice)} <= {DriftKind.UNKNOWN_FIELD}


@settings(max_examples=80, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(data=st.data())
def test_what_is_valid_and_meant_does_not_drift(data: st.DataObject) -> None:
    document = data.draw(documents(), label="schema")
    value = data.draw(values_of(document, document), label="value")
    assume(judge(document).is_valid(value))
    assert [one for one in compile_drift(document)(value) if one.kind is not DriftKind.UNKNOWN_FIELD] == []


@settings(max_examples=80, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(document=documents(), data=st.data())
def test_it_finds_what_a_plain_comparison_finds(document: dict[str, Any], data: st.DataObject) -> None:
    other = data.draw(documents(), label="another schema")
    value = data.draw(values_of(other, other) | values_of(document, document), label="value")
    expected = set(plainly(value, shape_of(document), ""))
    found = compile_drift(document)(value)
    assert len(expected) > MOST_FINDINGS or {(one.kind, one.path) for one in found} == expected
    assert len({(one.kind, one.path, one.detail) for one in found}) == len(found)


def plainly(value: Any, shape: Shape, path: str) -> Iterator[tuple[DriftKind, str]]:
    """Compare without any haste."""
    here = path.removeprefix(".")
    if kind_of(value) not in shape.kinds:
        yield DriftKind.CHANGED_TYPE, here
        return
    if shape.values is not None and not among(value, shape.values):
        yield DriftKind.NEW_VALUE, here
        return
    if type(value) in NUMBER_TYPES and shape.whole and value != int(value):
        yield DriftKind.CHANGED_TYPE, here
    if isinstance(value, list) and shape.items is not None:
        for item in value:
            yield from plainly(item, shape.items, f"{path}[]")
    if isinstance(value, dict):
        for name in shape.required - value.keys():
            yield DriftKind.MISSING_FIELD, f"{path}.{name}".removeprefix(".")
        for name, item in value.items():
            if name in shape.fields:
                yield from plainly(item, shape.fields[name], f"{path}.{name}")
            elif shape.rest is not None:
                yield from plainly(item, shape.rest, f"{path}.*")
            else:
                yield DriftKind.UNKNOWN_FIELD, f"{path}.{name}".removeprefix(".")


def test_a_number_of_any_size_is_shown_short() -> None:
    found = compile_drift({"properties": {"n": {"type": "string"}}})({"n": 10**5_000})
    assert [one.example for one in found] == ["a number of 16610 bits"]
    assert kind_of(10**5_000) is Kind.NUMBER


@pytest.mark.parametrize(
    ("payload", "gone"),
    [
        ({"a": None, "lines": [{"b": 1}], "of": {"c": 1}}, []),
        ({"lines": [{"b": 1}, {}], "of": {}}, ["a", "lines[].b", "of.c"]),
        # What the field would belong to is not there itself.
        ({"a": 1}, []),
        ({"a": 1, "lines": [], "of": None}, []),
        ({"a": 1, "lines": "none", "of": 5}, []),
        ("a", []),
    ],
)
def test_a_field_that_is_expected_is_missed_where_what_it_belongs_to_is_there(payload: Any, gone: list[str]) -> None:
    found = missing(payload, ("a", "lines[].b", "of.c"))
    assert [(one.kind, one.path, one.detail) for one in found] == [
        (DriftKind.MISSING_FIELD, path, "expected") for path in gone
    ]


def test_a_field_that_is_merely_shown_is_told_as_that() -> None:
    found = missing({"lines": [{"b": 1}, {}]}, ("a?", "lines[].b?", "lines[].c"))
    expected = [("lines[].c", "expected"), ("a", "shown"), ("lines[].b", "shown")]
    assert [(one.path, one.detail) for one in found] == expected
    assert len(missing({}, [f"f{number}?" for number in range(2 * MOST_FINDINGS)])) == MOST_FINDINGS
