"""The guide to mappings: every example in it works as it says, and every check is in its table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hub
from hub.mapping.flaws import FlawCode
from hub.workspace.catalogue import Catalogue
from hub.workspace.compilation import compile_bundle
from hub.workspace.examples.loading import run_examples
from hub.workspace.files.mapping_file import FILLED

GUIDE = (Path(hub.__file__).parent.parent / "docs" / "mappings.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(yaml|csv)(?: (\w+))?\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)
HEAD = "mapping: guide\nversion: 1\nfrom: any.source@1\nto: any.target@1\n"
ANY = {f"schemas/{name}@1.json": b"{}" for name in ("any.source", "any.target", "shop.order", "canonical.sale")}


def pairs() -> Iterator[tuple[str, str]]:
    """Give each mapping of the guide with the examples after it."""
    mapping = ""
    for kind, _, text in BLOCKS:
        if kind == "yaml" and text.startswith("- example:"):
            yield mapping, text
        elif kind == "yaml" and not text.startswith("fragment:"):
            mapping = text


def shared() -> dict[str, bytes]:
    """Give the tables and fragments of the guide as files."""
    files = {f"mappings/tables/{name}.csv": text.encode() for kind, name, text in BLOCKS if kind == "csv"}
    fragments = [text for kind, _, text in BLOCKS if kind == "yaml" and text.startswith("fragment:")]
    return {**files, **{f"mappings/fragment{place}.yaml": text.encode() for place, text in enumerate(fragments)}}


@pytest.mark.parametrize(("mapping", "examples"), list(pairs()))
def test_every_example_of_the_guide_holds(mapping: str, examples: str) -> None:
    whole = mapping if mapping.startswith("mapping:") else HEAD + mapping
    files = {"mappings/guide.yaml": whole.encode(), "mappings/guide_examples.yaml": examples.encode()}
    bundle, lints = compile_bundle({**ANY, **shared(), **files}, Catalogue())
    assert bundle is not None, [str(lint) for lint in lints]
    results = run_examples(bundle)
    assert {result.example.title: [*map(str, result.differences)] for result in results if not result.passed} == {}
    assert len(results) == examples.count("- example:")


def test_the_guide_has_examples_of_everything() -> None:
    assert len(list(pairs())) >= 7
    assert sum(text.startswith("fragment:") for _, _, text in BLOCKS) == 1


@pytest.mark.parametrize("code", [*FlawCode, "not-reversible"])
def test_every_check_is_in_the_guide(code: str) -> None:
    assert re.search(rf"^\| `{code}` \| (error|warning) \|", GUIDE, flags=re.MULTILINE)


def test_every_key_of_a_field_is_in_the_guide() -> None:
    assert [key for key in FILLED.keys if f"| `{key}` |" not in GUIDE] == []
