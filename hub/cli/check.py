"""`concord check`: every mistake of a workspace on one line each, with its place and what to write instead."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from hub.connections.registry import load_connectors
from hub.errors import HubError
from hub.sdk.exact_json import dumps
from hub.workspace.bundle import Bundle
from hub.workspace.catalogue import catalogue_of
from hub.workspace.compilation import compile_bundle
from hub.workspace.lint import Lint, Severity
from hub.workspace.loader import find_workspace, read_files

_COLOURS = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def check(path: Path | None, json_output: bool) -> int:
    """Lint a workspace and print what is wrong; gives the exit code: 1 when there are errors, else 0."""
    try:
        folder = find_workspace(path, os.environ, Path.cwd())
        files = read_files(folder)
    except HubError as error:
        lint = Lint(path=str(path or "."), line=1, column=1, code=error.code, message=str(error))
        return _report(None, [lint], json_output)
    bundle, lints = compile_bundle(files, catalogue_of([*load_connectors().values()]))
    return _report(bundle, lints, json_output)


def _report(bundle: Bundle | None, lints: Sequence[Lint], json_output: bool) -> int:
    failed = any(lint.severity is Severity.ERROR for lint in lints)
    if json_output:
        sys.stdout.write(
            dumps({"ok": not failed, "bundle": bundle and bundle.id, "lints": [*map(_as_json, lints)]}).decode()
        )
        sys.stdout.write("\n")
        return int(failed)
    console = Console(soft_wrap=True, highlight=False)
    for lint in lints:
        console.print(_line(lint))
    console.print(_summary(bundle, lints))
    return int(failed)


def _line(lint: Lint) -> Text:
    place = f"{lint.path}:{lint.line}:{lint.column}: "
    line = Text(str(lint))
    line.stylize("bold", 0, len(place))
    line.stylize(_COLOURS[lint.severity], len(place), len(place) + len(lint.severity) + 1)
    return line


def _summary(bundle: Bundle | None, lints: Sequence[Lint]) -> str:
    errors = sum(lint.severity is Severity.ERROR for lint in lints)
    if bundle is None:
        return f"{errors} {'error' if errors == 1 else 'errors'}."
    counts = ((len(bundle.flows), "flows"), (len(bundle.mappings), "mappings"), (len(bundle.schemas), "schemas"))
    warnings = f", {len(lints)} warnings" if lints else ""
    return f"No errors in {', '.join(f'{count} {name}' for count, name in counts)}{warnings}."


def _as_json(lint: Lint) -> dict[str, object]:
    return {
        "path": lint.path,
        "line": lint.line,
        "column": lint.column,
        "severity": lint.severity,
        "code": lint.code,
        "message": lint.message,
        "hint": lint.hint,
    }
