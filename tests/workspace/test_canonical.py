"""The canonical records: what they take, what they refuse, what they mean in books, and that they are documented."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from hub.schemas.shape import Unit, shape_of
from hub.workspace.checks.postings import compile_books
from hub.workspace.files.schemas import compile_schema
from tests.workspace.canonical_document import DOCUMENT, ORDER, canonical_schemas, render
from tests.workspace.canonical_examples import EXAMPLES, NEAR_MISSES

SCHEMAS = canonical_schemas()
COMPILED = {name: compile_schema(name, document) for name, document in SCHEMAS.items()}


def of(series: str) -> str:
    """Name the newest version of a canonical record."""
    return max(name for name in SCHEMAS if name.startswith(f"canonical.{series}@"))


def test_every_record_of_the_money_path_is_there() -> None:
    assert {name.partition("@")[0].removeprefix("canonical.") for name in SCHEMAS} == set(ORDER) == set(EXAMPLES)


@pytest.mark.parametrize("series", ORDER)
def test_a_believable_document_fits(series: str) -> None:
    assert COMPILED[of(series)].problems(EXAMPLES[series]) == []


@pytest.mark.parametrize("series", ORDER)
def test_every_required_field_is_needed_and_no_other_field_is_taken(series: str) -> None:
    document = SCHEMAS[of(series)]
    for name in document["required"]:
        less = {key: value for key, value in EXAMPLES[series].items() if key != name}
        assert COMPILED[of(series)].problems(less), name
    assert COMPILED[of(series)].problems({**EXAMPLES[series], "external_ids": {}})


@pytest.mark.parametrize(("series", "path", "value"), NEAR_MISSES)
def test_a_near_miss_is_refused(series: str, path: tuple[str | int, ...], value: Any) -> None:
    record: Any = copy.deepcopy(EXAMPLES[series])
    place = record
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    assert COMPILED[of(series)].problems(record)


@pytest.mark.parametrize(
    ("model", "more"),
    [
        ("flat", {"unit_amount": {"minor": 9900, "currency": "USD"}}),
        ("per_unit", {"unit_amount": {"minor": Decimal("0.0042"), "currency": "USD"}}),
        ("package", {"package": {"size": 1000, "amount": {"minor": 500, "currency": "USD"}}}),
        ("volume", {"tiers": [{"unit_amount": {"minor": 10, "currency": "USD"}}]}),
        ("stairstep", {"tiers": [{"flat_amount": {"minor": 1000, "currency": "USD"}}]}),
        ("percentage", {"percentage": Decimal("2.9")}),
    ],
)
def test_each_model_of_a_price_needs_what_it_computes_with(model: str, more: Mapping[str, Any]) -> None:
    bare = {"id": "p", "product_id": "x", "currency": "USD", "model": model, "status": "active"}
    assert COMPILED[of("price")].problems({**bare, **more}) == []
    assert COMPILED[of("price")].problems(bare)


def _parts(part: Any, where: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give every declared field of a schema, those of its parts included."""
    for word, inner in part.get("$defs", {}).items():
        yield from _parts(inner, word)
    for name, field in part.get("properties", {}).items():
        yield f"{where}.{name}", field
        if "allOf" not in field:
            yield from _parts(field, name)
        yield from _parts(field.get("items", {}), name)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_every_field_has_its_meaning_and_every_amount_its_unit(name: str) -> None:
    fields = list(_parts(SCHEMAS[name]))
    assert [where for where, field in fields if not field.get("description", "").strip().endswith(".")] == []
    minor = [field for where, field in fields if where.endswith(".minor")]
    assert all(field.get("x-unit") == "minor" for field in minor)
    systems = {system for _, field in fields for system in field.get("x-sources", {})}
    assert systems
    assert systems <= {"stripe", "netsuite", "salesforce", "sap", "avatax"}


def test_an_id_of_another_record_says_whose() -> None:
    of_lines_or_elsewhere = {"external_id", "invoice_line_id", "line_id"}
    untold = [
        (name, where)
        for name, schema in SCHEMAS.items()
        for where, field in _parts(schema)
        if where.endswith("_id")
        and "`id` of" not in field["description"]
        and "legal entity" not in field["description"]
    ]
    assert {where.rpartition(".")[2] for _, where in untold} - of_lines_or_elsewhere == {"customer_id"}
    assert ("canonical.posted_invoice@1", ".customer_id") in untold, "an ERP's own id"
    assert ("canonical.posted_credit_memo@1", ".customer_id") in untold, "an ERP's own id"


def test_money_is_told_from_numbers_by_the_check_of_mappings() -> None:
    shape = shape_of(SCHEMAS[of("invoice")])
    assert shape.fields["total"].fields["minor"].unit is Unit.MINOR
    lines = shape.fields["lines"].items
    assert lines is not None
    assert lines.fields["amount"].fields["minor"].unit is Unit.MINOR


BOOKED = {
    "invoice": {"receivable": "119", "revenue prod_platform": "100", "tax payable": "19"},
    "credit_memo": {"receivable": "-11.9", "revenue prod_platform": "-10", "tax payable": "-1.9"},
    "payment": {"bank": "107.1", "receivable": "-107.1"},
    "refund": {"bank": "-11.9", "receivable": "11.9"},
    "tax_document": {"tax payable": "19"},
    "posted_invoice": {"receivable": "119", "revenue": "100", "tax payable": "19"},
    "posted_credit_memo": {"receivable": "-11.9", "revenue": "-10", "tax payable": "-1.9"},
    "journal_entry": {"1200": "119", "2400": "-100", "3806": "-19"},
}


@pytest.mark.parametrize("series", ORDER)
def test_what_a_record_means_in_books(series: str) -> None:
    books = compile_books(of(series), SCHEMAS[of(series)], {})
    assert books is not None
    assert books.called(EXAMPLES[series])
    moved = books.postings(EXAMPLES[series], entity="US01", currency=None)
    assert {place.account: amount for place, amount in moved.items()} == {
        account: Decimal(amount) for account, amount in BOOKED.get(series, {}).items()
    }
    assert {place.currency for place in moved} <= {"EUR"}
    if "entity" in SCHEMAS[of(series)]["required"]:
        assert {place.entity for place in moved} <= {"DE01"}


def test_the_document_says_what_the_schemas_say() -> None:
    hint = "run `python tests/workspace/canonical_document.py`"
    assert DOCUMENT.read_text(encoding="utf-8") == render(SCHEMAS), hint
