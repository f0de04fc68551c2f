"""Defaults, required fields, conditions, nested targets, fragments, and records that keep the rest of their source."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.expressions.errors import EvaluationError
from hub.expressions.mistakes import InvalidDocument
from hub.mapping.compiled import apply
from hub.mapping.compiler import compile_mapping

HEAD: dict[str, Any] = {"mapping": "test/one", "version": 1, "from": "a@1", "to": "b@1"}
FRAGMENTS: dict[str, Any] = {
    "address": {"city": "town", "geo": {"use": "place"}},
    "place": {"country": {"value": "country", "default": "DE"}},
}


def compiled(**document: Any) -> Any:
    return compile_mapping({**HEAD, **document}, {"codes": {"A": "1"}}, FRAGMENTS)


def mapped(source: Any, **document: Any) -> dict[str, Any]:
    return apply(compiled(**document), source, {"owner": "me"})


@pytest.mark.parametrize(
    ("field", "source", "made"),
    [
        ({"value": "a", "default": "none"}, {}, {"x": "none"}),
        ({"value": "a", "default": "none"}, {"a": "b"}, {"x": "b"}),
        ({"value": "a", "default": 0}, {"a": None}, {"x": 0}),
        ({"value": "a", "default": False}, {"a": ""}, {"x": ""}),
        ({"value": "a", "default": ["b", {"c": 1}]}, {}, {"x": ["b", {"c": 1}]}),
        ({"value": "a", "default": "=c || given('owner')"}, {}, {"x": "me"}),
        ({"value": "a", "default": "=c"}, {"c": 5}, {"x": 5}),
        ({"value": "a", "default": "=c"}, {}, {}),
        ({"value": "a", "when": "b"}, {"a": 1}, {}),
        ({"value": "a", "when": "b", "default": 2}, {}, {}),
        ({"value": "a", "when": "b", "default": 2}, {"b": True}, {"x": 2}),
        ({"value": "a", "required": True}, {"a": False}, {"x": False}),
        ({"value": "a", "when": "b", "required": True}, {}, {}),
        ({"value": "a", "default": "z", "required": True}, {}, {"x": "z"}),
    ],
)
def test_a_field_with_more_to_say(field: dict[str, Any], source: Any, made: dict[str, Any]) -> None:
    assert mapped(source, fields={"x": field}) == made


def test_what_is_not_needed_is_not_evaluated() -> None:
    field = {"value": "table('codes', a)", "when": "a", "default": "=table('codes', 'B')"}
    assert mapped({"a": "A"}, fields={"x": field}) == {"x": "1"}
    assert mapped({}, fields={"x": field}) == {}


def test_a_required_field_without_a_value_names_mapping_field_and_sources() -> None:
    lines = {"each": "lines", "fields": {"n": {"value": "a || b.c", "required": True}}}
    with pytest.raises(EvaluationError) as caught:
        mapped({"lines": [{"a": 1}, {"b": {}}]}, lines=lines)
    assert caught.value.code == "required-missing"
    wanted = {
        "mapping": "test/one",
        "field": "lines[1].n",
        "expression": "a || b.c",
        "data": "lines[1].a, lines[1].b.c",
    }
    assert {key: caught.value.facts[key] for key in wanted} == wanted


def test_a_nested_target_is_read_from_what_it_names() -> None:
    to = {"of": "coalesce(ship, bill)", "fields": {"town": "city", "id": "root().id", "kind": "'address'"}}
    assert mapped({"id": 1, "ship": {"city": "Bonn"}}, fields={"to": to}) == {
        "to": {"town": "Bonn", "id": 1, "kind": "address"}
    }
    assert mapped({"id": 1, "bill": {"city": "Köln"}}, fields={"to": to})["to"]["town"] == "Köln"
    assert mapped({"id": 1}, fields={"to": to}) == {}
    assert mapped({"id": 1, "ship": {"city": "Bonn"}}, fields={"to": {**to, "when": "id > `1`"}}) == {}


def test_a_nested_target_without_a_source_joins_its_dotted_siblings() -> None:
    fields = {"a.b": "x", "a": {"fields": {"c": "y", "d.e": "x"}}, "a.f": "y"}
    assert mapped({"x": 1, "y": 2}, fields=fields) == {"a": {"b": 1, "c": 2, "d": {"e": 1}, "f": 2}}


def test_fragments_use_fragments_in_objects_and_in_lists() -> None:
    document = {
        "fields": {"to": {"use": "address", "of": "ship"}, "a.at": {"use": "place"}},
        "stops": {"each": "stops", "use": "address", "fields": {"n": "n"}},
    }
    source = {"ship": {"town": "Bonn"}, "country": "FR", "stops": [{"town": "Ulm", "n": 1}, {"country": "AT"}]}
    assert mapped(source, **document) == {
        "to": {"city": "Bonn", "geo": {"country": "DE"}},
        "a": {"at": {"country": "FR"}},
        "stops": [{"city": "Ulm", "geo": {"country": "DE"}, "n": 1}, {"geo": {"country": "AT"}}],
    }
    assert compiled(**document).reads == {
        "to.city": ("ship.town",),
        "to.geo.country": ("ship.country",),
        "a.at.country": ("country",),
        "stops[]": ("stops",),
        "stops[].city": ("stops[].town",),
        "stops[].geo.country": ("stops[].country",),
        "stops[].n": ("stops[].n",),
    }


def test_what_a_nested_target_reads_is_each_of_its_sources() -> None:
    reads = compiled(fields={"to": {"of": "coalesce(ship.to, bill)", "fields": {"town": "city"}}}).reads
    assert reads == {"to.town": ("ship.to.city", "bill.city")}


def test_the_rest_is_kept_but_for_what_is_filled_or_taken_out() -> None:
    source = {
        "id": 1,
        "tax": 5,
        "old": {"name": "x", "gone": 1},
        "lines": {"more": True, "data": [{"n": 1, "price": 2, "deep": [{"a": 1, "b": 2}]}, {"n": 2}]},
    }
    before = deepcopy(source)
    document: dict[str, Any] = {
        "rest": "keep",
        "without": ["tax", "old.gone", "lines.data[].price", "lines.data[].deep[].b", "never.there"],
        "fields": {"old.title": "upper(old.name)", "taxes": "[tax]", "nothing": "missing", "id": "to_string(id)"},
    }
    assert mapped(source, **document) == {
        "id": "1",
        "old": {"name": "x", "title": "X"},
        "lines": {"more": True, "data": [{"n": 1, "deep": [{"a": 1}]}, {"n": 2}]},
        "taxes": [5],
    }
    assert source == before
    lines = {"each": "lines.data", "rest": "keep", "fields": {"cost": "price"}}
    document["fields"]["lines.data"] = lines
    assert mapped(source, **document)["lines"] == {
        "more": True,
        "data": [{"n": 1, "deep": [{"a": 1}], "cost": 2}, {"n": 2}],
    }
    del lines["rest"]
    assert mapped(source, **document)["lines"] == {"more": True, "data": [{"cost": 2}, {}]}
    assert source == before


def test_null_takes_out_what_was_kept_and_a_false_condition_leaves_it() -> None:
    source = {"a": 1, "b": 2, "c": {"d": 3}, "e": {}}
    fields = {"a": "missing", "b": {"value": "a", "when": "missing"}, "c.d": "missing", "e.f": "missing"}
    assert mapped(source, rest="keep", fields=fields) == {"b": 2, "c": {}, "e": {}}


def test_a_nested_target_keeps_the_rest_of_what_it_is_read_from() -> None:
    fields = {"to": {"of": "ship", "rest": "keep", "without": ["zip"], "fields": {"town": "city"}}}
    assert mapped({"ship": {"city": "Ulm", "zip": 1, "x": 2}}, fields=fields) == {
        "to": {"city": "Ulm", "x": 2, "town": "Ulm"}
    }


def test_a_source_that_is_no_object_has_nothing_to_keep() -> None:
    assert mapped([1], rest="keep", fields={"a": "'b'"}) == {"a": "b"}
    assert mapped({"a": 1}, rest="keep") == {"a": 1}


_NAMES = st.sampled_from(["a", "b", "c"])
_RECORDS = st.recursive(
    st.integers() | st.text(max_size=3) | st.none(),
    lambda below: st.dictionaries(_NAMES, below, max_size=3) | st.lists(below, max_size=3),
    max_leaves=12,
)


@settings(max_examples=80)
@given(source=st.dictionaries(_NAMES, _RECORDS), path=st.lists(_NAMES, min_size=1, max_size=3).map(".".join))
def test_keeping_and_filling_a_path_with_what_it_was_changes_nothing(source: dict[str, Any], path: str) -> None:
    before = deepcopy(source)
    steps, current = path.split("."), source
    for step in steps:
        if not isinstance(current, dict) or current.get(step) is None:
            return
        current = current[step]
    assert mapped(source, rest="keep", fields={path: path}) == before == source


@settings(max_examples=80)
@given(source=st.dictionaries(_NAMES, _RECORDS), path=st.lists(_NAMES, min_size=1, max_size=3).map(".".join))
def test_what_is_taken_out_is_gone_and_nothing_else(source: dict[str, Any], path: str) -> None:
    before = deepcopy(source)
    made = mapped(source, rest="keep", without=[path])
    assert source == before
    *above, last = path.split(".")
    here: Any = before
    for step in above:
        here = here.get(step) if isinstance(here, dict) else None
    if isinstance(here, dict):
        here.pop(last, None)
    assert made == before


@pytest.mark.parametrize(
    ("change", "where", "position", "words"),
    [
        ({"fields": {"a": {"value": "b", "requird": True}}}, ("fields", "a", "requird"), None, "`required`"),
        ({"fields": {"a": {"value": "b", "required": "yes"}}}, ("fields", "a", "required"), None, "`true` or `false`"),
        ({"fields": {"a": {"value": "b."}}}, ("fields", "a", "value"), 2, "too early"),
        ({"fields": {"a": {"value": "b", "default": "=c."}}}, ("fields", "a", "default"), 3, "too early"),
        ({"fields": {"a": {"value": "b", "when": "c ="}}}, ("fields", "a", "when"), 2, "=="),
        ({"fields": {"a": {"use": "adress"}}}, ("fields", "a", "use"), None, "Did you mean `address`?"),
        ({"fields": {"a": {"use": "loop"}}}, ("fields", "a", "use"), None, "uses itself"),
        ({"fields": {"a": {"use": "wrong"}}}, ("fields", "a", "use"), None, "In the fragment `wrong`: "),
        ({"fields": {"a": {"of": "b"}}}, ("fields", "a"), None, "keys with `value`"),
        ({"fields": {"a": {"of": "b", "fields": {"c": "("}}}}, ("fields", "a", "fields", "c"), 1, "too early"),
        ({"fields": {"a": {"use": "address"}, "a.city": "b"}}, ("fields", "a.city"), None, "filled twice"),
        ({"fields": {"a": {"rest": "keep", "fields": {"b": "c"}}}}, ("fields", "a", "rest"), None, "needs `of`"),
        ({"rest": "all"}, ("rest",), None, "can only be `keep`"),
        ({"without": ["a"]}, ("without",), None, "needs `rest: keep`"),
        ({"rest": "keep", "without": ["a..b"]}, ("without", 0), None, "This is no path"),
    ],
)
def test_one_mistake(change: dict[str, Any], where: tuple[str, ...], position: int | None, words: str) -> None:
    fragments = {**FRAGMENTS, "loop": {"a": {"use": "loop"}}, "wrong": {"a": "b."}}
    with pytest.raises(InvalidDocument) as caught:
        compile_mapping({**HEAD, "fields": {"id": "id"}, **change}, {}, fragments)
    (mistake,) = caught.value.mistakes
    assert (mistake.where, mistake.position) == (where, position)
    assert words in mistake.detail
