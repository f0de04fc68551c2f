"""The published schemas describe what the lints accept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

import hub
from hub.workspace.editor_schema import editor_schemas, folder_schemas
from hub.workspace.kinds import BESIDE, FileKind, kind_of
from hub.workspace.loader import read_files
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import plain, read_yaml
from tests.workspace import composed
from tests.workspace.conftest import encoded

SCHEMAS = editor_schemas()


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_each_is_a_json_schema(kind: FileKind) -> None:
    jsonschema_rs.meta.validate(SCHEMAS[kind])


def test_a_right_file_fits_the_schema_of_its_kind(files: dict[str, bytes]) -> None:
    checked = set()
    for path, content in {**files, **encoded(composed.FILES)}.items():
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
        ("flows/whole.yaml", b"      - name: other\n", b"      - nam: other\n"),
        ("flows/whole.yaml", b"          - id: looked\n", b"          - name: looked\n"),
        ("flows/whole.yaml", b"wait: { for: PT1H }", b"wait: { for: PT1H, until: data.due }"),
        ("flows/whole.yaml", b"concurrency: 4", b"concurrency: many"),
        ("flows/whole.yaml", b"undo: invoice.reverse", b"undo: [invoice.reverse]"),
        ("flows/nightly.yaml", b"zone:", b"timezone:"),
        ("flows/nightly.yaml", b"operation: entity.list", b"operation: entity.list, with: erp/reversal, by: =a"),
        ("flows/post.yaml", b"owner:", b"ownr:"),
        ("flows/post.yaml", b"    of: full\n", b"    decide: routing\n"),
        ("flows/post.yaml", b"operation: invoice.read", b"operation: 7"),
        ("mappings/billing/to_hub.yaml", b"version: 1", b"version: one"),
        ("policies/routing.yaml", b"kind: route", b"kind: guess"),
        ("connections/books.yaml", b"concurrency: 5", b"concurrency: 0"),
    ],
)
def test_a_wrong_file_does_not(files: dict[str, bytes], path: str, old: bytes, new: bytes) -> None:
    kind, content = kind_of(path), {**files, **encoded(composed.FILES)}[path]
    assert kind is not None
    assert old in content
    node = read_yaml(content.replace(old, new, 1), Lints(path))
    assert node is not None
    assert not jsonschema_rs.Draft202012Validator(SCHEMAS[kind]).is_valid(plain(node))


FOLDERS = folder_schemas()
SHIPPED = {
    path: content
    for path, content in read_files(Path(hub.__file__).resolve().parent.parent).items()
    if path.endswith(".yaml")
}


def of_folder(path: str) -> jsonschema_rs.Draft202012Validator:
    """Give the schema that an editor is told for the folder of a file."""
    return jsonschema_rs.Draft202012Validator(FOLDERS[path.partition("/")[0]])


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_each_folder_has_a_json_schema(folder: str) -> None:
    jsonschema_rs.meta.validate(FOLDERS[folder])


@pytest.mark.parametrize("path", sorted(SHIPPED))
def test_every_shipped_file_fits_and_with_one_fault_it_does_not(path: str) -> None:
    node = read_yaml(SHIPPED[path], Lints(path))
    assert node is not None
    document, schema = plain(node), of_folder(path)
    schema.validate(document)
    if isinstance(document, list):
        assert not schema.is_valid([{**document[0], "expcet": 1}])
        assert not schema.is_valid([{key: value for key, value in document[0].items() if key != "in"}])
        return
    assert not schema.is_valid({**document, "nonsense": 1})
    named = next(iter(document))
    assert not schema.is_valid({key: value for key, value in document.items() if key != named})
    assert not schema.is_valid({**document, named: "no name!"})


def _described(schema: Any, where: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Give every key that a schema declares."""
    if isinstance(schema, Mapping):
        for name, inner in schema.get("properties", {}).items():
            yield f"{where}.{name}", inner
        for word, inner in schema.items():
            yield from _described(inner, f"{where}.{word}" if word not in {"properties", "anyOf", "oneOf"} else where)
    elif isinstance(schema, list):
        for inner in schema:
            yield from _described(inner, where)


@pytest.mark.parametrize("folder", sorted(FOLDERS))
def test_every_key_is_described(folder: str) -> None:
    keys = [(where, key) for where, key in _described(FOLDERS[folder]) if isinstance(key, Mapping)]
    assert len(keys) > 3
    assert [where for where, key in keys if len(key.get("description", "")) < 5] == []
