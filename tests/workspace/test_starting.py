"""The workspace that `concord init` writes is right, small, and never written over anything."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest

from hub.connections.registry import load_connectors
from hub.errors import Refused
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.editor_schema import folder_schemas
from hub.workspace.examples.loading import run_examples
from hub.workspace.kinds import EXAMPLES_ENDING
from hub.workspace.loader import read_files
from hub.workspace.source.lint import Lints
from hub.workspace.source.yaml_source import plain, read_yaml
from hub.workspace.starting import VERSIONS, start_workspace, starter_files

FILES = starter_files()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = start_workspace(tmp_path_factory.mktemp("started"), FILES).folder
    compiled, lints = compile_bundle(read_files(folder), catalogue_of([*load_connectors().values()]))
    assert [str(lint) for lint in lints] == []
    assert compiled is not None
    return compiled


def test_it_is_right_and_all_its_examples_hold(bundle: Bundle) -> None:
    results = run_examples(bundle)
    assert len(results) >= len(bundle.mappings)
    assert [result.differences for result in results if not result.passed] == []


def test_it_has_one_of_everything_and_is_small(bundle: Bundle) -> None:
    assert 1 <= len(bundle.flows) <= 2
    assert bundle.mappings and bundle.policies and bundle.tables and bundle.connections and bundle.environments
    assert {example.name for example in bundle.examples} >= set(bundle.mappings)
    assert "README.md" in FILES
    assert sum(not path.startswith(VERSIONS) for path in FILES) < 25


def test_every_case_it_can_open_has_a_runbook(bundle: Bundle) -> None:
    for flow in bundle.flows.values():
        for step in flow.steps:
            if step.missing is not None:
                assert bundle.runbook(bundle.runbook_for(flow.name, step.missing.case) or "") is not None


def test_its_readme_names_only_files_that_are_there() -> None:
    words = FILES["README.md"].decode().replace("*.csv", "").split("`")[1::2]
    named = {word for word in words if word.endswith((".yaml", ".json", ".csv")) and "*" not in word and "/" in word}
    assert named
    assert named <= FILES.keys()


def test_a_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    started = start_workspace(tmp_path / "new" / "workspace", FILES)
    assert set(started.written) == set(FILES)
    assert (tmp_path / "new/workspace/flows/thank-customers.yaml").read_bytes() == FILES["flows/thank-customers.yaml"]


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(Refused, match="not empty"):
        start_workspace(tmp_path, FILES)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(Refused, match="no folder"):
        start_workspace(tmp_path / "mine.txt", FILES)


def test_beside_other_files_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    started = start_workspace(tmp_path, FILES, beside=True)
    assert started.kept == ("README.md",)
    assert (tmp_path / "README.md").read_text() == "mine"
    assert set(started.written) == set(FILES) - {"README.md"}


def test_its_settings_lead_the_editor_to_the_schema_of_each_folder() -> None:
    led = json.loads(FILES[".vscode/settings.json"])["yaml.schemas"]
    assert led == {f"./.concord/schemas/{folder}.json": f"{folder}/**/*.yaml" for folder in folder_schemas()}


def test_every_file_fits_what_the_editor_is_told() -> None:
    schemas = folder_schemas()
    for path, content in FILES.items():
        if path.endswith(".yaml"):
            node = read_yaml(content, Lints(path))
            assert node is not None
            jsonschema_rs.Draft202012Validator(schemas[path.partition("/")[0]]).validate(plain(node))
    assert any(path.endswith(EXAMPLES_ENDING) for path in FILES)
