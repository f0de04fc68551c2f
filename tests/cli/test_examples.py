"""`concord test`: passed and failed, field by field, how much is covered, and an exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.cli.examples import run_all

MAPPING = """\
mapping: notes
version: 1
from: note@1
to: note@1
fields:
  id: id
  total: total
lines: { each: lines, fields: { n: n, note.text: text } }
"""
EXAMPLES = """\
- example: as it should be
  in: { id: a, lines: [{ n: 1 }] }
  expect: { id: a, lines: [{ n: 1 }] }
- example: wrong in two ways
  in: { id: b, lines: [{ n: 2 }] }
  expect: { id: c, lines: [{ n: 3 }], total: 1 }
"""
PASSING = EXAMPLES.partition("- example: wrong")[0]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for name in ("flows", "mappings", "schemas"):
        (tmp_path / name).mkdir()
    (tmp_path / "mappings" / "notes.yaml").write_text(MAPPING)
    (tmp_path / "mappings" / "notes_examples.yaml").write_text(EXAMPLES)
    (tmp_path / "schemas" / "note@1.json").write_text('{"type": "object"}')
    return tmp_path


def run(workspace: Path, only: str = "", coverage_below: int | None = None, *, json_output: bool = False) -> int:
    return run_all(workspace, only=only, coverage_below=coverage_below, json_output=json_output)


def test_differences_are_shown_field_by_field(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(workspace) == 1
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[:4] == [
        "failed mappings/notes_examples.yaml:4 wrong in two ways",
        "id expected 'c' came 'b'",
        "lines[0].n expected 3 came 2",
        "total expected 1 came nothing",
    ]
    assert lines[-3:-1] == ["mapping notes 2 1 4 50 %", "notes: no example fills total, lines[].note.text."]
    assert lines[-1] == "2 examples: 1 passed, 1 failed."


def test_all_passing_exits_zero(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "mappings" / "notes_examples.yaml").write_text(PASSING)
    assert run(workspace) == 0
    assert capsys.readouterr().out.endswith("1 example: 1 passed, 0 failed.\n")


def test_too_little_coverage_fails(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "mappings" / "notes_examples.yaml").write_text(PASSING)
    assert run(workspace, coverage_below=50) == 0
    assert run(workspace, coverage_below=51) == 1
    assert "The examples of notes fill 50 % of its target fields, which is too few." in capsys.readouterr().out


def test_a_filter_chooses_examples_and_leaves_coverage_to_the_whole(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(workspace, "as it should") == 0
    assert "%" not in capsys.readouterr().out
    assert run(workspace, "notes") == 1
    assert "50 %" in capsys.readouterr().out
    assert run(workspace, "nothing like it") == 1
    assert "No example" in capsys.readouterr().err


def test_json_tells_everything(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(workspace, json_output=True) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], [example["passed"] for example in found["examples"]]) == (False, [True, False])
    second = found["examples"][1]
    assert (second["kind"], second["name"], second["path"], second["line"]) == (
        "mapping",
        "notes",
        "mappings/notes_examples.yaml",
        4,
    )
    assert second["differences"] == [
        {"field": "id", "message": "id: 'b' came, expected 'c'", "expected": "c", "came": "b"},
        {"field": "lines[0].n", "message": "lines[0].n: 2 came, expected 3", "expected": 3, "came": 2},
        {"field": "total", "message": "total: nothing came, expected 1", "expected": 1},
    ]
    assert found["coverage"] == [
        {
            "mapping": "notes",
            "percent": 50,
            "fields": 4,
            "unfilled": ["total", "lines[].note.text"],
            "reverse": None,
        }
    ]


def test_a_broken_workspace_runs_nothing(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace / "mappings" / "notes.yaml").write_text(MAPPING.replace("id: id", "id: id."))
    assert run(workspace) == 1
    printed = capsys.readouterr().out
    assert "mappings/notes.yaml:6:" in printed
    assert "No example was run" in printed
    assert run(workspace, json_output=True) == 1
    assert [lint["line"] for lint in json.loads(capsys.readouterr().out)["lints"]] == [6]
