"""`concord check`: one line for each mistake, an exit code, and JSON for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.cli.check import check

CONNECTION = "connection: tax\nconnector: avatax\nowner: team:tax\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for name in ("flows", "connections"):
        (tmp_path / name).mkdir()
    (tmp_path / "connections" / "tax.yaml").write_text(CONNECTION)
    return tmp_path


def test_a_right_workspace_is_summed_up_in_one_line(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(workspace, json_output=False) == 0
    assert capsys.readouterr().out.startswith("No errors in 0 flows, 0 mappings, ")


def test_mistakes_are_lines_and_exit_one(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "connections" / "tax.yaml").write_text(CONNECTION.replace("connector: avatax", "connector: avatex"))
    assert check(workspace, json_output=False) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{workspace}/connections/tax.yaml:2:12: error: There is no connector `avatex`. Did you mean `avatax`?",
        "1 error.",
    ]


def test_long_lines_are_not_broken(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "connections" / "tax.yaml").write_text(CONNECTION + f"{'x' * 200}: 1\n")
    assert check(workspace, json_output=False) == 1
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_json_holds_every_lint(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "connections" / "tax.yaml").write_text(CONNECTION + "colour: red\n")
    assert check(workspace, json_output=True) == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is False
    assert answer["bundle"] is None
    (lint,) = answer["lints"]
    assert (lint["path"], lint["line"], lint["column"]) == ("connections/tax.yaml", 4, 1)
    assert (lint["severity"], lint["code"]) == ("error", "unknown-key")


def test_a_folder_that_is_no_workspace_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path / "nowhere", json_output=False) == 1
    assert "There is no such workspace folder." in capsys.readouterr().out
    assert check(tmp_path, json_output=False) == 1
    assert "no `flows` folder" in capsys.readouterr().out


def test_paths_open_from_where_one_stands(
    workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "connections" / "tax.yaml").write_text(CONNECTION + "colour: red\n")
    monkeypatch.chdir(workspace)
    assert check(None, json_output=False) == 1
    assert capsys.readouterr().out.startswith("connections/tax.yaml:4:1: error: ")
    monkeypatch.chdir(workspace.parent)
    assert check(Path(workspace.name), json_output=False) == 1
    assert capsys.readouterr().out.startswith(f"{workspace.name}/connections/tax.yaml:4:1: error: ")
