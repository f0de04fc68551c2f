"""`concord check`: every mistake of a workspace on one line each, with its place and what to write instead."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from hub.cli.opened import open_workspace, show_lints
from hub.errors import HubError
from hub.sdk.exact_json import dumps
from hub.workspace.bundle import Bundle
from hub.workspace.source.lint import Lint, Severity


def check(path: Path | None, json_output: bool) -> int:
    """Lint a workspace and print what is wrong; gives the exit code: 1 when there are errors, else 0."""
    try:
        opened = open_workspace(path)
    except HubError as error:
        lint = Lint(path=str(path or "."), line=1, column=1, code=error.code, message=str(error))
        return _report(None, [lint], json_output, Path())
    if path is None and opened.folder != Path.cwd() and not json_output:
        Console(soft_wrap=True, highlight=False).print(f"Checking {opened.folder}", markup=False)
    return _report(opened.bundle, opened.lints, json_output, opened.folder)


def _report(bundle: Bundle | None, lints: Sequence[Lint], json_output: bool, folder: Path) -> int:
    failed = any(lint.severity is Severity.ERROR for lint in lints)
    if json_output:
        sys.stdout.write(
            dumps({"ok": not failed, "bundle": bundle and bundle.id, "lints": [*map(as_json, lints)]}).decode()
        )
        sys.stdout.write("\n")
        return int(failed)
    console = Console(soft_wrap=True, highlight=False)
    show_lints(console, lints, folder)
    console.print(_summary(bundle, lints))
    return int(failed)


def _summary(bundle: Bundle | None, lints: Sequence[Lint]) -> str:
    errors = sum(lint.severity is Severity.ERROR for lint in lints)
    if bundle is None:
        return f"{errors} {'error' if errors == 1 else 'errors'}."
    counts = ((len(bundle.flows), "flow"), (len(bundle.mappings), "mapping"), (len(bundle.schemas), "schema"))
    warnings = f"; warnings: {len(lints)}" if lints else ""
    words = (f"{count} {name}" if count == 1 else f"{count} {name}s" for count, name in counts)
    return f"No errors in {', '.join(words)}{warnings}."


def as_json(lint: Lint) -> dict[str, object]:
    """Give a lint for machines."""
    return {
        "path": lint.path,
        "line": lint.line,
        "column": lint.column,
        "severity": lint.severity,
        "code": lint.code,
        "message": lint.message,
        "hint": lint.hint,
    }
