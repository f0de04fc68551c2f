"""`concord map`: records in, records out with exact numbers, and problems with their line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.cli.mapping import map_stream, read_given
from hub.errors import NotFound, Refused, WorkspaceInvalid

MAPPING = """\
mapping: notes
version: 2
from: note@1
to: note@1
given: [by]
fields:
  id: id
  total: { value: total, required: true }
  by: given('by')
"""
SCHEMA = '{"type": "object", "properties": {"id": {"type": "string"}, "total": {"type": "number"}, "by": {}}}'
UPCAST = """\
mapping: note_0_to_1
version: 1
from: note@0
to: note@1
rest: keep
without: [sum]
fields:
  total: sum
"""
Run = Callable[..., tuple[int, list[str], list[str]]]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    for name in ("flows", "mappings", "schemas"):
        (tmp_path / name).mkdir()
    (tmp_path / "mappings" / "note_0_to_1.yaml").write_text(UPCAST)
    (tmp_path / "schemas" / "note@0.json").write_text('{"type": "object", "properties": {"sum": {"type": "number"}}}')
    (tmp_path / "mappings" / "notes.yaml").write_text(MAPPING)
    (tmp_path / "schemas" / "note@1.json").write_text(SCHEMA)
    return tmp_path


@pytest.fixture
def run(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def mapped(text: str, *, name: str = "notes", given: list[str] | None = None, **options: Any) -> Any:
        lines = (line.encode() for line in text.splitlines(keepends=True))
        given = ["by=me"] if given is None else given
        code = map_stream(name, lines, workspace=workspace, given=given, **{"json": False, **options})
        printed = capsys.readouterr()
        return code, printed.out.splitlines(), printed.err.splitlines()

    return mapped


def test_numbers_come_out_as_they_went_in(run: Run) -> None:
    text = '{"id": "a", "total": 0.10}\n{"id": "b", "total": 12345678901234567890.5}\n'
    assert run(text, name="notes@2") == (
        0,
        ['{"id":"a","total":0.10,"by":"me"}', '{"id":"b","total":12345678901234567890.5,"by":"me"}'],
        [],
    )


def test_each_problem_names_its_line_and_the_others_are_mapped(run: Run) -> None:
    code, out, errors = run('{"id": "a"}\n{"id": "b", "total": 1}\n{"id": 5, "total": 1}\nno\n')
    assert (code, out) == (1, ['{"id":"b","total":1,"by":"me"}'])
    assert errors[0].startswith("line 1: A required field has no value. (mapping: notes, ")
    assert "field: total" in errors[0]
    assert errors[1] == 'line 3: The outcome does not fit note@1: id: 5 is not of type "string"'
    assert errors[2].startswith("line 4: This is not readable JSON: ")


def test_problems_are_json_for_machines(run: Run) -> None:
    code, out, errors = run('{"id": "a"}\n{"id": "b", "total": 1}\n', json=True)
    assert (code, len(out)) == (1, 1)
    problem, summary = map(json.loads, errors)
    assert (problem["line"], problem["code"], problem["facts"]["field"]) == (1, "required-missing", "total")
    assert summary == {"mapped": 1, "failed": 1}


def test_records_of_another_version_are_read_as_the_mapping_wants_them(run: Run) -> None:
    text = '{"id": "a", "sum": 1.50}\n'
    assert run(text, in_schema="note@0") == (0, ['{"id":"a","total":1.50,"by":"me"}'], [])
    code, out, (error,) = run(text, in_schema="other@1")
    assert (code, out) == (1, [])
    assert error.startswith("line 1: A record of `other@1` cannot be read as `note@1`.")


def test_a_record_that_looks_like_another_version_is_told_once(run: Run) -> None:
    text = '{"sum": 1.50}\n' * 2
    code, out, errors = run(text)
    assert (code, out) == (1, [])
    assert errors[0] == (
        "line 1: The record looks like note@0, but is read as note@1. If so, say `--in-schema note@0`; of further"
        " records this is not told."
    )
    assert ["A required field" in error for error in errors[1:]] == [True, True]
    assert run(text, in_schema="note@0")[2] == []
    assert run('{"id": "a", "total": 1, "unheard": 2}\n')[2] == []


def test_nothing_in_is_told(run: Run) -> None:
    assert run("") == (0, [], ["No record came in."])


def test_a_value_that_is_not_given_is_told_with_each_record(run: Run) -> None:
    code, out, errors = run('{"id": "a", "total": 1}\n', given=[])
    assert (code, out) == (1, [])
    assert "The mapping was not given what it needs." in errors[0]


@pytest.mark.parametrize(
    ("name", "words"), [("note", "Did you mean `notes`?"), ("notes@1", "at version 2 here, not 1")]
)
def test_an_unknown_mapping_is_refused(run: Run, name: str, words: str) -> None:
    with pytest.raises(NotFound, match=words.replace("?", r"\?")):
        run("", name=name)


def test_a_broken_workspace_is_refused_with_its_lints(
    workspace: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "mappings" / "notes.yaml").write_text(MAPPING.replace("id: id", "id: id."))
    with pytest.raises(WorkspaceInvalid, match="Nothing was mapped"):
        run("{}")
    assert "mappings/notes.yaml:7:" in capsys.readouterr().err


def test_given_values_are_text_or_json() -> None:
    texts = ["a=1", "b:=1.50", "c=x=y", 'd:={"e": null}', '{"f": [1]}']
    given = read_given(texts)
    assert {key: str(value) for key, value in given.items()} == {
        "a": "1",
        "b": "1.50",
        "c": "x=y",
        "d": "{'e': None}",
        "f": "[1]",
    }
    assert given["a"] == "1"


@pytest.mark.parametrize("text", ["a", "=b", ":=b", "a:=b", "{a}"])
def test_a_given_value_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="--given"):
        read_given([text])
