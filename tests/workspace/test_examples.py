"""Examples beside mappings: run, and told field by field where they differ."""

from __future__ import annotations

from decimal import Decimal

from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle
from hub.workspace.examples.differences import differences
from hub.workspace.examples.loading import run_examples

EXAMPLES = "mappings/billing/to_hub_examples.yaml"


def results(files: dict[str, bytes], catalogue: Catalogue, examples: str) -> dict[str, tuple[str, ...]]:
    bundle, lints = compile_bundle({**files, EXAMPLES: examples.encode()}, catalogue)
    assert bundle is not None, lints
    return {result.example.title: tuple(map(str, result.differences)) for result in run_examples(bundle)}


def test_an_example_that_holds_has_no_differences(files: dict[str, bytes], catalogue: Catalogue) -> None:
    bundle, _ = compile_bundle(files, catalogue)
    assert bundle is not None
    assert [(result.passed, result.example.line) for result in run_examples(bundle)] == [(True, 1)]


def test_each_difference_names_its_field(files: dict[str, bytes], catalogue: Catalogue) -> None:
    examples = """\
- example: wrong in three places
  in: { id: T1, kind: a, lines: { data: [{ number: 1 }, { number: 2 }] } }
  expect: { id: T2, kind: first, missing: 1, lines: [{ number: 1 }, { number: 3 }] }
- example: too few lines
  in: { id: T1, kind: a, lines: { data: [] } }
  expect: { lines: [{ number: 1 }] }
- example: what is made must fit the schema
  in: { id: 1, kind: a, lines: { data: [] } }
  expect: { kind: first }
- example: it should have failed
  in: { id: T1, kind: a, lines: { data: [] } }
  fails: not-in-table
"""
    assert results(files, catalogue, examples) == {
        "wrong in three places": (
            "id: 'T1' came, expected 'T2'",
            "missing: nothing came, expected 1",
            "lines[1].number: 2 came, expected 3",
        ),
        "too few lines": ("lines: 0 entries came, expected 1",),
        "what is made must fit the schema": ('id: 1 is not of type "string"',),
        "it should have failed": ("it should fail with not-in-table",),
    }


def test_an_error_may_be_what_is_expected(files: dict[str, bytes], catalogue: Catalogue) -> None:
    files["mappings/billing/to_hub.yaml"] = files["mappings/billing/to_hub.yaml"].replace(b", 'other')", b")")
    examples = """\
- example: refused
  in: { id: T1, kind: z, lines: { data: [] } }
  fails: not-in-table
- example: refused for another reason
  in: { id: T1, kind: z, lines: { data: [] } }
  fails: too-many-digits
"""
    found = results(files, catalogue, examples)
    assert found["refused"] == ()
    assert found["refused for another reason"][0].startswith("it failed with not-in-table: ")


def test_the_input_may_be_a_file_with_exact_numbers(files: dict[str, bytes], catalogue: Catalogue) -> None:
    files["mappings/billing/fixtures/one.json"] = b'{"id": "T1", "lines": {"data": [{"number": 1.10}]}}'
    examples = "- example: from a file\n  in: fixtures/one.json\n  expect: { lines: [{ number: 1.1 }] }\n"
    assert results(files, catalogue, examples) == {"from a file": ()}


def test_numbers_are_compared_by_value_and_by_kind() -> None:
    assert list(map(str, differences({"a": Decimal("1.0")}, {"a": 1}))) == []
    assert list(map(str, differences({"a": True}, {"a": 1}))) == ["a: 1 came, expected True"]
    assert list(map(str, differences({"a": "1"}, {"a": 1}))) == ["a: 1 came, expected '1'"]
    assert list(map(str, differences({"a": None}, {}))) == []
