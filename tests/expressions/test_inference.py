"""What an expression gives, and which mistakes are seen before any data is."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hub.expressions.compiler import compile
from hub.expressions.functions.catalogue import FUNCTIONS
from hub.expressions.inference import Inferred, infer, money_shape
from hub.model.kinds import ANY, Kind
from hub.schemas.shape import ANYTHING, Shape, Unit, shape_of

ROOT = Path(__file__).parents[2]
MONEY = {
    "type": "object",
    "properties": {"minor": {"type": "integer", "x-unit": "minor"}, "currency": {"type": "string"}},
    "required": ["minor", "currency"],
    "additionalProperties": False,
}
INVOICE = shape_of(
    {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "currency": {"type": "string"},
            "note": {"type": ["string", "null"]},
            "total": {"type": "integer", "x-unit": "minor"},
            "tax": {"type": ["integer", "null"], "x-unit": "minor"},
            "price": {"type": "number", "x-unit": "major"},
            "created": {"type": "integer", "x-unit": "unix-seconds"},
            "issued_on": {"type": "string", "format": "date"},
            "sent_at": {"type": "string", "format": "date-time"},
            "link": {"type": "string", "format": "uri"},
            "status": {"enum": ["draft", "open", "paid"]},
            "paid": {"type": "boolean"},
            "quantity": {"type": "number"},
            "amount": MONEY,
            "address": {
                "type": ["object", "null"],
                "properties": {"city": {"type": ["string", "null"]}, "country": {"type": "string"}},
                "required": ["city", "country"],
            },
            "shipping": {"type": ["object", "null"], "properties": {"city": {"type": "string"}}},
            "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
            "lines": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "id": {"type": "string"},
                        "amount": {"type": "integer", "x-unit": "minor"},
                        "kind": {"enum": ["fee", "item"]},
                        "taxes": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {"amount": {"type": "integer", "x-unit": "minor"}},
                                "required": ["amount"],
                            },
                        },
                        "total": MONEY,
                    },
                    "required": ["id", "amount", "kind", "taxes", "total"],
                },
            },
            "anything": True,
        },
        "required": [
            "id", "currency", "note", "total", "tax", "price", "created", "issued_on", "sent_at", "link", "status",
            "paid", "quantity", "amount", "address", "shipping", "metadata", "lines",
        ],
    }
)  # fmt: skip
TABLES = {"terms": {"draft": "NET0", "open": "NET30", "paid": "NET0"}, "other": {"x": "y"}}
GIVEN = {"customer": Shape(kinds=frozenset({Kind.STRING}))}


def look(text: str) -> Inferred:
    return infer(compile(text), INVOICE, given=GIVEN, tables=TABLES)


def spoken(shape: Shape) -> str:
    """Write a shape in short: `number|null`, with its unit, format and elements."""
    words = "any" if shape.kinds == ANY else "|".join(sorted(shape.kinds))
    unit = f" {shape.unit}" if shape.unit else ""
    whole = " whole" if shape.whole else ""
    form = f" {shape.format}" if shape.format else ""
    items = f" of ({spoken(shape.items)})" if shape.items is not None and len(shape.items.kinds) < 5 else ""
    return f"{words}{unit}{whole}{form}{items}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id", "string"),
        ("note", "null|string"),
        ("total", "number minor whole"),
        ("tax", "null|number minor whole"),
        ("anything", "any"),
        ("anything.more[0].of[*].it", "array|null"),
        ("address.country", "null|string"),
        ("address.city", "null|string"),
        ("metadata.order", "null|string"),
        ("lines[0].amount", "null|number minor whole"),
        ("lines[].amount", "array of (number minor whole)"),
        ("lines[*].taxes", "array of (array of (object))"),
        ("lines[].taxes[].amount", "array of (number minor whole)"),
        ("lines[1:].id", "array of (string)"),
        ("lines[?kind == 'fee'].amount", "array of (number minor whole)"),
        ("shipping.*", "array|null of (string)"),
        ("{a: id, b: total}.b", "number minor whole"),
        ("[id, note]", "array of (null|string)"),
        ("address.{a: city}", "null|object"),
        ("note || id", "string"),
        ("note || tax", "null|number|string minor whole"),
        ("note && tax", "null|number|string minor whole"),
        ("paid && id || `null`", "null|string"),
        ("quantity > `0` && quantity || `1`", "number"),
        ("status == 'open'", "boolean"),
        ("id < note", "boolean|null"),
        ("!id", "boolean"),
        ("coalesce(note, id)", "string"),
        ("coalesce(note, address.city)", "null|string"),
        ("coalesce(address, shipping).city", "null|string"),
        ("not_null(tax, `0`)", "number minor whole"),
        ("sum(lines[].amount)", "number minor whole"),
        ("sum(lines[].amount || `[]`)", "number minor whole"),
        ("avg(lines[].amount)", "null|number minor"),
        ("max(lines[].amount)", "null|number minor whole"),
        ("add(total, `5`)", "number minor whole"),
        ("subtract(created, created)", "number whole"),
        ("multiply(total, quantity)", "number minor"),
        ("multiply(price, `100`)", "number"),
        ("divide(total, `100`, `2`, 'exact')", "number"),
        ("divide(total, total, `4`, 'half_up')", "number"),
        ("round(price, `0`, 'half_up')", "number major whole"),
        ("abs(total)", "number minor whole"),
        ("ceil(price)", "number major whole"),
        ("money(total, currency)", "object"),
        ("money(tax, currency)", "null|object"),
        ("money(tax, currency).minor", "null|number minor whole"),
        ("major(amount)", "number major"),
        ("major(money(tax, 'EUR'))", "null|number major"),
        ("money_sum(lines[].total)", "null|object"),
        ("money_sum(lines[].total, currency)", "object"),
        ("date(created, 'UTC')", "string date"),
        ("date(tax || created, 'UTC')", "string date"),
        ("datetime(sent_at, 'UTC')", "string date-time"),
        ("add_days(issued_on, `30`)", "string date"),
        ("upper(note)", "null|string"),
        ("to_number(id)", "null|number"),
        ("to_number(total)", "number minor whole"),
        ("to_array(id)", "array of (string)"),
        ("keys(address)", "array of (string)"),
        ("values(metadata)", "array of (string)"),
        ("merge(address, {id: id}).id", "string"),
        ("sort_by(lines, &amount)", "array of (object)"),
        ("max_by(lines, &amount).id", "null|string"),
        ("map(&amount, lines)", "array of (number minor whole)"),
        ("length(lines)", "number whole"),
        ("table('terms', status)", "string"),
        ("table('terms', note, `null`)", "null|string"),
        ("table('elsewhere', id)", "any"),
        ("given('customer')", "string"),
        ("given('other')", "any"),
        ("lines[].root().id", "array of (string)"),
    ],
)
def test_what_it_gives(text: str, expected: str) -> None:
    found = look(text)
    assert spoken(found.shape) == expected
    assert found.findings == ()


@pytest.mark.parametrize(
    ("text", "position", "code", "words"),
    [
        ("totl", 0, "unknown-field", "There is no field `totl`. Did you mean `total`?"),
        ('status == "open"', 10, "unknown-field", "`open`. A text is written 'open', in single quotes."),
        ("coalesce(id, null)", 13, "unknown-field", "`null`. The value is written `null` in backquotes."),
        ("lines[].amont", 8, "unknown-field", "in `lines[]`. Did you mean `amount`?"),
        ("coalesce(address, shipping).town", 28, "unknown-field", "no field `town`"),
        ("a || id", 0, "unknown-field", "`a`"),
        ("{x: id}.y", 8, "unknown-field", "`y`"),
        ("lines[?knd == 'fee'].id", 7, "unknown-field", "`kind`"),
        ("sort_by(lines, &amnt)", 16, "unknown-field", "`amount`"),
        ("id.x", 3, "wrong-type", "`id` is a text and has no field `x`"),
        ("id[]", 0, "wrong-type", "`id` is a text, not a list"),
        ("total[*].x", 0, "wrong-type", "`total` is a number, not a list"),
        ("lines.amount", 6, "wrong-type", "`lines` is a list and has no field `amount`. Write `[].amount` behind it"),
        ("money(id, currency)", 6, "wrong-type", "takes minor units as its minor, but `id` is a text"),
        ("major(total)", 6, "wrong-type", "takes money as its money, but `total` is a number"),
        ("major(address)", 6, "wrong-type", "has no `currency` and `minor`"),
        ("sum(lines[].id)", 4, "wrong-type", "takes a list of a number"),
        ("money_sum(lines)", 10, "wrong-type", "no `currency`"),
        ("upper(total)", 6, "wrong-type", "takes a string"),
        ("id < total", 0, "wrong-type", "unlike kinds"),
        ("paid > `0`", 0, "wrong-type", "have an order"),
        ("money(price, currency)", 6, "wrong-unit", "counts major units of a currency; money_major("),
        ("money_major(total, currency)", 12, "wrong-unit", "counts minor units of a currency; money("),
        ("money(created, currency)", 6, "wrong-unit", "counts seconds since 1970"),
        ("date(total, 'UTC')", 5, "wrong-unit", "counts minor units"),
        ("datetime(price, 'UTC')", 9, "wrong-unit", "counts major units"),
        ("add(total, price)", 11, "wrong-unit", "cannot be added"),
        ("subtract(major(amount), amount.minor)", 24, "wrong-unit", "cannot be added or subtracted"),
        ("total > price", 0, "wrong-unit", "`price` major units"),
        ("add_days(issued_on, total)", 20, "wrong-unit", "a whole number as its days"),
        ("money_add(money(total, 'EUR'), money(total, 'USD'))", 31, "wrong-unit", "in EUR and in USD"),
        ("add_days(sent_at, `1`)", 9, "wrong-format", "`date-time`; date(moment, zone)"),
        ("date(link, 'UTC')", 5, "wrong-format", "`uri`"),
        ("issued_on < sent_at", 0, "wrong-format", "`issued_on` is a date, but `sent_at` a moment"),
        ("status == 'opne'", 0, "never-true", "`status` is never 'opne' (did you mean `open`?)"),
        ("status != 'opne'", 0, "always-true", "`status` is never 'opne'"),
        ("total == '5'", 0, "never-true", "`total` is a number and the right side is a text"),
        ("lines[?kind == 'fees']", 7, "never-true", "`lines[].kind` is never 'fees'"),
        ("contains(['EUR'], status)", 18, "never-true", "never an element"),
        ("table('other', status)", 15, "not-in-table", "`draft`, `open`, `paid`"),
        ("table('terms', status) == 'NET31'", 0, "never-true", "'NET31'"),
    ],
)
def test_what_cannot_be_right(text: str, position: int, code: str, words: str) -> None:
    (finding,) = look(text).findings
    assert (finding.code, finding.position) == (code, position)
    assert words in finding.detail


def test_a_finding_names_the_path_in_the_source() -> None:
    lines = look("lines").shape.items
    assert lines is not None
    (finding,) = infer(compile("taxes[].amnt"), lines, root=INVOICE, at="lines[]").findings
    assert finding.path == "lines[].taxes[].amnt"


def test_all_findings_come_in_the_order_of_the_text() -> None:
    findings = look("[b, c, money(price, a)]").findings
    assert [finding.position for finding in findings] == [1, 4, 13, 20]


@pytest.mark.parametrize(
    "text",
    [
        "note == `null`",
        "tax != `null`",
        "lines[?taxes].taxes[].amount",
        "lines[?taxes != `null` && taxes[0].amount > `0`].id",
        "address && address.city || shipping.city",
        "(note || id) == 'x'",
        "contains(id, 'x')",
        "contains(['draft', 'other'], status)",
        "anything == `5` || anything.x[0] == 'a'",
        "add(anything, total)",
        "money_sum(lines[].money(amount, root().currency), currency)",
        "metadata.entity || table('terms', address.country, 'x')",
        "total == `0.00`",
        "sum([total, `0`])",
        "max([`1`, `2`]) == `2`",
        "to_array(lines)[0].id",
        "merge(metadata, {a: total}).b",
        "`[]` | [0].x",
    ],
)
def test_nothing_is_said_about_what_may_be_right(text: str) -> None:
    assert look(text).findings == ()


def test_a_condition_narrows_what_follows_it() -> None:
    assert spoken(look("tax && add(tax, `1`)").shape) == "null|number minor whole"
    fees = look("lines[?kind == 'fee'].kind").shape.items
    assert fees is not None and spoken(fees) == "string" and fees.values == ("fee",)
    assert spoken(look("[@][?note != `null`].note | [0:1]").shape) == "array of (string)"
    assert spoken(look("[@][?address.city].address.city").shape) == "array of (string)"


@pytest.mark.parametrize(
    "condition",
    [
        "status == 'open' || status == 'paid'",
        "contains(['open', 'paid'], status)",
        'contains(`["open", "paid"]`, status)',
    ],
)
def test_one_of_several_conditions_narrows_to_what_any_of_them_leaves(condition: str) -> None:
    shape = look(f"({condition}) && status || 'open'").shape
    assert shape.values is not None and set(shape.values) == {"open", "paid"}
    assert look(f"[@][?{condition} || id].status").shape.items != look(f"[@][?{condition}].status").shape.items


def test_money_has_its_currency() -> None:
    assert look("money(total, 'eur')").shape == money_shape(("EUR",))
    assert money_shape().fields["minor"].unit is Unit.MINOR


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_gives_a_shape_of_its_kinds(name: str) -> None:
    function = FUNCTIONS[name]
    assert function.result.kinds == function.gives
    call = ", ".join("&@" if parameter.reference else "@" for parameter in function.parameters)
    found = infer(compile(f"{name}({call})"), ANYTHING)
    assert found.findings == ()
    assert found.shape.kinds <= function.gives


def _findings(fields: dict[str, Any], current: Shape, root: Shape, tables: dict[str, dict[str, str]]) -> list[str]:
    found: list[str] = []
    for name, value in fields.items():
        if isinstance(value, str):
            found += [
                f"{name}: {one.detail}" for one in infer(compile(value), current, root=root, tables=tables).findings
            ]
        elif isinstance(value, dict) and isinstance(value.get("each"), str):
            each = infer(compile(value["each"]), current, root=root, tables=tables)
            found += [f"{name}: {finding.detail}" for finding in each.findings]
            found += _findings(value.get("fields", {}), each.shape.items or ANYTHING, root, tables)
    return found


def test_nothing_is_said_about_the_shipped_mappings() -> None:
    schemas = {
        path.stem: shape_of(json.loads(path.read_text("utf-8")))
        for path in (*ROOT.glob("schemas/*.json"), *ROOT.glob("connectors/*/schemas/*.json"))
    }
    tables = {
        path.stem: {row["key"]: row["value"] for row in csv.DictReader(path.read_text("utf-8").splitlines())}
        for path in ROOT.glob("mappings/tables/*.csv")
    }
    said: dict[str, list[str]] = {}
    for path in ROOT.glob("mappings/*/*.yaml"):
        document = YAML(typ="safe").load(path.read_text("utf-8"))
        if isinstance(document, dict) and document.get("from") in schemas:
            source = schemas[document["from"]]
            repeated = {key: value for key, value in document.items() if isinstance(value, dict) and "each" in value}
            said[document["mapping"]] = _findings({**document["fields"], **repeated}, source, source, tables)
    assert len(said) > 50
    assert {mapping: findings for mapping, findings in said.items() if findings} == {}


def test_nothing_is_said_about_the_shipped_policies() -> None:
    invoice = shape_of(json.loads((ROOT / "schemas/canonical.invoice@1.json").read_text("utf-8")))
    scope = Shape(
        kinds=frozenset({Kind.OBJECT}), fields={"invoice": invoice}, required=frozenset({"invoice"}), rest=ANYTHING
    )
    said = {told: infer(compile(text), scope).findings for told, text in _decisions()}
    assert len(said) > 50
    assert {told: findings for told, findings in said.items() if findings} == {}


def _decisions() -> Iterator[tuple[str, str]]:
    for path in sorted(ROOT.glob("policies/*.yaml")):
        document = YAML(typ="safe").load(path.read_text("utf-8"))
        for rule in document.get("rules", ()) if isinstance(document, dict) else ():
            outputs = [value[1:] for value in rule["then"].values() if isinstance(value, str) and value[:1] == "="]
            for text in [rule.get("when", "`true`"), *outputs]:
                yield f"{document['policy']}: {text}", text
