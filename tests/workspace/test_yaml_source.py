"""YAML as configuration needs it: exact, without surprises, and with places."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import MAX_BYTES, Keyed, Scalar, plain, read_yaml


def read(text: str) -> object:
    lints = Lints("file.yaml")
    node = read_yaml(text.encode(), lints)
    assert lints.found == []
    assert node is not None
    return plain(node)


def refused(content: bytes) -> str:
    lints = Lints("file.yaml")
    assert read_yaml(content, lints) is None
    assert len(lints.found) == 1
    return str(lints.found[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("1.10", Decimal("1.10")),
        ("0x1F", 31),
        ("0o17", 15),
        ("-12", -12),
        ("0", 0),
        ("0.5", Decimal("0.5")),
        ("1e3", Decimal(1000)),
        ("12:30:45", "12:30:45"),
        ("2026-01-31", "2026-01-31"),
        ("1_000", "1_000"),
        ("'012'", "012"),
        ('"1.10"', "1.10"),
        ("NO", "NO"),
    ],
)
def test_scalars_mean_what_the_core_schema_says(text: str, value: object) -> None:
    read_value = read(f"key: {text}")
    assert read_value == {"key": value}
    assert isinstance(read_value, dict)
    assert type(read_value["key"]) is type(value)


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (b"a: 012", "1:4", "may be text or a number"),
        (b"a: -007.5", "1:4", "may be text or a number"),
        (b"a: .nan", "1:4", "finite"),
        (b"a: 1e999", "1:4", "out of range"),
        (b"a: " + b"9" * 5000, "1:4", "out of range"),
        (b"a: &x 1\nb: *x", "1:4", "Anchors"),
        (b"a: *x", "1:4", "Anchors"),
        (b"a: !!str 1", "1:4", "Tags"),
        (b"b: 1\n<<: {a: 1}", "2:1", "Merge keys"),
        (b"a: 1\nb: 2\na: 3", "3:1", "the first is on line 1"),
        (b"%YAML 1.1\n---\na: no", "2:1", "Directives"),
        (b"a: 1\n---\nb: 1", "2:1", "one document"),
        (b"", "1:1", "empty"),
        (b"# only a comment\n", "1:1", "empty"),
        (b"? [a, b]\n: 1", "1:3", "A key must be a word"),
        (b": 1", "1:1", "A key is missing"),
        (b"a: \xff", "1:1", "UTF-8"),
        (b"a: 1\nb: \x07", "2:4", "control character"),
        (b'a: "\\q"', "1:6", "YAML"),
        (b"[" * 100, "1:33", "deeper than 32"),
        (b"a: '" + b"x" * MAX_BYTES + b"'", "1:1", "larger than 256 KiB"),
    ],
)
def test_what_a_configuration_file_must_not_hold_is_refused(content: bytes, place: str, words: str) -> None:
    line = refused(content)
    assert line.startswith(f"file.yaml:{place}: error: "), line
    assert words in line


def test_every_key_and_value_knows_its_place() -> None:
    lints = Lints("file.yaml")
    node = read_yaml(b"first: 1\nsecond:\n  - { inner:   'text' }\n", lints)
    assert isinstance(node, Keyed)
    entry = node.entries["second"]
    assert (entry.key.line, entry.key.column) == (2, 1)
    inner = entry.value.items[0]  # type: ignore[union-attr]
    assert isinstance(inner, Keyed)
    value = inner.entries["inner"].value
    assert isinstance(value, Scalar)
    assert (value.line, value.column, value.inset, value.text) == (3, 16, 1, "text")


def test_a_byte_order_mark_does_not_count() -> None:
    assert read("\ufeffa: 1") == {"a": 1}


def test_a_document_that_was_read_before_is_not_read_anew_and_its_mistakes_are_told_each_time() -> None:
    right, wrong = b"a: [1, 2]\n", b"a: 1\na: 2\n"
    assert read_yaml(right, Lints("one.yaml")) is read_yaml(bytes(bytearray(right)), Lints("two.yaml"))
    for path in ("one.yaml", "two.yaml"):
        lints = Lints(path)
        assert read_yaml(wrong, lints) is None
        assert [lint.path for lint in lints.found] == [path]
