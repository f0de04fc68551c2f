"""Versions of schemas: promises are kept, upcasts can be applied, nobody reads past a sunset; each at its place."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import FixData
from hub.schemas.drift import DriftKind
from hub.schemas.series import Mode
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle
from hub.workspace.source.json_places import place_of, steps_to
from tests.workspace.conftest import SCHEMA

SERIES = "schemas/canonical.thing.yaml"
SECOND = "schemas/canonical.thing@2.json"
UP = b"""\
mapping: thing/up
version: 1
from: canonical.thing@1
to: canonical.thing@2
fields: { id: id, owner: "'nobody'" }
"""
PLAIN_UP = UP.replace(b", owner: \"'nobody'\"", b"")


def second(**changes: Any) -> bytes:
    """Give the second version of the thing: as the first, with top-level keys replaced."""
    return json.dumps({**json.loads(SCHEMA), **changes}, indent=2).encode()


def lints(
    files: dict[str, bytes], catalogue: Catalogue, more: dict[str, bytes], today: date | None = None
) -> list[str]:
    """Give the lints of the small workspace with more files."""
    return [str(lint) for lint in compile_bundle({**files, **more}, catalogue, today=today)[1]]


def test_a_version_that_keeps_its_promise_is_right(files: dict[str, bytes], catalogue: Catalogue) -> None:
    properties = {**json.loads(SCHEMA)["properties"], "note": {"type": "string"}}
    assert lints(files, catalogue, {SECOND: second(properties=properties)}) == []


def test_a_version_that_breaks_its_promise_is_told_at_the_field(files: dict[str, bytes], catalogue: Catalogue) -> None:
    properties = {**json.loads(SCHEMA)["properties"], "kind": {"type": "integer"}, "owner": {"type": "string"}}
    first, last = lints(files, catalogue, {SECOND: second(properties=properties, required=["id", "owner"])})
    promise = "`canonical.thing@2` is not backward compatible with `canonical.thing@1`"
    remedy = "write a mapping from `canonical.thing@1` to `canonical.thing@2`, or begin a new series."
    assert first == (
        f"{SECOND}:7:5: error: {promise}: `kind` may be text in the old version, which the new version does not allow. "
        f"Undo it, {remedy}"
    )
    assert last == (
        f"{SECOND}:13:5: error: {promise}: The new version needs `owner`, which the old version may leave out. "
        f"Make the field optional, {remedy}"
    )


def test_an_upcast_keeps_the_promise(files: dict[str, bytes], catalogue: Catalogue) -> None:
    properties = {**json.loads(SCHEMA)["properties"], "owner": {"type": "string"}}
    broken = {SECOND: second(properties=properties, required=["id", "owner"])}
    assert len(lints(files, catalogue, broken)) == 1
    assert lints(files, catalogue, {**broken, "mappings/thing/up.yaml": UP}) == []


def test_without_a_mode_nothing_is_promised(files: dict[str, bytes], catalogue: Catalogue) -> None:
    series = files[SERIES].replace(b"backward", b"none")
    assert lints(files, catalogue, {SERIES: series, SECOND: b'{"type": "string"}'}) == []


@pytest.mark.parametrize(("mode", "broken"), [("backward", []), ("backward-transitive", ["1"])])
def test_a_transitive_promise_holds_among_all_versions(
    files: dict[str, bytes], catalogue: Catalogue, mode: str, broken: list[str]
) -> None:
    loose: dict[str, Any] = {"type": "object"}
    number = {"type": "object", "properties": {"kind": {"type": "integer"}}}
    files[SERIES] = files[SERIES].replace(b"backward", mode.encode())
    more = {SECOND: json.dumps(loose).encode(), "schemas/canonical.thing@10.json": json.dumps(number).encode()}
    found = lints(files, catalogue, more)
    assert [line.partition("with `canonical.thing@")[2][0] for line in found] == broken


def test_what_a_connectors_version_breaks_is_told_at_the_series_file(
    files: dict[str, bytes], catalogue: Catalogue
) -> None:
    connector = catalogue.connectors["billing"]
    schemas = {"billing.invoice@1": {"type": "object"}, "billing.invoice@2": {"type": "string"}}
    changed = Catalogue(connectors={**catalogue.connectors, "billing": _with_schemas(connector, schemas)})
    series = b"title: Invoice\nseries: billing.invoice\ncompatibility: forward\n"
    (found,) = lints(files, changed, {"schemas/billing.invoice.yaml": series})
    assert found.startswith("schemas/billing.invoice.yaml:2:9: error: `billing.invoice@2` is not forward compatible")


def _with_schemas(connector: Any, schemas: Any) -> Any:
    return type(connector)(**{**{name: getattr(connector, name) for name in connector.__slots__}, "schemas": schemas})


def test_an_upcast_is_given_nothing(files: dict[str, bytes], catalogue: Catalogue) -> None:
    up = UP.replace(b"fields: { id: id, owner: \"'nobody'\" }", b"given: [x]\nfields: { id: \"given('x')\" }")
    (found,) = lints(files, catalogue, {SECOND: second(), "mappings/thing/up.yaml": up})
    assert found.startswith("mappings/thing/up.yaml:5:1: error: A mapping between two versions of one schema is given")


ENDING = b"series: canonical.thing\nversions:\n  1: { deprecated: 2026-01-01, sunset: 2027-01-01 }\n"
DEPRECATED = "`canonical.thing@1` is deprecated since 2026-01-01 and goes on 2027-01-01. Move to `canonical.thing@2`."


@pytest.mark.parametrize(
    ("today", "words"),
    [
        (None, f"warning: {DEPRECATED}"),
        (date(2025, 12, 31), None),
        (
            date(2026, 1, 1),
            "warning: `canonical.thing@1` is deprecated since 2026-01-01 and goes on 2027-01-01. Move to",
        ),
        (date(2027, 1, 1), "error: `canonical.thing@1` is gone since 2027-01-01. Move to `canonical.thing@2`."),
    ],
)
def test_a_version_that_ends_is_told_to_those_who_map_it(
    files: dict[str, bytes], catalogue: Catalogue, today: date | None, words: str | None
) -> None:
    more = {SECOND: second(), SERIES: ENDING, "mappings/thing/up.yaml": PLAIN_UP}
    found = lints(files, catalogue, more, today)
    assert [line.partition(" ")[0] for line in found] == (
        [] if words is None else ["mappings/billing/to_hub.yaml:4:5:", "mappings/erp/from_hub.yaml:3:7:"]
    )
    assert all(line.partition(" ")[2].startswith(words or "") for line in found)


def test_what_ends_without_a_successor_says_so(files: dict[str, bytes], catalogue: Catalogue) -> None:
    found = lints(files, catalogue, {SERIES: ENDING}, date(2028, 1, 1))
    assert len(found) == 2
    assert all(line.endswith("No newer version is registered.") for line in found)


SERIES_MISTAKES = [
    ("series: canonical.thing", "series: canonical.thin", "1:9", "unknown-series", "`canonical.thing`"),
    ("  1:", "  3:", "4:3", "unknown-schema", "`canonical.thing@3`"),
    ("backward", "backwards", "2:16", "bad-value", "`backward`"),
    ("note: First", "sunset: 2026-02-31", "4:16", "bad-value", "calendar"),
    ("note: First", "sunset: soon", "4:16", "bad-value", "2027-03-31"),
    ("note: First", "deprecated: 2026-02-01, sunset: 2026-01-01", "4:40", "bad-order", "later"),
    ("note: First", "nota: First", "4:8", "unknown-key", "`note`"),
]


@pytest.mark.parametrize(("old", "new", "place", "code", "words"), SERIES_MISTAKES)
def test_a_mistake_in_a_series_file_gives_one_line(
    files: dict[str, bytes], catalogue: Catalogue, old: str, new: str, place: str, code: str, words: str
) -> None:
    content = files[SERIES].decode().replace(old, new, 1).encode()
    _, found = compile_bundle({**files, SERIES: content}, catalogue)
    (lint,) = found
    assert (f"{lint.line}:{lint.column}", lint.code) == (place, code), lint
    assert words in str(lint)


SCHEMA_MISTAKES = [
    (
        '"type": "string" },\n    "kind"',
        '"type": "number", "x-unit": "cents" },\n    "kind"',
        "4:41",
        "unknown-unit",
        "minor",
    ),
    ('"required": ["id"]', '"required": [7]', "8:16", "bad-schema", "string"),
    ('"array"', '"aray"', "6:24", "bad-schema", "aray"),
    ('"type": "object"', '"$ref": "https://else.example/schema"', "1:1", "bad-schema", "outside"),
]


@pytest.mark.parametrize(("old", "new", "place", "code", "words"), SCHEMA_MISTAKES)
def test_a_mistake_in_a_schema_is_told_where_it_stands(
    files: dict[str, bytes], catalogue: Catalogue, old: str, new: str, place: str, code: str, words: str
) -> None:
    assert old in SCHEMA
    path = "schemas/canonical.thing@1.json"
    _, found = compile_bundle({**files, path: SCHEMA.replace(old, new, 1).encode()}, catalogue)
    (lint,) = found
    assert (f"{lint.line}:{lint.column}", lint.code) == (place, code), lint
    assert words in str(lint)


@pytest.fixture
def upcasting(files: dict[str, bytes], catalogue: Catalogue) -> Bundle:
    """Give a bundle in which things of the first version become things of the second."""
    properties = {**json.loads(SCHEMA)["properties"], "owner": {"type": "string"}}
    more = {SECOND: second(properties=properties, required=["id", "owner"]), "mappings/thing/up.yaml": UP}
    bundle, found = compile_bundle({**files, **more}, catalogue)
    assert found == []
    assert bundle is not None
    return bundle


@pytest.mark.parametrize("claimed", ["canonical.thing@1", "canonical.thing@1.7", "canonical.thing@0"])
def test_an_old_record_is_read_as_a_new_one(upcasting: Bundle, claimed: str) -> None:
    record = {"id": "T1", "kind": "a"}
    assert upcasting.read_as(claimed, record, "canonical.thing@2") == {"id": "T1", "owner": "nobody"}


@pytest.mark.parametrize("claimed", ["canonical.thing@2", "canonical.thing@3"])
def test_what_can_be_read_as_it_is_comes_back_itself(upcasting: Bundle, claimed: str) -> None:
    record = {"id": "T1"}
    assert upcasting.read_as(claimed, record, "canonical.thing@2") is record


@pytest.mark.parametrize(
    ("claimed", "wanted", "words"),
    [
        ("canonical.thing@2", "erp.invoice@1", "Only another version of `erp.invoice` can be read as one."),
        ("nobody.thing@2", "canonical.thing@1", "Only another version of `canonical.thing` can be read as one."),
    ],
)
def test_where_there_is_no_way_it_says_what_to_write(upcasting: Bundle, claimed: str, wanted: str, words: str) -> None:
    with pytest.raises(FixData, match=words.replace(".", r"\.")) as raised:
        upcasting.read_as(claimed, {}, wanted)
    assert raised.value.code == "no-upcast"


def test_a_missing_upcast_names_the_mapping_to_write(files: dict[str, bytes], catalogue: Catalogue) -> None:
    moved = b'{"type": "object", "properties": {"number": {"type": "string"}}}'
    files[SERIES] = files[SERIES].replace(b"backward", b"none")
    bundle, _ = compile_bundle({**files, SECOND: moved}, catalogue)
    assert bundle is not None
    with pytest.raises(FixData) as raised:
        bundle.read_as("canonical.thing@1.5", {}, "canonical.thing@2")
    assert raised.value.detail == (
        "A record of `canonical.thing@1.5` cannot be read as `canonical.thing@2`. Write a mapping with "
        "`from: canonical.thing@1` and `to: canonical.thing@2`, such as mappings/canonical/thing_to_2.yaml."
    )


DOCUMENT = (Path(__file__).parents[2] / "docs/schemas.md").read_text(encoding="utf-8")
DRIFT = (Path(__file__).parents[2] / "docs/drift.md").read_text(encoding="utf-8")


def test_the_example_of_the_document_is_right(catalogue: Catalogue) -> None:
    series, mapping = re.findall(r"^```yaml\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)
    first = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "customer": {"type": "string"}},
        "required": ["id", "customer"],
    }
    later = {
        "type": "object",
        "properties": {"id": {"type": "string"}, "tax": {"type": "integer"}, "buyer": {"type": "string"}},
        "required": ["id", "buyer"],
    }
    files = {
        "schemas/shop.order.yaml": series.encode(),
        "schemas/shop.order@1.json": json.dumps(first, indent=2).encode(),
        "schemas/shop.order@2.json": json.dumps(later, indent=2).encode(),
    }
    (lint,) = compile_bundle(files, catalogue)[1]
    told = " ".join(DOCUMENT.split())
    assert f"error: {' '.join(f'{lint.message} {lint.hint}'.split())}" in told
    bundle, lints = compile_bundle({**files, "mappings/shop/order_1_to_2.yaml": mapping.encode()}, catalogue)
    assert lints == []
    assert bundle is not None
    made = bundle.read_as("shop.order@1", {"id": "a", "customer": "c"}, "shop.order@2")
    assert made == {"id": "a", "buyer": "c"}


def test_every_mode_lint_and_kind_of_drift_is_documented() -> None:
    words = [*Mode, "incompatible-version", "deprecated-version", "sunset-version", "no-upcast"]
    assert [word for word in words if f"`{word}`" not in DOCUMENT] == []
    assert [kind for kind in DriftKind if f"`{kind}`" not in DRIFT] == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12,
)


@given(value=JSON, data=st.data(), indent=st.sampled_from([None, 2]))
def test_every_place_of_a_json_text_is_found(value: Any, data: st.DataObject, indent: int | None) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=data.draw(st.booleans()))
    steps: list[str | int] = []
    here = value
    while isinstance(here, dict | list) and here:
        step = data.draw(st.sampled_from(sorted(here) if isinstance(here, dict) else range(len(here))))
        steps.append(step)
        here = here[step]
    place = place_of(text.encode(), steps)
    lines = text.split("\n")
    rest = "\n".join([lines[place.line - 1][place.column - 1 :], *lines[place.line :]])
    found, end = json.JSONDecoder().raw_decode(rest)
    if isinstance(here, dict | list) and steps and isinstance(steps[-1], str):
        assert found == steps[-1]
        assert rest[end:].lstrip().startswith(":")
    else:
        assert found == here


@given(st.binary(max_size=60))
def test_no_text_is_too_broken_to_be_looked_into(content: bytes) -> None:
    place = place_of(content, ["a", 0])
    assert place.line >= 1
    assert place.column >= 1


def test_a_field_is_found_through_references() -> None:
    document = {
        "properties": {"lines": {"items": {"$ref": "#/$defs/line"}}},
        "$defs": {"line": {"allOf": [{"properties": {"n": {}}}]}},
    }
    assert steps_to(document, "lines[].n") == ["$defs", "line", "allOf", 0, "properties", "n"]
    assert steps_to(document, "lines[].gone.deeper") == ["properties", "lines", "items"]
    assert steps_to(document, "") == []
