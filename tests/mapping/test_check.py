"""A mapping is checked against the shapes of its source and its target before any record is there."""

from __future__ import annotations

from typing import Any

import pytest

from hub.mapping.check import check
from hub.mapping.compiler import compile_mapping
from hub.mapping.flaws import Flaw
from hub.schemas.shape import shape_of

TEXT = {"type": "string"}
NULLABLE = {"type": ["string", "null"]}
MONEY = {
    "type": "object",
    "properties": {"minor": {"type": "integer", "x-unit": "minor"}, "currency": TEXT},
    "required": ["minor", "currency"],
    "additionalProperties": False,
}
SOURCE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "note": NULLABLE,
        "maybe": TEXT,
        "status": {"enum": ["open", "paid", None]},
        "currency": TEXT,
        "total": {"type": "integer", "x-unit": "minor"},
        "amount": {"type": "number", "x-unit": "major"},
        "created": {"type": "integer", "x-unit": "unix-seconds"},
        "day": {"type": "string", "format": "date"},
        "moment": {"type": "string", "format": "date-time"},
        "flag": {"type": "boolean"},
        "gone": {"type": "null"},
        "address": {"type": ["object", "null"], "properties": {"city": TEXT, "zip": NULLABLE}},
        "lines": {
            "type": "array",
            "items": {"type": "object", "properties": {"id": TEXT, "tax": {"type": ["integer", "null"]}}},
        },
        "parts": {"type": ["array", "null"], "items": {"type": "object", "properties": {"id": TEXT}}},
        "extra": {"type": "object", "additionalProperties": TEXT},
        "anything": {},
    },
    "required": ["id", "total", "currency", "lines", "note", "status", "address", "parts"],
}
TARGET: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": TEXT,
        "name": TEXT,
        "state": {"enum": ["open", "closed"]},
        "count": {"type": "integer"},
        "total": {"$ref": "#/$defs/money"},
        "minor": {"type": "integer", "x-unit": "minor"},
        "major": {"type": "number", "x-unit": "major"},
        "day": {"type": "string", "format": "date"},
        "moment": {"type": "string", "format": "date-time"},
        "flag": {"type": "boolean"},
        "to": {"type": "object", "properties": {"city": TEXT, "zip": TEXT}, "required": ["city"]},
        "lines": {
            "type": "array",
            "items": {"type": "object", "properties": {"id": TEXT, "tax": {"type": "integer"}}, "required": ["id"]},
        },
        "free": {"type": "object"},
    },
    "required": ["id"],
    "$defs": {"money": MONEY},
}
SOURCE_FIELD, TARGET_FIELD = "unknown-source-field", "unknown-target-field"
NULLABLE_INTO, MISSING = "nullable-into-required", "missing-required-target"
LINES = {"each": "lines", "fields": {"id": "id"}}


def flaws(target: dict[str, Any] | None = None, **document: Any) -> list[Flaw]:
    head: dict[str, Any] = {"mapping": "test/one", "version": 1, "from": "a@1", "to": "b@1"}
    fragments = {"wrong": {"city": "town"}}
    mapping = compile_mapping({**head, **document}, {"states": {"open": "open", "paid": "shut"}}, fragments)
    return check(mapping, shape_of(SOURCE), shape_of(target or TARGET))


def needing(*names: str) -> dict[str, Any]:
    return {**TARGET, "required": ["id", *names]}


@pytest.mark.parametrize(
    "fields",
    [
        {"total": "money(total, currency)", "minor": "total", "major": "amount"},
        {"major": "major(money(total, currency))", "total": "money_major(amount, currency)"},
        {"day": "date(created, 'UTC')", "moment": "datetime(created, 'UTC')"},
        {"day": "date(moment, 'UTC')", "name": "note", "state": "status == 'open' && 'open' || 'closed'"},
        {"to": {"of": "address", "fields": {"city": "city", "zip": "zip"}}},
        {"to.city": "address.city", "to.zip": "address.zip"},
        {"name": "anything.whatever", "flag": "anything", "count": "length(lines)"},
        {"name": "extra.of_any_name || maybe", "free.of.any": "id"},
        {"name": "join(' ', [id, note || ''])", "lines": LINES},
        {"lines": {"each": "parts || `[]`", "fields": {"id": "id"}}},
        {"lines": {"each": "lines[?tax]", "fields": {"id": "id", "tax": "tax"}}},
        {"name": {"value": "note", "required": True}, "state": {"value": "table('states', status)", "when": "flag"}},
    ],
)
def test_what_is_right_is_not_told(fields: dict[str, Any]) -> None:
    found = [flaw for flaw in flaws(fields={"id": "id", **fields}) if flaw.certain]
    assert found == []


@pytest.mark.parametrize(
    ("fields", "code", "where", "position", "words"),
    [
        ({"name": "upper(nte)"}, SOURCE_FIELD, ("fields", "name"), 6, "Did you mean `note`?"),
        ({"name": "address.town"}, SOURCE_FIELD, ("fields", "name"), 8, "`town` in `address`"),
        ({"nme": "id"}, TARGET_FIELD, ("fields", "nme"), None, "Did you mean `name`?"),
        ({"to.city": "id", "to.town": "id"}, TARGET_FIELD, ("fields", "to.town"), None, "`to` has no field"),
        ({"to.zip": "id"}, MISSING, ("fields", "to.zip"), None, "`to` needs the field `city`"),
        ({"count": "id"}, "wrong-type", ("fields", "count"), 0, "must be a number, but this gives a text"),
        ({"name": "total"}, "wrong-type", ("fields", "name"), 0, "Write `to_string(…)`."),
        ({"day": "created"}, "wrong-type", ("fields", "day"), 0, "Write `date(…, 'UTC')`"),
        ({"total": "total"}, "wrong-type", ("fields", "total"), 0, "Write `money(…, currency)`."),
        ({"major": "money(total, currency)"}, "wrong-type", ("fields", "major"), 0, "Write `major(…)`"),
        ({"name.first": "id"}, "wrong-type", ("fields", "name.first"), None, "this makes an object of fields"),
        ({"name": LINES}, "wrong-type", ("fields", "name"), None, "this makes a list"),
        ({"lines": {"each": "address", "fields": {"id": "@"}}}, "wrong-type", ("fields", "lines", "each"), 0, "list"),
        ({"total": "{minor: total, currency: currency, more: id}"}, TARGET_FIELD, None, 0, "`total` has no"),
        ({"total": "{minor: total}"}, MISSING, ("fields", "total"), 0, "`total` must have the field"),
        ({"major": "total"}, "wrong-unit", ("fields", "major"), 0, "counts major units, but this gives minor units"),
        ({"minor": "amount"}, "wrong-unit", ("fields", "minor"), 0, "Write `money_major(…, currency).minor`"),
        ({"minor": "created"}, "wrong-unit", ("fields", "minor"), 0, "gives seconds since 1970"),
        ({"total": "money(amount, currency)"}, "wrong-unit", ("fields", "total"), 6, "money_major"),
        ({"total": "money_major(total, currency)"}, "wrong-unit", ("fields", "total"), 12, "money("),
        ({"day": "moment"}, "wrong-format", ("fields", "day"), 0, "Write `date(…, 'UTC')`"),
        ({"moment": "day"}, "wrong-format", ("fields", "moment"), 0, "this gives a `date`"),
        ({"id": "note"}, NULLABLE_INTO, ("fields", "id"), 0, "`required: true`"),
        ({"id": "maybe"}, NULLABLE_INTO, ("fields", "id"), 0, "`maybe` may be null"),
        ({"to.city": "address.zip", "to.zip": "id"}, NULLABLE_INTO, ("fields", "to.city"), 0, ""),
        ({"to.city": "coalesce(note, note)", "to.zip": "id"}, NULLABLE_INTO, ("fields", "to.city"), 0, "be null"),
        ({"id": {"value": "id", "when": "flag"}}, NULLABLE_INTO, ("fields", "id", "value"), 0, "unless `flag`"),
        ({"name": "gone"}, "dead-field", ("fields", "name"), None, "can only be null"),
        ({"to": {"of": "gone", "fields": {"city": "@"}}}, "dead-field", ("fields", "to", "of"), None, "left out"),
        ({"name": {"value": "id", "when": "`false`"}}, "dead-field", ("fields", "name", "when"), None, "never true"),
        ({"state": "'shut'"}, "wrong-type", ("fields", "state"), 0, "takes `open`, `closed`, but this can"),
        ({"state": "table('states', status)"}, "wrong-type", ("fields", "state"), 0, "but this may be `shut`"),
        ({"to": {"use": "wrong", "of": "address"}}, SOURCE_FIELD, ("fields", "to", "use"), None, "`wrong`"),
    ],
)  # fmt: skip
def test_one_flaw(fields: dict[str, Any], code: str, where: Any, position: int | None, words: str) -> None:
    (flaw,) = flaws(fields={"id": "id", **fields})
    assert flaw.code == code
    assert where is None or flaw.spot.where == where
    assert flaw.position == position
    assert words in f"{flaw.detail} {flaw.hint}"


@pytest.mark.parametrize(
    ("name", "field", "words"),
    [
        ("to", {"of": "address", "fields": {"city": "city"}}, "left out when `address` is null"),
        ("lines", {"each": "parts", "fields": {"id": "id"}}, "left out when `parts` is null"),
        ("name", "address.zip", "`address.zip` may be null"),
        ("name", {"value": "note", "default": "=address.zip"}, "`note` may be null"),
    ],
)
def test_a_required_target_wants_what_is_always_there(name: str, field: Any, words: str) -> None:
    (flaw,) = flaws(needing(name), fields={"id": "id", name: field})
    assert (flaw.code, flaw.certain) == ("nullable-into-required", True)
    assert words in flaw.detail
    if isinstance(field, dict):
        assert flaws(needing(name), fields={"id": "id", name: {**field, "required": True}}) == []


def test_all_values_that_do_not_fit_are_counted() -> None:
    many = {"enum": [f"v{number}" for number in range(9)]}
    target = {**TARGET, "properties": {**TARGET["properties"], "state": many}}
    (flaw,) = flaws(target, fields={"id": "id", "state": "'other'"})
    assert "`v7`, …, but this can only be `other`" in flaw.detail


def test_a_condition_rules_values_out() -> None:
    target = {**TARGET, "properties": {**TARGET["properties"], "state": {"enum": ["open", "done"]}}}
    (flaw,) = flaws(target, fields={"id": "id", "state": "status"})
    assert "may be `paid`" in flaw.detail
    for when in ("status == 'open'", "status == 'open' || status == 'done'", "contains(['open'], status)"):
        codes = {flaw.code for flaw in flaws(target, fields={"id": "id", "state": {"value": "status", "when": when}})}
        assert "wrong-type" not in codes


def test_a_default_fills_what_may_be_null() -> None:
    fields = {"id": "id", "name": {"value": "note", "default": "none"}}
    assert flaws(needing("name"), fields=fields) == []


def test_what_nothing_fills_is_told_once() -> None:
    (flaw,) = flaws(needing("total"), fields={"id": "id"})
    assert (flaw.code, flaw.spot.where) == ("missing-required-target", ("fields",))
    assert flaw.detail == "b@1 needs the field `total`, which nothing fills."


def test_what_is_kept_counts_as_filled_and_must_fit() -> None:
    target = {**needing("day", "total"), "properties": {**SOURCE["properties"], "day": TEXT, "total": TEXT}}
    (flaw,) = flaws(target, rest="keep", fields={"name2": "id"}, without=["currency"])[1:]
    assert (flaw.code, flaw.detail) == (
        "wrong-type",
        "`total` must be a text, but what is kept gives a number.",
    )
    found = flaws(needing("state"), rest="keep", without=["id"], fields={"state": "'open'"})
    assert [(flaw.code, flaw.detail) for flaw in found if flaw.code == "missing-required-target"] == [
        ("missing-required-target", "b@1 needs the field `id`, which nothing fills.")
    ]


@pytest.mark.parametrize(
    ("without", "code", "words"),
    [
        ("curency", SOURCE_FIELD, "Did you mean `currency`?"),
        ("lines[].txa", SOURCE_FIELD, "`lines[]` has no field `txa`"),
        ("parts[].id", "dead-field", "`parts` is made anew"),
        ("address.zip", "dead-field", "`address` is made anew"),
    ],
)
def test_what_is_taken_out_must_be_there(without: str, code: str, words: str) -> None:
    fields = {"parts": {"each": "lines", "fields": {"id": "id"}}, "address": "extra", "extra.more": "id"}
    found = flaws({"type": "object"}, rest="keep", without=["note", "extra.any", without], fields=fields)
    assert [(flaw.code, flaw.spot.where) for flaw in found] == [(code, ("without", 2))]
    assert words in f"{found[0].detail} {found[0].hint}"


def test_nothing_is_said_where_a_schema_says_nothing() -> None:
    head = {"mapping": "m", "version": 1, "from": "a@1", "to": "b@1"}
    fields = {"a.b": "x.y.z", "c": {"of": "d", "fields": {"e": "f"}}, "g": {"each": "h", "fields": {"i": "j"}}}
    mapping = compile_mapping({**head, "fields": fields}, {})
    for source in ({}, {"type": "object"}, True):
        assert check(mapping, shape_of(source), shape_of({"type": "object"})) == []
    assert check(mapping, shape_of({}), shape_of({})) == []
