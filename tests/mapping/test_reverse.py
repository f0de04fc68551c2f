"""A mapping that declares its reverse is derived in the other direction, and there and back is where it began."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.expressions.mistakes import InvalidDocument
from hub.mapping.compiled import apply
from hub.mapping.compiler import compile_mapping, compile_reverse
from hub.model.currencies import EXPONENTS
from hub.schemas.shape import ANYTHING, Shape, shape_of

TABLES = {"codes": {"EUR": "4", "JPY": "5", "KWD": "6"}, "double": {"a": "1", "b": "1"}}
HEAD: dict[str, Any] = {"mapping": "there", "version": 3, "from": "a@1", "to": "b@1", "reverse": "back"}


def both(source: Shape = ANYTHING, fragments: Any = None, **document: Any) -> Any:
    there = compile_mapping({**HEAD, **document}, TABLES, fragments or {})
    return there, compile_reverse(there, source)


def trip(record: Any, **document: Any) -> tuple[Any, Any]:
    there, back = both(**document)
    made = apply(there, record, {"who": "me"})
    return made, apply(back, made)


def test_the_reverse_is_a_mapping_of_its_own() -> None:
    there, back = both(fields={"to.id": "of.id", "cur": "table('codes', currency)"})
    assert (back.name, back.version, back.source, back.target) == ("back", 3, "b@1", "a@1")
    assert (there.reverse, there.derived, back.reverse, back.derived) == ("back", False, "there", True)
    assert back.reads == {"of.id": ("to.id",), "currency": ("cur",)}


RECORD = {
    "id": "x",
    "total": 1234,
    "gross": {"minor": 5678, "currency": "KWD"},
    "currency": "KWD",
    "of": {"name": "n", "deep": {"er": True}},
    "address": {"city": "Ulm", "geo": {"lat": 1}},
    "lines": [{"n": 1, "price": {"minor": 5, "currency": "KWD"}, "taxes": [{"r": 19}]}, {"n": 2, "taxes": []}],
}


@pytest.mark.parametrize(
    ("document", "kept"),
    [
        ({"fields": {"a": "id", "b.c": "of.name", "d.e.f": "of.deep.er"}}, ("id", "of")),
        ({"fields": {"a": "table('codes', currency)"}}, ("currency",)),
        ({"fields": {"a": "money(total, currency)"}}, ("total", "currency")),
        ({"fields": {"a": "money(total, currency)", "b": "currency"}}, ("total", "currency")),
        ({"fields": {"a": "major(gross)", "b": "table('codes', currency)"}}, ("gross", "currency")),
        ({"fields": {"a": "gross.minor", "b": "gross.currency"}}, ("gross",)),
        ({"fields": {"a": "id", "b": "'constant'", "c": "given('who')"}}, ("id",)),
        ({"fields": {"a": {"value": "id", "required": True}, "b": "id"}}, ("id",)),
        ({"fields": {"to": {"of": "address", "fields": {"town": "city", "at": "geo"}}}}, ("address",)),
        ({"fields": {"to": {"of": "address", "use": "place"}}}, ("address",)),
        ({"fields": {"a": {"value": "upper(currency)", "back": "upper(a)"}}}, ("currency",)),
    ],
)
def test_there_and_back(document: dict[str, Any], kept: tuple[str, ...]) -> None:
    fragments = {"place": {"town": "city", "place.lat": "geo.lat"}}
    there, back = both(fragments=fragments, **document)
    made = apply(there, RECORD, {"who": "me"})
    again = apply(back, made)
    assert again.keys() == set(kept)
    for name in kept:
        assert _within(again[name], RECORD[name])
    assert apply(there, again, {"who": "me"}) == made


def _within(part: Any, whole: Any) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and _within(value, whole[name]) for name, value in part.items())
    return bool(part == whole)


def test_lists_in_lists_go_back_with_amounts_of_the_whole() -> None:
    document = {
        "fields": {"cur": "table('codes', currency)"},
        "rows": {
            "each": "lines",
            "fields": {"no": "n", "sum": "major(price)", "t": {"each": "taxes", "fields": {"rate": "r"}}},
        },
    }
    made, again = trip(RECORD, **document)
    assert again == {"currency": "KWD", "lines": RECORD["lines"]}
    assert made["rows"][0] == {"no": 1, "sum": made["rows"][0]["sum"], "t": [{"rate": 19}]}


def test_what_is_required_there_is_required_of_the_reverse() -> None:
    shape = shape_of({"type": "object", "properties": {"id": {}, "of": {"type": "object"}}, "required": ["id"]})
    _, back = both(source=shape, fields={"a": "id", "b": "of.id"})
    assert apply(back, {"a": 1}) == {"id": 1}
    with pytest.raises(Exception, match="required field"):
        apply(back, {"b": 1})


@pytest.mark.parametrize(
    ("document", "where", "words"),
    [
        ({"fields": {"a": "upper(id)"}}, ("fields", "a"), "`a` cannot be turned round for `reverse`: it is no path"),
        ({"fields": {"a": "id || total"}}, ("fields", "a"), "Add `back`"),
        ({"fields": {"a": "table('double', id)"}}, ("fields", "a"), "several keys for `1`"),
        ({"fields": {"a": "table('codes', id, 'x')"}}, ("fields", "a"), "has a default"),
        ({"fields": {"a": "table('codes', upper(id))"}}, ("fields", "a"), "key is no path"),
        ({"fields": {"a": {"value": "id", "default": 0}}}, ("fields", "a"), "`default`"),
        ({"fields": {"a": {"value": "id", "when": "total"}}}, ("fields", "a"), "`when`"),
        ({"fields": {"a": {"value": "id || total", "back": "a"}}}, ("fields", "a"), "reads `id`, `total`"),
        ({"fields": {"a": "major(gross)"}}, ("fields",), "its currency is not among the fields"),
        ({"fields": {"a": {"of": "b || c", "fields": {"d": "e"}}}}, ("fields", "a"), "`of` is no path"),
        ({"fields": {"a": {"each": "b[?c]", "fields": {"d": "e"}}}}, ("fields", "a"), "whose `each` is a path"),
        ({"fields": {"a": {"each": "b", "when": "c", "fields": {"d": "e"}}}}, ("fields", "a"), "without `when`"),
        ({"fields": {"a": "'constant'"}}, ("reverse",), "no field says anything"),
        ({"rest": "keep", "without": ["x"], "fields": {"a": "id"}}, ("without",), "taken out cannot come back"),
    ],
)
def test_what_cannot_be_turned_round_is_told(document: dict[str, Any], where: tuple[str, ...], words: str) -> None:
    with pytest.raises(InvalidDocument) as caught:
        both(**document)
    (mistake,) = caught.value.mistakes
    assert (mistake.code, mistake.where) == ("not-reversible", where)
    assert words in mistake.detail


_SCALARS = st.integers() | st.text(max_size=4) | st.booleans() | st.decimals(allow_nan=False, allow_infinity=False)
_CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])
_MINOR = st.integers(min_value=-(10**15), max_value=10**15)


@st.composite
def mappings_with_records(draw: Any, depth: int = 2) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw the fields of a reversible mapping and a record that it reads whole."""
    fields: dict[str, Any] = {"money_of": "table('codes', currency)"}
    record: dict[str, Any] = {"currency": draw(_CURRENCIES)}
    for place in range(draw(st.integers(min_value=0, max_value=5))):
        _one(draw, f"f{place}", f"s{place}", fields, record, depth)
    return fields, record


def _one(draw: Any, target: str, source: str, fields: dict[str, Any], record: dict[str, Any], depth: int) -> None:
    currency = record.get("currency")
    kind = draw(st.sampled_from(["path", "deep", "money", "major", "table", "nested", "list"]))
    if kind == "deep":
        fields[f"at.{target}"] = f"of_{source}.it"
        record[f"of_{source}"] = {"it": draw(_SCALARS)}
    elif kind == "money" and currency is not None:
        fields[target] = f"money({source}, currency)"
        record[source] = draw(_MINOR)
    elif kind == "major" and currency is not None:
        fields[target] = f"major({source})"
        record[source] = {"minor": draw(_MINOR), "currency": currency}
    elif kind == "table":
        fields[target] = f"table('codes', {source})"
        record[source] = draw(_CURRENCIES)
    elif kind == "nested" and depth:
        inner: dict[str, Any] = {}
        below: dict[str, Any] = {}
        _one(draw, "x", "y", inner, below, depth - 1)
        fields[target] = {"of": source, "fields": inner}
        record[source] = below
    elif kind == "list" and depth:
        inner, below = {}, {}
        _one(draw, "x", "y", inner, below, depth - 1)
        fields[target] = {"each": source, "fields": inner}
        record[source] = [below] * draw(st.integers(min_value=0, max_value=3))
    else:
        fields[target] = source
        record[source] = draw(_SCALARS)


@settings(max_examples=120, deadline=None)
@given(drawn=mappings_with_records())
def test_back_of_there_is_the_record_itself(drawn: tuple[dict[str, Any], dict[str, Any]]) -> None:
    fields, record = drawn
    there, back = both(fields=fields)
    made = apply(there, record)
    assert apply(back, made) == record
    assert apply(there, apply(back, made)) == made


def test_every_currency_goes_back_to_the_minor_unit() -> None:
    there, back = both(fields={"a": "money_major(amount, currency)", "b": "currency"})
    for currency in EXPONENTS:
        made = {"a": {"minor": 123456, "currency": currency}, "b": currency}
        assert apply(there, apply(back, made)) == made
