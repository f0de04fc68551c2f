"""`concord schema`: what is there, what a change breaks, and a draft of what was seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from hub.errors import FixData, NotFound, Refused, WorkspaceInvalid

FIRST: dict[str, Any] = {
    "title": "Note",
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "Its id."},
        "total": {"type": "integer", "x-unit": "minor"},
        "lines": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
    },
    "required": ["id"],
}
SECOND: dict[str, Any] = {**FIRST, "properties": {**FIRST["properties"], "due": {"type": "string", "format": "date"}}}
THIRD: dict[str, Any] = {**SECOND, "required": ["id", "due"]}
FILES = {
    "schemas/note@1.json": json.dumps(FIRST),
    "schemas/note@2.json": json.dumps(SECOND),
    "schemas/note.yaml": (
        "series: note\ntitle: Note\nowner: team:x\ncompatibility: full\n"
        "versions:\n  1: { deprecated: 2020-01-01, note: The first }\n"
    ),
    "mappings/notes.yaml": "mapping: notes\nversion: 1\nfrom: note@2\nto: note@2\nfields: { id: id }\n",
}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def run(workspace: Path, *arguments: str, stdin: str = "") -> tuple[int, str]:
    """Run a command; gives its exit code and what it wrote to stdout."""
    command = ["schema", *arguments, "--workspace", str(workspace)]
    result = CliRunner().invoke(app, command, input=stdin, env={"COLUMNS": "160"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_the_list_tells_versions_promises_ends_and_users(workspace: Path) -> None:
    code, text = run(workspace, "list", "note", "--json")
    notes = next(series for series in json.loads(text)["series"] if series["series"] == "note")
    assert code == 0
    assert (notes["compatibility"], notes["owner"]) == ("full", "team:x")
    assert [version["name"] for version in notes["versions"]] == ["note@1", "note@2"]
    assert [version["state"] for version in notes["versions"]] == ["deprecated since 2020-01-01", ""]
    assert [version["mappings"] for version in notes["versions"]] == [[], ["notes"]]


def test_the_list_is_a_table_for_people(workspace: Path) -> None:
    _, text = run(workspace, "list", "note")
    lines = [line for line in text.splitlines() if "│ note " in line or "1 mapping" in line]
    assert len(lines) == 2
    assert "deprecated since 2020-01-01" in lines[0]


def test_a_version_is_shown_with_its_fields_and_how_others_are_read(workspace: Path) -> None:
    code, text = run(workspace, "show", "note")
    assert code == 0
    for words in ("note@2", "lines[].n", "integer, minor", "Its id.", "note@1: read as it is"):
        assert words in text


def test_a_version_is_shown_whole_for_machines(workspace: Path) -> None:
    _, text = run(workspace, "show", "note@1", "--json")
    shown = json.loads(text)
    assert shown["document"] == FIRST
    assert shown["read_from"] == {"note@2": []}
    assert (shown["note"], shown["deprecated"]) == ("The first", "2020-01-01")


@pytest.mark.parametrize(
    ("name", "words"),
    [("nota", "Did you mean `note`"), ("note@3", "Registered: `note@1`, `note@2`"), ("nota@1", "no schema `nota`")],
)
def test_what_is_not_there_is_told_with_what_is(workspace: Path, name: str, words: str) -> None:
    with pytest.raises(NotFound, match=words):
        run(workspace, "show", name)


def test_a_change_that_keeps_the_promise_is_told_and_right(workspace: Path) -> None:
    code, text = run(workspace, "diff", "note@1", "note@2")
    assert code == 0
    assert "due" in text
    assert "date, optional" in text
    assert text.count("yes") == 2


def test_a_change_that_breaks_the_promise_is_refused(workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "next.json"
    file.write_text(json.dumps(THIRD))
    code, text = run(workspace, "diff", "note", str(file), "--json")
    found = json.loads(text)
    assert code == 1
    assert found["broken"] is True
    assert found["changes"] == [{"path": "due", "kind": "changed", "detail": "required now"}]
    assert [one["path"] for one in found["breaks"]["backward"]] == ["due"]
    assert found["breaks"]["forward"] == []
    assert "This breaks the promise of the series: full." in run(workspace, "diff", "note", str(file))[1]


def test_a_draft_is_printed_and_what_is_new_beside_it(workspace: Path) -> None:
    lines = '{"id": "a", "paid": true}\n{"id": "b", "total": 1.5}\n'
    code, text = run(workspace, "infer", "note", "--from", "-", stdin=lines)
    draft = json.loads(text)
    assert code == 0
    assert draft["properties"]["paid"] == {"type": "boolean"}
    assert draft["properties"]["total"] == {"type": "number", "x-unit": "minor"}
    assert draft["properties"]["due"] == {"type": "string", "format": "date"}


def test_a_draft_is_written_beside_the_others_and_fits_the_workspace(workspace: Path, tmp_path: Path) -> None:
    events = tmp_path / "events.json"
    events.write_text(json.dumps([{"data": {"object": {"id": "a", "new": 1}}}, {"data": {}}]))
    out = workspace / "schemas/note@3.json"
    code, text = run(
        workspace, "infer", "note", "--from", str(events), "--at", "data.object", "--out", str(out), "--json"
    )
    found = json.loads(text)
    assert (code, found["records"], found["base"]) == (0, 1, "note@2")
    assert found["comparison"]["changes"] == [{"path": "new", "kind": "added", "detail": "integer, optional"}]
    assert json.loads(out.read_text()) == found["draft"]
    assert run(workspace, "show", "note@3")[0] == 0


def test_the_first_draft_of_a_schema_needs_no_base(workspace: Path) -> None:
    code, text = run(workspace, "infer", "bill@1", "--from", "-", "--json", stdin='{"a": 1}')
    found = json.loads(text)
    assert (code, found["base"], found["comparison"]) == (0, None, None)
    assert found["draft"]["required"] == ["a"]


@pytest.mark.parametrize(
    ("arguments", "stdin", "error", "words"),
    [
        (["--from", "-"], "", Refused, "nothing to draft from"),
        (["--from", "-"], '{"a": ]', FixData, "-:1: This is not readable JSON"),
        (["--from", "nowhere.json"], "", NotFound, r"nowhere\.json cannot be read"),
        (["--from", "-", "--at", "data..x"], "{}", Refused, r"`--at data\.\.x` is no expression"),
    ],
)
def test_what_cannot_be_read_is_told(
    workspace: Path, arguments: list[str], stdin: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        run(workspace, "infer", "note", *arguments, stdin=stdin)


def test_a_broken_workspace_is_told_first(workspace: Path) -> None:
    (workspace / "schemas/note@2.json").write_text("{")
    with pytest.raises(WorkspaceInvalid):
        run(workspace, "list")
