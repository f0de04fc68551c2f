"""Finding a workspace, and reading no more than belongs to it."""

from __future__ import annotations

from pathlib import Path

import pytest

import hub
from hub.errors import NotFound, WorkspaceInvalid
from hub.workspace import loader
from hub.workspace.loader import find_workspace, read_files


def workspace(folder: Path) -> Path:
    (folder / "flows").mkdir(parents=True)
    (folder / "flows" / "a.yaml").write_text("flow: a\n")
    return folder


def test_only_the_known_folders_and_endings_are_read(tmp_path: Path) -> None:
    workspace(tmp_path)
    for name in (
        "flows/notes.txt",
        "secrets/key.yaml",
        "mappings/deep/er/m.yaml",
        "mappings/tables/t.csv",
        "README.md",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert sorted(read_files(tmp_path)) == ["flows/a.yaml", "mappings/deep/er/m.yaml", "mappings/tables/t.csv"]


def test_a_link_that_leads_out_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("password: x")
    folder = workspace(tmp_path / "inside")
    (folder / "flows" / "link.yaml").symlink_to(outside)
    with pytest.raises(WorkspaceInvalid, match=r"flows/link\.yaml"):
        read_files(folder)


def test_what_no_real_workspace_needs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = workspace(tmp_path)
    (folder / "flows" / "big.yaml").write_bytes(b"x" * 2000)
    monkeypatch.setattr(loader, "MAX_FILE", 1000)
    with pytest.raises(WorkspaceInvalid, match="too large"):
        read_files(folder)
    monkeypatch.setattr(loader, "MAX_FILE", 10_000)
    monkeypatch.setattr(loader, "MAX_FILES", 1)
    with pytest.raises(WorkspaceInvalid, match="too large"):
        read_files(folder)


def test_a_folder_without_flows_is_no_workspace(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no `flows` folder"):
        read_files(tmp_path)


def test_the_given_one_comes_first_then_the_environment_then_here_then_the_shipped(tmp_path: Path) -> None:
    given, named, here = (workspace(tmp_path / name) for name in ("given", "named", "here"))
    empty = tmp_path / "empty"
    empty.mkdir()
    environ = {"CONCORD_WORKSPACE": str(named)}
    assert find_workspace(given, environ, here) == given
    assert find_workspace(None, environ, here) == named
    assert find_workspace(None, {"CONCORD_WORKSPACE": ""}, here) == here
    shipped = find_workspace(None, {}, empty)
    assert (shipped / "flows" / "invoice-to-erp.yaml").is_file()


def test_a_named_workspace_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        find_workspace(tmp_path / "nowhere", {}, tmp_path)
    with pytest.raises(NotFound):
        find_workspace(None, {"CONCORD_WORKSPACE": str(tmp_path / "nowhere")}, tmp_path)


def test_a_checkout_is_its_own_workspace(tmp_path: Path) -> None:
    assert "flows/invoice-to-erp.yaml" in read_files(Path(hub.__file__).resolve().parent.parent)
