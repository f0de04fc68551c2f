"""`concord map`: maps JSON or JSON lines from the standard input, record by record, with exact numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from hub.cli.json_stream import read_values
from hub.cli.likelier import Likelier
from hub.cli.opened import open_workspace, show_lints
from hub.errors import FixData, HubError, NotFound, Refused, WorkspaceInvalid
from hub.mapping.compiled import CompiledMapping, apply
from hub.sdk.exact_json import dumps, loads
from hub.workspace.bundle import Bundle
from hub.workspace.source.lint import Severity, nearest


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a record could not be mapped, or perhaps not rightly: the line it begins on, a sentence, and the facts."""

    line: int
    code: str
    message: str
    facts: Mapping[str, object]

    def __str__(self) -> str:
        """Give it on one line."""
        return f"line {self.line}: {self.message}"


def map_stream(
    name: str,
    lines: Iterable[bytes],
    *,
    workspace: Path | None,
    given: Sequence[str],
    json: bool,
    in_schema: str | None = None,
) -> int:
    """Map every record of `lines` to the standard output; gives the exit code: 0 only if all could be mapped.

    `in_schema` is the schema that the records claim to have, where it is another version than the mapping reads.
    """
    bundle = _bundle(workspace)
    mapping = _mapping(bundle, name)
    values = read_given(given)
    likelier = Likelier(bundle.registry, mapping.source) if in_schema is None else None
    done = failed = 0
    for read in read_values(lines):
        other = likelier(read.value) if likelier is not None and read.problem is None else None
        if other is not None:
            likelier = None
            _complain(_of_another_version(mapping, read.line, other), json=json)
        found = (
            Problem(line=read.line, code="not-json", message=read.problem, facts={})
            if read.problem is not None
            else _mapped(bundle, mapping, read.line, read.value, values, in_schema)
        )
        if isinstance(found, Problem):
            failed += 1
            _complain(found, json=json)
        else:
            done += 1
            sys.stdout.write(f"{dumps(found).decode()}\n")
            sys.stdout.flush()
    if json:
        sys.stderr.write(f"{dumps({'mapped': done, 'failed': failed}).decode()}\n")
    elif not done and not failed:
        sys.stderr.write("No record came in.\n")
    return int(failed > 0)


def read_given(texts: Sequence[str]) -> dict[str, Any]:
    """Read given values: `name=text`, `name:=JSON`, or an object `{"name": …}`; raises `Refused`."""
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if text.startswith("{"):
            values |= _json(text, text)
        elif not equals or not name.rstrip(":"):
            raise Refused(f"`--given {text}` names no value; write NAME=TEXT, NAME:=JSON or a JSON object.")
        elif name.endswith(":"):
            values[name[:-1]] = _json(value, text)
        else:
            values[name] = value
    return values


def _json(text: str, whole: str) -> Any:
    try:
        return loads(text)
    except FixData as error:
        raise Refused(f"`--given {whole}` is not readable JSON: {error.facts.get('reason')}.") from None


def _bundle(workspace: Path | None) -> Bundle:
    opened = open_workspace(workspace)
    if opened.bundle is None:
        errors = [lint for lint in opened.lints if lint.severity is Severity.ERROR]
        show_lints(Console(stderr=True), errors, opened.folder)
        raise WorkspaceInvalid("Nothing was mapped: the workspace has errors.")
    return opened.bundle


def _mapping(bundle: Bundle, name: str) -> CompiledMapping:
    wanted, _, version = name.partition("@")
    mapping = bundle.mappings.get(wanted)
    if mapping is None:
        raise NotFound(f"There is no mapping `{wanted}`. {nearest(wanted, bundle.mappings)}".strip())
    if version and version != str(mapping.version):
        message = f"The mapping `{wanted}` is at version {mapping.version} here, not {version}."
        raise NotFound(f"{message} Name a workspace that has it with --workspace.")
    return mapping


def _of_another_version(mapping: CompiledMapping, line: int, other: str) -> Problem:
    """Warn of a record that is read as the wrong version: there an amount that has moved is nothing, and no error."""
    message = (
        f"The record looks like {other}, but is read as {mapping.source}. If so, say `--in-schema {other}`; "
        "of further records this is not told."
    )
    return Problem(line=line, code="other-version", message=message, facts={"schema": other})


def _mapped(
    bundle: Bundle, mapping: CompiledMapping, line: int, record: Any, given: Mapping[str, Any], claimed: str | None
) -> Any:
    """Map one record; gives a `Problem` when that cannot be, or when the outcome does not fit its schema."""
    try:
        source = record if claimed is None else bundle.read_as(claimed, record, mapping.source)
        made = apply(mapping, source, given)
    except HubError as error:
        return Problem(line=line, code=error.code, message=str(error), facts=error.facts)
    problems = bundle.validate(mapping.target, made)
    if problems:
        message = f"The outcome does not fit {mapping.target}: {'; '.join(problems)}"
        return Problem(line=line, code="does-not-fit", message=message, facts={"problems": problems})
    return made


def _complain(problem: Problem, *, json: bool) -> None:
    if json:
        facts = {
            name: fact if isinstance(fact, int | str | list) else str(fact) for name, fact in problem.facts.items()
        }
        found = {"line": problem.line, "code": problem.code, "message": problem.message, "facts": facts}
        sys.stderr.write(f"{dumps(found).decode()}\n")
    else:
        sys.stderr.write(f"{problem}\n")
