"""What a mapping makes of a record, and what it says when it cannot."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from hub.errors import FixData, NotMapped
from hub.expressions.errors import EvaluationError
from hub.mapping.compiled import apply
from hub.mapping.compiler import compile_mapping

TABLES = {"terms": {"send": "NET30"}, "codes": {"A": "1", "B": "2"}}


def mapped(source: Any, extra: dict[str, Any] | None = None, **document: Any) -> dict[str, Any]:
    head = {"mapping": "test/one", "version": 1, "from": "a@1", "to": "b@1"}
    return apply(compile_mapping({**head, **document}, TABLES), source, extra or {})


def test_fields_are_filled_and_nulls_left_out() -> None:
    fields = {"id": "id", "none": "missing", "zero": "`0`", "empty": "''", "off": "`false`", "list": "`[]`"}
    assert mapped({"id": "x"}, fields=fields) == {"id": "x", "zero": 0, "empty": "", "off": False, "list": []}


def test_dotted_targets_make_objects_and_empty_ones_are_left_out() -> None:
    fields = {"a.b.c": "x", "a.b.d": "y", "a.e": "none", "f.g": "none", "f.h.i": "none"}
    assert mapped({"x": 1, "y": 2}, fields=fields) == {"a": {"b": {"c": 1, "d": 2}}}


def test_a_repeated_target_sees_element_root_and_given() -> None:
    source = {"currency": "jpy", "lines": {"data": [{"amount": 5}, {"amount": 7, "sku": "b"}]}}
    record = mapped(
        source,
        {"owner": "me"},
        given=["owner"],
        lines={
            "each": "lines.data",
            "fields": {"sku": "sku", "amount": "money(amount, root().currency)", "owner.name": "given('owner')"},
        },
    )
    assert record == {
        "lines": [
            {"amount": {"minor": 5, "currency": "JPY"}, "owner": {"name": "me"}},
            {"sku": "b", "amount": {"minor": 7, "currency": "JPY"}, "owner": {"name": "me"}},
        ]
    }


def test_when_chooses_elements() -> None:
    lines = {"each": "n", "when": "@ > `1` && @ != root().skip", "fields": {"n": "@"}}
    assert mapped({"n": [1, 2, 3, 4], "skip": 3}, lines=lines) == {"lines": [{"n": 2}, {"n": 4}]}


def test_repeated_targets_nest() -> None:
    lines = {
        "each": "lines",
        "fields": {
            "id": "id",
            "taxes": {"each": "taxes", "fields": {"code": "table('codes', code)", "of": "root().id"}},
        },
    }
    source = {"id": "in_1", "lines": [{"id": 1, "taxes": [{"code": "A"}, {"code": "B"}]}, {"id": 2}]}
    assert mapped(source, lines=lines) == {
        "lines": [{"id": 1, "taxes": [{"code": "1", "of": "in_1"}, {"code": "2", "of": "in_1"}]}, {"id": 2}]
    }


def test_an_element_without_fields_keeps_its_place() -> None:
    assert mapped({"n": [{}, {"a": 1}]}, lines={"each": "n", "fields": {"a": "a"}}) == {"lines": [{}, {"a": 1}]}


def test_a_missing_list_is_left_out_and_an_empty_one_kept() -> None:
    assert mapped({}, lines={"each": "n", "fields": {"a": "a"}}) == {}
    assert mapped({"n": []}, lines={"each": "n", "fields": {"a": "a"}}) == {"lines": []}


def test_what_stands_twice_means_the_same_both_times() -> None:
    """Expressions that share parts are worked out once; no field may notice."""
    fields = {
        "a": "sum(n[].x || `[]`)",
        "b": "sum(n[].x || `[]`)",
        "c": "n && sum(n[].x || `[]`) || `0`",
        "d": "coalesce(x.y, z).k",
        "e": "coalesce(x.y, z).l",
        "f": "x.y && x.y.k || z.k",
    }
    assert mapped({"n": [{"x": 1}, {"x": Decimal("0.5")}], "z": {"k": 1, "l": 2}}, fields=fields) == {
        "a": Decimal("1.5"),
        "b": Decimal("1.5"),
        "c": Decimal("1.5"),
        "d": 1,
        "e": 2,
        "f": 1,
    }
    assert mapped({"x": {"y": {"k": 3}}}, fields=fields) == {"a": 0, "b": 0, "c": 0, "d": 3, "f": 3}


def test_a_shared_part_that_was_skipped_is_still_worked_out() -> None:
    """A part inside of a branch that did not run must not be taken for known afterwards."""
    fields = {"a": "off && sum(n)", "b": "sum(n)", "c": "n[?@ > `5`].abs(@)", "d": "map(&abs(@), n)"}
    assert mapped({"off": False, "n": [1, -2]}, fields=fields) == {"a": False, "b": -1, "c": [], "d": [1, 2]}


def test_a_failure_names_mapping_field_expression_and_data() -> None:
    lines = {"each": "lines", "fields": {"amount": "money(amount, 'EUR')"}}
    with pytest.raises(EvaluationError) as caught:
        mapped({"lines": [{"amount": 1}, {"amount": "2"}]}, lines=lines)
    assert {name: caught.value.facts[name] for name in ("mapping", "field", "expression", "position", "data")} == {
        "mapping": "test/one",
        "field": "lines[1].amount",
        "expression": "money(amount, 'EUR')",
        "position": 0,
        "data": "lines[1].amount",
    }


def test_a_missing_entry_keeps_its_code() -> None:
    with pytest.raises(NotMapped) as caught:
        mapped({"how": "pigeon"}, fields={"terms.id": "table('terms', how)"})
    assert caught.value.code == "not-in-table"
    assert caught.value.facts["field"] == "terms.id"
    assert caught.value.facts["key"] == "pigeon"


def test_each_must_give_a_list() -> None:
    with pytest.raises(EvaluationError, match="must give a list, not object") as caught:
        mapped({"n": {"a": 1}}, lines={"each": "n", "fields": {"a": "a"}})
    assert caught.value.facts["field"] == "lines"
    assert caught.value.facts["data"] == "n"


def test_a_value_that_was_not_given() -> None:
    with pytest.raises(FixData) as caught:
        mapped({}, {}, given=["owner"], fields={"a": "given('owner')"})
    assert (caught.value.code, caught.value.facts["names"]) == ("not-given", "owner")
    assert mapped({}, {"owner": None}, given=["owner"], fields={"a": "given('owner')"}) == {}


@pytest.mark.parametrize("source", [None, [], "text", 5, [{"id": 1}]])
def test_a_source_of_another_shape_has_nothing_to_take(source: Any) -> None:
    assert mapped(source, fields={"a": "id", "b": "`1`"}) == {"b": 1}


def test_a_record_has_one_budget_for_all_its_elements() -> None:
    lines = {"each": "n", "fields": {"sum": "sum(root().n)"}}
    with pytest.raises(EvaluationError) as caught:
        mapped({"n": list(range(5000))}, lines=lines)
    assert caught.value.code == "over-budget"
    assert len(mapped({"n": list(range(50_000))}, lines={"each": "n", "fields": {"n": "@"}})["lines"]) == 50_000
