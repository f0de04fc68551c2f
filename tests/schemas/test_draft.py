"""A draft lets in everything that was seen, keeps what its base says, and adds no duty."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.schemas.compatibility import Direction, breaks_in
from hub.schemas.draft import draft
from hub.schemas.drift import compile_drift
from tests.schemas.generated import documents, judge, values_of

BASE: dict[str, Any] = {
    "title": "Invoice",
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^in_", "description": "The id."},
        "status": {"enum": ["open", "paid"], "description": "Where it stands."},
        "object": {"const": "invoice", "title": "Kind"},
        "amount": {"type": "integer", "x-unit": "minor"},
        "tax": {"$ref": "#/$defs/tax", "description": "The tax."},
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    "required": ["id", "amount"],
    "additionalProperties": False,
    "$defs": {"tax": {"type": "object", "properties": {"rate": {"type": "number"}}, "required": ["rate"]}},
}
RECORD: dict[str, Any] = {"id": "in_1", "status": "open", "object": "invoice", "amount": 5, "tax": {"rate": 1}}


def edited(path: str, value: Any) -> dict[str, Any]:
    """Give the base with one place set."""
    made: dict[str, Any] = json.loads(json.dumps(BASE))
    *above, last = path.split("/")
    here = made
    for step in above:
        here = here[step]
    if value is None:
        del here[last]
    else:
        here[last] = value
    return made


#: what is different in the second record → where the draft differs from the base, and how
DIFFERENCES: list[tuple[dict[str, Any], str, Any]] = [
    ({}, "title", "Invoice"),
    ({"amount": None}, "properties/amount/type", ["integer", "null"]),
    ({"amount": Decimal("1.5")}, "properties/amount/type", "number"),
    ({"amount": "5"}, "properties/amount/type", ["integer", "string"]),
    ({"status": "void"}, "properties/status/enum", ["open", "paid", "void"]),
    ({"status": None}, "properties/status/enum", ["open", "paid", None]),
    ({"object": "bill"}, "properties/object", {"enum": ["invoice", "bill"], "title": "Kind"}),
    ({"id": "bill_1"}, "properties/id/pattern", None),
    ({"tax": {"rate": 1, "name": "VAT"}}, "$defs/tax/properties/name", {"type": "string"}),
    ({"tax": {}}, "$defs/tax/required", None),
    (
        {"tax": None},
        "properties/tax",
        {"anyOf": [{"$ref": "#/$defs/tax"}, {"type": "null"}], "description": "The tax."},
    ),
    ({"metadata": {"any": "name"}}, "title", "Invoice"),
    ({"metadata": {"any": 1}}, "properties/metadata/additionalProperties/type", ["string", "integer"]),
    ({"due": "2026-01-31"}, "properties/due", {"type": "string", "format": "date"}),
    ({"at": "2026-01-31T10:00:00Z"}, "properties/at", {"type": "string", "format": "date-time"}),
    ({"due": "2026-02-31"}, "properties/due", {"type": "string"}),
    ({"new": None}, "properties/new", {}),
    ({"new": []}, "properties/new", {"type": "array"}),
    (
        {"new": [{"a": 1}, {"a": None, "b": True}]},
        "properties/new",
        {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"a": {"type": ["integer", "null"]}, "b": {"type": "boolean"}},
            },
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("difference", "path", "value"), DIFFERENCES)
def test_a_draft_differs_from_its_base_only_where_it_must(difference: dict[str, Any], path: str, value: Any) -> None:
    made = draft(BASE, [RECORD, {**RECORD, **difference}])
    expected = edited(path, value)
    assert made == expected
    assert json.dumps(made) == json.dumps(expected)


def test_what_is_not_always_there_is_no_longer_required() -> None:
    assert draft(BASE, [RECORD, {"id": "in_2"}])["required"] == ["id"]


def test_nothing_becomes_required_unless_asked() -> None:
    records = [{**RECORD, "note": "a"}, {**RECORD, "note": "b"}]
    assert draft(BASE, records)["required"] == ["id", "amount"]
    assert draft(BASE, records, require=True)["required"] == ["id", "amount", "status", "object", "tax", "note"]


def test_a_first_draft_requires_what_was_always_there() -> None:
    assert draft(None, [{"a": 1, "b": {"c": "x"}}, {"b": {"c": "y"}}]) == {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"type": "object", "properties": {"c": {"type": "string"}}, "required": ["c"]},
        },
        "required": ["b"],
    }


def test_a_table_of_names_is_no_record() -> None:
    made = draft(None, [{f"key_{number}": number for number in range(200)}])
    assert made["additionalProperties"] == {"type": "integer"}
    assert "properties" not in made


def test_without_payloads_the_draft_is_the_base() -> None:
    assert draft(BASE, []) == BASE


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.decimals(-9, 9, places=1) | st.text(max_size=4)
    | st.sampled_from(["2026-01-31", "2026-13-01", "2026-01-31T10:00:00Z", "2026-01-31T10:00:60+25:00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcx"), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(base=st.none() | documents(), data=st.data(), require=st.booleans())
def test_every_payload_is_valid_by_the_draft(base: dict[str, Any] | None, data: st.DataObject, require: bool) -> None:  # noqa: FBT001
    known = VALUES if base is None else VALUES | values_of(base, base)
    payloads = data.draw(st.lists(known, max_size=4), label="payloads")
    made = draft(base, payloads, require=require)
    assert [payload for payload in payloads if not judge(made).is_valid(payload)] == []


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_draft_reads_what_its_base_reads(data: st.DataObject) -> None:
    schema: dict[str, Any] = BASE
    payloads = [
        {**RECORD, **extra}
        for extra in data.draw(st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=2), max_size=3))
    ]
    made = draft(schema, payloads)
    assert breaks_in(schema, made, Direction.BACKWARD) == []
    assert [one for payload in payloads for one in compile_drift(made)(payload)] == []
