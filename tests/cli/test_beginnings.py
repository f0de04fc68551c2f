"""`concord init` and `concord editor-schemas`: the first commands of a writer."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema_rs
import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from hub.errors import Refused
from hub.workspace.starting import starter_files

RUN = CliRunner()


def test_init_then_check_then_test(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    begun = RUN.invoke(app, ["init", str(folder)])
    assert begun.exit_code == 0, begun.output
    for command in ("concord check", "concord test", "concord lineage shop.receipt.total"):
        assert command in begun.output
    checked = RUN.invoke(app, ["check", str(folder)])
    assert (checked.exit_code, "No errors in 1 flow, 5 mappings" in checked.output) == (0, True)
    tested = RUN.invoke(app, ["test", str(folder)])
    assert (tested.exit_code, "0 failed" in tested.output) == (0, True)


def test_init_tells_machines_what_it_wrote_and_left(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(Refused, match="not empty"):
        RUN.invoke(app, ["init", str(tmp_path)], catch_exceptions=False)
    begun = json.loads(RUN.invoke(app, ["init", str(tmp_path), "--force", "--json"]).output)
    assert begun["kept"] == ["README.md"]
    assert {*begun["written"], *begun["kept"]} == set(starter_files())


def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="cannot be written"):
        RUN.invoke(app, ["init", str(tmp_path / "file" / "below")], catch_exceptions=False)
    with pytest.raises(Refused, match="cannot be written"):
        RUN.invoke(app, ["editor-schemas", "--out", str(tmp_path / "file")], catch_exceptions=False)


def test_editor_schemas_are_written_where_the_starter_looks_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written = RUN.invoke(app, ["editor-schemas"])
    assert written.exit_code == 0
    assert "yaml-language-server" in written.output
    led = json.loads(starter_files()[".vscode/settings.json"])["yaml.schemas"]
    for path in led:
        jsonschema_rs.meta.validate(json.loads((tmp_path / path).read_bytes()))
    told = json.loads(RUN.invoke(app, ["editor-schemas", "--out", "here", "--json"]).output)
    assert told["flows"] == "here/flows.json"
