"""The published schemas describe what the lints accept."""

from __future__ import annotations

import jsonschema_rs
import pytest

from hub.workspace.editor_schema import editor_schemas
from hub.workspace.kinds import BESIDE, FileKind, kind_of
from hub.workspace.lint import Lints
from hub.workspace.yaml_source import plain, read_yaml

SCHEMAS = editor_schemas()


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_each_is_a_json_schema(kind: FileKind) -> None:
    jsonschema_rs.meta.validate(SCHEMAS[kind])


def test_a_right_file_fits_the_schema_of_its_kind(files: dict[str, bytes]) -> None:
    checked = set()
    for path, content in files.items():
        kind = kind_of(path)
        if kind not in SCHEMAS:
            continue
        node = read_yaml(content, Lints(path))
        assert node is not None
        kind = next((other for other in BESIDE if other in plain(node)), kind)
        jsonschema_rs.Draft202012Validator(SCHEMAS[kind]).validate(plain(node))
        checked.add(kind)
    assert checked == set(SCHEMAS)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("flows/post.yaml", b"owner:", b"ownr:"),
        ("flows/post.yaml", b"    of: full\n", b"    decide: routing\n"),
        ("flows/post.yaml", b"operation: invoice.read", b"operation: 7"),
        ("mappings/billing/to_hub.yaml", b"version: 1", b"version: one"),
        ("policies/routing.yaml", b"kind: route", b"kind: guess"),
        ("connections/books.yaml", b"concurrency: 5", b"concurrency: 0"),
    ],
)
def test_a_wrong_file_does_not(files: dict[str, bytes], path: str, old: bytes, new: bytes) -> None:
    kind = kind_of(path)
    assert kind is not None
    node = read_yaml(files[path].replace(old, new, 1), Lints(path))
    assert node is not None
    assert not jsonschema_rs.Draft202012Validator(SCHEMAS[kind]).is_valid(plain(node))
